"""Transformers as rows: diffusers' own steps, shared calls, LoRA, masks, and what is refused."""

import inspect
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from generation.abilities import painters, paints, require_painter, require_readable, require_reader
from generation.errors import InvalidRequestError
from generation.families import FAMILIES
from generation.imaging import to_pil
from generation.pipelines.base import EngineConfig
from generation.pipelines.flows import packed, unpacked
from generation.pipelines.img2img import Img2ImgPipeline, Img2ImgRow
from generation.pipelines.masking import laid
from generation.pipelines.remix import RemixPipeline
from generation.pipelines.whole import WholePipeline
from generation.recognition import family_of
from generation.request import Canvas, ImageRequest, NoteCode, Pixels
from tests.generation.checkpoints import (
    real,
    save_flux,
    save_img2img,
    save_qwen_edit,
    save_refiner,
    save_sd3,
    save_transformer_lora,
)
from tests.generation.rows import row_beside

# Diffusers hands tensors to numpy in a way that numpy 2 is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

torch.set_num_threads(1)
SMOOTH = np.linspace(0, 255, 24 * 16 * 3).reshape(16, 24, 3).astype(np.uint8)
PICTURE = Pixels(width=24, height=16, data=SMOOTH.tobytes())
CANVAS = Canvas(width=96, height=64)
REQUEST = ImageRequest(
    job_id="one", pipeline="remix", image=PICTURE, prompt="night", strength=0.5,
    num_inference_steps=5, guidance_scale=3.0, seed=5,
)  # fmt: skip
SHAPE = 5
SLOW = pytest.mark.slow
FROM_PICTURES = {
    "three": "StableDiffusion3Img2ImgPipeline",
    "dev": "FluxImg2ImgPipeline",
    "schnell": "FluxImg2ImgPipeline",
    "kontext": "FluxKontextPipeline",
}
FROM_WORDS = {"three": "StableDiffusion3Pipeline", "dev": "FluxPipeline", "schnell": "FluxPipeline"}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("models")
    save_sd3(base / "three")
    save_flux(base / "dev")
    save_flux(base / "schnell", guided=False)
    save_flux(base / "kontext", kind="FluxKontextPipeline")
    for name in FROM_PICTURES:
        (base / name / "atelier.json").write_text('{"native_size": 24}')
        save_transformer_lora(base / f"loras/{name}.safetensors", base=base / name)
    return base


@pytest.fixture(scope="module")
def pipelines(models: Path) -> Mapping[str, Img2ImgPipeline]:
    """Every checkpoint by its public path; none may run whole."""
    config = EngineConfig(device="cpu", models_dir=models, batch_rows=SHAPE)
    found = {}
    for name in FROM_PICTURES:
        loaded = RemixPipeline.load(model=name, config=config)
        assert isinstance(loaded, Img2ImgPipeline)
        found[name] = loaded
    return found


def _reference(pipeline: Img2ImgPipeline, kind: str) -> Any:  # noqa: ANN401 - diffusers' own
    """Return diffusers' own pipeline of a checkpoint's very parts."""
    model = pipeline.checkpoint
    taken = inspect.signature(getattr(real, kind).__init__).parameters.keys() - {"self"}
    parts = {name: getattr(model, name, None) for name in taken}
    return getattr(real, kind)(**{**parts, "transformer": model.denoiser})


def _expected(pipeline: Img2ImgPipeline, row: Img2ImgRow, kind: str, **more: object) -> Tensor:
    """Return the latents of diffusers' own pipeline for a row's request."""
    return _latents(_reference(pipeline, kind), pipeline, row, **more)


def _latents(reference: Any, pipeline: Img2ImgPipeline, row: Img2ImgRow, **more: object) -> Tensor:  # noqa: ANN401
    request = row.request
    reference.set_progress_bar_config(disable=True)
    height, width = row.source.shape[-2:]
    latents: Tensor = reference(
        prompt=request.prompt,
        height=height,
        width=width,
        num_inference_steps=request.num_inference_steps,
        guidance_scale=request.guidance_scale,
        generator=torch.Generator("cpu").manual_seed(request.seed),
        max_sequence_length=pipeline.checkpoint.family.tokens,
        output_type="latent",
        **more,
    ).images
    return latents if latents.ndim == 4 else unpacked(latents, height=height // 4, patch=2)


def _shown(pipeline: Img2ImgPipeline, row: Img2ImgRow) -> dict[str, object]:
    """Return the picture's latents: they are taken as they are, without the codec's own dice."""
    model = pipeline.checkpoint
    height, width = row.source.shape[-2:]
    shown = {"image": model.scaled(model.encode(row.source))}
    if model.family.edits:
        return {**shown, "max_area": height * width, "_auto_resize": False}
    return {**shown, "strength": row.request.strength}


def _agree(row: Img2ImgRow, expected: Tensor) -> bool:
    assert row.edit is not None
    assert row.edit.schedule.table is not None
    return float((row.edit.latents - expected).abs().max()) <= 1e-5 * float(expected.abs().max())


OTHERS = (
    replace(REQUEST, prompt="fog", seed=6, num_inference_steps=7, guidance_scale=1.0),
    replace(REQUEST, prompt="night fog " * 9, seed=7, strength=1.0),
)


@pytest.mark.parametrize(
    ("name", "strength"),
    [
        ("three", 0.5),
        ("dev", 0.5),
        ("kontext", 1.0),
        pytest.param("three", 1.0, marks=SLOW),
        pytest.param("dev", 1.0, marks=SLOW),
        pytest.param("schnell", 0.5, marks=SLOW),
    ],
)
def test_rows_are_the_steps_of_diffusers_own_pipelines_beside_any_neighbours(
    pipelines: Mapping[str, Img2ImgPipeline], name: str, strength: float
) -> None:
    pipeline, request = pipelines[name], replace(REQUEST, strength=strength)
    row = row_beside(pipeline, request, *OTHERS)
    assert row.total_steps == (5 if strength == 1 or name == "kontext" else 3)
    assert _agree(row, _expected(pipeline, row, FROM_PICTURES[name], **_shown(pipeline, row)))


@pytest.mark.parametrize("name", ["three", "schnell", pytest.param("dev", marks=SLOW)])
def test_an_empty_canvas_is_diffusers_own_text_to_image(
    pipelines: Mapping[str, Img2ImgPipeline], name: str
) -> None:
    pipeline = pipelines[name]
    row = row_beside(pipeline, replace(REQUEST, image=CANVAS), *OTHERS)
    assert _agree(row, _expected(pipeline, row, FROM_WORDS[name]))
    made = pipeline.retire(row).image
    assert (made.width, made.height) == (96, 64)


@pytest.mark.parametrize("strength", [0.6, pytest.param(1.0, marks=SLOW)])
def test_under_a_mask_they_are_diffusers_own_inpainting(
    pipelines: Mapping[str, Img2ImgPipeline], monkeypatch: pytest.MonkeyPatch, strength: float
) -> None:
    pipeline = pipelines["dev"]

    def mode(encoded: Any, generator: object = None) -> Tensor:  # noqa: ANN401 - diffusers' own
        latents: Tensor = encoded.latent_dist.mode()
        return latents

    module = sys.modules[real.FluxInpaintPipeline.__module__]
    monkeypatch.setattr(module, "retrieve_latents", mode)
    right = Pixels(width=24, height=1, data=bytes([0] * 36 + [255] * 36))
    row = row_beside(pipeline, replace(REQUEST, mask=right, strength=strength))
    height, width = row.source.shape[-2:]
    over = laid(right, height=height, width=width, device=torch.device("cpu"))
    assert bool((row.source.shape[-1] // 4) % 2)
    expected = _expected(
        pipeline,
        row,
        "FluxInpaintPipeline",
        image=row.source,
        mask_image=(over >= 0.5).float(),
        strength=strength,
    )
    assert _agree(row, expected)
    made = np.frombuffer(pipeline.retire(row).image.data, np.uint8).reshape(16, 24, 3)
    assert np.array_equal(made[:, :12], SMOOTH[:, :12])
    assert not np.array_equal(made, SMOOTH)


@pytest.mark.parametrize("name", ["three", "kontext", pytest.param("dev", marks=SLOW)])
def test_bytes_are_the_same_alone_and_in_a_crowd_that_comes_and_goes(
    pipelines: Mapping[str, Img2ImgPipeline], name: str
) -> None:
    pipeline = pipelines[name]
    alone = row_beside(pipeline, REQUEST)
    crowd = [pipeline.admit(each) for each in OTHERS]
    row = pipeline.admit(REQUEST)
    # Where rows of one call were measured to change each other's bits, calls hold one request.
    assert row.shape in {SHAPE, row.width}
    assert ({each.bucket for each in crowd} == {row.bucket}) is (row.shape == SHAPE)
    pipeline.advance(crowd)
    # The first is cancelled within its step: it is not in the next call.
    while row.step < row.total_steps:
        pipeline.advance([each for each in (crowd[1], row) if each.step < each.total_steps])
    assert row.edit is not None
    assert alone.edit is not None
    assert torch.equal(row.edit.latents, alone.edit.latents)
    assert pipeline.retire(row).image == pipeline.retire(alone).image


def test_requests_share_calls_and_guidance_takes_two_rows_of_those_it_is_not_told(
    pipelines: Mapping[str, Img2ImgPipeline],
) -> None:
    widths = {}
    for name, pipeline in pipelines.items():
        rows = [pipeline.admit(replace(REQUEST, seed=seed)) for seed in range(2)]
        calls: list[int] = []
        hook = pipeline.checkpoint.denoiser.register_forward_hook(
            lambda _module, _told, answer, calls=calls: calls.append(len(answer.sample))
        )
        pipeline.advance(rows)
        hook.remove()
        width, shape = rows[0].width, rows[0].shape
        assert calls == ([SHAPE] if shape == SHAPE else [width, width])
        assert [row.step for row in rows] == [1, 1]
        widths[name] = width
    assert widths == {"three": 2, "dev": 1, "schnell": 1, "kontext": 1}


def test_every_transformer_listens_to_what_its_family_is_told(
    pipelines: Mapping[str, Img2ImgPipeline],
) -> None:
    def made(name: str, **changes: Any) -> Pixels:  # noqa: ANN401
        pipeline, wanted = pipelines[name], replace(REQUEST, num_inference_steps=2, **changes)
        finished = pipeline.retire(row_beside(pipeline, wanted))
        unread = NoteCode.NEGATIVE_UNREAD in [note.code for note in finished.notes]
        assert unread == ("negative_prompt" in changes and name != "three")
        return finished.image

    plain = {name: made(name) for name in ("three", "dev", "schnell")}
    for name in plain:
        assert made(name, seed=6) != plain[name] != made(name, prompt="fog")
        assert (made(name, guidance_scale=8.0) != plain[name]) == (name != "schnell")
        assert (made(name, negative_prompt="fog") != plain[name]) == (name == "three")


def test_a_preview_shows_the_estimate_at_every_step_and_changes_nothing(
    pipelines: Mapping[str, Img2ImgPipeline],
) -> None:
    for pipeline in (pipelines["three"], pipelines["kontext"]):
        expected = pipeline.retire(row_beside(pipeline, REQUEST)).image
        row = pipeline.admit(REQUEST)
        assert pipeline.preview(row) is None
        while row.step < row.total_steps:
            pipeline.advance([row])
            shown = pipeline.preview(row)
            assert shown is not None
            assert (shown.width, shown.height) == (24, 16)
        # After the last step the estimate is the picture.
        assert row.edit is not None
        assert row.edit.clean is not None
        assert torch.allclose(row.edit.clean, row.edit.latents, atol=1e-5)
        assert pipeline.retire(row).image == expected


@pytest.mark.parametrize("name", ["three", "dev"])
def test_a_lora_does_what_it_does_in_diffusers_and_leaves_nothing(
    pipelines: Mapping[str, Img2ImgPipeline], models: Path, name: str
) -> None:
    pipeline = pipelines[name]
    before = pipeline.retire(row_beside(pipeline, REQUEST)).image
    require_readable(f"night <{name}:0.7>", model=name, models_dir=models)
    row = row_beside(pipeline, replace(REQUEST, prompt=f"night <{name}:0.7>"))
    reference = getattr(real, FROM_PICTURES[name]).from_pretrained(models / name)
    reference.load_lora_weights(
        models / "loras", weight_name=f"{name}.safetensors", adapter_name="it"
    )
    reference.set_adapters(["it"], [0.7])
    plain = replace(row, request=replace(row.request, prompt="night"))
    expected = _latents(reference, pipeline, plain, **_shown(pipeline, row))
    assert _agree(row, expected)
    assert pipeline.retire(row).image != before
    for prompt in ("night", f"night <{name}:0>"):
        same = row_beside(pipeline, replace(REQUEST, prompt=prompt))
        assert pipeline.retire(same).image == before


@pytest.mark.parametrize("kind", ["wide", "norms", "foreign"])
def test_a_lora_that_would_change_a_transformers_weights_is_refused(
    pipelines: Mapping[str, Img2ImgPipeline], models: Path, kind: str
) -> None:
    layer = "transformer.x_embedder.lora_{}.weight"
    wide = {layer.format("A"): torch.ones(2, 32), layer.format("B"): torch.ones(32, 2)}
    norm = {"transformer.transformer_blocks.0.attn.norm_q.weight": torch.zeros(16)}
    fitting = load_file(models / "loras/dev.safetensors")
    tensors = {
        "wide": wide,
        "norms": {**fitting, **norm},
        "foreign": {"foo.lora_A.weight": torch.zeros(2)},
    }
    save_file(tensors[kind], models / f"loras/{kind}.safetensors")
    pipeline = pipelines["dev"]
    weights = {
        name: value.clone() for name, value in pipeline.checkpoint.denoiser.state_dict().items()
    }
    with pytest.raises(InvalidRequestError, match=f"the LoRA {kind} does not fit dev"):
        pipeline.admit(replace(REQUEST, prompt=f"night <{kind}:1>"))
    after = pipeline.checkpoint.denoiser.state_dict()
    assert weights.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in weights.items())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"scheduler": "ddim"}, "its own scheduler only"),
        ({"prompt": "(night:1.5)"}, "without weights of words"),
        ({"negative_prompt": "(night:1.5)"}, "without weights of words"),
    ],
)
def test_what_their_rows_cannot_do_is_refused(
    pipelines: Mapping[str, Img2ImgPipeline], changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidRequestError, match=sentence):
        pipelines["three"].admit(replace(REQUEST, **changes))


def test_what_cannot_be_done_is_refused_before_it_waits_naming_those_that_can(
    models: Path, tmp_path: Path
) -> None:
    for name in ("dev", "kontext"):
        (tmp_path / name).symlink_to(models / name)
    save_refiner(tmp_path / "refiner")
    save_img2img(tmp_path / "plain")
    (tmp_path / "loras").mkdir()
    heard = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight"
    save_file({heard: torch.zeros(2, 768)}, tmp_path / "loras/old.safetensors")
    assert painters(models_dir=tmp_path) == ("dev", "plain")
    for name in ("refiner", "kontext"):
        assert not paints(name, models_dir=tmp_path)
        with pytest.raises(InvalidRequestError, match="alone; these do: dev, plain"):
            require_painter(name, models_dir=tmp_path)
    with pytest.raises(InvalidRequestError, match="of words; these do: plain, refiner"):
        require_reader("(night:1.2)", model="dev", models_dir=tmp_path)
    with pytest.raises(InvalidRequestError, match=r"of words$"):
        require_readable("night", negative="(fog:1.2)", model="dev", models_dir=tmp_path)
    require_readable("night", negative="(fog:1.2)", model="plain", models_dir=tmp_path)
    with pytest.raises(InvalidRequestError, match=r"old was made for another .* for a UNet"):
        require_readable("night <old:1>", model="dev", models_dir=tmp_path)
    config = EngineConfig(device="cpu", models_dir=tmp_path)
    refiner = RemixPipeline.load(model="refiner", config=config)
    with pytest.raises(InvalidRequestError, match="refiner changes pictures"):
        refiner.admit(replace(REQUEST, image=CANVAS))


def test_a_transformer_with_another_scheduler_runs_whole(models: Path, tmp_path: Path) -> None:
    (tmp_path / "loras").symlink_to(models / "loras")
    folder = save_sd3(tmp_path / "other", scheduler="FlowMatchHeunDiscreteScheduler")
    (folder / "atelier.json").write_text('{"native_size": 24}')
    assert family_of(folder) == replace(FAMILIES["sd3"], rows=None)
    assert not paints("other", models_dir=tmp_path)
    with pytest.raises(InvalidRequestError, match="other runs without LoRA; these do: remix"):
        require_reader("night <dev:1>", model="other", models_dir=tmp_path)
    loaded = RemixPipeline.load(
        model="other", config=EngineConfig(device="cpu", models_dir=tmp_path)
    )
    assert isinstance(loaded, WholePipeline)
    row = loaded.admit(replace(REQUEST, num_inference_steps=2))
    while row.step < row.total_steps:
        loaded.advance([row])
    assert loaded.retire(row).image != PICTURE


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Img2ImgPipeline:
    folder = save_qwen_edit(tmp_path_factory.mktemp("qwen") / "qwen")
    (folder / "atelier.json").write_text('{"native_size": 32}')
    loras = folder.parent / "loras"
    save_transformer_lora(loras / "ink.safetensors", base=folder, reader=False)
    config = EngineConfig(device="cpu", models_dir=folder.parent, batch_rows=6)
    loaded = RemixPipeline.load(model="qwen", config=config)
    assert isinstance(loaded, Img2ImgPipeline)
    return loaded


SQUARE = Pixels(width=32, height=32, data=np.linspace(0, 255, 3072).astype(np.uint8).tobytes())
EDIT = replace(REQUEST, image=SQUARE, num_inference_steps=3, strength=1.0)


@pytest.mark.parametrize(("guidance", "negative", "width"), [(3.0, "", 2), (1.0, "fog", 1)])
def test_an_editor_that_sees_pictures_is_diffusers_own_whatever_is_beside_it(
    qwen: Img2ImgPipeline,
    monkeypatch: pytest.MonkeyPatch,
    guidance: float,
    negative: str,
    width: int,
) -> None:
    request = replace(EDIT, guidance_scale=guidance, negative_prompt=negative)
    others = (replace(EDIT, prompt="fog " * 9, seed=6), replace(EDIT, guidance_scale=1.0))
    row = row_beside(qwen, request, *others)
    reference = _reference(qwen, "QwenImageEditPipeline")
    reference.set_progress_bar_config(disable=True)
    # It would enlarge the picture to a megapixel first.
    module = sys.modules[type(reference).__module__]
    monkeypatch.setattr(module, "calculate_dimensions", lambda _area, _ratio: (32, 32, None))
    expected = reference(
        image=to_pil(row.source),
        prompt="night",
        negative_prompt=negative or " ",
        true_cfg_scale=guidance,
        height=32,
        width=32,
        num_inference_steps=3,
        generator=torch.Generator("cpu").manual_seed(5),
        output_type="latent",
    ).images
    tokens = 32 // qwen.checkpoint.vae_factor // 2
    assert row.width == width
    assert _agree(row, unpacked(expected, height=tokens, patch=2))


def test_prompts_of_about_one_length_share_calls_and_leave_each_other_alone(
    qwen: Img2ImgPipeline,
) -> None:
    alone = qwen.retire(row_beside(qwen, EDIT)).image
    near, far = (replace(EDIT, prompt="fog " * many) for many in (3, 40))
    row = row_beside(qwen, EDIT, near)
    assert qwen.retire(row).image == alone
    assert row.shape == 6
    assert qwen.admit(near).bucket == row.bucket != qwen.admit(far).bucket
    for other in (near, far, replace(EDIT, image=PICTURE), replace(EDIT, seed=6)):
        assert qwen.retire(row_beside(qwen, other)).image != alone


def test_an_editors_lora_counts_as_much_as_is_said_and_shows_as_it_forms(
    qwen: Img2ImgPipeline,
) -> None:
    images = []
    for prompt in ("night", "night <ink:1>", "night <ink:0.5>", "night <ink:0>"):
        row = qwen.admit(replace(EDIT, prompt=prompt))
        while row.step < row.total_steps:
            qwen.advance([row])
            assert qwen.preview(row) is not None
        images.append(qwen.retire(row).image)
    assert images[0] == images[3]
    assert len({image.data for image in images}) == 3


def test_packing_is_diffusers_own_and_is_undone() -> None:
    latents = torch.randn(2, 4, 6, 10, generator=torch.Generator().manual_seed(0))
    tokens = packed(latents, patch=2)
    assert torch.equal(tokens, real.FluxPipeline._pack_latents(latents, 2, 4, 6, 10))
    assert torch.equal(unpacked(tokens, height=3, patch=2), latents)


@pytest.mark.parametrize("size", [(64, 64), (128, 96)])
def test_larger_pictures_are_shifted_further_to_the_noise(
    pipelines: Mapping[str, Img2ImgPipeline], size: tuple[int, int]
) -> None:
    tokens = size[0] * size[1] // 4
    # Black Forest Labs' own: a line through 0.5 at 256 tokens and 1.15 at 4096.
    line = 0.5 + (tokens - 256) * (1.15 - 0.5) / (4096 - 256)
    spacing = pipelines["dev"].checkpoint.spacing(steps=4, size=size)
    assert spacing["mu"] == pytest.approx(line)
    assert spacing["sigmas"] == (1.0, 0.75, 0.5, 0.25)
    assert pipelines["three"].checkpoint.spacing(steps=4, size=size) == {}
