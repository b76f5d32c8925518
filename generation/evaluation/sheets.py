"""The pictures that a report shows: all of few; of many the first, and the least and most alike."""

import base64
from bisect import insort
from dataclasses import dataclass, field
from io import BytesIO
from math import inf

from PIL import Image

from generation.evaluation.figures import Row
from generation.request import Pixels

SIDE = 256
"""Longest side of a shown picture, in pixels."""
TINY = 96
"""Pictures up to this side are shown larger, pixel by pixel."""
WHOLE, EACH, SAMPLES = 12, 3, 30
"""So many pictures are shown all; of more so many of each end; of samples so many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One picture with its result; ``start`` and ``result`` are PNG files."""

    row: Row
    start: bytes
    result: bytes

    @property
    def start_address(self) -> str:
        """The picture as an address that holds it."""
        return address_of(self.start)

    @property
    def result_address(self) -> str:
        """The result as an address that holds it."""
        return address_of(self.result)


@dataclass(slots=True)
class Shown:
    """Few of many pictures; the others are let go of as they come.

    Attributes:
        paired: whether results were made from pictures.
        count: of all pictures so far.
        first: the first, in order.
        least, most: those whose structure is least and most alike, in that order.
    """

    paired: bool = True
    count: int = 0
    first: list[Cell] = field(default_factory=list)
    least: list[Cell] = field(default_factory=list)
    most: list[Cell] = field(default_factory=list)

    def add(self, row: Row, *, start: Pixels, result: Pixels, paired: bool) -> None:
        """Take a picture in, and keep it if it may come to be shown."""
        self.paired = paired
        self.count += 1
        is_first = len(self.first) < (WHOLE if paired else SAMPLES)
        if not is_first and not self._ranks(row):
            return
        cell = Cell(row=row, start=_png(start), result=_png(result))
        self.first += [cell] if is_first else []
        if self._ranks(row):
            for kept in (self.least, self.most):
                insort(kept, cell, key=lambda each: _alike(each.row))
            del self.least[EACH:], self.most[:-EACH]

    def _ranks(self, row: Row) -> bool:
        if not self.paired or row.ssim is None:
            return False
        ends = self.least[-1:] + self.most[:1]
        below, above = [_alike(cell.row) for cell in ends] or [inf, -inf]
        return len(self.least) < EACH or row.ssim < below or row.ssim > above

    @property
    def groups(self) -> list[tuple[str, list[Cell]]]:
        """What is shown, under titles."""
        if not self.paired:
            return [("Samples beside pictures of the data", self.first)]
        if self.count <= WHOLE:
            return [("All pictures", self.first)]
        groups = (
            ("First by name", self.first[:EACH]),
            ("Least alike", self.least),
            ("Most alike", self.most),
        )
        return [(title, cells) for title, cells in groups if cells]


def address_of(png: bytes) -> str:
    """Return a picture as an address that holds it, so that a page needs no other file."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def image_of(png: bytes) -> Image.Image:
    """Return a shown picture."""
    with Image.open(BytesIO(png)) as opened:
        return opened.convert("RGB")


def _alike(row: Row) -> float:
    return row.ssim if row.ssim is not None else 0.0


def _png(picture: Pixels) -> bytes:
    image = Image.frombytes("RGB", (picture.width, picture.height), picture.data)
    times = TINY // max(image.size)
    if times > 1:
        image = image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
