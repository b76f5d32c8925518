"""FLUX.1 dev, schnell and Kontext as rows (Black Forest Labs, 2024 and 2025).

The transformer sees four latents as one token, each with its place; Kontext sees the picture's
tokens after those it makes, at the same places of another plane. How strictly dev and Kontext
follow the words they are told as a number, so that guidance takes one row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from generation.checkpoints import Embedding
from generation.pipelines.flows import TWO_READERS, FlowCheckpoint, pooled_of


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxCheckpoint(FlowCheckpoint):
    """A loaded FLUX.1 of any kind."""

    LIBRARY: ClassVar[str] = "FluxPipeline"
    GUIDED_INSIDE: ClassVar[bool] = True
    EVEN: ClassVar[bool] = True
    REQUIRED: ClassVar[tuple[str, ...]] = TWO_READERS

    def embed(self, prompt: str) -> Embedding:
        """Return a prompt's embedding: the words by the T5, in one vector by the CLIP."""
        assert self.text_encoder_2 is not None
        assert self.tokenizer_2 is not None
        pooled = self.text_encoder(self._short(prompt, self.tokenizer)).pooler_output
        words = self._long(prompt, self.tokenizer_2, self.text_encoder_2)
        return Embedding(words=words, pooled=pooled.to(self.dtype))

    def conditions(
        self, rows: Sequence[Embedding], *, size: Sequence[int], scale: float | None
    ) -> Mapping[str, Tensor]:
        """Return each row's words in one vector, and the guidance where it is told."""
        del size
        told = {"pooled_projections": pooled_of(rows)}
        if self.denoiser.config.guidance_embeds and scale is not None:
            told["guidance"] = torch.full((len(rows),), scale).to(self.device, self.dtype)
        return told

    def placed(self, height: int, width: int, *, pictures: int, words: Tensor) -> dict[str, Any]:
        """Return the places of all tokens: those of words are all alike."""
        device = words.device
        places = [_places(height, width, plane=n, device=device) for n in range(pictures)]
        return {
            "txt_ids": torch.zeros(words.shape[1], 3, device=device),
            "img_ids": torch.cat(places),
        }


def _places(height: int, width: int, *, plane: int, device: torch.device) -> Tensor:
    """Return the place of every token: its plane, its row and its column.

    Shape:
        - returns: ``(height * width, 3)``.
    """
    lines = torch.arange(height, device=device, dtype=torch.float32)
    columns = torch.arange(width, device=device, dtype=torch.float32)
    row, column = torch.meshgrid(lines, columns, indexing="ij")
    return torch.stack([torch.full_like(row, plane), row, column], dim=-1).flatten(0, 1)
