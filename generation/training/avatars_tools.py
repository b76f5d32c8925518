"""What avatars are painted with: a pen whose shapes are smooth, shaded, and kept to one another.

Places are in units of the picture's side, y downwards; colours are RGB in [0, 1].
"""

import colorsys
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

from PIL import Image, ImageChops, ImageDraw

Colour: TypeAlias = tuple[float, float, float]
Point: TypeAlias = tuple[float, float]
Points: TypeAlias = Sequence[Point]
Mask: TypeAlias = tuple[int, int, Image.Image]
"""The left and the top of a mask on the paper, and the mask: no larger than what it shows."""

SCALE = 3
"""Drawn so many times larger, so that edges come out smooth."""
ROUND = 48
"""Corners of a polygon that is taken for an ellipse."""
SHADE = 0.06
"""How much lighter a shape is at its top, and darker at its foot."""


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """Return a colour by its hue (in turns), saturation and value."""
    return colorsys.hsv_to_rgb(hue % 1.0, min(saturation, 1.0), min(value, 1.0))


def hexed(text: str) -> Colour:
    """Return the colour of a hexadecimal word."""
    red, green, blue = bytes.fromhex(text)
    return red / 255, green / 255, blue / 255


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """Return a colour on the way from one to another."""
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return red, green, blue


def lighter(colour: Colour, share: float) -> Colour:
    """Return a colour on its way to white, or to a warm black if the share is negative."""
    goal = (1.0, 1.0, 1.0) if share > 0 else (0.12, 0.06, 0.1)
    return mixed(colour, goal, abs(share))


def oval(x: float, y: float, wide: float, high: float, *, turn: float = 0.0) -> list[Point]:
    """Return the outline of an ellipse by its half axes, turned by so many degrees."""
    return [
        turned((wide * math.cos(a), high * math.sin(a)), about=(x, y), degrees=turn)
        for a in (2 * math.pi * step / ROUND for step in range(ROUND))
    ]


def squircle(
    x: float, y: float, wide: float, high: float, *, power: float = 2.6, jaw: float = 0.0
) -> list[Point]:
    """Return the outline of a rounded head by its half axes.

    The more ``power`` is above 2, the squarer it is; ``jaw`` is how much its chin is narrower.
    """
    points = []
    for step in range(ROUND):
        angle = 2 * math.pi * step / ROUND
        across, down = (
            math.copysign(abs(value) ** (2 / power), value)
            for value in (math.cos(angle), math.sin(angle))
        )
        points.append((x + wide * across * (1 - jaw * max(0.0, down)), y + high * down))
    return points


def turned(point: Point, *, about: Point, degrees: float) -> Point:
    """Return a place, given relative to another, turned around that."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    (x, y), (left, top) = point, about
    return left + x * cos - y * sin, top + x * sin + y * cos


def smooth(points: Points, *, closed: bool = True, steps: int = 8) -> list[Point]:
    """Return a curve through points (Catmull & Rom, 1974)."""
    count = len(points)
    ring = [points[i % count] if closed else points[min(max(i, 0), count - 1)]
            for i in range(-1, count + 2)]  # fmt: skip
    curve = []
    for i in range(count if closed else count - 1):
        for step in range(steps):
            curve.append(_between(ring[i : i + 4], step / steps))
    return curve if closed else [*curve, points[-1]]


def _between(four: Points, t: float) -> Point:
    p, q, r, s = four
    weights = (-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2)
    x, y = (
        sum(weight * each[axis] for weight, each in zip(weights, (p, q, r, s), strict=True)) / 2
        for axis in (0, 1)
    )
    return x, y


class Pen:
    """Paints shapes over one another on a square picture."""

    def __init__(self, side: int, *, ground: Colour) -> None:
        self._side = side
        self._big = side * SCALE
        self._paper = Image.new("RGB", (self._big, self._big), _bytes(ground))
        self._within: Image.Image | None = None

    def picture(self) -> Image.Image:
        """Return what has been painted."""
        return self._paper.resize((self._side, self._side), Image.Resampling.BOX)

    @contextmanager
    def within(self, points: Points) -> Iterator[None]:
        """Keep what is painted meanwhile to a shape."""
        before, (left, top, small) = self._within, self._polygon(points)
        mask = Image.new("L", self._paper.size)
        mask.paste(small, (left, top))
        self._within = mask if before is None else ImageChops.multiply(before, mask)
        try:
            yield
        finally:
            self._within = before

    def shape(self, points: Points, colour: Colour, *, shade: float = SHADE) -> None:
        """Fill an outline, lighter at its top than at its foot."""
        self._cover(self._polygon(points), colour, shade=shade)

    def oval(
        self,
        x: float,
        y: float,
        wide: float,
        high: float,
        colour: Colour,
        *,
        turn: float = 0.0,
        shade: float = SHADE,
    ) -> None:
        """Fill an ellipse given by its half axes."""
        self.shape(oval(x, y, wide, high, turn=turn), colour, shade=shade)

    def line(self, points: Points, colour: Colour, *, width: float) -> None:
        """Draw a curve through points, round at its ends."""
        broad = width * self._big
        places = self._places(smooth(points, closed=False))
        left, top, mask = self._around(places, beyond=broad)
        draw = ImageDraw.Draw(mask)
        path = [(x - left, y - top) for x, y in places]
        draw.line(path, fill=255, width=max(1, round(broad)), joint="curve")
        for x, y in path:
            draw.ellipse((x - broad / 2, y - broad / 2, x + broad / 2, y + broad / 2), fill=255)
        self._cover((left, top, mask), colour, shade=0.0)

    def _polygon(self, points: Points) -> Mask:
        places = self._places(points)
        left, top, mask = self._around(places, beyond=0)
        ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in places], fill=255)
        return left, top, mask

    def _around(self, places: Points, *, beyond: float) -> Mask:
        """Return an empty mask that is just large enough for places, and some way around them."""
        reach = math.ceil(beyond) + 1
        low, high = (
            [pick(place[axis] for place in places) for axis in (0, 1)] for pick in (min, max)
        )
        left, top = (min(self._big - 1, max(0, math.floor(each) - reach)) for each in low)
        right, foot = (max(1, min(self._big, math.ceil(each) + reach + 1)) for each in high)
        return left, top, Image.new("L", (max(1, right - left), max(1, foot - top)))

    def _places(self, points: Points) -> list[Point]:
        return [(x * self._big, y * self._big) for x, y in points]

    def _cover(self, where: Mask, colour: Colour, *, shade: float) -> None:
        left, top, mask = where
        if self._within is not None:
            seen = (left, top, left + mask.width, top + mask.height)
            mask = ImageChops.multiply(mask, self._within.crop(seen))
        box = mask.getbbox()
        if box is None:
            return
        place = (left + box[0], top + box[1], left + box[2], top + box[3])
        if not shade:
            self._paper.paste(_bytes(colour), place, mask.crop(box))
            return
        # Rows are of one colour each, so that one column says it all.
        size = (box[2] - box[0], box[3] - box[1])
        light, dark = (Image.new("RGB", (1, size[1]), _bytes(lighter(colour, by)))
                       for by in (shade, -shade))  # fmt: skip
        column = Image.composite(dark, light, Image.linear_gradient("L").resize((1, size[1])))
        self._paper.paste(column.resize(size, Image.Resampling.NEAREST), place, mask.crop(box))


def _bytes(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (round(255 * min(max(value, 0.0), 1.0)) for value in colour)
    return red, green, blue
