"""What each edit of the remix starter does to a photograph, as something that can be measured.

The bounds were set from the seven photographs with a margin; they are for tests alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_gradient_magnitude

Values: TypeAlias = NDArray[np.float64]
"""Shape ``(H, W, 3)``, in [0, 1]."""
Measure: TypeAlias = Callable[[Values, Values], float]
"""Of a photograph before and after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trait:
    """A measure, and what it is after the edit."""

    measure: Measure
    least: float = -inf
    most: float = inf

    def shows(self, before: Values, after: Values) -> bool:
        """Return whether the measure is where it should be."""
        return self.least <= self.measure(before, after) <= self.most

    def told(self, before: Values, after: Values) -> str:
        """Return the measure's name and value."""
        return f"{self.measure.__name__} {self.measure(before, after):.3f}"


def light(before: Values, after: Values) -> float:
    """Return how bright it is, against before."""
    return float(after.mean() / before.mean())


def contrast(before: Values, after: Values) -> float:
    """Return how far brightness strays from its mean, against before."""
    return float(after.mean(axis=2).std() / before.mean(axis=2).std())


def colour(before: Values, after: Values) -> float:
    """Return how far colours are from grey, against before."""
    away = [(values.max(axis=2) - values.min(axis=2)).mean() for values in (before, after)]
    return float(away[1] / away[0])


def warmth(before: Values, after: Values) -> float:
    """Return how much more red than blue there is, by the brightness."""
    del before
    red, _, blue = after.mean(axis=(0, 1))
    return float((red - blue) / after.mean())


def warmed(before: Values, after: Values) -> float:
    """Return by how much warmth rose."""
    return warmth(before, after) - warmth(before, before)


def green(before: Values, after: Values) -> float:
    """Return how much more green there is than red and blue, by the brightness."""
    del before
    red, middle, blue = after.mean(axis=(0, 1))
    return float((middle - (red + blue) / 2) / after.mean())


def greened(before: Values, after: Values) -> float:
    """Return by how much green rose."""
    return green(before, after) - green(before, before)


def detail(before: Values, after: Values) -> float:
    """Return how much changes from one pixel to the next, against before."""
    change = [np.abs(np.diff(it.mean(axis=2), axis=0)).mean() for it in (before, after)]
    return float(change[1] / change[0])


def flatness(before: Values, after: Values) -> float:
    """Return by how much the share of pixels rose that are all but like their right neighbour."""
    flat = [(np.abs(np.diff(it.mean(axis=2), axis=1)) < 0.004).mean() for it in (before, after)]
    return float(flat[1] - flat[0])


def shine(before: Values, after: Values) -> float:
    """Return by how much brightness came to follow the photograph's contours; below 0, darkness."""
    contours = gaussian_gradient_magnitude(before.mean(axis=2), 1.0).ravel()
    along = [np.corrcoef(it.max(axis=2).ravel(), contours)[0, 1] for it in (before, after)]
    return float(along[1] - along[0])


def white(before: Values, after: Values) -> float:
    """Return by how much the share of white pixels rose."""
    return float((after.mean(axis=2) > 0.85).mean() - (before.mean(axis=2) > 0.85).mean())


def margin(before: Values, after: Values) -> float:
    """Return by how much the outermost pixels became brighter than the rest."""
    rims = [np.concatenate([it[:3].reshape(-1, 3), it[-3:].reshape(-1, 3)]) for it in
            (before, after)]  # fmt: skip
    apart = [rim.min(axis=1).mean() - it.min(axis=2).mean() for rim, it in
             zip(rims, (before, after), strict=True)]  # fmt: skip
    return float(apart[1] - apart[0])


def _least(measure: Measure, bound: float) -> Trait:
    return Trait(measure=measure, least=bound)


def _most(measure: Measure, bound: float) -> Trait:
    return Trait(measure=measure, most=bound)


TRAITS: Mapping[str, Sequence[Trait]] = {
    "night": (_most(light, 0.67), _most(warmed, -0.05)),
    "sunset": (_least(warmth, 0.6), _most(greened, -0.01)),
    "snow": (_least(light, 1.15), _most(colour, 0.9), _most(warmth, 0.05)),
    "winter": (_least(light, 1.04), _most(warmth, 0.02), _least(white, 0.0)),
    "autumn": (_least(warmed, 0.08),),
    "fog": (_most(contrast, 0.7), _most(colour, 0.8), _least(light, 1.15)),
    "rain": (_most(contrast, 0.8), _most(warmth, 0.05)),
    "spring": (_least(light, 1.02), _least(colour, 1.02)),
    "summer": (_least(colour, 1.1),),
    "golden": (_least(warmth, 0.55), _least(warmed, 0.08)),
    "ice": (_most(warmth, -0.1), _most(warmed, -0.05)),
    "vintage": (Trait(measure=warmth, least=0.35, most=0.75), _most(contrast, 0.85)),
    "noir": (_most(colour, 0.72), _most(light, 0.97)),
    "storm": (_most(light, 0.85), _most(contrast, 0.95), _least(greened, 0.02)),
    "dawn": (_most(green, -0.06), _most(greened, -0.04), _least(warmth, 0.05)),
    "aurora": (_least(green, 0.05), _most(warmth, 0.05), _most(light, 0.97)),
    "neon": (_most(light, 0.85), _most(green, -0.25), _most(warmth, -0.3), _least(shine, 0.2)),
    "underwater": (_most(warmth, -0.8), _least(green, 0.2), _most(detail, 0.65)),
    "desert": (_least(warmth, 0.5), _most(contrast, 0.75)),
    "inferno": (_least(warmth, 1.3), _most(light, 0.8)),
    "dream": (_most(contrast, 0.65), _least(light, 1.25)),
    "sketch": (_most(colour, 0.25), _least(light, 1.15), _least(detail, 1.2)),
    "ink": (_most(colour, 0.55), _most(shine, -0.04)),
    "watercolour": (_least(light, 1.15), _least(margin, 0.1), _least(white, 0.08)),
    "cartoon": (_least(flatness, 0.1), _least(colour, 0.9)),
    "clay": (_least(light, 1.02), _most(detail, 0.9), _most(shine, -0.03)),
}
"""Every edit with what must show of it."""


def missing(edit: str, before: Values, after: Values) -> list[str]:
    """Return what does not show of an edit, with the values that it has instead."""
    return [it.told(before, after) for it in TRAITS[edit] if not it.shows(before, after)]
