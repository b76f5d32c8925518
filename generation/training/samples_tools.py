"""What the sample pictures are painted with: skies, leaves, firs, shapes at their size."""

import math
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from generation.training.artworks_tools import (
    Array,
    Canvas,
    coordinates,
    hexes,
    mix,
    noise,
    polygon,
    ramp,
    smoothstep,
)

WIDTH, HEIGHT = 1024, 768
SHAPE = (HEIGHT, WIDTH)

Points = Sequence[tuple[float, float]]


def fbm(rng: np.random.Generator, scale: float, *, octaves: int = 5) -> Array:
    """Return clouds of noise over the whole picture."""
    return noise(rng, scale, octaves=octaves, shape=SHAPE)


def line(rng: np.random.Generator, scale: float, *, octaves: int = 6) -> Array:
    """Return noise along one axis, for ridges and shores."""
    values: Array = noise(rng, scale, octaves=octaves, shape=(4, WIDTH))[1]
    return values


def shape_of(points: Points) -> Array:
    """Return the mask of a polygon."""
    return polygon(points, shape=SHAPE)


def box(x0: float, y0: float, x1: float, y1: float) -> Array:
    """Return the mask of a rectangle."""
    return shape_of([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


def under(ridge: Array, *, soft: float = 1.0) -> Array:
    """Return the mask of what lies under a line given by its y for every x."""
    y, _ = coordinates(HEIGHT, WIDTH)
    mask: Array = np.clip((y - ridge[None, :]) / soft + 0.5, 0, 1)
    return mask


def sky(rng: np.random.Generator, *, horizon: float, tones: str, cover: float) -> Array:
    """Return a sky with heaped clouds that are lit from the upper right."""
    y, _ = coordinates(HEIGHT, WIDTH)
    air = ramp(np.clip(y / horizon, 0, 1), hexes(tones))
    heap = fbm(rng, 240, octaves=6) + cover - np.abs(y - horizon * 0.45) / (horizon * 0.75)
    dense = smoothstep(0.0, 0.5, heap)
    light = np.clip(
        0.55 + 1.6 * (heap - ndimage.shift(heap, (22, -16), order=0, mode="nearest")), 0, 1
    )
    return mix(air, ramp(light, hexes("a9b8cf dfe6ef ffffff")), 0.93 * dense)


def leaves(
    canvas: Canvas,
    rng: np.random.Generator,
    *,
    x: float,
    y: float,
    wide: float,
    high: float,
    tones: Array,
    count: int,
    size: float,
) -> None:
    """Heap leaves in clumps, dark ones first, lit from the upper right."""
    clumps = rng.normal(0, 0.48, (22, 2)).clip(-1, 1)
    for layer in range(3):
        for _ in range(count // 3):
            centre = clumps[rng.integers(22)]
            spread = rng.normal(0, 0.23, 2)
            u, v = centre + spread
            if u * u + v * v > 1.15:
                continue
            light = (
                0.30 * layer + 0.32 * (spread[0] - spread[1]) + 0.16 * (u - v) + rng.normal(0, 0.07)
            )
            place = np.clip(light + 0.08, 0, 0.999) * (len(tones) - 1)
            low = int(place)
            shade = tones[low] + (tones[low + 1] - tones[low]) * (place - low)
            canvas.stroke(
                x + u * wide,
                y + v * high,
                angle=rng.uniform(0, math.pi),
                length=size * rng.uniform(1.2, 2.2),
                width=size * rng.uniform(0.7, 1.1),
                colour=(shade + rng.normal(0, 0.015, 3)).astype(np.float32),
                streaks=0.03,
            )


def pine(
    canvas: Canvas, rng: np.random.Generator, *, x: float, foot: float, high: float, tones: Array
) -> None:
    """Paint a fir from its foot to its top."""
    trunk, upright = hexes("4a3526")[0], math.pi / 2
    canvas.stroke(
        x, foot - high * 0.3, angle=upright, length=high * 0.8, width=high * 0.05, colour=trunk
    )
    for up in np.linspace(0.12, 1, max(6, int(high / 9))):
        half = high * 0.24 * (1 - up) ** 0.85 + 1.5
        for side in np.linspace(-1, 1, 7):
            light = np.clip(0.5 + 0.4 * side + rng.normal(0, 0.14), 0, 0.999) * (len(tones) - 1)
            canvas.stroke(
                x + side * half * 0.72,
                foot - high * up + abs(side) * half * 0.4 + rng.normal(0, 1.5),
                angle=side * 0.62 + rng.normal(0, 0.12) + (0 if side else math.pi / 2),
                length=half * 0.8 + 3,
                width=max(2.2, high * 0.042),
                colour=tones[int(light)] + rng.normal(0, 0.012),
                streaks=0.04,
            )


def painted(canvas: Canvas, *, grain: float = 0.02) -> Array:
    """Return the canvas with a slight relief of its strokes."""
    slope_y, slope_x = np.gradient(ndimage.gaussian_filter(canvas.height, 0.8))
    lit: Array = np.clip(canvas.colour * (1 - grain * 8 * (slope_x + slope_y))[..., None], 0, 1)
    return lit
