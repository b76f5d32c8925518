"""Avatars of robots: a head of metal with a screen, lamps for eyes, and aerials."""

from generation.training.avatars_faces import paint_hat
from generation.training.avatars_tools import Colour, Pen, hsv, lighter, squircle
from generation.training.avatars_traits import Traits

X, Y = 0.5, 0.53
WIDE, TALL = 0.26, 0.225


def paint(pen: Pen, traits: Traits) -> None:
    """Paint a robot."""
    metal = hsv(traits.coat_hue, traits.coat_saturation, traits.coat_value)
    lamp = hsv(traits.iris_hue + 0.42, 0.55, 1.0)
    wide, tall = WIDE * traits.wide, TALL * traits.tall
    power = 3.0 + 5.0 * traits.marks
    pen.shape(squircle(X, 1.0, 0.3, 0.15, power=4), lighter(metal, -0.25))
    pen.shape(squircle(X, 0.84, 0.08, 0.08, power=6), lighter(metal, -0.45))
    if traits.hat not in ("cap", "beanie", "crown"):
        _aerials(pen, traits, metal=metal, lamp=lamp, top=Y - tall)
    for side in (-1, 1):
        pen.shape(squircle(X + side * wide * 1.06, Y, 0.05 * traits.ears, 0.085, power=4),
                  lighter(metal, -0.35))  # fmt: skip
    pen.shape(squircle(X, Y, wide, tall, power=power), metal, shade=0.1)
    screen = squircle(X, Y + 0.005, wide * 0.82, tall * 0.74, power=power)
    pen.shape(screen, (0.12, 0.13, 0.2), shade=0.08)
    with pen.within(screen):
        shine = [(X - wide, Y - tall), (X - wide * 0.25, Y - tall), (X - wide * 0.75, Y + tall)]
        pen.shape(shine, (0.17, 0.19, 0.28), shade=0)
    _eyes(pen, traits, lamp=lamp)
    _mouth(pen, traits, lamp=lamp)
    for side in (-1, 1):
        for end in (-1, 1):
            pen.oval(X + side * wide * 0.88, Y + end * tall * 0.86, 0.012, 0.012,
                     lighter(metal, -0.4), shade=0)  # fmt: skip
    paint_hat(pen, traits, top=Y - tall, wide=wide * 0.92)


def _aerials(pen: Pen, traits: Traits, *, metal: Colour, lamp: Colour, top: float) -> None:
    places = (0.0,) if traits.collar < 0.55 else (-0.11, 0.11)
    for place in places:
        tip = (X + place * 1.35, top - 0.1)
        pen.line([(X + place, top + 0.03), tip], lighter(metal, -0.4), width=0.022)
        pen.oval(*tip, 0.034, 0.034, lamp, shade=0.12)


def _eyes(pen: Pen, traits: Traits, *, lamp: Colour) -> None:
    y, size = Y - 0.03 + traits.low, 0.045 * traits.eye
    for side in (-1, 1):
        x = X + side * 0.105 * traits.apart
        if traits.eyes == "happy":
            pen.line([(x - size, y + size * 0.4), (x, y - size * 0.6), (x + size, y + size * 0.4)],
                     lamp, width=0.024)  # fmt: skip
        elif traits.eyes == "wide":
            pen.shape(squircle(x, y, size, size, power=6), lamp)
        else:
            pen.oval(x, y, size, size * 1.15, lamp)
            if traits.eyes == "bright":
                pen.oval(x, y, size * 0.5, size * 0.6, lighter(lamp, 0.8), shade=0)


def _mouth(pen: Pen, traits: Traits, *, lamp: Colour) -> None:
    y = Y + 0.085
    if traits.mouth in ("grin", "open"):
        for step in range(5):
            x = X + (step - 2) * 0.034
            pen.shape(squircle(x, y, 0.013, 0.012 + 0.014 * (step % 2), power=5), lamp, shade=0)
    else:
        reach = 0.07 if traits.mouth != "small" else 0.04
        pen.line([(X - reach, y - 0.01), (X, y + 0.025 * traits.smile), (X + reach, y - 0.01)],
                 lighter(lamp, 0.2), width=0.02)  # fmt: skip
