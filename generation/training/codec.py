"""The remix checkpoint's codec: a KL autoencoder (Rombach et al., CVPR 2022), half of it fitted.

Differs from the paper: the encoder is linear and fitted in closed form. It holds the principal
components of 4 x 4 blocks (mean colour, gradients ...), so that latents cost nothing to compute and
the denoiser's training need not wait. Only the decoder is trained by gradient steps.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

Codec: TypeAlias = Any
"""An ``AutoencoderKL``; diffusers' classes carry no types."""

BLOCK = 4
GUARD = 64.0
"""Constant that dominates a group's variance, so that its normalisation is a fixed scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecConfig:
    """The codec's shape, and its decoder's training.

    Args:
        channels: widths of the levels, full resolution first; the last two of 64 at least.
        latents: principal components that are kept, one group of the last width each.
        crop: side of the training crops in pixels.
    """

    channels: tuple[int, int, int] = (32, 64, 64)
    latents: int = 8
    steps: int = 1500
    batch: int = 12
    crop: int = 32
    learning_rate: float = 2e-3
    seed: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """Principal components of blocks.

    Shape:
        - analysis: ``(latents, 48)``: blocks of (row, column, channel) to latents of deviation 1.
        - offset: ``(latents,)``, what the mean block is moved by, to 0.
    """

    analysis: NDArray[np.float32]
    offset: NDArray[np.float32]


def blocks_of(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the 4 x 4 blocks of pictures, in [-1, 1].

    Shape:
        - pictures: ``(N, H, W, 3)``.
        - returns: ``(N, H/4, W/4, 48)``, a block's values by row, column, channel.
    """
    count, height, width, _ = pictures.shape
    split = pictures.reshape(count, height // BLOCK, BLOCK, width // BLOCK, BLOCK, 3)
    values = split.transpose(0, 1, 3, 2, 4, 5).reshape(count, height // 4, width // 4, 48)
    return values.astype(np.float32) / np.float32(127.5) - 1


def fit_components(pictures: NDArray[np.uint8], *, latents: int) -> Components:
    """Return the whitened principal components of the pictures' blocks."""
    blocks = blocks_of(pictures).reshape(-1, 48).astype(np.float64)
    mean = blocks.mean(axis=0)
    variance, vectors = np.linalg.eigh(np.cov(blocks.T))
    best = np.argsort(variance)[::-1][:latents]
    signs = np.sign(vectors[:, best].sum(axis=0) + 1e-12)
    analysis = (vectors[:, best] * signs / np.sqrt(variance[best])).T
    offset = -(analysis @ mean)
    return Components(analysis=analysis.astype(np.float32), offset=offset.astype(np.float32))


def encode_all(components: Components, pictures: NDArray[np.uint8], *, size: int) -> Tensor:
    """Return the latents of pictures resized to ``size``, as the codec's encoder has them.

    Shape:
        - returns: ``(N, latents, size/4, size/4)``, float16.
    """
    parts = []
    for start in range(0, len(pictures), 500):
        chunk = np.array(pictures[start : start + 500])
        if chunk.shape[1] != size:
            pixels = torch.from_numpy(chunk).permute(0, 3, 1, 2).float()
            small = functional.interpolate(pixels, size=size, mode="area").round().byte()
            chunk = small.permute(0, 2, 3, 1).contiguous().numpy()
        latents = blocks_of(chunk) @ components.analysis.T + components.offset
        parts.append(torch.from_numpy(latents).permute(0, 3, 1, 2).half())
    return torch.cat(parts).contiguous()


def load_codec(folder: Path) -> Codec:
    """Return a codec that was trained before, its weights in float32."""
    codec: Codec = AutoencoderKL.from_pretrained(
        folder, local_files_only=True, use_safetensors=True
    )  # type: ignore[no-untyped-call]
    return codec.float().eval().to(memory_format=torch.channels_last)


@torch.no_grad()
def components_of(codec: Codec) -> Components:
    """Return the components that a codec's encoder computes, read from its weights."""
    latents = int(codec.config.latent_channels)
    unfold = codec.encoder.down_blocks[1].downsamplers[0].conv
    each = codec.encoder.conv_norm_out.num_channels // latents
    weight, bias = (it.detach().float().cpu()[::each] for it in (unfold.weight, unfold.bias))
    taps = weight[:, :12, :2, :2].reshape(latents, 2, 2, 3, 2, 2)
    # From (latent, row in, column in, channel, row out, column out) to a block's own order.
    analysis = taps.permute(0, 4, 1, 5, 2, 3).reshape(latents, 48)
    return Components(analysis=analysis.numpy(), offset=bias.numpy())


def new_codec(config: CodecConfig, components: Components) -> Codec:
    """Return a codec whose encoder computes the components and whose decoder is untrained."""
    torch.manual_seed(config.seed)
    codec: Codec = AutoencoderKL(  # type: ignore[no-untyped-call]
        block_out_channels=config.channels,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        latent_channels=config.latents,
        layers_per_block=1,
        norm_num_groups=config.latents,
        mid_block_add_attention=False,
        scaling_factor=1.0,
    )
    _set_encoder(codec, components)
    return codec.to(memory_format=torch.channels_last)


@torch.no_grad()
def _set_encoder(codec: Codec, components: Components) -> None:
    """Write the components into the encoder's weights.

    Residual branches are silenced, two strided convolutions unfold the block, a 1 x 1 shortcut
    analyses it. The last normalisation and activation are made linear: each group holds a
    signal, its negative and large constants of both signs (so its statistics are fixed), and
    silu(x) - silu(-x) = x.
    """
    encoder, latents = codec.encoder, len(components.analysis)
    for weight in encoder.parameters():
        weight.zero_()
    encoder.conv_in.weight[range(3), range(3), 1, 1] = 1
    for level, inputs in ((0, 3), (1, 12)):
        unfold = encoder.down_blocks[level].downsamplers[0].conv.weight
        for tap, (row, column) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
            for channel in range(inputs):
                unfold[tap * inputs + channel, channel, row, column] = 1
    first = encoder.down_blocks[1].resnets[0].conv_shortcut.weight
    first[range(12), range(12), 0, 0] = 1
    _set_analysis(encoder, components)
    codec.quant_conv.weight.zero_()
    codec.quant_conv.weight[range(2 * latents), range(2 * latents), 0, 0] = 1
    codec.quant_conv.bias.zero_()


def _set_analysis(encoder: Codec, components: Components) -> None:
    """Write the analysis into the second unfolding, and undo normalisation and activation."""
    latents = len(components.analysis)
    unfold = encoder.down_blocks[1].downsamplers[0].conv
    width = encoder.conv_norm_out.num_channels
    each = width // latents
    unfold.weight.zero_()
    # A block's value at (row, column) came through tap (row // 2, column // 2) of the second
    # unfolding and through the channel group (row % 2, column % 2) of the first.
    analysis = torch.from_numpy(components.analysis).view(latents, 4, 4, 3)
    offset = torch.from_numpy(components.offset)
    gain = GUARD * ((each - 2) / each) ** 0.5
    for latent in range(latents):
        plus, minus = latent * each, latent * each + 1
        for row in range(4):
            for column in range(4):
                inner = ((row % 2) * 2 + column % 2) * 3
                for channel in range(3):
                    value = analysis[latent, row, column, channel]
                    unfold.weight[plus, inner + channel, row // 2, column // 2] = value
                    unfold.weight[minus, inner + channel, row // 2, column // 2] = -value
        unfold.bias[plus], unfold.bias[minus] = offset[latent], -offset[latent]
        for spare in range(2, each):
            unfold.bias[plus + spare] = GUARD if spare % 2 else -GUARD
        encoder.conv_out.weight[latent, plus, 1, 1] = 1
        encoder.conv_out.weight[latent, minus, 1, 1] = -1
    encoder.conv_norm_out.weight.fill_(gain)
    encoder.conv_out.bias[latents:] = -20.0


def decoder_loss(codec: Codec, pictures: Tensor) -> Tensor:
    """Return the distance in pixels and in neighbours' differences of what is decoded again.

    Shape:
        - pictures: ``(N, 3, H, W)`` in [-1, 1].
    """
    with torch.no_grad():
        latents = codec.encode(pictures.contiguous()).latent_dist.mode()
        latents = latents.contiguous(memory_format=torch.channels_last)
    error = codec.decode(latents).sample.float() - pictures
    smooth = torch.sqrt(error**2 + 1e-4).mean()
    edges = error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
    loss: Tensor = smooth + 0.5 * edges
    return loss


def decoder_optimizer(codec: Codec) -> torch.optim.Optimizer:
    """Return what moves the decoder's weights."""
    weights = [*codec.decoder.parameters(), *codec.post_quant_conv.parameters()]
    return torch.optim.AdamW(weights, CodecConfig().learning_rate)


@torch.no_grad()
def decoded(codec: Codec, latents: Tensor) -> Tensor:
    """Return the pictures of latents, in [0, 1].

    Shape:
        - latents: ``(N, C, h, w)``; returns ``(N, 3, 4 h, 4 w)``.
    """
    pictures: Tensor = codec.decode(latents).sample.float()
    return pictures.add(1).div(2).clamp(0, 1)


def one_cycle(progress: float) -> float:
    """Return the learning rate's factor: 5 % warm-up, level, and a fall over the last 40 %."""
    return min(1.0, progress / 0.05 + 0.01, max(0.02, (1 - progress) / 0.4))


def random_crops(pictures: NDArray[np.uint8], *, config: CodecConfig, step: int) -> Tensor:
    """Return the crops of a step, which depend on its number alone.

    Shape:
        - returns: ``(batch, 3, crop, crop)``, in [-1, 1].
    """
    rng = np.random.default_rng((config.seed, step))
    room = (pictures.shape[1] - config.crop) // BLOCK + 1
    crops = []
    for index in rng.integers(0, len(pictures), config.batch):
        y, x = BLOCK * rng.integers(0, room, 2)
        crops.append(pictures[index, y : y + config.crop, x : x + config.crop])
    return to_batch(np.stack(crops))


def to_batch(pictures: NDArray[np.uint8]) -> Tensor:
    """Return ``(N, H, W, 3)`` bytes as ``(N, 3, H, W)`` floats in [-1, 1], channels last."""
    batch = torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2)
    return (batch.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)
