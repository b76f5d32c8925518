"""Avatars of people: heads with hair, brows, beards, and what they wear."""

import math

from generation.training.avatars_faces import (
    INK,
    paint_cheeks,
    paint_clothes,
    paint_eyes,
    paint_glasses,
    paint_hat,
    paint_mouth,
)
from generation.training.avatars_tools import Colour, Pen, Point, lighter, mixed, smooth, squircle
from generation.training.avatars_traits import Traits

X, Y = 0.5, 0.52
WIDE, TALL = 0.215, 0.265
COVERS = frozenset({"cap", "beanie"})
"""Hats that leave no room for hair above the brow."""


def paint(pen: Pen, traits: Traits) -> None:
    """Paint a person."""
    wide, tall = WIDE * traits.wide, TALL * traits.tall
    skin, hair = traits.skin_tone, traits.hair_tone
    head = squircle(X, Y, wide, tall, power=2.35, jaw=traits.jaw)
    _hair_behind(pen, traits, wide=wide, tall=tall, tone=lighter(hair, -0.18))
    pen.shape(
        [
            (X - 0.075, Y + tall * 0.6),
            (X + 0.075, Y + tall * 0.6),
            (X + 0.09, 0.93),
            (X - 0.09, 0.93),
        ],
        lighter(skin, -0.14),
        shade=0,
    )
    paint_clothes(pen, traits)
    for side in (-1, 1):
        ear = (X + side * wide * 0.99, Y + 0.02)
        pen.oval(*ear, 0.038 * traits.ears, 0.055 * traits.ears, lighter(skin, -0.05))
        pen.oval(*ear, 0.019 * traits.ears, 0.03 * traits.ears, lighter(skin, -0.17), shade=0)
    pen.shape(head, skin, shade=0.05)
    _face(pen, traits, wide=wide, tall=tall, head=head)
    with pen.within([*squircle(X, Y, wide * 1.4, tall * 1.75)]):
        _hair_before(pen, traits, wide=wide, tall=tall, tone=hair, head=head)
    eyes = Y - 0.005 + traits.low
    paint_glasses(pen, traits, y=eyes, apart=0.096 * traits.apart, size=0.068)
    paint_hat(pen, traits, top=Y - tall, wide=wide * 1.03)


def _face(pen: Pen, traits: Traits, *, wide: float, tall: float, head: list[Point]) -> None:
    skin, eyes, apart = traits.skin_tone, Y - 0.005 + traits.low, 0.096 * traits.apart
    brows = mixed(traits.hair_tone, INK, 0.35)
    paint_cheeks(pen, traits, y=Y + 0.085, apart=0.135, under=skin)
    if traits.beard != "none":
        _beard(pen, traits, wide=wide, tall=tall, head=head, tone=traits.hair_tone)
    paint_eyes(pen, traits, y=eyes, apart=apart, size=0.042 * traits.eye)
    for side in (-1, 1):
        x, lift = X + side * apart, traits.brow * 0.06
        brow = [
            (x - side * 0.045, eyes - 0.07 + lift),
            (x, eyes - 0.085),
            (x + side * 0.05, eyes - 0.07 - lift * 0.4),
        ]
        pen.line(brow, brows, width=0.019)
    nose = 0.03 * traits.nose
    bow = [(X - nose * 0.75, Y + 0.075), (X, Y + 0.075 + nose * 0.5), (X + nose * 0.75, Y + 0.075)]
    pen.line(bow, lighter(skin, -0.28), width=0.015)
    paint_mouth(pen, traits, y=Y + 0.135, reach=0.07)


def _beard(
    pen: Pen, traits: Traits, *, wide: float, tall: float, head: list[Point], tone: Colour
) -> None:
    if traits.beard == "full":
        with pen.within(head):
            pen.shape(
                smooth(
                    [
                        (X - wide * 1.1, Y + 0.03),
                        (X - wide * 0.68, Y + 0.1),
                        (X, Y + 0.088),
                        (X + wide * 0.68, Y + 0.1),
                        (X + wide * 1.1, Y + 0.03),
                        (X + wide, Y + tall * 1.2),
                        (X - wide, Y + tall * 1.2),
                    ]
                ),
                tone,
            )
    elif traits.beard == "goatee":
        pen.oval(X, Y + tall * 0.88, 0.062, 0.045, tone)
    else:
        for side in (-1, 1):
            pen.shape(
                smooth(
                    [
                        (X, Y + 0.105),
                        (X + side * 0.055, Y + 0.1),
                        (X + side * 0.095, Y + 0.128),
                        (X + side * 0.04, Y + 0.135),
                    ]
                ),
                tone,
            )


def _hair_behind(pen: Pen, traits: Traits, *, wide: float, tall: float, tone: Colour) -> None:
    top = Y - tall
    if traits.hair in ("long", "fringe"):
        pen.shape(
            smooth(
                [
                    (X, top - 0.05),
                    (X + wide * 1.12, top + 0.09),
                    (X + wide * 1.32, Y + 0.1),
                    (X + wide * 1.34, 0.93),
                    (X, 0.97),
                    (X - wide * 1.34, 0.93),
                    (X - wide * 1.32, Y + 0.1),
                    (X - wide * 1.12, top + 0.09),
                ]
            ),
            tone,
        )
    elif traits.hair == "bob":
        pen.shape(
            smooth(
                [
                    (X, top - 0.05),
                    (X + wide * 1.15, top + 0.1),
                    (X + wide * 1.34, Y + 0.13),
                    (X + wide * 0.9, Y + 0.25),
                    (X - wide * 0.9, Y + 0.25),
                    (X - wide * 1.34, Y + 0.13),
                    (X - wide * 1.15, top + 0.1),
                ]
            ),
            tone,
        )
    elif traits.hair == "curly":
        for step in range(18):
            angle = math.pi * (0.92 + 1.16 * step / 17)
            pen.oval(
                X + wide * 1.16 * math.cos(angle),
                Y - 0.02 + tall * 1.05 * math.sin(angle),
                0.075,
                0.075,
                tone,
            )
        for side in (-1, 1):
            pen.oval(X + side * wide * 1.15, Y + 0.08, 0.07, 0.075, tone)
    elif traits.hair == "bun" and traits.hat not in COVERS:
        pen.oval(X, top - 0.065, 0.088, 0.085, tone)
    elif traits.hair == "ponytail":
        pen.shape(
            smooth(
                [
                    (X + wide * 0.6, top + 0.05),
                    (X + wide * 1.55, Y - 0.08),
                    (X + wide * 1.7, Y + 0.2),
                    (X + wide * 1.3, Y + 0.33),
                    (X + wide * 1.0, Y + 0.1),
                ]
            ),
            tone,
        )


def _hair_before(
    pen: Pen, traits: Traits, *, wide: float, tall: float, tone: Colour, head: list[Point]
) -> None:
    top, style = Y - tall, traits.hair
    if style == "bald" or (style == "mohawk" and traits.hat in COVERS):
        return
    if style == "mohawk":
        for step in range(7):
            x = X + (step - 3) * 0.021
            pen.shape(
                [
                    (x - 0.035, top + 0.07),
                    (x + (step - 3) * 0.008, top - 0.11 + abs(step - 3) * 0.012),
                    (x + 0.035, top + 0.07),
                ],
                tone,
            )
        return
    line = {
        "short": 0.28,
        "parted": 0.36,
        "fringe": 0.5,
        "long": 0.42,
        "bob": 0.5,
        "curly": 0.34,
        "bun": 0.34,
        "spiky": 0.34,
        "ponytail": 0.36,
    }[style]
    brow = top + tall * line
    parting = {"parted": -0.45, "long": 0.05, "ponytail": 0.4}.get(style)
    crown = [
        (X - wide * 1.06, Y - 0.02),
        (X - wide * 1.1, top + tall * 0.4),
        (X - wide * 0.72, top - 0.005),
        (X, top - 0.045),
        (X + wide * 0.72, top - 0.005),
        (X + wide * 1.1, top + tall * 0.4),
        (X + wide * 1.06, Y - 0.02),
    ]
    if parting is None:
        inner = [
            (X + wide * 0.9, brow + 0.03),
            (X + wide * 0.45, brow),
            (X, brow + 0.008),
            (X - wide * 0.45, brow),
            (X - wide * 0.9, brow + 0.03),
        ]
    else:
        split = X + parting * wide
        inner = [
            (X + wide * 0.92, brow + 0.05),
            (X + wide * 0.6, brow + 0.01),
            (split, top + tall * 0.16),
            (X - wide * 0.6, brow + 0.01),
            (X - wide * 0.92, brow + 0.05),
        ]
    pen.shape(smooth([*crown, *inner]), tone, shade=0.09)
    if style == "spiky" and traits.hat not in COVERS:
        for step in range(6):
            x = X + (step - 2.5) * wide * 0.36
            lean = (step - 2.5) * 0.02
            pen.shape(
                [
                    (x - 0.05, top + 0.05),
                    (x + lean, top - 0.085 + abs(step - 2.5) * 0.014),
                    (x + 0.05, top + 0.05),
                ],
                tone,
                shade=0.03,
            )
    elif style == "curly" and traits.hat not in COVERS:
        for step in range(7):
            pen.oval(
                X + (step - 3) * wide * 0.31,
                top + 0.025 + abs(step - 3) * 0.012,
                0.052,
                0.05,
                lighter(tone, 0.03),
            )
    elif style == "fringe":
        for step in range(4):
            x = X + (step - 1.5) * wide * 0.45
            pen.line(
                [(x, top + tall * 0.2), (x + 0.006, brow - 0.01)], lighter(tone, -0.16), width=0.008
            )
    else:
        shine = [
            (X - wide * 0.5, top + 0.055),
            (X - wide * 0.15, top + 0.022),
            (X + wide * 0.2, top + 0.02),
        ]
        pen.line(shine, lighter(tone, 0.2), width=0.018)
