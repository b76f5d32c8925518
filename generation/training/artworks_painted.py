"""Artworks painted stroke by stroke: night, points, impasto and pastel."""

import math

import numpy as np
from scipy import ndimage

from generation.training.artworks_tools import (
    SIZE,
    Array,
    Canvas,
    below,
    coordinates,
    disc,
    hexes,
    line_noise,
    lit,
    mix,
    noise,
    polygon,
    ramp,
    smoothstep,
)

STARS = (
    (610, 130, 62), (120, 110, 30), (255, 205, 24), (390, 80, 36), (490, 270, 22),
    (690, 320, 28), (310, 330, 18), (60, 300, 20), (540, 40, 16),
)  # fmt: skip


def night(rng: np.random.Generator) -> Array:
    """Paint a windy night: whirling blue strokes around golden stars, a cypress, a village."""
    y, x = coordinates()
    under = ramp(
        np.clip(y / 520 + 0.18 * noise(rng, 160), 0, 1),
        hexes("0b1745 16307a 2a5aa6 5b93c4 9fc4c2"),
    )
    flow_x, flow_y = np.ones_like(x), 0.35 * np.sin(x / 95 + y / 150)
    for cx, cy, turn, reach in ((330, 215, 1.0, 120), (480, 190, -1.0, 95), *_vortices()):
        dx, dy = x - cx, y - cy
        pull = 4.5 * turn * np.exp(-((dx**2 + dy**2) / (2 * reach**2)))
        flow_x, flow_y = flow_x - pull * dy / reach, flow_y + pull * dx / reach
    angles = np.arctan2(flow_y, flow_x)
    swirl = noise(rng, 60, octaves=2)
    under = mix(under, hexes("bcd6d0")[0], 0.5 * smoothstep(0.35, 0.9, np.sin(swirl * 5)))
    for cx, cy, radius in STARS:
        distance = np.hypot(x - cx, y - cy)
        rings = 0.5 + 0.5 * np.cos(distance / radius * 6.3)
        halo = np.exp(-((distance / (radius * 2.1)) ** 2)) * (0.55 + 0.45 * rings)
        under = mix(under, ramp(rings, hexes("8fb7a0 e9d66b")), halo)
        under = mix(under, hexes("fff3b0")[0], disc(cx, cy, radius * 0.55, soft=8))
        under = mix(under, hexes("f4b53a")[0], disc(cx, cy, radius * 0.28, soft=6))
    column = x[0]
    far = 545 - 40 * np.sin(column / 130 + 0.6) + 14 * line_noise(rng, 90)
    near = 640 - 34 * np.sin(column / 100 + 2.6) + 10 * line_noise(rng, 60)
    for ridge, tones in ((far, "1d3f6b 2f6a7a 1b3b58"), (near, "16382f 3d6b3a 10241f")):
        depth = np.clip((y - ridge[None]) / 130 + 0.25 * noise(rng, 50), 0, 1)
        mask = below(ridge, soft=2)
        under = mix(under, ramp(depth, hexes(tones)), mask)
        slope = np.arctan(np.gradient(ridge))[None] + 0.5 * noise(rng, 80, octaves=2)
        angles = np.where(mask > 0.5, slope, angles)
    canvas = Canvas(ramp(y / SIZE, hexes("0d1a40 1c2f52 10241f")), rng)
    canvas.cover(under, angles=angles, length=44, width=10, density=3.5, tint=0.04, wander=0.1)
    canvas.cover(under, angles=angles, length=24, width=5.5, density=4.0, tint=0.06, wander=0.12)
    canvas.cover(under, angles=angles, length=15, width=3.4, density=1.1, tint=0.09, wander=0.2)
    _village(canvas, rng)
    _cypress(canvas, rng)
    return lit(canvas.colour, ndimage.gaussian_filter(canvas.height, 0.6), strength=0.9, gloss=0.2)


def _vortices() -> list[tuple[float, float, float, float]]:
    return [
        (cx, cy, 1.0 if index % 2 else -1.0, radius * 1.7)
        for index, (cx, cy, radius) in enumerate(STARS)
    ]


def _village(canvas: Canvas, rng: np.random.Generator) -> None:
    walls, roofs, lamps = (
        hexes("4a6292 3b5480 6a7a94"),
        hexes("7a4038 2c3560 5a3440"),
        hexes("ffd75e ffb347"),
    )
    for y in np.sort(rng.uniform(596, 650, 16)):
        x, wide = rng.uniform(290, 730), rng.uniform(26, 40)
        high = wide * 0.62
        for step in range(4):
            canvas.stroke(x, y + high * step / 4, angle=0.0, length=wide, width=high / 2.6,
                          colour=walls[rng.integers(3)] + rng.normal(0, 0.02))  # fmt: skip
        for side in (-1, 1):
            canvas.stroke(
                x + side * wide * 0.27,
                y - high * 0.34,
                angle=side * 0.6,
                length=wide * 0.8,
                width=high * 0.42,
                colour=roofs[rng.integers(3)],
            )
        for place in (-0.22, 0.2):
            canvas.stroke(x + place * wide, y + high * 0.36, angle=math.pi / 2, length=9, width=7,
                          colour=lamps[rng.integers(2)])  # fmt: skip


def _cypress(canvas: Canvas, rng: np.random.Generator) -> None:
    tones = hexes("0c1712 16261a 24391f 3a4a22 2c2416")
    for _ in range(950):
        up = rng.random() ** 0.8
        half = 62 * (1 - up) ** 0.75 * (0.75 + 0.25 * math.sin(up * 17)) + 3
        side = rng.uniform(-1, 1)
        canvas.stroke(
            150 + side * half + 12 * math.sin(up * 6),
            770 - 600 * up,
            angle=-math.pi / 2 + side * 0.5 + rng.normal(0, 0.15),
            length=rng.uniform(24, 52),
            width=rng.uniform(4, 8),
            colour=tones[rng.integers(5)] + rng.normal(0, 0.02),
            bend=0.3 * side,
        )


def points(rng: np.random.Generator) -> Array:
    """Paint a river at evening in dots of divided colour."""
    y, x = coordinates()
    under = ramp(
        np.clip(y / 400 + 0.12 * noise(rng, 150), 0, 1),
        hexes("5a6fc0 8f9ad8 d9a8d0 ffc59a ffe08a"),
    )
    under = mix(under, hexes("fffbe0")[0], np.exp(-((np.hypot(x - 520, y - 300) / 62) ** 2)))
    cloud = smoothstep(0.1, 0.7, noise(rng, 110) + 0.3 - np.abs(y - 130) / 190)
    under = mix(under, hexes("fff0e6")[0], 0.75 * cloud)
    hills = 372 + 16 * np.sin(x[0] / 70) + 20 * line_noise(rng, 130)
    under = mix(under, ramp(x / SIZE, hexes("6a72b4 8d7fb8 c58fa8")), below(hills, soft=3))
    river = below(np.full(SIZE, 410.0, np.float32), soft=2)
    glitter = noise(rng, 40, octaves=3, shape=(SIZE // 6 + 1, SIZE)).repeat(6, 0)[:SIZE]
    water = ramp(
        np.clip((y - 410) / 210 + 0.3 * glitter, 0, 1), hexes("ffd79a 7fb6d2 3a78b8 2b4f93")
    )
    path = np.exp(-(((x - 520) / (30 + (y - 400) * 0.35)) ** 2))
    water = mix(water, hexes("fff2b8")[0], np.clip(path * (0.6 + glitter), 0, 1))
    under = mix(under, water, river)
    under = _sails(under)
    bank = 585 + 44 * np.sin(x[0] / 210 + 2.4) + 8 * line_noise(rng, 60)
    grass = ramp(np.clip((y - bank[None]) / 180 + 0.3 * noise(rng, 70), 0, 1),
                 hexes("d8d45a 8fb83c 3f8a3c 24604a"))  # fmt: skip
    flowers = noise(rng, 16, octaves=2) > 1.1
    grass[flowers] = hexes("ff6f7d f7e05a f4f0ff")[rng.integers(0, 3, int(flowers.sum()))]
    under = mix(under, grass, below(bank, soft=2))
    under = _crown(under, rng, x0=170, y0=235, size=150)
    under = _crown(under, rng, x0=668, y0=392, size=74)
    canvas = Canvas(np.broadcast_to(hexes("f3ead6")[0], (SIZE, SIZE, 3)), rng)
    canvas.dots(under, radius=6.2, density=1.6, tint=0.05, stray=0.05)
    canvas.dots(under, radius=4.4, density=1.8, tint=0.08, stray=0.05)
    canvas.dots(under, radius=3.0, density=0.7, tint=0.10, stray=0.03)
    return lit(canvas.colour, ndimage.gaussian_filter(canvas.height, 0.7), strength=0.45)


def _sails(under: Array) -> Array:
    for x, y, size in ((350, 452, 64), (450, 430, 34), (605, 500, 88)):
        foot = y + size * 0.16
        sides = [(x + size * 0.3, foot), (x - size * 0.38, foot)]
        hull = polygon([(x - size * 0.55, y), (x + size * 0.5, y), *sides])
        sail = polygon([(x, y - size * 1.2), (x + 2, y - 3), (x + size * 0.46, y - 4)])
        jib = polygon([(x - 4, y - size), (x - 4, y - 4), (x - size * 0.34, y - 4)])
        under = mix(under, hexes("6b2f45")[0], hull)
        under = mix(under, hexes("fff7e8")[0], sail)
        under = mix(under, hexes("f2a46a")[0], jib)
    return under


def _crown(under: Array, rng: np.random.Generator, *, x0: float, y0: float, size: float) -> Array:
    y, x = coordinates()
    trunk = _trunk(
        x0, y0, foot=y0 + size * 2.45, widths=(size * 0.09, size * 0.05, size * 0.06, size * 0.11)
    )
    under = mix(
        under, ramp(np.clip((x - x0) / size * 4 + 0.5, 0, 1), hexes("8a4f3d 3d2440")), trunk
    )
    edge = np.hypot(x - x0, (y - y0) * 0.9) + size * 0.28 * noise(rng, size * 0.5)
    light = np.clip(
        0.5 + ((x - x0) - (y - y0)) / (2.4 * size) + 0.35 * noise(rng, size * 0.3), 0, 1
    )
    leaves = ramp(light, hexes("1d3b5c 1f6146 4f9a3e b9c744 ffd95a"))
    return mix(under, leaves, smoothstep(size * 1.02, size * 0.94, edge))


def _trunk(x0: float, y0: float, *, foot: float, widths: tuple[float, ...]) -> Array:
    a, b, c, d = widths
    return polygon([(x0 - a, foot), (x0 - b, y0), (x0 + c, y0), (x0 + d, foot)])


def impasto(rng: np.random.Generator) -> Array:
    """Paint poppies under a summer sky in thick oil, laid on with a broad brush and a knife."""
    y, x = coordinates()
    under = ramp(
        np.clip(y / 330 + 0.2 * noise(rng, 170), 0, 1), hexes("2f6fb5 5f9fd4 a9cfe0 f5e6c0")
    )
    cloud = smoothstep(0.0, 0.6, noise(rng, 130) + 0.35 - np.abs(y - 150) / 150)
    under = mix(
        under,
        ramp(np.clip(y / 260 + 0.3 * noise(rng, 60), 0, 1), hexes("ffffff fff1d8 c9b8d8")),
        cloud,
    )
    angles = 0.5 * noise(rng, 140, octaves=2)
    hills = 322 + 22 * np.sin(x[0] / 120 + 1) + 8 * line_noise(rng, 80)
    under = mix(
        under, ramp(np.clip((y - hills[None]) / 70, 0, 1), hexes("4a6fa0 5f8f74")), below(hills)
    )
    trees = 350 - 34 * np.abs(line_noise(rng, 46)) - 6
    under = mix(
        under,
        ramp(np.clip(0.5 + 0.5 * noise(rng, 26), 0, 1), hexes("16342c 2c5a34 6f8f3a")),
        below(trees),
    )
    field = 368 + 4 * line_noise(rng, 60)
    depth = np.clip((y - 368) / 400, 0, 1)
    meadow = ramp(np.clip(0.75 * depth + 0.35 * noise(rng, 44) + 0.2, 0, 1),
                  hexes("e8d873 b9bd4a 7a9c3c 3d6f36 1f4a34"))  # fmt: skip
    mask = below(field)
    under = mix(under, meadow, mask)
    angles = np.where(
        mask > 0.5, -math.pi / 2 + 0.7 * noise(rng, 90, octaves=2) + (x - 384) / 700, angles
    )
    canvas = Canvas(under, rng)
    canvas.cover(under, angles=angles, length=58, width=18, density=3.0, tint=0.05, streaks=0.09)
    canvas.cover(under, angles=angles, length=36, width=10, density=2.6, tint=0.07, streaks=0.09)
    canvas.cover(under, angles=angles, length=22, width=5, density=0.9, tint=0.1, streaks=0.1)
    _poppies(canvas, rng)
    relief = ndimage.gaussian_filter(canvas.height, 0.8)
    return lit(canvas.colour, relief, strength=1.9, gloss=0.45)


def _poppies(canvas: Canvas, rng: np.random.Generator) -> None:
    reds = hexes("c8161d e3341f f2572b 9c0f22 f7825a")
    others = hexes("ffffff ffd23f 7f6fd0 f7b6c8")
    for depth in np.sort(rng.uniform(0, 1, 330) ** 0.8):
        x, y = rng.uniform(0, SIZE), 384 + 372 * depth + rng.normal(0, 6)
        size = 4 + 25 * depth
        petals = reds if rng.random() < 0.8 else others[rng.integers(4)][None]
        for turn in rng.uniform(0, 2 * math.pi) + np.arange(5) * 1.26:
            canvas.stroke(
                x + 0.45 * size * math.cos(turn),
                y + 0.35 * size * math.sin(turn),
                angle=turn + math.pi / 2,
                length=size * 1.25,
                width=size * 0.8,
                colour=petals[rng.integers(len(petals))] + rng.normal(0, 0.03),
                bend=-0.4,
                streaks=0.12,
            )
        heart = hexes("1a1020" if len(petals) > 1 else "f0a020")[0]
        canvas.stroke(x, y, angle=0.4, length=size * 0.5, width=size * 0.42, colour=heart)


PASTEL_FIELDS = (
    "8f86c9 6f6ab8",
    "b79ad6 8a6fc0",
    "8fc48a 4f9a6a",
    "d5d86a 7fb04a",
    "f0b45a c9703f",
    "79b85a 2f7f4f",
)
ORCHARD = ((150, 470, 66), (260, 520, 46), (655, 560, 78), (560, 470, 36), (66, 590, 84))


def pastel(rng: np.random.Generator) -> Array:
    """Draw an orchard and a cottage in soft chalk on rough, dark paper."""
    y, x = coordinates()
    under = ramp(
        np.clip(y / 420 + 0.15 * noise(rng, 140), 0, 1), hexes("6fa8dc 9ecbe8 f6d9c8 ffe9b0")
    )
    under = mix(under, hexes("fff6c9")[0], disc(585, 135, 52, soft=6))
    under = mix(under, hexes("ffe27a")[0], 0.6 * np.exp(-((np.hypot(x - 585, y - 135) / 110) ** 2)))
    angles = np.full_like(x, -0.7)
    for index, tones in enumerate(PASTEL_FIELDS):
        ridge = 300 + index * 76 + 34 * np.sin(x[0] / (120 + 17 * index) + index * 2.1)
        mask = below(ridge, soft=2)
        shade = np.clip((y - ridge[None]) / 120 + 0.2 * noise(rng, 50), 0, 1)
        under = mix(under, ramp(shade, hexes(tones)), mask)
        if index in (1, 3, 4):
            rows = np.sin((x - 384) / (8 + 0.035 * y) * 2 + index)
            under = mix(under, hexes("5f4aa0 e8e27a 8f3f3a")[index % 3], 0.5 * mask * (rows > 0.45))
        angles = np.where(
            mask > 0.5, -0.9 + 0.45 * index + np.arctan(np.gradient(ridge))[None], angles
        )
    under = _cottage(under)
    for x0, y0, size in ORCHARD:
        under = _blossom(under, rng, x0=x0, y0=y0, size=size)
    canvas = Canvas(np.broadcast_to(hexes("34304a")[0], (SIZE, SIZE, 3)), rng)
    grain = ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)), 1.1) * 3.2
    ground = canvas.colour.copy()
    detail = np.clip(ndimage.gaussian_gradient_magnitude(under.mean(-1), 3) * 30, 0, 1)
    for length, width, density, turn in (
        (46, 13, 3.0, 0.0),
        (30, 7, 2.2, 0.35),
        (18, 4.5, 1.4, -0.2),
    ):
        canvas.cover(under, angles=angles + turn, length=length, width=width, density=density,
                     tint=0.05, wander=0.08, bend=0.03)  # fmt: skip
    canvas.cover(under, angles=angles + 0.1, length=10, width=4, density=5, tint=0.04, where=detail)
    holes = smoothstep(0.35, 1.4, grain.astype(np.float32) - 0.4 * canvas.height)
    colour = mix(canvas.colour, ground, 0.7 * holes)
    dust = ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)), 0.6).astype(np.float32)
    result: Array = np.clip(colour + 0.035 * dust[..., None], 0, 1)
    return result


def _cottage(under: Array) -> Array:
    parts = (
        ("fff2df", [(380, 410), (500, 410), (500, 500), (380, 500)]),
        ("e2d2dc", [(500, 410), (560, 395), (560, 482), (500, 500)]),
        ("d94f3a", [(366, 414), (408, 338), (520, 338), (512, 414)]),
        ("a83440", [(512, 414), (520, 338), (572, 398)]),
        ("8a4a54", [(425, 352), (425, 312), (446, 312), (446, 352)]),
        ("3f6fb0", [(400, 432), (430, 432), (430, 462), (400, 462)]),
        ("3f8f7a", [(452, 440), (480, 440), (480, 500), (452, 500)]),
    )
    for colour, points_ in parts:
        under = mix(under, hexes(colour)[0], polygon(points_))
    return under


def _blossom(under: Array, rng: np.random.Generator, *, x0: float, y0: float, size: float) -> Array:
    y, x = coordinates()
    trunk = _trunk(
        x0, y0, foot=y0 + size * 1.7, widths=(size * 0.12, size * 0.06, size * 0.08, size * 0.14)
    )
    under = mix(under, hexes("5a3a4a")[0], trunk)
    edge = np.hypot(x - x0, (y - y0) * 1.1) + size * 0.22 * noise(rng, size * 0.5)
    light = np.clip(
        0.5 + ((x - x0) - (y - y0)) / (2.3 * size) + 0.3 * noise(rng, size * 0.35), 0, 1
    )
    leaves = ramp(light, hexes("7a3f7f d0608f f59ab0 ffd9d4"))
    return mix(under, leaves, smoothstep(size * 1.02, size * 0.92, edge))
