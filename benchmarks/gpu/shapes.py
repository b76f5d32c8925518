"""Checkpoints of SD-Turbo's shape with random weights, and the same made tiny for a CPU."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from benchmarks.checkpoint import NAME, quiet, real
from benchmarks.jobs import WORDS
from generation.pipelines.base import Dtype, EngineConfig
from generation.training.vocabulary import write_vocabulary

ROWS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """On what, and at which shapes, the GPU's figures are measured.

    Args:
        side: of the pictures in pixels.
        unet, vae, tiny, text: what diffusers' and transformers' classes are built with.
        tokens: of a prompt.
    """

    device: str
    dtype: Dtype
    side: int
    unet: Mapping[str, Any]
    vae: Mapping[str, Any]
    tiny: Mapping[str, Any]
    text: Mapping[str, Any]
    tokens: int

    @property
    def torch_dtype(self) -> torch.dtype:
        """The numbers that networks calculate in."""
        return torch.bfloat16 if self.dtype == "bfloat16" else torch.float32

    def engine(self, models_dir: str | Path) -> EngineConfig:
        """Return an engine whose calls hold every member's rows, and that keeps nothing."""
        return EngineConfig(
            device=self.device,
            dtype=self.dtype,
            models_dir=Path(models_dir),
            exact=False,
            batch_rows=ROWS,
            vae_rows=ROWS // 2,
            kept_bytes=0,
        )

    def settle(self) -> None:
        """Wait until the device has done what it was told."""
        if self.device == "cuda":
            torch.cuda.synchronize()


def _levels(down: str, up: str, count: int) -> dict[str, Any]:
    return {"down_block_types": (down,) * count, "up_block_types": (up,) * count}


# Stable Diffusion 2.1's shapes, which SD-Turbo has (Sauer et al., 2023), and TAESD's.
REAL = Setup(
    device="cuda",
    dtype="bfloat16",
    side=512,
    unet={
        "block_out_channels": (320, 640, 1280, 1280),
        "layers_per_block": 2,
        "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        "attention_head_dim": (5, 10, 20, 20),
        "use_linear_projection": True,
        "norm_num_groups": 32,
    },
    vae={
        "block_out_channels": (128, 256, 512, 512),
        "layers_per_block": 2,
        "norm_num_groups": 32,
        **_levels("DownEncoderBlock2D", "UpDecoderBlock2D", 4),
    },
    tiny={},
    text={"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 23,
          "num_attention_heads": 16},
    tokens=77,
)  # fmt: skip

TINY = Setup(
    device="cpu",
    dtype="float32",
    side=64,
    unet={
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "attention_head_dim": 8,
        "norm_num_groups": 4,
    },
    vae={
        "block_out_channels": (8,) * 4,
        "layers_per_block": 1,
        "norm_num_groups": 4,
        **_levels("DownEncoderBlock2D", "UpDecoderBlock2D", 4),
    },
    tiny={
        "encoder_block_out_channels": (8,) * 4,
        "decoder_block_out_channels": (8,) * 4,
        "num_encoder_blocks": (1,) * 4,
        "num_decoder_blocks": (1,) * 4,
    },
    text={"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
          "num_attention_heads": 2},
    tokens=16,
)  # fmt: skip


def save_turbo(setup: Setup, models_dir: Path, *, quick: bool = False) -> Path:
    """Write a checkpoint, which makes its pictures with a tiny codec if it is to be quick."""
    quiet()
    torch.manual_seed(0)
    folder = models_dir / NAME
    write_vocabulary(folder / "tokenizer", words=WORDS, max_length=setup.tokens)
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    codec = tiny_codec(setup) if quick else real.AutoencoderKL(latent_channels=4, **setup.vae)
    pipeline = real.StableDiffusionImg2ImgPipeline(
        unet=real.UNet2DConditionModel(
            sample_size=setup.side // 8,
            in_channels=4,
            out_channels=4,
            cross_attention_dim=setup.text["hidden_size"],
            **setup.unet,
        ),
        vae=codec,
        text_encoder=text_encoder(setup, tokenizer),
        tokenizer=tokenizer,
        scheduler=real.EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            timestep_spacing="trailing",
            steps_offset=1,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    if setup.torch_dtype is not torch.float32:
        pipeline.to(dtype=setup.torch_dtype)
    pipeline.save_pretrained(folder)
    manifest = {"guidance_scale": 0, "native_size": setup.side}
    (folder / "atelier.json").write_text(json.dumps(manifest), "utf-8")
    return folder


def tiny_codec(setup: Setup) -> Any:  # noqa: ANN401 - diffusers carries no types
    """Return a codec of TAESD's shape."""
    return real.AutoencoderTiny(latent_channels=4, scaling_factor=1.0, **setup.tiny)


def text_encoder(setup: Setup, tokenizer: Any) -> CLIPTextModel:  # noqa: ANN401 - as above
    """Return the reader of prompts."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            max_position_embeddings=setup.tokens,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            **setup.text,
        )
    )
