"""Loading a checkpoint from a folder in diffusers' layout, and saying which family it is.

Nothing is fetched: only files on this machine are read, and of weights only safetensors.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from diffusers.utils import logging as diffusers_logging
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from generation.errors import ModelUnavailableError
from generation.weights import Manifest, checkpoint_folder, read_manifest

CLIP_TOKENS = 77


class Family(StrEnum):
    """How a checkpoint is run; recognised from the checkpoint itself."""

    INSTRUCT = "instruct_pix2pix"
    IMG2IMG = "img2img"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The components of a loaded checkpoint, ready to run.

    Diffusers' classes carry no types, hence Any: ``UNet2DConditionModel``, ``AutoencoderKL``, and a
    scheduler.

    Args:
        scheduler: the checkpoint's own; rows take copies of it, because schedulers keep state.
    """

    name: str
    family: Family
    manifest: Manifest
    unet: Any
    vae: Any
    text_encoder: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    scheduler: Any
    device: torch.device
    dtype: torch.dtype

    @property
    def vae_factor(self) -> int:
        """Pixels per latent."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @property
    def multiple(self) -> int:
        """What sides in pixels have to be a multiple of, so that every level divides evenly."""
        return int(self.vae_factor * 2 ** (len(self.unet.config.block_out_channels) - 1))

    @property
    def native_size(self) -> int:
        """Longer side in pixels that the checkpoint is run at."""
        return self.manifest.native_size or int(self.unet.config.sample_size) * self.vae_factor

    @property
    def max_tokens(self) -> int:
        """Tokens of a prompt, start and end included."""
        return min(int(self.tokenizer.model_max_length), CLIP_TOKENS)

    def cuts(self, prompt: str) -> bool:
        """Return whether a prompt is longer than the text encoder reads."""
        tokens = self.tokenizer(prompt, truncation=True, max_length=self.max_tokens + 1)
        return len(tokens.input_ids) > self.max_tokens

    def embed(self, prompt: str) -> Tensor:
        """Return a prompt's embedding.

        Shape:
            - returns: ``(1, length, width)``.
        """
        tokens = self.tokenizer(
            prompt,
            padding="max_length",
            truncation=True,
            max_length=self.max_tokens,
            return_tensors="pt",
        )
        words: Tensor = self.text_encoder(tokens.input_ids.to(self.device)).last_hidden_state
        return words.to(self.dtype)

    def encode(self, picture: Tensor) -> Tensor:
        """Return the mode of a picture's latents, unscaled.

        Shape:
            - picture: ``(1, 3, H, W)`` in [0, 1].
            - returns: ``(1, C, H/f, W/f)``.
        """
        latents: Tensor = self.vae.encode((2 * picture - 1).to(self.dtype)).latent_dist.mode()
        return latents

    def decode(self, latents: Tensor) -> Tensor:
        """Return the picture of unscaled latents.

        Shape:
            - latents: ``(1, C, h, w)``.
            - returns: ``(1, 3, h*f, w*f)`` in [0, 1], float32.
        """
        picture: Tensor = self.vae.decode(latents.to(self.dtype)).sample
        return (picture.float() / 2 + 0.5).clamp(0, 1)


def load_checkpoint(name: str, *, models_dir: Path, device: torch.device) -> Checkpoint:
    """Load a checkpoint by its folder's name.

    Raises:
        ModelUnavailableError: it is missing, damaged, incomplete, a pickle, or of no known family.
    """
    folder = checkpoint_folder(name, models_dir=models_dir)
    dtype = torch.float32 if device.type == "cpu" else torch.float16
    # An engine's output is a log; bars that redraw a line have no place in it.
    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        loaded = DiffusionPipeline.from_pretrained(  # type: ignore[no-untyped-call]
            folder, local_files_only=True, use_safetensors=True, dtype=dtype, safety_checker=None
        )
    # diffusers, transformers and safetensors raise errors of many kinds for damaged files.
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError) as err:
        raise ModelUnavailableError(f"{name} could not be loaded: {err}") from err
    parts = loaded.components
    required = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
    if missing := [part for part in required if parts.get(part) is None]:
        raise ModelUnavailableError(f"{name} lacks {', '.join(missing)}")
    return Checkpoint(
        name=name,
        family=_family(parts["unet"], parts["vae"], name=name),
        manifest=read_manifest(folder),
        unet=_ready(parts["unet"], device),
        vae=_ready(parts["vae"], device),
        text_encoder=_ready(parts["text_encoder"], device),
        tokenizer=parts["tokenizer"],
        scheduler=parts["scheduler"],
        device=device,
        dtype=dtype,
    )


def _ready(module: nn.Module, device: torch.device) -> Any:  # noqa: ANN401 - its own class
    return module.to(device).eval().requires_grad_(requires_grad=False)


def _family(unet: Any, vae: Any, *, name: str) -> Family:  # noqa: ANN401
    """Return the family by the denoiser's channels: does it see the source beside the noise?"""
    latents = int(vae.config.latent_channels)
    families = {latents: Family.IMG2IMG, 2 * latents: Family.INSTRUCT}
    try:
        return families[int(unet.config.in_channels)]
    except KeyError:
        raise ModelUnavailableError(
            f"{name}: a denoiser of {unet.config.in_channels} channels for {latents} latent"
            " channels is of no known family"
        ) from None
