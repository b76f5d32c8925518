"""Fetching from a hub: what comes is compared with its sums, and a break costs nothing."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import constants
from safetensors.numpy import save_file

from generation.catalogue import Entry, entries, entry_named
from generation.errors import ModelUnavailableError
from generation.pulling import pull
from generation.upkeep import PARTIAL, alone, verify
from tests.generation.hub import COMMIT, Hub, serving

CHUNK_BYTES = 2**10
"""What is kept of a broken connection is whole pieces of this size; of 10 MB in use."""
UNET = "unet/diffusion_pytorch_model.safetensors"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """Return a hub that has a checkpoint of one part, and beside it what nobody loads."""
    folder = tmp_path / "hub"
    (folder / "unet").mkdir(parents=True)
    parts = {"_class_name": "Pipeline", "unet": ["diffusers", "UNet"]}
    (folder / "model_index.json").write_text(json.dumps(parts))
    (folder / "unet" / "config.json").write_text("{}")
    save_file({"weight": np.arange(10_000, dtype=np.float32)}, folder / UNET)
    for waste in ("merged.safetensors", "unet/diffusion_pytorch_model.fp16.safetensors"):
        (folder / waste).write_bytes(b"waste")
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"waste")
    with serving(Hub(folder=folder)) as running:
        yield running


def pulled(hub: Hub, folder: Path, **options: object) -> Entry:
    """Pull the hub's checkpoint into a folder of models."""
    asked = {"models_dir": folder / "models", "endpoint": hub.address, **options}
    return pull(hub.repository, **asked)  # type: ignore[arg-type]


def test_a_pulled_checkpoint_is_there_with_its_commit_and_nothing_that_is_not_loaded(
    hub: Hub, tmp_path: Path
) -> None:
    seen: list[tuple[str, int, int]] = []
    entry = pulled(hub, tmp_path, watch=lambda *told: seen.append(told))
    assert (entry.name, entry.usable) == ("tiny", True)
    assert (entry.card.origin, entry.card.revision) == (hub.repository, COMMIT)
    assert entry.card.licence == "openrail++"
    assert not any("waste" in path or "fp16" in path for path in entry.card.files)
    assert {path for path, _ in hub.asked} == entry.card.files.keys()
    size = (hub.folder / UNET).stat().st_size
    assert (UNET, size, size) in seen
    assert verify("tiny", models_dir=tmp_path / "models").usable
    assert [*(tmp_path / "models" / PARTIAL).iterdir()] == []


def test_an_estimator_is_pulled_like_a_checkpoint_and_anything_else_is_not(
    hub: Hub, tmp_path: Path
) -> None:
    (hub.folder / "model_index.json").unlink()
    (hub.folder / "config.json").write_text('{"architectures": ["DPTForDepthEstimation"]}')
    (hub.folder / "preprocessor_config.json").write_text("{}")
    (hub.folder / "pytorch_model.bin").write_bytes(b"waste")
    save_file({"weight": np.arange(10, dtype=np.float32)}, hub.folder / "model.safetensors")
    entry = pulled(hub, tmp_path)
    assert (entry.title, entry.usable) == ("estimates depths (DPTForDepthEstimation)", True)
    wanted = {"config.json", "preprocessor_config.json", "model.safetensors"}
    assert {path for path, _ in hub.asked} == entry.card.files.keys() == wanted
    (hub.folder / "config.json").write_text('{"architectures": ["BertModel"]}')
    with pytest.raises(ModelUnavailableError, match="tiny is a BertModel; of networks of"):
        pulled(hub, tmp_path)
    assert entry_named("tiny", models_dir=tmp_path / "models").usable
    (tmp_path / "models/tiny.catalogue.json").unlink()
    with pytest.raises(ModelUnavailableError, match="there is a checkpoint 'tiny' already"):
        pulled(hub, tmp_path)


def test_a_broken_connection_is_taken_up_where_it_broke(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", CHUNK_BYTES)
    hub.broken.add(UNET)
    assert pulled(hub, tmp_path).usable
    first, second = [begin for path, begin in hub.asked if path == UNET]
    assert first == 0
    half = (hub.folder / UNET).stat().st_size // 2
    assert half - CHUNK_BYTES < second <= half


def test_a_file_with_other_sums_is_refused_and_the_next_pull_fetches_that_alone(
    hub: Hub, tmp_path: Path
) -> None:
    hub.swapped.add(UNET)
    with pytest.raises(ModelUnavailableError, match="other sums than the hub names"):
        pulled(hub, tmp_path)
    assert [entry.name for entry in entries(models_dir=tmp_path / "models")] == ["remix"]
    hub.swapped.clear()
    hub.asked.clear()
    assert pulled(hub, tmp_path).usable
    assert UNET in {path for path, _ in hub.asked}
    assert "model_index.json" not in {path for path, _ in hub.asked}


def test_a_configuration_alone_is_fetched_and_said_to_lack_weights(
    hub: Hub, tmp_path: Path
) -> None:
    entry = pulled(hub, tmp_path, config_only=True)
    assert not entry.usable
    assert "unet/*.safetensors" in entry.missing
    assert not any(path.endswith(".safetensors") for path, _ in hub.asked)
    assert pulled(hub, tmp_path, revision=COMMIT).usable


def test_a_configuration_joins_the_single_file_that_waits_for_it(hub: Hub, tmp_path: Path) -> None:
    place = tmp_path / "models" / "tiny"
    place.mkdir(parents=True)
    first, last = np.zeros((8, 4, 3, 3)), np.zeros((4, 8, 3, 3))
    names = {"input_blocks.0.0.weight": first, "out.2.weight": last}
    tensors = {f"model.diffusion_model.{name}": each for name, each in names.items()}
    save_file(tensors, place / "merged.safetensors")
    assert not entry_named("tiny", models_dir=tmp_path / "models").usable
    entry = pulled(hub, tmp_path, config_only=True)
    assert entry.missing == ()
    assert entry.usable
    assert {"merged.safetensors", "model_index.json"} <= entry.card.files.keys()
    assert entry.card.origin == f"merged.safetensors, with the configuration of {hub.repository}"


def test_what_the_operator_put_beside_a_pulled_checkpoint_stays(hub: Hub, tmp_path: Path) -> None:
    place = tmp_path / "models" / "tiny"
    pulled(hub, tmp_path)
    (place / "tiny_vae").mkdir()
    own = {"atelier.json": '{"title": "Mine"}', "tiny_vae/config.json": "{}", "x.safetensors": ""}
    for path, text in own.items():
        (place / path).write_text(text)
    entry = pulled(hub, tmp_path, config_only=True)
    assert (entry.title, entry.usable) == ("Mine", True)
    (hub.folder / "atelier.json").write_text('{"title": "Theirs"}')
    (hub.folder / UNET).write_bytes((place / UNET).read_bytes().replace(b"weight", b"height"))
    assert pulled(hub, tmp_path).title == "Mine"
    assert (place / UNET).read_bytes() == (hub.folder / UNET).read_bytes()
    assert {path: (place / path).read_text() for path in own} == own


def test_weights_that_are_linked_from_elsewhere_stay(hub: Hub, tmp_path: Path) -> None:
    place, elsewhere = tmp_path / "models" / "tiny", tmp_path / "elsewhere"
    pulled(hub, tmp_path)
    place.rename(elsewhere)
    place.symlink_to(elsewhere)
    for _ in range(2):
        assert pulled(hub, tmp_path, config_only=True).usable
    assert not place.is_symlink()
    assert (elsewhere / UNET).is_file()


def test_what_an_earlier_attempt_left_is_not_taken(hub: Hub, tmp_path: Path) -> None:
    left = tmp_path / "models" / PARTIAL / "tiny" / "tokenizer" / "merges.txt"
    left.parent.mkdir(parents=True)
    left.touch()
    pulled(hub, tmp_path)
    assert not (tmp_path / "models" / "tiny" / "tokenizer").exists()


def test_no_two_pulls_fetch_under_one_name(hub: Hub, tmp_path: Path) -> None:
    with alone("tiny", models_dir=tmp_path / "models"):
        with pytest.raises(ModelUnavailableError, match="another command is at work on tiny"):
            pulled(hub, tmp_path)
        assert pulled(hub, tmp_path, name="other").usable
    assert pulled(hub, tmp_path).usable


@pytest.mark.parametrize(
    ("repository", "options", "why"),
    [
        ("someone/absent", {}, "the hub has no someone/absent"),
        ("someone/tiny", {"revision": "nope"}, "has no revision nope"),
        ("someone/tiny/x", {}, "no id of the hub's"),
        ("someone/tiny", {"name": "../x"}, "no name"),
    ],
)
def test_what_the_hub_does_not_have_is_refused_with_a_sentence(
    hub: Hub, tmp_path: Path, repository: str, options: dict[str, str], why: str
) -> None:
    hub_of = Hub(folder=hub.folder, repository=repository, address=hub.address)
    with pytest.raises(ModelUnavailableError, match=why):
        pulled(hub_of, tmp_path, **options)


def test_pickles_alone_another_layout_and_a_taken_name_are_refused(
    hub: Hub, tmp_path: Path
) -> None:
    (hub.folder / UNET).unlink()
    with pytest.raises(ModelUnavailableError, match="as a pickle alone"):
        pulled(hub, tmp_path)
    (hub.folder / "model_index.json").unlink()
    with pytest.raises(ModelUnavailableError, match="not of diffusers' layout"):
        pulled(hub, tmp_path)
    (tmp_path / "models" / "tiny").mkdir(parents=True)
    (tmp_path / "models" / "tiny" / "x.safetensors").touch()
    with pytest.raises(ModelUnavailableError, match="already"):
        pulled(hub, tmp_path)


def test_the_command_pulls_from_the_hub_that_its_library_is_told_of(
    hub: Hub, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bot", "models", "pull", hub.repository, "--name", "mine"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HF_ENDPOINT": hub.address},
    )
    assert done.returncode == 0, done.stderr
    assert "mine: " in done.stdout
    assert entry_named("mine", models_dir=tmp_path / "data" / "models").usable
