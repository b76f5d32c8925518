"""A sample picture of a street with old houses."""

import math

import numpy as np

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
    box,
    fbm,
    leaves,
    painted,
    shape_of,
    sky,
    under,
)

WALLS = ("e9c46a", "f4e1c1", "d9725a", "8fb6b0", "f2b8a0", "a8b8d8", "e8a05a", "f0e6d2")
ROOFS = ("8a3f34", "6a4a44", "a4533a", "5a5f6e")
DOORS = ("2f5f5a", "7a2f34", "2f4a7a", "4a3a2f")


def street(rng: np.random.Generator) -> Array:
    """Paint a row of old houses with trees and lamps along a cobbled street."""
    scene = sky(rng, horizon=430, tones="3f86d0 7db4e6 c4def0 f3ead8", cover=0.12)
    at, index = -30.0, 0
    while at < WIDTH:
        wide, high = rng.uniform(120, 180), rng.uniform(250, 370)
        scene = _house(
            scene,
            rng,
            at=at,
            wide=wide,
            top=585 - high,
            wall=WALLS[index % 8],
            roof=ROOFS[index % 4],
            door=DOORS[index % 4],
        )
        at, index = at + wide, index + 1
    scene = _ground(scene, rng)
    canvas = Canvas(scene, rng)
    canvas.cover(
        scene,
        angles=0.3 * fbm(rng, 120, octaves=2),
        length=9,
        width=4,
        density=1.4,
        tint=0.018,
        streaks=0.02,
    )
    for x0 in (150.0, 880.0):
        _tree(canvas, rng, x0)
    for x0 in (420.0, 690.0):
        _lamp(canvas, x=x0)
    for x0 in (300.0, 330.0, 560.0, 590.0, 780.0):
        _pot(canvas, rng, x0)
    return painted(canvas)


def _ground(scene: Array, rng: np.random.Generator) -> Array:
    """Lay the pavement and the cobbles, and the shade of clouds on them."""
    y, x = coordinates(HEIGHT, WIDTH)
    pavement = ramp(np.clip((y - 585) / 45, 0, 1) + 0.05 * fbm(rng, 20), hexes("c9bfae b5aa98"))
    scene = mix(scene, pavement, box(0, 585, WIDTH, 640))
    scene = mix(scene, hexes("857b70")[0], box(0, 622, WIDTH, 632))
    near = np.maximum(y - 632, 0)
    scale = 22 + near * 0.16
    row = np.floor(near / (9 + near * 0.045))
    column = (x - 512) / scale + 0.5 * (row % 2)
    inside = np.minimum(np.abs(column % 1 - 0.5) * 2, 1)
    stone = (
        noise(rng, 14, octaves=3, shape=SHAPE) * 0.5
        + np.sin(np.floor(column) * 12.9 + row * 78.2) * 0.5
    )
    cobbles = ramp(
        np.clip(0.5 + 0.32 * stone - 0.35 * smoothstep(0.78, 1.0, inside), 0, 1),
        hexes("5f5c62 8f8a88 bdb4a8"),
    )
    scene = mix(scene, cobbles, under(np.full(WIDTH, 632.0, np.float32)))
    sun = smoothstep(-0.2, 0.5, fbm(rng, 170, octaves=3) + (x - 420) / 900)
    scene = np.clip(scene * (1 - 0.28 * (1 - sun) * (y > 585))[..., None], 0, 1)
    shaded: Array = scene * (1 + 0.05 * fbm(rng, 26))[..., None]
    return shaded


def _house(
    scene: Array,
    rng: np.random.Generator,
    *,
    at: float,
    wide: float,
    top: float,
    wall: str,
    roof: str,
    door: str,
) -> Array:
    y, x = coordinates(HEIGHT, WIDTH)
    right = at + wide
    shade = np.clip(1.05 - 0.16 * (x - at) / wide + 0.05 * fbm(rng, 40), 0.6, 1.2)
    scene = mix(scene, np.clip(hexes(wall)[0] * shade[..., None], 0, 1), box(at, top, right, 585))
    peak = top - rng.uniform(50, 84)
    tiles = np.clip(0.88 + 0.16 * np.sin(y * 0.9) + 0.10 * fbm(rng, 16), 0.5, 1.2)
    ridge = [
        (at - 6, top + 4),
        (at + wide * 0.22, peak),
        (right - wide * 0.22, peak),
        (right + 6, top + 4),
    ]
    if rng.random() < 0.45:
        ridge = [(at - 6, top + 4), (at + wide / 2, peak - 26), (right + 6, top + 4)]
    scene = mix(scene, np.clip(hexes(roof)[0] * tiles[..., None], 0, 1), shape_of(ridge))
    scene = mix(scene, hexes(roof)[0] * 0.55, box(at - 6, top, right + 6, top + 7))
    chimney = at + wide * rng.uniform(0.28, 0.62)
    scene = mix(scene, hexes("8a5044")[0], box(chimney, peak - 26, chimney + 16, peak + 14))
    columns = 3 if wide > 140 else 2
    for level in range(int((560 - top) // 92)):
        for column in range(columns):
            x0, y0 = at + wide * (column + 0.5) / columns - 15, top + 30 + level * 86
            if y0 + 56 < 500:
                scene = _window(scene, x0=x0, y0=y0, shutter=door)
    scene = _shop(scene, at=at, wide=wide, door=door)
    return mix(scene, hexes("000000")[0], 0.2 * box(right - 3, top, right, 585))


def _shop(scene: Array, *, at: float, wide: float, door: str) -> Array:
    """Paint a door and a shop window under its awning."""
    y, x = coordinates(HEIGHT, WIDTH)
    right = at + wide
    x0 = at + wide * 0.16
    scene = mix(scene, hexes("f3ead8")[0], box(x0 - 4, 498, x0 + 42, 585))
    scene = mix(scene, hexes(door)[0], box(x0, 503, x0 + 38, 585))
    scene = mix(scene, hexes("ffd98a")[0], box(x0 + 8, 510, x0 + 30, 528))
    left, end = at + wide * 0.5, right - 12
    scene = mix(scene, hexes("3f4f5f")[0], box(left, 515, end, 572))
    scene = mix(
        scene,
        ramp(np.clip((y - 515) / 57, 0, 1), hexes("9fc4d8 6a8fa8")),
        box(left + 4, 519, end - 4, 568),
    )
    stripes = np.sin((x - left) * math.pi / 9) > 0
    cloth = np.where(stripes[..., None], hexes("fff6e6")[0], hexes(door)[0] * 1.25)
    awning = shape_of([(left - 3, 498), (end + 3, 498), (end + 9, 522), (left - 9, 522)])
    return mix(scene, cloth, awning)


def _window(scene: Array, *, x0: float, y0: float, shutter: str) -> Array:
    y, x = coordinates(HEIGHT, WIDTH)
    scene = mix(
        scene,
        hexes(shutter)[0],
        np.maximum(box(x0 - 12, y0, x0, y0 + 50), box(x0 + 30, y0, x0 + 42, y0 + 50)),
    )
    scene = mix(scene, hexes("fffaf0")[0], box(x0 - 2, y0 - 3, x0 + 32, y0 + 53))
    glass = ramp(np.clip((y - y0) / 50 + (x - x0) / 90, 0, 1), hexes("c8e2f0 6f95b4 3f5f80"))
    for a, b in ((0, 0), (16, 0), (0, 26), (16, 26)):
        scene = mix(scene, glass, box(x0 + a + 1, y0 + b, x0 + a + 14, y0 + b + 24))
    return mix(scene, hexes("d8cdb8")[0], box(x0 - 6, y0 + 52, x0 + 36, y0 + 57))


def _lamp(canvas: Canvas, *, x: float) -> None:
    iron = hexes("22262c")[0]
    for mask, colour in (
        (box(x - 3, 440, x + 3, 612), iron),
        (box(x - 8, 600, x + 8, 614), iron),
        (shape_of([(x - 12, 442), (x + 12, 442), (x + 16, 408), (x - 16, 408)]), iron),
        (shape_of([(x - 9, 439), (x + 9, 439), (x + 12, 411), (x - 12, 411)]), hexes("fff0b8")[0]),
        (shape_of([(x - 19, 408), (x + 19, 408), (x, 390)]), iron),
    ):
        canvas.colour = mix(canvas.colour, colour, mask)


def _tree(canvas: Canvas, rng: np.random.Generator, x0: float) -> None:
    canvas.stroke(x0, 545, angle=math.pi / 2, length=200, width=17, colour=hexes("5a4434")[0])
    for side in (-1, 1):
        canvas.stroke(
            x0 + side * 26,
            450,
            angle=math.pi / 2 + side * 0.6,
            length=110,
            width=9,
            colour=hexes("4f3a2c")[0],
        )
    leaves(
        canvas,
        rng,
        x=x0,
        y=392,
        wide=104,
        high=118,
        tones=hexes("17402c 2b6a35 5a9a40 a6cf5a e2ee9a"),
        count=4200,
        size=8,
    )


def _pot(canvas: Canvas, rng: np.random.Generator, x0: float) -> None:
    canvas.colour = mix(
        canvas.colour,
        hexes("b5603a")[0],
        shape_of([(x0 - 14, 582), (x0 + 14, 582), (x0 + 10, 606), (x0 - 10, 606)]),
    )
    leaves(
        canvas,
        rng,
        x=x0,
        y=570,
        wide=20,
        high=16,
        tones=hexes("1f5a34 4f9a44 f06a7a ff9aa8 ffe0e0"),
        count=160,
        size=4,
    )
