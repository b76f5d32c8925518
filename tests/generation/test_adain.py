"""AdaIN: its equations, its pair of networks, and pictures by rows."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from generation.errors import ModelUnavailableError
from generation.pipelines.adain import AdainPipeline
from generation.pipelines.adain_nets import (
    ADAIN,
    STYLED,
    AdainNet,
    adain,
    mixed,
    noise_of,
    statistics,
)
from generation.pipelines.base import EngineConfig
from generation.pipelines.encoder import StyleEncoder
from generation.registry import PIPELINES, offered, resolve
from generation.request import ImageRequest, Manner, Pixels
from generation.trained import load_trained
from generation.training.cards import Trained, write_model
from tests.generation.test_style_transfer import _picture, lively_encoder

torch.set_num_threads(1)
WIDTHS = (4, 4, 8, 8)


def save_network(folder: Path) -> AdainNet:
    """Write a tiny untrained network as the training writes its own."""
    network = AdainNet(widths=WIDTHS)
    network.encoder.load_state_dict(lively_encoder().state_dict())
    trained = Trained(
        title="AdaIN",
        about="Tiny.",
        network="generation.pipelines.adain_nets:AdainNet",
        arguments={"widths": list(WIDTHS)},
        recipe={},
        origin="nothing",
        history=[],
        limits="All.",
    )
    write_model(folder / ADAIN, network, trained=trained)
    return network


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    save_network(folder)
    return folder


@pytest.fixture(scope="module")
def pipeline(models: Path) -> AdainPipeline:
    return AdainPipeline.load(model="adain", config=EngineConfig(device="cpu", models_dir=models))


def _request(**changes: object) -> ImageRequest:
    fields: dict[str, Any] = {
        "job_id": "one", "pipeline": "adain", "image": _picture(),
        "style_image": _picture(seed=1), "seed": 5, "strength": 0.7,
    }  # fmt: skip
    return ImageRequest(**{**fields, **changes})


def _finish(pipeline: AdainPipeline, request: ImageRequest) -> Pixels:
    row = pipeline.admit(request)
    while row.step < row.total_steps:
        pipeline.advance([row])
    return pipeline.retire(row).image


def _features(seed: int) -> Tensor:
    return torch.randn(2, 6, 9, 7, generator=torch.Generator().manual_seed(seed)) * 3 + 1


def test_with_its_own_statistics_a_picture_stays_itself() -> None:
    content = _features(0)
    torch.testing.assert_close(adain(content, statistics(content)), content, atol=1e-5, rtol=1e-5)


def test_with_anothers_statistics_it_has_them() -> None:
    style = statistics(_features(1) * 2 - 5)
    for own, wanted in zip(statistics(adain(_features(0), style)), style, strict=True):
        torch.testing.assert_close(own, wanted, atol=1e-4, rtol=1e-4)


def test_styles_are_weighed_and_one_alone_is_adain() -> None:
    content = _features(0)
    first, second = (dict.fromkeys(STYLED, statistics(_features(seed))) for seed in (1, 2))
    level = STYLED[0]
    both = adain(content, mixed([(first, 0.25), (second, 0.75)])[level])
    wanted = 0.25 * adain(content, first[level]) + 0.75 * adain(content, second[level])
    torch.testing.assert_close(both, wanted)
    assert torch.equal(adain(content, mixed([(first, 1.0)])[level]), adain(content, first[level]))


def test_it_is_offered_where_its_weights_are(models: Path, tmp_path: Path) -> None:
    assert resolve(PIPELINES["adain"].target) is AdainPipeline
    assert "adain" in offered(models_dir=models)
    with pytest.raises(ModelUnavailableError, match="train adain"):
        AdainPipeline.load(model="adain", config=EngineConfig(device="cpu", models_dir=tmp_path))


def test_at_alpha_0_neither_style_nor_noise_counts(models: Path) -> None:
    network = load_trained(models / ADAIN, AdainNet)
    rng = torch.Generator().manual_seed(0)
    picture, *artworks = (torch.rand((1, 3, 24, 32), generator=rng) for _ in range(3))
    noises = [noise_of((1, 24, 32), rng=rng) for _ in artworks]
    first, second = (
        network(picture, network.style(artwork), alpha=torch.tensor(0.0), noise=noise)
        for artwork, noise in zip(artworks, noises, strict=True)
    )
    assert torch.equal(first, second)
    one = network(picture, network.style(artworks[0]), alpha=torch.tensor(1.0), noise=noises[0])
    assert not torch.equal(first, one)


def test_the_seed_draws_the_noise(pipeline: AdainPipeline) -> None:
    first, again, other = (_finish(pipeline, _request(seed=seed)) for seed in (5, 5, 6))
    assert first == again != other


def test_the_same_bytes_alone_and_in_a_crowd_and_strength_0_is_the_input(
    pipeline: AdainPipeline,
) -> None:
    alone = _finish(pipeline, _request())
    rows = [pipeline.admit(_request(image=_picture(seed=each))) for each in (3, 0, 4)]
    pipeline.advance(rows)
    assert pipeline.retire(rows[1]).image == alone
    assert pipeline.retire(rows[0]).image != alone
    assert _finish(pipeline, _request(strength=0.0)) == _picture()
    large = _finish(pipeline, _request(image=_picture(width=70, height=45)))
    assert (large.width, large.height) == (70, 45)


def test_artworks_are_looked_at_once_and_weighed(pipeline: AdainPipeline) -> None:
    before = pipeline.counted
    others = ((_picture(seed=9), 1.0),)
    both = _finish(pipeline, _request(manner=Manner(others=others)))
    again = _finish(pipeline, _request(manner=Manner(others=others)))
    assert both == again != _finish(pipeline, _request())
    now = pipeline.counted
    assert now["artwork_misses"] - before["artwork_misses"] <= 2
    assert now["artwork_hits"] - before["artwork_hits"] >= 3


def test_a_foreign_damaged_or_infinite_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    save_network(tmp_path)
    folder = tmp_path / ADAIN
    with pytest.raises(ModelUnavailableError, match="holds a AdainNet, where a StyleEncoder"):
        load_trained(folder, StyleEncoder)
    weights = load_file(folder / "model.safetensors")
    name = next(iter(weights))
    save_file(
        {**weights, name: torch.full_like(weights[name], torch.inf)}, folder / "model.safetensors"
    )
    with pytest.raises(ModelUnavailableError, match="not finite"):
        load_trained(folder, AdainNet)
    save_file({"other": torch.zeros(2)}, folder / "model.safetensors")
    with pytest.raises(ModelUnavailableError, match="holds no AdainNet"):
        load_trained(folder, AdainNet)
    (folder / "model.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(ModelUnavailableError, match="holds no AdainNet"):
        load_trained(folder, AdainNet)
    (folder / "config.json").write_text(json.dumps({"widths": [4]}))
    with pytest.raises(ModelUnavailableError, match="not understood"):
        load_trained(folder, AdainNet)
