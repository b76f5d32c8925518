"""SD 1.x, SD-Turbo, distilled guidance and SDXL run through the same rows as diffusers' own."""

from pathlib import Path
from typing import Any

import pytest
import torch

from generation.pipelines.base import EngineConfig
from generation.pipelines.img2img import Img2ImgPipeline, Img2ImgRow
from generation.request import ImageRequest, Pixels
from tests.generation.checkpoints import real, save_img2img, save_refiner, save_turbo, save_xl

# Diffusers hands tensors to numpy in a way that numpy 2 is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

torch.set_num_threads(1)
PICTURE = Pixels(width=24, height=16, data=bytes(range(256)) * 4 + bytes(128))


def _load(folder: Path) -> Img2ImgPipeline:
    config = EngineConfig(device="cpu", models_dir=folder.parent, batch_rows=4)
    return Img2ImgPipeline.load(model=folder.name, config=config)


def _row(pipeline: Img2ImgPipeline, **changes: object) -> Img2ImgRow:
    fields: dict[str, Any] = {
        "job_id": "one", "pipeline": "remix", "image": PICTURE, "prompt": "night",
        "strength": 0.8, "num_inference_steps": 5, "seed": 5, **changes,
    }  # fmt: skip
    row, neighbour = (pipeline.admit(ImageRequest(**fields)) for _ in range(2))
    while row.step < row.total_steps:
        pipeline.advance([neighbour, row])
    return row


def _expected(
    pipeline: Img2ImgPipeline, row: Img2ImgRow, *, kind: str, **more: object
) -> torch.Tensor:
    """Run diffusers' own pipeline with the row's parameters."""
    model, request = pipeline.checkpoint, row.request
    parts = {
        "vae": model.vae, "text_encoder": model.text_encoder, "tokenizer": model.tokenizer,
        "unet": model.denoiser, "scheduler": model.scheduler, **more,
    }  # fmt: skip
    reference = getattr(real, kind)(**parts)
    reference.set_progress_bar_config(disable=True)
    assert row.edit is not None
    answer: torch.Tensor = reference(
        request.prompt,
        image=model.scaled(model.encode(row.source)),
        strength=request.strength,
        num_inference_steps=request.num_inference_steps,
        guidance_scale=row.edit.guidance.text,
        negative_prompt=request.negative_prompt or None,
        generator=torch.Generator("cpu").manual_seed(request.seed),
        output_type="latent",
    ).images
    return answer


def _expected_sd(pipeline: Img2ImgPipeline, row: Img2ImgRow) -> torch.Tensor:
    return _expected(
        pipeline, row, kind="StableDiffusionImg2ImgPipeline",
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


def _difference(row: Img2ImgRow, expected: torch.Tensor) -> float:
    assert row.edit is not None
    return float((row.edit.latents - expected).abs().max())


@pytest.mark.parametrize("scale", [1.0, 4.0])
@pytest.mark.parametrize("negative", ["", "fog"])
@pytest.mark.parametrize("zero_negative", [True, False])
def test_xl_rows_are_the_steps_of_diffusers_own_pipeline(
    tmp_path: Path, scale: float, negative: str, zero_negative: bool
) -> None:
    pipeline = _load(save_xl(tmp_path / "xl", zero_negative=zero_negative))
    row = _row(pipeline, guidance_scale=scale, negative_prompt=negative)
    expected = _expected(
        pipeline, row, kind="StableDiffusionXLImg2ImgPipeline",
        text_encoder_2=pipeline.checkpoint.text_encoder_2,
        tokenizer_2=pipeline.checkpoint.tokenizer_2,
        force_zeros_for_empty_prompt=zero_negative, add_watermarker=False,
    )  # fmt: skip
    assert _difference(row, expected) <= 1e-4


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_a_refiners_rows_are_the_steps_of_diffusers_own_pipeline(
    tmp_path: Path, scale: float
) -> None:
    pipeline = _load(save_refiner(tmp_path / "refiner"))
    row = _row(pipeline, guidance_scale=scale, negative_prompt="fog")
    model = pipeline.checkpoint
    expected = _expected(
        pipeline, row, kind="StableDiffusionXLImg2ImgPipeline",
        text_encoder=None, tokenizer=None, text_encoder_2=model.text_encoder,
        tokenizer_2=model.tokenizer, requires_aesthetics_score=True, add_watermarker=False,
    )  # fmt: skip
    assert _difference(row, expected) <= 1e-4


def test_turbo_rows_take_one_row_without_guidance_and_equal_diffusers(tmp_path: Path) -> None:
    pipeline = _load(save_turbo(tmp_path / "turbo"))
    row = _row(pipeline, num_inference_steps=2, strength=1.0)
    assert row.width == 1
    assert _difference(row, _expected_sd(pipeline, row)) <= 1e-4
    assert _row(pipeline, num_inference_steps=None, strength=0.5).total_steps == 1


def test_a_denoiser_that_is_told_its_guidance_takes_one_row(tmp_path: Path) -> None:
    scheduler = real.LCMScheduler(steps_offset=1)
    folder = save_img2img(tmp_path / "lcm", scheduler=scheduler, time_cond_proj_dim=9)
    pipeline = _load(folder)
    row = _row(pipeline, guidance_scale=6.0)
    assert row.width == 1
    assert _difference(row, _expected_sd(pipeline, row)) <= 1e-4
