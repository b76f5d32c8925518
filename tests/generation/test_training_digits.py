"""Training the digit models: data of every kind, exact resumption, cards, and clear refusals."""

import gzip
import json
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from generation.errors import InvalidRequestError
from generation.pipelines.gan import LATENTS, DigitsGenerator
from generation.training.__main__ import main, recipe
from generation.training.course import Mixed, batch_of, require_batch
from generation.training.digit_data import digit_data, read_idx
from generation.training.digits import STROKES, curve, digit, digits
from generation.training.digits_gan import DigitsGanConfig, DigitsGanCourse
from generation.training.digits_vae import DigitsVaeConfig, DigitsVaeCourse

torch.set_num_threads(1)

ROOT = Path(__file__).parents[2]
SMALL = {
    "digits-vae": ("epochs=12", "batch=16", "painted=160", "hidden=16", "latents=4"),
    "digits-gan": ("epochs=6", "batch=16", "painted=80", "channels=4"),
}


def arguments(name: str, out: Path, *more: str) -> list[str]:
    settings = [part for setting in SMALL[name] for part in ("--set", setting)]
    return [name, "--out", str(out), "--quiet", *settings, *more]


def lines_of(out: Path) -> list[dict[str, float]]:
    place = out.with_name(out.name + ".work") / "figures.jsonl"
    return [json.loads(line) for line in place.read_text().splitlines()] if place.exists() else []


def test_digits_are_centred_like_mnists_and_every_figure_comes_as_often() -> None:
    pictures, labels = digits(60, seed=3)
    assert pictures.shape == (60, 28, 28)
    assert np.bincount(labels).tolist() == [6] * 10
    across = np.arange(28)
    for picture in pictures.astype(float):
        assert abs((picture.sum(axis=0) * across).sum() / picture.sum() - 13.5) < 0.6
        assert abs((picture.sum(axis=1) * across).sum() / picture.sum() - 13.5) < 0.6
        assert picture.max() > 120


def test_a_digit_is_a_function_of_its_seed_and_each_is_another() -> None:
    first, again, other = (digit(3, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_figures_can_be_told_apart_by_their_means() -> None:
    """A digit is nearer to the mean of its own figure than to others' far above chance."""
    pictures, labels = digits(400, seed=1)
    flat = pictures.reshape(len(pictures), -1) / 255
    means = np.stack([flat[:300][labels[:300] == figure].mean(axis=0) for figure in range(10)])
    distances = ((flat[300:, None] - means) ** 2).sum(axis=2)
    assert (distances.argmin(axis=1) == labels[300:]).mean() > 0.6


def test_a_curve_passes_its_points() -> None:
    points = np.array(STROKES[8][0][0])
    drawn = curve(points, parts=7)
    np.testing.assert_allclose(drawn[::7], points, atol=1e-12)
    assert len(drawn) == 7 * (len(points) - 1) + 1


@pytest.mark.parametrize("packed", [False, True])
def test_mnists_files_are_read(tmp_path: Path, packed: bool) -> None:
    pictures, _ = digits(20, seed=2)
    data = struct.pack(">4I", 0x0803, *pictures.shape) + pictures.tobytes()
    place = tmp_path / ("train-images-idx3-ubyte" + (".gz" if packed else ""))
    place.write_bytes(gzip.compress(data) if packed else data)
    assert np.array_equal(read_idx(place), pictures)
    found = digit_data(tmp_path, kept=tmp_path / "kept", seed=1)
    assert (len(found.train), len(found.held_out)) == (18, 2)
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\0\0\x08\x03", "cannot be read"),
        (struct.pack(">4I", 0x0801, 1, 28, 28) + bytes(784), "holds no pictures"),
        (struct.pack(">4I", 0x0803, 1, 32, 32) + bytes(1024), "holds no pictures"),
        (struct.pack(">4I", 0x0803, 2, 28, 28) + bytes(784), "does not hold the 2 pictures"),
        (struct.pack(">4I", 0x0803, 2, 28, 28) + bytes(1568), "2 digits are too few"),
    ],
)
def test_a_damaged_file_of_digits_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(data)
    with pytest.raises(InvalidRequestError, match=said):
        digit_data(tmp_path, kept=tmp_path / "kept", seed=1)


def test_a_folder_of_pictures_is_read_in_grey_and_an_empty_one_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="holds neither"):
        digit_data(tmp_path, kept=tmp_path / "kept", seed=1)
    (tmp_path / "3").mkdir()
    for number in range(20):
        Image.new("RGB", (56, 56), "white").save(tmp_path / "3" / f"{number}.png")
    Image.new("RGB", (30, 40)).save(tmp_path / "two.png")
    found = digit_data(tmp_path, kept=tmp_path / "kept", seed=1)
    assert sorted({*found.train.flatten(), *found.held_out.flatten()}) == [0, 255]
    (tmp_path / "three.png").write_bytes(b"\x89PNG and no more")
    with pytest.raises(InvalidRequestError, match=r"three\.png is no picture"):
        digit_data(tmp_path, kept=tmp_path / "kept", seed=1)


def test_an_epoch_shows_every_picture_once_and_the_next_in_another_order() -> None:
    epochs = [
        torch.cat([batch_of(12, size=4, seed=1, number=3 * epoch + place) for place in range(3)])
        for epoch in range(2)
    ]
    assert [sorted(epoch.tolist()) for epoch in epochs] == [list(range(12))] * 2
    assert epochs[0].tolist() != epochs[1].tolist()
    with pytest.raises(InvalidRequestError, match="too few"):
        require_batch(3, size=4)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_a_killed_training_goes_on_to_the_same_bytes(name: str, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert main(arguments(name, whole)) == 0
    # As somebody types it: whoever kills that ends the training.
    program = [sys.executable, "-m", "bot", "train", *arguments(name, killed)]
    with subprocess.Popen(program, cwd=ROOT) as child:
        while len(lines_of(killed)) < 3 and child.poll() is None:
            time.sleep(0.002)
        if child.poll() is None:
            assert main(arguments(name, killed, "--resume")) == 1
        os.kill(child.pid, signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    assert not killed.exists()
    assert main(arguments(name, killed, "--resume")) == 0
    weights = [(folder / "model.safetensors").read_bytes() for folder in (whole, killed)]
    assert weights[0] == weights[1]
    assert lines_of(whole) == lines_of(killed)


@pytest.mark.parametrize("name", SMALL)
def test_a_training_that_is_out_of_time_stops_and_goes_on(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model"
    assert main(arguments(name, out, "--minutes", "0")) == 0
    assert "--resume goes on" in capsys.readouterr().out
    assert main(arguments(name, out)) == 1
    assert "give --resume" in capsys.readouterr().err
    assert main(arguments(name, out, "--resume")) == 0
    lines = lines_of(out)
    assert all(np.isfinite(value) for line in lines for value in line.values())
    card = (out / "README.md").read_text()
    assert "painted digits (seed 1), SHA-256" in card
    assert main(arguments(name, out, "--resume")) == 1
    assert "is there already" in capsys.readouterr().err
    assert all(f"`{field}`" in card for field in recipe(name)[0].__dataclass_fields__)
    with Image.open(out / "samples.png") as sheet:
        assert sheet.size == (4 * (28 * 3 + 2) + 2,) * 2
    work = out.with_name("model.work")
    assert len([*(work / "sheets").glob("samples-*.png")]) == len(lines)
    assert [*(work / "tensorboard").glob("events*")]


def test_the_vaes_loss_falls_on_digits_it_has_not_seen(tmp_path: Path) -> None:
    out = tmp_path / "model"
    assert main(arguments("digits-vae", out)) == 0
    losses = [line["held_out_negative_elbo"] for line in lines_of(out)]
    assert losses[-1] < 0.9 * losses[0]
    for line in lines_of(out):
        parts = line["held_out_reconstruction"] + line["held_out_kl"]
        assert line["held_out_negative_elbo"] == pytest.approx(parts, abs=1e-4)


def test_a_shipped_generator_is_what_its_configuration_says(tmp_path: Path) -> None:
    out = tmp_path / "model"
    assert main(arguments("digits-gan", out)) == 0
    told = json.loads((out / "config.json").read_text())
    assert told.pop("network") == "generation.pipelines.gan:DigitsGenerator"
    generator = DigitsGenerator(**told)
    generator.load_state_dict(load_file(out / "model.safetensors"))
    assert generator.eval()(torch.zeros(1, LATENTS)).isfinite().all()


def test_a_generator_of_one_digit_alone_is_said_to_have_collapsed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = DigitsGanConfig(painted=80, channels=4)
    course = DigitsGanCourse.begun(config, data=None, work=tmp_path)
    for weight in course.mean.parameters():
        torch.nn.init.zeros_(weight)
    assert course.examine()["diversity_beside_data"] < 0.01
    assert "collapsed" in caplog.text


def test_other_settings_do_not_go_on_with_a_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model"
    main(arguments("digits-gan", out, "--minutes", "0"))
    assert main(arguments("digits-gan", out, "--resume", "--set", "batch=8")) == 1
    assert "batch was 16, not 8" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("layers=3", "there is no setting 'layers'; known: epochs"),
        ("epochs=many", "epochs is no int: 'many'"),
        ("epochs=0", "epochs is above 0, not 0"),
        ("learning_rate=-1", "learning_rate is above 0, not -1.0"),
        ("seed=-1", "seed is at least 0"),
        ("painted=14", "14 digits are too few; 20 will do"),
        ("precision=float8", "precision is one of float32, bfloat16, float16"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(
    tmp_path: Path, setting: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["digits-vae", "--out", str(tmp_path / "model"), "--set", setting]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "model").exists()


def test_a_figure_is_that_of_whole_numbers_in_half_precision_too(tmp_path: Path) -> None:
    config = DigitsVaeConfig(painted=80, batch=16, hidden=16, precision="bfloat16")
    course = DigitsVaeCourse.begun(config, data=None, work=tmp_path)
    figures = course.step(0)
    assert figures["kl"] != torch.tensor(figures["kl"]).bfloat16().item()


def test_bfloat16_calculates_in_halves_and_keeps_whole_weights() -> None:
    torch.manual_seed(0)
    layer = torch.nn.Linear(8, 8)
    mixed = Mixed(device=torch.device("cpu"), precision="bfloat16")
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    with mixed():
        found = layer(torch.ones(2, 8))
    assert found.dtype is torch.bfloat16
    before = layer.weight.detach().clone()
    mixed.minimise(found.float().square().mean(), optimizer)
    assert layer.weight.dtype is torch.float32
    assert not torch.equal(layer.weight, before)
