"""Rows of img2img: they are diffusers' own steps, exact, seeded, and independent."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from generation.errors import ModelUnavailableError
from generation.pipelines.base import EngineConfig, Finished
from generation.pipelines.img2img import Img2ImgPipeline, Img2ImgRow, blend_of
from generation.pipelines.img2img_plan import image_guidance_of
from generation.request import ImageRequest, NoteCode, Pixels
from generation.training.remix_card import write_manifest
from tests.generation.checkpoints import real, save_img2img, save_instruct

torch.set_num_threads(1)


def _picture(*, width: int = 24, height: int = 16, seed: int = 0) -> Pixels:
    rng = np.random.default_rng(seed)
    data = rng.integers(0, 256, (height, width, 3), dtype=np.uint8).tobytes()
    return Pixels(width=width, height=height, data=data)


def _request(**changes: object) -> ImageRequest:
    fields: dict[str, Any] = {
        "job_id": "one",
        "pipeline": "remix",
        "image": _picture(),
        "prompt": "night",
        "strength": 1.0,
        "num_inference_steps": 3,
        "seed": 5,
    }
    return ImageRequest(**{**fields, **changes})


def _load(folder: Path) -> Img2ImgPipeline:
    return Img2ImgPipeline.load(
        model=folder.name, config=EngineConfig(device="cpu", models_dir=folder.parent)
    )


def _run(pipeline: Img2ImgPipeline, request: ImageRequest) -> tuple[Img2ImgRow, Finished]:
    row = pipeline.admit(request)
    while row.step < row.total_steps:
        pipeline.advance([row])
    return row, pipeline.retire(row)


@pytest.fixture(scope="module")
def instruct(tmp_path_factory: pytest.TempPathFactory) -> Img2ImgPipeline:
    return _load(save_instruct(tmp_path_factory.mktemp("models") / "instruct"))


@pytest.fixture(scope="module")
def img2img(tmp_path_factory: pytest.TempPathFactory) -> Img2ImgPipeline:
    return _load(save_img2img(tmp_path_factory.mktemp("models") / "plain"))


def _diffusers_noise(row: Img2ImgRow) -> torch.Tensor:
    assert row.edit is not None
    rng = torch.Generator("cpu").manual_seed(row.request.seed)
    return torch.randn(row.edit.latents.shape, generator=rng)


@pytest.mark.parametrize(("text", "rows"), [(4.0, 3), (1.0, 1)])
def test_instruct_rows_are_the_steps_of_diffusers_own_pipeline(
    instruct: Img2ImgPipeline, text: float, rows: int
) -> None:
    row, _ = _run(instruct, _request(guidance_scale=text))
    model = instruct.checkpoint
    reference = real.StableDiffusionInstructPix2PixPipeline(
        vae=model.vae,
        text_encoder=model.text_encoder,
        tokenizer=model.tokenizer,
        unet=model.denoiser,
        scheduler=model.scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    reference.set_progress_bar_config(disable=True)
    expected = reference(
        "night",
        image=row.source,
        num_inference_steps=3,
        guidance_scale=text,
        image_guidance_scale=image_guidance_of(1.0, full=1.5),
        latents=_diffusers_noise(row),
        output_type="latent",
    ).images
    assert row.edit is not None
    assert row.edit.guidance.rows == rows
    assert float((row.edit.latents - expected).abs().max()) <= 1e-4


@pytest.mark.parametrize("strength", [0.4, 1.0])
@pytest.mark.parametrize("text", [1.0, 5.0])
def test_img2img_rows_are_the_steps_of_diffusers_own_pipeline(
    tmp_path: Path, strength: float, text: float
) -> None:
    scheduler = real.DDIMScheduler(clip_sample=False, steps_offset=1)
    pipeline = _load(save_img2img(tmp_path / "plain", scheduler=scheduler))
    request = _request(guidance_scale=text, strength=strength, num_inference_steps=5)
    row, _ = _run(pipeline, request)
    model = pipeline.checkpoint
    reference = real.StableDiffusionImg2ImgPipeline(
        vae=model.vae,
        text_encoder=model.text_encoder,
        tokenizer=model.tokenizer,
        unet=model.denoiser,
        scheduler=model.scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    reference.set_progress_bar_config(disable=True)
    scaled = model.encode(row.source) * model.vae.config.scaling_factor
    expected = reference(
        "night",
        # Latents are taken as they are, so that the codec's own dice do not matter.
        image=scaled,
        strength=strength,
        num_inference_steps=5,
        guidance_scale=text,
        generator=torch.Generator("cpu").manual_seed(5),
        output_type="latent",
    ).images
    assert row.edit is not None
    assert float((row.edit.latents - expected).abs().max()) <= 1e-4


# Diffusers hands tensors to numpy in a way that numpy 2 is going to drop.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize(
    "kind", [real.EulerAncestralDiscreteScheduler, real.DPMSolverMultistepScheduler]
)
def test_other_samplers_run_and_repeat_their_bytes(
    tmp_path: Path, kind: Callable[..., object]
) -> None:
    pipeline = _load(save_img2img(tmp_path / "other", scheduler=kind(steps_offset=1)))
    first, second = (_run(pipeline, _request(strength=0.7))[1].image.data for _ in range(2))
    assert first == second


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(img2img: Img2ImgPipeline) -> None:
    first = _run(img2img, _request())[1].image.data
    assert _run(img2img, _request())[1].image.data == first
    assert _run(img2img, _request(seed=6))[1].image.data != first


def test_a_row_does_not_depend_on_its_neighbours(instruct: Img2ImgPipeline) -> None:
    alone = _run(instruct, _request())[1].image.data
    row = instruct.admit(_request())
    other = instruct.admit(_request(seed=9, prompt="fog", num_inference_steps=7))
    instruct.advance([other])
    while row.step < row.total_steps:
        instruct.advance([other, row])
    assert instruct.retire(row).image.data == alone


def test_rows_that_share_a_call_agree_with_lone_ones(instruct: Img2ImgPipeline) -> None:
    together = Img2ImgPipeline(instruct.checkpoint, config=EngineConfig(exact=False))
    lone, _ = _run(instruct, _request())
    row, other = together.admit(_request()), together.admit(_request(seed=9))
    while row.step < row.total_steps:
        together.advance([row, other])
    assert row.edit is not None
    assert lone.edit is not None
    assert float((row.edit.latents - lone.edit.latents).abs().max()) <= 1e-4


def test_a_failed_call_can_be_repeated(
    instruct: Img2ImgPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = _run(instruct, _request())[1].image.data
    row = instruct.admit(_request())
    instruct.advance([row])
    forward = instruct.checkpoint.denoiser.forward

    def exhausted(*_args: object, **_more: object) -> None:
        raise torch.OutOfMemoryError("no memory is left")

    monkeypatch.setattr(instruct.checkpoint.denoiser, "forward", exhausted)
    with pytest.raises(torch.OutOfMemoryError):
        instruct.advance([row])
    monkeypatch.setattr(instruct.checkpoint.denoiser, "forward", forward)
    while row.step < row.total_steps:
        instruct.advance([row])
    assert instruct.retire(row).image.data == expected


@pytest.mark.parametrize("fixture", ["instruct", "img2img"])
def test_strength_zero_returns_the_input_without_touching_the_model(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    pipeline: Img2ImgPipeline = request.getfixturevalue(fixture)
    row, result = _run(pipeline, _request(strength=0.0))
    assert row.total_steps == 0
    assert result.image == _picture()


def test_less_than_one_step_of_img2img_returns_the_input(img2img: Img2ImgPipeline) -> None:
    row, result = _run(img2img, _request(strength=0.2, num_inference_steps=4))
    assert row.total_steps == 0
    assert result.image == _picture()


def test_the_mapping_of_strength_is_monotone_and_reaches_both_ends() -> None:
    strengths = np.linspace(0, 1, 21)
    assert (np.diff([blend_of(strength) for strength in strengths]) > 0).all()
    assert (np.diff([image_guidance_of(s, full=1.2) for s in strengths]) < 0).all()
    assert (blend_of(0), blend_of(1), image_guidance_of(1, full=1.2)) == (0, 1, 1.2)


def test_the_result_has_the_size_of_the_upload_and_previews_are_small(
    instruct: Img2ImgPipeline,
) -> None:
    row = instruct.admit(_request(image=_picture(width=301, height=97)))
    assert instruct.preview(row) is None
    instruct.advance([row])
    preview = instruct.preview(row)
    assert preview is not None
    assert (preview.width, preview.height) == (256, 82)
    result = instruct.retire(row).image
    assert (result.width, result.height) == (301, 97)


def test_a_declared_vocabulary_is_answered_honestly(tmp_path: Path) -> None:
    folder = save_instruct(tmp_path / "declared")
    write_manifest(folder)
    pipeline = _load(folder)
    codes = {
        prompt: [note.code for note in _run(pipeline, _request(prompt=prompt))[1].notes]
        for prompt in ("fog", "a dragon in the fog", "a dragon")
    }
    both = [NoteCode.UNKNOWN_WORDS, NoteCode.KNOWN_WORDS]
    assert codes == {"fog": [], "a dragon in the fog": both, "a dragon": both}
    row, result = _run(pipeline, _request(prompt="a dragon"))
    assert row.total_steps == 0
    assert result.image == _picture()
    assert result.notes[0].words == ("dragon",)


def test_layers_that_need_a_mask_ask_the_network_for_it(tmp_path: Path) -> None:
    folder = save_instruct(tmp_path / "declared")
    write_manifest(folder)
    pipeline = _load(folder)
    assert pipeline.admit(_request(prompt="night")).total_steps == 6
    assert pipeline.admit(_request(prompt="fog")).total_steps == 3


def test_a_checkpoint_without_declarations_says_nothing_about_words(
    instruct: Img2ImgPipeline,
) -> None:
    assert _run(instruct, _request(prompt="a dragon"))[1].notes == ()


def test_a_prompt_that_is_too_long_is_cut_and_the_member_told(instruct: Img2ImgPipeline) -> None:
    fits, longer = (_run(instruct, _request(prompt="night " * count))[1] for count in (10, 11))
    assert fits.notes == ()
    assert [note.code for note in longer.notes] == [NoteCode.PROMPT_CUT]


def test_truncated_weights_are_refused(tmp_path: Path) -> None:
    folder = save_img2img(tmp_path / "cut")
    weights = next((folder / "vae").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-2000])
    with pytest.raises(ModelUnavailableError):
        _load(folder)


def test_a_denoiser_of_an_unknown_shape_is_refused(tmp_path: Path) -> None:
    folder = save_instruct(tmp_path / "odd", in_channels=7)
    with pytest.raises(ModelUnavailableError, match="no known family"):
        _load(folder)


def test_sides_are_multiples_that_every_level_divides(instruct: Img2ImgPipeline) -> None:
    row = instruct.admit(_request(image=_picture(width=500, height=60)))
    assert row.source.shape[-1] % instruct.checkpoint.multiple == 0
    assert row.source.shape[-2] % instruct.checkpoint.multiple == 0
    assert row.source.shape[-1] == instruct.checkpoint.native_size
