"""AdaIN: its equations, its pair of networks, and pictures by rows."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from generation.errors import ModelUnavailableError
from generation.pipelines.adain import AdainPipeline, load_pair
from generation.pipelines.adain_nets import (
    LAST,
    StyleDecoder,
    adain,
    mixed_styles,
    statistics,
    style_loss,
)
from generation.pipelines.base import EngineConfig
from generation.pipelines.encoder import LEVELS, StyleEncoder
from generation.registry import PIPELINES, offered, resolve
from generation.request import ImageRequest, Manner, Pixels
from generation.trained import fingerprint, load_trained
from generation.training.cards import Trained, write_model
from tests.generation.test_style_transfer import _picture, lively_encoder

torch.set_num_threads(1)
WIDTHS = (4, 4, 8, 8)


def save_pair(folder: Path, *, fingerprint_of: StyleEncoder | None = None) -> None:
    """Write a tiny untrained pair as the trainings write theirs."""
    encoder, decoder = lively_encoder(), StyleDecoder(widths=WIDTHS)
    told = {"widths": list(WIDTHS)}
    known = {"encoder": fingerprint(fingerprint_of or encoder)}
    for name, network, more in (("encoder", encoder, {}), ("decoder", decoder, known)):
        kind = type(network)
        trained = Trained(
            title=name,
            about="Tiny.",
            network=f"{kind.__module__}:{kind.__name__}",
            arguments={**told, **more},
            recipe={},
            origin="nothing",
            history=[],
            limits="All.",
        )
        write_model(folder / "style" / name, network, trained=trained)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    save_pair(folder)
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
    content, first, second = _features(0), statistics(_features(1)), statistics(_features(2))
    both = mixed_styles(content, [(first, 0.25), (second, 0.75)])
    torch.testing.assert_close(both, 0.25 * adain(content, first) + 0.75 * adain(content, second))
    assert torch.equal(mixed_styles(content, [(first, 1.0)]), adain(content, first))


def test_the_style_loss_is_0_for_the_style_itself_and_counts_means_and_deviations() -> None:
    answers = {level: _features(number) for number, level in enumerate(LEVELS)}
    styles = {level: statistics(each) for level, each in answers.items()}
    assert float(style_loss(answers, styles)) == 0
    moved = {level: each + 2 for level, each in answers.items()}
    assert float(style_loss(moved, styles)) == pytest.approx(4 * len(LEVELS), rel=1e-4)


def test_it_is_offered_where_its_decoder_is(models: Path) -> None:
    assert resolve(PIPELINES["adain"].target) is AdainPipeline
    assert "adain" in offered(models_dir=models)


def test_alpha_0_is_the_decoders_reconstruction(pipeline: AdainPipeline, models: Path) -> None:
    row = pipeline.admit(_request(strength=1e-12))
    pipeline.advance([row])
    encoder, decoder = load_pair(models)
    with torch.inference_mode():
        data = torch.frombuffer(bytearray(_picture().data), dtype=torch.uint8)
        picture = data.view(1, 32, 40, 3).permute(0, 3, 1, 2).float() / 255
        plain = decoder(encoder(picture)[LAST]).clamp(0, 1)
    assert row.result is not None
    torch.testing.assert_close(row.result, plain, atol=1e-5, rtol=0)


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


def test_a_pair_that_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    torch.manual_seed(1)
    save_pair(tmp_path, fingerprint_of=StyleEncoder(widths=WIDTHS))
    with pytest.raises(ModelUnavailableError, match="trained with another encoder"):
        load_pair(tmp_path)


def test_a_foreign_damaged_or_infinite_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    save_pair(tmp_path)
    folder = tmp_path / "style" / "encoder"
    with pytest.raises(ModelUnavailableError, match="holds a StyleEncoder, where a StyleDecoder"):
        load_trained(folder, StyleDecoder)
    weights = load_file(folder / "model.safetensors")
    name = next(iter(weights))
    save_file(
        {**weights, name: torch.full_like(weights[name], torch.inf)}, folder / "model.safetensors"
    )
    with pytest.raises(ModelUnavailableError, match="not finite"):
        load_trained(folder, StyleEncoder)
    save_file({"other": torch.zeros(2)}, folder / "model.safetensors")
    with pytest.raises(ModelUnavailableError, match="holds no StyleEncoder"):
        load_trained(folder, StyleEncoder)
    (folder / "model.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(ModelUnavailableError, match="holds no StyleEncoder"):
        load_trained(folder, StyleEncoder)
    (folder / "config.json").write_text(json.dumps({"widths": [4]}))
    with pytest.raises(ModelUnavailableError, match="not understood"):
        load_trained(folder, StyleEncoder)
