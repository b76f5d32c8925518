"""The paper that rooms are painted on: a box seen in one-point perspective, and its light.

Lengths are metres: x to the right from the middle of the room, y upwards from the floor, z away
from the viewer. Whatever stands at one z is upright and level on the paper.
"""

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Plane: TypeAlias = NDArray[np.float32]
Colour: TypeAlias = Sequence[float] | NDArray[np.floating[Any]]
"""Red, green and blue in [0, 1]."""
Place: TypeAlias = tuple[float, float, float]

FINER = 3
"""Drawn so many times larger, so that edges come out smooth."""
BEHIND = 3.3
"""How far before the room's front the viewer stands."""
TOP, SIDE_FACE = 1.1, 0.8
"""How light a thing's top and sides are beside its front."""


def shaded(colour: Colour, factor: float) -> Plane:
    """Return a colour lighter or darker, at most white."""
    paint = np.asarray(colour, dtype=np.float32) * np.float32(factor)
    shade: Plane = np.clip(paint, 0, 1).astype(np.float32)
    return shade


def mixed(first: Colour, second: Colour, share: float) -> Plane:
    """Return a colour between two; ``share`` is the second's."""
    a, b = np.asarray(first, np.float32), np.asarray(second, np.float32)
    colour: Plane = (a + np.float32(share) * (b - a)).astype(np.float32)
    return colour


class RoomPaper:
    """An empty room's paper, painted back to front.

    Args:
        size: side of the picture in pixels.
        width, height, depth: of the room in metres.
        aside: how far to the right of the middle the viewer stands, in metres.
    """

    def __init__(
        self, *, size: int, width: float, height: float, depth: float, aside: float = 0.0
    ) -> None:
        self.size, self.width, self.height, self.depth = size, width, height, depth
        self._aside = aside
        self._side = size * FINER
        self._zoom = 0.86 * (depth + BEHIND) / width
        self._paper = Image.new("RGB", (self._side, self._side))
        self._draw = ImageDraw.Draw(self._paper, "RGBA")
        axis = (np.arange(size, dtype=np.float32) + 0.5) / size
        self.columns, self.rows = np.meshgrid(axis, axis)
        self.light = np.ones((size, size, 3), dtype=np.float32)
        self.shine = np.zeros((size, size, 3), dtype=np.float32)

    @property
    def left(self) -> float:
        """The left wall's x."""
        return -self.width / 2

    @property
    def right(self) -> float:
        """The right wall's x."""
        return self.width / 2

    def at(self, place: Place) -> tuple[float, float]:
        """Return where a place is seen, in units of the picture's side, downwards."""
        x, y, z = place
        near = self._zoom / (z + BEHIND)
        return 0.5 + (x - self._aside) * near, 0.45 - (y - 0.5 * self.height) * near

    def face(self, places: Sequence[Place], colour: Colour, *, alpha: float = 1.0) -> None:
        """Paint a flat face, given by its corners."""
        spots = [(x * self._side, y * self._side) for x, y in map(self.at, places)]
        self._draw.polygon(spots, fill=self._ink(colour, alpha))

    def front(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        z: float,
        colour: Colour,
        *,
        alpha: float = 1.0,
        round_by: float = 0.0,
    ) -> None:
        """Paint an upright rectangle that faces the viewer; ``round_by`` rounds its corners."""
        left, top = self.at((x[0], y[1], z))
        right, low = self.at((x[1], y[0], z))
        box = tuple(each * self._side for each in (left, top, right, low))
        if box[2] <= box[0] or box[3] <= box[1]:
            return
        radius = round_by * self._zoom / (z + BEHIND) * self._side
        self._draw.rounded_rectangle(box, radius, fill=self._ink(colour, alpha))

    def block(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        z: tuple[float, float],
        colour: Colour,
        *,
        round_by: float = 0.0,
    ) -> None:
        """Paint a box: the faces that are seen, its top lighter and its sides darker."""
        (left, right), (low, high), (near, far) = x, y, z
        for edge, seen in ((left, left > self._aside), (right, right < self._aside)):
            if seen:
                side = [(edge, low, near), (edge, high, near), (edge, high, far), (edge, low, far)]
                self.face(side, shaded(colour, SIDE_FACE))
        for edge, seen in ((high, high < 0.5 * self.height), (low, low > 0.5 * self.height)):
            if seen:
                level = [(left, edge, near), (right, edge, near), (right, edge, far)]
                factor = TOP if edge == high else SIDE_FACE
                self.face([*level, (left, edge, far)], shaded(colour, factor))
        self.front(x, y, near, colour, round_by=round_by)

    def disc(
        self, place: Place, *, radius: float, colour: Colour, flat: float = 1.0, alpha: float = 1.0
    ) -> None:
        """Paint an ellipse that faces the viewer; ``flat`` is its height beside its width."""
        x, y = (each * self._side for each in self.at(place))
        r = radius * self._zoom / (place[2] + BEHIND) * self._side
        self._draw.ellipse((x - r, y - r * flat, x + r, y + r * flat), self._ink(colour, alpha))

    def line(self, places: Sequence[Place], colour: Colour, *, width: float) -> None:
        """Paint a line of a width in metres."""
        spots = [(x * self._side, y * self._side) for x, y in map(self.at, places)]
        thick = width * self._zoom / (places[0][2] + BEHIND) * self._side
        self._draw.line(spots, fill=self._ink(colour, 1.0), width=max(1, round(thick)))

    def shadow(
        self, x: tuple[float, float], z: tuple[float, float], *, dark: float = 0.3, y: float = 0.0
    ) -> None:
        """Darken the floor under a thing, softly."""
        for grown in (0.22, 0.16, 0.1, 0.05, 0.0):
            left, right = x[0] - grown, x[1] + grown
            near, far = z[0] - grown, min(z[1] + grown, self.depth)
            corners = [(left, y, near), (right, y, near), (right, y, far), (left, y, far)]
            self.face(corners, (0.05, 0.04, 0.06), alpha=dark / 4)

    def glow(self, place: Place, *, radius: float, colour: Colour, strength: float) -> None:
        """Shed light around a place: things there get brighter, and the air shines a little."""
        x, y = self.at(place)
        r = radius * self._zoom / (place[2] + BEHIND)
        away = ((self.columns - x) ** 2 + (self.rows - y) ** 2) / np.float32(r * r)
        spread = (strength / (1 + 2.5 * away))[..., None] * np.asarray(colour, np.float32)
        self.light += spread.astype(np.float32)
        core = (0.35 * strength * np.exp(-6 * away))[..., None] * np.asarray(colour, np.float32)
        self.shine += core.astype(np.float32)

    def dim(self, colour: Colour) -> None:
        """Set the light that is everywhere."""
        self.light *= np.asarray(colour, dtype=np.float32)

    def shaft(self, places: Sequence[Place], *, colour: Colour, strength: float) -> None:
        """Shed light on a flat place, as a window does on the floor, with soft edges."""
        mask = Image.new("L", (self.size, self.size))
        spots = [(x * self.size, y * self.size) for x, y in map(self.at, places)]
        ImageDraw.Draw(mask).polygon(spots, fill=255)
        soft = mask.reduce(2).resize(mask.size, Image.Resampling.BICUBIC)
        lit = np.asarray(soft, np.float32)[..., None] / 255
        self.light += np.float32(strength) * lit * np.asarray(colour, np.float32)

    def finished(self, *, grain: Plane) -> Plane:
        """Return the picture under its light.

        Shape:
            - grain: ``(size, size)``, what brightness varies by.
            - returns: ``(size, size, 3)``, in [0, 1].
        """
        flat = np.asarray(self._paper.reduce(FINER), dtype=np.float32) / np.float32(255)
        lit = flat * self.light * (1 + grain[..., None]) + self.shine
        # What is brighter than white paper shows less and less of it, as on film.
        knee = np.float32(0.85)
        over = np.maximum(lit - knee, 0)
        rolled = np.minimum(lit, knee) + (1 - knee) * (1 - np.exp(-over / (1 - knee)))
        picture: Plane = np.clip(rolled, 0, 1).astype(np.float32)
        return picture

    def leaf(
        self, place: Place, *, angle: float, length: float, wide: float, colour: Colour
    ) -> None:
        """Paint a leaf from its stem; ``angle`` counts from upright, in radians."""
        x, y, z = place
        points = []
        for along, out in ((0, 0), (0.35, 1), (0.7, 0.8), (1, 0), (0.7, -0.8), (0.35, -1)):
            u, v = along * length, out * wide / 2
            points.append(
                (
                    x + u * math.sin(angle) + v * math.cos(angle),
                    y + u * math.cos(angle) - v * math.sin(angle),
                    z,
                )
            )
        self.face(points, colour)

    @staticmethod
    def _ink(colour: Colour, alpha: float) -> tuple[int, int, int, int]:
        red, green, blue = (round(255 * min(1.0, max(0.0, float(part)))) for part in colour)
        return red, green, blue, round(255 * alpha)
