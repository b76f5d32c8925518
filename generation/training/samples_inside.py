"""The samples of inside: a living room, somebody's portrait, and a character in pencil."""

import numpy as np
from scipy import ndimage

from generation.edges import edges
from generation.training.artworks_tools import Array, hexes, mix
from generation.training.avatars import painted
from generation.training.avatars_traits import traits_of
from generation.training.rooms import paint_room
from generation.training.samples_tools import HEIGHT, SHAPE, WIDTH, fbm

PERSON, CHARACTER = 7, 6
"""The seeds of who is shown."""


def room(rng: np.random.Generator) -> Array:
    """Return a living room in daylight."""
    return _cut(paint_room(rng, size=WIDTH, kind="living room").rgb, top=150)


def portrait(rng: np.random.Generator) -> Array:
    """Return somebody's portrait."""
    del rng
    return _cut(_person(PERSON), top=150)


def sketch(rng: np.random.Generator) -> Array:
    """Return a character drawn in pencil on paper."""
    figure = _cut(_person(CHARACTER), top=80)
    lines = edges(np.round(figure * 255).astype(np.uint8)).astype(np.float64)
    pressed = 0.72 + 0.28 * np.clip(fbm(rng, 60), -1, 1)
    pencil = ndimage.gaussian_filter(ndimage.grey_dilation(lines, size=(3, 3)), 0.9) * pressed
    tone = 0.3 * ndimage.gaussian_filter(1 - figure.mean(axis=2), 3)
    hatched = tone * (0.5 + 0.5 * np.sin(np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)) / 2.6))
    paper = mix(hexes("f4efe2")[0] * np.ones((*SHAPE, 3)), hexes("e6decb")[0], 0.3 * fbm(rng, 9))
    return mix(paper, hexes("3a3a40")[0], np.clip(pencil + hatched, 0, 1))


def _person(seed: int) -> Array:
    return np.asarray(painted(traits_of(seed), side=WIDTH), np.float64) / 255


def _cut(square: Array, *, top: int) -> Array:
    """Return as many lines of a square as a sample has."""
    return square[top : top + HEIGHT]
