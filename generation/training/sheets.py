"""Sheets of small pictures, for a person to judge a training by."""

import math

import numpy as np
from PIL import Image
from torch import Tensor

GAP = 2
BETWEEN = 96
"""The grey between pictures."""


def sheet(pictures: Tensor, *, columns: int, scale: int = 1) -> Image.Image:
    """Return pictures side by side, row after row.

    A pixel of a picture takes ``scale`` of the sheet's in each direction.

    Shape:
        - pictures: ``(N, C, H, W)``, in [0, 1]; C is 1 or 3.
    """
    values = pictures.detach().float().clamp(0, 1).mul(255).round().byte().cpu()
    cells = values.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()
    cells = cells.repeat(scale, axis=1).repeat(scale, axis=2)
    count, height, width, _ = cells.shape
    rows = math.ceil(count / columns)
    size = (rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3)
    paper = np.full(size, BETWEEN, dtype=np.uint8)
    for number, cell in enumerate(cells):
        top = GAP + number // columns * (height + GAP)
        left = GAP + number % columns * (width + GAP)
        paper[top : top + height, left : left + width] = cell
    return Image.fromarray(paper)
