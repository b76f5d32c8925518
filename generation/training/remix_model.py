"""The remix checkpoint's denoiser and text encoder: their shape, their loss, their training."""

import copy
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from diffusers import (
    DDIMScheduler,
    StableDiffusionInstructPix2PixPipeline,
    UNet2DConditionModel,
)
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from generation.training.codec import Codec

Untyped: TypeAlias = Any
"""An object of diffusers, whose classes carry no types."""

TEXT_GUIDANCE = 1.3
AVERAGE_EVERY = 4
"""Steps after which the averaged weights follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EditorConfig:
    """The denoiser's and the text encoder's shape.

    Args:
        channels: widths of the denoiser's levels; only the last one attends to the words, but
            all of them are modulated by the pooled prompt (``addition_embed_type="text"``).
        text_drop: share of prompts that are left out, for guidance; the same for the picture,
            and again for both at once.
        high_noise_share: share of steps drawn among the noisiest 30 %: an edit is decided there.
    """

    channels: tuple[int, ...] = (32, 64, 112)
    text_width: int = 128
    text_layers: int = 2
    text_drop: float = 0.05
    high_noise_share: float = 0.5
    ema: float = 0.975
    seed: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stretch of training at one picture size."""

    size: int
    steps: int
    batch: int
    learning_rate: float


class Editor(nn.Module):
    """Denoiser and text encoder, trained together."""

    def __init__(self, unet: Untyped, text_encoder: CLIPTextModel) -> None:
        super().__init__()
        self.unet: Untyped = unet
        self.text_encoder = text_encoder
        self.config = EditorConfig()

    def forward(self, latents: Tensor, *, timesteps: Tensor, tokens: Tensor) -> Tensor:
        """Return the predicted velocity.

        Shape:
            - latents: ``(N, 16, h, w)``: the noisy picture, then the source.
            - tokens: ``(N, length)``.
            - returns: ``(N, 8, h, w)``.
        """
        words = self.text_encoder(input_ids=tokens).last_hidden_state
        velocity: Tensor = self.unet(latents, timesteps, encoder_hidden_states=words).sample
        return velocity


def new_scheduler() -> Untyped:
    """Return the noise schedule: v-prediction, zero terminal signal, trailing steps."""
    return DDIMScheduler(  # type: ignore[no-untyped-call]
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
    )


def new_editor(config: EditorConfig, *, tokenizer: CLIPTokenizer, latents: int) -> Editor:
    """Return an untrained denoiser and text encoder."""
    torch.manual_seed(config.seed)
    levels = len(config.channels)
    unet: Untyped = UNet2DConditionModel(  # type: ignore[no-untyped-call]
        sample_size=24,
        in_channels=2 * latents,
        out_channels=latents,
        block_out_channels=config.channels,
        layers_per_block=1,
        down_block_types=("DownBlock2D",) * (levels - 1) + ("CrossAttnDownBlock2D",),
        up_block_types=("CrossAttnUpBlock2D",) + ("UpBlock2D",) * (levels - 1),
        cross_attention_dim=config.text_width,
        attention_head_dim=4,
        norm_num_groups=min(16, config.channels[0] // 2),
        resnet_time_scale_shift="scale_shift",
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
    )
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=config.text_width,
        intermediate_size=2 * config.text_width,
        projection_dim=config.text_width,
        num_hidden_layers=config.text_layers,
        num_attention_heads=4,
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.eos_token_id,
    )
    editor = Editor(unet.to(memory_format=torch.channels_last), CLIPTextModel(text))
    editor.config = config
    return editor


def editor_loss(editor: Editor, batch: "Batch", *, alphas: Tensor) -> Tensor:
    """Return the mean squared error of the velocity (Salimans & Ho, ICLR 2022, appendix D)."""
    alpha = alphas[batch.timesteps].sqrt()[:, None, None, None]
    sigma = (1 - alphas[batch.timesteps]).sqrt()[:, None, None, None]
    noisy = alpha * batch.targets + sigma * batch.noise
    velocity = alpha * batch.noise - sigma * batch.targets
    stacked = torch.cat([noisy, batch.sources], dim=1).contiguous(memory_format=torch.channels_last)
    predicted = editor(stacked, timesteps=batch.timesteps, tokens=batch.tokens)
    return functional.mse_loss(predicted.float(), velocity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one step of training sees."""

    sources: Tensor
    targets: Tensor
    tokens: Tensor
    timesteps: Tensor
    noise: Tensor

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on a device."""
        return Batch(**{each.name: getattr(self, each.name).to(device) for each in fields(self)})


def draw_batch(
    latents: tuple[Tensor, Tensor],
    tokens: Tensor,
    *,
    stage: Stage,
    config: EditorConfig,
    step: int,
    count: int,
) -> Batch:
    """Return the batch of a step, from the first ``count`` targets; it depends on the step alone.

    Of ``tokens`` the last row is the empty prompt.
    """
    rng = np.random.default_rng((config.seed, stage.size, step))
    sources, targets = latents
    rows = rng.integers(0, count, stage.batch)
    timesteps = rng.integers(0, 1000, stage.batch)
    high = rng.random(stage.batch) < config.high_noise_share
    timesteps = np.where(high, rng.integers(700, 1000, stage.batch), timesteps)
    drop = rng.random(stage.batch)
    no_text = drop < 2 * config.text_drop
    no_source = (drop >= config.text_drop) & (drop < 3 * config.text_drop)
    chosen = torch.from_numpy(np.where(no_text, len(tokens) - 1, rows))
    seen = torch.from_numpy(~no_source).float()[:, None, None, None]
    shape = (stage.batch, *targets.shape[1:])
    return Batch(
        sources=sources[torch.from_numpy(rows // (len(targets) // len(sources)))].float() * seen,
        targets=targets[torch.from_numpy(rows)].float(),
        tokens=tokens[chosen],
        timesteps=torch.from_numpy(timesteps),
        noise=torch.from_numpy(rng.standard_normal(shape, dtype=np.float32)),
    )


class Averaged:
    """The mean of an editor's weights over its last steps, which is what is used in the end."""

    def __init__(self, editor: Editor) -> None:
        self.editor = copy.deepcopy(editor).requires_grad_(requires_grad=False)

    @torch.no_grad()
    def follow(self, editor: Editor, *, step: int) -> None:
        """Move towards the weights of a step, faster at first."""
        decay = min(self.editor.config.ema, (step + 1) / (step + 60))
        torch._foreach_lerp_(list(self.editor.parameters()), list(editor.parameters()), 1 - decay)


@torch.no_grad()
def edited(editor: Editor, sources: Tensor, *, tokens: Tensor, steps: int = 6) -> Tensor:
    """Return the latents of sources after an edit, guided by the words as they are used.

    The rows of guidance are those of the paper (its equation 3), with an image guidance of 1.

    Shape:
        - sources: ``(N, C, h, w)``.
        - tokens: ``(N + 1, length)``, the empty prompt last.
        - returns: ``(N, C, h, w)``.
    """
    scheduler = new_scheduler()
    scheduler.set_timesteps(steps)
    rng = torch.Generator().manual_seed(0)
    latents = torch.randn(sources.shape, generator=rng).to(sources.device)
    blank = tokens[-1:].expand(len(sources), -1)
    for timestep in scheduler.timesteps:
        stacked = torch.cat([torch.cat([latents, sources], dim=1)] * 2)
        times = timestep.expand(len(stacked)).to(sources.device)
        both = editor(stacked, timesteps=times, tokens=torch.cat([tokens[:-1], blank]))
        told, untold = both.chunk(2)
        velocity = untold + TEXT_GUIDANCE * (told - untold)
        latents = scheduler.step(velocity, timestep, latents).prev_sample
    return latents


def export(out: Path, editor: Editor, *, codec: Codec, tokenizer: CLIPTokenizer) -> None:
    """Write the checkpoint in diffusers' layout, in half precision, safetensors only."""
    text: Untyped = copy.deepcopy(editor.text_encoder).cpu()
    pipeline: Untyped = StableDiffusionInstructPix2PixPipeline(  # type: ignore[no-untyped-call]
        vae=copy.deepcopy(codec).cpu().half(),
        text_encoder=text.half(),
        tokenizer=tokenizer,
        unet=copy.deepcopy(editor.unet).cpu().half(),
        scheduler=new_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(out, safe_serialization=True)
