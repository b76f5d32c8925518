"""Things that stand in painted rooms, each of a few flat faces; lengths are metres."""

import math

import numpy as np

from generation.training.rooms_paper import Colour, RoomPaper, mixed, shaded

DARK: Colour = (0.13, 0.13, 0.15)
WHITE: Colour = (0.95, 0.94, 0.92)
METAL: Colour = (0.62, 0.64, 0.66)
WARM: Colour = (1.0, 0.78, 0.45)


def legs(
    paper: RoomPaper,
    *,
    x: tuple[float, float],
    z: tuple[float, float],
    high: float,
    colour: Colour,
    thick: float = 0.05,
) -> None:
    """Paint four legs, the far ones first."""
    for end in (z[1] - thick, z[0]):
        for left in (x[0], x[1] - thick):
            paper.block((left, left + thick), (0, high), (end, end + thick), colour)


def sofa(
    paper: RoomPaper, *, x: float, z: float, wide: float, colour: Colour, pillow: Colour
) -> None:
    """Paint a sofa whose seat is ``z`` before its back."""
    left, right, arm = x - wide / 2, x + wide / 2, 0.17
    paper.shadow((left, right), (z, z + 0.9))
    paper.block(
        (left, right), (0.06, 0.86), (z + 0.65, z + 0.9), shaded(colour, 0.9), round_by=0.08
    )
    paper.block((left + arm, right - arm), (0.08, 0.42), (z + 0.04, z + 0.66), shaded(colour, 0.95))
    seats = 3 if wide > 1.9 else 2
    each = (wide - 2 * arm) / seats
    for seat in range(seats):
        start = left + arm + seat * each
        span = (start + 0.015, start + each - 0.015)
        paper.front(span, (0.42, 0.8), z + 0.62, shaded(colour, 1.02), round_by=0.07)
        paper.block(span, (0.3, 0.46), (z, z + 0.6), shaded(colour, 1.1), round_by=0.04)
    for start in (left, right - arm):
        paper.block((start, start + arm), (0.06, 0.6), (z, z + 0.85), colour, round_by=0.06)
    for at in (left + arm + 0.2, right - arm - 0.22):
        paper.front((at - 0.19, at + 0.19), (0.45, 0.78), z + 0.5, pillow, round_by=0.08)


def armchair(paper: RoomPaper, *, x: float, z: float, colour: Colour) -> None:
    """Paint an armchair."""
    paper.shadow((x - 0.42, x + 0.42), (z, z + 0.75))
    paper.block(
        (x - 0.38, x + 0.38), (0.15, 0.95), (z + 0.55, z + 0.75), shaded(colour, 0.9), round_by=0.1
    )
    paper.block((x - 0.3, x + 0.3), (0.15, 0.44), (z, z + 0.6), shaded(colour, 1.08), round_by=0.05)
    for start in (x - 0.42, x + 0.3):
        paper.block((start, start + 0.12), (0.12, 0.6), (z, z + 0.7), colour, round_by=0.05)


def table(
    paper: RoomPaper,
    *,
    x: float,
    z: float,
    wide: float,
    deep: float,
    high: float,
    colour: Colour,
    leg: Colour,
) -> None:
    """Paint a table."""
    left, right = x - wide / 2, x + wide / 2
    paper.shadow((left, right), (z, z + deep), dark=0.22)
    legs(paper, x=(left + 0.03, right - 0.03), z=(z + 0.03, z + deep - 0.03), high=high, colour=leg)
    paper.block((left, right), (high, high + 0.06), (z, z + deep), colour)


def chair(paper: RoomPaper, *, x: float, z: float, colour: Colour, leg: Colour, away: bool) -> None:
    """Paint a chair; ``away`` from the viewer, so that its back is seen, or facing them."""
    paper.shadow((x - 0.22, x + 0.22), (z, z + 0.45), dark=0.18)
    legs(paper, x=(x - 0.2, x + 0.2), z=(z + 0.02, z + 0.42), high=0.44, colour=leg, thick=0.04)
    back = z + 0.4 if not away else z
    if not away:
        paper.front((x - 0.21, x + 0.21), (0.46, 0.95), back, shaded(colour, 0.85), round_by=0.06)
    paper.block((x - 0.22, x + 0.22), (0.44, 0.5), (z, z + 0.44), shaded(colour, 1.05))
    if away:
        paper.front((x - 0.21, x + 0.21), (0.5, 0.95), back, colour, round_by=0.06)


def bed(
    paper: RoomPaper, *, x: float, wide: float, cover: Colour, frame: Colour, pillow: Colour
) -> None:
    """Paint a bed whose head is at the back wall."""
    back = paper.depth
    left, right, near = x - wide / 2, x + wide / 2, back - 2.0
    paper.shadow((left, right), (near, back))
    paper.block((left - 0.06, right + 0.06), (0.1, 1.05), (back - 0.1, back), frame, round_by=0.08)
    paper.block((left, right), (0.08, 0.3), (near, back - 0.1), shaded(frame, 0.9))
    paper.block(
        (left + 0.02, right - 0.02), (0.28, 0.5), (near + 0.02, back - 0.1), WHITE, round_by=0.05
    )
    for middle in (x - wide / 4, x + wide / 4):
        half = wide / 5.2
        paper.front(
            (middle - half, middle + half),
            (0.5, 0.82),
            back - 0.2,
            shaded(WHITE, 0.9),
            round_by=0.1,
        )
        paper.front((middle - half, middle + half), (0.5, 0.76), back - 0.32, WHITE, round_by=0.1)
    paper.front((x - 0.22, x + 0.22), (0.5, 0.72), back - 0.42, pillow, round_by=0.08)
    paper.block(
        (left - 0.02, right + 0.02), (0.16, 0.53), (near - 0.01, back - 0.85), cover, round_by=0.05
    )
    fold = [(left - 0.02, 0.535, back - 1.0), (right + 0.02, 0.535, back - 1.0)]
    turned = [(right + 0.02, 0.535, back - 0.8), (left - 0.02, 0.535, back - 0.8)]
    paper.face([*fold, *turned], shaded(mixed(cover, WHITE, 0.55), 1.05))


def cupboard(
    paper: RoomPaper,
    *,
    x: tuple[float, float],
    y: tuple[float, float],
    deep: float,
    colour: Colour,
    doors: int,
    handle: Colour = METAL,
    far: float | None = None,
) -> None:
    """Paint a cupboard against the back wall, with doors and handles."""
    back = paper.depth if far is None else far
    near = back - deep
    if y[0] < 0.3:
        paper.shadow(x, (near, back), dark=0.22)
    paper.block(x, y, (near, back), colour)
    each = (x[1] - x[0]) / doors
    for door in range(doors):
        start = x[0] + door * each
        panel = (start + 0.03, start + each - 0.03)
        paper.front(panel, (y[0] + 0.04, y[1] - 0.04), near, shaded(colour, 0.9))
        paper.front(
            (panel[0] + 0.015, panel[1] - 0.015), (y[0] + 0.055, y[1] - 0.055), near,
            shaded(colour, 1.04),
        )  # fmt: skip
        at = panel[1] - 0.07 if door % 2 == 0 else panel[0] + 0.04
        grip = 0.5 * (y[0] + y[1])
        paper.front((at, at + 0.03), (grip - 0.08, grip + 0.08), near, handle)


def bookshelf(
    paper: RoomPaper,
    rng: np.random.Generator,
    *,
    x: tuple[float, float],
    high: float,
    colour: Colour,
    accent: Colour,
) -> None:
    """Paint shelves of books against the back wall."""
    back = paper.depth
    near = back - 0.3
    paper.shadow(x, (near, back), dark=0.22)
    paper.block(x, (0, high), (near, back), colour)
    shelves = max(3, round(high / 0.42))
    each = high / shelves
    for shelf in range(shelves):
        low = shelf * each + 0.04
        paper.front(
            (x[0] + 0.05, x[1] - 0.05), (low, low + each - 0.06), near, shaded(colour, 0.45)
        )
        at = x[0] + 0.07
        while at < x[1] - 0.16:
            thick = rng.uniform(0.06, 0.12)
            tall = (each - 0.08) * rng.uniform(0.6, 0.98)
            tone = mixed(rng.uniform(0.15, 0.85, 3), accent, rng.uniform(0.2, 0.9))
            if rng.random() < 0.85:
                paper.front((at, at + thick - 0.01), (low, low + tall), near, tone)
            at += thick


def rug(
    paper: RoomPaper,
    *,
    x: tuple[float, float],
    z: tuple[float, float],
    colour: Colour,
    second: Colour,
    pattern: int,
) -> None:
    """Lay a rug: bordered, striped, or round."""
    (left, right), (near, far) = x, z
    if pattern == 2:
        middle, deep = (0.5 * (left + right), 0.5 * (near + far)), 0.5 * (far - near)
        for share, tone in ((1.0, second), (0.86, colour), (0.5, second), (0.42, colour)):
            ring = [
                (
                    middle[0] + share * 0.5 * (right - left) * math.cos(turn),
                    0.0,
                    middle[1] + share * deep * math.sin(turn),
                )
                for turn in np.linspace(0, 2 * math.pi, 40, endpoint=False)
            ]
            paper.face(ring, tone)
        return
    _flat(paper, (left, right), (near, far), second if pattern == 0 else colour)
    if pattern == 0:
        _flat(paper, (left + 0.12, right - 0.12), (near + 0.12, far - 0.12), colour)
        _flat(
            paper, (left + 0.3, right - 0.3), (near + 0.3, far - 0.3), mixed(colour, second, 0.35)
        )
    else:
        for stripe in np.linspace(near, far, 8)[:-1:2]:
            _flat(paper, (left, right), (float(stripe), float(stripe) + (far - near) / 9), second)


def _flat(paper: RoomPaper, x: tuple[float, float], z: tuple[float, float], colour: Colour) -> None:
    paper.face([(x[0], 0, z[0]), (x[1], 0, z[0]), (x[1], 0, z[1]), (x[0], 0, z[1])], colour)


def plant(
    paper: RoomPaper,
    rng: np.random.Generator,
    *,
    x: float,
    z: float,
    high: float,
    pot: Colour,
    y: float = 0.0,
) -> None:
    """Paint a plant in a pot; one of broad leaves or of blades."""
    r = 0.11 + 0.06 * high
    if y == 0:
        paper.shadow((x - r, x + r), (z - r, z + r), dark=0.22)
    rim = y + r * 1.7
    paper.face([(x - r * 0.75, y, z), (x + r * 0.75, y, z), (x + r, rim, z), (x - r, rim, z)], pot)
    green = mixed((0.16, 0.36, 0.16), (0.4, 0.56, 0.25), float(rng.random()))
    for number in range(18):
        angle = rng.normal(0, 0.75)
        length = high * rng.uniform(0.45, 0.95)
        tone = shaded(green, rng.uniform(0.65, 1.3) * (0.8 + 0.02 * number))
        stem = (x + rng.normal(0, r / 4), rim + rng.uniform(0, 0.25) * high, z)
        paper.leaf(stem, angle=angle, length=length * 0.7, wide=0.13 * (0.5 + high), colour=tone)


def picture(
    paper: RoomPaper,
    rng: np.random.Generator,
    *,
    x: float,
    y: float,
    wide: float,
    high: float,
    frame: Colour,
    accent: Colour,
) -> None:
    """Hang a framed picture on the back wall: hills under a sun, or flat shapes."""
    z, left, right, low, top = paper.depth, x - wide / 2, x + wide / 2, y - high / 2, y + high / 2
    paper.front((left - 0.02, right + 0.05), (low - 0.05, top), z, (0.1, 0.08, 0.08), alpha=0.25)
    paper.front((left - 0.03, right + 0.03), (low - 0.03, top + 0.03), z, frame)
    paper.front((left, right), (low, top), z, mixed(WHITE, accent, 0.12))
    at = x + rng.uniform(-0.2, 0.2) * wide
    paper.disc((at, y + 0.15 * high, z), radius=0.2 * min(wide, high), colour=accent)
    hill = [(left, low, z), (left, y - 0.1 * high, z), (x, y + rng.uniform(-0.2, 0.1) * high, z)]
    paper.face([*hill, (right, y - 0.25 * high, z), (right, low, z)], shaded(accent, 0.55))


def window(
    paper: RoomPaper,
    rng: np.random.Generator,
    *,
    x: tuple[float, float],
    y: tuple[float, float],
    sky: tuple[Colour, Colour],
    curtain: Colour | None,
) -> None:
    """Paint a window in the back wall, with what is seen outside, and curtains."""
    z, (low, top) = paper.depth, y
    paper.front((x[0] - 0.07, x[1] + 0.07), (low - 0.07, top + 0.07), z, WHITE)
    for step in range(8):
        share = step / 8
        paper.front(x, (low, top - share * (top - low)), z, mixed(sky[0], sky[1], share))
    hills = mixed((0.3, 0.42, 0.28), sky[1], 0.35) * np.float32(
        0.25 + 0.75 * float(np.mean(sky[1]))
    )
    ridge = [
        (
            float(at),
            low + (top - low) * (0.18 + 0.1 * math.sin(3 * float(at) + rng.uniform(0, 6))),
            z,
        )
        for at in np.linspace(x[0], x[1], 6)
    ]
    paper.face([(x[0], low, z), *ridge, (x[1], low, z)], hills)
    bars = 3 if x[1] - x[0] > 1.3 else 2
    for bar in range(1, bars):
        at = x[0] + bar * (x[1] - x[0]) / bars
        paper.front((at - 0.025, at + 0.025), y, z, WHITE)
    paper.front((x[0] - 0.1, x[1] + 0.1), (low - 0.13, low - 0.06), z, shaded(WHITE, 0.88))
    if curtain is not None:
        _curtains(paper, x=x, top=top + 0.16, low=max(0.05, low - 0.7), colour=curtain)


def _curtains(
    paper: RoomPaper, *, x: tuple[float, float], top: float, low: float, colour: Colour
) -> None:
    z = paper.depth - 0.04
    for start in (x[0] - 0.32, x[1] - 0.06):
        for fold in range(4):
            at = start + fold * 0.095
            tone = shaded(colour, 1.06 if fold % 2 == 0 else 0.86)
            paper.front((at, at + 0.1), (low, top), z, tone)
    paper.front((x[0] - 0.4, x[1] + 0.4), (top - 0.01, top + 0.04), z, (0.3, 0.26, 0.24))


def floor_lamp(paper: RoomPaper, *, x: float, z: float, shade: Colour, lit: float) -> None:
    """Paint a standing lamp, lit as far as ``lit`` says."""
    paper.shadow((x - 0.14, x + 0.14), (z - 0.1, z + 0.1), dark=0.2)
    paper.line([(x, 0, z), (x, 1.5, z)], DARK, width=0.035)
    paper.disc((x, 0.02, z), radius=0.14, colour=DARK, flat=0.3)
    _shade(paper, x=x, y=1.42, z=z, size=0.2, colour=shade, lit=lit)


def table_lamp(
    paper: RoomPaper, *, x: float, y: float, z: float, shade: Colour, lit: float
) -> None:
    """Paint a lamp that stands on something."""
    paper.front((x - 0.04, x + 0.04), (y, y + 0.24), z, (0.55, 0.42, 0.3), round_by=0.03)
    _shade(paper, x=x, y=y + 0.2, z=z, size=0.15, colour=shade, lit=lit)


def pendant(
    paper: RoomPaper, *, x: float, y: float, z: float, shade: Colour, lit: float, size: float = 0.19
) -> None:
    """Hang a lamp from the ceiling."""
    paper.line([(x, paper.height, z), (x, y, z)], DARK, width=0.02)
    _shade(paper, x=x, y=y - size, z=z, size=size, colour=shade, lit=lit)


def _shade(
    paper: RoomPaper, *, x: float, y: float, z: float, size: float, colour: Colour, lit: float
) -> None:
    tone = mixed(colour, (1.0, 0.93, 0.75), 0.75 * lit)
    corners = [(x - size, y, z), (x + size, y, z), (x + 0.55 * size, y + 1.4 * size, z)]
    paper.face([*corners, (x - 0.55 * size, y + 1.4 * size, z)], tone)
    if lit > 0:
        paper.glow((x, y, z), radius=1.5, colour=WARM, strength=lit)


def vase(
    paper: RoomPaper, rng: np.random.Generator, *, x: float, y: float, z: float, colour: Colour
) -> None:
    """Paint a vase with a few flowers."""
    for number in range(5):
        tip = (x + (number - 2) * 0.06, y + 0.32 + rng.uniform(-0.04, 0.08), z)
        paper.line([(x, y + 0.1, z), tip], (0.25, 0.42, 0.2), width=0.015)
        paper.disc(tip, radius=0.045, colour=mixed(colour, WHITE, 0.3 * (number % 2)))
    paper.front((x - 0.055, x + 0.055), (y, y + 0.17), z, mixed(colour, WHITE, 0.7), round_by=0.04)
