"""Checkpoints that have no rows run whole: as diffusers runs them, in steps of the loop.

Stable Diffusion 3 and FLUX have rows, and stand here for all pipelines of diffusers.
"""

import gc
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from generation.errors import InvalidRequestError, ModelUnavailableError
from generation.imaging import to_pil, to_pixels
from generation.pipelines.base import EngineConfig
from generation.pipelines.img2img import Img2ImgPipeline
from generation.pipelines.img2img_finish import resized
from generation.pipelines.remix import RemixPipeline
from generation.pipelines.whole import WholePipeline, WholeRow
from generation.request import ImageRequest, Pixels
from tests.generation.checkpoints import (
    real,
    save_flux,
    save_kandinsky,
    save_sd3,
)

# Diffusers hands tensors to numpy in a way that numpy 2 is going to drop.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning"),
    # Its own combined pipeline calls its own decoder the old way.
    pytest.mark.filterwarnings("ignore:`callback_steps` is deprecated:FutureWarning"),
]

torch.set_num_threads(1)
PICTURE = Pixels(width=24, height=16, data=bytes(range(256)) * 4 + bytes(128))
SIBLINGS = {
    "sd3": "StableDiffusion3Img2ImgPipeline",
    "flux": "FluxImg2ImgPipeline",
    "kandinsky": "KandinskyV22Img2ImgCombinedPipeline",
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    save_sd3(folder / "sd3")
    save_flux(folder / "flux")
    save_kandinsky(folder / "kandinsky")
    for name in SIBLINGS:
        (folder / name / "atelier.json").write_text('{"native_size": 24}')
    return folder


def _load(models: Path, name: str, *, device: str = "cpu") -> WholePipeline:
    return WholePipeline.load(model=name, config=EngineConfig(device=device, models_dir=models))


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("sd3", marks=pytest.mark.slow),
        "flux",
        pytest.param("kandinsky", marks=pytest.mark.slow),
    ],
)
def whole(request: pytest.FixtureRequest, models: Path) -> tuple[str, WholePipeline]:
    return request.param, _load(models, request.param)


@pytest.fixture(scope="module")
def flux(models: Path) -> WholePipeline:
    return _load(models, "flux")


def _request(**changes: object) -> ImageRequest:
    fields: dict[str, Any] = {
        "job_id": "one", "pipeline": "remix", "image": PICTURE, "prompt": "night",
        "strength": 0.8, "num_inference_steps": 5, "seed": 5,
    }  # fmt: skip
    return ImageRequest(**{**fields, **changes})


def _finish(pipeline: WholePipeline, row: WholeRow) -> Pixels:
    while row.step < row.total_steps:
        pipeline.advance([row])
    return pipeline.retire(row).image


def _guided(pipeline: WholePipeline, guidance: float | None) -> dict[str, float]:
    """Return the guidance that a request's means; without any its family's, if it has one."""
    scale = pipeline.family.guidance if guidance is None else guidance
    return {} if scale is None else {"guidance_scale": scale}


@pytest.mark.parametrize("guidance", [None, 3.0])
def test_the_picture_is_that_of_diffusers_own_pipeline(
    whole: tuple[str, WholePipeline], models: Path, guidance: float | None
) -> None:
    name, pipeline = whole
    row = pipeline.admit(_request(guidance_scale=guidance))
    assert row.total_steps == 4
    image = _finish(pipeline, row)
    reference = getattr(real, SIBLINGS[name]).from_pretrained(models / name)
    reference.set_progress_bar_config(disable=True)
    expected = reference(
        "night",
        image=to_pil(row.source),
        height=row.source.shape[-2],
        width=row.source.shape[-1],
        strength=0.8,
        num_inference_steps=5,
        **_guided(pipeline, guidance),
        generator=torch.Generator("cpu").manual_seed(5),
        output_type="pt",
    ).images
    assert image == to_pixels(resized(expected, height=16, width=24))
    assert image != _finish(pipeline, pipeline.admit(_request(seed=6)))


def test_requests_take_turns_at_every_step_and_keep_their_bytes(
    whole: tuple[str, WholePipeline],
) -> None:
    _, pipeline = whole
    first, second = _request(), _request(seed=9, strength=1.0, num_inference_steps=3)
    alone = [_finish(pipeline, pipeline.admit(it)) for it in (first, second)]
    rows = [pipeline.admit(it) for it in (first, second)]
    assert rows[0].bucket != rows[1].bucket
    for _ in range(2):
        for row in rows:
            pipeline.advance([row])
    assert [row.step for row in rows] == [2, 2]
    assert [_finish(pipeline, row) for row in rows] == alone


def _until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it does not come to pass")


def _under_way() -> int:
    return sum(thread.name == "pausing" for thread in threading.enumerate())


def test_a_row_that_is_dropped_stops_within_its_step(
    flux: WholePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    transformer = flux.pipe.transformer
    forward = transformer.forward

    def counted(**arguments: object) -> object:
        calls.append(1)
        return forward(**arguments)

    monkeypatch.setattr(transformer, "forward", counted)
    gc.collect()
    before = _under_way()
    row = flux.admit(_request(num_inference_steps=50))
    flux.advance([row])
    assert (len(calls), _under_way()) == (1, before + 1)
    del row
    _until(lambda: _under_way() == before)
    assert len(calls) == 1


def test_a_call_that_failed_begins_again_and_ends_with_the_same_bytes(
    flux: WholePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> object:
        raise torch.OutOfMemoryError("none left")

    expected = _finish(flux, flux.admit(_request()))
    row = flux.admit(_request())
    flux.advance([row])
    with monkeypatch.context() as patch:
        patch.setattr(flux.pipe.transformer, "forward", fail)
        with pytest.raises(torch.OutOfMemoryError):
            flux.advance([row])
    assert row.step == 1
    flux.advance([row])
    assert row.step == 2
    while row.step < row.total_steps:
        flux.advance([row])
    with monkeypatch.context() as patch:
        patch.setattr(flux.pipe.vae, "decode", fail)
        with pytest.raises(torch.OutOfMemoryError):
            flux.retire(row)
    assert flux.retire(row).image == expected


def test_a_preview_shows_the_latents_small_and_changes_nothing(
    whole: tuple[str, WholePipeline],
) -> None:
    name, pipeline = whole
    expected = _finish(pipeline, pipeline.admit(_request()))
    row = pipeline.admit(_request())
    assert pipeline.preview(row) is None
    pipeline.advance([row])
    shown = pipeline.preview(row)
    # Kandinsky's codec decodes no plain latents.
    assert name == "kandinsky" or shown is not None
    assert shown is None or (shown.width, shown.height) == (24, 16)
    assert _finish(pipeline, row) == expected


@pytest.mark.parametrize("changes", [{"strength": 0.0}, {"strength": 0.1}])
def test_without_a_step_to_take_the_input_is_the_answer(
    flux: WholePipeline, changes: dict[str, object]
) -> None:
    row = flux.admit(_request(**changes))
    assert row.total_steps == 0
    assert flux.retire(row).image == PICTURE


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"scheduler": "ddim"}, "own scheduler"),
        ({"prompt": "night <ink:1>"}, "without LoRA"),
        ({"prompt": "(night:1.5)"}, "without weights"),
    ],
)
def test_what_the_library_is_not_asked_for_is_refused(
    flux: WholePipeline, change: dict[str, str], sentence: str
) -> None:
    with pytest.raises(InvalidRequestError, match=sentence):
        flux.admit(_request(**change))


def test_a_checkpoint_that_starts_from_no_picture_is_refused(tmp_path: Path) -> None:
    torch.manual_seed(0)
    unet = real.UNet2DModel(
        sample_size=8, block_out_channels=(8, 8), layers_per_block=1, norm_num_groups=4,
        down_block_types=("DownBlock2D",) * 2, up_block_types=("UpBlock2D",) * 2,
    )  # fmt: skip
    real.DDPMPipeline(unet=unet, scheduler=real.DDPMScheduler()).save_pretrained(tmp_path / "ddpm")
    with pytest.raises(ModelUnavailableError, match="DDPMPipeline starts from no picture"):
        RemixPipeline.load(model="ddpm", config=EngineConfig(device="cpu", models_dir=tmp_path))


def test_the_starter_never_runs_whole(tmp_path: Path) -> None:
    config = EngineConfig(device="cpu", models_dir=tmp_path)
    assert isinstance(RemixPipeline.load(model="remix", config=config), Img2ImgPipeline)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("name", list(SIBLINGS))
def test_on_a_gpu_it_runs_in_bfloat16_and_the_same_seed_gives_the_same_bytes(
    models: Path, name: str
) -> None:
    pipeline = _load(models, name, device="cuda")
    assert {part.dtype for part in pipeline.pipe.components.values() if hasattr(part, "dtype")} == {
        torch.bfloat16
    }
    rows = [pipeline.admit(_request()) for _ in range(2)]
    pipeline.advance(rows[:1])
    pipeline.preview(rows[0])
    images = [_finish(pipeline, row) for row in rows]
    assert images[0] == images[1] != PICTURE
