"""Avatars of animals: cats, dogs, bears, foxes, rabbits, pandas, frogs and owls."""

from generation.training.avatars_faces import (
    INK,
    WHITE,
    paint_cheeks,
    paint_clothes,
    paint_eyes,
    paint_glasses,
    paint_hat,
    paint_mouth,
)
from generation.training.avatars_tools import (
    Colour,
    Pen,
    Point,
    hsv,
    lighter,
    mixed,
    smooth,
    squircle,
)
from generation.training.avatars_traits import Traits

X, Y = 0.5, 0.54
WIDE, TALL = 0.27, 0.235
PINK: Colour = (0.95, 0.66, 0.68)
BLACK: Colour = (0.2, 0.18, 0.21)
CREAM: Colour = (0.99, 0.96, 0.9)
BROAD = {"fox": 1.06, "frog": 1.14, "rabbit": 0.9, "owl": 0.98}
"""How much broader than usual a kind's head is."""


def paint(pen: Pen, traits: Traits) -> None:
    """Paint an animal."""
    coat = hsv(traits.coat_hue, traits.coat_saturation, traits.coat_value)
    wide = WIDE * traits.wide * BROAD.get(traits.kind, 1.0)
    tall = TALL * traits.tall
    jaw = 0.34 if traits.kind == "fox" else 0.0
    head = squircle(X, Y, wide, tall, power=2.25, jaw=jaw)
    paint_clothes(pen, traits, top=0.84)
    _ears(pen, traits, coat=coat, wide=wide, tall=tall)
    pen.shape(head, coat)
    with pen.within(head):
        _markings(pen, traits, coat=coat, wide=wide, tall=tall)
    _face(pen, traits, coat=coat)
    paint_hat(pen, traits, top=Y - tall, wide=wide * 0.86)


def _ears(pen: Pen, traits: Traits, *, coat: Colour, wide: float, tall: float) -> None:
    kind, size = traits.kind, traits.ears
    top = Y - tall
    for side in (-1, 1):
        if kind in ("cat", "fox", "owl"):
            reach = {"cat": 0.15, "fox": 0.18, "owl": 0.085}[kind] * size
            foot, tip = X + side * wide * 0.62, (X + side * wide * 0.84, top - reach * 0.75)
            ear = [(foot - side * 0.1, top + 0.055), tip, (foot + side * 0.105, Y - tall * 0.2)]
            pen.shape(ear, lighter(coat, -0.1) if kind == "owl" else coat)
            if kind != "owl":
                inner = [_towards(each, centre=_middle(ear), share=0.42) for each in ear]
                pen.shape(inner, PINK if kind == "cat" else lighter(coat, -0.6))
        elif kind == "rabbit":
            x, y, turn = X + side * 0.12, top - 0.12 * size, side * 12
            pen.oval(x, y, 0.068, 0.21 * size, coat, turn=turn)
            pen.oval(x, y + 0.015, 0.036, 0.155 * size, PINK, turn=turn)
        elif kind == "dog":
            drop = smooth(
                [
                    (X + side * wide * 0.55, top + 0.03),
                    (X + side * wide * 1.08, top + 0.05),
                    (X + side * wide * 1.3, Y + 0.1),
                    (X + side * wide * 1.08, Y + 0.17),
                    (X + side * wide * 0.85, Y),
                ]
            )
            pen.shape(drop, lighter(coat, -0.4))
        elif kind == "frog":
            pen.oval(X + side * 0.145, top + 0.015, 0.098, 0.098, coat)
        else:
            x, y = X + side * wide * 0.78, top + 0.045
            pen.oval(x, y, 0.088 * size, 0.088 * size, BLACK if kind == "panda" else coat)
            if kind == "bear":
                pen.oval(x, y, 0.048 * size, 0.048 * size, mixed(coat, CREAM, 0.5))


def _middle(points: list[Point]) -> Point:
    return sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)


def _towards(point: Point, *, centre: Point, share: float) -> Point:
    return (
        point[0] + (centre[0] - point[0]) * share,
        point[1] + (centre[1] - point[1]) * share,
    )


def _markings(pen: Pen, traits: Traits, *, coat: Colour, wide: float, tall: float) -> None:
    kind, pale = traits.kind, mixed(coat, CREAM, 0.75)
    if kind == "fox":
        for side in (-1, 1):
            pen.shape(
                smooth(
                    [
                        (X, Y + 0.0),
                        (X + side * wide * 0.45, Y + 0.03),
                        (X + side * wide * 1.1, Y + 0.02),
                        (X + side * wide * 0.8, Y + tall),
                        (X, Y + tall * 1.2),
                    ]
                ),
                CREAM,
            )
    elif kind == "panda":
        for side in (-1, 1):
            pen.oval(X + side * 0.112, Y + 0.0, 0.072, 0.09, BLACK, turn=side * 28)
    elif kind == "owl":
        for side in (-1, 1):
            pen.oval(X + side * 0.105, Y - 0.005, 0.12, 0.125, pale)
    elif kind == "frog":
        pen.oval(X, Y + tall * 1.02, wide * 0.85, tall * 0.62, mixed(coat, CREAM, 0.55))
    else:
        pen.oval(X, Y + tall * 0.55, 0.115, 0.095, pale)
    if kind == "cat" and traits.marks > 0.4:
        for across in (-1, 0, 1):
            stripe = [
                (X + across * 0.052, Y - tall * 1.05),
                (X + across * 0.04, Y - tall * (0.5 if across == 0 else 0.6)),
            ]
            pen.line(stripe, lighter(coat, -0.35), width=0.026)
    if kind == "dog" and traits.marks > 0.45:
        pen.oval(X + 0.108, Y - 0.02, 0.088, 0.105, lighter(coat, -0.3), turn=15)
    if kind in ("rabbit", "bear") and traits.marks > 0.7:
        pen.oval(X, Y - tall * 0.95, 0.05, 0.1, pale)


def _face(pen: Pen, traits: Traits, *, coat: Colour) -> None:
    kind = traits.kind
    eyes, apart = Y - 0.012 + traits.low, 0.112 * traits.apart
    if kind == "frog":
        eyes, apart = Y - TALL * traits.tall + 0.012, 0.145
    size = 0.046 * traits.eye * (1.3 if kind in ("owl", "frog") else 1.0)
    if kind == "panda" and traits.eyes in ("dots", "happy"):
        for side in (-1, 1):
            pen.oval(X + side * apart, eyes, size, size, WHITE, shade=0)
    paint_cheeks(pen, traits, y=Y + 0.085, apart=0.185, under=coat)
    paint_eyes(pen, traits, y=eyes, apart=apart, size=size)
    if kind == "owl":
        beak = [(X - 0.036, Y + 0.045), (X + 0.036, Y + 0.045), (X, Y + 0.115)]
        pen.shape(smooth(beak), (0.96, 0.68, 0.24), shade=0.1)
    else:
        _muzzle(pen, traits, coat=coat)
    paint_glasses(pen, traits, y=eyes, apart=apart, size=0.078)


def _muzzle(pen: Pen, traits: Traits, *, coat: Colour) -> None:
    kind, y = traits.kind, Y + 0.08
    if kind == "frog":
        for side in (-1, 1):
            pen.oval(X + side * 0.02, Y + 0.015, 0.008, 0.01, lighter(coat, -0.5), shade=0)
        paint_mouth(pen, traits, y=Y + 0.07, reach=0.13)
        return
    wide = 0.042 * traits.nose * (1.25 if kind in ("dog", "bear") else 0.85)
    tone = PINK if kind in ("rabbit", "cat") else BLACK
    pen.shape(
        smooth([(X - wide, y - 0.014), (X, y - 0.022), (X + wide, y - 0.014), (X, y + 0.03)]),
        lighter(tone, -0.15),
    )
    if traits.mouth in ("open", "tongue"):
        paint_mouth(pen, traits, y=y + 0.05, reach=0.05)
    else:
        pen.line([(X, y + 0.028), (X, y + 0.052)], INK, width=0.012)
        for side in (-1, 1):
            bow = [(X, y + 0.052), (X + side * 0.036, y + 0.07), (X + side * 0.068, y + 0.05)]
            pen.line(bow, INK, width=0.014)
    if kind in ("cat", "rabbit"):
        for side in (-1, 1):
            for lift in (-0.02, 0.02):
                whisker = [
                    (X + side * 0.13, y + 0.03 + lift * 0.5),
                    (X + side * 0.26, y + 0.02 + lift * 1.6),
                ]
                pen.line(whisker, lighter(coat, -0.45), width=0.008)
