"""Where checkpoints are found, what they declare, and what is refused."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from generation.errors import ModelUnavailableError
from generation.weights import (
    Finish,
    Manifest,
    checkpoint_folder,
    checkpoint_names,
    known_words,
    read_manifest,
)


def _folder(base: Path, name: str, *, weights: str = "unet/model.safetensors") -> Path:
    folder = base / name
    (folder / weights).parent.mkdir(parents=True, exist_ok=True)
    (folder / "model_index.json").write_text("{}")
    (folder / weights).write_bytes(b"x")
    return folder


def test_the_operators_folder_comes_before_the_starters(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "remix")
    assert checkpoint_folder("remix", models_dir=tmp_path) == folder
    assert checkpoint_folder("remix", models_dir=tmp_path / "none").parent.name == "starter"


@pytest.mark.parametrize("name", ["", "..", "../remix", "a/b", ".hidden", "/etc"])
def test_a_name_that_is_a_path_names_no_checkpoint(tmp_path: Path, name: str) -> None:
    _folder(tmp_path / "models", "remix")
    with pytest.raises(ModelUnavailableError, match="known: "):
        checkpoint_folder(name, models_dir=tmp_path / "models")


def test_the_message_for_an_unknown_name_lists_the_known(tmp_path: Path) -> None:
    _folder(tmp_path, "mine")
    assert "mine" in checkpoint_names(models_dir=tmp_path)
    with pytest.raises(ModelUnavailableError, match="mine"):
        checkpoint_folder("other", models_dir=tmp_path)


@pytest.mark.parametrize("suffix", [".bin", ".ckpt", ".pt", ".pth", ".pkl"])
def test_s6_a_folder_of_pickles_is_refused_before_anything_is_read(
    tmp_path: Path, suffix: str
) -> None:
    _folder(tmp_path, "old", weights=f"unet/model{suffix}")
    with pytest.raises(ModelUnavailableError, match="pickle"):
        checkpoint_folder("old", models_dir=tmp_path)


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    _folder(tmp_path, "empty", weights="unet/config.json")
    with pytest.raises(ModelUnavailableError, match="no weights"):
        checkpoint_folder("empty", models_dir=tmp_path)


def test_a_folder_without_a_declaration_declares_nothing(tmp_path: Path) -> None:
    _folder(tmp_path, "plain")
    assert read_manifest(tmp_path / "plain") == Manifest()
    assert known_words("plain", models_dir=tmp_path) == ()


def test_a_declaration_is_read_field_by_field(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "mine")
    data = {
        "native_size": 96,
        "finish": {"radius": 2},
        "layers": [{"layer": "stars", "edits": ["night"], "mask": "sky"}],
        "masks": {"sky": "mask of the sky"},
        "words": {"night": ["night", "midnight"], "fog": ["fog"]},
    }
    (folder / "atelier.json").write_text(json.dumps(data))
    manifest = read_manifest(folder)
    assert manifest.native_size == 96
    assert manifest.finish == Finish(radius=2)
    assert manifest.layers[0].edits == ("night",)
    assert known_words("mine", models_dir=tmp_path) == ("night", "fog")


DECLARATIONS = (
    "",
    "[]",
    "{",
    '{"surprise": 1}',
    '{"layers": [{}]}',
    '{"words": {"night": []}}',
    '{"words": {"night": [1]}}',
    "[" * 100_000,
)


@pytest.mark.parametrize("text", DECLARATIONS)
def test_a_declaration_that_is_not_understood_is_refused(tmp_path: Path, text: str) -> None:
    folder = _folder(tmp_path, "odd")
    (folder / "atelier.json").write_text(text)
    with pytest.raises(ModelUnavailableError, match="not understood"):
        read_manifest(folder)


def test_reading_declarations_does_not_import_torch() -> None:
    code = (
        "import sys, pathlib, generation.weights as w, generation.prompts;"
        "w.known_words('remix', models_dir=pathlib.Path('none'));"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
