"""Rooms painted by rules, of a seed and of words; there is no network.

It answers what a VAE with a prior would: a direction changes what a room has and leaves it
furnished as it was; a walk goes to another style, with other colours and another light, of the same
room. What lies between is a blend of both paintings.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import torch

from generation.designers import PAINTER
from generation.errors import InvalidRequestError, ModelUnavailableError
from generation.imaging import to_pixels
from generation.pipelines.base import EngineConfig, Finished, OneByOne
from generation.pipelines.img2img_finish import resized
from generation.pipelines.vae_rows import LONGEST_SIDE, PREVIEW_SIDE, notes_on, shares_of
from generation.request import Canvas, ImageRequest, Note, NoteCode, Pixels, Walk
from generation.training.rooms import RoomPlan, draw_plan, furnished
from generation.training.rooms_words import ROOM_WORDS
from generation.vaes import heard

Painting = torch.Tensor
"""Shape ``(1, 3, side, side)``, in [0, 1]."""


@dataclass(slots=True, kw_only=True)
class RoomRow:
    """One room, or the frames of a walk, being painted.

    Args:
        plans: what the room is at first, and what it becomes, if anything.
        shares: of the way, one for each picture.
        ends: the paintings of the plans, when they are there.
    """

    request: ImageRequest
    plans: tuple[RoomPlan, ...]
    shares: Sequence[float]
    notes: tuple[Note, ...]
    ends: tuple[Painting, ...] = ()
    pictures: list[Painting] = field(default_factory=list)
    step: int = 0
    width: int = 1
    bucket: Hashable = PAINTER

    @property
    def total_steps(self) -> int:
        """Pictures to make."""
        return len(self.shares)


class RoomsPipeline(OneByOne):
    """Paints rooms."""

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Self:
        """Return the painter, who has nothing to load.

        Raises:
            ModelUnavailableError: another model is meant.
        """
        del config
        if model != PAINTER:
            raise ModelUnavailableError(f"the painter of rooms is called {PAINTER}, not {model}")
        return cls()

    def admit(self, request: ImageRequest) -> RoomRow:
        """Draw what the room is, and what it becomes on the way.

        Raises:
            InvalidRequestError: there is a picture, or something else that the painter does not
                know: a mask, a control, a likeness, a direction that is no word of rooms.
        """
        if not isinstance(request.image, Canvas):
            raise InvalidRequestError("the painter of rooms starts from no picture")
        if request.mask or request.control or request.like:
            raise InvalidRequestError("the painter takes no mask, no control and no likeness")
        walk = request.walk or Walk()
        if walk.direction and walk.direction not in ROOM_WORDS:
            raise InvalidRequestError(f"no direction {walk.direction!r} is known here")
        words, unknown = heard(request.prompt, words=ROOM_WORDS)
        end = request.strength if walk.direction else 1.0
        return RoomRow(
            request=request,
            plans=_plans(request.seed, words=words, walk=walk),
            shares=shares_of(walk, end=end),
            notes=(*notes_on(unknown, words=ROOM_WORDS), Note(code=NoteCode.PAINTED)),
        )

    def advance(self, rows: Sequence[RoomRow]) -> None:
        """Paint the next picture of every row."""
        for row in rows:
            row.ends = row.ends or tuple(_painted(row, plan) for plan in row.plans)
            first, last = row.ends[0], row.ends[-1]
            share = row.shares[row.step]
            row.pictures.append(torch.lerp(first, last, share))
            row.step += 1

    def preview(self, row: RoomRow) -> Pixels | None:
        """Return the newest picture, at most 256 px a side."""
        if not row.pictures:
            return None
        side = min(PREVIEW_SIDE, row.pictures[-1].shape[-1])
        return to_pixels(resized(row.pictures[-1], height=side, width=side))

    def retire(self, row: RoomRow) -> Finished:
        """Return the picture, or frames one below the other."""
        image = row.request.image
        if len(row.pictures) > 1:
            parameters = (("frames", str(len(row.pictures))),)
            strip = to_pixels(torch.cat(row.pictures, dim=2))
            return Finished(image=strip, notes=row.notes, parameters=parameters)
        whole = resized(row.pictures[0], height=max(_sides(image)), width=max(_sides(image)))
        top, left = ((max(_sides(image)) - side) // 2 for side in (image.height, image.width))
        cut = whole[..., top : top + image.height, left : left + image.width]
        return Finished(image=to_pixels(cut), notes=row.notes)


def _plans(seed: int, *, words: Sequence[str], walk: Walk) -> tuple[RoomPlan, ...]:
    """Return what a room is, and what it becomes: with a direction's word, or of the next seed."""
    first = draw_plan(np.random.default_rng(seed), said=words)
    if walk.direction:
        said = (walk.direction, *words)
        return first, draw_plan(np.random.default_rng(seed), said=said)
    if walk.frames > 1:
        said = (*words, first.kind)
        return first, draw_plan(np.random.default_rng((seed + 1) % 2**32), said=said)
    return (first,)


def _painted(row: RoomRow, plan: RoomPlan) -> Painting:
    """Return a plan's painting; what it leaves open is the same for all plans of a row."""
    rng = np.random.default_rng((row.request.seed, 1))
    rgb = furnished(plan, rng, size=min(LONGEST_SIDE, max(_sides(row.request.image))))
    return torch.from_numpy(rgb).permute(2, 0, 1)[None].float()


def _sides(image: Canvas | Pixels) -> tuple[int, int]:
    return image.height, image.width
