"""Before a checkpoint is loaded its files are compared with their recorded sums, once a version."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from generation.cards import card_place, read_card
from generation.catalogue import entry_named
from generation.errors import ModelDamagedError, ModelUnavailableError
from generation.executor.models import ModelCache
from generation.pipelines.base import EngineConfig
from generation.registry import PIPELINES
from generation.sums import require_recorded, stamp_of
from generation.upkeep import add, remove, verify
from tests.generation.checkpoints import save_img2img

UNET, VAE = (f"{part}/diffusion_pytorch_model.safetensors" for part in ("unet", "vae"))
MINE = ("remix", "mine")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_img2img(tmp_path_factory.mktemp("download") / "Some-Model")


@pytest.fixture
def models(tmp_path: Path, saved: Path) -> Path:
    add(saved, models_dir=tmp_path / "models", name="mine")
    return tmp_path / "models"


def cache(models: Path) -> ModelCache:
    config = EngineConfig(device="cpu", models_dir=models)
    return ModelCache(PIPELINES, config=config, count=lambda **_: None)


def changed(path: Path) -> None:
    """Change a weight's last bit, and nothing that shows without reading it."""
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


def unnoticed(path: Path) -> None:
    """Change a weight so that nothing tells: at the same place, with the same time."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def without(tensor: str) -> Callable[[Path], None]:
    """Return what takes a tensor out of a file."""

    def harm(path: Path) -> None:
        tensors = load_file(path)
        del tensors[tensor]
        save_file(tensors, path)

    return harm


def reshaped(path: Path) -> None:
    tensors = load_file(path)
    tensors["conv_in.weight"] = torch.zeros(3, 4, 3, 3)
    save_file(tensors, path)


def pickled(path: Path) -> None:
    path.rename(path.with_suffix(".bin"))


HARM: dict[str, tuple[Callable[[Path], object], str]] = {
    "a changed bit": (changed, "has another SHA-256"),
    "a file cut off": (lambda path: os.truncate(path, 100), "damaged weights"),
    "a file of another size": (without("conv_in.bias"), "bytes, not the"),
    "a file that is gone": (pickled, f"lacks {UNET}"),
}


@pytest.mark.parametrize("name", HARM)
def test_a_file_that_is_not_what_came_is_refused_and_marked_till_it_is_right_again(
    models: Path, saved: Path, name: str
) -> None:
    harm, why = HARM[name]
    harm(models / "mine" / UNET)
    with pytest.raises(ModelDamagedError, match=why) as refusal:
        cache(models).load(MINE)
    assert "then `models verify mine`" in str(refusal.value)
    marked = read_card("mine", models_dir=models).unusable
    assert marked == str(refusal.value).removeprefix("mine: ")
    assert entry_named("mine", models_dir=models).unusable == marked
    with pytest.raises(ModelUnavailableError, match=f"mine is not used: .*{why}"):
        cache(models).load(MINE)
    assert read_card("mine", models_dir=models).unusable == marked
    shutil.copy(saved / UNET, models / "mine" / UNET)
    assert verify("mine", models_dir=models).usable
    assert cache(models).load(MINE).weight_bytes
    if name == "a changed bit":
        remove("mine", models_dir=models)
        assert add(saved, models_dir=models, name="mine").usable


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (without("conv_in.bias"), "lacks weights of unet"),
        (reshaped, "could not be loaded"),
        (pickled, "could not be loaded"),
    ],
    ids=["weights are missing", "shapes do not match", "it is a pickle"],
)
def test_what_shows_only_when_it_is_loaded_is_marked_even_without_a_card(
    tmp_path: Path, saved: Path, harm: Callable[[Path], object], why: str
) -> None:
    shutil.copytree(saved, tmp_path / "mine")
    harm(tmp_path / "mine" / UNET)
    with pytest.raises(ModelDamagedError, match=why):
        cache(tmp_path).load(MINE)
    assert why in read_card("mine", models_dir=tmp_path).unusable


def test_what_came_was_read_when_it_came_and_is_not_read_again(models: Path) -> None:
    assert read_card("mine", models_dir=models).seen[UNET] == stamp_of(models / "mine" / UNET)
    unnoticed(models / "mine" / UNET)
    require_recorded("mine", models / "mine", models_dir=models)


def test_another_version_is_read_once_and_remembered_on_the_card(models: Path) -> None:
    place = models / "mine" / UNET
    os.utime(place, ns=(0, 0))
    require_recorded("mine", models / "mine", models_dir=models)
    assert read_card("mine", models_dir=models).seen[UNET] == stamp_of(place)
    unnoticed(place)
    require_recorded("mine", models / "mine", models_dir=models)
    os.utime(place, ns=(1, 1))
    with pytest.raises(ModelDamagedError, match=f"mine: {UNET} has another SHA-256"):
        require_recorded("mine", models / "mine", models_dir=models)


def test_where_the_card_cannot_be_written_the_process_remembers(models: Path) -> None:
    place = models / "mine" / VAE
    os.utime(place, ns=(2, 2))
    card = card_place("mine", models_dir=models)
    before = card.read_text()
    # What a card is written to first lies in the way.
    (models / f".{card.name}.{os.getpid()}").mkdir()
    require_recorded("mine", models / "mine", models_dir=models)
    assert card.read_text() == before
    unnoticed(place)
    require_recorded("mine", models / "mine", models_dir=models)


def test_a_checkpoint_without_a_card_is_loaded_as_it_is_and_gets_none(
    tmp_path: Path, saved: Path
) -> None:
    shutil.copytree(saved, tmp_path / "mine")
    assert cache(tmp_path).load(MINE).weight_bytes
    assert not card_place("mine", models_dir=tmp_path).exists()
