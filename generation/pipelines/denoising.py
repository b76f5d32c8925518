"""One denoising under way: k rows of guidance, and the scheduler's steps.

Guidance is a linear combination of the rows' predictions: one row without guidance, two for
classifier-free guidance (Ho & Salimans, 2022), three for InstructPix2Pix (Brooks, Holynski &
Efros, CVPR 2023, equation 3).
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

Call: TypeAlias = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guidance:
    """How strictly to follow the words, and the picture (None where it is not a condition)."""

    text: float
    image: float | None = None

    @property
    def rows(self) -> int:
        """Rows of the denoiser that one step takes."""
        if self.text <= 1 or (self.image is not None and self.image < 1):
            return 1
        return 2 if self.image is None else 3

    def combine(self, predictions: Tensor) -> Tensor:
        """Return the guided prediction.

        Shape:
            - predictions: ``(rows, C, h, w)``: two rows are without and with words; three are
              with words and picture, with the picture, with neither.
            - returns: ``(1, C, h, w)``.
        """
        if self.rows == 1:
            return predictions
        if self.rows == 2:
            without, words = predictions.chunk(2)
            return without + self.text * (words - without)
        words, picture, neither = predictions.chunk(3)
        assert self.image is not None
        return neither + self.text * (words - picture) + self.image * (picture - neither)


@dataclass(slots=True, kw_only=True)
class Denoising:
    """The state of one denoising.

    Args:
        latents: the noisy latents, scaled as the scheduler wants them.
        source: the source's latents as a condition, None for families without.
        words: embeddings, one for each row of guidance.
        scheduler: a copy of its own.
        timesteps: the steps still planned and done.
        rng: for schedulers that add noise.
        clean: the last estimate of the noise-free latents.
    """

    latents: Tensor
    source: Tensor | None
    words: Tensor
    guidance: Guidance
    scheduler: Any
    timesteps: Tensor
    rng: torch.Generator
    step: int = 0
    clean: Tensor | None = None

    @property
    def done(self) -> bool:
        """Whether all steps are taken."""
        return self.step >= len(self.timesteps)

    def call(self) -> Call:
        """Return the denoiser's input for the next step: latents, timesteps, words."""
        rows = self.guidance.rows
        time = self.timesteps[self.step]
        latents = self.scheduler.scale_model_input(torch.cat([self.latents] * rows), time)
        if self.source is not None:
            seen = [self.source] * rows
            if rows == 3:
                seen[2] = torch.zeros_like(self.source)
            latents = torch.cat([latents, torch.cat(seen)], dim=1)
        return latents, time.expand(rows), self.words

    def apply(self, predictions: Tensor) -> None:
        """Take the step that the denoiser's answer leads to."""
        guided = self.guidance.combine(predictions)
        accepted = inspect.signature(self.scheduler.step).parameters
        extra = {"generator": self.rng} if "generator" in accepted else {}
        moved = self.scheduler.step(guided, self.timesteps[self.step], self.latents, **extra)
        self.latents = moved.prev_sample
        self.clean = getattr(moved, "pred_original_sample", None)
        self.step += 1


def advance_together(unet: Any, denoisings: Sequence[Denoising]) -> None:  # noqa: ANN401
    """Take one step with each denoising, in one call of the denoiser.

    Every state changes only after the call, so that a failed call can be repeated.
    """
    calls = [denoising.call() for denoising in denoisings]
    latents, times, words = (torch.cat(parts) for parts in zip(*calls, strict=True))
    predictions = unet(latents, times, encoder_hidden_states=words).sample
    counts = [denoising.guidance.rows for denoising in denoisings]
    for denoising, prediction in zip(denoisings, predictions.split(counts), strict=True):
        denoising.apply(prediction)
