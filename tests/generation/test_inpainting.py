"""Masks: the steps are diffusers' own, and what is outside stays to the byte."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from generation.errors import InvalidRequestError
from generation.pipelines.autoencoding import View
from generation.pipelines.base import EngineConfig
from generation.pipelines.denoising import Keeping
from generation.pipelines.img2img import Img2ImgPipeline, Img2ImgRow
from generation.pipelines.masking import EVERYWHERE, fresh_latents, hidden, laid
from generation.pipelines.whole import WholePipeline
from generation.request import Canvas, ImageRequest, Pixels
from tests.generation.checkpoints import (
    euler,
    real,
    save_img2img,
    save_inpaint,
    save_instruct,
    save_sd3,
    save_xl,
)
from tests.generation.rows import loaded_from, row_beside

# Diffusers hands tensors to numpy in a way that numpy 2 is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

torch.set_num_threads(1)
WIDTH, HEIGHT = 48, 24
"""Three times what the tiny checkpoints are run at, which have two pixels a latent."""
Array = npt.NDArray[np.uint8]


def _pixels(values: Array) -> Pixels:
    height, width = values.shape[:2]
    return Pixels(width=width, height=height, data=values.tobytes())


def _values(picture: Pixels) -> Array:
    return np.frombuffer(picture.data, np.uint8).reshape(picture.height, picture.width, 3)


def _mask(*, left: int, width: int = WIDTH, height: int = HEIGHT) -> Pixels:
    """Return a mask whose right part, from a column on, is made anew."""
    values = np.zeros((height, width, 3), np.uint8)
    values[:, left:] = 255
    return _pixels(values)


PICTURE = _pixels(np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))
REQUEST = ImageRequest(
    job_id="one", pipeline="remix", image=PICTURE, mask=_mask(left=24), prompt="night",
    strength=1.0, num_inference_steps=4, seed=5,
)  # fmt: skip


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Img2ImgPipeline]:
    base = tmp_path_factory.mktemp("models")
    ddim = real.DDIMScheduler(clip_sample=False, steps_offset=1)
    save_img2img(base / "plain", scheduler=ddim)
    save_img2img(base / "euler", scheduler=euler())
    save_inpaint(base / "filling", scheduler=euler())
    save_xl(base / "xl", in_channels=4)
    save_xl(base / "xl filling", in_channels=9)
    save_instruct(base / "instruct")
    return loaded_from(base, batch_rows=6)


def _expected(pipeline: Img2ImgPipeline, row: Img2ImgRow) -> torch.Tensor:
    """Run diffusers' own inpainting with the row's parameters, on the same encoded pictures."""
    model, request = pipeline.checkpoint, row.request
    parts: dict[str, Any] = {
        "vae": model.vae, "text_encoder": model.text_encoder, "tokenizer": model.tokenizer,
        "unet": model.denoiser, "scheduler": model.scheduler,
    }  # fmt: skip
    if model.text_encoder_2 is None:
        kind = "StableDiffusionInpaintPipeline"
        parts |= {"safety_checker": None, "feature_extractor": None}
        parts["requires_safety_checker"] = False
    else:
        kind = "StableDiffusionXLInpaintPipeline"
        parts |= {"text_encoder_2": model.text_encoder_2, "tokenizer_2": model.tokenizer_2}
        parts["add_watermarker"] = False
    reference = getattr(real, kind)(**parts)
    reference.set_progress_bar_config(disable=True)
    assert row.edit is not None
    assert request.mask is not None
    (height, width), device = row.source.shape[-2:], model.device
    around = hidden(row.source, mask=request.mask)
    latents: torch.Tensor = reference(
        request.prompt,
        image=model.scaled(model.encode(row.source)),
        mask_image=laid(request.mask, height=height, width=width, device=device),
        masked_image_latents=model.scaled(model.encode(around)),
        height=height,
        width=width,
        strength=request.strength,
        num_inference_steps=request.num_inference_steps,
        guidance_scale=row.edit.guidance.text,
        generator=torch.Generator("cpu").manual_seed(request.seed),
        output_type="latent",
    ).images
    return latents


@pytest.mark.parametrize("name", ["plain", "euler", "filling", "xl", "xl filling"])
@pytest.mark.parametrize(("strength", "guidance"), [(0.6, 4.0), (1.0, 1.0)])
def test_rows_under_a_mask_are_the_steps_of_diffusers_own_inpainting(
    pipelines: Mapping[str, Img2ImgPipeline], name: str, strength: float, guidance: float
) -> None:
    request = replace(REQUEST, strength=strength, guidance_scale=guidance)
    row = row_beside(pipelines[name], request)
    assert row.edit is not None
    expected = _expected(pipelines[name], row)
    assert float((row.edit.latents - expected).abs().max()) <= 1e-5 * float(expected.abs().max())


@pytest.mark.parametrize("name", ["plain", "filling", "xl", "xl filling", "instruct"])
def test_what_is_outside_a_mask_stays_and_what_is_inside_does_not(
    pipelines: Mapping[str, Img2ImgPipeline], name: str
) -> None:
    pipeline = pipelines[name]
    made = _values(pipeline.retire(row_beside(pipeline, REQUEST)).image)
    before = _values(PICTURE)
    assert np.array_equal(made[:, :24], before[:, :24])
    assert np.abs(made[:, 24:].astype(int) - before[:, 24:]).mean() > 10


@pytest.mark.parametrize("name", ["plain", "filling"])
def test_rows_with_and_without_masks_share_calls_and_keep_their_bytes(
    pipelines: Mapping[str, Img2ImgPipeline], name: str
) -> None:
    pipeline = pipelines[name]
    alone = pipeline.retire(row_beside(pipeline, REQUEST)).image
    others = (
        replace(REQUEST, job_id="two", mask=None, seed=9, strength=0.7),
        replace(REQUEST, job_id="three", mask=_mask(left=36), seed=7),
    )
    crowded = row_beside(pipeline, REQUEST, *others)
    assert len({pipeline.admit(each).bucket for each in (REQUEST, *others)}) == 1
    assert pipeline.retire(crowded).image == alone


def test_without_a_mask_what_fills_holes_makes_everything_anew(
    pipelines: Mapping[str, Img2ImgPipeline],
) -> None:
    pipeline = pipelines["filling"]
    bare, everywhere = (
        pipeline.retire(row_beside(pipeline, replace(REQUEST, mask=mask))).image
        for mask in (None, EVERYWHERE)
    )
    assert bare == everywhere


@pytest.mark.parametrize("scheduler", ["euler_ancestral", "pndm"])
def test_a_step_for_which_memory_did_not_suffice_is_repeated_to_the_same_bytes(
    pipelines: Mapping[str, Img2ImgPipeline], monkeypatch: pytest.MonkeyPatch, scheduler: str
) -> None:
    pipeline = pipelines["plain"]
    requests = [replace(REQUEST, scheduler=scheduler, seed=seed) for seed in (5, 9)]
    expected = [pipeline.retire(row_beside(pipeline, each)).image for each in requests]
    rows, laid_over, calls = [pipeline.admit(each) for each in requests], Keeping.laid_over, []

    def lacking(keeping: Keeping, moved: torch.Tensor, **levels: float) -> torch.Tensor:
        calls.append(keeping)
        if len(calls) in (4, 6):
            raise torch.OutOfMemoryError("no memory is left")
        return laid_over(keeping, moved, **levels)

    monkeypatch.setattr(Keeping, "laid_over", lacking)
    failed = 0
    while (behind := min(row.step for row in rows)) < rows[0].total_steps:
        try:
            # Who has moved in a call that failed is not in the one that repeats it.
            pipeline.advance([row for row in rows if row.step == behind])
        except torch.OutOfMemoryError:
            failed += 1
    assert failed == 2
    assert [pipeline.retire(row).image for row in rows] == expected


def test_a_hole_is_hidden_from_what_fills_it(pipelines: Mapping[str, Img2ImgPipeline]) -> None:
    changed = _values(PICTURE).copy()
    changed[:, 32:] = 0
    pipeline = pipelines["filling"]
    first, second = (
        row_beside(pipeline, replace(REQUEST, image=image)).edit
        for image in (PICTURE, _pixels(changed))
    )
    assert first is not None
    assert second is not None
    assert torch.equal(first.latents, second.latents)


def test_masks_are_laid_over_the_whole_whatever_their_size() -> None:
    small = _mask(left=1, width=3, height=2)
    over = laid(small, height=16, width=24, device=torch.device("cpu"))
    assert over.shape == (1, 1, 16, 24)
    assert float(over[..., :4].max()) < 0.5 < float(over[..., 12:].min())


def test_a_latent_is_made_anew_if_one_of_its_pixels_is() -> None:
    values = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    values[5, 7] = 255
    source = torch.zeros(1, 3, HEIGHT, WIDTH)
    fresh = fresh_latents(_pixels(values), source=source, factor=8)
    assert fresh.nonzero().tolist() == [[0, 0, 0, 0]]


def test_the_grey_of_a_mask_blends(pipelines: Mapping[str, Img2ImgPipeline]) -> None:
    pipeline, before = pipelines["plain"], _values(PICTURE).astype(float)
    grey = Pixels(width=1, height=1, data=bytes([153] * 3))
    full, part = (
        _values(pipeline.retire(row_beside(pipeline, replace(REQUEST, mask=mask))).image).astype(
            float
        )
        for mask in (EVERYWHERE, grey)
    )
    assert np.abs(part - (before + 0.6 * (full - before))).max() <= 1


def test_a_mask_needs_a_picture() -> None:
    with pytest.raises(InvalidRequestError, match="needs a picture"):
        replace(REQUEST, image=Canvas(width=64, height=64))


def test_pictures_with_holes_are_encoded_once(pipelines: Mapping[str, Img2ImgPipeline]) -> None:
    pipeline = pipelines["filling"]
    request = replace(REQUEST, mask=_mask(left=30))
    pipeline.prepare([request])
    before = pipeline.counted["codec_pictures"]
    pipeline.admit(request)
    assert pipeline.counted["codec_pictures"] == before
    (around,) = pipeline._encoder.encode([View(image=PICTURE, mask=request.mask)])
    assert torch.equal(around.source[..., 10:], torch.full((1, 3, 8, 6), 0.5))


def test_families_without_rows_keep_to_the_mask_too(tmp_path: Path) -> None:
    folder = save_sd3(tmp_path / "three")
    config = EngineConfig(device="cpu", models_dir=folder.parent)
    pipeline = WholePipeline.load(model=folder.name, config=config)
    row = pipeline.admit(replace(REQUEST, num_inference_steps=2))
    while row.step < row.total_steps:
        pipeline.advance([row])
    made = _values(pipeline.retire(row).image)
    assert np.array_equal(made[:, :24], _values(PICTURE)[:, :24])
    assert not np.array_equal(made, _values(PICTURE))
