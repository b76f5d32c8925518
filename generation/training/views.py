"""Procedural scenes under the open sky: mountains, city, forest, field, sea, house, tower ..."""

from collections.abc import Callable

import numpy as np

from generation.training.canvas import Canvas, Plane, Truth, noise

SKY = Truth(sky=1, depth=1)


def _skyline(canvas: Canvas, *, base: float, height: float, rough: float) -> Plane:
    """Return one ridge as a row of heights, broadcast over the canvas."""
    rng = canvas.rng
    line = np.zeros(canvas.size, dtype=np.float32)
    for octave, frequency in enumerate((0.7, 1.6, 3.7, 8, 17)):
        phase = rng.uniform(0, 2 * np.pi)
        wave = np.abs(np.sin(np.pi * frequency * canvas.x[0] + phase)) if rough > 0.5 else None
        plain = np.sin(2 * np.pi * frequency * canvas.x[0] + phase)
        line += (plain if wave is None else 1 - 2 * wave) * rough**octave
    ridge: Plane = (base - height * line)[None, :].astype(np.float32)
    return ridge


def sky(canvas: Canvas) -> None:
    """Fill the canvas with a sky: blue, pale, overcast, warm or already dim, with clouds."""
    rng = canvas.rng
    top, low = [
        ((0.25, 0.48, 0.85), (0.72, 0.85, 0.95)),
        ((0.45, 0.65, 0.9), (0.85, 0.9, 0.95)),
        ((0.72, 0.78, 0.84), (0.9, 0.91, 0.92)),
        ((0.88, 0.93, 0.98), (0.97, 0.97, 0.96)),
        ((0.5, 0.55, 0.62), (0.75, 0.76, 0.76)),
        ((0.5, 0.55, 0.75), (0.95, 0.8, 0.65)),
        ((0.1, 0.17, 0.35), (0.3, 0.38, 0.55)),
    ][rng.choice(7, p=[0.24, 0.2, 0.14, 0.18, 0.1, 0.07, 0.07])]
    blend = np.clip(canvas.y / rng.uniform(0.5, 1.0), 0, 1)[..., None]
    colour = np.array(top) * (1 - blend) + np.array(low) * blend
    colour = colour * (1 + rng.normal(0, 0.05, 3))
    canvas.paint(np.ones_like(canvas.x), colour, truth=SKY, texture=0.015)
    if rng.random() < 0.6:
        cover = noise(rng, canvas.size, grains=(1, 0.7, 0.35, 0)) + rng.uniform(-1, 0.5)
        cloud = np.clip(cover, 0, 1) * rng.uniform(0.3, 0.95)
        canvas.paint(cloud, (0.96, 0.96, 0.97), truth=SKY, texture=0.05)


def _green(canvas: Canvas) -> Plane:
    """Return a random leaf or grass colour."""
    rng = canvas.rng
    base = np.array([0.16, 0.3, 0.1]) + rng.uniform(0, 1) * np.array([0.25, 0.25, 0.1])
    colour: Plane = (base + rng.normal(0, 0.03, 3)).astype(np.float32)
    return colour


def _ground(canvas: Canvas, horizon: Plane | float, *, colour: Plane | None = None) -> None:
    """Paint the ground from the horizon to the viewer: grass, earth, sand, stone or street."""
    rng = canvas.rng
    grassy = colour is None and rng.random() < 0.55
    if colour is None:
        options = [(0.55, 0.47, 0.36), (0.75, 0.67, 0.5), (0.48, 0.47, 0.46), (0.3, 0.3, 0.32)]
        colour = _green(canvas) if grassy else np.array(options[rng.integers(4)], np.float32)
    truth = Truth(ground=1, upward=1, foliage=float(grassy), depth=0.3)
    mask = canvas.below(horizon)
    canvas.paint(mask, colour, truth=truth, texture=0.16, grains=(0.4, 0.5, 0.7, 0.8))
    line = np.broadcast_to(np.asarray(horizon, np.float32), canvas.y.shape)
    near = np.clip((canvas.y - line) / np.maximum(1 - line, 0.05), 0, 1)
    canvas.truth[..., 5] += mask * ((1 - near) ** 2 * 0.75 + 0.03 - canvas.truth[..., 5])


def trees(canvas: Canvas, *, feet: float, count: int, height: float, depth: float) -> None:
    """Paint a row of trees, round or pointed, with trunks."""
    rng = canvas.rng
    crowns, cones, trunks = [], [], []
    for _ in range(count):
        x, tall = rng.uniform(-0.05, 1.05), height * rng.uniform(0.6, 1.2)
        wide, foot = tall * rng.uniform(0.22, 0.4), feet + rng.uniform(-0.02, 0.03)
        trunks.append((x - wide * 0.09, foot - tall * 0.5, x + wide * 0.09, foot))
        if rng.random() < 0.4:
            cones.append(
                [(x - wide, foot - tall * 0.15), (x, foot - tall), (x + wide, foot - 0.1 * tall)]
            )
            continue
        for _ in range(5):
            cx, cy = x + rng.normal(0, wide * 0.4), foot - tall * rng.uniform(0.45, 0.85)
            r = wide * rng.uniform(0.35, 0.7)
            crowns.append((cx - r, cy - r, cx + r, cy + r))
    canvas.paint(canvas.box(*trunks), (0.25, 0.18, 0.13), truth=Truth(depth=depth), texture=0.2)
    leaves = np.maximum(canvas.ellipse(*crowns), canvas.polygon(*cones))
    leaves = leaves * np.clip(0.75 + 0.5 * noise(rng, canvas.size, grains=(0, 0, 1, 1)), 0, 1)
    truth = Truth(foliage=1, upward=0.6, depth=depth)
    canvas.paint(leaves, _green(canvas), truth=truth, texture=0.35, grains=(0.2, 0.4, 0.8, 1))


def mountains(canvas: Canvas) -> None:
    """Paint ridges that pale with distance, some wooded, and land or a lake before them."""
    rng = canvas.rng
    sky(canvas)
    count, base = int(rng.integers(2, 6)), rng.uniform(0.3, 0.5)
    rock = np.array([0.36, 0.34, 0.36]) + rng.normal(0, 0.06, 3)
    for index in range(count):
        depth = 0.9 - 0.65 * index / count
        line = _skyline(
            canvas, base=base + 0.09 * index, height=rng.uniform(0.05, 0.12), rough=0.55
        )
        wooded = rng.random() < 0.5
        colour = (_green(canvas) if wooded else rock) * (1 - depth * 0.6) + depth * 0.45
        truth = Truth(foliage=0.8 * wooded, upward=0.7, depth=depth)
        canvas.paint(canvas.below(line), colour, truth=truth, texture=0.22)
    horizon = base + 0.09 * count + rng.uniform(0, 0.08)
    if rng.random() < 0.3:
        _water(canvas, horizon)
        return
    _ground(canvas, _skyline(canvas, base=horizon, height=0.02, rough=0.4))
    trees(canvas, feet=horizon + 0.06, count=int(rng.integers(0, 9)), height=0.2, depth=0.25)


def _water(canvas: Canvas, horizon: float) -> None:
    """Paint water: darker towards the viewer, with a few waves."""
    rng = canvas.rng
    colour = np.array([0.3, 0.45, 0.55]) + rng.normal(0, 0.08, 3)
    waves = np.sin(
        canvas.y**1.5 * rng.uniform(60, 120) + noise(rng, canvas.size, grains=(1, 1, 0, 0)) * 2
    )
    shade = 1 + 0.08 * waves[..., None] + 0.3 * (1 - canvas.y[..., None])
    canvas.paint(canvas.below(horizon), colour * shade, truth=Truth(ground=0.5, depth=0.5))


def _facade(canvas: Canvas, box: tuple[float, float, float, float], *, depth: float) -> None:
    """Paint one building with a flat roof's edge and a grid of windows."""
    rng = canvas.rng
    left, top, right, bottom = box
    wall = rng.uniform(0.25, 0.9) * (1 + rng.normal(0, 0.12, 3)) * np.array([1.03, 1, 0.96])
    shade = 1 - 0.25 * (canvas.x[..., None] > (left + right) / 2 + rng.uniform(-0.1, 0.1))
    canvas.paint(canvas.box(box), wall * shade, truth=Truth(depth=depth), texture=0.1)
    edge = (left, top, right, top + 0.018)
    canvas.paint(canvas.box(edge), wall * 0.85, truth=Truth(upward=1, depth=depth))
    columns = max(1, int((right - left) / rng.uniform(0.035, 0.08)))
    rows = max(1, int((bottom - top) / rng.uniform(0.05, 0.09)))
    dx, dy = (right - left) / columns, (bottom - top) / rows
    fill = rng.uniform(0.35, 0.65)
    panes = [
        (left + (c + 0.5 - fill / 2) * dx, top + 0.02 + (r + 0.5 - fill / 2) * dy,
         left + (c + 0.5 + fill / 2) * dx, top + 0.02 + (r + 0.5 + fill / 2) * dy)
        for c in range(columns) for r in range(rows)
    ]  # fmt: skip
    lit = [pane for pane in panes if rng.random() < 0.55]
    glass = np.array([0.35, 0.42, 0.5]) * rng.uniform(0.5, 1.7)
    canvas.paint(canvas.box(*panes), glass, truth=Truth(depth=depth), texture=0.2)
    canvas.truth[..., 4] = np.maximum(canvas.truth[..., 4], canvas.box(*lit))


def city(canvas: Canvas) -> None:
    """Paint rows of buildings behind a street."""
    rng = canvas.rng
    sky(canvas)
    street = rng.uniform(0.72, 0.9)
    for row, depth in enumerate((0.8, 0.5, 0.25)):
        x = rng.uniform(-0.2, 0.0)
        while x < 1:
            wide = rng.uniform(0.08, 0.24) * (1 + 0.3 * row)
            top = street - rng.uniform(0.15, 0.55) * (1 - 0.15 * row)
            if rng.random() < 0.85 - 0.25 * row:
                _facade(canvas, (x, top, x + wide, street + 0.02), depth=depth)
            x += wide + rng.uniform(0, 0.08)
    grey = np.full(3, rng.uniform(0.25, 0.55), np.float32)
    _ground(canvas, street, colour=grey)
    trees(canvas, feet=street + 0.04, count=int(rng.integers(0, 6)), height=0.17, depth=0.2)


def forest(canvas: Canvas) -> None:
    """Paint trees behind trees, a path, and little sky."""
    rng = canvas.rng
    sky(canvas)
    ground = rng.uniform(0.6, 0.85)
    _ground(canvas, _skyline(canvas, base=ground, height=0.02, rough=0.5))
    for depth in (0.75, 0.5, 0.25):
        size = 0.75 - 0.35 * depth
        foot = ground + 0.12 * (0.8 - depth)
        trees(canvas, feet=foot, count=int(rng.integers(6, 14)), height=size, depth=depth)


def field(canvas: Canvas) -> None:
    """Paint rolling land with trees, sometimes a house or flowers."""
    rng = canvas.rng
    sky(canvas)
    horizon = rng.uniform(0.35, 0.65)
    for index in range(int(rng.integers(1, 4))):
        _ground(canvas, _skyline(canvas, base=horizon + 0.1 * index, height=0.03, rough=0.35))
    trees(canvas, feet=horizon + 0.05, count=int(rng.integers(1, 8)), height=0.22, depth=0.45)
    if rng.random() < 0.4:
        dots = np.clip(noise(rng, canvas.size, grains=(0.3, 0, 0, 1)) * 2 - 1.5, 0, 1)
        mask = dots * canvas.below(horizon + 0.15)
        canvas.paint(mask, rng.uniform(0.4, 1, 3), truth=Truth(foliage=0.7, ground=1, upward=1))


def sea(canvas: Canvas) -> None:
    """Paint water to the horizon, a beach and boats."""
    rng = canvas.rng
    sky(canvas)
    horizon = rng.uniform(0.35, 0.6)
    _water(canvas, horizon)
    for _ in range(int(rng.integers(0, 4))):
        x, y, s = rng.uniform(0, 1), horizon + rng.uniform(0.01, 0.2), rng.uniform(0.03, 0.09)
        sail = canvas.polygon([(x, y), (x, y - 2 * s), (x + s, y)])
        canvas.paint(sail, (0.93, 0.92, 0.9), truth=Truth(depth=0.5))
        hull = canvas.polygon(
            [(x - s, y), (x + s, y), (x + s * 0.6, y + s / 3), (x - s * 0.6, y + s / 3)]
        )
        canvas.paint(hull, rng.uniform(0.1, 0.8, 3), truth=Truth(depth=0.5))
    if rng.random() < 0.6:
        line = _skyline(canvas, base=rng.uniform(0.75, 0.95), height=0.03, rough=0.3)
        _ground(canvas, line, colour=np.array([0.78, 0.69, 0.52], np.float32))


def house(canvas: Canvas) -> None:
    """Paint a house with roof, windows and door on a lawn."""
    rng = canvas.rng
    sky(canvas)
    horizon = rng.uniform(0.6, 0.78)
    trees(canvas, feet=horizon + 0.02, count=int(rng.integers(2, 9)), height=0.4, depth=0.6)
    _ground(canvas, _skyline(canvas, base=horizon, height=0.01, rough=0.4))
    left, wide, tall = rng.uniform(0.1, 0.4), rng.uniform(0.3, 0.5), rng.uniform(0.2, 0.36)
    top, foot = horizon - tall + 0.06, horizon + 0.08
    _facade(canvas, (left, top, left + wide, foot), depth=0.3)
    over, peak = 0.04, rng.uniform(0.1, 0.24)
    inset = wide * rng.choice([0.5, 0.3, 0.12])
    roof = [
        (left - over, top),
        (left + inset, top - peak),
        (left + wide - inset, top - peak),
        (left + wide + over, top),
    ]
    colour = np.array([0.45, 0.25, 0.2]) * rng.uniform(0.5, 1.4) + rng.normal(0, 0.05, 3)
    canvas.paint(canvas.polygon(roof), colour, truth=Truth(upward=1, depth=0.3), texture=0.18)
    x = left + wide * rng.uniform(0.3, 0.6)
    door = canvas.box((x, foot - tall * 0.45, x + 0.06, foot))
    canvas.paint(door, rng.uniform(0.1, 0.6, 3), truth=Truth(depth=0.3))
    trees(canvas, feet=foot + 0.08, count=int(rng.integers(0, 4)), height=0.35, depth=0.12)


def tower(canvas: Canvas) -> None:
    """Paint something tall against the sky: storeys with eaves, a spire, a mast, a rocket."""
    rng = canvas.rng
    sky(canvas)
    horizon = rng.uniform(0.75, 0.92)
    trees(canvas, feet=horizon, count=int(rng.integers(3, 12)), height=0.3, depth=0.4)
    _ground(canvas, _skyline(canvas, base=horizon, height=0.02, rough=0.5))
    x, storeys, wide = rng.uniform(0.3, 0.7), int(rng.integers(1, 6)), rng.uniform(0.04, 0.24)
    top, wall, eave = rng.uniform(0.1, 0.3), rng.uniform(0.15, 0.9, 3), rng.uniform(0.1, 0.6, 3)
    each = (horizon + 0.04 - top) / storeys
    for index in range(storeys):
        y, half = top + index * each, wide * (0.6 + 0.4 * (index + 1) / storeys)
        body = (x - half, y + each * 0.3, x + half, y + each)
        if wide > 0.1:
            _facade(canvas, body, depth=0.3)
        else:
            canvas.paint(canvas.box(body), wall, truth=Truth(depth=0.3), texture=0.15)
        roof = [
            (x - half * 1.35, y + each * 0.34),
            (x - half * 0.6, y),
            (x + half * 0.6, y),
            (x + half * 1.35, y + each * 0.34),
        ]
        canvas.paint(canvas.polygon(roof), eave, truth=Truth(upward=0.8, depth=0.3), texture=0.2)
    trees(canvas, feet=1.05, count=int(rng.integers(0, 7)), height=0.35, depth=0.08)


def road(canvas: Canvas) -> None:
    """Paint a vehicle on a road, outdoors."""
    rng = canvas.rng
    (city if rng.random() < 0.4 else field)(canvas)
    street = rng.uniform(0.6, 0.75)
    _ground(canvas, street, colour=np.full(3, rng.uniform(0.25, 0.5), np.float32))
    left, wide, foot = rng.uniform(0.08, 0.35), rng.uniform(0.4, 0.6), rng.uniform(0.8, 0.92)
    tall, colour = wide * rng.uniform(0.2, 0.32), rng.uniform(0.05, 0.95, 3)
    body = canvas.box((left, foot - tall, left + wide, foot))
    cabin = [
        (left + 0.18 * wide, foot - tall),
        (left + 0.3 * wide, foot - 1.8 * tall),
        (left + 0.7 * wide, foot - 1.8 * tall),
        (left + 0.88 * wide, foot - tall),
    ]
    gloss = 1 + 0.5 * np.exp(-(((canvas.y - foot + tall) / 0.04) ** 2))[..., None]
    canvas.paint(
        np.maximum(body, canvas.polygon(cabin)), colour * gloss, truth=Truth(upward=0.3, depth=0.1)
    )
    glass = [
        (x * 0.84 + 0.16 * (left + wide / 2), y * 0.84 + 0.16 * (foot - 1.3 * tall))
        for x, y in cabin
    ]
    canvas.paint(canvas.polygon(glass), (0.2, 0.25, 0.3), truth=Truth(depth=0.1))
    for at in (0.22, 0.78):
        cx, r = left + at * wide, tall * 0.45
        wheel = canvas.ellipse((cx - r, foot - r, cx + r, foot + r))
        canvas.paint(wheel, (0.08, 0.08, 0.09), truth=Truth(depth=0.1))
    lamp = canvas.ellipse((left + wide - 0.04, foot - tall * 0.8, left + wide, foot - tall * 0.5))
    canvas.paint(lamp, (0.95, 0.93, 0.85), truth=Truth(light=1, depth=0.1))


VIEWS: dict[str, Callable[[Canvas], None]] = {
    "mountains": mountains,
    "city": city,
    "forest": forest,
    "field": field,
    "sea": sea,
    "house": house,
    "tower": tower,
    "road": road,
}
