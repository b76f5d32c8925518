"""A Stable Diffusion so small that launching its kernels costs more than running them.

The classes are the real ones (``UNet2DConditionModel``, ``AutoencoderKL``, ``CLIPTextModel``), the
weights are random, and the checkpoint is an ordinary folder: our pipelines and diffusers' own load
it and make the same picture of it. It stands in for a launch-bound GPU: most of its time is Python
and dispatch, so that a call with eight rows costs little more than one with one.
"""

from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers.utils import logging as diffusers_logging
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer
from transformers.utils import logging as transformers_logging

from benchmarks.jobs import SIDE, WORDS
from generation.registry import PipelineSpec
from generation.training.vocabulary import write_vocabulary

NAME = "nano"
TOKENS = 16
WIDTH = 16

NANO = PipelineSpec(
    target="generation.pipelines.img2img:Img2ImgPipeline", model=NAME, typical_device_ms=50
)

real: Any = diffusers
"""The library, whose classes carry no types."""


def save_nano(models_dir: Path) -> Path:
    """Write the checkpoint into a folder of checkpoints and return where it is."""
    quiet()
    folder = models_dir / NAME
    torch.manual_seed(0)
    write_vocabulary(folder / "tokenizer", words=WORDS, max_length=TOKENS)
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    parts = {
        "unet": unet(),
        "vae": vae(),
        "text_encoder": text_encoder(tokenizer),
        "tokenizer": tokenizer,
        "scheduler": real.DDIMScheduler(clip_sample=False, steps_offset=1),
        "safety_checker": None,
        "feature_extractor": None,
        "requires_safety_checker": False,
    }
    real.StableDiffusionImg2ImgPipeline(**parts).save_pretrained(folder)
    return folder


def quiet() -> None:
    """Have the libraries draw no bars and give no advice."""
    diffusers_logging.disable_progress_bar()
    diffusers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]


def unet() -> Any:  # noqa: ANN401 - diffusers carries no types
    """Return the denoiser: two levels with cross-attention, eight and sixteen channels."""
    return real.UNet2DConditionModel(
        sample_size=SIDE // 8,
        in_channels=4,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=8,
        norm_num_groups=4,
    )


def vae() -> Any:  # noqa: ANN401 - diffusers carries no types
    """Return the codec: as many levels as the large one has, so that a latent is eight pixels."""
    codec = real.AutoencoderKL(
        block_out_channels=(8,) * 4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        norm_num_groups=4,
    )
    # A codec that was trained is sure of its latents: what it samples is what it means.
    with torch.no_grad():
        codec.quant_conv.bias[4:] = -30.0
        codec.quant_conv.weight[4:] = 0.0
    return codec


def text_encoder(tokenizer: Any) -> CLIPTextModel:  # noqa: ANN401 - as above
    """Return the reader of prompts."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=2 * WIDTH,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=TOKENS,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
