"""Style transfer by optimisation: L-BFGS a step a tick, on a VGG19 as torchvision stores it."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision

from generation.errors import InvalidRequestError, ModelUnavailableError
from generation.pipelines.base import EngineConfig
from generation.pipelines.lbfgs import Lbfgs
from generation.pipelines.style_transfer import (
    StyleRow,
    StyleTransferPipeline,
    gram_matrix,
    total_variation,
)
from generation.pipelines.vgg import LAYERS, load_vgg19
from generation.registry import PIPELINES, offered, resolve
from generation.request import ImageRequest, Pixels

torch.set_num_threads(1)


def save_vgg19(folder: Path) -> Path:
    """Write random weights as torchvision does; only the classifier, unused, takes no room."""
    torch.manual_seed(0)
    with torch.device("meta"):
        state = torchvision.models.vgg19(weights=None, init_weights=False).state_dict()
    weights = {}
    for name, value in state.items():
        fan_in = value[0].numel()
        small = torch.zeros(1).expand(value.shape)
        drawn = torch.randn(value.shape) * (2 / fan_in) ** 0.5 if value.ndim == 4 else small
        weights[name] = drawn if name.startswith("features.") else small
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(weights, folder / "plain.pth")
    digest = hashlib.sha256((folder / "plain.pth").read_bytes()).hexdigest()
    return (folder / "plain.pth").rename(folder / f"vgg19-{digest[:8]}.pth")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_vgg19(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def pipeline(weights: Path) -> StyleTransferPipeline:
    config = EngineConfig(device="cpu", models_dir=weights.parent)
    return StyleTransferPipeline.load(model="vgg19", config=config)


def _picture(*, width: int = 40, height: int = 32, seed: int = 0) -> Pixels:
    data = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Pixels(width=width, height=height, data=data.tobytes())


def _request(**changes: object) -> ImageRequest:
    fields: dict[str, Any] = {
        "job_id": "one", "pipeline": "gatys", "image": _picture(),
        "style_image": _picture(seed=1), "num_inference_steps": 6, "seed": 5,
    }  # fmt: skip
    return ImageRequest(**{**fields, **changes})


def _finish(pipeline: StyleTransferPipeline, row: StyleRow) -> Pixels:
    while row.step < row.total_steps:
        pipeline.advance([row])
    return pipeline.retire(row).image


def test_it_is_registered_and_offered_only_where_its_weights_are(
    weights: Path, tmp_path: Path
) -> None:
    assert resolve(PIPELINES["gatys"].target) is StyleTransferPipeline
    assert "gatys" in offered(models_dir=weights.parent)
    assert set(offered(models_dir=tmp_path)) == set(PIPELINES) - {"gatys"}


def test_the_network_answers_as_torchvisions_own(weights: Path) -> None:
    vgg = load_vgg19(models_dir=weights.parent, device=torch.device("cpu"))
    picture = torch.rand(1, 3, 32, 40, generator=torch.Generator().manual_seed(0))
    with torch.device("meta"):
        own = torchvision.models.vgg19(weights=None, init_weights=False)
    own.load_state_dict(torch.load(weights, weights_only=True), assign=True)
    normalise = torchvision.transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    with torch.no_grad():
        answers = vgg(picture)
        for name, place in LAYERS.items():
            assert torch.equal(answers[name], own.features[: place + 1](normalise(picture)))


def test_lbfgs_takes_the_steps_of_torchs_own() -> None:
    rng = torch.Generator().manual_seed(0)
    root = torch.randn(12, 12, dtype=torch.float64, generator=rng)
    hessian, goal = root @ root.T + torch.eye(12), torch.randn(12, generator=rng).double()
    ours = torch.zeros(12, dtype=torch.float64)
    theirs = torch.zeros(12, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [theirs], lr=1, max_iter=1, history_size=20, tolerance_change=0, tolerance_grad=0
    )
    memory = Lbfgs()

    def closure() -> float:
        theirs.grad = hessian @ (theirs.detach() - goal)
        return float((theirs.detach() - goal) @ hessian @ (theirs.detach() - goal)) / 2

    for _ in range(30):
        optimizer.step(closure)  # type: ignore[no-untyped-call]
        ours = ours + memory.movement(hessian @ (ours - goal))
        torch.testing.assert_close(ours, theirs.detach(), rtol=1e-9, atol=1e-9)
    assert float((ours - goal).norm()) < 0.05 * float(goal.norm())


def test_the_loss_falls_a_step_a_tick(pipeline: StyleTransferPipeline) -> None:
    row = pipeline.admit(_request(num_inference_steps=12))
    losses = []
    for step in range(1, 13):
        pipeline.advance([row])
        assert row.step == step
        losses.append(row.loss)
    assert row.total_steps == 12
    assert losses[1] < losses[0]
    assert losses[-1] < 0.5 * losses[0]


def test_the_same_seed_gives_the_same_bytes_whoever_is_beside(
    pipeline: StyleTransferPipeline,
) -> None:
    alone = _finish(pipeline, pipeline.admit(_request()))
    row, neighbour = pipeline.admit(_request()), pipeline.admit(_request(seed=6))
    pipeline.advance([neighbour, row])
    pipeline.advance([row])
    assert _finish(pipeline, row) == alone
    assert _finish(pipeline, neighbour) != alone


def test_an_artworks_style_is_looked_at_once(pipeline: StyleTransferPipeline) -> None:
    before = pipeline.counted
    artwork = _picture(seed=17)
    rows = [pipeline.admit(_request(style_image=artwork, seed=seed)) for seed in (1, 2)]
    assert rows[0].grams is rows[1].grams
    changes = {name: now - before[name] for name, now in pipeline.counted.items()}
    assert changes == {"artwork_hits": 1, "artwork_misses": 1}
    pipeline.put_away()
    pipeline.bring()
    again = pipeline.admit(_request(style_image=artwork, seed=1))
    assert all(torch.equal(again.grams[name], gram) for name, gram in rows[0].grams.items())
    assert _finish(pipeline, again) == _finish(pipeline, rows[0])


def test_a_step_that_failed_can_be_repeated(
    pipeline: StyleTransferPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = _finish(pipeline, pipeline.admit(_request()))
    row = pipeline.admit(_request())
    pipeline.advance([row])
    with monkeypatch.context() as patch:

        def fail(*_: object, **__: object) -> object:
            raise torch.OutOfMemoryError("none left")

        patch.setattr(torch, "dot", fail)
        with pytest.raises(torch.OutOfMemoryError):
            pipeline.advance([row])
    assert row.step == 1
    assert _finish(pipeline, row) == expected


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_on_a_gpu_the_same_seed_gives_the_same_bytes(weights: Path) -> None:
    config = EngineConfig(device="cuda", models_dir=weights.parent)
    pipeline = StyleTransferPipeline.load(model="vgg19", config=config)
    images = [_finish(pipeline, pipeline.admit(_request())) for _ in range(2)]
    assert images[0] == images[1] != _request().image


def test_previews_are_small_and_change_nothing(pipeline: StyleTransferPipeline) -> None:
    request = _request(image=_picture(width=300, height=90), num_inference_steps=1)
    row = pipeline.admit(request)
    shown = pipeline.preview(row)
    assert (shown.width, shown.height) == (256, 77)
    image = _finish(pipeline, row)
    assert (image.width, image.height) == (300, 90)
    assert image == _finish(pipeline, pipeline.admit(request))


def test_strength_0_returns_the_input(pipeline: StyleTransferPipeline) -> None:
    row = pipeline.admit(_request(strength=0.0))
    assert _finish(pipeline, row) == _request().image


def test_an_artwork_is_needed(pipeline: StyleTransferPipeline) -> None:
    with pytest.raises(InvalidRequestError, match="artwork"):
        pipeline.admit(_request(style_image=None))


def test_missing_damaged_and_foreign_weights_are_refused_with_a_sentence(tmp_path: Path) -> None:
    def refusal() -> str:
        with pytest.raises(ModelUnavailableError) as refused:
            load_vgg19(models_dir=tmp_path, device=torch.device("cpu"))
        return str(refused.value)

    assert "there is no vgg19" in refusal()
    path = tmp_path / "vgg19-00000000.pth"
    torch.save({"features.0.weight": torch.zeros(2)}, path)
    assert "is damaged" in refusal()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.rename(tmp_path / f"vgg19-{digest[:8]}.pth")
    assert "could not be loaded" in refusal()


def test_weights_that_would_run_code_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "plain.pth"
    torch.save({"features.0.weight": Path("/")}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.rename(tmp_path / f"vgg19-{digest[:8]}.pth")
    with pytest.raises(ModelUnavailableError, match="more than weights"):
        load_vgg19(models_dir=tmp_path, device=torch.device("cpu"))


def test_a_gram_matrix_is_the_correlation_of_channels() -> None:
    features = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    gram = gram_matrix(features)
    expected = sum(
        float(features[1, 0, y, x] * features[1, 2, y, x]) for y in range(4) for x in range(5)
    )
    assert float(gram[1, 0, 2]) == pytest.approx(expected / 20, abs=1e-5)
    assert float(torch.linalg.eigvalsh(gram).min()) >= -1e-5


def test_a_flat_picture_has_no_variation() -> None:
    assert float(total_variation(torch.full((1, 3, 4, 4), 0.3))) == 0
    steps = torch.tensor([[0.0, 1.0], [0.0, 1.0]]).view(1, 1, 2, 2)
    assert float(total_variation(steps)) == 1
