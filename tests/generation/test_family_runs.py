"""Every family, tiny and of the real classes: saved, recognised, loaded by its name, and run."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from generation.families import FAMILIES
from generation.imaging import to_tensor
from generation.pipelines.base import EngineConfig, Finished, Pipeline
from generation.pipelines.flows import FlowCheckpoint
from generation.pipelines.img2img import Img2ImgPipeline
from generation.pipelines.img2img_finish import resized
from generation.pipelines.remix import RemixPipeline
from generation.recognition import family_of
from generation.request import ImageRequest, NoteCode, Pixels
from tests.generation.checkpoints import (
    euler,
    real,
    save_flux,
    save_img2img,
    save_inpaint,
    save_instruct,
    save_qwen_edit,
    save_refiner,
    save_sd3,
    save_xl,
)

# Diffusers hands tensors to numpy in a way that numpy 2 is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

torch.set_num_threads(1)
SMOOTH = np.linspace(0, 255, 24 * 16 * 3).reshape(16, 24, 3).astype(np.uint8)
PICTURE = Pixels(width=24, height=16, data=SMOOTH.tobytes())


def _lcm() -> object:
    return real.LCMScheduler(steps_offset=1)


def _v_prediction() -> object:
    return real.DDIMScheduler(
        clip_sample=False, prediction_type="v_prediction", rescale_betas_zero_snr=True,
        timestep_spacing="trailing", steps_offset=1,
    )  # fmt: skip


def _ancestral() -> object:
    return real.EulerAncestralDiscreteScheduler(timestep_spacing="trailing", steps_offset=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A family's tiny checkpoint, and the name of the family."""

    family: str
    save: Callable[[Path], Path]


def _sd(scheduler: Callable[[], object], **unet: object) -> Callable[[Path], Path]:
    return lambda folder: save_img2img(folder, scheduler=scheduler(), **unet)


def _xl(scheduler: Callable[[], object], **unet: Any) -> Callable[[Path], Path]:  # noqa: ANN401
    return lambda folder: save_xl(folder, scheduler=scheduler(), **unet)


TRAILING = partial(euler, timestep_spacing="trailing")
KINDS = {
    "Stable Diffusion 1.x": Kind(family="sd1", save=_sd(euler)),
    "Stable Diffusion 2.x": Kind(family="sd2", save=_sd(euler, use_linear_projection=True)),
    "Stable Diffusion 2.x, velocities": Kind(
        family="sd2", save=_sd(_v_prediction, use_linear_projection=True)
    ),
    "SD-Turbo": Kind(family="sd_turbo", save=_sd(TRAILING, use_linear_projection=True)),
    "LCM": Kind(family="lcm", save=_sd(_lcm, time_cond_proj_dim=8)),
    "LCM merged in": Kind(family="lcm_merged", save=_sd(_lcm)),
    "InstructPix2Pix": Kind(family="instruct_pix2pix", save=save_instruct),
    "Stable Diffusion 1.x for inpainting": Kind(
        family="sd1_inpaint", save=lambda folder: save_inpaint(folder, scheduler=euler())
    ),
    "Stable Diffusion 2.x for inpainting": Kind(
        family="sd2_inpaint",
        save=lambda folder: save_inpaint(folder, scheduler=euler(), use_linear_projection=True),
    ),
    "XL for inpainting": Kind(family="sdxl_inpaint", save=_xl(euler, in_channels=9)),
    "XL": Kind(family="sdxl", save=save_xl),
    "XL refiner": Kind(family="sdxl_refiner", save=save_refiner),
    "XL Turbo": Kind(family="sdxl_turbo", save=_xl(_ancestral, sample_size=64)),
    "XL Lightning": Kind(family="sdxl_lightning", save=_xl(TRAILING, sample_size=128)),
    "XL LCM": Kind(family="sdxl_lcm", save=_xl(_lcm, time_cond_proj_dim=8)),
    "XL with LCM merged in": Kind(family="sdxl_lcm_merged", save=_xl(_lcm)),
    "Stable Diffusion 3": Kind(family="sd3", save=save_sd3),
    "Stable Diffusion 3.5": Kind(
        family="sd35", save=lambda folder: save_sd3(folder, qk_norm="rms_norm")
    ),
    "FLUX.1 dev": Kind(family="flux_dev", save=save_flux),
    "FLUX.1 schnell": Kind(
        family="flux_schnell", save=lambda folder: save_flux(folder, guided=False)
    ),
    "FLUX.1 Kontext": Kind(
        family="flux_kontext", save=lambda folder: save_flux(folder, kind="FluxKontextPipeline")
    ),
    "Qwen-Image-Edit": Kind(family="qwen_image_edit", save=save_qwen_edit),
}


MORE = {
    "Stable Diffusion 2.x",
    "Stable Diffusion 1.x for inpainting",
    "Stable Diffusion 2.x for inpainting",
    "XL for inpainting",
    "LCM merged in",
    "XL LCM",
    "XL with LCM merged in",
    "XL Lightning",
    "Stable Diffusion 3.5",
}
"""Families that differ from another by figures alone, or by what fills holes."""


def test_every_family_of_the_table_is_run() -> None:
    assert {kind.family for kind in KINDS.values()} == set(FAMILIES) - {"other"}


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.slow) if name in MORE else name for name in KINDS],
)
def loaded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Img2ImgPipeline]:
    """Return a family's name, and its tiny checkpoint loaded by a name that says nothing."""
    kind = KINDS[request.param]
    folder = kind.save(tmp_path_factory.mktemp("models") / "anything")
    (folder / "atelier.json").write_text('{"native_size": 24}')
    assert family_of(folder) is FAMILIES[kind.family]
    config = EngineConfig(device="cpu", models_dir=folder.parent)
    pipeline = RemixPipeline.load(model="anything", config=config)
    assert isinstance(pipeline, Img2ImgPipeline)
    return kind.family, pipeline


def _admitted(pipeline: Pipeline[Any], **changes: object) -> Any:  # noqa: ANN401 - any row
    fields: dict[str, Any] = {
        "job_id": "one", "pipeline": "remix", "image": PICTURE, "prompt": "night", "seed": 5,
        "num_inference_steps": 4, **changes,
    }  # fmt: skip
    return pipeline.admit(ImageRequest(**fields))


def _finished(pipeline: Img2ImgPipeline, **changes: object) -> Finished:
    row = _admitted(pipeline, **changes)
    while row.step < row.total_steps:
        pipeline.advance([row])
        if row.step == 1:
            shown = pipeline.preview(row)
            assert shown is not None
            assert (shown.width, shown.height) == (PICTURE.width, PICTURE.height)
    return pipeline.retire(row)


@torch.no_grad()
def _input(pipeline: Img2ImgPipeline) -> Tensor:
    """Return the input as its codec gives it back: without training, that is mostly grey.

    Edit families blend with the picture itself.
    """
    model, source = pipeline.checkpoint, _admitted(pipeline).source
    small = model.decode(model.encode(source))
    return to_tensor(PICTURE) if model.family.edits else resized(small, height=16, width=24)


@torch.no_grad()
def _quieten(pipeline: Img2ImgPipeline) -> None:
    """Have an untrained denoiser foresee nothing instead of anything: what was drawn is left."""
    denoiser = pipeline.checkpoint.denoiser
    last = denoiser.conv_out if hasattr(denoiser, "conv_out") else denoiser.proj_out
    last.weight.zero_()
    last.bias.zero_()


def _distance(pipeline: Img2ImgPipeline, strength: float) -> float:
    """Return the mean distance to the input over some seeds, in levels of 255."""
    source = _input(pipeline)
    made = [_finished(pipeline, strength=strength, seed=seed).image for seed in range(2)]
    return float(np.mean([255 * (to_tensor(it) - source).abs().mean() for it in made]))


def test_a_family_runs_as_its_line_of_the_table_says(loaded: tuple[str, Img2ImgPipeline]) -> None:
    name, pipeline = loaded
    assert pipeline.checkpoint.family is FAMILIES[name]
    nothing = _finished(pipeline, strength=0.0)
    assert (nothing.image, nothing.parameters) == (PICTURE, ())
    made = _finished(pipeline, strength=0.6).image
    assert _finished(pipeline, strength=0.6).image == made
    assert _finished(pipeline, strength=0.6, seed=6).image != made
    _quieten(pipeline)
    distances = [_distance(pipeline, strength) for strength in (0.5, 1.0)]
    assert 0 < distances[0] < distances[1]


def test_a_family_of_few_steps_takes_one_for_little_strength_and_says_so(
    loaded: tuple[str, Img2ImgPipeline],
) -> None:
    name, pipeline = loaded
    family = FAMILIES[name]
    few = family.few_steps and not family.edits
    made = _finished(pipeline, strength=0.1, num_inference_steps=2)
    codes = [note.code for note in made.notes]
    assert (made.image != PICTURE) == (few or family.edits)
    assert (NoteCode.MORE_STEPS in codes) == few


def test_a_step_is_one_call_after_which_a_row_may_go(loaded: tuple[str, Img2ImgPipeline]) -> None:
    """So a request is cancelled within one step, and leaves nothing with those that stay."""
    _, pipeline = loaded
    made = _finished(pipeline, strength=0.6).image
    calls: list[object] = []
    hook = pipeline.checkpoint.denoiser.register_forward_hook(lambda *_: calls.append(_))
    going = _admitted(pipeline, strength=1.0, seed=9)
    assert going.total_steps >= 2
    pipeline.advance([going])
    hook.remove()
    assert (going.step, len(calls)) == (1, 1)
    assert _finished(pipeline, strength=0.6).image == made


def test_a_prompt_that_is_cut_is_said(loaded: tuple[str, Img2ImgPipeline]) -> None:
    name, pipeline = loaded
    # The tiny tokenizers of CLIP's kind read twelve tokens, as they say, T5's what is asked for.
    flows = isinstance(pipeline.checkpoint, FlowCheckpoint)
    most = FAMILIES[name].tokens - 1 if flows else 10
    if name == "qwen_image_edit":
        # A letter is a token, and so is a space between words.
        most = (FAMILIES[name].tokens + 1) // len("night ")
    for words, cut in ((most, False), (most + 1, True)):
        made = _finished(
            pipeline, prompt=" ".join(["night"] * words), strength=1.0, num_inference_steps=1
        )
        assert (NoteCode.PROMPT_CUT in [note.code for note in made.notes]) == cut


@pytest.mark.slow
def test_an_editor_that_reads_several_pictures_runs_whole(tmp_path: Path) -> None:
    """Diffusers enlarges what Qwen-Image-Edit Plus sees to a megapixel, hence alone and slow."""
    folder = save_qwen_edit(tmp_path / "anything", kind="QwenImageEditPlusPipeline")
    (folder / "atelier.json").write_text('{"native_size": 32}')
    assert family_of(folder) == replace(FAMILIES["qwen_image_edit"], rows=None)
    pipeline = RemixPipeline.load(
        model="anything", config=EngineConfig(device="cpu", models_dir=tmp_path)
    )
    row = partial(_admitted, pipeline, num_inference_steps=1)

    def made(strength: float) -> Pixels:
        under_way, shown = row(strength=strength), None
        while under_way.step < under_way.total_steps:
            pipeline.advance([under_way])
            shown = pipeline.preview(under_way)
        image = pipeline.retire(under_way).image
        # After the last step a preview has nothing to foresee; it is blended with nothing.
        assert (shown == image) == (strength == 1)
        return image

    half, whole = made(0.5), made(1.0)
    assert made(0.0) == PICTURE
    assert made(0.5) == half
    source = to_tensor(PICTURE)
    near, far = (float((to_tensor(it) - source).abs().mean()) for it in (half, whole))
    assert 0 < near < far
