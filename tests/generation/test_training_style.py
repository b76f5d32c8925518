"""Training the style encoder and AdaIN's decoder: textures, exact resumption, what they write."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from generation.errors import InvalidRequestError
from generation.pipelines.adain_nets import AdainNet
from generation.pipelines.encoder import LEVELS, StyleEncoder
from generation.trained import load_trained
from generation.training.__main__ import main
from generation.training.adain import style_loss, turned_axes
from generation.training.bank import SIDE, artwork_bank, scene_bank, texture_bank
from generation.training.course import rng_of
from generation.training.digit_data import FEWEST
from generation.training.encoder import one_cycle
from generation.training.textures import FAMILIES, paint_texture

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of stripes, lying in one family and standing in the other."""
    folder = tmp_path_factory.mktemp("data")
    for number in range(12):
        line = np.random.default_rng(number).integers(0, 256, (16, 1, 3), dtype=np.uint8)
        lying = Image.fromarray(line.repeat(16, 1)).resize((48, 48), Image.Resampling.NEAREST)
        for name, picture in (
            ("lying", lying),
            ("standing", lying.transpose(Image.Transpose.ROTATE_90)),
        ):
            for place in (
                folder / "both" / name,
                folder / "pairs" / "content" / name,
                folder / "pairs" / "style" / name,
            ):
                place.mkdir(parents=True, exist_ok=True)
                picture.save(place / f"{number}.png")
    return folder


def trained(name: str, out: Path, data: Path, *settings: str, more: tuple[str, ...] = ()) -> int:
    given = [part for each in settings for part in ("--set", each)]
    return main([name, "--out", str(out), "--data", str(data), "--quiet", *given, *more])


SMALL = ("steps=6", "batch=4", "crop=32", "report=3")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_texture_is_a_function_of_its_seed(family: str) -> None:
    first, again, other = (
        paint_texture(np.random.default_rng(seed), family=family, size=40) for seed in (1, 1, 2)
    )
    assert first.colour.shape == (40, 40, 3)
    assert 0 <= first.colour.min() < first.colour.max() <= 1
    assert np.array_equal(first.colour, again.colour)
    assert not np.array_equal(first.colour, other.colour)


def test_a_crop_turns_what_is_known_along(data: Path) -> None:
    bank = texture_bank(data / "both", kept=data, per_family=1, seed=1)
    bank.known[:] = (1.0, 0.6, 0.8)
    crops = bank.crops(40, side=48, rng=rng_of(1, 0), held_out=False)
    assert crops.pictures.shape == (40, 3, 48, 48)
    squares = crops.known[:, 1:].square().sum(1)
    torch.testing.assert_close(squares, torch.ones(40))
    assert {(round(a, 1), round(b, 1)) for a, b in crops.known[:, 1:].tolist()} == {
        (0.6, 0.8), (0.6, -0.8), (-0.6, 0.8), (-0.6, -0.8)
    }  # fmt: skip
    assert bool((crops.known[:, 0] <= 1).all())
    assert bool((crops.known[:, 0] >= 1 + np.log2(48 / SIDE) - 1e-6).all())


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="holds no folders of pictures"):
        texture_bank(tmp_path, kept=tmp_path, per_family=1, seed=1)


def test_contents_and_styles_lie_in_a_folder_or_in_folders_of_it(tmp_path: Path) -> None:
    for number in range(FEWEST):
        place = tmp_path / ("deeper" if number % 2 else ".") / f"{number}.png"
        place.parent.mkdir(exist_ok=True)
        Image.new("RGB", (40, 40), (number, 0, 0)).save(place)
    for bank in (
        scene_bank(tmp_path, kept=tmp_path, count=1, seed=1),
        artwork_bank(tmp_path, kept=tmp_path, per_family=1, seed=1),
    ):
        assert len(bank.pictures) == FEWEST
        assert bank.families == sorted(["deeper", tmp_path.name])
    with pytest.raises(InvalidRequestError, match="10 pictures are too few"):
        texture_bank(tmp_path, kept=tmp_path, per_family=1, seed=1)


def test_normalising_scales_every_layer_and_tells_the_same_apart() -> None:
    torch.manual_seed(3)
    encoder, pictures = StyleEncoder(widths=(4, 4, 8, 8)), torch.rand(6, 3, 32, 32)
    encoder.requires_grad_(requires_grad=False)
    before = encoder(pictures)
    encoder.normalise(pictures)
    for level, answers in encoder(pictures).items():
        strength = answers.square().mean((0, 2, 3)).sqrt()
        assert float(strength.max()) == pytest.approx(1, abs=1e-4)
        # Each channel is what it was, times a number of its own.
        for one, other in zip(before[level].unbind(1), answers.unbind(1), strict=True):
            torch.testing.assert_close(one * other.norm(), other * one.norm(), atol=1e-3, rtol=1e-3)


def test_the_style_loss_is_a_share_and_0_for_the_style_itself() -> None:
    rng = torch.Generator().manual_seed(0)
    answers = {level: torch.rand((2, 6, 9, 7), generator=rng) for level in LEVELS}
    assert float(style_loss(answers, answers)) == 0
    # Twice as strong answers have Gram matrices four times as strong: 9 of 17 shares are lost.
    for loud in (1.0, 10.0):
        own, other = ({level: k * loud * it for level, it in answers.items()} for k in (1, 2))
        assert float(style_loss(own, other)) == pytest.approx(len(LEVELS) * 9 / 17, rel=1e-4)


def test_colours_are_turned_about_axes_at_right_angles() -> None:
    axes = turned_axes(torch.Generator().manual_seed(0))
    torch.testing.assert_close(axes @ axes.T, torch.eye(3))


def test_families_are_drawn_as_often_however_many_pictures_they_have(data: Path) -> None:
    bank = texture_bank(data / "both", kept=data, per_family=1, seed=1)
    bank.labels[:] = 0
    bank.labels[:2] = 1
    crops = bank.crops(200, side=48, rng=rng_of(1, 0), held_out=False, evenly=True)
    assert 70 <= int(crops.families.sum()) <= 130


def test_the_learning_rate_rises_and_falls_once() -> None:
    rates = [one_cycle(step / 100) for step in range(100)]
    top = rates.index(max(rates))
    assert rates == [*sorted(rates[:top]), *sorted(rates[top:], reverse=True)]
    assert rates[-1] < 0.01 < rates[0] + 0.01


@pytest.mark.slow
def test_both_are_trained_and_resumed_to_the_same_bytes(data: Path, tmp_path: Path) -> None:
    encoder, again = tmp_path / "style" / "encoder", tmp_path / "again"
    assert trained("encoder", encoder, data / "both", *SMALL, "width=4") == 0
    assert trained("encoder", again, data / "both", *SMALL, "width=4", more=("--minutes", "0")) == 0
    assert not again.exists()
    assert trained("encoder", again, data / "both", *SMALL, "width=4", more=("--resume",)) == 0
    weights = [(folder / "model.safetensors").read_bytes() for folder in (encoder, again)]
    assert weights[0] == weights[1]
    network = tmp_path / "style" / "adain"
    settings = (*SMALL, f"encoder={encoder}", "width=4")
    assert trained("adain", network, data / "pairs", *settings) == 0
    made = load_trained(network, AdainNet)
    assert made.widths == tuple(4 * 2**level for level in range(len(LEVELS)))
    for folder in (encoder, network):
        work = folder.with_name(folder.name + ".work")
        lines = [json.loads(line) for line in (work / "figures.jsonl").read_text().splitlines()]
        assert [line["step"] for line in lines] == [3, 6]
        assert all(np.isfinite(value) for line in lines for value in line.values())
        assert "24 pictures of the folder" in (folder / "README.md").read_text()


@pytest.mark.slow
def test_the_encoder_learns_to_name_families(tmp_path: Path) -> None:
    out = tmp_path / "encoder"
    settings = ("steps=80", "batch=8", "crop=48", "report=40", "width=8", "per_family=4")
    given = [part for each in settings for part in ("--set", each)]
    assert main(["encoder", "--out", str(out), "--quiet", *given]) == 0
    work = out.with_name("encoder.work")
    lines = [json.loads(line) for line in (work / "figures.jsonl").read_text().splitlines()]
    assert lines[-1]["pixel_loss"] < lines[0]["pixel_loss"]
    assert lines[-1]["family_loss"] < lines[0]["family_loss"]
