"""Tiny checkpoints of the real classes, written to disk in diffusers' layout."""

from pathlib import Path
from typing import Any

import diffusers
import torch
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from generation.training.vocabulary import write_vocabulary

WIDTH = 16

real: Any = diffusers
"""The library, whose classes carry no types."""


def _components(folder: Path, *, in_channels: int, scheduler: object) -> dict[str, Any]:
    torch.manual_seed(0)
    write_vocabulary(folder / "tokenizer", words=["night", "fog"], max_length=12)
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    return {
        "unet": real.UNet2DConditionModel(
            sample_size=8,
            in_channels=in_channels,
            out_channels=4,
            block_out_channels=(16, 32),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=WIDTH,
            attention_head_dim=2,
            norm_num_groups=8,
        ),
        "vae": real.AutoencoderKL(
            block_out_channels=(16, 16),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            latent_channels=4,
            norm_num_groups=8,
        ),
        "text_encoder": CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=WIDTH,
                intermediate_size=32,
                num_hidden_layers=1,
                num_attention_heads=2,
                max_position_embeddings=12,
                eos_token_id=tokenizer.eos_token_id,
            )
        ),
        "tokenizer": tokenizer,
        "scheduler": scheduler,
        "safety_checker": None,
        "feature_extractor": None,
        "requires_safety_checker": False,
    }


def save_instruct(folder: Path, *, in_channels: int = 8) -> Path:
    """Write a tiny InstructPix2Pix checkpoint."""
    parts = _components(
        folder, in_channels=in_channels, scheduler=real.DDIMScheduler(clip_sample=False)
    )
    real.StableDiffusionInstructPix2PixPipeline(**parts).save_pretrained(folder)
    return folder


def save_img2img(folder: Path, *, scheduler: object | None = None) -> Path:
    """Write a tiny Stable Diffusion 1.x checkpoint, its scheduler PNDM as there."""
    scheduler = scheduler or real.PNDMScheduler(skip_prk_steps=True, steps_offset=1)
    parts = _components(folder, in_channels=4, scheduler=scheduler)
    real.StableDiffusionImg2ImgPipeline(**parts).save_pretrained(folder)
    return folder
