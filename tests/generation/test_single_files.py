"""Checkpoints whose weights are in a single file: they make the pictures of their folders."""

import json
import shutil
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from safetensors.torch import load_file, save_file

from generation.errors import ModelUnavailableError
from generation.pipelines.base import EngineConfig, Pipeline
from generation.pipelines.remix import RemixPipeline
from generation.request import ImageRequest, Pixels
from generation.wholeness import damage_of
from tests.generation.checkpoints import (
    real,
    save_flux,
    save_img2img,
    save_instruct,
    save_refiner,
    save_sd3,
    save_xl,
)
from tests.generation.single_files import (
    Tensors,
    sd3_tensors,
    sd_tensors,
    vae_tensors,
    write_single,
    xl_tensors,
)

# Diffusers hands tensors to numpy in a way that numpy 2 is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

torch.set_num_threads(1)
PICTURE = Pixels(width=24, height=16, data=bytes(range(256)) * 4 + bytes(128))
SINGLE = "from-a-friend.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How a tiny checkpoint is written as a folder, and how as a file.

    Args:
        beside: the parts that no single file of the kind holds.
    """

    save: Callable[[Path], Path]
    tensors: Callable[[Mapping[str, Any]], Tensors]
    beside: tuple[str, ...] = ()


def _sd3_tensors(parts: Mapping[str, Any]) -> Tensors:
    return {**sd3_tensors(parts["transformer"]), **vae_tensors(parts["vae"])}


KINDS = {
    "sd1": Kind(save=save_img2img, tensors=sd_tensors),
    "sd2": Kind(
        save=lambda folder: save_img2img(folder, use_linear_projection=True),
        tensors=lambda parts: sd_tensors(parts, open_clip=True),
    ),
    "instruct": Kind(save=save_instruct, tensors=sd_tensors),
    "sdxl": Kind(save=lambda folder: save_xl(folder, second_width=32), tensors=xl_tensors),
    "refiner": Kind(save=save_refiner, tensors=xl_tensors),
    "sd3": Kind(
        save=save_sd3,
        tensors=_sd3_tensors,
        beside=("text_encoder", "text_encoder_2", "text_encoder_3"),
    ),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a models folder with every kind twice: as a folder, and as NAME-single."""
    models_dir = tmp_path_factory.mktemp("models")
    for name, kind in KINDS.items():
        folder = kind.save(models_dir / name)
        (folder / "atelier.json").write_text('{"native_size": 24}')
        parts = real.DiffusionPipeline.from_pretrained(folder).components
        single = models_dir / f"{name}-single"
        shutil.copytree(folder, single)
        for weights in single.glob("*/*.safetensors"):
            if weights.parent.name not in kind.beside:
                weights.unlink()
        write_single(single / SINGLE, kind.tensors(parts))
    return models_dir


def _load(models: Path, name: str) -> Pipeline[Any]:
    return RemixPipeline.load(model=name, config=EngineConfig(device="cpu", models_dir=models))


def _made(pipeline: Pipeline[Any]) -> Pixels:
    row = pipeline.admit(
        ImageRequest(
            job_id="one", pipeline="remix", image=PICTURE, prompt="night", strength=0.8,
            num_inference_steps=3, seed=5, guidance_scale=3.0,
        )
    )  # fmt: skip
    while row.step < row.total_steps:
        pipeline.advance([row])
    return pipeline.retire(row).image


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody open a socket or ask for an address."""

    def refused(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a load asks the network")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


@pytest.mark.usefixtures("no_sockets")
@pytest.mark.parametrize("name", KINDS)
def test_a_single_file_makes_the_picture_of_its_folder_and_asks_no_network(
    models: Path, name: str
) -> None:
    assert damage_of(models / f"{name}-single") is None
    made = _made(_load(models, f"{name}-single"))
    assert made == _made(_load(models, name)) != PICTURE


def _copy(models: Path, name: str, target: Path) -> Path:
    """Return a copy of a single file's folder, to be damaged."""
    shutil.copytree(models / f"{name}-single", target / name)
    return target / name


def test_a_file_without_its_configuration_says_what_fetches_it(
    models: Path, tmp_path: Path
) -> None:
    folder = _copy(models, "sdxl", tmp_path)
    (folder / "model_index.json").unlink()
    wanted = "pull stabilityai/stable-diffusion-xl-base-1.0 --config-only --name sdxl"
    with pytest.raises(ModelUnavailableError, match=wanted):
        _load(tmp_path, "sdxl")


def test_a_file_of_another_build_than_its_folder_is_refused(models: Path, tmp_path: Path) -> None:
    folder = _copy(models, "sd1", tmp_path)
    shutil.copy(models / "sdxl-single" / SINGLE, folder / SINGLE)
    with pytest.raises(ModelUnavailableError, match=r"built otherwise than Stable Diffusion 1\.x"):
        _load(tmp_path, "sd1")


def test_a_family_without_a_loader_says_so(models: Path, tmp_path: Path) -> None:
    folder = _copy(models, "sd1", tmp_path)
    save_file({
        "transformer_blocks.0.img_mlp.net.0.proj.weight": torch.zeros(2, 2),
        "txt_norm.weight": torch.zeros(2),
    }, folder / SINGLE)  # fmt: skip
    with pytest.raises(ModelUnavailableError, match="Qwen-Image-Edit, of which diffusers loads no"):
        _load(tmp_path, "sd1")


def test_what_no_family_is_built_like_is_refused(models: Path, tmp_path: Path) -> None:
    folder = _copy(models, "sd1", tmp_path)
    save_file({"lora_unet.lora_down.weight": torch.zeros(2, 2)}, folder / SINGLE)
    with pytest.raises(ModelUnavailableError, match="no family that is known"):
        _load(tmp_path, "sd1")


def test_two_files_are_not_guessed_between(models: Path, tmp_path: Path) -> None:
    folder = _copy(models, "sd1", tmp_path)
    shutil.copy(folder / SINGLE, folder / "another.safetensors")
    with pytest.raises(ModelUnavailableError, match=rf"another\.safetensors and {SINGLE}; which"):
        _load(tmp_path, "sd1")


def test_a_file_beside_a_whole_folder_is_left_alone(tmp_path: Path) -> None:
    folder = save_img2img(tmp_path / "hub")
    (folder / SINGLE).write_bytes(b"the same weights again, as hubs have them")
    assert _made(_load(tmp_path, "hub")) != PICTURE


def test_parts_that_neither_file_nor_folder_holds_are_named(models: Path, tmp_path: Path) -> None:
    folder = _copy(models, "sd3", tmp_path)
    shutil.rmtree(folder / "text_encoder_3")
    shutil.copytree(models / "sd3" / "text_encoder_3", folder / "text_encoder_3")
    next((folder / "text_encoder_3").glob("*.safetensors")).unlink()
    assert damage_of(folder) == "text_encoder_3/*.safetensors is missing"
    with pytest.raises(ModelUnavailableError, match="holds no text_encoder_3; put that folder of"):
        _load(tmp_path, "sd3")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _pickled(path: Path) -> None:
    torch.save({"state_dict": {}}, path)


def _reshaped(path: Path) -> None:
    tensors = load_file(path)
    name = "model.diffusion_model.out.0.weight"
    save_file({**tensors, name: tensors[name][:-1].clone()}, path)


def _without(*starts: str) -> Callable[[Path], None]:
    def drop(path: Path) -> None:
        tensors = load_file(path)
        save_file({name: it for name, it in tensors.items() if not name.startswith(starts)}, path)

    return drop


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "cut off": (_cut, "cut off"),
    "a pickle by another name": (_pickled, "damaged weights"),
    "another shape": (_reshaped, "could not be loaded"),
    "a block less": (_without("model.diffusion_model.middle_block.1."), "lacks weights of a net"),
    "no codec": (_without("first_stage_model."), "holds no vae; put that folder of"),
    "half a codec": (_without("first_stage_model.decoder.mid."), "lacks weights of a net"),
    "half a reader": (
        _without("cond_stage_model.transformer.text_model.final_layer_norm"),
        "lacks weights of text_encoder",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_s6_a_damaged_file_is_refused_with_a_sentence(
    models: Path, tmp_path: Path, damage: str
) -> None:
    folder = _copy(models, "sd1", tmp_path)
    spoil, said = DAMAGES[damage]
    spoil(folder / SINGLE)
    with pytest.raises(ModelUnavailableError, match=said):
        _load(tmp_path, "sd1")


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_s6_a_folder_that_lacks_a_weight_is_refused(
    models: Path, tmp_path: Path, part: str
) -> None:
    shutil.copytree(models / "sd1", tmp_path / "sd1")
    path = next((tmp_path / "sd1" / part).glob("*.safetensors"))
    tensors = load_file(path)
    tensors.pop(next(name for name in tensors if name.endswith("weight")))
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(ModelUnavailableError, match=r"sd1 (lacks weights|could not be loaded)"):
        _load(tmp_path, "sd1")


def test_s6_a_part_of_an_unknown_library_is_not_imported(models: Path, tmp_path: Path) -> None:
    folder = _copy(models, "sd3", tmp_path)
    index = folder / "model_index.json"
    told = json.loads(index.read_text())
    index.write_text(json.dumps({**told, "text_encoder_3": ["os", "T5EncoderModel"]}))
    with pytest.raises(ModelUnavailableError, match="unknown library, os"):
        _load(tmp_path, "sd3")


def test_flux_is_set_up_for_a_file_of_its_transformer_alone(tmp_path: Path) -> None:
    folder = save_flux(tmp_path / "flux")
    for weights in folder.glob("*/*.safetensors"):
        weights.unlink()
    scale = {"double_blocks.0.img_attn.norm.key_norm.scale": torch.zeros(8)}
    ends = {"img_in.weight": torch.zeros(2, 16), "final_layer.linear.weight": torch.zeros(16, 2)}
    save_file({**scale, **ends, "guidance_in.in_layer.weight": torch.zeros(2)}, folder / SINGLE)
    wanted = "holds no text_encoder, text_encoder_2, vae; put those folders of black-forest-labs"
    with pytest.raises(ModelUnavailableError, match=wanted):
        _load(tmp_path, "flux")
