"""A sample picture of fruit and sunflowers on a table."""

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
    WIDTH,
    box,
    fbm,
    leaves,
    line,
    painted,
    shape_of,
    sky,
    under,
)

APPLE, ORANGE, PEAR = "6a1a1f c8323a ff8a6a", "b5651a f2a83a ffe6a0", "3a6a24 8fba3c e8f09a"
IN_BOWL = (
    (585.0, 590.0, 46.0, APPLE),
    (665.0, 570.0, 50.0, "a85a10 f09a2a ffe08a"),
    (735.0, 592.0, 44.0, PEAR),
    (630.0, 620.0, 44.0, ORANGE),
    (705.0, 622.0, 44.0, "701a28 d0404a ffa08a"),
)
ON_TABLE = (
    (440.0, 690.0, 42.0, ORANGE),
    (500.0, 706.0, 34.0, APPLE),
    (890.0, 690.0, 46.0, "3a6a24 9fc040 f0f4a4"),
)
SUNFLOWERS = (
    (150.0, 210.0, 66.0),
    (262.0, 170.0, 60.0),
    (90.0, 320.0, 56.0),
    (215.0, 300.0, 70.0),
    (325.0, 290.0, 54.0),
    (170.0, 110.0, 46.0),
    (300.0, 90.0, 40.0),
)


def still_life(rng: np.random.Generator) -> Array:
    """Paint fruit and sunflowers on a table before an open window."""
    _, x = coordinates(HEIGHT, WIDTH)
    scene = ramp(np.clip(x / WIDTH + 0.1 * fbm(rng, 200), 0, 1), hexes("c98f6a e0b088 f0cfa4"))
    scene = _window(scene, _view(rng), rng)
    scene = _table(scene, rng)
    canvas = Canvas(scene, rng)
    canvas.cover(
        scene,
        angles=0.25 * fbm(rng, 120, octaves=2),
        length=10,
        width=4,
        density=1.2,
        tint=0.015,
        streaks=0.02,
    )
    _vase(canvas, rng)
    for x0, y0, radius, tones in IN_BOWL:
        _fruit(canvas, rng, x0=x0, y0=y0, radius=radius, tones=tones)
    _bowl(canvas)
    for x0, y0, radius, tones in ON_TABLE:
        _fruit(canvas, rng, x0=x0, y0=y0, radius=radius, tones=tones)
    return painted(canvas)


def _view(rng: np.random.Generator) -> Array:
    """Return hills under a blue sky."""
    y, x = coordinates(HEIGHT, WIDTH)
    view = sky(rng, horizon=330, tones="3f8ad4 86bcec cfe6f4", cover=0.15)
    for base, tones in ((300, "7f9fc0 a8c0cc"), (338, "5f8f6a 9fc07a"), (372, "3f7a44 8fb84a")):
        hill = base + 18 * np.sin(x[0] / (70 + base / 8) + base) + 6 * line(rng, 50)
        view = mix(
            view,
            ramp(np.clip((y - hill[None]) / 70 + 0.2 * fbm(rng, 30), 0, 1), hexes(tones)[::-1]),
            under(hill, soft=1.5),
        )
    return view


def _window(scene: Array, view: Array, rng: np.random.Generator) -> Array:
    """Open a window with curtains onto a view."""
    y, x = coordinates(HEIGHT, WIDTH)
    frame = hexes("f6efe2")[0]
    scene = mix(scene, frame * 0.97, box(330, 30, 800, 450))
    for x0, x1 in ((350, 557), (573, 780)):
        scene = mix(scene, view, np.maximum(box(x0, 50, x1, 230), box(x0, 244, x1, 430)))
    scene = mix(scene, frame * 0.9, box(310, 436, 820, 462))
    for x0, x1, lean in ((250, 372, 1), (758, 880, -1)):
        folds = 0.5 + 0.5 * np.sin((x - x0) / 9.5 + 0.6 * np.sin(y / 120))
        cloth = ramp(
            np.clip(0.25 + 0.6 * folds + 0.08 * fbm(rng, 60), 0, 1), hexes("8f2f3f c85060 f09a90")
        )
        edge = [(x0, 12), (x1, 12), (x1 - 26 * (lean > 0), 470), (x0 + 26 * (lean < 0), 470)]
        scene = mix(scene, cloth, shape_of(edge))
    return scene


def _table(scene: Array, rng: np.random.Generator) -> Array:
    """Lay a table of wood, with light from the window on it."""
    y, x = coordinates(HEIGHT, WIDTH)
    fibres = noise(rng, 80, octaves=4, shape=(HEIGHT, 160)).repeat(7, 1)[:, :WIDTH]
    tone = 0.5 + 0.35 * fibres + 0.1 * fbm(rng, 10) - (y - 540) / 900
    wood = ramp(np.clip(tone, 0, 1), hexes("6a3f24 a06a3c cf9a5c"))
    scene = mix(scene, wood, under(np.full(WIDTH, 540.0, np.float32)))
    light = np.exp(-(((x - 560 + (y - 540) * 0.6) / 300) ** 2)) * (y > 540)
    bright: Array = np.clip(scene * (1 + 0.32 * light)[..., None], 0, 1)
    return bright


def _bowl(canvas: Canvas) -> None:
    y, x = coordinates(HEIGHT, WIDTH)
    hollow = np.clip((1 - ((x - 650) / 150) ** 2 - ((y - 625) / 92) ** 2) * 60, 0, 1) * under(
        np.full(WIDTH, 628.0, np.float32)
    )
    glaze = ramp(
        np.clip(
            0.55 + (x - 650) / 300 + 0.2 * np.sin((x - 650) / 11) * (np.abs(y - 668) < 12),
            0,
            1,
        ),
        hexes("1f4a7a 4f86b8 d8eaf6"),
    )
    shadow = np.exp(-(((x - 620) / 190) ** 2 + ((y - 712) / 17) ** 2))
    canvas.colour = canvas.colour * (1 - 0.5 * shadow * (1 - hollow))[..., None]
    canvas.colour = mix(canvas.colour, glaze, hollow)


def _fruit(
    canvas: Canvas, rng: np.random.Generator, *, x0: float, y0: float, radius: float, tones: str
) -> None:
    y, x = coordinates(HEIGHT, WIDTH)
    u, v = (x - x0) / radius, (y - y0) / (radius * 0.94)
    shadow = np.exp(-(((u + 0.45) / 1.15) ** 2 + ((v - 0.93) / 0.26) ** 2))
    canvas.colour = canvas.colour * (1 - 0.45 * shadow)[..., None]
    ball = np.clip((1 - np.hypot(u, v)) * radius, 0, 1)
    light = np.clip(0.48 + 0.42 * u - 0.46 * v - 0.35 * (u * u + v * v) + 0.06 * fbm(rng, 18), 0, 1)
    skin = mix(
        ramp(light, hexes(tones)),
        (1.0, 1.0, 1.0),
        0.75 * np.exp(-(((u - 0.36) / 0.15) ** 2 + ((v + 0.42) / 0.12) ** 2)),
    )
    canvas.colour = mix(canvas.colour, skin, ball)
    canvas.stroke(
        x0 + 2,
        y0 - radius * 0.92,
        angle=-1.2,
        length=radius * 0.45,
        width=4,
        colour=hexes("4a3020")[0],
    )


def _vase(canvas: Canvas, rng: np.random.Generator) -> None:
    for x0, y0, _ in SUNFLOWERS:
        for step in np.linspace(0, 1, 12):
            canvas.stroke(
                x0 + (208 - x0) * step,
                y0 + (470 - y0) * step,
                angle=math.atan2(470 - y0, 208 - x0),
                length=34,
                width=7,
                colour=hexes("3f7a34")[0] + rng.normal(0, 0.03),
            )
    for _ in range(5):
        leaves(
            canvas,
            rng,
            x=rng.uniform(100, 320),
            y=rng.uniform(330, 420),
            wide=56,
            high=40,
            tones=hexes("1c4a28 3a7a34 7fb04a c8dc7a"),
            count=260,
            size=9,
        )
    _pottery(canvas, rng)
    for x0, y0, size in SUNFLOWERS:
        _sunflower(canvas, rng, x0=x0, y0=y0, size=size)


def _pottery(canvas: Canvas, rng: np.random.Generator) -> None:
    y, x = coordinates(HEIGHT, WIDTH)
    half = 62 + 26 * np.sin((y - 440) / 72) - 20 * smoothstep(590, 660, y)
    body = np.clip(half - np.abs(x - 208) + 0.5, 0, 1) * (y > 436) * (y < 662)
    shadow = np.exp(-(((x - 150) / 120) ** 2 + ((y - 664) / 15) ** 2))
    canvas.colour = canvas.colour * (1 - 0.5 * shadow)[..., None]
    turn = np.clip((x - 208) / half, -1, 1)
    bands = 0.5 + 0.5 * np.sin(y / 9.0 + 1.4 * np.sin(turn * 9))
    clay = ramp(
        np.clip(0.45 + 0.42 * turn + 0.05 * fbm(rng, 20), 0, 1), hexes("1a4a54 3f8f94 bfe6dc")
    )
    clay = mix(clay, hexes("f3e8cc")[0], 0.5 * bands * (np.abs(y - 540) < 40))
    shine = np.exp(-(((turn - 0.5) / 0.09) ** 2)) * (y > 460) * (y < 630)
    canvas.colour = mix(canvas.colour, mix(clay, (1.0, 1.0, 1.0), 0.6 * shine), body)


def _sunflower(
    canvas: Canvas, rng: np.random.Generator, *, x0: float, y0: float, size: float
) -> None:
    for ring, tones in ((1.0, hexes("d88a10 f0b020")), (0.8, hexes("ffcf2a ffe25a"))):
        for turn in np.arange(0, 2 * math.pi, 0.27) + rng.uniform(0, 0.3):
            canvas.stroke(
                x0 + size * 0.62 * ring * math.cos(turn),
                y0 + size * 0.58 * ring * math.sin(turn),
                angle=turn,
                length=size * 0.72,
                width=size * 0.22,
                colour=tones[rng.integers(2)] + rng.normal(0, 0.03),
            )
    for _ in range(90):
        turn, out = rng.uniform(0, 6.28), size * 0.36 * math.sqrt(rng.random())
        canvas.stroke(
            x0 + out * math.cos(turn),
            y0 + out * math.sin(turn),
            angle=turn,
            length=size * 0.12,
            width=size * 0.1,
            colour=hexes("2a1810 4a2c14 7a4a1c")[rng.integers(3)],
        )
