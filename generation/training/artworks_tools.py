"""What the built-in artworks are painted with: noise, masks, paper and a brush with bristles.

Everything is computed from a seeded ``numpy.random.Generator`` (called ``rng``), at one size.
Colours are float32 in [0, 1]; a field is an ``(SIZE, SIZE)`` array.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

SIZE = 768

Array = NDArray[Any]
Points = Sequence[tuple[float, float]]


def coordinates(height: int = SIZE, width: int = SIZE) -> tuple[Array, Array]:
    """Return the y and x of every pixel."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return y, x


def hexes(text: str) -> Array:
    """Return the colours of hexadecimal words, one row each."""
    rows = [[int(word[i : i + 2], 16) / 255 for i in (0, 2, 4)] for word in text.split()]
    return np.array(rows, np.float32)


def noise(
    rng: np.random.Generator,
    scale: float,
    *,
    octaves: int = 4,
    shape: tuple[int, int] = (SIZE, SIZE),
) -> Array:
    """Return smooth noise around 0, most of it within [-1, 1].

    Args:
        rng: source of the lattice values.
        scale: pixels between the lattice points of the coarsest octave.
        octaves: how many lattices are added, each half as wide and high as the one before.
        shape: rows and columns.
    """
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        step = max(scale / 2**octave, 1.0)
        rows, columns = (math.ceil(side / step) + 3 for side in shape)
        lattice = Image.fromarray(rng.standard_normal((rows, columns)).astype(np.float32))
        grown = lattice.resize(
            (round(columns * step), round(rows * step)), Image.Resampling.BICUBIC
        )
        offset = int(step)
        total += np.asarray(grown)[offset : offset + shape[0], offset : offset + shape[1]] / (
            2**octave
        )
    return total / 1.6


def smoothstep(low: float, high: float, field: Array) -> Array:
    """Return 0 below ``low``, 1 above ``high`` and a smooth way between."""
    t = np.clip((field - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def ramp(field: Array, colours: Array) -> Array:
    """Return colours for a field in [0, 1], passing through ``colours`` at equal distances."""
    stops = np.linspace(0, 1, len(colours))
    channels = [np.interp(field, stops, colours[:, i]) for i in range(3)]
    return np.stack(channels, -1).astype(np.float32)


def mix(below: Array, above: Array | Sequence[float], alpha: Array | float) -> Array:
    """Return ``above`` laid over ``below``."""
    weight = np.asarray(alpha, np.float32)
    weight = weight[..., None] if weight.ndim == 2 else weight
    mixed: Array = below + (np.asarray(above, np.float32) - below) * weight
    return mixed


def drawn(
    draw: Callable[[ImageDraw.ImageDraw, int], None], *, shape: tuple[int, int] = (SIZE, SIZE)
) -> Array:
    """Return a mask drawn with Pillow at three times the size, so that its edges are smooth.

    Args:
        draw: called with an ``ImageDraw`` in mode L and the factor of enlargement.
        shape: rows and columns of the mask.
    """
    factor = 3
    picture = Image.new("L", (shape[1] * factor, shape[0] * factor))
    draw(ImageDraw.Draw(picture), factor)
    small = picture.resize((shape[1], shape[0]), Image.Resampling.BOX)
    return np.asarray(small, np.float32) / 255


def polygon(points: Points, *, shape: tuple[int, int] = (SIZE, SIZE)) -> Array:
    """Return the mask of a polygon given as (x, y)."""
    return polygons([points], shape=shape)


def polygons(shapes: Sequence[Points], *, shape: tuple[int, int] = (SIZE, SIZE)) -> Array:
    """Return the mask of several polygons."""

    def draw(pen: ImageDraw.ImageDraw, k: int) -> None:
        for points in shapes:
            pen.polygon([(x * k, y * k) for x, y in points], fill=255)

    return drawn(draw, shape=shape)


def outlines(shapes: Sequence[Points], *, width: float) -> Array:
    """Return the mask of lines around several polygons."""

    def draw(pen: ImageDraw.ImageDraw, k: int) -> None:
        for points in shapes:
            closed = [(x * k, y * k) for x, y in (*points, points[0])]
            pen.line(closed, fill=255, width=int(width * k))

    return drawn(draw)


def circles(places: Sequence[tuple[float, float, float]]) -> Array:
    """Return the mask of discs given as (x, y, radius)."""

    def draw(pen: ImageDraw.ImageDraw, k: int) -> None:
        for x, y, r in places:
            pen.ellipse([(x - r) * k, (y - r) * k, (x + r) * k, (y + r) * k], fill=255)

    return drawn(draw)


def arcs(
    boxes: Sequence[tuple[float, float, float, float]], *, start: float, end: float, width: float
) -> Array:
    """Return the mask of arcs inside boxes given as (left, top, right, bottom), in degrees."""

    def draw(pen: ImageDraw.ImageDraw, k: int) -> None:
        for left, top, right, bottom in boxes:
            box = (left * k, top * k, right * k, bottom * k)
            pen.arc(box, start=start, end=end, fill=255, width=int(width * k))

    return drawn(draw)


def disc(x0: float, y0: float, radius: float, *, soft: float = 1.0) -> Array:
    """Return the mask of a disc whose edge is ``soft`` pixels wide."""
    y, x = coordinates()
    mask: Array = np.clip((radius - np.hypot(x - x0, y - y0)) / soft + 0.5, 0, 1)
    return mask


def below(ridge: Array, *, soft: float = 1.0) -> Array:
    """Return the mask of what lies under a line given by its y for every x."""
    y, _ = coordinates(SIZE, len(ridge))
    mask: Array = np.clip((y - ridge[None, :]) / soft + 0.5, 0, 1)
    return mask


def line_noise(rng: np.random.Generator, scale: float, *, octaves: int = 5) -> Array:
    """Return noise along one axis, for ridges and shores."""
    line: Array = noise(rng, scale, octaves=octaves, shape=(4, SIZE))[1]
    return line


def paper(rng: np.random.Generator, *, rough: float = 1.0) -> Array:
    """Return the grain of a sheet, around 0: tooth, flocks and a few long fibres."""
    tooth = ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)).astype(np.float32), 0.9)
    fibres = ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)).astype(np.float32), (0.7, 5))
    grain: Array = 0.55 * tooth + 0.5 * fibres + 0.12 * noise(rng, 40, octaves=3)
    return rough * grain


def lit(colour: Array, height: Array, *, strength: float, gloss: float = 0.0) -> Array:
    """Return the colours with the relief of ``height`` lit from the upper left."""
    slope_y, slope_x = np.gradient(height)
    facing = -(slope_x * 0.6 + slope_y * 0.8) * strength
    shaded = colour * (1 + np.clip(facing, -0.55, 0.6))[..., None]
    shine = np.clip(facing - 0.25, 0, 1) * gloss
    result: Array = np.clip(shaded + shine[..., None], 0, 1)
    return result


class Canvas:
    """A ground that takes brush strokes: colour, and the height of the paint for its relief."""

    def __init__(self, ground: Array, rng: np.random.Generator) -> None:
        """Start from a ground colour per pixel."""
        self.colour: Array = ground.astype(np.float32).copy()
        self.height: Array = np.zeros(ground.shape[:2], np.float32)
        self._rng = rng
        profiles = rng.standard_normal((64, 64)).astype(np.float32)
        self._bristles = ndimage.gaussian_filter(profiles, (0, 1.6)) * 2.2

    def stroke(
        self,
        x: float,
        y: float,
        *,
        angle: float,
        length: float,
        width: float,
        colour: Array,
        bend: float = 0.0,
        streaks: float = 0.07,
        opacity: float = 1.0,
    ) -> None:
        """Pull one stroke, centred at (x, y).

        Args:
            x: column of its middle.
            y: row of its middle.
            angle: direction in radians.
            length: pixels along it.
            width: pixels across it.
            colour: of the paint.
            bend: curvature; 1 is a quarter of a circle.
            streaks: how far single bristles leave the colour.
            opacity: of the middle of the stroke.
        """
        reach = math.hypot(length, width) / 2 + abs(bend) * length / 4 + 1
        height, breadth = self.height.shape
        top, bottom = max(int(y - reach), 0), min(int(y + reach) + 2, height)
        left, right = max(int(x - reach), 0), min(int(x + reach) + 2, breadth)
        if top >= bottom or left >= right:
            return
        dy = np.arange(top, bottom, dtype=np.float32)[:, None] - y
        dx = np.arange(left, right, dtype=np.float32)[None, :] - x
        along = (dx * math.cos(angle) + dy * math.sin(angle)) * (2 / length)
        across = (dy * math.cos(angle) - dx * math.sin(angle)) * (2 / width)
        across = across + bend * (length / width) * (along * along - 0.4) * 0.5
        inside = 1 - across * across - along**4
        alpha = np.clip(inside * width * 0.25 + 0.1, 0, 1)
        profile = self._bristles[self._rng.integers(64)]
        bristle = profile[np.clip((across + 1) * 31.5, 0, 63).astype(np.intp)]
        alpha = alpha * np.clip(1.15 + 0.5 * bristle - 0.45 * (along + 1), 0, 1) * opacity
        box = self.colour[top:bottom, left:right]
        paint = colour + (bristle * streaks)[..., None]
        box += (paint - box) * alpha[..., None]
        ridge = self.height[top:bottom, left:right]
        ridge += (0.5 + 0.35 * bristle + 0.5 * np.abs(across) - ridge) * alpha

    def cover(
        self,
        under: Array,
        *,
        angles: Array,
        length: float,
        width: float,
        density: float = 1.0,
        wander: float = 0.2,
        tint: float = 0.05,
        bend: float = 0.15,
        streaks: float = 0.07,
        where: Array | None = None,
    ) -> None:
        """Cover the ground with strokes in the colours of an underpainting.

        Args:
            under: colours to take.
            angles: direction for every pixel.
            length: mean length of a stroke.
            width: mean width of a stroke.
            density: strokes for each of their own areas.
            wander: radians by which directions vary.
            tint: how far the colour of each stroke varies.
            bend: how far strokes curve.
            streaks: how far bristles vary.
            where: chance of a stroke for every pixel; everywhere if not given.
        """
        rng = self._rng
        rows, columns = self.height.shape
        for _ in range(round(density * rows * columns / (length * width))):
            x, y = rng.uniform(0, columns), rng.uniform(0, rows)
            row, column = int(y), int(x)
            if where is not None and rng.random() > where[row, column]:
                continue
            shade = under[row, column] + rng.normal(0, tint) + rng.normal(0, tint * 0.6, 3)
            self.stroke(
                x,
                y,
                angle=float(angles[row, column]) + rng.normal(0, wander),
                length=length * rng.uniform(0.6, 1.4),
                width=width * rng.uniform(0.7, 1.3),
                colour=shade.astype(np.float32),
                bend=rng.normal(0, bend),
                streaks=streaks,
            )

    def dots(
        self, under: Array, *, radius: float, density: float, tint: float, stray: float
    ) -> None:
        """Cover the ground with round dots; some take a stray hue, as divided colour does."""
        rng = self._rng
        rows, columns = self.height.shape
        for _ in range(round(density * rows * columns / (math.pi * radius * radius))):
            x, y = rng.uniform(0, columns), rng.uniform(0, rows)
            shade = under[int(y), int(x)] + rng.normal(0, tint, 3)
            if rng.random() < stray:
                shade = np.roll(shade, int(rng.integers(1, 3)))
            size = 2 * radius * rng.uniform(0.75, 1.25)
            self.stroke(
                x,
                y,
                angle=rng.uniform(0, math.pi),
                length=size * 1.15,
                width=size,
                colour=shade.astype(np.float32),
                streaks=0.03,
            )


def finish(colour: Array) -> Image.Image:
    """Return the picture of colours in [0, 1]."""
    return Image.fromarray(np.round(np.clip(colour, 0, 1) * 255).astype(np.uint8))
