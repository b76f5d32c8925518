"""The edges of a picture, as ControlNets for edges were trained with them.

Canny, "A Computational Approach to Edge Detection" (IEEE PAMI 8, 1986).

Differs from the paper: the steps and their roundings are those of OpenCV's ``Canny``, which drew
what the public ControlNets have seen: no blur comes first, slopes are Sobel's, a slope's strength
is the sum of its two sides, and of the three colours the one with the strongest slope counts.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

LOW, HIGH = 100, 200
"""Strengths of slopes, 0 to 2040: an edge is above the first, and somewhere above the second."""

_SMOOTH, _SLOPE = np.array([1, 2, 1]), np.array([-1, 0, 1])
_SHIFT = 15
_FLAT = round(np.tan(np.pi / 8) * 2**_SHIFT)
"""The tangent of 22.5 degrees, below which a slope counts as level, in fixed point."""

Plane = npt.NDArray[np.int32]
Map = npt.NDArray[np.bool_]


def edges(picture: npt.NDArray[np.uint8], *, low: int = LOW, high: int = HIGH) -> Map:
    """Return where a picture's edges run, one pixel wide.

    Shape:
        - picture: ``(H, W, 3)``; returns ``(H, W)``.
    """
    across, down, strength = _slopes(picture.astype(np.int32))
    ridge = (strength > low) & _highest(across, down, strength)
    pieces, count = ndimage.label(ridge, structure=np.ones((3, 3)))
    strong = np.zeros(count + 1, bool)
    strong[pieces[ridge & (strength > high)]] = True
    return np.asarray(strong[pieces])


def _slopes(picture: Plane) -> tuple[Plane, Plane, Plane]:
    """Return every pixel's slope across and down, and its strength, of its steepest colour."""
    across, down = (
        _filtered(_filtered(picture, _SLOPE, axis=one), _SMOOTH, axis=other)
        for one, other in ((1, 0), (0, 1))
    )
    strength = np.abs(across) + np.abs(down)
    steepest = strength.argmax(axis=2)[..., None]
    return _of(across, steepest), _of(down, steepest), _of(strength, steepest)


def _filtered(picture: Plane, weights: npt.NDArray[Any], *, axis: int) -> Plane:
    return np.asarray(ndimage.correlate1d(picture, weights, axis=axis, mode="nearest"))


def _of(colours: Plane, which: npt.NDArray[np.intp]) -> Plane:
    return np.take_along_axis(colours, which, axis=2)[..., 0]


def _highest(across: Plane, down: Plane, strength: Plane) -> Map:
    """Return where a slope is stronger than both of its neighbours up and down the hill."""
    around = np.pad(strength, 1)
    height, width = strength.shape

    def beside(right: int, below: int) -> Plane:
        return around[1 + below : 1 + below + height, 1 + right : 1 + right + width]

    flat = np.abs(across) * _FLAT
    rise = np.abs(down) << _SHIFT
    level, upright = rise < flat, rise > flat + (np.abs(across) << (_SHIFT + 1))
    falling = (across ^ down) < 0
    slanting = np.where(
        falling,
        (strength > beside(1, -1)) & (strength > beside(-1, 1)),
        (strength > beside(-1, -1)) & (strength > beside(1, 1)),
    )
    return np.where(
        level,
        (strength > beside(-1, 0)) & (strength >= beside(1, 0)),
        np.where(
            upright, (strength > beside(0, -1)) & (strength >= beside(0, 1)), slanting
        ),
    )  # fmt: skip
