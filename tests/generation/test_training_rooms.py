"""Painted rooms, folders with captions, and the training of a VAE on them."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file

from generation.errors import InvalidRequestError
from generation.pipelines.latent_prior import LatentPrior
from generation.pipelines.picture_vae import PictureVae
from generation.training.__main__ import main
from generation.training.picture_data import attributes_in, attributes_of, picture_data
from generation.training.rooms import Room, paint_room
from generation.training.rooms_kinds import KINDS
from generation.training.rooms_words import ACCENTS, FLOORS, SKIES, STYLES, WALLS

torch.set_num_threads(1)

SETTINGS = ("size=64", "painted=40", "steps=24", "prior_steps=6", "batch=4", "prior_batch=4",
            "latents=4", "width=16", "blocks=1")  # fmt: skip


def room(seed: int, kind: str | None = None) -> Room:
    return paint_room(np.random.default_rng(seed), size=64, kind=kind)


def arguments(out: Path, *more: str) -> list[str]:
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    return ["rooms-vae", "--out", str(out), "--quiet", *settings, *more]


def lines_of(out: Path) -> list[dict[str, float]]:
    place = out.with_name(out.name + ".work") / "figures.jsonl"
    return [json.loads(line) for line in place.read_text().splitlines()]


@pytest.mark.parametrize("kind", KINDS)
def test_a_room_is_a_function_of_its_seed_and_says_what_it_is(kind: str) -> None:
    first, again, other = room(5, kind), room(5, kind), room(6, kind)
    assert np.array_equal(first.rgb, again.rgb)
    assert not np.array_equal(first.rgb, other.rgb)
    assert first.caption.startswith(f"{kind}, ")
    assert first.rgb.shape == (64, 64, 3)
    assert first.rgb.min() >= 0
    assert first.rgb.max() <= 1
    assert first.rgb.std() > 0.05


def test_captions_name_one_of_everything() -> None:
    for seed in range(6):
        said = attributes_in(room(seed).caption)
        for table in (KINDS, STYLES, WALLS, ACCENTS, FLOORS, SKIES):
            assert len(said & set(table)) == 1


@pytest.mark.slow
def test_what_captions_say_of_walls_and_light_is_seen() -> None:
    rooms = [room(seed) for seed in range(120)]

    def mean(word: str) -> NDArray[Any]:
        found = [it.rgb[12:30, 8:56] for it in rooms if word in it.caption]
        colour: NDArray[Any] = np.mean(found, axis=(0, 1, 2))
        return colour

    assert mean("evening").sum() < 0.8 * mean("daylight").sum()
    red, _, blue = mean("blue walls")
    assert blue > red
    red, _, blue = mean("terracotta walls")
    assert red > 1.3 * blue
    red, _, blue = mean("sunset")
    assert red > 1.2 * blue


@pytest.mark.slow
def test_kinds_of_rooms_can_be_told_apart_by_their_means() -> None:
    """A room is nearer to the mean of its own kind, in grey, than to others' above chance."""
    grey = {
        kind: np.stack([room(seed, kind).rgb.mean(axis=2) for seed in range(24)]) for kind in KINDS
    }
    centred = {kind: it - it.mean(axis=(1, 2), keepdims=True) for kind, it in grey.items()}
    means = np.stack([it[:16].mean(axis=0) for it in centred.values()])
    right = [
        ((means - one) ** 2).sum(axis=(1, 2)).argmin() == number
        for number, it in enumerate(centred.values())
        for one in it[16:]
    ]
    assert np.mean(right) > 0.5


def test_captions_are_told_by_their_phrases_or_by_their_words() -> None:
    assert attributes_in("Living room, Blue walls") == {"living room", "blue walls"}
    assert attributes_in("a bed in the light of a lamp") == {"bed", "light", "lamp"}
    assert attributes_in("") == set()


def test_attributes_tell_captions_apart() -> None:
    captions = ["room, bed"] * 6 + ["room, sofa"] * 3 + ["room, tub"]
    assert attributes_of(captions) == ["bed", "sofa"]


def test_a_folder_of_pictures_has_captions_beside_them_or_its_folders_names(
    tmp_path: Path,
) -> None:
    (tmp_path / "living_room").mkdir()
    for number in range(20):
        Image.new("RGB", (80, 60), (10 * number, 0, 0)).save(
            tmp_path / "living_room" / f"{number}.png"
        )
    (tmp_path / "living_room" / "7.txt").write_text("kitchen, blue walls\n")
    found = picture_data(tmp_path, kept=tmp_path / "kept", size=64, count=1, seed=1)
    assert found.train.shape == (18, 64, 64, 3)
    told = [*found.captions, *found.held_out_captions]
    shown = np.concatenate([found.train, found.held_out])[:, 32, 32, 0]
    assert sorted(told)[0] == "kitchen, blue walls"
    assert shown[told.index("kitchen, blue walls")] == 70
    assert told.count("living room") == 19
    (tmp_path / "living_room" / "3.png").write_bytes(b"\x89PNG and no more")
    with pytest.raises(InvalidRequestError, match=r"3\.png is no picture"):
        picture_data(tmp_path, kept=tmp_path / "kept", size=64, count=1, seed=1)


def test_damaged_paintings_are_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "rooms-64-20-1.npz").write_bytes(b"PK and no more")
    with pytest.raises(InvalidRequestError, match="the rooms are painted anew"):
        picture_data(None, kept=tmp_path, size=64, count=20, seed=1)


def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="holds 0 pictures"):
        picture_data(tmp_path, kept=tmp_path, size=64, count=1, seed=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("rooms") / "whole"
    assert main(arguments(out)) == 0
    return out


@pytest.mark.slow
def test_a_training_that_was_stopped_goes_on_to_the_same_bytes(
    trained: Path, tmp_path: Path
) -> None:
    out = tmp_path / "stopped"
    out.with_name("stopped.work").mkdir()
    for kept in trained.with_name("whole.work").glob("*.npz"):
        shutil.copy(kept, out.with_name("stopped.work"))
    assert main(arguments(out, "--minutes", "0")) == 0
    while not out.exists():
        assert main(arguments(out, "--resume", "--minutes", "0.01")) == 0
    for name in ("model.safetensors", "prior/model.safetensors"):
        assert (out / name).read_bytes() == (trained / name).read_bytes()
    assert lines_of(out) == lines_of(trained)


@pytest.mark.slow
def test_the_vaes_loss_falls_and_then_the_prior_is_examined(trained: Path) -> None:
    lines = lines_of(trained)
    coded = [line for line in lines if "held_out_flow_loss" not in line]
    led = lines[len(coded) :]
    assert coded[-1]["held_out_negative_elbo"] < coded[0]["held_out_negative_elbo"]
    assert led[0]["held_out_flow_loss"] > 0
    assert {line["held_out_psnr"] for line in led} == {coded[-1]["held_out_psnr"]}
    assert led[-1]["diversity_of_data"] > 0


@pytest.mark.slow
def test_what_is_exported_is_what_its_configurations_say(trained: Path) -> None:
    told = json.loads((trained / "config.json").read_text())
    assert told.pop("network") == "generation.pipelines.picture_vae:PictureVae"
    PictureVae(**told).load_state_dict(load_file(trained / "model.safetensors"))
    told = json.loads((trained / "prior" / "config.json").read_text())
    assert told.pop("network") == "generation.pipelines.latent_prior:LatentPrior"
    prior = LatentPrior(**told)
    prior.load_state_dict(load_file(trained / "prior" / "model.safetensors"))
    assert "kitchen" in prior.words
    assert prior.directions.float().abs().sum() > 0
    card = (trained / "README.md").read_text()
    assert "held out psnr" in card
    assert "40 painted rooms (seed 1) with captions, SHA-256" in card
    assert (trained / "prior" / "README.md").exists()
    for sheet in ("samples", "reconstructions", "walk"):
        assert (trained / f"{sheet}.png").exists()


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("size=100", "size is a multiple of 16 from 64 to 256"),
        ("size=512", "size is a multiple of 16 from 64 to 256"),
        ("width=20", "width is a multiple of 8"),
        ("prior_steps=0", "prior_steps is above 0"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(
    tmp_path: Path, setting: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rooms-vae", "--out", str(tmp_path / "model"), "--set", setting]) == 1
    assert said in capsys.readouterr().err
