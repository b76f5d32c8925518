"""Published StyleGAN2 generators become ours: the same pictures, or a sentence and nothing left."""

import argparse
import json
import pickle
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from generation.catalogue import entries, entry_named, networks
from generation.converting import rewrite, target_of
from generation.errors import ModelUnavailableError
from generation.imaging import to_pixels
from generation.network_pickles import TENSORFLOW
from generation.pipelines.base import EngineConfig
from generation.pipelines.img2img_finish import resized
from generation.pipelines.portrait import PortraitPipeline
from generation.pipelines.stylegan2 import StyleGan2
from generation.portraits import portraitists
from generation.request import Canvas, ImageRequest
from generation.stylegan2_files import REPORT, mean_w, planned, shapes_of
from generation.trained import load_trained
from generation.upkeep import add, remove, verify
from tests.generation.published_stylegan2 import (
    NvidiaGenerator,
    RosinalityGenerator,
    W,
    Z,
    persistent,
)

torch.set_num_threads(1)

AVERAGE = torch.linspace(-1, 1, W)


def nvidia() -> NvidiaGenerator:
    torch.manual_seed(0)
    return NvidiaGenerator().eval()


def rosinality() -> RosinalityGenerator:
    torch.manual_seed(0)
    return RosinalityGenerator().eval()


class Persistent:
    """Is pickled as NVIDIA's classes are, with the text of a program that must never run."""

    def __init__(self, state: Mapping[str, Any]) -> None:
        self.state = state

    def __reduce__(self) -> tuple[Callable[..., object], tuple[dict[str, Any]]]:
        meta = {"type": "class", "version": 6, "module_src": "raise SystemExit", "class_name": "G"}
        reconstruct = sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj
        return reconstruct, ({**meta, "state": {**self.state, "gain": np.sqrt(2.0)}},)


def _reconstruct_persistent_obj(meta: Mapping[str, Any]) -> object:
    raise AssertionError("the program of a file was asked for")


class EasyDict(dict[str, Any]):
    """A dictionary as NVIDIA's pickles have them."""


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that NVIDIA's modules are there, so that they can be named in a pickle."""
    for name, each in (
        ("torch_utils.persistence", _reconstruct_persistent_obj), ("dnnlib.util", EasyDict),
    ):  # fmt: skip
        module = ModuleType(name)
        monkeypatch.setattr(each, "__module__", name)
        setattr(module, each.__name__, each)
        monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setitem(sys.modules, name.partition(".")[0], ModuleType("theirs"))


def picture_of(folder: Path, z: Tensor, *, psi: float) -> Tensor:
    network = load_trained(folder, StyleGan2)
    with torch.no_grad():
        picture: Tensor = network(z, truncation_psi=psi)
    return picture


def by_the_public_path(folder: Path, seed: int) -> bytes:
    """Return the picture of a seed as the engine makes it, at a truncation of 0.7."""
    config = EngineConfig(device="cpu", models_dir=folder.parent)
    pipeline = PortraitPipeline.load(model=folder.name, config=config)
    canvas = Canvas(width=64, height=64)
    row = pipeline.admit(
        ImageRequest(job_id="a", pipeline="portrait", image=canvas, seed=seed, strength=0.7)
    )
    pipeline.advance([row])
    return pipeline.retire(row).image.data


@pytest.mark.usefixtures("theirs")
def test_nvidias_pickle_makes_nvidias_pictures(tmp_path: Path) -> None:
    network, place = nvidia(), tmp_path / "ffhq.pkl"
    held = {"G": None, "G_ema": persistent(network, Persistent), "options": EasyDict(mirror=True)}
    place.write_bytes(pickle.dumps(held, protocol=4))
    count = rewrite(place, target_of(place))
    assert count == len(network.state_dict())
    models = tmp_path / "models"
    entry = add(target_of(place), models_dir=models)
    assert (entry.name, entry.family.title, entry.unusable) == ("ffhq", "StyleGAN2", "")
    z = torch.randn(3, Z)
    for psi in (1.0, 0.6):
        with torch.no_grad():
            wanted = network(z, psi=psi)
        torch.testing.assert_close(picture_of(entry.folder, z, psi=psi), wanted)
    report = json.loads((entry.folder / REPORT).read_text())
    fates = [line["fate"] for line in report["lines"]]
    assert "NVIDIA" in report["layout"]
    assert fates.count("taken") + fates.count("left: a fixed filter") == count == len(fates)
    seeded = torch.randn(1, Z, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        shown = resized((network(seeded, psi=0.7) / 2 + 0.5).clamp(0, 1), height=64, width=64)
    found = np.frombuffer(by_the_public_path(entry.folder, 5), np.uint8).astype(int)
    away = np.abs(found - np.frombuffer(to_pixels(shown).data, np.uint8))
    assert away.max() <= 1
    assert found.std() > 10


@pytest.mark.parametrize("averaged", [True, False])
def test_rosinalitys_training_makes_rosinalitys_pictures(tmp_path: Path, averaged: bool) -> None:
    network, place = rosinality(), tmp_path / "church.pt"
    options = argparse.Namespace(size=16, latent=8)
    held = {"g": {}, "g_ema": network.state_dict(), "args": options}
    torch.save({**held, **({"latent_avg": AVERAGE} if averaged else {})}, place)
    rewrite(place, target_of(place))
    entry = add(target_of(place), models_dir=tmp_path / "models", name="church-16")
    z = torch.randn(3, W)
    with torch.no_grad():
        mean = AVERAGE if averaged else network.style(torch.randn(4096, W)).mean(dim=0)
        for psi in (1.0, 0.6):
            wanted = network(z, average=mean, psi=psi)
            near = None if averaged or psi == 1 else 0.05
            found = picture_of(entry.folder, z, psi=psi)
            torch.testing.assert_close(found, wanted, rtol=near, atol=near)
    report = json.loads((entry.folder / REPORT).read_text())
    [line] = [each for each in report["lines"] if each["name"] == "mapping.w_avg"]
    assert line["fate"] == ("taken" if averaged else "calculated from the mapping")


def test_the_plan_knows_our_network_by_heart() -> None:
    told: dict[str, Any] = {
        "z_dim": 7, "w_dim": 8, "resolution": 32, "num_layers": 2,
        "channels": {4: 6, 8: 5, 16: 3, 32: 2},
    }  # fmt: skip
    ours = {name: tuple(it.shape) for name, it in StyleGan2(**told).state_dict().items()}
    assert shapes_of(**told) == ours
    plan = planned(ours)
    assert plan is not None
    assert (dict(plan.arguments), plan.wrong) == (told, "")


def test_the_mean_of_w_is_that_of_the_mapping() -> None:
    torch.manual_seed(1)
    network = StyleGan2(z_dim=4, w_dim=4, resolution=4, channels={4: 2}, num_layers=2)
    with torch.no_grad():
        network.mapping.fc1.bias.fill_(30.0)  # type: ignore[union-attr, operator]
        wanted = network.mapping(torch.randn(20000, 4)).mean(dim=0)
    weights = {name: it.numpy() for name, it in network.state_dict().items()}
    np.testing.assert_allclose(mean_w(weights, layers=2), wanted, atol=0.05)


def lacking(weights: dict[str, Tensor]) -> None:
    del weights["synthesis.b8.conv1.bias"]


def of_another_shape(weights: dict[str, Tensor]) -> None:
    weights["synthesis.b8.conv1.bias"] = torch.zeros(9)


def of_more(weights: dict[str, Tensor]) -> None:
    weights["synthesis.b8.attention.weight"] = torch.zeros(9)


def told_labels(weights: dict[str, Tensor]) -> None:
    weights["mapping.embed.weight"] = torch.zeros(9, 9)


def of_the_third_kind(weights: dict[str, Tensor]) -> None:
    weights["synthesis.input.freqs"] = torch.zeros(9, 2)


def without_colours(weights: dict[str, Tensor]) -> None:
    for name in [name for name in weights if "b4.torgb" in name]:
        del weights[name]


def otherwise_smoothed(weights: dict[str, Tensor]) -> None:
    weights["synthesis.b8.resample_filter"] = torch.eye(4) / 4


def not_finite(weights: dict[str, Tensor]) -> None:
    weights["synthesis.b8.conv1.bias"][2] = torch.nan


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lacking, r"not taken: it lacks synthesis\.b8\.conv1\.bias"),
        (of_another_shape, r"synthesis\.b8\.conv1\.bias is \(9,\) and not \(5,\)"),
        (of_more, r"synthesis\.b8\.attention\.weight is no part of such a generator"),
        (told_labels, "it is told labels"),
        (of_the_third_kind, "it is a StyleGAN3"),
        (without_colours, r"tell no size of the network .*b4\.torgb\.weight is missing"),
        (otherwise_smoothed, r"another filter than \[1, 3, 3, 1\]"),
        (not_finite, r"b8\.conv1\.bias holds no finite numbers"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(
    tmp_path: Path, change: Callable[[dict[str, Tensor]], None], said: str
) -> None:
    weights = {name: it.clone() for name, it in nvidia().state_dict().items()}
    change(weights)
    place, models = tmp_path / "odd.safetensors", tmp_path / "models"
    save_file(weights, place)
    with pytest.raises(ModelUnavailableError, match=said):
        add(place, models_dir=models)
    assert not [it for it in models.rglob("*") if it.is_file()]
    assert "odd" not in {each.name for each in portraitists(models_dir=models)}


def test_no_program_of_a_pickle_is_run(tmp_path: Path) -> None:
    place = tmp_path / "evil.pkl"
    place.write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "sang").encode() + b"'\ntR.")
    with pytest.raises(
        ModelUnavailableError, match=r"more than weights \(it asks for os\.system\)"
    ):
        rewrite(place, target_of(place))
    place.write_bytes(f"c{TENSORFLOW}.network\nNetwork\n(tR.".encode())
    with pytest.raises(ModelUnavailableError, match=r"network of TensorFlow; NVIDIA's legacy\.py"):
        rewrite(place, target_of(place))
    place.write_bytes(pickle.dumps({"G": 1}))
    with pytest.raises(ModelUnavailableError, match="no generator under the name G_ema"):
        rewrite(place, target_of(place))
    place.write_bytes(pickle.dumps({"G": [1] * 99})[:-9])
    with pytest.raises(ModelUnavailableError, match=r"damaged|more than weights"):
        rewrite(place, target_of(place))
    assert [it.name for it in tmp_path.iterdir()] == ["evil.pkl"]


def test_a_network_alone_is_listed_looked_at_and_taken_away(tmp_path: Path) -> None:
    place, models = tmp_path / "faces.safetensors", tmp_path / "models"
    save_file(nvidia().state_dict(), place)
    folder = add(place, models_dir=models, licence="Nvidia Source Code License").folder
    assert "faces" in {each.name for each in networks(models_dir=models)}
    assert "faces" not in {each.name for each in entries(models_dir=models)}
    assert verify("faces", models_dir=models).card.licence == "Nvidia Source Code License"
    with pytest.raises(ModelUnavailableError, match="there is a checkpoint 'faces' already"):
        add(place, models_dir=models)
    assert add(folder, models_dir=models, name="again").size_bytes > 0
    weights = load_file(folder / "model.safetensors")
    save_file({**weights, "mapping.w_avg": torch.ones(W)}, folder / "model.safetensors")
    with pytest.raises(ModelUnavailableError, match="has another SHA-256"):
        verify("faces", models_dir=models)
    with pytest.raises(ModelUnavailableError, match="faces is not used: model"):
        by_the_public_path(folder, 1)
    remove("faces", models_dir=models)
    assert not folder.exists()
    with pytest.raises(ModelUnavailableError, match="known: remix, again, "):
        entry_named("faces", models_dir=models)
