"""Tiny VAEs of every make, in the layouts that members' bots find them in."""

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny

from generation.pipelines.latent_prior import LatentPrior
from generation.pipelines.picture_vae import PictureVae
from generation.training.cards import Trained, write_model

WORDS = ("bedroom", "blue walls", "evening")


def save_rooms(folder: Path, *, prior: bool = True) -> Path:
    """Save a VAE of ours, untrained, with a prior that hears its words and makes something."""
    torch.manual_seed(0)
    write_model(folder, PictureVae(latents=4, widths=(8, 8, 8)), trained=_trained(
        "generation.pipelines.picture_vae:PictureVae", {"latents": 4, "widths": (8, 8, 8)}
    ))  # fmt: skip
    if prior:
        made = LatentPrior(latents=4, size=4, words=WORDS, width=8, blocks=1)
        torch.nn.init.normal_(made.end[2].weight, std=0.3)  # type: ignore[arg-type]
        made.directions.normal_()
        told = _trained("generation.pipelines.latent_prior:LatentPrior", made.arguments)
        write_model(folder / "prior", made, trained=told)
    return folder


def save_kl(folder: Path) -> Path:
    torch.manual_seed(1)
    made: Any = AutoencoderKL(  # type: ignore[no-untyped-call]
        block_out_channels=(8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        latent_channels=4,
        norm_num_groups=4,
    )
    made.save_pretrained(folder)
    return folder


def save_tiny(folder: Path) -> Path:
    torch.manual_seed(2)
    made: Any = AutoencoderTiny(  # type: ignore[no-untyped-call]
        encoder_block_out_channels=(8, 8, 8),
        decoder_block_out_channels=(8, 8, 8),
        num_encoder_blocks=(1, 1, 1),
        num_decoder_blocks=(1, 1, 1),
        latent_channels=4,
    )
    made.save_pretrained(folder)
    return folder


def _trained(network: str, arguments: dict[str, object]) -> Trained:
    return Trained(
        title="", about="", network=network, arguments=arguments, recipe={}, origin="",
        history=[], limits="",
    )  # fmt: skip
