"""A UNet so small that launching its kernels costs more than running them, as a pipeline.

It stands in for a launch-bound GPU: most of its time is Python and dispatch, under the
interpreter's lock. Its weights are random; speed does not depend on them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

import torch
from diffusers import UNet2DModel
from torch import Tensor

from generation.pipelines.base import EngineConfig, Finished, OneByOne
from generation.request import ImageRequest, Pixels

SIDE = 16


@dataclass(slots=True, kw_only=True)
class NanoRow:
    """Latents and the steps to do."""

    request: ImageRequest
    total_steps: int
    latents: Tensor
    bucket: str = "nano"
    step: int = 0
    width: int = 1


class NanoPipeline(OneByOne):
    """Denoises small latents with diffusers' own UNet at a tiny width."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        torch.set_num_threads(1)
        network = UNet2DModel(  # type: ignore[no-untyped-call]
            sample_size=SIDE,
            block_out_channels=(8, 16),
            down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"),
            layers_per_block=1,
            norm_num_groups=4,
            attention_head_dim=8,
        )
        self._unet = cast("Any", network).eval()

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Self:
        """Build the network."""
        return cls()

    def admit(self, request: ImageRequest) -> NanoRow:
        """Draw the noise."""
        rng = torch.Generator().manual_seed(request.seed)
        return NanoRow(
            request=request,
            total_steps=request.num_inference_steps or 1,
            latents=torch.randn((1, 3, SIDE, SIDE), generator=rng),
        )

    @torch.inference_mode()
    def advance(self, rows: Sequence[NanoRow]) -> None:
        """Take one step with every row."""
        for row in rows:
            noise_pred = self._unet(row.latents, row.step % 1000).sample
            row.latents = row.latents - 0.01 * noise_pred
            row.step += 1

    def preview(self, row: NanoRow) -> Pixels | None:
        """Return nothing."""
        return None

    def retire(self, row: NanoRow) -> Finished:
        """Return the picture that came."""
        return Finished(image=row.request.image)
