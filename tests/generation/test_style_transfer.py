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
from generation.pipelines.encoder import LEVELS, StyleEncoder
from generation.pipelines.eyes import load_eye, own_eye
from generation.pipelines.lbfgs import Lbfgs
from generation.pipelines.style_transfer import (
    StyleRow,
    StyleTransferPipeline,
    gram_matrix,
    total_variation,
)
from generation.pipelines.vgg import LAYERS, load_vgg19
from generation.registry import PIPELINES, offered, resolve
from generation.request import ImageRequest, Manner, Pixels

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


GREY = Pixels(width=40, height=32, data=bytes([90] * (40 * 16 * 3) + [160] * (40 * 16 * 3)))


def lively_encoder() -> StyleEncoder:
    """Return a tiny untrained encoder whose answers depend on the picture more than on biases."""
    torch.manual_seed(0)
    network = StyleEncoder(widths=(4, 4, 8, 8)).requires_grad_(requires_grad=False)
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):
            assert layer.bias is not None
            torch.nn.init.kaiming_normal_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
    network.normalise(torch.rand(4, 3, 32, 32))
    return network


@pytest.fixture(scope="module")
def encoder() -> StyleTransferPipeline:
    device = torch.device("cpu")
    eye = own_eye(lively_encoder())
    return StyleTransferPipeline(eye, device=device, kept_bytes=2**20)


def _finish(pipeline: StyleTransferPipeline, row: StyleRow) -> Pixels:
    while row.step < row.total_steps:
        pipeline.advance([row])
    return pipeline.retire(row).image


def test_it_is_registered_and_offered_only_where_its_weights_are(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert resolve(PIPELINES["gatys"].target) is StyleTransferPipeline
    monkeypatch.setattr("generation.registry.STARTER", tmp_path / "none")
    assert "gatys" in offered(models_dir=weights.parent)
    assert {"gatys", "adain"}.isdisjoint(offered(models_dir=tmp_path))
    (tmp_path / "style" / "encoder").mkdir(parents=True)
    (tmp_path / "style" / "encoder" / "model.safetensors").touch()
    assert "gatys" in offered(models_dir=tmp_path)


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


def test_lbfgs_knows_how_far_to_go_along_a_gradient_and_can_be_told() -> None:
    goal, steepness = torch.arange(4.0), 8.0
    memory, here = Lbfgs(), torch.zeros(4)
    assert memory.reach is None
    for _ in range(2):
        here = here + memory.movement(steepness * (here - goal))
    assert memory.reach == pytest.approx(1 / steepness)
    torch.testing.assert_close(Lbfgs(first=memory.reach).movement(-steepness * goal), goal)


def test_a_larger_size_begins_with_steps_as_long_as_the_smaller_one_ended() -> None:
    pipeline = StyleTransferPipeline.load(
        model="gatys", config=EngineConfig(device="cpu", models_dir=Path("none"))
    )
    large = _picture(width=256, height=192)
    row = pipeline.admit(_request(image=large, num_inference_steps=12))
    while row.step < row.ends[0] + 2:
        pipeline.advance([row])
    begun = row.loss
    pipeline.advance([row])
    assert row.stage == 1
    assert row.loss < 0.9 * begun


def test_the_loss_falls_a_step_a_tick(pipeline: StyleTransferPipeline) -> None:
    row = pipeline.admit(_request(num_inference_steps=12))
    losses = []
    for step in range(1, 13):
        pipeline.advance([row])
        assert row.step == step
        losses.append(row.loss)
    assert row.total_steps == 12
    assert losses[1] < losses[0]
    assert losses == sorted(losses, reverse=True)
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


def test_a_movement_that_raises_the_loss_is_shortened_until_it_does_not(
    pipeline: StyleTransferPipeline,
) -> None:
    row = pipeline.admit(_request(num_inference_steps=20))
    for _ in range(3):
        pipeline.advance([row])
    before, kept = row.loss, row.painted
    row.canvas = row.painted + 50
    pipeline.advance([row])
    assert row.loss == before
    assert row.painted is kept
    while row.step < row.total_steps:
        pipeline.advance([row])
    assert row.loss < before


def test_sizes_are_passed_from_small_to_large(encoder: StyleTransferPipeline) -> None:
    row = encoder.admit(_request(image=_picture(width=300, height=90), num_inference_steps=20))
    sizes = []
    while row.step < row.total_steps:
        encoder.advance([row])
        sizes.append(tuple(row.canvas.shape[-2:]))
    assert row.sides == (128, 256, 300)
    assert list(dict.fromkeys(sizes)) == [(38, 128), (77, 256), (90, 300)]
    assert [sizes.count(size) for size in dict.fromkeys(sizes)] == [10, 8, 2]
    small = encoder.admit(_request(num_inference_steps=20))
    assert (small.sides, small.ends) == ((40,), (20,))


def test_our_own_encoder_lowers_the_loss_too(encoder: StyleTransferPipeline) -> None:
    row = encoder.admit(_request(num_inference_steps=12))
    encoder.advance([row])
    first = row.loss
    made = _finish(encoder, row)
    assert row.loss < 0.5 * first
    assert ("network", "style-encoder") in encoder.retire(row).parameters
    assert made == _finish(encoder, encoder.admit(_request(num_inference_steps=12)))


def test_from_noise_the_picture_is_found_again(encoder: StyleTransferPipeline) -> None:
    """Without style and smoothness nothing but the content pulls."""
    bare = Manner(begin="noise", style_weight=0, tv_weight=0)
    row = encoder.admit(_request(manner=bare, num_inference_steps=60))
    wanted = row.content
    begun = float((encoder._eye.network(row.canvas)[LEVELS[-1]] - wanted).square().mean())
    while row.step < row.total_steps:
        encoder.advance([row])
    assert row.loss < 0.3 * begun


def test_kept_colours_are_the_pictures(encoder: StyleTransferPipeline) -> None:
    made = _finish(encoder, encoder.admit(_request(image=GREY, manner=Manner(keep_colours=True))))
    red, green, blue = np.frombuffer(made.data, np.uint8).reshape(-1, 3).astype(int).T
    assert np.abs(red - green).max() <= 1
    assert np.abs(red - blue).max() <= 1
    assert np.ptp(red) > 0


def test_several_artworks_are_weighed(encoder: StyleTransferPipeline) -> None:
    both = Manner(weight=0.5, others=((_picture(seed=2), 1.5),))
    rows = [
        encoder.admit(_request(**each))
        for each in ({}, {"style_image": _picture(seed=2)}, {"manner": both})
    ]
    for layer, gram in rows[2].grams.items():
        mean = 0.25 * rows[0].grams[layer] + 0.75 * rows[1].grams[layer]
        torch.testing.assert_close(gram, mean)


@pytest.mark.parametrize(
    "changes",
    [
        {"style_weight": -1.0},
        {"weight": 0.0},
        {"others": ((GREY, 1.0),) * 4},
        {"begin": "photograph"},
    ],
)
def test_a_manner_beyond_reason_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError):
        Manner(**changes)


def test_without_any_network_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("generation.trained.STARTER", tmp_path)
    with pytest.raises(ModelUnavailableError, match="neither vgg19"):
        load_eye(models_dir=tmp_path, device=torch.device("cpu"))


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
