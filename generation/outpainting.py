"""Outpainting: a picture in the middle of a larger one, whose margins are to be made anew."""

from PIL import Image

from generation.errors import InvalidRequestError
from generation.request import MAX_CANVAS_SIDE, Pixels

MAX_RATIO = 4.0
MAX_DIGITS = 5
"""Of a side's number: Python turns a few hundred into no quotient, and thousands not even read."""


def parsed_ratio(text: str) -> float:
    """Return the width by the height of a shape like ``16:9``.

    Raises:
        InvalidRequestError: it is none, or narrower than ``MAX_RATIO``.
    """
    sides = text.split(":")
    if len(sides) != 2 or not all(side.isascii() and side.isdigit() for side in sides):
        raise InvalidRequestError(f"{text!r} is no shape; write WIDTH:HEIGHT, such as 16:9")
    if max(len(side) for side in sides) > MAX_DIGITS:
        raise InvalidRequestError(f"the numbers of a shape have {MAX_DIGITS} digits at most")
    width, height = (int(side) for side in sides)
    if not min(width, height) or max(width, height) > MAX_RATIO * min(width, height):
        raise InvalidRequestError(f"a side may be {MAX_RATIO:g} times the other at most")
    return width / height


def outer_size(width: int, height: int, *, ratio: float) -> tuple[int, int]:
    """Return the width and height of a picture with its margins.

    Raises:
        InvalidRequestError: it has this shape already, or would become too large.
    """
    outer = max(width, round(height * ratio)), max(height, round(width / ratio))
    if outer == (width, height):
        raise InvalidRequestError("the picture has this shape already")
    if max(outer) > MAX_CANVAS_SIDE:
        raise InvalidRequestError(f"a side may have {MAX_CANVAS_SIDE} pixels at most")
    return outer


def outpainted(picture: Pixels, *, ratio: float) -> tuple[Pixels, Pixels]:
    """Return a picture amid new margins, and the mask of these; no pixel of it is changed.

    Until they are made anew, the margins hold the picture's outermost pixels, drawn out. The
    ``ratio`` is the width by the height that it is to have.

    Raises:
        InvalidRequestError: it has this shape already, or would become too large.
    """
    inner = (picture.width, picture.height)
    outer = outer_size(*inner, ratio=ratio)
    left, top = ((out - own) // 2 for out, own in zip(outer, inner, strict=True))
    box = (left, top, left + inner[0], top + inner[1])
    image = Image.frombytes("RGB", inner, picture.data)
    drawn = _drawn_out(image, outer, box=box)
    mask = Image.new("RGB", outer, (255, 255, 255))
    mask.paste((0, 0, 0), box)
    return _pixels(drawn), _pixels(mask)


def _drawn_out(
    image: Image.Image, outer: tuple[int, int], *, box: tuple[int, int, int, int]
) -> Image.Image:
    """Return a larger picture with this one at a place, its edges drawn out to the sides."""
    (width, height), (left, top, right, bottom) = image.size, box
    edges = {
        (0, 0, left, outer[1]): (0, 0, 1, height),
        (right, 0, outer[0], outer[1]): (width - 1, 0, width, height),
        (0, 0, outer[0], top): (0, 0, width, 1),
        (0, bottom, outer[0], outer[1]): (0, height - 1, width, height),
    }
    drawn = Image.new("RGB", outer)
    for place, edge in edges.items():
        size = place[2] - place[0], place[3] - place[1]
        if min(size):
            drawn.paste(image.crop(edge).resize(size), place[:2])
    drawn.paste(image, box)
    return drawn


def _pixels(image: Image.Image) -> Pixels:
    return Pixels(width=image.width, height=image.height, data=image.tobytes())
