"""Qwen-Image-Edit as rows: its reader sees the picture, and its denoiser does.

Wu et al., "Qwen-Image Technical Report" (2025). Prompts are as long as they are: they are filled
up to the next multiple of some tokens, which the denoiser is told not to look at, so that requests
of about the same length share calls.

Differs from diffusers: the picture is seen at the size that it is run at, not always at a
megapixel; at a checkpoint's own size that is the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import diffusers
import torch
from torch import Tensor
from torch.nn import functional

from generation.checkpoints import Embedding
from generation.imaging import to_pil
from generation.pipelines.flows import FlowCheckpoint

LENGTHS = 64
"""Of which the lengths of prompts that share calls are multiples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QwenCheckpoint(FlowCheckpoint):
    """A loaded Qwen-Image-Edit; its codec is one of films, of which it sees single pictures."""

    LIBRARY: ClassVar[str] = "QwenImageEditPipeline"
    EVEN: ClassVar[bool] = True
    SEES: ClassVar[bool] = True
    HELD: ClassVar[int] = FlowCheckpoint.PATCH
    REQUIRED: ClassVar[tuple[str, ...]] = (*FlowCheckpoint.REQUIRED, "processor")

    @property
    def vae_factor(self) -> int:
        """Pixels per latent."""
        return int(2 ** len(self.vae.config.temperal_downsample))

    def read(self, prompt: str, *, source: Tensor, negative: bool) -> Embedding:
        """Return what diffusers' own pipeline reads in words about a picture."""
        real: Any = diffusers
        reader = real.QwenImageEditPipeline(
            transformer=self.denoiser,
            vae=self.vae,
            scheduler=self.scheduler,
            text_encoder=self.text_encoder,
            tokenizer=self.tokenizer,
            processor=self.processor,
        )
        said = prompt or (self.family.negative_prompt or "") if negative else prompt
        if self.cuts(said):
            # The denoiser has places for so many tokens only.
            ids = self.tokenizer(said, truncation=True, max_length=self.family.tokens).input_ids
            said = str(self.tokenizer.decode(ids))
        words, _ = reader.encode_prompt(said, image=to_pil(source), device=self.device)
        return Embedding(words=words.to(self.dtype), pooled=None)

    def side_by_side(self, rows: Sequence[Embedding]) -> Tensor:
        """Return the words of rows that share a call, filled up to one length."""
        filled = [functional.pad(it.words, (0, 0, 0, _missing(it, rows))) for it in rows]
        return torch.cat(filled)

    def conditions(
        self, rows: Sequence[Embedding], *, size: Sequence[int], scale: float | None
    ) -> Mapping[str, Tensor]:
        """Return which of each row's tokens are words, and not there to fill up."""
        del size, scale
        told = [it.words.new_ones(1, it.words.shape[1]) for it in rows]
        filled = [
            functional.pad(each, (0, _missing(it, rows)))
            for each, it in zip(told, rows, strict=True)
        ]
        return {"encoder_hidden_states_mask": torch.cat(filled)}

    def encode(self, picture: Tensor) -> Tensor:
        """Return the modes of pictures' latents, unscaled."""
        film = (2 * picture - 1).to(self.vae.dtype).unsqueeze(2)
        latents: Tensor = self.vae.encode(film).latent_dist.mode()
        return latents.squeeze(2)

    def decode(self, latents: Tensor) -> Tensor:
        """Return the pictures of unscaled latents."""
        film: Tensor = self.vae.decode(latents.to(self.vae.dtype).unsqueeze(2)).sample
        return (film.squeeze(2).float() / 2 + 0.5).clamp(0, 1)

    def scaled(self, latents: Tensor) -> Tensor:
        """Return latents as the denoiser wants them, float32."""
        mean, std = self._statistics(latents)
        return (latents.float() - mean) / std

    def unscaled(self, latents: Tensor) -> Tensor:
        """Return the denoiser's latents as the decoder wants them."""
        mean, std = self._statistics(latents)
        return latents * std + mean

    def placed(self, height: int, width: int, *, pictures: int, words: Tensor) -> dict[str, Any]:
        """Return the sides of all pictures, row by row."""
        return {"img_shapes": [[(1, height, width)] * pictures] * len(words)}


def _missing(one: Embedding, rows: Sequence[Embedding]) -> int:
    """Return how many tokens fill a row up to the length of all."""
    longest = max(it.words.shape[1] for it in rows)
    return -(-longest // LENGTHS) * LENGTHS - one.words.shape[1]
