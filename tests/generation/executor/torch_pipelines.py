"""A tiny real torch pipeline: a convolution that stirs seeded noise in, step by step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from generation.pipelines.base import EngineConfig, Finished, OneByOne
from generation.request import ImageRequest, Pixels


@dataclass(kw_only=True)
class TensorRow:
    request: ImageRequest
    total_steps: int
    rng: torch.Generator
    latents: Tensor
    step: int = 0
    width: int = 1

    @property
    def bucket(self) -> tuple[int, ...]:
        return tuple(self.latents.shape)


class ConvolutionPipeline(OneByOne):
    """Smooths and stirs; its report of torch's threads goes into the parameters."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.network = nn.Conv2d(3, 3, kernel_size=3, padding=1, padding_mode="circular")

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Self:
        return cls()

    def admit(self, request: ImageRequest) -> TensorRow:
        source = request.picture
        flat = torch.frombuffer(bytearray(source.data), dtype=torch.uint8)
        pixels = flat.reshape(source.height, source.width, 3).permute(2, 0, 1)
        return TensorRow(
            request=request,
            total_steps=request.num_inference_steps or 8,
            rng=torch.Generator().manual_seed(request.seed),
            latents=pixels.float() / 255,
        )

    @torch.inference_mode()
    def advance(self, rows: Sequence[TensorRow]) -> None:
        for row in rows:
            noise = torch.randn(row.latents.shape, generator=row.rng)
            mixed = self.network(row.latents[None])[0] + 0.1 * noise
            row.latents = torch.sigmoid(mixed)
            row.step += 1

    def preview(self, row: TensorRow) -> Pixels | None:
        return None

    def retire(self, row: TensorRow) -> Finished:
        pixels = (row.latents * 255).round().to(torch.uint8).permute(1, 2, 0)
        height, width, _ = pixels.shape
        data = pixels.contiguous().numpy().tobytes()
        return Finished(
            image=Pixels(width=width, height=height, data=data),
            parameters=(("threads", str(torch.get_num_threads())),),
        )
