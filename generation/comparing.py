"""How much a result differs from the picture that it was made from; without torch.

It is calculated in a codec's child, where alone NumPy is imported.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import TYPE_CHECKING

from PIL import Image

from generation.request import Canvas, ImageRequest, Pixels
from generation.resizing import resized

if TYPE_CHECKING:
    from generation.postprocess.metrics import Array, Bytes

SAME_SHAPE = 1.03
"""How far two pictures' shapes may differ by rounding alone."""
SMALLEST = 11
"""Of the sides of pictures whose structure is compared: SSIM's window."""
STEP = 2
"""Pixels from one of SSIM's windows to the next: the figure costs members no time."""


class Compared(StrEnum):
    """Which part of a picture was compared, and how."""

    WHOLE = "whole"
    MASK = "mask"
    """Where it was made anew."""
    PLACE = "place"
    """Where the picture lies amid its new margins."""
    REDUCED = "reduced"
    """The larger of the two at the size of the smaller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What differs between a picture and what was made of it.

    Args:
        mse: mean squared difference of the values in [0, 1]; 0 where nothing differs.
        psnr: in decibels; None where nothing differs, for it is infinite there.
        ssim: structural similarity, at most 1; None where what is compared is too small for it.
        compared: what the figures are about.
    """

    mse: float
    psnr: float | None
    ssim: float | None
    compared: Compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A picture and what was made of it, and what of them is to be compared.

    Args:
        mask: where it was made anew, of any size and laid over the whole; None is everywhere.
        inner: width and height of the picture in the midst of margins that are new; None
            where there are none.
    """

    start: Pixels
    result: Pixels
    mask: Pixels | None = None
    inner: tuple[int, int] | None = None


def pair_of(
    request: ImageRequest, result: Pixels, *, inner: tuple[int, int] | None = None
) -> Pair | None:
    """Return what of a request and its finished picture is compared; None where nothing can be.

    Nothing can be compared with an empty canvas, or with a picture of another shape.
    """
    start = request.image
    if isinstance(start, Canvas):
        return None
    shapes = start.width * result.height, result.width * start.height
    sides = start.width, start.height, result.width, result.height, *(inner or ())
    if max(shapes) > SAME_SHAPE * min(shapes) or min(sides) < SMALLEST:
        return None
    if inner is not None and _size(start) != _size(result):
        return None
    return Pair(start=start, result=result, mask=None if inner else request.mask, inner=inner)


def compare(pair: Pair, *, step: int = STEP) -> Comparison:
    """Return how much two pictures differ; ``step`` is that of ``metrics.ssim``."""
    from generation.postprocess.metrics import luminance, mse, psnr, ssim

    size = min(_size(pair.start), _size(pair.result))
    place = _place(size, pair.inner)
    one, other = (_values(each, size)[place] for each in (pair.start, pair.result))
    weights = None if pair.mask is None else _weights(pair.mask, size)
    error = mse(one, other, weights)
    alike, decibels = ssim(luminance(one), luminance(other), weights, step=step), psnr(error)
    return Comparison(
        mse=error,
        psnr=decibels if isfinite(decibels) else None,
        ssim=alike if isfinite(alike) else None,
        compared=_compared(pair),
    )


def _compared(pair: Pair) -> Compared:
    if pair.inner is not None:
        return Compared.PLACE
    if pair.mask is not None:
        return Compared.MASK
    return Compared.WHOLE if _size(pair.start) == _size(pair.result) else Compared.REDUCED


def _size(picture: Pixels) -> tuple[int, int]:
    return picture.width, picture.height


def _place(size: tuple[int, int], inner: tuple[int, int] | None) -> tuple[slice, slice]:
    """Return the rows and columns of a picture amid margins, as ``outpainted`` lays it."""
    width, height = inner or size
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return slice(top, top + height), slice(left, left + width)


def _values(picture: Pixels, size: tuple[int, int]) -> "Bytes":
    """Return a picture's bytes at a size.

    Shape:
        - returns: ``(height, width, 3)``.
    """
    import numpy as np

    data = picture.data
    if _size(picture) != size:
        data = resized(Image.frombytes("RGB", _size(picture), data), size).tobytes()
    return np.frombuffer(data, np.uint8).reshape(size[1], size[0], 3)


def _weights(mask: Pixels, size: tuple[int, int]) -> "Array":
    """Return how white a mask is in each pixel, laid over a whole picture.

    Shape:
        - returns: ``(height, width)``, in [0, 1].
    """
    import numpy as np

    from generation.postprocess.metrics import unit

    grey = Image.frombytes("RGB", _size(mask), mask.data).getchannel(0)
    laid = grey.resize(size, Image.Resampling.BILINEAR)
    return unit(np.asarray(laid))
