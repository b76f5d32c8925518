"""Pictures of a seed alone: painted, and of networks that a training wrote."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from generation.catalogue import entries
from generation.errors import InvalidRequestError, ModelUnavailableError
from generation.pipelines.base import EngineConfig
from generation.pipelines.gan import DigitsGenerator
from generation.pipelines.portrait import PortraitPipeline, pyramid_loss
from generation.pipelines.stylegan2 import StyleGan2
from generation.pipelines.vae import DigitsVae
from generation.portraits import PAINTED, portraitists
from generation.request import Canvas, ImageRequest, Pixels, Portrait
from generation.training.cards import Trained, write_model

torch.set_num_threads(1)

STYLE: Mapping[str, Any] = {
    "z_dim": 8, "w_dim": 8, "resolution": 16, "channels": {4: 8, 8: 8, 16: 4}, "num_layers": 2,
}  # fmt: skip


def written(folder: Path, network: nn.Module, arguments: Mapping[str, Any]) -> None:
    kind = type(network)
    trained = Trained(
        title="tiny", about="", network=f"{kind.__module__}:{kind.__name__}", arguments=arguments,
        recipe={}, origin="", history=[], limits="",
    )  # fmt: skip
    write_model(folder, network, trained=trained)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models")
    style = StyleGan2(**STYLE)
    with torch.no_grad():
        style.mapping.w_avg.copy_(style.mapping(torch.randn(500, 8)).mean(dim=0))
    written(folder / "style", style, STYLE)
    gan = DigitsGenerator(channels=4)
    with torch.no_grad():
        # Drawn with a deviation of 0.02 it would paint all latents the same grey.
        gan.begin.weight.mul_(100)
        next(gan.layers[5].parameters()).mul_(50)
    written(folder / "gan", gan, {"channels": 4})
    written(folder / "vae", DigitsVae(hidden=8), {"hidden": 8, "latents": 20})
    return folder


def pipeline_of(models: Path, name: str) -> PortraitPipeline:
    return PortraitPipeline.load(model=name, config=EngineConfig(device="cpu", models_dir=models))


def asked(seed: int = 1, **changes: object) -> ImageRequest:
    canvas = Canvas(width=64, height=64)
    request = ImageRequest(job_id="a", pipeline="portrait", image=canvas, seed=seed, strength=1.0)
    return replace(request, **changes)  # type: ignore[arg-type]


def made(pipeline: PortraitPipeline, request: ImageRequest) -> Pixels:
    row = pipeline.admit(request)
    while row.step < row.total_steps:
        pipeline.advance([row])
    return pipeline.retire(row).image


def test_models_are_told_from_their_files_and_are_no_checkpoints(models: Path) -> None:
    found = {each.name: each.title for each in portraitists(models_dir=models)}
    assert next(iter(found)) == PAINTED
    assert (found["style"], found["gan"], found["vae"]) == ("StyleGAN2", "Digits GAN", "Digits VAE")
    assert not {"style", "gan", "vae"} & {entry.name for entry in entries(models_dir=models)}


@pytest.mark.parametrize("name", [PAINTED, "style", "gan", "vae"])
def test_a_seed_is_a_picture_alone_and_in_a_crowd(models: Path, name: str) -> None:
    pipeline = pipeline_of(models, name)
    alone = made(pipeline, asked(5))
    rows = [pipeline.admit(asked(seed)) for seed in (3, 5, 9)]
    pipeline.advance(rows)
    crowd = [pipeline.retire(row).image for row in rows]
    assert (alone.width, alone.height) == (64, 64)
    assert crowd[1] == alone
    assert len({each.data for each in crowd}) == 3
    assert made(pipeline_of(models, name), asked(5)) == alone


@pytest.mark.parametrize("name", [PAINTED, "style", "gan", "vae"])
def test_truncation_0_is_one_picture_and_a_mix_is_neither(models: Path, name: str) -> None:
    pipeline = pipeline_of(models, name)
    usual = {made(pipeline, asked(seed, strength=0.0)).data for seed in (1, 2, 3)}
    assert len(usual) == 1
    first, second = made(pipeline, asked(1)), made(pipeline, asked(2))
    mixed = made(pipeline, asked(1, portrait=Portrait(mix=2)))
    assert len({first.data, second.data, mixed.data, *usual}) == 4


def test_a_projection_finds_a_picture_that_the_model_made(models: Path) -> None:
    pipeline = pipeline_of(models, "style")
    target = made(pipeline, asked(4, strength=0.8))
    request = asked(1, image=target, num_inference_steps=60)
    row = pipeline.admit(request)
    losses = []
    while row.step < row.total_steps:
        pipeline.advance([row])
        losses.append(row.loss)
    preview = pipeline.preview(row)
    assert preview is not None
    assert preview.width == 256
    assert losses[-1] < losses[0] / 4
    assert made(pipeline, request) == pipeline.retire(row).image
    assert row.total_steps == 60


def test_the_painter_looks_for_nothing(models: Path) -> None:
    picture = Pixels(width=8, height=8, data=bytes(192))
    with pytest.raises(InvalidRequestError, match="cannot look for a picture"):
        pipeline_of(models, PAINTED).admit(asked(image=picture))


def test_wrong_and_foreign_files_are_refused_with_a_sentence(models: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ModelUnavailableError, match="no model 'none' for portraits; known: avatars"
    ):
        pipeline_of(models, "none")
    written(tmp_path / "other", DigitsGenerator(channels=8), {"channels": 4})
    with pytest.raises(ModelUnavailableError, match=r"holds no DigitsGenerator that can be .* not"):
        pipeline_of(tmp_path, "other")
    written(tmp_path / "foreign", DigitsVae(hidden=8), {"hidden": 8, "latents": 20})
    config = (models / "gan" / "config.json").read_bytes()
    (tmp_path / "foreign" / "config.json").write_bytes(config)
    with pytest.raises(ModelUnavailableError, match=r"it lacks .*, and \d+ more"):
        pipeline_of(tmp_path, "foreign")
    (tmp_path / "other" / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ModelUnavailableError, match="holds no DigitsGenerator that can be"):
        pipeline_of(tmp_path, "other")


def test_the_pyramid_loss_is_that_of_plain_means() -> None:
    made_, target = torch.zeros(1, 3, 16, 16), torch.full((1, 3, 16, 16), 0.5)
    assert pyramid_loss(made_, target).item() == pytest.approx(0.5)


def test_a_mix_is_a_seed() -> None:
    with pytest.raises(InvalidRequestError, match="seed to mix in"):
        Portrait(mix=-1)
