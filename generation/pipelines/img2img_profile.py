"""Measuring the calls of a checkpoint that is run row by row."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from generation.checkpoints import Checkpoint
from generation.devices import weight_bytes
from generation.pipelines.profile import SHAPES, Profiles, Times, circumstances, measured
from generation.request import ImageRequest, Pixels
from generation.weights import plain_words

STEPS = 40
"""As many as all calls that are measured take; distilled models allow no more than 50."""


class PaddedRow(Protocol):
    """A row whose calls are padded to a shape."""

    shape: int | None
    source: Tensor

    @property
    def width(self) -> int:
        """Rows that it takes in one call."""


RowT = TypeVar("RowT", bound=PaddedRow)


class Running(Protocol[RowT]):
    """A pipeline, as far as it is measured."""

    def admit(self, request: ImageRequest) -> RowT:
        """Make a row."""

    def advance(self, rows: Sequence[RowT]) -> None:
        """Take one step with every row."""


def recalled(model: Checkpoint, pipeline: Running[RowT], *, kept: Profiles) -> dict[str, Times]:
    """Return how long a checkpoint's calls take by their rows, of its denoiser and its codec.

    No call is larger than that of a square picture: what pays there pays for every other.
    """
    size = f"{model.native_size} px, {weight_bytes(model.modules)} bytes of {model.dtype}"
    plan = model.seats.plan
    altered = "" if plan is None else "".join(f", {name}" for name in plan.altering)
    if plan is not None and "rows" in plan.taken:
        altered += f", at most {plan.look.rows} rows and {plan.look.pictures} pictures"
    key = f"{model.name}, {size}, {circumstances(model.device)}{altered}"
    return kept.recall(key, lambda: _measured(model, pipeline))


@torch.no_grad()
def _measured(model: Checkpoint, pipeline: Running[RowT]) -> dict[str, Times]:
    """Measure calls on a grey picture of the checkpoint's own size."""
    side = model.native_size
    row = pipeline.admit(
        ImageRequest(
            job_id="profile",
            pipeline="remix",
            image=Pixels(width=side, height=side, data=bytes([128]) * (3 * side * side)),
            prompt=next(iter(plain_words(model.manifest.words)), ""),
            strength=1.0,
            num_inference_steps=STEPS,
        )
    )

    def step(rows: int) -> None:
        row.shape = rows
        pipeline.advance([row])

    def recode(rows: int) -> None:
        model.decode(model.encode(row.source.repeat(rows, 1, 1, 1)))

    plan = model.seats.plan
    rows, pictures = (SHAPES[-1],) * 2 if plan is None else (plan.look.rows, plan.look.pictures)
    shapes = (row.width, *(shape for shape in SHAPES if row.width < shape <= rows))
    codec_shapes = [shape for shape in SHAPES if shape <= pictures]
    return {
        "denoiser": measured(step, shapes=shapes, device=model.device),
        "codec": measured(recode, shapes=codec_shapes, device=model.device),
    }
