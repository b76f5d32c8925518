"""Networks of our trainings as evaluations run them: repeated pictures, bounds and digits."""

from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from generation.errors import ModelUnavailableError
from generation.imaging import to_pixels
from generation.pipelines.base import EngineConfig, Finished
from generation.pipelines.gan import DigitsGenerator
from generation.pipelines.picture_vae import PictureVae
from generation.pipelines.repeating import RepeatingPipeline
from generation.pipelines.vae import DigitsVae
from generation.registry import REPEATING, repeating, resolve
from generation.request import ImageRequest, Pixels
from generation.training.cards import Trained, write_model

LATENTS, WIDTHS = 4, (8, 8, 16)


def kept(folder: Path, network: nn.Module, **arguments: Any) -> Path:  # noqa: ANN401
    """Write a network as its training does."""
    blank: dict[str, Any] = dict.fromkeys(("title", "about", "origin", "limits"), "")
    kind = f"{type(network).__module__}:{type(network).__name__}"
    about = Trained(network=kind, arguments=arguments, recipe={}, history=[], **blank)
    write_model(folder, network, trained=about)
    return folder


def repeated(folder: Path, picture: Pixels, *, seed: int = 1) -> Finished:
    """Return what the registry's line for a folder makes of a picture."""
    spec = repeating(folder.name)
    assert resolve(spec.target) is RepeatingPipeline
    config = EngineConfig(device="cpu", models_dir=folder.parent)
    pipeline = RepeatingPipeline.load(model=spec.model, config=config)
    request = ImageRequest(job_id="a", pipeline=REPEATING, image=picture, seed=seed)
    row = pipeline.admit(request)
    pipeline.advance([row])
    assert pipeline.preview(row) is None
    return pipeline.retire(row)


def noisy(width: int, height: int, *, grey: bool = False) -> Pixels:
    """Return a picture of chance."""
    rng = np.random.default_rng(0)
    values = rng.integers(0, 256, (height, width, 1 if grey else 3), np.uint8)
    data = np.broadcast_to(values, (height, width, 3)).tobytes()
    return Pixels(width=width, height=height, data=data)


def zeroed(network: nn.Module) -> nn.Module:
    for value in network.parameters():
        nn.init.zeros_(value)
    return network


def test_a_vae_that_knows_nothing_has_a_bound_of_784_ln_2(tmp_path: Path) -> None:
    finished = repeated(kept(tmp_path / "flat", zeroed(DigitsVae())), noisy(28, 28, grey=True))
    told = dict(finished.parameters)
    assert float(told["missed"]) == pytest.approx(784 * log(2), rel=1e-6)
    assert float(told["beyond"]) == pytest.approx(0, abs=1e-6)
    assert told["values"] == "784"
    assert set(finished.image.data) == {128}


def test_a_flat_vae_of_colours_misses_the_absolute_error(tmp_path: Path) -> None:
    network = zeroed(PictureVae(latents=LATENTS, widths=WIDTHS))
    folder = kept(tmp_path / "flat", network, latents=LATENTS, widths=WIDTHS)
    picture = noisy(32, 16)
    told = dict(repeated(folder, picture).parameters)
    away = np.abs(np.frombuffer(picture.data, np.uint8) / 255 - 0.5)
    # The scale is e^0, the density 1/2 e^-|x - 1/2|; logvar is -4, wherever it begins.
    assert float(told["missed"]) == pytest.approx(away.sum() + away.size * log(2), rel=1e-5)
    beyond = LATENTS * 2 * -0.5 * (1 - 4 - np.exp(-4))
    assert float(told["beyond"]) == pytest.approx(beyond, rel=1e-5)
    assert int(told["values"]) == away.size


def test_a_digit_is_of_its_seed_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    folder = kept(tmp_path / "gan", DigitsGenerator(channels=4), channels=4)
    network = DigitsGenerator(channels=4).eval()
    network.load_state_dict(load_file(folder / "model.safetensors"))
    one = repeated(folder, noisy(28, 28), seed=7)
    assert one == repeated(folder, noisy(40, 20), seed=7)
    assert one.image != repeated(folder, noisy(28, 28), seed=8).image
    z = torch.randn(1, 100, generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        assert one.image == to_pixels(network(z).expand(-1, 3, -1, -1))
    assert one.parameters == ()


def test_what_a_network_weighs_is_what_it_is_said_to_before_it_is_loaded(tmp_path: Path) -> None:
    kept(tmp_path / "vae", DigitsVae(hidden=8), hidden=8)
    config = EngineConfig(device="cpu", models_dir=tmp_path)
    pipeline = RepeatingPipeline.load(model="vae", config=config)
    assert RepeatingPipeline.weigh(model="vae", config=config) == pipeline.weight_bytes > 0
    pipeline.put_away()
    pipeline.bring()


def test_a_network_with_other_weights_than_its_own_is_refused(tmp_path: Path) -> None:
    folder = kept(tmp_path / "vae", DigitsVae(hidden=8), hidden=8)
    save_file({"foreign": torch.zeros(1)}, folder / "model.safetensors")
    with pytest.raises(ModelUnavailableError, match=r"vae holds no DigitsVae .* it lacks encoder"):
        repeated(folder, noisy(28, 28))
