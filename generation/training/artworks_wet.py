"""Artworks in water: watercolour with a pen, ink in mist."""

import math

import numpy as np
from scipy import ndimage

from generation.training.artworks_tools import (
    SIZE,
    Array,
    arcs,
    below,
    coordinates,
    hexes,
    line_noise,
    mix,
    noise,
    outlines,
    paper,
    polygon,
    polygons,
    ramp,
    smoothstep,
)

Polygon = list[tuple[float, float]]


class Sheet:
    """A sheet of paper that takes washes of transparent colour and lines of a pen."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Lay out the paper."""
        self._rng = rng
        self.grain = paper(rng, rough=1.3)
        self.colour: Array = np.broadcast_to(hexes("fdfaf2")[0], (SIZE, SIZE, 3)).copy()
        wobble_x, wobble_y = 5 * noise(rng, 45), 5 * noise(rng, 45)
        y, x = coordinates()
        self._places = np.stack([y + wobble_y, x + wobble_x])
        self.pen: Array = np.zeros((SIZE, SIZE), np.float32)

    def warped(self, mask: Array) -> Array:
        """Return a mask as a hand would draw it."""
        drawn_: Array = ndimage.map_coordinates(mask, self._places, order=1, mode="nearest")
        return drawn_

    def glaze(self, mask: Array, colours: str, *, depth: float = 1.0) -> None:
        """Lay a wash: it darkens what is below, pools at its edge, settles in the paper."""
        tint = ramp(np.clip(0.5 + 0.6 * noise(self._rng, 90), 0, 1), hexes(colours))
        mask, flow = self.warped(mask), noise(self._rng, 60)
        inside, wide = ndimage.gaussian_filter(mask, 1.0), ndimage.gaussian_filter(mask, 5)
        edge = np.clip(inside - wide, 0, 1) * inside
        strength = inside * np.clip(0.72 + 0.3 * flow + 0.09 * self.grain, 0.15, 1.4) + 0.9 * edge
        density = -np.log(np.clip(tint, 0.03, 0.995))
        self.colour = self.colour * np.exp(-density * (strength * depth)[..., None])

    def lift(self, mask: Array) -> None:
        """Take colour away, down to the paper."""
        self.colour = self.colour + (1 - self.colour) * mask[..., None]

    def outline(self, shapes: list[Polygon], *, width: float) -> None:
        """Draw around shapes with the pen."""
        self.pen = np.maximum(self.pen, outlines(shapes, width=width))


def watercolour(rng: np.random.Generator) -> Array:
    """Wash a harbour town in transparent colour and draw it with a pen."""
    y, x = coordinates()
    sheet = Sheet(rng)
    sky = smoothstep(-0.5, 0.35, noise(rng, 190) + (300 - y) / 520)
    sheet.glaze(sky * (y < 430), "6fa8d8 3f7fc4 8f9fd8", depth=0.8)
    dusk = smoothstep(0.1, 0.6, noise(rng, 160) + (y - 200) / 700)
    sheet.glaze(dusk * (y < 400), "ffd9a0 f7b5a0", depth=0.5)
    for base, rise, scale, limit, colours in (
        (330, 60, 200, 440, "8fa8c8 7f8fc0 a0b8a8"),
        (385, 40, 110, 450, "5f8f7a 8fa860 4f7f8f"),
    ):
        hills = below(base - rise * np.abs(line_noise(rng, scale)))
        sheet.glaze(hills * (y < limit), colours, depth=0.8)
    at = -10.0
    while at < SIZE - 20:
        wide, high = rng.uniform(54, 96), rng.uniform(90, 190)
        _front(sheet, rng, at=at, wide=wide, high=high)
        at += wide + 2
    sheet.glaze(_box(0, 500, SIZE, 524), "8a7a6f b09a80 6f6a7a", depth=1.2)
    ripples = smoothstep(-0.2, 0.25, np.sin(y / 6 + 4 * noise(rng, 70)) * (y - 470) / 300 + 0.25)
    sheet.glaze((y > 524) * 1.0, "7fc0c8 4f9fc0 6fb0d0", depth=0.7)
    sheet.glaze((y > 526) * ripples, "2f6f9a 3f8fa0 4f5f9a", depth=0.75)
    _boat(sheet, x0=170, y0=590, size=150, colour="c8402f e0703a")
    _boat(sheet, x0=470, y0=640, size=210, colour="2f5f9f 3f7fb0")
    _boat(sheet, x0=655, y0=575, size=110, colour="e0a02f d0803f")
    nib = np.clip(0.75 + 0.35 * noise(rng, 14), 0.2, 1)
    colour = mix(sheet.colour, hexes("2a2638")[0], 0.85 * sheet.warped(sheet.pen) * nib)
    for _ in range(70):
        x1, y1, r = rng.uniform(0, SIZE), rng.uniform(0, SIZE), rng.gamma(1.4, 1.1)
        drop = np.clip(r - np.hypot(x - x1, y - y1) + 0.5, 0, 1)
        tint = hexes("4f8fc0 d0603f 8f6fa0")[rng.integers(3)]
        colour = colour * (1 - 0.4 * drop[..., None] * (1 - tint))
    result: Array = np.clip(colour + 0.022 * sheet.grain[..., None], 0, 1)
    return result


def _box(left: float, top: float, right: float, bottom: float) -> Array:
    return polygon([(left, top), (right, top), (right, bottom), (left, bottom)])


WALLS = (
    "f2c879 e8a85a",
    "e88f7a d86a5a",
    "f5e3c0 ead0a0",
    "9fc4c0 7fa8b8",
    "f0b0a8 d890a0",
    "c8b0d0 a890c0",
)
ROOFS = ("c0583a a8442f", "8a5a5f 6f4a5a", "d07a4a b0603a")


def _front(sheet: Sheet, rng: np.random.Generator, *, at: float, wide: float, high: float) -> None:
    """Paint the front of one house."""
    top, right = 500 - high, at + wide
    wall = [(at, top), (right, top), (right, 502), (at, 502)]
    peak = top - rng.uniform(24, 46)
    roof = [(at - 5, top), (at + wide * 0.3, peak), (at + wide * 0.7, peak), (right + 5, top)]
    shade = [(right - wide * 0.34, top), (right, top), (right, 502), (right - wide * 0.3, 502)]
    sheet.lift(0.75 * np.maximum(polygon(wall), polygon(roof)))
    sheet.glaze(polygon(wall), WALLS[rng.integers(len(WALLS))])
    sheet.glaze(polygon(shade), "8f8fb8 a8a0c0", depth=0.5)
    sheet.glaze(polygon(roof), ROOFS[rng.integers(3)], depth=1.2)
    panes, columns = [], max(2, int(wide // 26))
    for row in range(int(high // 42)):
        for column in range(columns):
            x0, y0 = at + wide * (column + 0.5) / columns - 6, top + 14 + 42 * row
            panes.append([(x0, y0), (x0 + 12, y0), (x0 + 12, y0 + 20), (x0, y0 + 20)])
    sheet.glaze(polygons(panes), "3f5f8f 2f4a6a 5f7f9a", depth=1.3)
    sheet.outline([wall, roof, *panes], width=1.5)


def _boat(sheet: Sheet, *, x0: float, y0: float, size: float, colour: str) -> None:
    """Paint one sailing boat and its mirror image."""
    foot = y0 + size * 0.2
    hull = [(x0 - size / 2, y0), (x0 + size / 2, y0 - 6), (x0 + size * 0.36, foot)]
    hull = [*hull, (x0 - size * 0.38, foot)]
    sail = [(x0, y0 - size * 0.95), (x0 + 3, y0 - 8), (x0 + size * 0.4, y0 - 10)]
    jib = [(x0 - 3, y0 - size * 0.85), (x0 - 3, y0 - 8), (x0 - size * 0.38, y0 - 8)]
    sheet.lift(0.9 * np.maximum(np.maximum(polygon(hull), polygon(sail)), polygon(jib)))
    sheet.glaze(polygon(hull), colour, depth=1.3)
    sheet.glaze(polygon(sail), "fff2d8 ffe0b0", depth=0.8)
    sheet.glaze(polygon(jib), "f7d0c0 e8b0a0", depth=0.9)
    mirror = [(x, 2 * foot - y) for x, y in hull]
    sheet.glaze(polygon(mirror) * 0.7, colour, depth=0.9)
    sheet.outline([hull, sail, jib], width=1.6)


def ink(rng: np.random.Generator) -> Array:
    """Brush mountains in mist with black ink, bamboo before them, and one red seal."""
    y, x = coordinates()
    sheet = mix(
        np.broadcast_to(hexes("f1ebdc")[0], (SIZE, SIZE, 3)),
        hexes("dccfb2")[0],
        0.25 + 0.2 * noise(rng, 220),
    )
    wet: Array = np.zeros((SIZE, SIZE), np.float32)
    for index, base in enumerate((300, 370, 450, 545, 660)):
        wet = _range(wet, rng, index=index, base=base)
    wet = np.maximum(wet, _bamboo(rng))
    wet = np.maximum(wet, _birds(rng))
    grain = paper(rng, rough=1.2)
    bleed = 0.7 * wet + 0.3 * ndimage.gaussian_filter(wet, 3)
    picture = mix(sheet, hexes("15161b")[0], np.clip(bleed * (0.96 + 0.1 * grain), 0, 0.96))
    sun = np.hypot(x - 560, y - 130)
    picture = mix(
        picture,
        hexes("c8452f")[0],
        0.78 * smoothstep(58, 52, sun + 2 * noise(rng, 12)) * (1 - bleed),
    )
    seal = polygon([(690, 560), (726, 558), (727, 612), (691, 613)])
    seal = seal * (noise(rng, 9, octaves=2) > -0.9)
    signs = (
        polygon([(697, 568), (719, 567), (719, 572), (697, 573)])
        + polygon([(705, 567), (711, 567), (711, 604), (705, 604)])
        + polygon([(697, 586), (719, 585), (719, 590), (697, 591)])
    )
    picture = mix(picture, hexes("b3261e")[0], 0.92 * np.clip(seal - signs, 0, 1))
    result: Array = np.clip(picture + 0.024 * grain[..., None], 0, 1)
    return result


def _range(wet: Array, rng: np.random.Generator, *, index: int, base: float) -> Array:
    """Brush one range of mountains before the others: a dark crest that fades into mist."""
    y, _ = coordinates()
    crest = np.abs(line_noise(rng, 210 - 18 * index)) ** 1.1
    ridge = base - (150 - 16 * index) * crest - 10 * line_noise(rng, 34)
    depth = y - ridge[None] + 5 * noise(rng, 22)
    fade = np.exp(-np.clip(depth, 0, None) / (80 + 22 * index))
    rocks = np.clip(0.5 + 0.9 * noise(rng, 46 - 4 * index, octaves=5), 0, 1.3)
    dry = 3.4 * ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)), (9, 1.4))
    tone = (0.2 + 0.15 * index) * fade * (0.4 + 0.6 * rocks + 0.25 * np.clip(dry, -1, 1) * fade)
    line = np.exp(-((depth / (1.6 + 0.5 * index)) ** 2)) * (0.3 + 0.16 * index)
    line = line * np.clip(0.6 + noise(rng, 30), 0, 1)
    mask = smoothstep(-2, 2 + 2 * index, depth)
    mist = smoothstep(40, 190, depth) * 0.85
    kept = wet * (1 - mask * (0.72 + 0.28 * mist))
    range_: Array = kept + np.clip(np.maximum(tone * mask, line), 0, 0.95)
    return range_


def _bamboo(rng: np.random.Generator) -> Array:
    y, x = coordinates()
    total: Array = np.zeros((SIZE, SIZE), np.float32)
    dry = 4 * ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)), (14, 0.8))
    for x0, lean, wide, tone in (
        (88, 0.06, 15, 0.88),
        (150, 0.1, 10, 0.62),
        (44, 0.02, 9, 0.45),
        (205, 0.16, 6, 0.3),
    ):
        across = (x - x0 - lean * (SIZE - y) - 8 * np.sin(y / 190)) / wide
        joints = np.abs((y + x0 * 7) % 118 - 59) > 57.2
        body = np.clip((1 - np.abs(across)) * wide * 0.5, 0, 1) * (~joints)
        hollow = 0.45 + 0.55 * np.abs(across) ** 1.2
        total = np.maximum(total, body * tone * np.clip(hollow + 0.22 * dry, 0.1, 1))
        for _ in range(30 if wide > 7 else 14):
            y1 = rng.uniform(20, 560)
            x1 = x0 + lean * (SIZE - y1) + rng.normal(0, 46)
            turn, long = rng.uniform(0.15, 1.25), rng.uniform(46, 96)
            side = 1 if rng.random() < 0.72 else -1
            leaf = _leaf(x1, y1, turn=turn, long=long, side=side)
            shade = min(tone * rng.uniform(0.7, 1.15), 0.95) * np.clip(0.92 + 0.12 * dry, 0.3, 1)
            total = np.maximum(total, leaf * shade)
    return total


def _leaf(x0: float, y0: float, *, turn: float, long: float, side: int) -> Array:
    y, x = coordinates()
    c, s = math.cos(turn) * side, math.sin(turn)
    u, v = (x - x0) * c + (y - y0) * s, (y - y0) * c - (x - x0) * s
    half = 8.5 * np.clip(u / long, 0, 1) ** 0.5 * np.clip(1 - u / long, 0, 1) ** 0.8
    leaf: Array = np.clip(half - np.abs(v + u * u / 700), 0, 1) * (u > 0) * (u < long)
    return leaf


def _birds(rng: np.random.Generator) -> Array:
    birds = [
        (420 + 46 * i + rng.normal(0, 9), 235 - 22 * i + rng.normal(0, 12), rng.uniform(8, 15))
        for i in range(6)
    ]
    left = [(x - 2 * r, y - r * 0.6, x, y + r) for x, y, r in birds]
    right = [(x, y - r * 0.6, x + 2 * r, y + r) for x, y, r in birds]
    wings = arcs(left, start=200, end=345, width=2.2), arcs(right, start=195, end=340, width=2.2)
    return 0.8 * np.maximum(*wings)
