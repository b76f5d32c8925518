"""Stable Diffusion 3 and 3.5 as rows: three text encoders, whose words lie one after another.

Esser et al., "Scaling Rectified Flow Transformers for High-Resolution Image Synthesis" (ICML
2024).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from generation.checkpoints import Embedding
from generation.pipelines.flows import TWO_READERS, FlowCheckpoint, pooled_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SD3Checkpoint(FlowCheckpoint):
    """A loaded Stable Diffusion 3; its third text encoder may be left out."""

    LIBRARY: ClassVar[str] = "StableDiffusion3Pipeline"
    REQUIRED: ClassVar[tuple[str, ...]] = TWO_READERS

    def embed(self, prompt: str) -> Embedding:
        """Return a prompt's embedding: side by side what the CLIPs read, then what the T5 does."""
        assert self.text_encoder_2 is not None
        assert self.tokenizer_2 is not None
        read = [
            encoder(self._short(prompt, tokenizer), output_hidden_states=True)
            for encoder, tokenizer in (
                (self.text_encoder, self.tokenizer),
                (self.text_encoder_2, self.tokenizer_2),
            )
        ]
        short = torch.cat([each.hidden_states[-2] for each in read], dim=-1).to(self.dtype)
        long = self._third(prompt)
        short = functional.pad(short, (0, long.shape[-1] - short.shape[-1]))
        pooled = torch.cat([each.text_embeds for each in read], dim=-1)
        return Embedding(words=torch.cat([short, long], dim=-2), pooled=pooled.to(self.dtype))

    def _third(self, prompt: str) -> Tensor:
        """Return what the T5 reads; zeros where it is left out."""
        if self.text_encoder_3 is not None and self.tokenizer_3 is not None:
            return self._long(prompt, self.tokenizer_3, self.text_encoder_3)
        width = int(self.denoiser.config.joint_attention_dim)
        return torch.zeros(1, self.family.tokens, width, device=self.device, dtype=self.dtype)

    def conditions(
        self, rows: Sequence[Embedding], *, size: Sequence[int], scale: float | None
    ) -> Mapping[str, Tensor]:
        """Return each row's words in one vector."""
        del size, scale
        return {"pooled_projections": pooled_of(rows)}

    def velocities(
        self, sample: Tensor, times: Tensor, *, words: Tensor, told: Mapping[str, Tensor]
    ) -> Tensor:
        """Return the velocities of latents, which the denoiser takes as planes itself."""
        velocities: Tensor = self.denoiser(
            hidden_states=sample, timestep=times, encoder_hidden_states=words, **told
        ).sample
        return velocities
