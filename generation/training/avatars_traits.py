"""What an avatar is: every trait that its painting depends on, and how traits are drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar

import numpy as np

from generation.errors import InvalidRequestError
from generation.training.avatars_tools import Colour, hexed

Kind: TypeAlias = Literal[
    "person", "cat", "dog", "bear", "fox", "rabbit", "panda", "frog", "owl", "robot"
]

ANIMALS: tuple[Kind, ...] = ("cat", "dog", "bear", "fox", "rabbit", "panda", "frog", "owl")
HAIRS = (
    "short", "parted", "fringe", "long", "bob", "curly", "bun", "spiky", "ponytail", "mohawk",
    "bald",
)  # fmt: skip
EYES = ("bright", "dots", "happy", "wide")
MOUTHS = ("smile", "grin", "small", "open", "tongue")
BEARDED = frozenset({"short", "parted", "spiky", "bald", "mohawk", "curly", "bun"})
"""Hair that a beard goes with."""
BEARDS = ("none", "none", "none", "none", "full", "moustache", "goatee")
GLASSES = ("none", "none", "none", "round", "square", "sun")
HATS = ("none", "none", "none", "none", "cap", "beanie", "headphones", "flower", "crown", "bow")
SKINS = ("ffe0c9", "f9cfae", "eeb78d", "d9986a", "b97a4e", "8f5734", "6a3f27")
HAIR_COLOURS = (
    "2a1d1a", "4a2f22", "7a4a2a", "b5702f", "e3b35c", "f2dfa8", "c4452d", "8d8f99", "e8e6ea",
    "d65a8c", "5a66c8", "3c9c8c", "8a5ac0",
)  # fmt: skip
PEOPLE, BEASTS = 0.5, 0.36
"""Shares of people and of animals; the rest are robots."""

ChoiceT = TypeVar("ChoiceT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """An avatar; the defaults are the usual one.

    Args:
        wide, tall: of the head, 1 is usual.
        jaw: how much the face narrows towards the chin.
        square: how square a robot's head is, or a face's corners.
        apart: between the eyes, 1 is usual; ``low`` is how much lower they sit.
        eye: their size.
        coat: an animal's or a robot's colour: its hue is ``coat_hue``.
        tilt: of the brows, in shares of their length.
    """

    COARSE: ClassVar[tuple[str, ...]] = ("kind", "wide", "tall", "jaw", "hair", "ears")
    FINE: ClassVar[tuple[str, ...]] = (
        "skin", "hair_colour", "iris_hue", "coat_hue", "coat_saturation", "coat_value",
        "clothes_hue", "clothes_saturation", "ground_hue", "ground_saturation", "glasses", "hat",
        "hat_hue", "collar",
    )  # fmt: skip

    kind: Kind = "person"
    wide: float = 1.0
    tall: float = 1.0
    jaw: float = 0.22
    hair: str = "parted"
    ears: float = 1.0
    eyes: str = "bright"
    eye: float = 1.0
    apart: float = 1.0
    low: float = 0.0
    brow: float = 0.0
    mouth: str = "smile"
    smile: float = 1.0
    nose: float = 1.0
    beard: str = "none"
    cheeks: float = 0.5
    marks: float = 0.5
    skin: str = SKINS[2]
    hair_colour: str = HAIR_COLOURS[1]
    iris_hue: float = 0.08
    coat_hue: float = 0.08
    coat_saturation: float = 0.5
    coat_value: float = 0.85
    clothes_hue: float = 0.58
    clothes_saturation: float = 0.55
    ground_hue: float = 0.55
    ground_saturation: float = 0.3
    glasses: str = "none"
    hat: str = "none"
    hat_hue: float = 0.0
    collar: float = 0.5

    @property
    def skin_tone(self) -> Colour:
        """Colour of a person's skin."""
        return hexed(self.skin)

    @property
    def hair_tone(self) -> Colour:
        """Colour of a person's hair."""
        return hexed(self.hair_colour)


USUAL = Traits()
HUES = frozenset({"iris_hue", "coat_hue", "clothes_hue", "ground_hue", "hat_hue"})
"""Traits that go round in a circle."""
COATS: Mapping[str, Sequence[tuple[float, float, float]]] = {
    "cat": ((0.08, 0.6, 0.9), (0.07, 0.15, 0.45), (0.09, 0.12, 0.95), (0.62, 0.12, 0.65)),
    "dog": ((0.08, 0.45, 0.85), (0.07, 0.5, 0.55), (0.1, 0.2, 0.95), (0.06, 0.35, 0.4)),
    "bear": ((0.07, 0.5, 0.6), (0.08, 0.4, 0.8), (0.1, 0.06, 0.95), (0.06, 0.4, 0.4)),
    "fox": ((0.055, 0.75, 0.93), (0.04, 0.7, 0.85), (0.6, 0.12, 0.75)),
    "rabbit": ((0.09, 0.1, 0.95), (0.07, 0.3, 0.75), (0.95, 0.14, 0.93), (0.62, 0.1, 0.65)),
    "panda": ((0.1, 0.02, 0.97),),
    "frog": ((0.27, 0.6, 0.78), (0.36, 0.55, 0.7), (0.17, 0.6, 0.85)),
    "owl": ((0.07, 0.5, 0.6), (0.6, 0.25, 0.6), (0.08, 0.3, 0.85), (0.78, 0.25, 0.62)),
}


def traits_of(seed: int, *, truncation: float = 1.0) -> Traits:
    """Return the traits of a seed.

    Args:
        seed: any whole number from 0.
        truncation: 1 leaves them as they are. The nearer to 0, the nearer measures and colours
            come to the usual ones, and the more of the choices are the usual ones; 0 is the usual
            avatar itself, whatever the seed.

    Raises:
        InvalidRequestError: the truncation is outside 0 to 1.
    """
    if not 0 <= truncation <= 1:
        raise InvalidRequestError(f"truncation is 0 to 1, not {truncation:g}")
    rng = np.random.default_rng([seed, 7])
    drawn = _drawn(rng)
    # A choice stays if its own number is below the truncation, so it stays at all higher ones.
    odds = {each.name: float(rng.random()) for each in fields(Traits)}
    pulled = {
        name: _pulled(name, getattr(drawn, name), truncation, odd=odd) for name, odd in odds.items()
    }
    return replace(USUAL, **pulled)


def crossed(first: Traits, second: Traits) -> Traits:
    """Return the build and the face of one avatar with the colours and the wear of another."""
    fine = {name: getattr(second, name) for name in Traits.FINE}
    if first.kind != second.kind and first.kind in COATS:
        # A fox's coat is a fox's: only like animals lend theirs.
        fine |= {name: getattr(first, name) for name in fine if name.startswith("coat")}
    return replace(first, **fine)


def _pulled(name: str, value: Any, truncation: float, *, odd: float) -> Any:  # noqa: ANN401
    usual = getattr(USUAL, name)
    if not isinstance(value, float):
        return value if odd < truncation else usual
    away = value - usual
    if name in HUES:
        away = (away + 0.5) % 1.0 - 0.5
    return usual + truncation * away


def _drawn(rng: np.random.Generator) -> Traits:
    kind = _kind(rng)
    coat = _one(rng, COATS.get(kind, ((rng.random(), 0.4, 0.85),)))
    hue = float(rng.random())
    hair, beard = _one(rng, HAIRS), _one(rng, BEARDS)
    return Traits(
        kind=kind,
        wide=_near(rng, 1.0, 0.06),
        tall=_near(rng, 1.0, 0.05),
        jaw=_near(rng, 0.22, 0.09),
        hair=hair,
        ears=_near(rng, 1.0, 0.12),
        eyes=_one(rng, EYES),
        eye=_near(rng, 1.0, 0.1),
        apart=_near(rng, 1.0, 0.07),
        low=_near(rng, 0.0, 0.012),
        brow=_near(rng, 0.0, 0.12),
        mouth=_one(rng, MOUTHS),
        smile=_near(rng, 1.0, 0.2),
        nose=_near(rng, 1.0, 0.18),
        beard=beard if hair in BEARDED else "none",
        cheeks=float(rng.random()),
        marks=float(rng.random()),
        skin=_one(rng, SKINS),
        hair_colour=_one(rng, HAIR_COLOURS),
        iris_hue=_one(rng, (0.07, 0.09, 0.3, 0.57, 0.6, 0.42)),
        coat_hue=_near(rng, coat[0], 0.012),
        coat_saturation=coat[1],
        coat_value=coat[2],
        clothes_hue=float(rng.random()),
        clothes_saturation=float(rng.uniform(0.3, 0.75)),
        ground_hue=hue,
        ground_saturation=float(rng.uniform(0.18, 0.42)),
        glasses=_one(rng, GLASSES),
        hat=_one(rng, HATS),
        hat_hue=float(rng.random()),
        collar=float(rng.random()),
    )


def _kind(rng: np.random.Generator) -> Kind:
    chance = float(rng.random())
    if chance < PEOPLE:
        return "person"
    return _one(rng, ANIMALS) if chance < PEOPLE + BEASTS else "robot"


def _one(rng: np.random.Generator, choices: Sequence[ChoiceT]) -> ChoiceT:
    return choices[int(rng.integers(len(choices)))]


def _near(rng: np.random.Generator, usual: float, spread: float) -> float:
    """Return a number of a normal distribution, at most two and a half spreads away."""
    return usual + spread * float(np.clip(rng.standard_normal(), -2.5, 2.5))
