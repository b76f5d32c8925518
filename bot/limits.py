"""How much one command may ask for."""

import asyncio
from dataclasses import dataclass

from discord import app_commands

from bot.errors import (
    BadShapeError,
    BadSizeError,
    ShapeUnfitError,
    TooManyPicturesError,
    TooManyStepsError,
)
from bot.orders import Picture, result_size
from bot.prompts import shown
from bot.texts import label
from generation.canvases import canvas_of, enlarged
from generation.catalogue import Entry
from generation.errors import InvalidRequestError
from generation.executor.arena import Geometry
from generation.outpainting import parsed_ratio
from generation.request import MIN_CANVAS_SIDE, SCHEDULERS, Canvas, Note

MOST_PICTURES = 10
"""As many files as Discord takes with one message."""
MOST_STEPS = 150
MOST_GUIDANCE = 30.0
SIZE_LETTERS = 11
EXTENDED = 2
"""How many times as long as a picture's longest side may be that of one with new margins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the installation allows.

    Args:
        max_side: longest side of a picture in pixels.
        max_pictures: that one command may ask for at once.
    """

    max_side: int
    max_pictures: int

    def require_count(self, count: int) -> None:
        """Refuse to make more pictures at once than is allowed.

        Raises:
            TooManyPicturesError: there are more.
        """
        if count > self.max_pictures:
            raise TooManyPicturesError("too many", limit=self.max_pictures)

    def require_room(self, picture: Picture, *, shape: str) -> None:
        """Refuse a shape that a picture has already, or that would take too long a side.

        Raises:
            ShapeUnfitError: it is one of these.
        """
        limit = self.max_side * EXTENDED
        refused = ShapeUnfitError("no such margins", shape=shape, limit=limit)
        try:
            size = result_size(picture.width, picture.height, ratio=shape)
        except InvalidRequestError as err:
            raise refused from err
        if max(size) > limit:
            raise refused

    async def canvas(self, size: str, *, entry: Entry) -> tuple[Canvas, tuple[Note, ...]]:
        """Return the canvas of a size or a shape, for a checkpoint, and what to say about it.

        Raises:
            BadSizeError: it is neither, or beyond what is allowed.
        """
        refused = BadSizeError(
            "no such canvas", size=shown(size), low=MIN_CANVAS_SIDE, high=self.max_side
        )

        def look() -> tuple[Canvas, tuple[Note, ...]]:
            folder, family, manifest = entry.folder, entry.family, entry.manifest
            canvas = canvas_of(size, folder=folder, family=family, manifest=manifest)
            return canvas, enlarged(canvas, folder=folder, family=family, manifest=manifest)

        try:
            canvas, notes = await asyncio.to_thread(look)
        except InvalidRequestError as err:
            raise refused from err
        if max(canvas.width, canvas.height) > self.max_side:
            raise refused
        return canvas, notes


def arena_for(*, max_side: int) -> Geometry:
    """Return how an engine's memory is cut, so that the largest order fits.

    That is a picture with new margins and the mask of these, beside a control's picture and one
    that the result is to be like.
    """
    usual = Geometry()
    square = 3 * max_side**2
    parts = (EXTENDED * square, EXTENDED * square, square, square)
    needed = sum(-(-part // usual.slot_bytes) for part in parts)
    return Geometry(slots=max(usual.slots, needed))


def shape_of(text: str) -> str:
    """Return a shape as it is written in orders, such as 16:9.

    Raises:
        BadShapeError: it is none, or too narrow.
    """
    plain = "".join(text.split())
    try:
        parsed_ratio(plain)
    except InvalidRequestError as err:
        raise BadShapeError("no shape", shape=shown(text)) from err
    return plain


SCHEDULER_CHOICES = [
    app_commands.Choice(name=label(f"scheduler.{name}"), value=name) for name in SCHEDULERS
]


def require_steps(steps: int | None, *, entry: Entry | None) -> None:
    """Refuse to take more steps than a checkpoint does; None is a method without one.

    Raises:
        TooManyStepsError: there are more.
    """
    if entry is not None and steps is not None and steps > entry.family.most_steps:
        raise TooManyStepsError("too many", name=entry.name, limit=entry.family.most_steps)
