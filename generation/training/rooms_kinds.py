"""What stands where in each kind of painted room; all is painted from the back to the front."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from generation.training.rooms_furniture import (
    DARK,
    METAL,
    WARM,
    WHITE,
    armchair,
    bed,
    bookshelf,
    chair,
    cupboard,
    floor_lamp,
    pendant,
    picture,
    plant,
    rug,
    sofa,
    table,
    table_lamp,
    vase,
    window,
)
from generation.training.rooms_paper import Colour, RoomPaper, mixed, shaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Decor:
    """What a room is furnished with.

    Args:
        accent, second: of what stands out: cushions, covers, pictures; and what goes with it.
        wood, fabric, frame: of furniture.
        sky: upper and lower colour outside the window.
        lit: how far lamps are lit, 0 to 1.
        plants, rug, pictures: whether there are any.
    """

    accent: Colour
    second: Colour
    wood: Colour
    fabric: Colour
    frame: Colour
    sky: tuple[Colour, Colour]
    lit: float
    plants: bool
    rug: bool
    pictures: bool


Layout = Callable[[RoomPaper, np.random.Generator, Decor], None]


def living_room(paper: RoomPaper, rng: np.random.Generator, decor: Decor) -> None:
    """Paint a sofa under pictures or a window, a low table, an armchair, a lamp."""
    x = float(rng.uniform(-0.25, 0.25))
    if rng.random() < 0.55:
        curtain = decor.second if rng.random() < 0.6 else None
        window(paper, rng, x=(x - 0.85, x + 0.85), y=(1.15, 2.3), sky=decor.sky, curtain=curtain)
    elif decor.pictures:
        _row_of_pictures(paper, rng, decor, x=x, y=1.75)
    z = paper.depth - 1.15
    wide = float(rng.uniform(1.9, 2.25))
    if rng.random() < 0.5:
        shelf = (paper.right - 0.75, paper.right - 0.02)
        bookshelf(paper, rng, x=shelf, high=2.0, colour=decor.wood, accent=decor.accent)
    if decor.rug:
        rug(
            paper,
            x=(x - 1.25, x + 1.25),
            z=(z - 1.5, z + 0.3),
            colour=mixed(decor.second, WHITE, 0.4),
            second=decor.accent,
            pattern=int(rng.integers(3)),
        )
    sofa(paper, x=x, z=z, wide=wide, colour=decor.fabric, pillow=decor.accent)
    floor_lamp(paper, x=x - wide / 2 - 0.28, z=z + 0.5, shade=WHITE, lit=decor.lit)
    if decor.plants:
        plant(
            paper,
            rng,
            x=x + wide / 2 + 0.32,
            z=z + 0.3,
            high=float(rng.uniform(0.8, 1.2)),
            pot=WHITE,
        )
    table(paper, x=x, z=z - 0.95, wide=1.0, deep=0.5, high=0.34, colour=decor.wood, leg=decor.frame)
    vase(paper, rng, x=x + 0.15, y=0.4, z=z - 0.7, colour=decor.accent)
    if rng.random() < 0.5:
        armchair(paper, x=x - 1.2, z=z - 1.25, colour=decor.second)


def bedroom(paper: RoomPaper, rng: np.random.Generator, decor: Decor) -> None:
    """Paint a bed between night tables with lamps, a wardrobe or a window."""
    x = float(rng.choice([-0.35, 0.0, 0.35])) + float(rng.uniform(-0.08, 0.08))
    wide = float(rng.uniform(1.45, 1.7))
    if abs(x) > 0.2:
        side = -np.sign(x)
        span = (side * 1.35 - 0.4, side * 1.35 + 0.4)
        if rng.random() < 0.5:
            window(paper, rng, x=span, y=(0.95, 2.25), sky=decor.sky, curtain=decor.second)
        else:
            cupboard(paper, x=span, y=(0.05, 2.15), deep=0.5, colour=decor.wood, doors=2)
    if decor.pictures:
        _row_of_pictures(paper, rng, decor, x=x, y=1.75)
    if decor.rug:
        rug(
            paper,
            x=(x - wide / 2 - 0.5, x + wide / 2 + 0.5),
            z=(paper.depth - 2.5, paper.depth - 0.9),
            colour=mixed(decor.second, WHITE, 0.5),
            second=decor.second,
            pattern=int(rng.integers(2)),
        )
    for at in (x - wide / 2 - 0.32, x + wide / 2 + 0.32):
        cupboard(
            paper, x=(at - 0.22, at + 0.22), y=(0.02, 0.5), deep=0.4, colour=decor.wood, doors=1
        )
        table_lamp(paper, x=at, y=0.5, z=paper.depth - 0.25, shade=WHITE, lit=decor.lit)
    bed(paper, x=x, wide=wide, cover=decor.accent, frame=decor.frame, pillow=decor.second)
    if decor.plants:
        side = 1 if x < 0 else -1
        plant(paper, rng, x=side * 1.5, z=paper.depth - 1.2, high=0.9, pot=decor.second)


def kitchen(paper: RoomPaper, rng: np.random.Generator, decor: Decor) -> None:
    """Paint cupboards above and below a worktop, a cooker, a fridge, an island with stools."""
    back, fronts = paper.depth, decor.accent if rng.random() < 0.6 else decor.wood
    paper.front((paper.left, paper.right), (0.9, 1.5), back, mixed(WHITE, decor.second, 0.15))
    for at in np.arange(paper.left, paper.right, 0.2):
        paper.front((float(at), float(at) + 0.015), (0.9, 1.5), back, (0.78, 0.77, 0.75))
    flip = -1 if rng.random() < 0.5 else 1
    fridge = sorted((flip * 1.85, flip * 1.15))
    span = (-1.85, 1.15) if flip > 0 else (-1.15, 1.85)
    cooker = float(rng.uniform(-0.35, 0.35))
    glazed = rng.random() < 0.4
    if glazed:
        window(
            paper, rng, x=(cooker - 0.6, cooker + 0.6), y=(1.35, 2.2), sky=decor.sky, curtain=None
        )
    for start, end in ((span[0], cooker - 0.6), (cooker + 0.6, span[1])):
        if end - start > 0.4:
            cupboard(
                paper,
                x=(start, end),
                y=(1.5, 2.2),
                deep=0.35,
                colour=fronts,
                doors=max(1, round((end - start) / 0.5)),
            )
    if not glazed:
        paper.block((cooker - 0.3, cooker + 0.3), (1.65, 1.8), (back - 0.45, back), METAL)
        paper.block((cooker - 0.12, cooker + 0.12), (1.8, paper.height), (back - 0.3, back), METAL)
    cupboard(paper, x=span, y=(0.08, 0.86), deep=0.6, colour=fronts, doors=6)
    paper.block(span, (0.86, 0.92), (back - 0.63, back), mixed(decor.wood, WHITE, 0.3))
    paper.front((cooker - 0.3, cooker + 0.3), (0.1, 0.84), back - 0.63, (0.22, 0.22, 0.24))
    paper.front((cooker - 0.23, cooker + 0.23), (0.25, 0.6), back - 0.63, (0.08, 0.08, 0.1))
    paper.front((cooker - 0.23, cooker + 0.23), (0.66, 0.7), back - 0.63, METAL)
    paper.front(
        (cooker - 0.18, cooker + 0.02), (0.93, 1.08), back - 0.3, decor.second, round_by=0.03
    )
    cupboard(
        paper,
        x=(fridge[0], fridge[1]),
        y=(0.05, 2.0),
        deep=0.65,
        colour=mixed(METAL, WHITE, 0.45),
        doors=1,
    )
    if decor.plants:
        plant(
            paper,
            rng,
            x=span[0] + 0.4 if flip > 0 else span[1] - 0.4,
            z=back - 0.3,
            high=0.4,
            pot=WHITE,
            y=0.92,
        )
    z = back - 2.1
    for at in (-0.5, 0.5):
        pendant(paper, x=at, y=1.95, z=z + 0.3, shade=decor.frame, lit=decor.lit)
    cupboard(
        paper,
        x=(-0.85, 0.85),
        y=(0.02, 0.84),
        deep=0.7,
        colour=mixed(fronts, WHITE, 0.25),
        doors=3,
        far=z + 0.7,
    )
    paper.block((-0.92, 0.92), (0.84, 0.9), (z - 0.05, z + 0.75), mixed(decor.wood, WHITE, 0.15))
    vase(paper, rng, x=float(rng.uniform(-0.5, 0.5)), y=0.9, z=z + 0.3, colour=decor.second)
    for at in (-0.45, 0.45):
        legs = (at - 0.13, at + 0.13)
        paper.shadow(legs, (z - 0.4, z - 0.15), dark=0.15)
        for leg in legs:
            paper.line(
                [(leg, 0, z - 0.3), (at + 0.7 * (leg - at), 0.62, z - 0.3)],
                decor.frame,
                width=0.035,
            )
        paper.block((at - 0.16, at + 0.16), (0.6, 0.67), (z - 0.42, z - 0.14), decor.wood)


def bathroom(paper: RoomPaper, rng: np.random.Generator, decor: Decor) -> None:
    """Paint a tub, a basin under a mirror, towels."""
    back = paper.depth
    side = -1 if rng.random() < 0.5 else 1
    tile = mixed(decor.second, WHITE, 0.75)
    paper.front((paper.left, paper.right), (0, 1.5), back, tile)
    for y in np.arange(0.15, 1.5, 0.25):
        paper.front(
            (paper.left, paper.right), (float(y), float(y) + 0.015), back, shaded(tile, 0.86)
        )
    for x in np.arange(paper.left, paper.right, 0.25):
        paper.front((float(x), float(x) + 0.015), (0, 1.5), back, shaded(tile, 0.86))
    paper.front((paper.left, paper.right), (1.48, 1.54), back, decor.accent)
    at = side * 1.05
    if rng.random() < 0.7:
        window(paper, rng, x=(at - 0.5, at + 0.5), y=(1.3, 2.2), sky=decor.sky, curtain=None)
    basin = -side * 0.75
    cupboard(
        paper, x=(basin - 0.5, basin + 0.5), y=(0.25, 0.8), deep=0.45, colour=decor.wood, doors=2
    )
    paper.block((basin - 0.55, basin + 0.55), (0.8, 0.9), (back - 0.5, back), WHITE, round_by=0.03)
    paper.front((basin - 0.02, basin + 0.02), (0.9, 1.08), back - 0.2, METAL)
    paper.front((basin - 0.02, basin + 0.1), (1.05, 1.09), back - 0.2, METAL)
    if rng.random() < 0.5:
        paper.disc((basin, 1.62, back), radius=0.43, colour=decor.frame)
        paper.disc((basin, 1.62, back), radius=0.39, colour=(0.74, 0.83, 0.87))
        paper.disc((basin - 0.1, 1.7, back), radius=0.2, colour=(0.86, 0.92, 0.94))
    else:
        paper.front((basin - 0.45, basin + 0.45), (1.2, 2.1), back, decor.frame)
        paper.front((basin - 0.41, basin + 0.41), (1.24, 2.06), back, (0.74, 0.83, 0.87))
        paper.face(
            [
                (basin - 0.3, 1.24, back),
                (basin - 0.1, 1.24, back),
                (basin + 0.3, 2.06, back),
                (basin + 0.1, 2.06, back),
            ],
            (0.86, 0.92, 0.94),
        )
    for lamp in (basin - 0.62, basin + 0.62):
        paper.disc((lamp, 1.65, back - 0.05), radius=0.08, colour=mixed(WHITE, WARM, decor.lit))
        if decor.lit:
            paper.glow((lamp, 1.65, back), radius=1.2, colour=WARM, strength=0.7 * decor.lit)
    towel = (side * 0.16 - 0.13, side * 0.16 + 0.13)
    paper.front(towel, (0.75, 1.3), back - 0.03, decor.accent, round_by=0.02)
    paper.front(towel, (0.88, 0.94), back - 0.03, mixed(decor.accent, WHITE, 0.6))
    if decor.rug:
        rug(
            paper,
            x=(at - 0.75, at + 0.35),
            z=(back - 2.1, back - 1.35),
            colour=decor.accent,
            second=mixed(decor.accent, WHITE, 0.5),
            pattern=int(rng.integers(2)),
        )
    span, z = (at - 0.8, at + 0.8), back - 1.15
    paper.shadow(span, (z, z + 0.75))
    paper.block(span, (0.08, 0.62), (z, z + 0.75), WHITE, round_by=0.16)
    corners = [(span[0] + 0.09, 0.621, z + 0.09), (span[1] - 0.09, 0.621, z + 0.09)]
    far = [(span[1] - 0.09, 0.621, z + 0.66), (span[0] + 0.09, 0.621, z + 0.66)]
    paper.face([*corners, *far], (0.62, 0.8, 0.86))
    paper.block((span[0], span[1]), (0.56, 0.63), (z, z + 0.06), shaded(WHITE, 1.03))
    if decor.plants:
        plant(paper, rng, x=-side * 1.55, z=back - 0.9, high=0.7, pot=decor.accent)


def study(paper: RoomPaper, rng: np.random.Generator, decor: Decor) -> None:
    """Paint a desk with a screen and a lamp, a chair, shelves of books."""
    side = -1 if rng.random() < 0.5 else 1
    x = side * 0.45
    shelf = sorted((-side * 1.8, -side * 0.85))
    bookshelf(paper, rng, x=(shelf[0], shelf[1]), high=2.2, colour=decor.wood, accent=decor.accent)
    if rng.random() < 0.6:
        curtain = decor.second if rng.random() < 0.6 else None
        window(paper, rng, x=(x - 0.65, x + 0.65), y=(1.2, 2.3), sky=decor.sky, curtain=curtain)
    elif decor.pictures:
        _row_of_pictures(paper, rng, decor, x=x, y=1.85)
    z = paper.depth - 1.0
    if decor.rug:
        rug(
            paper,
            x=(x - 1.0, x + 1.0),
            z=(z - 1.3, z + 0.3),
            colour=mixed(decor.second, WHITE, 0.4),
            second=decor.accent,
            pattern=int(rng.integers(3)),
        )
    table(paper, x=x, z=z, wide=1.6, deep=0.7, high=0.72, colour=decor.wood, leg=decor.frame)
    paper.front((x - 0.04, x + 0.04), (0.78, 0.9), z + 0.4, DARK)
    paper.front((x - 0.36, x + 0.36), (0.88, 1.32), z + 0.38, DARK, round_by=0.02)
    paper.front(
        (x - 0.33, x + 0.33), (0.91, 1.29), z + 0.38, mixed((0.35, 0.5, 0.62), decor.accent, 0.25)
    )
    table_lamp(paper, x=x + side * 0.6, y=0.78, z=z + 0.35, shade=decor.accent, lit=decor.lit)
    for book in range(3):
        tone = mixed(decor.accent, WHITE, 0.25 * book)
        paper.block(
            (x - side * 0.6 - 0.14, x - side * 0.6 + 0.14),
            (0.78 + 0.05 * book, 0.83 + 0.05 * book),
            (z + 0.2, z + 0.45),
            tone,
        )
    chair(paper, x=x, z=z - 0.45, colour=decor.accent, leg=decor.frame, away=True)
    if decor.plants:
        plant(paper, rng, x=side * 1.6, z=z + 0.1, high=1.0, pot=WHITE)


def dining_room(paper: RoomPaper, rng: np.random.Generator, decor: Decor) -> None:
    """Paint a table with chairs under a lamp, a sideboard or a window behind it."""
    x = float(rng.uniform(-0.15, 0.15))
    if rng.random() < 0.5:
        curtain = decor.second if rng.random() < 0.7 else None
        window(paper, rng, x=(x - 0.9, x + 0.9), y=(0.9, 2.25), sky=decor.sky, curtain=curtain)
    else:
        if decor.pictures:
            _row_of_pictures(paper, rng, decor, x=x, y=1.7)
        cupboard(paper, x=(x - 0.9, x + 0.9), y=(0.1, 0.8), deep=0.4, colour=decor.wood, doors=4)
        table_lamp(paper, x=x - 0.65, y=0.8, z=paper.depth - 0.2, shade=WHITE, lit=decor.lit)
    if decor.plants:
        side = -1 if rng.random() < 0.5 else 1
        plant(paper, rng, x=side * 1.55, z=paper.depth - 0.4, high=1.1, pot=decor.second)
    z = paper.depth - 2.3
    if decor.rug:
        rug(
            paper,
            x=(x - 1.45, x + 1.45),
            z=(z - 0.5, z + 1.5),
            colour=mixed(decor.second, WHITE, 0.4),
            second=decor.second,
            pattern=int(rng.integers(3)),
        )
    for at in (x - 0.45, x + 0.45):
        chair(paper, x=at, z=z + 0.85, colour=decor.accent, leg=decor.frame, away=False)
    table(paper, x=x, z=z, wide=1.8, deep=0.9, high=0.72, colour=decor.wood, leg=decor.frame)
    vase(paper, rng, x=x, y=0.78, z=z + 0.45, colour=decor.accent)
    for at in (x - 0.45, x + 0.45):
        chair(paper, x=at, z=z - 0.35, colour=decor.accent, leg=decor.frame, away=True)
    pendant(paper, x=x, y=1.95, z=z + 0.45, shade=decor.frame, lit=decor.lit, size=0.3)


def _row_of_pictures(
    paper: RoomPaper, rng: np.random.Generator, decor: Decor, *, x: float, y: float
) -> None:
    count = int(rng.integers(1, 4))
    wide, high = (0.95, 0.62) if count == 1 else (0.45, 0.58)
    for number in range(count):
        at = x + (number - (count - 1) / 2) * (wide + 0.14)
        tone = decor.accent if number % 2 == 0 else decor.second
        picture(paper, rng, x=at, y=y, wide=wide, high=high, frame=decor.frame, accent=tone)


KINDS: dict[str, Layout] = {
    "living room": living_room,
    "bedroom": bedroom,
    "kitchen": kitchen,
    "bathroom": bathroom,
    "study": study,
    "dining room": dining_room,
}
