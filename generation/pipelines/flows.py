"""Checkpoints whose denoiser is a transformer that predicts velocities along a flow.

Esser et al., "Scaling Rectified Flow Transformers for High-Resolution Image Synthesis" (ICML
2024). They run by the rows of ``img2img``: latents lie as planes there, whatever shape the
transformer wants them in, and the scheduler's steps are affine like everybody's.

Of prompts of any length the transformers see equally many tokens, the padding included and without
a mask, as in diffusers: so requests share calls whatever their words.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from diffusers.models.modeling_outputs import Transformer2DModelOutput
from diffusers.pipelines.flux.pipeline_flux import calculate_shift
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from generation.checkpoints import Checkpoint, Embedding
from generation.recognition import longer_side

CLIP_TOKENS = 77
TWO_READERS = (*Checkpoint.REQUIRED, "text_encoder_2", "tokenizer_2")
"""What checkpoints need whose words are read twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowCheckpoint(Checkpoint):
    """What such checkpoints have in common.

    A denoiser that takes tokens is told ``PATCH`` squared latents as one of them, and pictures to
    see as tokens behind its own.
    """

    LIBRARY: ClassVar[str]
    """The name of diffusers' pipeline of these networks, which knows files of LoRA."""
    GUIDED_INSIDE: ClassVar[bool] = False
    """Whether the denoiser is told how strictly to follow the words; else guidance takes rows."""
    DENOISER: ClassVar[str] = "transformer"
    PATCH: ClassVar[int] = 2
    """Latents a side that are one token."""
    EVEN: ClassVar[bool] = False
    """Whether the noise of its steps lies evenly down from 1, before that is shifted."""

    @property
    def predicts(self) -> Callable[..., Any]:
        """What predicts velocities, called as diffusers' UNets are."""
        return self._predicted

    @property
    def library(self) -> str:
        """The name of diffusers' pipeline of these networks, which knows files of LoRA."""
        return self.LIBRARY

    @property
    def guided_inside(self) -> bool:
        """Whether the denoiser is told how strictly to follow the words."""
        return self.GUIDED_INSIDE

    @property
    def multiple(self) -> int:
        """What sides in pixels have to be a multiple of: of a token."""
        return self.vae_factor * self.PATCH

    @property
    def native_size(self) -> int:
        """Side in pixels of the square that the checkpoint is run at."""
        latents = getattr(self.denoiser.config, "sample_size", None)
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

    def velocities(
        self, sample: Tensor, times: Tensor, *, words: Tensor, told: Mapping[str, Tensor]
    ) -> Tensor:
        """Return the velocities of latents.

        Shape:
            - sample: ``(N, C * pictures, h, w)``; returns ``(N, C, h, w)``.
            - times: ``(N,)``, up to 1000; words: ``(N, length, width)``.
        """
        channels = int(self.denoiser.config.in_channels) // self.PATCH**2
        planes = torch.split(sample, channels, dim=1)
        height, width = (side // self.PATCH for side in sample.shape[-2:])
        predicted = self.denoiser(
            hidden_states=torch.cat([packed(each, patch=self.PATCH) for each in planes], dim=1),
            timestep=times / 1000,
            encoder_hidden_states=words,
            **self.placed(height, width, pictures=len(planes), words=words),
            **told,
        ).sample
        return unpacked(predicted[:, : height * width], height=height, patch=self.PATCH)

    def placed(self, height: int, width: int, *, pictures: int, words: Tensor) -> dict[str, Any]:
        """Return what a denoiser is told of the places of tokens; sides are in tokens."""
        del height, width, pictures, words
        return {}

    def _predicted(
        self,
        sample: Tensor,
        times: Tensor,
        *,
        encoder_hidden_states: Tensor,
        added_cond_kwargs: Mapping[str, Tensor],
        timestep_cond: None = None,
    ) -> Transformer2DModelOutput:
        del timestep_cond
        words, told = encoder_hidden_states, added_cond_kwargs
        return Transformer2DModelOutput(
            sample=self.velocities(sample, times, words=words, told=told)
        )

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
