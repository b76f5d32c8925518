"""Poses drawn as ControlNets for poses were trained with them.

Cao, Hidalgo, Simon, Wei & Sheikh, "OpenPose" (IEEE TPAMI 43, 2021): eighteen points of a body, a
colour for each and for each limb between two.

Differs from OpenPose: the points come from a network that names COCO's seventeen; the neck is the
middle of the shoulders. Limbs are as wide as OpenPose draws them at 512 pixels, in proportion.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
"""A person's points, ``(points, 3)``: across, down in pixels, and how sure the network is."""
Drawing = npt.NDArray[np.uint8]

SURE = 0.3
"""From which a point counts."""
USUAL_SIDE, HALF_WIDTH, FAINT = 512, 4.0, 0.6
"""Where a limb is ``2 * HALF_WIDTH`` pixels wide, and how bright it is beside its ends."""

# Of COCO: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles; left before right.
LEFT_SHOULDER, RIGHT_SHOULDER = 5, 6
COCO_POINTS = 17
NECK = -1
FROM_COCO = (0, NECK, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
"""OpenPose's points by COCO's numbers: nose, neck, right arm, left arm, right leg, left leg, right
eye, left eye, right ear, left ear."""
LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12),
    (12, 13), (1, 0), (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
COLOURS = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0),
    (0, 255, 0), (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255),
    (0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85),
)  # fmt: skip
"""Of the points; a limb has that of its place among the limbs."""


def body_of(points: Points) -> Points:
    """Return OpenPose's eighteen points of a person's seventeen of COCO.

    Shape:
        - points: ``(17, 3)``; returns ``(18, 3)``.
    """
    shoulders = points[[LEFT_SHOULDER, RIGHT_SHOULDER]]
    neck = np.append(shoulders[:, :2].mean(axis=0), shoulders[:, 2].min())
    return np.asarray([neck if each == NECK else points[each] for each in FROM_COCO])


def skeletons(people: Sequence[Points], *, width: int, height: int) -> Drawing:
    """Draw the bodies of people on black, each over the one before.

    Shape:
        - people: ``(18, 3)`` each; returns ``(height, width, 3)``.
    """
    drawing = np.zeros((height, width, 3), np.uint8)
    across, down = np.arange(width)[None] + 0.5, np.arange(height)[:, None] + 0.5
    half = HALF_WIDTH * min(width, height) / USUAL_SIDE
    for body in people:
        seen = body[:, 2] > SURE
        for (one, other), colour in zip(LIMBS, COLOURS, strict=False):
            if seen[one] and seen[other]:
                inside = _limb(body[one, :2], body[other, :2], across, down, half=half)
                drawing[inside] = np.array(colour) * FAINT
        for (x, y, _), colour in zip(body[seen], np.array(COLOURS)[seen], strict=True):
            drawing[(across - x) ** 2 + (down - y) ** 2 <= max(half, 1) ** 2] = colour
    return drawing


def _limb(
    start: npt.NDArray[Any],
    end: npt.NDArray[Any],
    across: npt.NDArray[Any],
    down: npt.NDArray[Any],
    *,
    half: float,
) -> npt.NDArray[np.bool_]:
    """Return where the ellipse around a line from point to point is."""
    middle, line = (start + end) / 2, end - start
    length = float(np.hypot(*line))
    if length == 0:
        return np.zeros((down.shape[0], across.shape[1]), bool)
    (cosine, sine), right, below = line / length, across - middle[0], down - middle[1]
    along = (right * cosine + below * sine) / (length / 2)
    beside = (below * cosine - right * sine) / max(half, 0.5)
    return np.asarray(along**2 + beside**2 <= 1)
