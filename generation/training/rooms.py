"""Painted rooms: home designs of several kinds, styles, colours and lights, with captions.

They stand in for photographs of homes in the training of the rooms' VAE, and for that VAE where
none is trained; each is a function of its seed and of what is asked for. The caption says what was
painted, in phrases with commas between them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from generation.training.rooms_kinds import KINDS, Decor
from generation.training.rooms_paper import Colour, Plane, RoomPaper, mixed, shaded
from generation.training.rooms_words import (
    ACCENTS,
    CAPTIONED,
    EXTRAS,
    FLOORS,
    SKIES,
    STYLES,
    WALLS,
    Style,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """One painted room.

    Shape:
        - rgb: ``(size, size, 3)`` in [0, 1].
    """

    caption: str
    rgb: Plane


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomPlan:
    """What a room is, and has; all of it in the words of the tables."""

    kind: str
    style: str
    wall: str
    accent: str
    second: str
    floor: str
    light: str
    extras: tuple[str, ...]

    @property
    def caption(self) -> str:
        """What is seen of it; there are no pictures in a bathroom."""
        told = [self.kind, self.style, self.wall, self.accent, self.floor, self.light, *self.extras]
        return ", ".join(it for it in told if self.kind != "bathroom" or it != "pictures")


def paint_room(rng: np.random.Generator, *, size: int, kind: str | None = None) -> Room:
    """Paint a room of a kind (a random one by default)."""
    plan = draw_plan(rng, kind=kind)
    return Room(caption=plan.caption, rgb=furnished(plan, rng, size=size))


def draw_plan(
    rng: np.random.Generator, *, kind: str | None = None, said: Sequence[str] = ()
) -> RoomPlan:
    """Draw what a room is and has; what is said of it is so, and the rest is as without."""

    def drawn(table: Iterable[str], shares: Sequence[float] | None = None) -> str:
        chosen = str(rng.choice(options := list(table), p=shares))
        return next((word for word in said if word in options), chosen)

    name, style = kind or drawn(KINDS), drawn(STYLES)
    wall, accent, second = drawn(WALLS), drawn(ACCENTS), drawn(ACCENTS)
    chosen = str(rng.choice(STYLES[style].floors))
    floor = next((word for word in said if word in FLOORS), chosen)
    light = drawn(SKIES, [0.5, 0.2, 0.3])
    extras = tuple(it for it in EXTRAS if (rng.random() < CAPTIONED) | (it in said))
    return RoomPlan(
        kind=name, style=style, wall=wall, accent=accent, second=second, floor=floor, light=light,
        extras=extras,
    )  # fmt: skip


def furnished(plan: RoomPlan, rng: np.random.Generator, *, size: int) -> Plane:
    """Paint a room by its plan; what a plan leaves open is drawn.

    Shape:
        - returns: ``(size, size, 3)`` in [0, 1].
    """
    style = STYLES[plan.style]
    paper = RoomPaper(
        size=size,
        width=float(rng.uniform(3.8, 4.2)),
        height=2.75,
        depth=3.6,
        aside=float(rng.uniform(-0.2, 0.2)),
    )
    _shell(paper, style=style, wall=WALLS[plan.wall], floor=plan.floor)
    KINDS[plan.kind](paper, rng, _decor(rng, plan))
    _lit(paper, rng, light=plan.light)
    return paper.finished(grain=_grain(rng, size))


def _decor(rng: np.random.Generator, plan: RoomPlan) -> Decor:
    style = STYLES[plan.style]
    neutral = style.fabrics[int(rng.integers(len(style.fabrics)))]
    tone = 1 + 0.06 * float(rng.standard_normal())
    accent = ACCENTS[plan.accent]
    return Decor(
        accent=shaded(accent, tone),
        second=mixed(neutral, ACCENTS[plan.second], 0.3),
        wood=shaded(style.woods[int(rng.integers(len(style.woods)))], tone),
        fabric=accent if rng.random() < 0.3 else neutral,
        frame=style.frame,
        sky=SKIES[plan.light],
        lit={"daylight": 0.0, "sunset": 0.2, "evening": 0.5}[plan.light],
        plants="plants" in plan.extras,
        rug="rug" in plan.extras,
        pictures="pictures" in plan.extras,
    )


def _shell(paper: RoomPaper, *, style: Style, wall: Colour, floor: str) -> None:
    """Paint floor, ceiling and walls, the side walls a little darker, with skirting boards."""
    left, right, high, far, near = paper.left, paper.right, paper.height, paper.depth, -1.8
    paper.face(
        [(left, high, near), (right, high, near), (right, high, far), (left, high, far)],
        mixed(wall, (1, 1, 1), 0.72),
    )
    _floor(paper, floor=floor)
    for edge, factor in ((left, 0.88), (right, 0.8)):
        side = [(edge, 0, near), (edge, high, near), (edge, high, far), (edge, 0, far)]
        paper.face(side, shaded(wall, factor))
        board = [(edge, 0, near), (edge, 0.12, near), (edge, 0.12, far), (edge, 0, far)]
        paper.face(board, shaded((0.93, 0.92, 0.9), factor))
    paper.front((left, right), (0, high), far, wall)
    if style.wall == "bricks":
        _bricks(paper, wall)
    elif style.wall == "panels":
        _panels(paper, wall)
    paper.front((left, right), (0, 0.12), far, (0.93, 0.92, 0.9))
    _corners(paper)


def _floor(paper: RoomPaper, *, floor: str) -> None:
    tone, far, near = FLOORS[floor], paper.depth, -1.8
    whole = [(paper.left, 0, near), (paper.right, 0, near)]
    paper.face([*whole, (paper.right, 0, far), (paper.left, 0, far)], tone)
    step = {"light wood floor": 0.26, "dark wood floor": 0.26, "tiled floor": 0.5}.get(floor)
    if step is None:
        return
    for number, x in enumerate(np.arange(paper.left, paper.right, step)):
        left, right = float(x), min(float(x) + step, paper.right)
        if floor != "tiled floor":
            board = [(left, 0, near), (right, 0, near), (right, 0, far), (left, 0, far)]
            paper.face(board, shaded(tone, (0.93, 1.05, 0.98)[number % 3]))
        else:
            paper.line([(left, 0, near), (left, 0, far)], shaded(tone, 0.8), width=0.02)
    if floor == "tiled floor":
        for z in np.arange(near, far, step):
            line = [(paper.left, 0.0, float(z)), (paper.right, 0.0, float(z))]
            paper.line(line, shaded(tone, 0.8), width=0.025)


def _bricks(paper: RoomPaper, wall: Colour) -> None:
    """Lay bricks over the back wall, coloured between their clay and the wall's paint."""
    clay = mixed(wall, (0.62, 0.36, 0.28), 0.5)
    paper.front(
        (paper.left, paper.right), (0, paper.height), paper.depth, mixed(clay, (1, 1, 1), 0.3)
    )
    for row, y in enumerate(np.arange(0.0, paper.height, 0.18)):
        for number, x in enumerate(np.arange(paper.left - 0.22 * (row % 2), paper.right, 0.44)):
            span = (max(paper.left, float(x) + 0.02), min(paper.right, float(x) + 0.42))
            tone = shaded(clay, (0.92, 1.02, 0.97, 1.08)[(3 * row + 5 * number) % 4])
            paper.front(
                span, (float(y) + 0.02, min(float(y) + 0.16, paper.height)), paper.depth, tone
            )


def _panels(paper: RoomPaper, wall: Colour) -> None:
    """Panel the back wall up to a rail."""
    pale = mixed(wall, (1, 1, 1), 0.45)
    paper.front((paper.left, paper.right), (0, 1.0), paper.depth, pale)
    paper.front((paper.left, paper.right), (1.0, 1.06), paper.depth, shaded(pale, 1.05))
    for x in np.arange(paper.left + 0.1, paper.right - 0.3, 0.62):
        span = (float(x), float(x) + 0.5)
        paper.front(span, (0.22, 0.9), paper.depth, shaded(pale, 0.88))
        paper.front((span[0] + 0.03, span[1] - 0.03), (0.25, 0.87), paper.depth, pale)


def _corners(paper: RoomPaper) -> None:
    """Darken the corners of the room, where less light comes."""
    far = paper.depth
    for width in (0.34, 0.22, 0.12, 0.05):
        for x in (paper.left, paper.right):
            inner = x + width if x < 0 else x - width
            paper.front(
                (min(x, inner), max(x, inner)), (0, paper.height), far, (0, 0, 0), alpha=0.035
            )
        paper.front(
            (paper.left, paper.right),
            (paper.height - width, paper.height),
            far,
            (0, 0, 0),
            alpha=0.035,
        )
        level = [(paper.left, 0.0, far - width), (paper.right, 0.0, far - width)]
        paper.face([*level, (paper.right, 0.0, far), (paper.left, 0.0, far)], (0, 0, 0), alpha=0.05)


def _lit(paper: RoomPaper, rng: np.random.Generator, *, light: str) -> None:
    """Light the room as the hour has it: from a side, low and golden, or by its lamps alone."""
    lamps, paper.light = paper.light - 1, np.ones_like(paper.light)
    side = 1 if rng.random() < 0.5 else -1
    slope = (paper.columns - 0.5)[..., None] * np.float32(side)
    if light == "daylight":
        paper.dim((1.02, 1.02, 1.03))
        paper.light *= 1 + np.float32(0.22) * slope
    elif light == "sunset":
        paper.dim((1.02, 0.84, 0.7))
        paper.light *= 1 + np.float32(0.3) * slope
    else:
        paper.dim((0.5, 0.49, 0.62))
    if light != "evening":
        x = side * float(rng.uniform(0.2, 0.9))
        z = float(rng.uniform(0.3, 1.2))
        patch = [(x - 0.6, 0.0, z), (x + 0.5, 0.0, z), (x + 0.5 - 0.5 * side, 0.0, z + 1.3)]
        warm = (1.0, 0.95, 0.85) if light == "daylight" else (1.0, 0.6, 0.25)
        paper.shaft([*patch, (x - 0.6 - 0.5 * side, 0.0, z + 1.3)], colour=warm, strength=0.22)
    paper.light += lamps


def _grain(rng: np.random.Generator, size: int) -> Plane:
    """Return how brightness varies over the paper, little, so that nothing looks printed."""
    coarse = Image.fromarray(rng.standard_normal((7, 7)).astype(np.float32))
    smooth = coarse.resize((size, size), Image.Resampling.BICUBIC)
    grain: Plane = np.asarray(smooth, np.float32) * np.float32(0.02)
    return grain
