"""Trainings that a kill ends go on to the same bytes: those that their own tests only stop."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from generation.training.__main__ import main

torch.set_num_threads(1)

ROOT = Path(__file__).parents[2]
STEPS = ("steps=12", "report=3", "batch=4", "crop=32", "width=4")
SETTINGS = {
    "rooms-vae": (
        *("size=64", "painted=40", "steps=24", "prior_steps=6", "batch=4", "prior_batch=4"),
        *("latents=4", "width=16", "blocks=1"),
    ),
    "encoder": STEPS,
    "adain": STEPS,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two folders of noise, rough and smooth."""
    folder = tmp_path_factory.mktemp("data")
    for number in range(24):
        rough = np.random.default_rng(number).integers(0, 256, (48, 48, 3), np.uint8)
        smooth = Image.fromarray(rough[:6, :6]).resize((48, 48))
        for name, picture in (("content", Image.fromarray(rough)), ("style", smooth)):
            (folder / name).mkdir(exist_ok=True)
            picture.save(folder / name / f"{number}.png")
    return folder


def figures_of(out: Path) -> str:
    place = out.with_name(f"{out.name}.work") / "figures.jsonl"
    return place.read_text() if place.exists() else ""


def weights_of(out: Path) -> dict[str, bytes]:
    return {str(it.relative_to(out)): it.read_bytes() for it in sorted(out.rglob("*.safetensors"))}


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", SETTINGS)
def test_a_killed_training_goes_on_to_the_same_bytes(name: str, data: Path, tmp_path: Path) -> None:
    def arguments(out: Path, *more: str) -> list[str]:
        settings = [part for each in SETTINGS[name] for part in ("--set", each)]
        given = [] if name == "rooms-vae" else ["--data", str(data)]
        return [name, "--out", str(out), "--quiet", *given, *settings, *more]

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert main(arguments(whole)) == 0
    program = [sys.executable, "-m", "bot", "train", *arguments(killed)]
    with subprocess.Popen(program, cwd=ROOT) as child:
        while not figures_of(killed) and child.poll() is None:
            time.sleep(0.002)
        os.kill(child.pid, signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    assert not killed.exists()
    assert main(arguments(killed, "--resume")) == 0
    assert weights_of(whole) == weights_of(killed) != {}
    assert figures_of(whole) == figures_of(killed)
