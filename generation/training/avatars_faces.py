"""What avatars have in common: eyes, mouths, cheeks; glasses, hats and clothes."""

import math

from generation.training.avatars_tools import Colour, Pen, Point, hsv, lighter, mixed, smooth
from generation.training.avatars_traits import Traits

INK: Colour = (0.17, 0.12, 0.15)
WHITE: Colour = (0.99, 0.99, 0.98)
ROSE: Colour = (0.96, 0.5, 0.5)


def paint_eyes(pen: Pen, traits: Traits, *, y: float, apart: float, size: float) -> None:
    """Paint both eyes, ``apart`` from the middle each."""
    for side in (-1, 1):
        x = 0.5 + side * apart
        if traits.eyes == "happy":
            reach = size * 0.95
            arch = [
                (x - reach, y + reach * 0.35),
                (x, y - reach * 0.6),
                (x + reach, y + reach * 0.35),
            ]
            pen.line(arch, INK, width=size * 0.42)
        elif traits.eyes == "dots":
            pen.oval(x, y, size * 0.62, size * 0.78, INK, shade=0)
            pen.oval(x + size * 0.2, y - size * 0.28, size * 0.2, size * 0.2, WHITE, shade=0)
        else:
            _open_eye(pen, traits, x=x, y=y, size=size * (1.15 if traits.eyes == "wide" else 1.0))


def _open_eye(pen: Pen, traits: Traits, *, x: float, y: float, size: float) -> None:
    pen.oval(x, y, size, size * 1.08, WHITE, shade=0.02)
    pen.oval(x, y + size * 0.06, size * 0.72, size * 0.82, hsv(traits.iris_hue, 0.65, 0.55))
    pen.oval(x, y + size * 0.08, size * 0.42, size * 0.5, INK, shade=0)
    pen.oval(x + size * 0.26, y - size * 0.26, size * 0.24, size * 0.24, WHITE, shade=0)
    pen.line(
        [(x - size, y - size * 0.35), (x, y - size * 1.1), (x + size, y - size * 0.35)],
        INK,
        width=size * 0.24,
    )


def paint_mouth(pen: Pen, traits: Traits, *, y: float, reach: float) -> None:
    """Paint a mouth around the middle."""
    deep = reach * 0.55 * traits.smile
    left, right = (0.5 - reach, y), (0.5 + reach, y)
    if traits.mouth in ("smile", "small"):
        share = 1.0 if traits.mouth == "smile" else 0.55
        bow = [(0.5 - reach * share, y), (0.5, y + deep * share), (0.5 + reach * share, y)]
        pen.line(bow, INK, width=0.016)
        return
    foot = deep * (2.1 if traits.mouth != "grin" else 1.5)
    inside = smooth([left, (0.5, y + deep * 0.2), right, (0.5 + reach * 0.6, y + foot * 0.75),
                     (0.5, y + foot), (0.5 - reach * 0.6, y + foot * 0.75)])  # fmt: skip
    pen.shape(inside, (0.45, 0.12, 0.16), shade=0)
    with pen.within(inside):
        if traits.mouth == "grin":
            pen.oval(0.5, y, reach * 1.1, foot * 0.62, WHITE, shade=0)
        else:
            pen.oval(0.5, y + foot, reach * 0.62, foot * 0.5, (0.93, 0.42, 0.46), shade=0)
            pen.oval(0.5, y - foot * 0.05, reach * 0.8, foot * 0.32, WHITE, shade=0)
    if traits.mouth == "tongue":
        pen.oval(0.5, y + foot * 0.95, reach * 0.4, foot * 0.4, (0.95, 0.5, 0.53))


def paint_cheeks(pen: Pen, traits: Traits, *, y: float, apart: float, under: Colour) -> None:
    """Paint rosy cheeks, if there are any."""
    if traits.cheeks < 0.4:
        return
    tone = mixed(under, ROSE, 0.18 + 0.3 * traits.cheeks)
    for side in (-1, 1):
        pen.oval(0.5 + side * apart, y, 0.048, 0.034, tone, shade=0)


def paint_glasses(pen: Pen, traits: Traits, *, y: float, apart: float, size: float) -> None:
    """Paint glasses in front of eyes, if any are worn."""
    if traits.glasses == "none":
        return
    frame = hsv(traits.hat_hue + 0.4, 0.5, 0.3)
    for side in (-1, 1):
        x = 0.5 + side * apart
        corners = _lens(x, y, size, square=traits.glasses != "round")
        if traits.glasses == "sun":
            pen.shape(corners, (0.13, 0.13, 0.2), shade=0.2)
            pen.line([(x - size * 0.5, y - size * 0.3), (x - size * 0.1, y - size * 0.55)],
                     (0.55, 0.6, 0.75), width=size * 0.14)  # fmt: skip
        pen.line([*corners, corners[0]], frame, width=0.017)
        pen.line([(x + side * size, y - size * 0.2), (x + side * size * 1.7, y - size * 0.35)],
                 frame, width=0.014)  # fmt: skip
    gap = apart - size
    pen.line([(0.5 - gap, y - size * 0.1), (0.5, y - size * 0.25), (0.5 + gap, y - size * 0.1)],
             frame, width=0.015)  # fmt: skip


def _lens(x: float, y: float, size: float, *, square: bool) -> list[Point]:
    power = 5.0 if square else 2.0
    ring = []
    for step in range(32):
        angle = 2 * math.pi * step / 32
        across, down = (
            math.copysign(abs(value) ** (2 / power), value)
            for value in (math.cos(angle), math.sin(angle))
        )
        ring.append((x + size * across, y + size * (0.8 if square else 1.0) * down))
    return ring


def paint_clothes(pen: Pen, traits: Traits, *, top: float = 0.86) -> None:
    """Paint shoulders in a shirt, a collar or a scarf."""
    cloth = hsv(traits.clothes_hue, traits.clothes_saturation, 0.78)
    body = smooth([(0.14, 1.1), (0.2, 0.98), (0.36, top + 0.02), (0.5, top), (0.64, top + 0.02),
                   (0.8, 0.98), (0.86, 1.1)])  # fmt: skip
    pen.shape(body, cloth)
    if traits.collar > 0.66:
        tone = hsv(traits.hat_hue, 0.55, 0.85)
        pen.oval(0.5, top + 0.03, 0.16, 0.05, tone)
        pen.shape(
            smooth([(0.56, top + 0.04), (0.66, top + 0.06), (0.66, 1.02), (0.57, 1.02)]), tone
        )
    elif traits.collar > 0.33:
        for side in (-1, 1):
            flap = [
                (0.5, top + 0.1),
                (0.5 + side * 0.12, top - 0.01),
                (0.5 + side * 0.17, top + 0.06),
            ]
            pen.shape(flap, lighter(cloth, 0.75))
    else:
        with pen.within(body):
            pen.line([(0.3, top - 0.02), (0.5, top + 0.09), (0.7, top - 0.02)],
                     lighter(cloth, 0.4), width=0.022)  # fmt: skip


def paint_hat(pen: Pen, traits: Traits, *, top: float, wide: float) -> None:
    """Paint what is worn on a head whose crown is at ``top`` and which is so wide there."""
    tone = hsv(traits.hat_hue, 0.62, 0.82)
    painters = {
        "cap": _cap, "beanie": _beanie, "headphones": _headphones, "flower": _flower,
        "crown": _crown, "bow": _bow,
    }  # fmt: skip
    if traits.hat in painters:
        painters[traits.hat](pen, top, wide, tone)


def _cap(pen: Pen, top: float, wide: float, tone: Colour) -> None:
    brim = top + 0.115
    pen.shape(
        smooth([(0.5 - wide, brim), (0.5 - wide * 0.86, top + 0.01), (0.5, top - 0.055),
                (0.5 + wide * 0.86, top + 0.01), (0.5 + wide, brim), (0.5, brim + 0.012)]),
        tone,
    )  # fmt: skip
    pen.shape(
        smooth([(0.42, brim - 0.012), (0.5 + wide, brim - 0.03), (0.5 + wide * 1.5, brim + 0.018),
                (0.5 + wide * 1.1, brim + 0.03), (0.45, brim + 0.025)]),
        lighter(tone, -0.25),
    )  # fmt: skip
    pen.oval(0.5, top - 0.055, 0.02, 0.014, lighter(tone, -0.25))


def _beanie(pen: Pen, top: float, wide: float, tone: Colour) -> None:
    brim = top + 0.1
    pen.oval(0.5, top - 0.085, 0.052, 0.052, lighter(tone, 0.55))
    pen.shape(
        smooth([(0.5 - wide * 1.0, brim), (0.5 - wide * 0.8, top - 0.02), (0.5, top - 0.085),
                (0.5 + wide * 0.8, top - 0.02), (0.5 + wide * 1.0, brim), (0.5, brim)]),
        tone,
    )  # fmt: skip
    band = [(0.5 - wide * 1.03, brim), (0.5, brim - 0.012), (0.5 + wide * 1.03, brim)]
    pen.line(band, lighter(tone, 0.3), width=0.06)


def _headphones(pen: Pen, top: float, wide: float, tone: Colour) -> None:
    reach = wide * 1.13
    arch = [(0.5 - reach, top + 0.26), (0.5 - reach * 0.8, top + 0.03), (0.5, top - 0.045),
            (0.5 + reach * 0.8, top + 0.03), (0.5 + reach, top + 0.26)]  # fmt: skip
    pen.line(arch, lighter(tone, -0.35), width=0.032)
    for side in (-1, 1):
        pen.oval(0.5 + side * reach, top + 0.29, 0.047, 0.078, tone)
        pen.oval(0.5 + side * (reach + 0.012), top + 0.29, 0.022, 0.045, lighter(tone, 0.4))


def _flower(pen: Pen, top: float, wide: float, tone: Colour) -> None:
    x, y = 0.5 + wide * 0.72, top + 0.075
    for step in range(6):
        angle = 2 * math.pi * step / 6
        pen.oval(x + 0.042 * math.cos(angle), y + 0.042 * math.sin(angle), 0.031, 0.031,
                 lighter(tone, 0.35))  # fmt: skip
    pen.oval(x, y, 0.027, 0.027, (0.98, 0.8, 0.3))


def _crown(pen: Pen, top: float, wide: float, tone: Colour) -> None:
    gold, base, reach = (0.97, 0.78, 0.28), top + 0.06, wide * 0.62
    points = [(0.5 - reach, base), (0.5 - reach * 1.1, top - 0.08), (0.5 - reach * 0.5, top - 0.01),
              (0.5, top - 0.115), (0.5 + reach * 0.5, top - 0.01), (0.5 + reach * 1.1, top - 0.08),
              (0.5 + reach, base)]  # fmt: skip
    pen.shape(points, gold, shade=0.12)
    for x, y in (points[1], points[3], points[5]):
        pen.oval(x, y, 0.021, 0.021, tone)


def _bow(pen: Pen, top: float, wide: float, tone: Colour) -> None:
    x, y = 0.5 - wide * 0.62, top + 0.035
    for side in (-1, 1):
        pen.shape(
            smooth([(x, y), (x + side * 0.085, y - 0.062), (x + side * 0.1, y),
                    (x + side * 0.085, y + 0.055)]),
            tone,
        )  # fmt: skip
    pen.oval(x, y, 0.026, 0.03, lighter(tone, -0.2))
