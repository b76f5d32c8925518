"""What ships carries its sums: `models verify`, the doctor and every load compare with them."""

import shutil
from pathlib import Path

import pytest

from generation import sums, trained
from generation.cards import Card, FileSum, read_card, write_card
from generation.errors import ModelDamagedError
from generation.pipelines.gan import DigitsGenerator
from generation.sums import require_recorded
from generation.trained import load_trained
from generation.upkeep import verify
from generation.weights import STARTER
from generation.wholeness import SUMS, damage_of, shipped, starters

WITH_WEIGHTS = sorted({path.parent for path in STARTER.rglob("*.safetensors")})
TOLD = {".md", ".png"}
"""Endings of what only people look at."""


def test_every_file_that_is_loaded_of_what_ships_has_its_sum() -> None:
    folders = dict(starters())
    for place in WITH_WEIGHTS:
        (folder,) = (each for each in folders.values() if place.is_relative_to(each))
        there = {
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*")
            if path.is_file() and path.suffix not in TOLD and path.name != SUMS
        }
        renew = f"in {folder}: sha256sum {' '.join(sorted(there))} > {SUMS}"
        assert set(shipped(folder)) == there, renew
        assert damage_of(folder) is None, renew


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of a network that ships, which is taken for what ships."""
    shutil.copytree(STARTER / "digits-gan", tmp_path / "digits-gan")
    for module in (sums, trained):
        monkeypatch.setattr(module, "STARTER", tmp_path)
    return tmp_path / "digits-gan"


def test_a_network_that_ships_is_not_loaded_with_another_bit(ours: Path) -> None:
    assert load_trained(ours, DigitsGenerator)
    weights = ours / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    why = "digits-gan: model.safetensors is not the file that was shipped"
    for load in (
        lambda: load_trained(ours, DigitsGenerator),
        lambda: require_recorded("digits-gan", ours, models_dir=ours.parent / "none"),
    ):
        with pytest.raises(ModelDamagedError, match=why):
            load()
    weights.unlink()
    with pytest.raises(ModelDamagedError, match=r"lacks model\.safetensors, which ships with it"):
        load_trained(ours, DigitsGenerator)


def test_sums_that_an_earlier_version_has_recorded_of_a_starter_mean_nothing(
    tmp_path: Path,
) -> None:
    before = {"unet/old.safetensors": FileSum(size_bytes=1, sha256="0" * 64)}
    write_card("remix", Card(files=before, unusable="it was damaged"), models_dir=tmp_path)
    require_recorded("remix", STARTER / "remix", models_dir=tmp_path)
    assert verify("remix", models_dir=tmp_path).usable
    card = read_card("remix", models_dir=tmp_path)
    assert (card.files, card.unusable) == ({}, "")
