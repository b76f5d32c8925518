"""Controls and likenesses: diffusers' own, beside everybody else's rows, to the bit."""

import copy
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from _pytest.mark import ParameterSet
from safetensors.torch import load_file, save_file

from generation import companions
from generation.companions import Companion, controls
from generation.errors import InvalidRequestError
from generation.imaging import to_pil
from generation.pipelines import conditioning
from generation.pipelines.base import EngineConfig
from generation.pipelines.conditioning import control_picture
from generation.pipelines.controlnet import load_control_net
from generation.pipelines.img2img import Img2ImgPipeline, Img2ImgRow
from generation.pipelines.masking import EVERYWHERE, laid
from generation.request import Canvas, Control, ImageRequest, Like, Pixels
from tests.generation.checkpoints import (
    euler,
    real,
    save_control_net,
    save_img2img,
    save_inpaint,
    save_instruct,
    save_ip_adapter,
    save_lora,
    save_xl,
)
from tests.generation.rows import row_beside
from tests.generation.single_files import control_tensors

# Diffusers hands tensors to numpy in a way that numpy 2 is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

torch.set_num_threads(1)
SIDE = 32


def _picture(seed: int) -> Pixels:
    """Return blocks of colours, whose edges are edges."""
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    values = blocks.repeat(SIDE // 4, axis=0).repeat(SIDE // 4, axis=1)
    return Pixels(width=SIDE, height=SIDE, data=values.tobytes())


DEPTH = Control(kind="depth", weight=0.7, picture=_picture(7))
EDGES = Control(kind="edges", weight=0.8)
LIKE = Like(picture=_picture(8), weight=0.6)
REQUEST = ImageRequest(
    job_id="one", pipeline="remix", image=_picture(1), prompt="night", strength=0.7,
    num_inference_steps=4, guidance_scale=4.0, seed=5,
)  # fmt: skip


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("models")
    save_img2img(base / "plain", scheduler=real.DDIMScheduler(clip_sample=False, steps_offset=1))
    save_inpaint(base / "filling", scheduler=euler())
    save_xl(base / "xl")
    save_instruct(base / "instruct")
    save_control_net(base / "controls/edges/small", base=base / "plain")
    save_control_net(base / "controls/edges/large", base=base / "xl")
    save_control_net(base / "controls/depth/single.safetensors", base=base / "plain", seed=9)
    save_control_net(base / "single", base=base / "plain", seed=9)
    save_ip_adapter(base / "ip_adapters/large", base=base / "xl", plus=True)
    save_ip_adapter(base / "ip_adapters/small", base=base / "plain")
    save_lora(base / "loras/ink.safetensors", base=base / "plain")
    return base


@pytest.fixture(scope="module")
def pipelines(models: Path) -> Mapping[str, Img2ImgPipeline]:
    config = EngineConfig(device="cpu", models_dir=models, batch_rows=6)
    names = ("plain", "filling", "xl", "instruct")
    return {name: Img2ImgPipeline.load(model=name, config=config) for name in names}


KINDS = {
    ("plain", "control"): "StableDiffusionControlNetImg2ImgPipeline",
    ("plain", "like"): "StableDiffusionImg2ImgPipeline",
    ("plain", "canvas"): "StableDiffusionControlNetPipeline",
    ("filling", "control"): "StableDiffusionControlNetInpaintPipeline",
    ("xl", "control"): "StableDiffusionXLControlNetImg2ImgPipeline",
    ("xl", "like"): "StableDiffusionXLImg2ImgPipeline",
    ("instruct", "like"): "StableDiffusionInstructPix2PixPipeline",
}


def _slow(*case: object) -> ParameterSet:
    return pytest.param(*case, marks=pytest.mark.slow)


CASES = [
    ("plain", "control", replace(REQUEST, control=EDGES)),
    _slow("plain", "control", replace(REQUEST, control=DEPTH, guidance_scale=1.0)),
    _slow("plain", "like", replace(REQUEST, like=LIKE)),
    ("plain", "control", replace(REQUEST, control=DEPTH, like=LIKE)),
    _slow("plain", "canvas", replace(REQUEST, image=Canvas(width=64, height=64), control=DEPTH)),
    ("filling", "control", replace(REQUEST, control=EDGES, mask=EVERYWHERE, strength=1.0)),
    _slow("xl", "control", replace(REQUEST, control=EDGES)),
    ("xl", "control", replace(REQUEST, control=EDGES, like=LIKE, guidance_scale=1.0)),
    _slow("xl", "like", replace(REQUEST, like=LIKE)),
    ("instruct", "like", replace(REQUEST, like=LIKE, strength=1.0)),
]


def _expected(models: Path, pipeline: Img2ImgPipeline, row: Img2ImgRow, kind: str) -> torch.Tensor:
    """Run diffusers' own pipeline with the row's parameters, on the same encoded pictures."""
    model, request = pipeline.checkpoint, row.request
    assert row.edit is not None
    loaded = real.DiffusionPipeline.from_pretrained(models / model.name, safety_checker=None)
    parts = dict(loaded.components)
    with torch.no_grad():
        # The library draws latents where ours are the likeliest ones: it is to draw those.
        parts["vae"].quant_conv.weight[4:], parts["vae"].quant_conv.bias[4:] = 0, -30
    if model.text_encoder_2 is None:
        parts |= {"safety_checker": None, "feature_extractor": None}
        parts["requires_safety_checker"] = False
    else:
        parts["add_watermarker"] = False
    if request.control is not None:
        place = models / "controls" / request.control.kind
        folder = place / ("large" if model.name == "xl" else "small")
        # What lies there as a single file lies elsewhere as a folder, for the library.
        folder = folder if folder.is_dir() else models / "single"
        parts["controlnet"] = real.ControlNetModel.from_pretrained(folder)
    reference = getattr(real, kind)(**parts)
    reference.set_progress_bar_config(disable=True)
    reference.scheduler = copy.deepcopy(row.edit.schedule.scheduler)
    height, width = row.source.shape[-2:]
    given: dict[str, Any] = {}
    if not isinstance(request.image, Canvas):
        given["image"] = model.encode(row.source)
        if not model.family.edits:
            given |= {"image": model.scaled(given["image"]), "strength": request.strength}
    else:
        given |= {"height": height, "width": width}
    if request.mask is not None:
        given["image"] = row.source
        given["mask_image"] = laid(request.mask, height=height, width=width, device=model.device)
    if request.control is not None:
        shown = control_picture(request.control, source=row.source, estimated=lambda it: it)
        given["control_image" if "image" in given else "image"] = shown
        given["controlnet_conditioning_scale"] = request.control.weight
    if request.like is not None:
        name = "large" if model.name == "xl" else "small"
        reference.load_ip_adapter(
            str(models / "ip_adapters" / name), subfolder="", weight_name=f"{name}.safetensors",
            local_files_only=True,
        )  # fmt: skip
        reference.set_ip_adapter_scale(request.like.weight)
        given["ip_adapter_image"] = to_pil(request.like.picture)
    if row.edit.guidance.image is not None:
        given["image_guidance_scale"] = row.edit.guidance.image
    latents: torch.Tensor = reference(
        request.prompt,
        num_inference_steps=request.num_inference_steps,
        guidance_scale=row.edit.guidance.text,
        generator=torch.Generator("cpu").manual_seed(request.seed),
        output_type="latent",
        **given,
    ).images
    return latents


@pytest.mark.parametrize(("name", "kind", "request_"), CASES)
def test_rows_are_the_steps_of_diffusers_own_pipelines(
    models: Path,
    pipelines: Mapping[str, Img2ImgPipeline],
    name: str,
    kind: str,
    request_: ImageRequest,
) -> None:
    row = row_beside(pipelines[name], request_)
    assert row.edit is not None
    expected = _expected(models, pipelines[name], row, KINDS[name, kind])
    assert float((row.edit.latents - expected).abs().max()) <= 1e-5 * float(expected.abs().max())


def test_a_control_net_that_reads_no_words_is_diffusers_own_too(
    models: Path, pipelines: Mapping[str, Img2ImgPipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = pipelines["xl"]
    words = int(pipeline.checkpoint.denoiser.config.cross_attention_dim)
    monkeypatch.setattr(companions, "XL_WORDS", words)
    save_control_net(models / "controls/lines/large", base=models / "xl", small=True)
    row = row_beside(pipeline, replace(REQUEST, control=replace(DEPTH, kind="lines")))
    assert row.edit is not None
    expected = _expected(models, pipeline, row, KINDS["xl", "control"])
    assert float((row.edit.latents - expected).abs().max()) <= 1e-5 * float(expected.abs().max())


def _image(pipeline: Img2ImgPipeline, request: ImageRequest, *others: ImageRequest) -> Pixels:
    return pipeline.retire(row_beside(pipeline, request, *others)).image


def test_requests_with_one_network_share_calls_whatever_their_pictures_and_weights(
    pipelines: Mapping[str, Img2ImgPipeline],
) -> None:
    pipeline, request = pipelines["plain"], replace(REQUEST, control=DEPTH, like=LIKE)
    other = replace(
        request,
        job_id="two",
        seed=9,
        control=replace(DEPTH, weight=1.3, picture=_picture(3)),
        like=replace(LIKE, weight=0.2, picture=_picture(4)),
    )
    alone = _image(pipeline, request)
    assert pipeline.admit(request).bucket == pipeline.admit(other).bucket
    assert pipeline.padded([pipeline.admit(request), pipeline.admit(other)]) == 6
    assert _image(pipeline, request, other) == alone


def test_those_without_are_beside_the_others_what_they_were(
    pipelines: Mapping[str, Img2ImgPipeline],
) -> None:
    pipeline = pipelines["plain"]
    requests = [
        REQUEST,
        replace(REQUEST, control=EDGES),
        replace(REQUEST, control=DEPTH),
        replace(REQUEST, like=LIKE),
    ]
    alone = [_image(pipeline, request) for request in requests]
    rows = [pipeline.admit(request) for request in requests]
    assert len({row.bucket for row in rows}) == len({image.data for image in alone}) == 4
    while rows[0].step < rows[0].total_steps:
        for row in rows:
            pipeline.advance([row])
    assert [pipeline.retire(row).image for row in rows] == alone
    fresh = Img2ImgPipeline.load(
        model="plain",
        config=EngineConfig(device="cpu", models_dir=pipeline._models_dir, batch_rows=6),
    )
    assert _image(fresh, REQUEST) == alone[0]


def test_weight_0_is_none_and_strength_0_the_picture(
    pipelines: Mapping[str, Img2ImgPipeline],
) -> None:
    pipeline, none = pipelines["plain"], replace(DEPTH, weight=0.0)
    wished = replace(REQUEST, control=none, like=replace(LIKE, weight=0.0))
    assert _image(pipeline, wished) == _image(pipeline, REQUEST)
    still = replace(REQUEST, control=DEPTH, like=LIKE, strength=0.0)
    assert _image(pipeline, still) == REQUEST.image


def test_a_result_tells_what_went_beside_it(pipelines: Mapping[str, Img2ImgPipeline]) -> None:
    pipeline = pipelines["plain"]
    row = row_beside(pipeline, replace(REQUEST, control=DEPTH, like=LIKE))
    told = dict(pipeline.retire(row).parameters)
    assert (told["control"], told["like"]) == ("depth/single:0.7", "small:0.6")


def test_a_lora_goes_with_them(pipelines: Mapping[str, Img2ImgPipeline]) -> None:
    pipeline, both = pipelines["plain"], replace(REQUEST, control=EDGES, like=LIKE)
    before = _image(pipeline, both)
    changed = _image(pipeline, replace(both, prompt="night <ink:1>"))
    assert changed != before
    assert _image(pipeline, both) == before
    assert _image(pipeline, replace(both, prompt="<ink:1> night")) == changed


def test_networks_come_back_after_they_were_let_go_of(
    pipelines: Mapping[str, Img2ImgPipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = pipelines["plain"]
    requests = [replace(REQUEST, control=EDGES), replace(REQUEST, control=DEPTH)]
    expected = [_image(pipeline, request) for request in requests]
    monkeypatch.setattr(conditioning, "MAX_LOADED", 1)
    rows = [pipeline.admit(request) for request in requests]
    while rows[0].step < rows[0].total_steps:
        for row in rows:
            pipeline.advance([row])
    assert [pipeline.retire(row).image for row in rows] == expected
    assert len(pipeline._conditioning._controls.all) == 1


def test_a_picture_does_not_go_on_with_another_network_than_it_was_begun_with(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plain").symlink_to(models / "plain")
    shutil.copytree(models / "controls", tmp_path / "controls")
    config = EngineConfig(device="cpu", models_dir=tmp_path, batch_rows=6)
    pipeline = Img2ImgPipeline.load(model="plain", config=config)
    monkeypatch.setattr(conditioning, "MAX_LOADED", 1)
    row = pipeline.admit(replace(REQUEST, control=DEPTH))
    pipeline.advance([row])
    pipeline.admit(replace(REQUEST, control=EDGES))
    edging = tmp_path / "controls/edges/small/diffusion_pytorch_model.safetensors"
    shutil.copy(edging, tmp_path / "controls/depth/single.safetensors")
    with pytest.raises(InvalidRequestError, match="depth/single has changed since"):
        pipeline.advance([row])


def test_what_is_loaded_counts_and_moves_with_the_checkpoint(models: Path) -> None:
    config = EngineConfig(device="cpu", models_dir=models)
    pipeline = Img2ImgPipeline.load(model="plain", config=config)
    sizes = [pipeline.weight_bytes]
    wishes = (
        replace(REQUEST, prompt="night <ink:1>"),
        replace(REQUEST, control=EDGES),
        replace(REQUEST, like=LIKE),
    )
    for wish in wishes:
        image = _image(pipeline, wish)
        sizes.append(pipeline.weight_bytes)
    files = ("loras/ink", "controls/edges/small/diffusion_pytorch_model", "ip_adapters/small/small")
    grown = [after - before for before, after in pairwise(sizes)]
    for more, file in zip(grown, files, strict=True):
        assert more > 0.4 * (models / f"{file}.safetensors").stat().st_size
    pipeline.put_away()
    pipeline.bring()
    assert _image(pipeline, wishes[-1]) == image


def test_a_file_that_takes_anothers_place_is_read_by_those_who_come_after(
    pipelines: Mapping[str, Img2ImgPipeline], models: Path
) -> None:
    place = models / "controls/pose/changing.safetensors"
    request = replace(REQUEST, control=replace(DEPTH, kind="pose"))
    place.parent.mkdir()
    edging, following = ("edges/small/diffusion_pytorch_model", "depth/single")
    shutil.copy(models / f"controls/{edging}.safetensors", place)
    first = _image(pipelines["plain"], request)
    shutil.copy(models / f"controls/{following}.safetensors", place)
    second = _image(pipelines["plain"], request)
    assert first != second == _image(pipelines["plain"], replace(REQUEST, control=DEPTH))


@pytest.mark.parametrize("lost", ["controlnet_mid_block.weight", "down_blocks.0.resnets.0"])
def test_a_control_net_that_lacks_a_part_is_refused(
    pipelines: Mapping[str, Img2ImgPipeline], models: Path, lost: str
) -> None:
    whole = load_file(models / "controls/depth/single.safetensors")
    part = {name: value for name, value in whole.items() if not name.startswith(lost)}
    place = models / "controls/normal/torn.safetensors"
    place.parent.mkdir(exist_ok=True)
    save_file(part, place)
    request = replace(REQUEST, control=replace(DEPTH, kind="normal"))
    with pytest.raises(InvalidRequestError, match="ControlNet normal/torn does not fit plain"):
        pipelines["plain"].admit(request)


def test_an_ip_adapter_that_does_not_fit_leaves_the_denoiser_as_it_was(
    models: Path, tmp_path: Path
) -> None:
    (tmp_path / "plain").symlink_to(models / "plain")
    shutil.copytree(models / "ip_adapters/small", tmp_path / "ip_adapters/small")
    file = tmp_path / "ip_adapters/small/small.safetensors"
    tensors = load_file(file)
    place = sorted(name for name in tensors if name.endswith("to_v_ip.weight"))[-1]
    save_file({name: value for name, value in tensors.items() if name != place}, file)
    config = EngineConfig(device="cpu", models_dir=tmp_path, batch_rows=6)
    pipeline = Img2ImgPipeline.load(model="plain", config=config)
    before = _image(pipeline, REQUEST)
    with pytest.raises(InvalidRequestError, match="IP-Adapter small does not fit plain"):
        pipeline.admit(replace(REQUEST, like=LIKE))
    assert _image(pipeline, REQUEST) == before
    assert pipeline.checkpoint.denoiser.encoder_hid_proj is None


def test_an_ip_adapter_whose_image_encoder_lacks_a_part_is_refused(
    models: Path, tmp_path: Path
) -> None:
    (tmp_path / "plain").symlink_to(models / "plain")
    shutil.copytree(models / "ip_adapters/small", tmp_path / "ip_adapters/small")
    file = tmp_path / "ip_adapters/small/image_encoder/model.safetensors"
    whole = load_file(file)
    lost = next(name for name in whole if name.endswith("mlp.fc2.weight"))
    part = {name: value for name, value in whole.items() if name != lost}
    save_file(part, file, metadata={"format": "pt"})
    config = EngineConfig(device="cpu", models_dir=tmp_path, batch_rows=6)
    pipeline = Img2ImgPipeline.load(model="plain", config=config)
    with pytest.raises(InvalidRequestError, match="IP-Adapter small does not fit plain"):
        pipeline.admit(replace(REQUEST, like=LIKE))


def test_a_likeness_leaves_attention_in_slices_where_it_was(models: Path) -> None:
    config = EngineConfig(device="cpu", models_dir=models)
    pipeline = Img2ImgPipeline.load(model="plain", config=config)
    unet = pipeline.checkpoint.denoiser
    unet.set_attention_slice("max")
    sliced = dict(unet.attn_processors)
    before = _image(pipeline, REQUEST)
    assert _image(pipeline, replace(REQUEST, like=LIKE)) != before
    assert _image(pipeline, REQUEST) == before
    assert unet.attn_processors == sliced


def test_a_control_net_by_its_authors_names_is_the_same_network(
    pipelines: Mapping[str, Img2ImgPipeline], tmp_path: Path
) -> None:
    model = pipelines["plain"].checkpoint
    codec = real.AutoencoderKL(
        block_out_channels=(8,) * 4, norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    )  # fmt: skip
    network = real.ControlNetModel.from_unet(
        model.denoiser,
        load_weights_from_unet=False,
        conditioning_embedding_out_channels=(8, 12, 16, 24),
    )
    (tmp_path / "controls/edges").mkdir(parents=True)
    save_file(control_tensors(network), tmp_path / "controls/edges/canny.safetensors")
    (found,) = controls("edges", models_dir=tmp_path)
    assert isinstance(found, Companion)
    loaded = load_control_net(found, model=replace(model, vae=codec))
    for name, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    with pytest.raises(InvalidRequestError, match="does not fit plain"):
        load_control_net(found, model=model)


def test_a_control_net_in_a_folder_is_read_whatever_its_file_is_called(
    pipelines: Mapping[str, Img2ImgPipeline], models: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(models / "controls/edges/small", tmp_path / "controls/edges/small")
    file = folder / "diffusion_pytorch_model.safetensors"
    expected = load_file(file)
    file.rename(folder / "canny.safetensors")
    (found,) = controls("edges", models_dir=tmp_path)
    assert isinstance(found, Companion)
    loaded = load_control_net(found, model=pipelines["plain"].checkpoint).state_dict()
    assert loaded.keys() == expected.keys()
    assert all(torch.equal(loaded[name], value) for name, value in expected.items())


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_command_line_follows_edges_and_likes_a_picture(models: Path, tmp_path: Path) -> None:
    for name, picture in (("in.png", REQUEST.picture), ("like.png", LIKE.picture)):
        to_pil(picture).save(tmp_path / name)
    command = [
        sys.executable, "-m", "bot", "remix", str(tmp_path / "in.png"), str(tmp_path / "out.png"),
        "--prompt", "night", "--model", "plain", "--seed", "5", "--strength", "0.7",
    ]  # fmt: skip
    settings = {**os.environ, "ATELIER_MODELS_DIR": str(models), "ATELIER_THREADS": "1"}
    made = []
    more: list[str]
    for more in ([], ["--control", "edges:0.8", "--like", f"{tmp_path / 'like.png'}:0.5"]):
        done = subprocess.run([*command, *more], env=settings, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        made.append((tmp_path / "out.png").read_bytes())
    assert made[0] != made[1]
