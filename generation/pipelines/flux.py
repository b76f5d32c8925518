"""FLUX.1 dev, schnell and Kontext as rows (Black Forest Labs, 2024 and 2025).

The transformer sees four latents as one token, each with its place; Kontext sees the picture's
tokens after those it makes, at the same places of another plane. How strictly dev and Kontext
follow the words they are told as a number, so that guidance takes one row.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from diffusers.models.modeling_outputs import Transformer2DModelOutput
from torch import Tensor

from generation.checkpoints import Embedding
from generation.pipelines.flows import FlowCheckpoint, packed, pooled_of, unpacked


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxCheckpoint(FlowCheckpoint):
    """A loaded FLUX.1 of any kind."""

    EVEN: ClassVar[bool] = True
    REQUIRED: ClassVar[tuple[str, ...]] = (
        *FlowCheckpoint.REQUIRED,
        "text_encoder_2",
        "tokenizer_2",
    )

    @property
    def denoiser(self) -> Callable[..., Any]:
        """What predicts velocities, called as diffusers' UNets are."""
        return self._velocities

    @property
    def library(self) -> str:
        """The name of diffusers' pipeline of these networks, which knows files of LoRA."""
        return "FluxPipeline"

    @property
    def guided_inside(self) -> bool:
        """True: it is told the guidance, or as schnell knows none."""
        return True

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
        if self.unet.config.guidance_embeds and scale is not None:
            told["guidance"] = torch.full((len(rows),), scale).to(self.device, self.dtype)
        return told

    def _velocities(
        self,
        sample: Tensor,
        times: Tensor,
        *,
        encoder_hidden_states: Tensor,
        added_cond_kwargs: Mapping[str, Tensor],
        timestep_cond: None = None,
    ) -> Transformer2DModelOutput:
        """Predict for latents, and pictures to see behind them in their channels."""
        del timestep_cond
        channels = int(self.unet.config.in_channels) // self.PATCH**2
        planes = torch.split(sample, channels, dim=1)
        tokens = [packed(each, patch=self.PATCH) for each in planes]
        height, width = (side // self.PATCH for side in sample.shape[-2:])
        device = sample.device
        places = [_places(height, width, plane=n, device=device) for n in range(len(planes))]
        predicted = self.unet(
            hidden_states=torch.cat(tokens, dim=1),
            timestep=times / 1000,
            encoder_hidden_states=encoder_hidden_states,
            txt_ids=torch.zeros(encoder_hidden_states.shape[1], 3, device=device),
            img_ids=torch.cat(places),
            **added_cond_kwargs,
        ).sample
        own = predicted[:, : height * width]
        return Transformer2DModelOutput(sample=unpacked(own, height=height, patch=self.PATCH))


def _places(height: int, width: int, *, plane: int, device: torch.device) -> Tensor:
    """Return the place of every token: its plane, its row and its column.

    Shape:
        - returns: ``(height * width, 3)``.
    """
    lines = torch.arange(height, device=device, dtype=torch.float32)
    columns = torch.arange(width, device=device, dtype=torch.float32)
    row, column = torch.meshgrid(lines, columns, indexing="ij")
    return torch.stack([torch.full_like(row, plane), row, column], dim=-1).flatten(0, 1)
