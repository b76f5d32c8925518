"""Tiny picture codecs (TAESD and its kin, Bollin Bohan, 2023): less detail for far less work.

A checkpoint in diffusers' layout may have one beside its own codec, in the folder ``tiny_vae``. It
speaks the denoiser's latents as they are.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderTiny
from safetensors import SafetensorError
from torch import Tensor

from generation.devices import ready
from generation.errors import UNREADABLE, ModelDamagedError

FOLDER = "tiny_vae"
NETWORK: Any = AutoencoderTiny
"""Diffusers' class, which carries no types."""

DAMAGE = (*UNREADABLE, OSError, RuntimeError, ImportError, SafetensorError)
"""What diffusers, transformers and safetensors raise for damaged files: errors of many kinds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyCodec:
    """A tiny codec; ``network`` is diffusers' ``AutoencoderTiny``."""

    network: Any

    def encode(self, picture: Tensor) -> Tensor:
        """Return pictures' latents as a denoiser wants them, float32.

        Shape:
            - picture: ``(N, 3, H, W)`` in [0, 1]; returns ``(N, C, H/f, W/f)``.
        """
        latents: Tensor = self.network.encode((2 * picture - 1).to(self.network.dtype)).latents
        return latents.float() * float(self.network.config.scaling_factor)

    def decode(self, latents: Tensor) -> Tensor:
        """Return the pictures of a denoiser's latents.

        Shape:
            - latents: ``(N, C, h, w)``; returns ``(N, 3, h*f, w*f)`` in [0, 1], float32.
        """
        own = latents / float(self.network.config.scaling_factor)
        picture: Tensor = self.network.decode(own.to(self.network.dtype)).sample
        return (picture.float() / 2 + 0.5).clamp(0, 1)


def tiny_codec(
    folder: Path,
    *,
    vae: Any,  # noqa: ANN401 - AutoencoderKL or AutoencoderTiny
    device: torch.device,
    dtype: torch.dtype,
) -> TinyCodec | None:
    """Return a checkpoint's tiny codec: the one beside its own, or its own; None without either.

    Raises:
        ModelDamagedError: it is damaged, or of another make than the checkpoint's latents.
    """
    if isinstance(vae, NETWORK):
        return TinyCodec(network=ready(vae, device))
    if not (folder / FOLDER).is_dir():
        return None
    place = f"{folder.name}/{FOLDER}"
    try:
        network = NETWORK.from_pretrained(
            folder / FOLDER, local_files_only=True, use_safetensors=True, dtype=dtype
        )
    except DAMAGE as err:
        raise ModelDamagedError(f"{place} could not be loaded: {err}") from err
    if _make(network) != _make(vae):
        raise ModelDamagedError(f"{place} does not speak the latents of {folder.name}")
    return TinyCodec(network=ready(network, device))


def _make(vae: Any) -> tuple[int, int]:  # noqa: ANN401 - diffusers' own
    """Return a codec's channels of latents and its levels; of codecs of films nothing."""
    told = vae.config
    return int(told.get("latent_channels", 0)), len(told.get("block_out_channels", ()))
