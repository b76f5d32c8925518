"""ControlNets and IP-Adapters: what they are, and whom they fit, is told from their files."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from generation.abilities import require_companions
from generation.catalogue import folders
from generation.companions import (
    Companion,
    Misplaced,
    control_for,
    controls,
    ip_adapter_for,
    ip_adapters,
    kinds,
    spelled,
)
from generation.errors import InvalidRequestError, ModelUnavailableError
from generation.request import UNREAD, Canvas, Control, ImageRequest, Like, Pixels
from generation.upkeep import add

GREY = Pixels(width=1, height=1, data=bytes(3))
Shapes = Mapping[str, tuple[int, ...]]


def _control(words: int, *, start: str = "", width: int = 320) -> Shapes:
    """Return some of a ControlNet's tensors, by diffusers' names or, with a start, its authors'."""
    attention = "transformer_blocks.0.attn2.to_k.weight"
    if start:
        return {
            f"{start}input_blocks.0.0.weight": (width, 4, 3, 3),
            f"{start}input_hint_block.0.weight": (16, 3, 3, 3),
            f"{start}input_blocks.1.1.{attention}": (width, words),
        }
    return {
        "conv_in.weight": (width, 4, 3, 3),
        "controlnet_cond_embedding.conv_in.weight": (16, 3, 3, 3),
        f"down_blocks.0.attentions.0.{attention}": (width, words),
    }


def _adapter(projection: Shapes, *, words: int) -> Shapes:
    return {
        **{f"image_proj.{name}": shape for name, shape in projection.items()},
        "ip_adapter.1.to_k_ip.weight": (320, words),
        "ip_adapter.1.to_v_ip.weight": (320, words),
    }


PLAIN = {"proj.weight": (4 * 768, 1024), "norm.weight": (768,)}
PLUS = {"latents": (1, 16, 64), "proj_in.weight": (64, 1280), "proj_out.weight": (768, 64)}
FULL = {"proj.0.weight": (1280, 1280), "proj.2.weight": (768, 1280), "proj.3.weight": (768,)}
FACES = {"proj.0.weight": (8, 512), "proj.2.weight": (4 * 768, 8), "norm.weight": (768,)}


def _save(file: Path, shapes: Shapes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: torch.empty(0).new_zeros(shape) for name, shape in shapes.items()}, file)


def _save_adapter(folder: Path, shapes: Shapes, *, encoder: Mapping[str, int]) -> None:
    _save(folder / "ip-adapter.safetensors", shapes)
    _save(folder / "image_encoder/model.safetensors", {"x": (1,)})
    (folder / "image_encoder/config.json").write_text(json.dumps(encoder))


def _checkpoint(folder: Path, *, words: int, kind: str = "StableDiffusionPipeline") -> None:
    """Write what tells of a checkpoint, and no weights worth the name."""
    seen = 8 if "Instruct" in kind else 4
    parts = {
        "model_index.json": {"_class_name": kind},
        "scheduler/scheduler_config.json": {"_class_name": "DDIMScheduler"},
        "unet/config.json": {
            "in_channels": seen, "out_channels": 4, "block_out_channels": [320, 640],
            "cross_attention_dim": words,
        },
    }  # fmt: skip
    for name, told in parts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(told))
    _save(folder / "unet/diffusion_pytorch_model.safetensors", {"x": (1,)})


@pytest.mark.parametrize("start", ["", "input", "control_model."])
def test_a_control_net_is_known_by_its_tensors_whoever_named_them(
    tmp_path: Path, start: str
) -> None:
    start = start.removeprefix("input")
    shapes = _control(1024, start=start) if start else _control(1024)
    _save(tmp_path / "controls/edges/canny-v2.1.safetensors", shapes)
    (found,) = controls("edges", models_dir=tmp_path)
    assert isinstance(found, Companion)
    assert (found.name, found.base) == ("edges/canny-v2.1", "Stable Diffusion 2.x")
    assert (found.build.latents, found.build.width) == (4, 320)


def test_a_small_control_net_that_reads_no_words_is_told_sizes(tmp_path: Path) -> None:
    shapes = dict(list(_control(768).items())[:2])
    place = tmp_path / "controls/edges/small.safetensors"
    _save(place, {**shapes, "add_embedding.linear_1.weight": (1280, 2816)})
    (found,) = controls("edges", models_dir=tmp_path)
    assert isinstance(found, Companion)
    assert found.base == "Stable Diffusion XL"


def test_a_folder_is_named_as_it_is_and_read_by_its_plainest_file(tmp_path: Path) -> None:
    folder = tmp_path / "controls/pose/sd1.5"
    for name in ("diffusion_pytorch_model", "diffusion_pytorch_model.fp16"):
        _save(folder / f"{name}.safetensors", _control(768))
    (found,) = controls("pose", models_dir=tmp_path)
    assert isinstance(found, Companion)
    assert found.name == "pose/sd1.5"
    assert found.file.name == "diffusion_pytorch_model.safetensors"
    (folder / "diffusion_pytorch_model.safetensors").unlink()
    (found,) = controls("pose", models_dir=tmp_path)
    assert isinstance(found, Companion)
    assert found.file.name == "diffusion_pytorch_model.fp16.safetensors"


@pytest.mark.parametrize(
    ("shapes", "reason"),
    [
        ({**_control(768), "task_embedding": (6, 320)}, "a union of ControlNets"),
        ({**_control(768), "lora_controlnet": (0,)}, "a LoRA of a ControlNet"),
        ({"foo.weight": (2,)}, "no ControlNet"),
        (dict(list(_control(768).items())[1:]), "no ControlNet"),
    ],
)
def test_what_is_no_control_net_is_said_to_be_none(
    tmp_path: Path, shapes: Shapes, reason: str
) -> None:
    _save(tmp_path / "controls/edges/odd.safetensors", shapes)
    _checkpoint(tmp_path / "one", words=768)
    (found,) = controls("edges", models_dir=tmp_path)
    assert isinstance(found, Misplaced)
    assert reason in found.reason
    with pytest.raises(InvalidRequestError, match=f"edges/odd is {reason}"):
        control_for("edges", model="one", models_dir=tmp_path)


def test_damaged_and_ambiguous_ones_are_said_to_be_so(tmp_path: Path) -> None:
    edges = tmp_path / "controls/edges"
    edges.mkdir(parents=True)
    (edges / "torn.safetensors").write_bytes(b"torn")
    for name in ("one", "two"):
        _save(edges / f"both/{name}.safetensors", _control(768))
    (edges / "pickled").mkdir()
    (edges / "pickled/model.bin").write_bytes(b"")
    reasons = [
        found.reason
        for found in controls("edges", models_dir=tmp_path)
        if isinstance(found, Misplaced)
    ]
    assert "one.safetensors and two.safetensors; which" in reasons[0]
    assert "holds no weights" in reasons[1]
    assert "damaged" in reasons[2]


@pytest.mark.parametrize(
    ("projection", "encoder"),
    [
        (PLAIN, {"projection_dim": 1024, "hidden_size": 1280}),
        (PLUS, {"projection_dim": 1024, "hidden_size": 1280}),
        (FULL, {"projection_dim": 1024, "hidden_size": 1280}),
    ],
)
def test_an_ip_adapter_is_known_by_its_projection_and_its_encoder(
    tmp_path: Path, projection: Shapes, encoder: Mapping[str, int]
) -> None:
    place = tmp_path / "ip_adapters/sd15"
    _save_adapter(place, _adapter(projection, words=768), encoder=encoder)
    (found,) = ip_adapters(models_dir=tmp_path)
    assert isinstance(found, Companion)
    assert (found.name, found.base) == ("sd15", "Stable Diffusion 1.x")
    other = dict.fromkeys(encoder, 7)
    (place / "image_encoder/config.json").write_text(json.dumps(other))
    (found,) = ip_adapters(models_dir=tmp_path)
    assert isinstance(found, Misplaced)
    assert "needs another image encoder" in found.reason


def test_another_image_encoder_makes_another_ip_adapter(tmp_path: Path) -> None:
    place = tmp_path / "ip_adapters/sd15"
    encoder = {"projection_dim": 1024, "hidden_size": 1280}
    _save_adapter(place, _adapter(PLAIN, words=768), encoder=encoder)
    (before,) = ip_adapters(models_dir=tmp_path)
    assert (before,) == ip_adapters(models_dir=tmp_path)
    assert isinstance(before, Companion)
    assert before.size_bytes == before.file.stat().st_size
    for name, changed in (("model.safetensors", {"x": (2,)}), ("config.json", None)):
        if changed:
            _save(place / "image_encoder" / name, changed)
        else:
            (place / "image_encoder" / name).write_text(json.dumps({**encoder, "more": 1}))
        (after,) = ip_adapters(models_dir=tmp_path)
        assert isinstance(after, Companion)
        assert after != before
        assert (before.unchanged, after.unchanged) == (False, True)
        before = after


def test_what_is_no_ip_adapter_is_said_to_be_none(tmp_path: Path) -> None:
    base = tmp_path / "ip_adapters"
    encoder = {"projection_dim": 1024, "hidden_size": 1280}
    _save_adapter(base / "a faces", _adapter(FACES, words=768), encoder=encoder)
    _save_adapter(base / "b foreign", {"foo.weight": (2,)}, encoder=encoder)
    _save(base / "c alone.safetensors", _adapter(PLAIN, words=768))
    _save(base / "d blind/ip-adapter.safetensors", _adapter(PLAIN, words=768))
    _checkpoint(tmp_path / "one", words=768)
    with pytest.raises(InvalidRequestError) as caught:
        ip_adapter_for(model="one", models_dir=tmp_path)
    for said in (
        "a faces knows faces by a network",
        "b foreign is no IP-Adapter",
        "c alone needs a folder of its own",
        "d blind lacks image_encoder/model.safetensors",
    ):
        assert said in str(caught.value)


def test_the_first_that_fits_is_taken_and_misfits_are_refused_naming_who_can(
    tmp_path: Path,
) -> None:
    _checkpoint(tmp_path / "small", words=768)
    _checkpoint(tmp_path / "large", words=2048)
    _checkpoint(tmp_path / "edits", words=768, kind="StableDiffusionInstructPix2PixPipeline")
    flux = tmp_path / "flux"
    _checkpoint(flux, words=768, kind="FluxPipeline")
    _save(flux / "transformer/diffusion_pytorch_model.safetensors", {"x": (1,)})
    (flux / "transformer/config.json").write_text('{"guidance_embeds": true}')
    for name, words in (("b", 768), ("c", 768), ("a", 1024)):
        _save(tmp_path / f"controls/edges/{name}.safetensors", _control(words))
    _save(tmp_path / "controls/depth/d.safetensors", _control(768, width=96))
    assert kinds(models_dir=tmp_path) == ("depth", "edges")
    assert control_for("edges", model="small", models_dir=tmp_path).name == "edges/b"
    for kind, model, sentence in (
        ("edges", "large", r"edges/a reads words 1024 wide, not 2048.*; these do: small"),
        ("edges", "edits", r"edits follows no control: InstructPix2Pix.*; these do: small"),
        ("edges", "flux", r"flux follows no control: FLUX.1 dev runs without; these do: small"),
        ("depth", "small", r"depth/d is built otherwise; no checkpoint here does"),
        ("pose", "small", r"no ControlNet for pose here; there are some for depth, edges"),
    ):
        wished = Control(kind=kind, picture=UNREAD)
        with pytest.raises(InvalidRequestError, match=sentence):
            require_companions(control=wished, like=False, model=model, models_dir=tmp_path)
    with pytest.raises(InvalidRequestError, match=r"no IP-Adapter here.*; no checkpoint here does"):
        require_companions(control=None, like=True, model="small", models_dir=tmp_path)
    edges = Control(kind="edges")
    require_companions(control=edges, like=False, model="small", models_dir=tmp_path)


def test_one_of_several_networks_is_chosen_by_its_name_and_weighed(tmp_path: Path) -> None:
    _checkpoint(tmp_path / "small", words=768)
    for name, words in (("b", 768), ("c", 768), ("a", 1024)):
        _save(tmp_path / f"controls/edges/{name}.safetensors", _control(words))
    _save(tmp_path / "controls/depth/d.safetensors", _control(768))
    told = Control.told("edges/c:0.6", picture=None)
    assert (told.kind, told.network, told.weight) == ("edges", "c", 0.6)
    assert Control.told("edges", picture=None) == Control(kind="edges")
    find = partial(control_for, "edges", model="small", models_dir=tmp_path)
    assert find(network="c").name == "edges/c"
    with pytest.raises(InvalidRequestError, match=r"edges/a does not fit small: .* 1024 wide"):
        find(network="a")
    with pytest.raises(InvalidRequestError, match="there are: edges/a, edges/b, edges/c"):
        find(network="x")
    assert spelled(models_dir=tmp_path) == ("depth", "edges", "edges/a", "edges/b", "edges/c")


def test_their_folders_are_no_checkpoints(tmp_path: Path) -> None:
    _save(tmp_path / "controls/stray.safetensors", _control(768))
    _save(tmp_path / "ip_adapters/stray.safetensors", _control(768))
    assert not list(folders(tmp_path))
    assert kinds(models_dir=tmp_path) == ()
    with pytest.raises(ModelUnavailableError, match="no name for a checkpoint"):
        add(tmp_path, models_dir=tmp_path, name="controls")


@pytest.mark.parametrize("kind", ["", "../edges", "Edges", "edges/x"])
def test_a_kind_is_a_plain_word(kind: str) -> None:
    with pytest.raises(InvalidRequestError, match="no kind of control"):
        Control(kind=kind, picture=GREY)


def test_edges_depth_and_pose_are_drawn_from_a_picture_if_there_is_one() -> None:
    with pytest.raises(InvalidRequestError, match="by normal needs a control picture"):
        Control(kind="normal")
    with pytest.raises(InvalidRequestError, match="by normal needs a control picture"):
        Control(kind="normal", picture=GREY, ready=False)
    assert [Control(kind=kind).drawn for kind in ("edges", "depth", "pose")] == [True] * 3
    assert not Control(kind="depth", picture=GREY).drawn
    with pytest.raises(InvalidRequestError, match="no edges to follow"):
        ImageRequest(
            job_id="one",
            pipeline="remix",
            image=Canvas(width=64, height=64),
            control=Control(kind="edges"),
        )


@pytest.mark.parametrize("weight", [-0.1, 2.1, float("nan")])
def test_weights_are_within_reason(weight: float) -> None:
    with pytest.raises(InvalidRequestError, match="weight of a control is 0 to 2"):
        Control(kind="edges", weight=weight)
    with pytest.raises(InvalidRequestError, match="weight of a likeness is 0 to 2"):
        Like(picture=GREY, weight=weight)
