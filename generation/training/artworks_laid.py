"""Artworks laid from pieces: stained glass and mosaic."""

import math

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from generation.training.artworks_tools import (
    SIZE,
    Array,
    coordinates,
    hexes,
    lit,
    mix,
    noise,
    ramp,
    smoothstep,
)

STONES = hexes("1f3f6f 2f8f8a f3e6c8 e3a93a b5432f 7fc0b8 1d2430 e0907a")
RINGS = (
    (52, 8, 1),
    (104, 12, 2),
    (160, 20, 3),
    (216, 24, 4),
    (272, 36, 5),
    (326, 36, 6),
    (372, 60, 7),
)
GLASS = hexes(
    "ffe27a f7a823 1f56b8 e8f2f5 c21f3a 1a3f9a 2fa0c8 f5c63a e0501f 5fb8e8 f3c9a0 "
    "2f8f5a 6f2f9a 1f7f8f d8345a 1d2f7f 2f7f4a 8f1f4a 4f2f8a 1f6f8f c8701f"
)


def glass(rng: np.random.Generator) -> Array:
    """Lead a rose window: rings of coloured glass with the light behind it."""
    points, kinds = _panes(rng)
    cell, edge = _cells(points)
    y, x = coordinates()
    radial = np.hypot(x - 384, y - 384)
    edge = np.minimum(edge, np.abs(radial - 398))
    colour = _lit_glass(rng, points, kinds, cell=cell, edge=edge)
    bubbles = (
        ndimage.gaussian_filter((rng.random((SIZE, SIZE)) < 0.0009).astype(np.float32), 1.3) * 8
    )
    colour = mix(colour, (1.0, 1.0, 1.0), np.clip(bubbles, 0, 0.5))
    width = np.where(np.abs(radial - 398) < 14, 6.0, 4.2)
    lead = smoothstep(1, -1, edge + 0.6 * noise(rng, 10, octaves=2) - width)
    round_ = np.clip(1 - (edge / width) ** 2, 0, 1)
    metal = ramp(
        np.clip(0.3 + 0.5 * round_ * (0.5 + 0.5 * noise(rng, 8, octaves=2)), 0, 1),
        hexes("08080b 17181d 3c3e46"),
    )
    return mix(colour, metal, lead)


def _panes(rng: np.random.Generator) -> tuple[Array, Array]:
    """Return the middle of every pane, and the number of its colour."""
    seeds, kinds = [(384.0, 384.0)], [0]
    for radius, count, kind in RINGS:
        for index in range(count):
            turn = 2 * math.pi * (index + 0.5 * (kind % 2)) / count
            swing = radius * (1 + 0.07 * (index % 2) * (kind in (3, 5)))
            seeds.append((384 + swing * math.cos(turn), 384 + swing * math.sin(turn)))
            kinds.append(kind if index % 2 or kind in (1, 7) else kind + 7)
    for _ in range(4000):
        x, y = rng.uniform(-20, SIZE + 20, 2)
        outside = math.hypot(x - 384, y - 384) > 414
        if outside and min(math.hypot(x - a, y - b) for a, b in seeds) > 40:
            seeds.append((x, y))
            kinds.append(int(rng.integers(15, 21)))
    return np.array(seeds), np.array(kinds)


def _cells(points: Array) -> tuple[Array, Array]:
    """Return the nearest point of every pixel, and how far it is to the border of its cell."""
    y, x = coordinates()
    distance, nearest = cKDTree(points).query(np.stack([x.ravel(), y.ravel()], 1), k=2)
    places = points.astype(np.float32)
    between = np.linalg.norm(places[nearest[:, 0]] - places[nearest[:, 1]], axis=1)
    edge = (distance[:, 1] ** 2 - distance[:, 0] ** 2) / (2 * between)
    return nearest[:, 0].reshape(SIZE, SIZE), edge.reshape(SIZE, SIZE).astype(np.float32)


def _lit_glass(
    rng: np.random.Generator, points: Array, kinds: Array, *, cell: Array, edge: Array
) -> Array:
    """Return the glass without its lead: streaks, a tilt to every pane, a sun behind."""
    y, x = coordinates()
    radial, points = np.hypot(x - 384, y - 384), points.astype(np.float32)
    colour = GLASS[kinds[cell]]
    tilt = rng.normal(0, 1, (len(points), 3)).astype(np.float32)[cell]
    bright = (
        1
        + 0.1 * tilt[..., 0]
        + 0.004 * ((x - points[cell, 0]) * tilt[..., 1] + (y - points[cell, 1]) * tilt[..., 2])
    )
    streaks = (
        noise(rng, 60, octaves=4) * 0.12
        + 0.10 * np.sin(x / 23 + 5 * noise(rng, 120, octaves=3)) * tilt[..., 0]
    )
    glow = 1.15 - 0.42 * radial / 540 + 0.18 * np.exp(-((np.hypot(x - 300, y - 250) / 240) ** 2))
    pane = np.clip(1.05 - 0.45 * np.exp(-np.clip(edge - 3, 0, None) / 5), 0, 1.1)
    light = np.clip((bright + streaks) * glow * pane, 0, 1.7)
    colour = np.clip(colour * light[..., None], 0, 1) ** 1.08
    return mix(colour, (1.0, 1.0, 0.94), 0.35 * np.clip(light - 1.05, 0, 1))


def mosaic(rng: np.random.Generator) -> Array:
    """Lay a floor of small stones around a star, with waves at the rim."""
    y, x = coordinates()
    dx, dy = x - 384, y - 384
    turn, radial = np.arctan2(dy, dx), np.hypot(dx, dy)
    wavy = radial * (
        1 + 0.10 * np.cos(8 * turn) * np.exp(-(((radial - 190) / 150) ** 2))
    ) + 2 * noise(rng, 60)
    pitch = 12.5
    ring = np.floor(wavy / pitch).astype(np.intp)
    count = np.maximum(np.round(2 * np.pi * (ring + 0.5)), 5)
    offset = rng.uniform(0, 1, 80)[np.clip(ring, 0, 79)]
    along = (turn / (2 * np.pi) + 0.5) * count + offset + 0.12 * noise(rng, 26, octaves=2)
    index = np.floor(along).astype(np.intp)
    across_f = wavy / pitch - ring - 0.5
    along_f = along - index - 0.5
    key = (ring * 7919 + (index % count.astype(np.intp)) * 104729) % 65536
    chance = rng.random((65536, 4)).astype(np.float32)[key]
    stones = _pattern(ring, turn, chance)
    stones = stones * (0.86 + 0.3 * chance[..., 1:2]) + 0.03 * (chance[..., :3] - 0.5)
    gap = 0.5 - np.maximum(
        np.abs(across_f) + 0.05 * chance[..., 2], np.abs(along_f) + 0.07 * chance[..., 3]
    )
    stone = smoothstep(0.055, 0.13, gap + 0.02 * noise(rng, 7, octaves=2))
    tilt = 1 + 0.3 * (chance[..., 2] - 0.5) * across_f + 0.34 * (chance[..., 3] - 0.5) * along_f
    speckle = 1 + 0.05 * ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)), 0.8).astype(
        np.float32
    )
    grout = ramp(np.clip(0.5 + 0.4 * noise(rng, 40), 0, 1), hexes("8d8272 b3a793 cabfa9"))
    colour = mix(grout * 0.8, stones * (tilt * speckle)[..., None], stone)
    return lit(colour, ndimage.gaussian_filter(stone, 1.1), strength=1.1, gloss=0.25)


def _pattern(ring: Array, turn: Array, chance: Array) -> Array:
    navy, teal, cream, gold, brick, sea, _, rose = STONES
    letters = dict(zip("ntcgbsdr", STONES, strict=True))
    table = np.stack([letters[letter] for letter in "ggbcdttscnngbbrcdtsccgnndbrcttscgdnnbgctnndd"])
    stones = table[np.clip(ring, 0, len(table) - 1)]
    petal, swell = 15 + 7.5 * np.cos(8 * turn), 26.5 + 2.6 * np.sin(16 * turn)
    inner = np.stack([gold, brick, rose])[ring % 3]
    heart = np.stack([navy, sea])[ring % 2]
    rim = np.where(chance[..., :1] < 0.5, teal, navy)
    stones = np.where(((ring < petal) & (ring > 4))[..., None], inner, stones)
    stones = np.where(((ring < petal - 6) & (ring > 4))[..., None], heart, stones)
    stones = np.where(((ring > swell) & (ring < 30))[..., None], rim, stones)
    stray = chance[..., :1] < 0.06
    laid: Array = np.where(stray, cream * 0.9, stones)
    return laid
