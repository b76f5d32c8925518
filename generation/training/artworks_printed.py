"""Artworks in flat colour on paper: woodcut, wave print, geometry, gold fans."""

import numpy as np
from PIL import ImageDraw
from scipy import ndimage

from generation.training.artworks_tools import (
    SIZE,
    Array,
    arcs,
    below,
    circles,
    coordinates,
    disc,
    drawn,
    hexes,
    line_noise,
    mix,
    noise,
    paper,
    polygon,
    polygons,
    ramp,
    smoothstep,
)


def woodcut(rng: np.random.Generator) -> Array:
    """Cut a mountain pass under a red sun: lines that swell with the shade."""
    y, x = coordinates()
    x0, y0, radius = 500.0, 205.0, 92.0
    away = np.hypot(x - x0, y - y0)
    bulge = 70 * np.tanh((y - y0) / 50) * np.exp(-((away / 210) ** 2))
    sky = y + bulge + 20 * noise(rng, 320, octaves=2)
    tone = np.clip(0.55 - y / 1000 + 0.08 * noise(rng, 200), 0.08, 0.9) * smoothstep(70, 300, away)
    ink = _carved(sky / 13, tone)
    sun = disc(x0, y0, radius, soft=1.5)
    for index, (base, rise) in enumerate(((400, 170), (480, 150), (590, 130), (700, 110))):
        mask, lines = _mountain_lines(rng, index=index, base=base, rise=rise)
        ink = mix(ink[..., None], lines[..., None], mask)[..., 0]
        sun = sun * (1 - mask)
    ink = np.maximum(ink * (1 - sun), 0)
    ink = _pines(ink, rng)
    wood = noise(rng, 90, octaves=3, shape=(SIZE // 12 + 1, SIZE)).repeat(12, 0)[:SIZE]
    sheet = mix(
        np.broadcast_to(hexes("efe3c8")[0], (SIZE, SIZE, 3)), hexes("d9c39a")[0], 0.15 + 0.12 * wood
    )
    red = smoothstep(
        -2.6, -1.6, ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)), 0.9) * 2.2
    )
    picture = mix(sheet, hexes("c8321f")[0], sun * red * 0.96)
    worn = smoothstep(
        -1.9, -1.2, ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)), 1.0) * 2 + 0.3 * wood
    )
    picture = mix(picture, hexes("1b1a1f")[0], ink * (0.86 + 0.14 * worn))
    result: Array = np.clip(picture + 0.02 * paper(rng)[..., None], 0, 1)
    return result


def _mountain_lines(
    rng: np.random.Generator, *, index: int, base: float, rise: float
) -> tuple[Array, Array]:
    """Return where a mountain is, and the lines that shade it."""
    y, x = coordinates()
    crest = np.abs(line_noise(rng, 260, octaves=2)) + 0.10 * line_noise(rng, 50, octaves=2)
    ridge = base - rise * crest
    depth, smooth = y - ridge[None], ndimage.gaussian_filter1d(ridge, 22)
    facing = np.gradient(smooth)[None] + 0.35 * noise(rng, 110, octaves=2)
    shade = 0.40 + 0.42 * np.tanh(2.2 * facing) + 0.05 * index
    shade = shade - 0.16 * np.exp(-np.clip(depth, 0, None) / 30)
    lean = 0.9 if index % 2 else -0.9
    grain = lean * x + 0.75 * (y - smooth[None]) + 30 * noise(rng, 150, octaves=2)
    lines = _carved(grain / (11 + 1.5 * index), np.clip(shade, 0.1, 0.92))
    return below(ridge, soft=1.2), np.maximum(lines, np.clip(3 - np.abs(depth), 0, 1))


def _carved(phase: Array, tone: Array) -> Array:
    """Return lines at whole numbers of the phase, as wide as the tone is dark."""
    wave = 0.5 + 0.5 * np.cos(phase * 2 * np.pi)
    sharp = np.clip(1.6 / (np.hypot(*np.gradient(phase)) * 2 * np.pi + 0.02) * 0.5, 1.0, 12.0)
    lines: Array = np.clip((wave - (1 - tone)) * sharp * 1.6 + 0.5, 0, 1)
    return lines


def _pines(ink: Array, rng: np.random.Generator) -> Array:
    for x0, high in ((70, 330), (142, 230), (690, 300), (626, 200), (738, 220), (20, 240)):
        tip_y = 775 - high
        branches = [[(x0 - 2.5, 790), (x0 + 2.5, 790), (x0 + 2.5, tip_y), (x0 - 2.5, tip_y)]]
        for up in np.linspace(0.12, 1, 15):
            half, top = high * 0.3 * (1 - up) + 3, 780 - high * up
            for side in (-1, 1):
                tip = (x0 + side * half * rng.uniform(0.8, 1.15), top + half * 0.5)
                branches.append([(x0, top - 12), tip, (x0, top + 9)])
        tree = polygons(branches)
        ink = np.where(ndimage.gaussian_filter(tree, 2.2) > 0.12, tree, ink)
    return ink


def wave(rng: np.random.Generator) -> Array:
    """Print great waves in blue on cream, with a far mountain and a low sun."""
    y, _ = coordinates()
    grain = paper(rng)
    sky = ramp(
        np.clip(y / 470 + 0.05 * noise(rng, 200), 0, 1), hexes("9fb9b8 d9d3b4 efe1c2 f1d9b4")
    )
    picture = mix(sky, hexes("d2452f")[0], disc(556, 120, 70, soft=1.5))
    for cy, cx, wide in (
        (90, 420, 210),
        (128, 640, 200),
        (205, 640, 120),
        (60, 150, 180),
        (180, 60, 120),
    ):
        for step in range(3):
            left = cx - wide / 2 + rng.uniform(-40, 40)
            top, right = cy + step * 15, left + wide * (1 - 0.2 * step)
            bar = _rounded(left, top, right, top + 11)
            picture = mix(picture, hexes("fbf4e2")[0], 0.92 * bar)
    picture = _mountain(picture, rng)
    for index in range(6):
        picture = _swell(picture, rng, index=index)
    result: Array = np.clip(picture + 0.03 * grain[..., None], 0, 1)
    return result


def _rounded(left: float, top: float, right: float, bottom: float) -> Array:
    def draw(pen: ImageDraw.ImageDraw, k: int) -> None:
        pen.rounded_rectangle([left * k, top * k, right * k, bottom * k], radius=5 * k, fill=255)

    return drawn(draw)


def _mountain(picture: Array, rng: np.random.Generator) -> Array:
    y, x = coordinates()
    ridge = 330 - 190 * np.exp(-np.abs(x[0] - 230) / 105) + 4 * line_noise(rng, 30)
    mask = below(ridge)
    snow = smoothstep(-8, 8, ridge.min() + 62 + 26 * np.sin(x / 11) - y)
    blue = ramp(np.clip((y - 150) / 170, 0, 1), hexes("31507f 5a7fa6 b9c8c0"))
    picture = mix(picture, mix(blue, hexes("faf3e2")[0], snow), mask)
    return mix(picture, hexes("1d2f57")[0], np.clip(2.4 - np.abs(y - ridge[None]), 0, 1))


def _swell(picture: Array, rng: np.random.Generator, *, index: int) -> Array:
    """Lay one wave before the others: banded water, a scalloped crest of foam, spray."""
    y, x = coordinates()
    length = 260 + 46 * index
    place = x[0] + rng.uniform(0, length)
    peak = 1 - np.abs(np.sin(np.pi * place / length))
    crest = 285 + 84 * index - (56 + 9 * index) * peak**1.6 - 14 * np.sin(place / 61 + index)
    depth = y - crest[None] + 6 * noise(rng, 60, octaves=2)
    bend = depth + 16 * np.sin(x / (26 + 3 * index) + depth / 30)
    bands = 0.5 + 0.5 * np.cos(bend / (11 + index) * 2 * np.pi / 2)
    water = ramp(np.clip(depth / 150, 0, 1), hexes("3f78b0 24528f 1b3a70"))
    water = mix(water, hexes("f3ead2")[0], smoothstep(0.80, 0.88, bands))
    water = mix(
        water, hexes("8fbcd0")[0], smoothstep(0.55, 0.6, bands) * (1 - smoothstep(0.74, 0.8, bands))
    )
    picture = mix(picture, water, below(crest))
    foam = _foam(rng, crest, peak)
    around = [(x0, y0, radius + 2.0) for x0, y0, radius in foam]
    picture = mix(picture, hexes("17284f")[0], circles(around))
    picture = mix(picture, hexes("fbf5e6")[0], circles(foam))
    curls = [(x0, y0, radius * 0.62) for x0, y0, radius in foam if radius > 6]
    boxes = [(x0 - r, y0 - r, x0 + r, y0 + r) for x0, y0, r in curls]
    return mix(picture, hexes("4f86b5")[0], arcs(boxes, start=140, end=380, width=1.8))


def _foam(rng: np.random.Generator, crest: Array, peak: Array) -> list[tuple[float, float, float]]:
    """Return the bubbles of a crest and the spray that they throw, as (x, y, radius)."""
    columns = np.arange(SIZE)
    foam = []
    at = -20.0
    while at < SIZE + 20:
        radius = rng.uniform(8, 15) + 4 * float(np.interp(at, columns, peak))
        foam.append((at, float(np.interp(at, columns, crest)) + radius * 0.4, radius))
        at += radius * 1.15
    thrown = 0
    while thrown < len(foam) and len(foam) <= 160:
        x0, y0, _ = foam[thrown]
        if rng.random() < 0.4:
            place = x0 + rng.normal(0, 16), y0 - rng.uniform(14, 58)
            foam.append((*place, rng.uniform(1.6, 4.5)))
        thrown += 1
    return foam


def geometry(rng: np.random.Generator) -> Array:
    """Arrange discs, arcs, bars and triangles in a few strong colours on cream."""
    y, x = coordinates()
    picture: Array = np.broadcast_to(hexes("f1e6cf")[0], (SIZE, SIZE, 3))
    red, yellow, blue, teal, pink, black, white = hexes(
        "d8362a f2b01e 1f4e9e 2f8f83 ee8fa8 1c1b20 fbf6ea"
    )
    cells = [(column, row) for row in range(4) for column in range(4)]
    palette = (red, yellow, blue, teal, pink, black, white)
    for column, row in cells:
        left, top = column * 192.0, row * 192.0
        ground, first, second, third = (palette[i] for i in rng.permutation(7)[:4])
        square = polygon(
            [(left, top), (left + 192, top), (left + 192, top + 192), (left, top + 192)]
        )
        picture = mix(picture, ground, square)
        kind, colours = int(rng.integers(6)), (first, second, third)
        picture = _tile(picture, rng, corner=(left, top), colours=colours, kind=kind)
    big = np.hypot(x - 500, y - 300)
    for radius, colour in ((150, black), (138, yellow), (104, red), (66, white), (44, blue)):
        picture = mix(
            picture, colour, np.clip(radius - big + 0.5, 0, 1) * (0.9 if radius > 140 else 1)
        )
    for shift in range(7):
        a, b = 30 + 16 * shift, 735 - 4 * shift
        bar = polygon([(a, b), (a + 5, b + 4), (a + 402, b - 360), (a + 398, b - 364)])
        picture = mix(picture, black, bar)
    picture = mix(picture, red, disc(190, 560, 74, soft=1.2))
    picture = mix(picture, white, disc(190, 560, 30, soft=1.2))
    mottle = 0.035 * noise(rng, 26, octaves=4) + 0.05 * paper(rng)
    result: Array = np.clip(picture + mottle[..., None], 0, 1)
    return result


def _tile(
    picture: Array,
    rng: np.random.Generator,
    *,
    corner: tuple[float, float],
    colours: tuple[Array, Array, Array],
    kind: int,
) -> Array:
    """Fill one square of 192 px: quarter circles, rings, stripes, arcs or dots."""
    left, top = corner
    y, x = coordinates()
    square = polygon([(left, top), (left + 192, top), (left + 192, top + 192), (left, top + 192)])
    quarter = int(rng.integers(4))
    cx, cy = left + 192 * (quarter % 2), top + 192 * (quarter // 2)
    from_corner, from_middle = np.hypot(x - cx, y - cy), np.hypot(x - left - 96, y - top - 96)
    if kind < 2:
        for radius, colour in zip((192, 140, 86), colours, strict=True):
            picture = mix(picture, colour, square * np.clip(radius - from_corner + 0.5, 0, 1))
    elif kind == 2:
        for radius, colour in zip((86, 58, 28), colours, strict=True):
            picture = mix(picture, colour, square * np.clip(radius - from_middle + 0.5, 0, 1))
    elif kind == 3:
        stripes = np.clip((np.cos((x - left) * np.pi / 16) + 0.05) * 8, 0, 1)
        half = smoothstep(
            -1, 1, (x - left) - (y - top) if quarter % 2 else 192 - (x - left) - (y - top)
        )
        picture = mix(mix(picture, colours[0], square * half), colours[1], square * half * stripes)
    elif kind == 4:
        arcs = np.clip((np.cos(from_corner * np.pi / 19) + 0.05) * 8, 0, 1)
        picture = mix(picture, colours[0], square * arcs * np.clip(192 - from_corner, 0, 1))
    else:
        dots = np.hypot((x - left) % 32 - 16, (y - top) % 32 - 16)
        picture = mix(picture, colours[1], square * np.clip(9.5 - dots + 0.5, 0, 1))
    return picture


LACQUER = hexes("0f4f46 101418 143a5a f0e4c4 7a1f2b")
GOLD = hexes("5f3d12 a8741f d9a83f f3d987 fff6cf")
FAN = 96.0


def fans(rng: np.random.Generator) -> Array:
    """Lay golden fans over black and emerald lacquer."""
    y, x = coordinates()
    picture = ramp(np.clip(y / SIZE + 0.2 * noise(rng, 200), 0, 1), hexes("0d1714 12302b 0d1a20"))
    height: Array = np.zeros((SIZE, SIZE), np.float32)
    for row in range(-1, 18):
        y0, shift = row * FAN / 2 + 48, (row % 2) * FAN
        column = np.floor((x - shift + FAN) / (2 * FAN))
        x0 = column * 2 * FAN + shift
        distance, turn = np.hypot(x - x0, y - y0), np.arctan2(y0 - y, x - x0)
        kind = (column.astype(np.intp) * 2 + row * 3) % 5
        gold = _gilding(distance, turn, plain=kind == 3)
        lacquer = LACQUER[kind] * (0.75 + 0.35 * (distance / FAN))[..., None]
        scales = np.clip((np.cos(turn * 11) * np.cos(distance / 5.5) - 0.2) * 4, 0, 1)
        scales = scales * (kind == 3) * ((distance > 32) & (distance < 76))
        lacquer = mix(lacquer, hexes("b98a3a")[0], scales)
        shine = 0.5 + 0.5 * np.sin(turn * 3 + distance / 34 + row)
        metal = ramp(np.clip(shine + 0.16 * noise(rng, 12, octaves=2), 0, 1), GOLD)
        inside = np.clip(FAN - distance + 0.5, 0, 1) * (y <= y0 + 1)
        picture = mix(picture, mix(lacquer, metal, gold), inside)
        height = np.where(inside > 0.5, gold, height)
    slope_y, slope_x = np.gradient(ndimage.gaussian_filter(height, 0.9))
    brushed = ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)), (0.5, 3))
    light = 1 - 0.9 * (slope_x * 0.6 + slope_y * 0.8) + 0.09 * brushed
    result: Array = np.clip(picture * light[..., None] + 0.012 * paper(rng)[..., None], 0, 1)
    return result


def _gilding(distance: Array, turn: Array, *, plain: Array) -> Array:
    """Return where a fan is gold: rays, rings, beads and the knob."""
    rays = np.clip((np.cos(turn * 22) - 0.35) * 6, 0, 1) * ((distance > 30) & (distance < 78))
    gold: Array = np.where(plain, 0.0, rays)
    for ring, half in ((93, 2.6), (84, 1.2), (78, 1.0), (30, 1.6), (22, 1.0)):
        gold = np.maximum(gold, np.clip(half - np.abs(distance - ring) + 0.5, 0, 1))
    beads = np.hypot((turn * 88.5) % 11.6 - 5.8, distance - 88.5)
    gold = np.maximum(gold, np.clip(2.6 - beads, 0, 1))
    return np.maximum(gold, np.clip(13 - distance + 0.5, 0, 1))
