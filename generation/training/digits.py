"""Handwritten-looking digits, painted from strokes and from fonts: data for the digit models.

They look like MNIST's: white on black, 28 x 28, the digit in 20 x 20 and centred by its mass
(LeCun, Cortes & Burges, "The MNIST database"). Each is a function of the seed and its number.
"""

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TypeAlias

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import center_of_mass, shift

Bytes: TypeAlias = NDArray[np.uint8]
Points: TypeAlias = NDArray[np.float64]
Stroke: TypeAlias = Sequence[tuple[float, float]]

SIDE, BOX = 28, 20
SCALE = 6
"""Drawn so many times larger, so that edges come out smooth."""
PRINTED = 0.25
"""Share of digits that are set in type."""
FONTS = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSerif",
    "DejaVuSerif-Italic", "STIXGeneral", "STIXGeneralItalic", "cmr10", "cmss10",
)  # fmt: skip

STROKES: tuple[tuple[tuple[Stroke, ...], ...], ...] = (
    (
        (
            ((0.5, 0.1), (0.26, 0.25), (0.2, 0.5), (0.28, 0.78), (0.5, 0.9),
             (0.73, 0.77), (0.8, 0.5), (0.74, 0.24), (0.5, 0.1)),
        ),
    ),
    (
        (((0.5, 0.1), (0.5, 0.5), (0.5, 0.9)),),
        (((0.34, 0.28), (0.46, 0.2), (0.55, 0.1)), ((0.55, 0.1), (0.54, 0.5), (0.53, 0.9))),
    ),
    (
        (
            ((0.25, 0.3), (0.36, 0.13), (0.6, 0.1), (0.75, 0.28), (0.6, 0.52), (0.25, 0.88)),
            ((0.25, 0.88), (0.5, 0.86), (0.78, 0.87)),
        ),
        (
            ((0.26, 0.24), (0.45, 0.1), (0.7, 0.2), (0.66, 0.45), (0.4, 0.78), (0.24, 0.84),
             (0.3, 0.72), (0.5, 0.8), (0.8, 0.86)),
        ),
    ),
    (
        (
            ((0.27, 0.18), (0.5, 0.1), (0.72, 0.22), (0.65, 0.42), (0.44, 0.48)),
            ((0.44, 0.48), (0.7, 0.55), (0.76, 0.75), (0.55, 0.9), (0.25, 0.82)),
        ),
        (
            ((0.25, 0.12), (0.5, 0.12), (0.75, 0.12)),
            ((0.75, 0.12), (0.6, 0.28), (0.47, 0.42)),
            ((0.47, 0.42), (0.72, 0.52), (0.74, 0.76), (0.52, 0.9), (0.25, 0.82)),
        ),
    ),
    (
        (
            ((0.6, 0.1), (0.42, 0.34), (0.22, 0.6)),
            ((0.22, 0.6), (0.5, 0.6), (0.8, 0.6)),
            ((0.62, 0.36), (0.61, 0.62), (0.6, 0.92)),
        ),
        (
            ((0.28, 0.12), (0.25, 0.34), (0.27, 0.52), (0.48, 0.54), (0.7, 0.5)),
            ((0.72, 0.12), (0.7, 0.5), (0.68, 0.92)),
        ),
    ),
    (
        (
            ((0.74, 0.12), (0.52, 0.12), (0.32, 0.13)),
            ((0.32, 0.13), (0.31, 0.3), (0.29, 0.46)),
            ((0.29, 0.46), (0.55, 0.4), (0.76, 0.6), (0.66, 0.85), (0.4, 0.9), (0.24, 0.82)),
        ),
    ),
    (
        (
            ((0.66, 0.1), (0.4, 0.34), (0.26, 0.65), (0.38, 0.88), (0.62, 0.88), (0.73, 0.7),
             (0.58, 0.54), (0.3, 0.66)),
        ),
    ),
    (
        (
            ((0.22, 0.14), (0.5, 0.13), (0.78, 0.14)),
            ((0.78, 0.14), (0.56, 0.5), (0.42, 0.9)),
        ),
        (
            ((0.22, 0.16), (0.5, 0.13), (0.78, 0.14)),
            ((0.78, 0.14), (0.58, 0.48), (0.44, 0.9)),
            ((0.38, 0.52), (0.55, 0.51), (0.72, 0.5)),
        ),
    ),
    (
        (
            ((0.5, 0.48), (0.3, 0.32), (0.36, 0.13), (0.63, 0.12), (0.7, 0.3), (0.5, 0.48),
             (0.28, 0.68), (0.38, 0.9), (0.64, 0.88), (0.72, 0.68), (0.5, 0.48)),
        ),
    ),
    (
        (
            ((0.7, 0.34), (0.55, 0.5), (0.33, 0.43), (0.3, 0.2), (0.5, 0.1), (0.69, 0.2),
             (0.7, 0.34)),
            ((0.7, 0.34), (0.67, 0.62), (0.55, 0.92)),
        ),
        (
            ((0.69, 0.2), (0.5, 0.1), (0.31, 0.22), (0.36, 0.46), (0.58, 0.46), (0.69, 0.2)),
            ((0.69, 0.2), (0.68, 0.55), (0.66, 0.92)),
        ),
    ),
)  # fmt: skip
"""Each digit's ways of being written: strokes as points that a curve passes, y downwards."""


def digits(count: int, *, seed: int) -> tuple[Bytes, Bytes]:
    """Return digits and which they are, every figure about equally often.

    Shape:
        - pictures: ``(count, 28, 28)``, white on black.
        - labels: ``(count,)``, 0 to 9.
    """
    labels = (np.arange(count) % 10).astype(np.uint8)
    pictures = [
        digit(int(label), np.random.default_rng((seed, number)))
        for number, label in enumerate(labels)
    ]
    return np.stack(pictures), labels


def digit(label: int, rng: np.random.Generator) -> Bytes:
    """Return one digit, written or set, bent and centred as MNIST's are.

    Shape:
        - returns: ``(28, 28)``.
    """
    large = _set(label, rng) if rng.random() < PRINTED else _written(label, rng)
    box = large.getbbox() or (0, 0, *large.size)
    found = large.crop(box)
    factor = BOX / max(found.size)
    size = (max(1, round(found.width * factor)), max(1, round(found.height * factor)))
    small = np.zeros((SIDE, SIDE), dtype=np.float64)
    top, left = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
    reduced = found.resize(size, Image.Resampling.BOX)
    small[top : top + size[1], left : left + size[0]] = np.asarray(reduced)
    row, column = center_of_mass(small)
    centre = (SIDE - 1) / 2
    centred = shift(small, (centre - row, centre - column), order=1)
    whole: Bytes = np.clip(np.rint(centred), 0, 255).astype(np.uint8)
    return whole


def curve(points: Points, *, parts: int = 10) -> Points:
    """Return a Catmull-Rom spline (Catmull & Rom, 1974) through points.

    Shape:
        - points: ``(N, 2)``, two at least.
        - returns: ``((N - 1) * parts + 1, 2)``; every ``parts``-th is one of the points.
    """
    before, after = 2 * points[0] - points[1], 2 * points[-1] - points[-2]
    p = np.vstack([before, points, after])
    t = (np.arange(parts) / parts)[None, :, None]
    a, b, c, d = (p[k : len(p) - 3 + k, None] for k in range(4))
    bent = 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    )
    return np.vstack([bent.reshape(-1, 2), points[-1:]])


def _bending(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a random 2 x 2 map: slant, turn and proportions of a hand."""
    turn, slant = math.radians(rng.normal(0, 5)), rng.normal(-0.12, 0.15)
    wide = rng.uniform(0.7, 1.05)
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    bending: NDArray[np.float64] = rotation @ np.array([[wide, slant], [0.0, 1.0]])
    return bending


def _written(label: int, rng: np.random.Generator) -> Image.Image:
    ways = STROKES[label]
    way = ways[rng.integers(len(ways))]
    bending, side = _bending(rng), SIDE * SCALE
    wide = rng.uniform(1.4, 3.0) * SCALE * SIDE / BOX
    paper = Image.new("L", (2 * side, 2 * side))
    draw = ImageDraw.Draw(paper)
    ends: dict[tuple[float, float], Points] = {}
    for stroke in way:
        wobble = rng.normal(0, 0.022, (len(stroke), 2))
        points = np.array(stroke) + wobble
        for end in (0, -1):
            # Strokes that meet are written without lifting the pen.
            points[end] = ends.setdefault(stroke[end], points[end])
        placed = (curve(points) - 0.5) @ bending.T * side + side
        _ink(draw, placed, width=wide)
    return paper


def _ink(draw: ImageDraw.ImageDraw, line: Points, *, width: float) -> None:
    """Draw a line with round ends."""
    spots = [(float(x), float(y)) for x, y in line]
    draw.line(spots, fill=255, width=round(width), joint="curve")
    for x, y in (spots[0], spots[-1]):
        half = width / 2
        draw.ellipse((x - half, y - half, x + half, y + half), fill=255)


def _set(label: int, rng: np.random.Generator) -> Image.Image:
    font = _font(FONTS[rng.integers(len(FONTS))])
    side = 2 * SIDE * SCALE
    paper = Image.new("L", (side, side))
    ImageDraw.Draw(paper).text((side / 2, side / 2), str(label), fill=255, font=font, anchor="mm")
    (a, b), (c, d) = np.linalg.inv(_bending(rng))
    middle = side / 2
    x0, y0 = middle - a * middle - b * middle, middle - c * middle - d * middle
    return paper.transform(
        paper.size, Image.Transform.AFFINE, (a, b, x0, c, d, y0), Image.Resampling.BILINEAR
    )


@cache
def _font(name: str) -> ImageFont.FreeTypeFont:
    """Return one of the fonts that matplotlib carries."""
    return ImageFont.truetype(Path(mpl.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf", 150)
