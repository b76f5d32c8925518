"""Procedural scenes without open sky: rooms, people, tables, animals, flowers, workshops."""

from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter

from generation.training.canvas import Canvas, Plane, Truth, noise
from generation.training.views import VIEWS

NEAR = Truth(depth=0.1)
DEPTH = 5
"""Where depth stands among the fields of ``Truth``."""


def _colour(canvas: Canvas, *, low: float = 0.1, high: float = 0.9, warm: float = 0.0) -> Plane:
    """Return a random colour, its channels tied together so that greys and tones are common."""
    rng = canvas.rng
    base = rng.uniform(low, high) + rng.normal(0, 0.14, 3) * rng.choice([0.3, 1.0])
    tint = warm * np.array([0.12, 0.02, -0.12])
    colour: Plane = np.clip(base + tint, 0.03, 0.98).astype(np.float32)
    return colour


def _backdrop(canvas: Canvas) -> None:
    """Fill the canvas: a wall, a studio gradient, or something far out of focus."""
    rng = canvas.rng
    choice = rng.random()
    if choice < 0.25:
        name = str(rng.choice(list(VIEWS)))
        VIEWS[name](canvas)
        canvas.rgb = gaussian_filter(canvas.rgb, (blur := rng.uniform(1.5, 4), blur, 0))
        canvas.truth[..., DEPTH] *= 0.6
        return
    low, high = (0.02, 0.2) if choice < 0.35 else (0.55, 0.97) if choice < 0.7 else (0.15, 0.7)
    first, second = _colour(canvas, low=low, high=high), _colour(canvas, low=low, high=high)
    blend = np.clip(0.5 + 0.4 * noise(rng, canvas.size, grains=(1, 0.4, 0, 0)), 0, 1)[..., None]
    fill = first * (1 - 0.5 * blend) + second * 0.5 * blend
    canvas.paint(np.ones_like(canvas.x), fill, truth=Truth(depth=0.45), texture=0.05)
    for _ in range(int(rng.integers(0, 5))):
        x, y, w, h = (
            rng.uniform(-0.2, 1),
            rng.uniform(-0.2, 0.9),
            rng.uniform(0.05, 0.5),
            rng.uniform(0.05, 0.8),
        )
        shape = (
            canvas.box((x, y, x + w, y + h))
            if rng.random() < 0.6
            else canvas.ellipse((x, y, x + w, y + h))
        )
        soft = gaussian_filter(shape, rng.uniform(0.1, 3))
        canvas.paint(soft, _colour(canvas), truth=Truth(depth=0.4), texture=0.08)


def room(canvas: Canvas) -> None:
    """Paint walls, a floor, perhaps a window, furniture, a lamp and a picture."""
    rng = canvas.rng
    wall = _colour(canvas, low=0.35, high=0.95, warm=rng.uniform(0, 1))
    side = 1 - 0.2 * np.clip((canvas.x - rng.uniform(0.2, 0.9)) * 9, 0, 1)[..., None]
    canvas.paint(np.ones_like(canvas.x), wall * side, truth=Truth(depth=0.4), texture=0.04)
    floor = rng.uniform(0.62, 0.85)
    planks = 1 + 0.1 * np.sin(canvas.x * rng.uniform(20, 70))[..., None]
    canvas.paint(
        canvas.below(floor),
        np.array([0.5, 0.36, 0.25]) * rng.uniform(0.6, 1.5) * planks,
        truth=Truth(depth=0.2),
        texture=0.12,
    )
    if rng.random() < 0.6:
        _window(canvas)
    for _ in range(int(rng.integers(1, 4))):
        left, wide, tall = rng.uniform(0, 0.8), rng.uniform(0.12, 0.45), rng.uniform(0.1, 0.35)
        foot, colour = floor + rng.uniform(0, 0.15), _colour(canvas)
        canvas.paint(
            canvas.box((left, foot - tall, left + wide, foot)), colour, truth=NEAR, texture=0.1
        )
        seat = (left + 0.02, foot - tall * 0.55, left + wide - 0.02, foot - tall * 0.35)
        canvas.paint(canvas.box(seat), colour * 1.25, truth=NEAR)
    if rng.random() < 0.6:
        _lamp(canvas, floor)


def _window(canvas: Canvas) -> None:
    rng = canvas.rng
    left, top = rng.uniform(0.05, 0.6), rng.uniform(0.08, 0.3)
    right, bottom = left + rng.uniform(0.18, 0.35), top + rng.uniform(0.2, 0.4)
    frame = _colour(canvas, low=0.6, high=0.95)
    canvas.paint(
        canvas.box((left - 0.02, top - 0.02, right + 0.02, bottom + 0.02)),
        frame,
        truth=Truth(depth=0.4),
    )
    outside = np.array([0.75, 0.87, 0.97]) * rng.uniform(0.8, 1.1)
    canvas.paint(
        canvas.box((left, top, right, bottom)), outside, truth=Truth(sky=1, depth=1), texture=0.03
    )
    if rng.random() < 0.6:
        leaves = canvas.box((left, (top + bottom) / 2, right, bottom))
        canvas.paint(leaves, (0.3, 0.45, 0.22), truth=Truth(foliage=1, depth=0.8), texture=0.3)
    middle = (left + right) / 2
    canvas.paint(
        canvas.box((middle - 0.01, top, middle + 0.01, bottom)), frame, truth=Truth(depth=0.4)
    )


def _lamp(canvas: Canvas, floor: float) -> None:
    rng = canvas.rng
    x, y = rng.uniform(0.1, 0.9), rng.uniform(0.25, 0.5)
    canvas.paint(canvas.box((x - 0.008, y, x + 0.008, floor + 0.05)), (0.2, 0.18, 0.16), truth=NEAR)
    shade = canvas.polygon(
        [(x - 0.05, y - 0.1), (x + 0.05, y - 0.1), (x + 0.09, y + 0.03), (x - 0.09, y + 0.03)]
    )
    canvas.paint(shade, (0.93, 0.86, 0.7), truth=Truth(light=1, depth=0.2))


def person(canvas: Canvas) -> None:
    """Paint head and shoulders before a backdrop."""
    rng = canvas.rng
    _backdrop(canvas)
    skin = np.array([0.9, 0.7, 0.58]) * rng.uniform(0.35, 1.05) + rng.normal(0, 0.02, 3)
    cx, cy, r = rng.uniform(0.3, 0.7), rng.uniform(0.25, 0.48), rng.uniform(0.1, 0.24)
    hair = _colour(canvas, low=0.04, high=0.5, warm=0.8)
    canvas.paint(
        canvas.ellipse(
            (cx - r * 1.15, cy - r * 1.5, cx + r * 1.15, cy + r * rng.uniform(0.4, 1.6))
        ),
        hair,
        truth=NEAR,
        texture=0.2,
    )
    cloth = canvas.ellipse((cx - r * 2.7, cy + r * 1.35, cx + r * 2.7, cy + r * 7))
    canvas.paint(cloth, _colour(canvas), truth=NEAR, texture=0.16)
    if rng.random() < 0.5:
        patch = canvas.box((cx - r * 1.6, cy + r * 2.2, cx - r * 0.4, cy + r * 3.2))
        canvas.paint(patch * cloth, _colour(canvas), truth=NEAR)
    canvas.paint(
        canvas.box((cx - r * 0.4, cy, cx + r * 0.4, cy + r * 1.7)), skin * 0.85, truth=NEAR
    )
    side = 1 - rng.uniform(0, 0.4) * np.clip((canvas.x - cx) / r, -1, 1)[..., None] * rng.choice(
        [-1, 1]
    )
    canvas.paint(
        canvas.ellipse((cx - r, cy - r * 1.2, cx + r, cy + r * 1.3)), skin * side, truth=NEAR
    )
    eyes = [
        (cx + s * r * 0.4 - 0.02, cy - 0.015, cx + s * r * 0.4 + 0.02, cy + 0.012) for s in (-1, 1)
    ]
    canvas.paint(canvas.ellipse(*eyes), (0.12, 0.1, 0.1), truth=NEAR)
    canvas.paint(
        canvas.ellipse((cx - r * 0.35, cy + r * 0.55, cx + r * 0.35, cy + r * 0.75)),
        skin * np.array([0.9, 0.55, 0.55]),
        truth=NEAR,
    )


def table(canvas: Canvas) -> None:
    """Paint a still life: a surface with cups, bowls, bottles, fruit."""
    rng = canvas.rng
    _backdrop(canvas)
    edge = rng.uniform(-0.4, 0.6)
    wood = (
        np.array([0.52, 0.34, 0.2]) * rng.uniform(0.4, 1.7)
        if rng.random() < 0.7
        else _colour(canvas)
    )
    angle = rng.uniform(-1.5, 1.5)
    grain = np.sin(
        (canvas.y + angle * canvas.x) * rng.uniform(20, 80)
        + noise(rng, canvas.size, grains=(1, 0.6, 0, 0))
    )
    canvas.paint(
        canvas.below(edge + 0.1 * angle * (canvas.x - 0.5)),
        wood * (1 + 0.12 * grain[..., None]),
        truth=Truth(depth=0.2),
        texture=0.12,
    )
    for _ in range(int(rng.integers(1, 5))):
        _vessel(
            canvas,
            x=rng.uniform(0.1, 0.9),
            y=max(edge, 0.1) + rng.uniform(0.1, 0.5),
            r=rng.uniform(0.07, 0.3),
        )


def _vessel(canvas: Canvas, *, x: float, y: float, r: float) -> None:
    rng = canvas.rng
    flat, colour = rng.uniform(0.35, 0.9), _colour(canvas)
    shadow = gaussian_filter(
        canvas.ellipse((x - r * 0.9, y - r * flat * 0.6, x + r * 1.3, y + r * flat * 1.2)), 2
    )
    canvas.paint(shadow * 0.5, (0.05, 0.04, 0.04), truth=Truth(depth=0.15))
    light = 1.15 - 0.5 * np.clip((canvas.x - x + r) / (2 * r), 0, 1)[..., None]
    canvas.paint(
        canvas.ellipse((x - r, y - r * flat, x + r, y + r * flat)),
        colour * light,
        truth=NEAR,
        texture=0.06,
    )
    if rng.random() < 0.7:
        rim, drink = (
            _colour(canvas, low=0.5, high=0.97),
            _colour(canvas, low=0.05, high=0.7, warm=1),
        )
        canvas.paint(
            canvas.ellipse((x - r * 0.65, y - r * flat * 0.75, x + r * 0.65, y + r * flat * 0.45)),
            rim,
            truth=NEAR,
        )
        canvas.paint(
            canvas.ellipse((x - r * 0.52, y - r * flat * 0.6, x + r * 0.52, y + r * flat * 0.3)),
            drink,
            truth=NEAR,
        )
    spot = canvas.ellipse((x - r * 0.6, y - r * flat * 0.8, x - r * 0.4, y - r * flat * 0.6))
    canvas.paint(spot * 0.8, (1, 1, 1), truth=NEAR)


def animal(canvas: Canvas) -> None:
    """Paint fur that fills much of the picture, two eyes, a nose and ears."""
    rng = canvas.rng
    _backdrop(canvas)
    fur = np.array([0.62, 0.48, 0.34]) * rng.uniform(0.3, 1.5) + rng.normal(0, 0.05, 3)
    cx, cy, r = rng.uniform(0.35, 0.65), rng.uniform(0.4, 0.6), rng.uniform(0.25, 0.65)
    for s in (-1, 1):
        ear = canvas.polygon(
            [
                (cx + s * r * 0.9, cy - r * 0.3),
                (cx + s * r * 0.85, cy - r * 1.3),
                (cx + s * r * 0.25, cy - r * 0.8),
            ]
        )
        canvas.paint(ear, fur * 0.85, truth=NEAR, texture=0.2)
    stripes = 1 + 0.2 * np.sin(
        np.hypot(canvas.x - cx, canvas.y - cy) * rng.uniform(30, 70)
        + noise(rng, canvas.size, grains=(1, 1, 0, 0)) * 2
    )
    canvas.paint(
        canvas.ellipse((cx - r, cy - r, cx + r, cy + r * 1.2)),
        fur * stripes[..., None],
        truth=NEAR,
        texture=0.2,
        grains=(0.2, 0.5, 0.8, 1),
    )
    for s in (-1, 1):
        x, y, w = cx + s * r * 0.42, cy - r * 0.2, r * 0.17
        canvas.paint(
            canvas.ellipse((x - w, y - w * 0.8, x + w, y + w * 0.8)),
            np.array([0.6, 0.6, 0.25]) * rng.uniform(0.5, 1.3),
            truth=NEAR,
        )
        canvas.paint(
            canvas.ellipse((x - w * 0.3, y - w * 0.7, x + w * 0.3, y + w * 0.7)),
            (0.04, 0.04, 0.04),
            truth=NEAR,
        )
    nose = canvas.polygon(
        [(cx - r * 0.14, cy + r * 0.3), (cx + r * 0.14, cy + r * 0.3), (cx, cy + r * 0.45)]
    )
    canvas.paint(nose, (0.7, 0.4, 0.38), truth=NEAR)


def flower(canvas: Canvas) -> None:
    """Paint blossoms close up before leaves that are out of focus."""
    rng = canvas.rng
    leaves = np.clip(
        np.array([0.2, 0.33, 0.14]) * rng.uniform(0.2, 1.5) + rng.normal(0, 0.03, 3), 0, 1
    )
    canvas.paint(
        np.ones_like(canvas.x),
        leaves,
        truth=Truth(foliage=1, upward=0.3, depth=0.5),
        texture=0.4,
        grains=(1, 0.8, 0.2, 0),
    )
    for _ in range(int(rng.integers(1, 6))):
        x, y, r, colour = (
            rng.uniform(0, 1),
            rng.uniform(0, 1),
            rng.uniform(0.08, 0.35),
            _colour(canvas, low=0.3, high=0.95),
        )
        colour = np.clip(colour + rng.normal(0, 0.25, 3), 0.05, 1)
        turn, petals = rng.uniform(0, 6), int(rng.integers(5, 12))
        boxes = []
        for petal in range(petals):
            a = turn + 2 * np.pi * petal / petals
            px, py, w = x + np.cos(a) * r * 0.6, y + np.sin(a) * r * 0.6, r * 0.42
            boxes.append((px - w, py - w, px + w, py + w))
        shade = 0.7 + 0.5 * np.clip(np.hypot(canvas.x - x, canvas.y - y) / r, 0, 1)[..., None]
        canvas.paint(
            canvas.ellipse(*boxes), colour * shade, truth=Truth(upward=0.4, depth=0.1), texture=0.1
        )
        canvas.paint(
            canvas.ellipse((x - r * 0.2, y - r * 0.2, x + r * 0.2, y + r * 0.2)),
            (0.85, 0.68, 0.2),
            truth=NEAR,
            texture=0.2,
        )


def workshop(canvas: Canvas) -> None:
    """Paint machinery: bars, wheels and boxes before a wall, in a garage or a kitchen."""
    rng = canvas.rng
    _backdrop(canvas)
    floor = rng.uniform(0.6, 0.9)
    canvas.paint(canvas.below(floor), _colour(canvas), truth=Truth(depth=0.2), texture=0.12)
    for _ in range(int(rng.integers(4, 16))):
        x, y, w, h = (
            rng.uniform(-0.1, 1),
            rng.uniform(0, floor),
            rng.uniform(0.02, 0.4),
            rng.uniform(0.02, 0.3),
        )
        slant = rng.normal(0, 0.15)
        bar = [(x, y), (x + w, y + slant), (x + w, y + slant + h), (x, y + h)]
        canvas.paint(canvas.polygon(bar), _colour(canvas), truth=NEAR, texture=0.12)
    for _ in range(int(rng.integers(0, 3))):
        x, y, r = rng.uniform(0.1, 0.9), floor, rng.uniform(0.08, 0.2)
        canvas.paint(canvas.ellipse((x - r, y - r, x + r, y + r)), (0.07, 0.07, 0.08), truth=NEAR)
        canvas.paint(
            canvas.ellipse((x - r * 0.6, y - r * 0.6, x + r * 0.6, y + r * 0.6)),
            _colour(canvas),
            truth=NEAR,
        )


def texture(canvas: Canvas) -> None:
    """Paint plain textures and patches of colour, so that no layout is taken for granted."""
    rng = canvas.rng
    _backdrop(canvas)
    for _ in range(int(rng.integers(2, 9))):
        mask = np.clip(
            noise(rng, canvas.size, grains=rng.uniform(0, 1, 4)) * 3 - rng.uniform(0, 3), 0, 1
        )
        canvas.paint(
            mask,
            np.clip(_colour(canvas) + rng.normal(0, 0.15, 3), 0, 1),
            truth=Truth(depth=0.3),
            texture=0.15,
        )


CLOSE_UPS: dict[str, Callable[[Canvas], None]] = {
    "room": room,
    "person": person,
    "table": table,
    "animal": animal,
    "flower": flower,
    "workshop": workshop,
    "texture": texture,
}
