"""What finishing layers are drawn on, and the light that they add."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Plane: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """What a layer is drawn on.

    Shape:
        - rgb: ``(H, W, 3)`` in [0, 1].
        - source: the picture before the edit, the same.
        - mask: ``(H, W)`` in [0, 1], where the layer may show.
    """

    rgb: Plane
    source: Plane
    mask: Plane
    amount: float
    rng: np.random.Generator

    @property
    def unit(self) -> float:
        """Return one pixel of a picture 512 px wide, in pixels of this one."""
        height, width = self.mask.shape
        return max(1.0, float(np.sqrt(height * width)) / 512)


LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
MOST_GAIN = 6.0


def grey_of(rgb: Plane) -> Plane:
    """Return the brightness of a picture."""
    grey: Plane = (rgb @ LUMA).astype(np.float32)
    return grey


def lifted(rgb: Plane, *, least: float) -> Plane:
    """Return a picture whose mean brightness is about ``least``, if it is darker; hues stay.

    Its brightness is taken to a power, which brings most light where it is dark.
    """
    grey = grey_of(rgb) + np.float32(1e-3)
    if float(grey.mean()) >= least:
        return rgb
    power = 1.0
    for _ in range(4):
        power *= np.log(least) / np.log(float((grey**power).mean()))
    gain = np.minimum(grey ** np.float32(power - 1), np.float32(MOST_GAIN))
    light: Plane = np.clip(rgb * gain[..., None], 0, 1)
    return light


def screen(rgb: Plane, light: Plane) -> Plane:
    """Return a picture with light added as by a second projector."""
    lit: Plane = 1 - (1 - rgb) * (1 - np.clip(light, 0, 1))
    return lit


def tinted(plane: Plane, red: float, green: float, blue: float) -> Plane:
    """Return light of one colour.

    Shape:
        - plane: ``(H, W)``; returns ``(H, W, 3)``.
    """
    result: Plane = plane[..., None] * np.array([red, green, blue], dtype=np.float32)
    return result
