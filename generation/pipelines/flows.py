"""Checkpoints whose denoiser is a transformer that predicts velocities along a flow.

Esser et al., "Scaling Rectified Flow Transformers for High-Resolution Image Synthesis" (ICML
2024). They run by the rows of ``img2img``: latents lie as planes there, whatever shape the
transformer wants them in, and the scheduler's steps are affine like everybody's.

Of prompts of any length the transformers see equally many tokens, the padding included and without
a mask, as in diffusers: so requests share calls whatever their words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from diffusers.pipelines.flux.pipeline_flux import calculate_shift
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from generation.checkpoints import Checkpoint, Embedding
from generation.recognition import longer_side

CLIP_TOKENS = 77


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowCheckpoint(Checkpoint):
    """What such checkpoints have in common; ``unet`` is the transformer."""

    DENOISER: ClassVar[str] = "transformer"
    PATCH: ClassVar[int] = 2
    """Latents a side that are one token."""
    EVEN: ClassVar[bool] = False
    """Whether the noise of its steps lies evenly down from 1, before that is shifted."""

    @property
    def multiple(self) -> int:
        """What sides in pixels have to be a multiple of: of a token."""
        return self.vae_factor * self.PATCH

    @property
    def native_size(self) -> int:
        """Side in pixels of the square that the checkpoint is run at."""
        latents = getattr(self.unet.config, "sample_size", None)
        trained = longer_side(latents) * self.vae_factor if latents else self.family.side
        return self.manifest.native_size or trained

    def cuts(self, prompt: str) -> bool:
        """Return whether a prompt is longer than the longest-reading text encoder reads."""
        tokenizer, most = getattr(self, self.family.tokenizer), self.family.tokens
        if tokenizer is None:
            # Of Stable Diffusion 3 the third encoder, the one that reads more, may be left out.
            tokenizer, most = self.tokenizer, CLIP_TOKENS
        return len(tokenizer(prompt, truncation=True, max_length=most + 1).input_ids) > most

    def spacing(self, *, steps: int, size: Sequence[int]) -> Mapping[str, object]:
        """Return the noise of every step, if the family has it so, and how far that is shifted.

        The larger the picture, the further to the noise.
        """
        config = self.scheduler.config
        told: dict[str, object] = {}
        if self.EVEN:
            told["sigmas"] = tuple(np.linspace(1.0, 1 / steps, steps).tolist())
        if not config.use_dynamic_shifting:
            return told
        tokens = (size[0] // self.PATCH) * (size[1] // self.PATCH)
        shift = calculate_shift(
            tokens,
            config.base_image_seq_len,
            config.max_image_seq_len,
            config.base_shift,
            config.max_shift,
        )
        return {**told, "mu": float(shift)}

    def scaled(self, latents: Tensor) -> Tensor:
        """Return latents as the denoiser wants them, float32."""
        config = self.vae.config
        return (latents.float() - float(config.shift_factor or 0)) * float(config.scaling_factor)

    def unscaled(self, latents: Tensor) -> Tensor:
        """Return the denoiser's latents as the decoder wants them."""
        config = self.vae.config
        return latents / float(config.scaling_factor) + float(config.shift_factor or 0)

    def shown(self, latents: Tensor) -> Tensor:
        """Return a picture's latents scaled: a transformer sees all pictures alike."""
        return self.scaled(latents)

    def _ids(self, prompt: str, tokenizer: PreTrainedTokenizerBase, *, length: int) -> Tensor:
        """Return a prompt's tokens, filled up or cut to a length.

        Shape:
            - returns: ``(1, length)``.
        """
        told: Any = tokenizer(
            prompt, padding="max_length", truncation=True, max_length=length, return_tensors="pt"
        )
        ids: Tensor = told.input_ids.to(self.device)
        return ids

    def _short(self, prompt: str, tokenizer: PreTrainedTokenizerBase) -> Tensor:
        """Return a prompt's tokens for a CLIP, of which all read as many as the first."""
        length = min(int(self.tokenizer.model_max_length), CLIP_TOKENS)
        return self._ids(prompt, tokenizer, length=length)

    def _long(
        self, prompt: str, tokenizer: PreTrainedTokenizerBase, encoder: PreTrainedModel
    ) -> Tensor:
        """Return what a T5 reads in a prompt.

        Shape:
            - returns: ``(1, tokens, width)``.
        """
        ids = self._ids(prompt, tokenizer, length=self.family.tokens)
        words: Tensor = encoder(ids)[0]
        return words.to(self.dtype)


def pooled_of(rows: Sequence[Embedding]) -> Tensor:
    """Return each row's words in one vector.

    Shape:
        - returns: ``(rows, projection)``.
    """
    return torch.cat([row.pooled for row in rows if row.pooled is not None])


def packed(latents: Tensor, *, patch: int) -> Tensor:
    """Return latents as tokens, row by row.

    Shape:
        - latents: ``(N, C, h, w)``; returns ``(N, h/patch * w/patch, C * patch * patch)``.
    """
    return functional.pixel_unshuffle(latents, patch).flatten(2).transpose(1, 2)


def unpacked(tokens: Tensor, *, height: int, patch: int) -> Tensor:
    """Return tokens as latents; ``height`` is in tokens.

    Shape:
        - tokens: ``(N, height * width, C * patch * patch)``.
        - returns: ``(N, C, height*patch, width*patch)``.
    """
    rows, length, _ = tokens.shape
    planes = tokens.transpose(1, 2).reshape(rows, -1, height, length // height)
    return functional.pixel_shuffle(planes, patch)
