"""Pictures from words alone: the steps are diffusers' own text to image, at the canvas's size."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from generation.errors import InvalidRequestError
from generation.pipelines.base import EngineConfig
from generation.pipelines.img2img import Img2ImgPipeline
from generation.pipelines.whole import WholePipeline
from generation.request import Canvas, ImageRequest, Pixels
from tests.generation.checkpoints import (
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
REQUEST = ImageRequest(
    job_id="one", pipeline="remix", image=Canvas(width=128, height=64), prompt="night",
    num_inference_steps=4, guidance_scale=4.0, seed=5,
)  # fmt: skip


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Img2ImgPipeline]:
    base = tmp_path_factory.mktemp("models")
    save_img2img(base / "plain", scheduler=real.DDIMScheduler(clip_sample=False, steps_offset=1))
    save_xl(base / "xl")
    save_inpaint(base / "filling")
    save_instruct(base / "instruct")
    return loaded_from(base, batch_rows=4)


@pytest.mark.parametrize(
    ("name", "scheduler"), [("plain", None), ("plain", "euler"), ("xl", None), ("xl", "ddim")]
)
@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_rows_of_an_empty_canvas_are_the_steps_of_diffusers_text_to_image(
    pipelines: Mapping[str, Img2ImgPipeline], name: str, scheduler: str | None, guidance: float
) -> None:
    pipeline = pipelines[name]
    row = row_beside(pipeline, replace(REQUEST, scheduler=scheduler, guidance_scale=guidance))
    assert row.edit is not None
    model = pipeline.checkpoint
    parts: dict[str, Any] = {
        "vae": model.vae, "text_encoder": model.text_encoder, "tokenizer": model.tokenizer,
        "unet": model.denoiser, "scheduler": row.edit.schedule.scheduler,
    }  # fmt: skip
    if name == "xl":
        kind = real.StableDiffusionXLPipeline
        parts |= {"text_encoder_2": model.text_encoder_2, "tokenizer_2": model.tokenizer_2}
        parts["add_watermarker"] = False
    else:
        kind = real.StableDiffusionPipeline
        parts |= {"safety_checker": None, "feature_extractor": None}
        parts["requires_safety_checker"] = False
    reference = kind(**parts)
    reference.set_progress_bar_config(disable=True)
    height, width = row.source.shape[-2:]
    expected = reference(
        REQUEST.prompt,
        height=height,
        width=width,
        num_inference_steps=REQUEST.num_inference_steps,
        guidance_scale=guidance,
        generator=torch.Generator("cpu").manual_seed(REQUEST.seed),
        output_type="latent",
    ).images
    assert float((row.edit.latents - expected).abs().max()) <= 1e-5 * float(expected.abs().max())


@pytest.mark.parametrize("name", ["plain", "xl", "filling"])
def test_a_picture_from_words_has_the_canvas_size_and_hangs_on_seed_and_words_alone(
    pipelines: Mapping[str, Img2ImgPipeline], name: str
) -> None:
    pipeline = pipelines[name]
    made = pipeline.retire(row_beside(pipeline, REQUEST)).image
    assert (made.width, made.height) == (128, 64)
    same = replace(REQUEST, strength=0.0, job_id="two")
    assert pipeline.retire(row_beside(pipeline, same)).image == made
    for other in (replace(REQUEST, seed=6), replace(REQUEST, prompt="fog")):
        assert pipeline.retire(row_beside(pipeline, other)).image != made


def test_pictures_from_words_and_from_pictures_share_calls_and_keep_their_bytes(
    pipelines: Mapping[str, Img2ImgPipeline],
) -> None:
    pipeline = pipelines["plain"]
    alone = pipeline.retire(row_beside(pipeline, REQUEST)).image
    grey = Pixels(width=128, height=64, data=bytes([128]) * (3 * 128 * 64))
    other = replace(REQUEST, job_id="two", image=grey, seed=7)
    crowded = row_beside(pipeline, REQUEST, other)
    assert pipeline.admit(other).bucket == crowded.bucket
    assert pipeline.retire(crowded).image == alone


def test_a_picture_from_words_shows_itself_while_it_forms(
    pipelines: Mapping[str, Img2ImgPipeline],
) -> None:
    pipeline = pipelines["plain"]
    row = pipeline.admit(REQUEST)
    assert pipeline.preview(row) is None
    pipeline.advance([row])
    shown = pipeline.preview(row)
    assert shown is not None
    assert (shown.width, shown.height) == (128, 64)


def test_an_empty_canvas_goes_through_no_codec_on_its_way_in(
    pipelines: Mapping[str, Img2ImgPipeline],
) -> None:
    pipeline = pipelines["plain"]
    before = pipeline.counted["codec_pictures"]
    pipeline.prepare([REQUEST])
    pipeline.admit(REQUEST)
    assert pipeline.counted["codec_pictures"] == before


def test_what_changes_pictures_makes_none_from_words(
    pipelines: Mapping[str, Img2ImgPipeline], tmp_path: Path
) -> None:
    with pytest.raises(InvalidRequestError, match="instruct changes pictures"):
        pipelines["instruct"].admit(REQUEST)
    folder = save_sd3(tmp_path / "three")
    config = EngineConfig(device="cpu", models_dir=folder.parent)
    with pytest.raises(InvalidRequestError, match="needs a picture"):
        WholePipeline.load(model=folder.name, config=config).admit(REQUEST)


@pytest.mark.parametrize("size", [(63, 128), (128, 4097)])
def test_a_canvas_has_a_sensible_size(size: tuple[int, int]) -> None:
    with pytest.raises(InvalidRequestError, match="64 to 4096 pixels"):
        Canvas(width=size[0], height=size[1])
