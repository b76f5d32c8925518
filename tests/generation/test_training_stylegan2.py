"""The training of StyleGAN2: a killed run goes on to the same bytes, and a short one learns."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from generation.pipelines.stylegan2 import StyleGan2
from generation.trained import load_trained
from generation.training.__main__ import main
from generation.training.avatar_data import avatar_data
from generation.training.stylegan2 import Stylegan2Config, Stylegan2Course

torch.set_num_threads(1)

ROOT = Path(__file__).parents[2]
TINY = {
    "resolution": 16, "thousands": 1, "batch": 32, "narrowest": 4, "widest": 8, "latents": 8,
    "layers": 2, "painted": 40, "report_steps": 12, "augment": "translation",
}  # fmt: skip


def arguments(out: Path, *more: str) -> list[str]:
    wishes = [word for name, value in TINY.items() for word in ("--set", f"{name}={value}")]
    return ["stylegan2", "--out", str(out), "--quiet", *wishes, *more]


def lines_of(out: Path) -> list[str]:
    place = out.with_name(f"{out.name}.work") / "figures.jsonl"
    return place.read_text().splitlines() if place.exists() else []


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_killed_training_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert main(arguments(whole)) == 0
    program = [sys.executable, "-m", "bot", "train", *arguments(killed)]
    with subprocess.Popen(program, cwd=ROOT) as child:
        while len(lines_of(killed)) < 1 and child.poll() is None:
            time.sleep(0.002)
        os.kill(child.pid, signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    assert not killed.exists()
    assert main(arguments(killed, "--resume")) == 0
    weights = [(folder / "model.safetensors").read_bytes() for folder in (whole, killed)]
    assert weights[0] == weights[1]
    assert lines_of(whole) == lines_of(killed)
    assert [json.loads(line)["step"] for line in lines_of(whole)] == [12, 24, 31]
    network = load_trained(whole, StyleGan2)
    assert network.mapping.w_avg.abs().max() > 0
    with Image.open(whole / "samples.png") as sheet:
        assert sheet.width >= 8 * 2 * 16
    assert load_file(whole / "model.safetensors")["mapping.w_avg"].dtype == torch.float16


@pytest.mark.slow
def test_whoever_takes_a_state_over_takes_the_same_steps(tmp_path: Path) -> None:
    config = Stylegan2Config(**TINY)  # type: ignore[arg-type]
    data = avatar_data(None, kept=tmp_path, side=16, count=40, seed=1)
    first = Stylegan2Course(config, data=data)
    for number in range(9):
        first.step(number)
    torch.save(first.state(), tmp_path / "state.pt")
    second = Stylegan2Course(config, data=data)
    second.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    # The eighth and the sixteenth are regularised, and remember the lengths of before.
    losses = [[course.step(number) for number in range(9, 18)] for course in (first, second)]
    assert losses[0] == losses[1]
    states = [course.mean.state_dict() for course in (first, second)]
    assert all(torch.equal(each, states[1][name]) for name, each in states[0].items())


@pytest.mark.slow
def test_a_short_training_comes_nearer_to_the_data(tmp_path: Path) -> None:
    folder = tmp_path / "flags"
    folder.mkdir()
    for number in range(32):
        Image.new("RGB", (16, 16), (200 + number, 40, 30)).save(folder / f"{number}.png")
    quick = {"augment": "none", "ema": 0.9, "batch": 8, "learning_rate": 1e-2}
    config = Stylegan2Config(**{**TINY, **quick})  # type: ignore[arg-type]
    data = avatar_data(folder, kept=tmp_path, side=16, count=0, seed=1)
    course = Stylegan2Course(config, data=data)
    wanted = course._pictures(data.train).mean(dim=0)

    def away() -> float:
        return (course._shown(32, seed=3, psi=1.0).mean(dim=0) - wanted).abs().mean().item()

    before = away()
    losses = [course.step(number) for number in range(40)]
    assert away() < before / 2
    told = [each["discriminator_loss"] for each in losses]
    # A discriminator that knows nothing has 2 ln 2.
    assert told[0] == pytest.approx(2 * math.log(2), abs=0.2)
    assert sum(told[-10:]) < 0.9 * sum(told[:10])
