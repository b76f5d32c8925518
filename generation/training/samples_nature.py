"""Sample pictures of nature: a mountain lake, a path through a wood."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from generation.training.artworks_tools import (
    Array,
    Canvas,
    coordinates,
    hexes,
    mix,
    noise,
    ramp,
    smoothstep,
)
from generation.training.samples_tools import (
    HEIGHT,
    SHAPE,
    WIDTH,
    fbm,
    leaves,
    line,
    painted,
    pine,
    shape_of,
    sky,
    under,
)

RANGES = (
    (355.0, 235.0, 300.0, "5f7ba6 8aa5c8 c0d2e4", 120.0),
    (392.0, 250.0, 240.0, "46607f 6f88a2 a9b8c0", 100.0),
    (424.0, 130.0, 210.0, "2f4f4a 4f7558 8aa06a", 0.0),
)


def lake(rng: np.random.Generator) -> Array:
    """Paint a mountain lake at noon, with snow above and flowers before."""
    y, x = coordinates(HEIGHT, WIDTH)
    shore = 418.0
    scene = sky(rng, horizon=400, tones="2f78c8 5fa2e0 a9d2f0 e2f0f6", cover=0.30)
    for base, rise, scale, tones, snow in RANGES:
        rock, ridge = _rocks(rng, base=base, rise=rise, scale=scale, tones=tones, snow=snow)
        scene = mix(scene, rock, under(ridge, soft=1.5))
    canvas = Canvas(scene, rng)
    pines = hexes("12302a 1d4634 2f6440 4f8a4a")
    for x0 in np.sort(rng.uniform(-10, WIDTH + 10, 190)):
        pine(
            canvas,
            rng,
            x=x0,
            foot=shore + 6 + rng.uniform(-8, 3),
            high=rng.uniform(24, 62),
            tones=pines,
        )
    water = _mirror(canvas.colour, rng, shore=shore)
    canvas.colour = mix(canvas.colour, water, np.clip(y - shore, 0, 1))
    bank = (
        640
        + 36 * np.sin(x[0] / 170 + 0.6)
        + 60 * np.clip((x[0] - 720) / 300, 0, 1) * -1
        + 8 * line(rng, 50)
    )
    grass = ramp(
        np.clip((y - bank[None]) / 120 + 0.3 * fbm(rng, 60), 0, 1),
        hexes("a9c85a 6fa03c 3f7434 24512f"),
    )
    canvas.colour = mix(canvas.colour, grass, under(bank, soft=3))
    angles = np.full(SHAPE, -math.pi / 2, np.float32) + 0.5 * fbm(rng, 70, octaves=2)
    canvas.cover(
        grass, angles=angles, length=24, width=3.4, density=3.0, tint=0.05, where=under(bank + 8)
    )
    _flowers(canvas, rng, bank)
    for x0, foot, high in ((915, 650, 430), (985, 690, 330), (842, 668, 210), (40, 690, 250)):
        pine(canvas, rng, x=x0, foot=foot, high=high, tones=pines)
    return painted(canvas)


def _rocks(
    rng: np.random.Generator, *, base: float, rise: float, scale: float, tones: str, snow: float
) -> tuple[Array, Array]:
    """Return the colours of a range of mountains and its ridge."""
    y, _ = coordinates(HEIGHT, WIDTH)
    ridge = base - rise * np.abs(line(rng, scale)) ** 1.05 - 14 * line(rng, 46)
    folds = fbm(rng, 120, octaves=6)
    slope = ndimage.gaussian_filter(np.roll(folds, (4, -8), (0, 1)) - folds, 0.8) * 3.2
    facing = np.clip(
        0.5 + slope - 0.7 * np.gradient(ndimage.gaussian_filter1d(ridge, 7))[None], 0, 1
    )
    rock = ramp(facing, hexes(tones))
    white = smoothstep(
        -16, 22, snow + 60 * folds - (y - ridge[None]) * 0.9 - (y - ridge.min()) * 0.25
    )
    rock = mix(rock, ramp(facing, hexes("9db4d8 dfe9f5 ffffff")), white * (snow > 0))
    haze = np.clip((y - 250) / 260, 0, 0.55) * (snow > 0)
    return mix(rock, hexes("bcd3e4")[0], haze), ridge


def _mirror(scene: Array, rng: np.random.Generator, *, shore: float) -> Array:
    """Return water that mirrors what lies above the shore, with ripples and glints."""
    y, x = coordinates(HEIGHT, WIDTH)
    above = scene[: int(shore)]
    depth = y - shore
    ripple = 2.2 * np.sin(y / 2.1 + 3 * noise(rng, 60, shape=SHAPE)) * np.clip(depth / 60, 0.2, 2.2)
    rows = np.clip(shore - 1 - depth * 1.02 + ripple * 1.3, 0, shore - 1)
    columns = np.clip(x + ripple * 1.8, 0, WIDTH - 1)
    mirror = np.stack(
        [ndimage.map_coordinates(above[..., i], [rows, columns], order=1) for i in range(3)], -1
    )
    water = mix(
        mirror,
        ramp(np.clip(depth / 300, 0, 1), hexes("6fb8c8 2a7fa0 135a86")),
        np.clip(0.22 + depth / 700, 0, 0.6),
    )
    glints = smoothstep(
        0.85,
        1.3,
        fbm(rng, 50) * np.clip(depth / 40, 0, 1) + np.sin(y / 1.7 + 6 * fbm(rng, 90)) * 0.5,
    )
    return mix(water, hexes("eefaff")[0], 0.75 * glints)


def _flowers(canvas: Canvas, rng: np.random.Generator, bank: Array) -> None:
    columns = np.arange(WIDTH)
    for _ in range(420):
        x0 = rng.uniform(0, WIDTH)
        y0 = float(np.interp(x0, columns, bank)) + 12 + 110 * rng.random() ** 1.3
        petal = hexes("ffffff ffd84a f06a8a b06ad8 ff8a4a")[rng.integers(5)]
        for turn in np.arange(4) * 1.57:
            canvas.stroke(
                x0 + 2.4 * math.cos(turn),
                y0 + 2.4 * math.sin(turn),
                angle=turn,
                length=5.4,
                width=4,
                colour=petal,
            )
        canvas.stroke(x0, y0, angle=0, length=3, width=3, colour=hexes("d89a20")[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """What stands at one distance in the wood."""

    tones: str
    bark: str
    trunks: int
    gap: float
    wide: float
    foot: float
    crowns: int
    low: float
    spread: tuple[float, float]
    leaves: int
    size: float
    ground: float


DEPTHS = (
    Depth(tones="5a7a4a 86a860 c4d888 eef0b0", bark="8a8a6a", trunks=44, gap=16, wide=9, foot=470,
          crowns=26, low=330, spread=(80, 44), leaves=230, size=4.5, ground=455),
    Depth(tones="2f5a38 4f8444 8fb850 d4e07a", bark="6a5a44", trunks=15, gap=110, wide=18, foot=540,
          crowns=20, low=230, spread=(100, 56), leaves=300, size=6.5, ground=500),
    Depth(tones="163a28 2c6034 5a9440 a8cc58", bark="3f3026", trunks=8, gap=230, wide=40, foot=660,
          crowns=13, low=130, spread=(130, 70), leaves=420, size=9, ground=600),
)  # fmt: skip


def forest(rng: np.random.Generator) -> Array:
    """Paint a path through a sunlit wood."""
    y, x = coordinates(HEIGHT, WIDTH)
    glow = 0.8 * np.exp(-(((x - 560) / 300) ** 2 + ((y - 250) / 260) ** 2))
    scene = ramp(
        np.clip(0.15 + glow + 0.12 * fbm(rng, 120), 0, 1),
        hexes("2a5a3a 5f9450 b4d27a f4f2c0 fffdea"),
    )
    scene = mix(
        scene, hexes("9fd0f0")[0], 0.55 * smoothstep(0.3, 0.8, fbm(rng, 150) + (170 - y) / 260)
    )
    canvas = Canvas(scene, rng)
    for depth in DEPTHS:
        _layer(canvas, rng, depth)
    _path(canvas, rng)
    rays = smoothstep(
        0.2,
        0.9,
        noise(rng, 60, octaves=2, shape=(4, 4096))[1][
            np.clip((x + (y + 200) * 0.75 + 400).astype(int), 0, 4095)
        ],
    )
    light = rays * np.exp(-(((x - 470 + y * 0.2) / 300) ** 2)) * np.clip(1.1 - y / 640, 0, 1)
    return mix(painted(canvas), hexes("fff6c8")[0], 0.42 * light)


def _layer(canvas: Canvas, rng: np.random.Generator, depth: Depth) -> None:
    """Paint trunks, crowns and ground at one distance."""
    _, x = coordinates(HEIGHT, WIDTH)
    for x0 in rng.uniform(-20, WIDTH + 20, depth.trunks):
        if abs(x0 - 540) < depth.gap:
            continue
        wide = depth.wide * rng.uniform(0.7, 1.3)
        foot = depth.foot + rng.uniform(-14, 24)
        neck, thin = foot - 30, wide * 0.35
        left = [(x0 - wide, foot), (x0 - wide * 0.5, neck)]
        right = [(x0 + wide * 0.5, neck), (x0 + wide, foot)]
        trunk = shape_of([(x0 - thin, -5), (x0 + thin, -5), *right, *left])
        side = np.clip(
            0.45 + 0.75 * (x - x0) / wide * np.sign(560 - x0) + 0.25 * fbm(rng, 18), 0, 1.4
        )
        canvas.colour = mix(
            canvas.colour,
            np.clip(hexes(depth.bark)[0] * (0.5 + 0.8 * side)[..., None], 0, 1),
            trunk,
        )
    for _ in range(depth.crowns):
        leaves(
            canvas,
            rng,
            x=rng.uniform(0, WIDTH),
            y=rng.uniform(-20, depth.low),
            wide=depth.spread[0],
            high=depth.spread[1],
            tones=hexes(depth.tones),
            count=depth.leaves,
            size=depth.size,
        )
    ground = depth.ground + 10 * line(rng, 70) + np.abs(x[0] - 540) * 0.03
    soil = ramp(
        np.clip(0.5 + 0.5 * fbm(rng, 60) + 0.5 * np.exp(-(((x - 560) / 260) ** 2)) - 0.2, 0, 1),
        hexes("1f4427 3f7434 7fa844 cfd878"),
    )
    canvas.colour = mix(canvas.colour, soil, under(ground, soft=26))


def _path(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint a path that winds away, with grass and flowers beside it."""
    y, x = coordinates(HEIGHT, WIDTH)
    reach = np.clip(y - 455, 0, None)
    middle = 560 + 60 * np.sin(reach / 62) * np.clip(1.2 - reach / 300, 0.3, 1) - reach * 0.25
    half = 10 + 0.0022 * reach**2 + 0.16 * reach
    dapple = smoothstep(-0.6, 0.8, fbm(rng, 46, octaves=4))
    track = ramp(
        np.clip(0.30 + 0.5 * dapple + 0.07 * fbm(rng, 10), 0, 1),
        hexes("7a5c3c a07c50 cdaa74 f0d8a0"),
    )
    edge = half - np.abs(x - middle) + 9 * fbm(rng, 24)
    canvas.colour = mix(canvas.colour, track, smoothstep(-5, 7, edge) * (y > 458))
    grassy = smoothstep(4, -22, edge) * (y > 478)
    meadow = ramp(
        np.clip(0.28 + 0.55 * dapple + 0.2 * fbm(rng, 30), 0, 1),
        hexes("173a22 2f6a30 6fa03c cfdc70"),
    )
    angles = np.full(SHAPE, -math.pi / 2, np.float32) + 0.6 * fbm(rng, 60, octaves=2)
    canvas.cover(meadow, angles=angles, length=26, width=4, density=3.2, tint=0.045, where=grassy)
    for _ in range(260):
        x0, y0 = rng.uniform(0, WIDTH), rng.uniform(540, 765)
        if grassy[int(y0), int(x0)] > 0.9:
            canvas.stroke(
                x0,
                y0,
                angle=0,
                length=7,
                width=6,
                colour=hexes("ffffff ffe36a c8a0f0 ff9ab0")[rng.integers(4)],
            )
