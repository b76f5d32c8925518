"""`models` on the command line, as an operator uses it."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from bot.__main__ import app
from generation.catalogue import entry_named
from generation.weights import STARTER
from generation.wholeness import SUMS
from tests.generation.published_stylegan2 import RosinalityGenerator

UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the models folder of an installation of its own, to which "mine" was added."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATELIER_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("COLUMNS", "160")
    code, out, _ = called("add", STARTER / "remix", "--name", "mine", "--licence", "MIT")
    assert (code, "mine: " in out) == (0, True)
    return tmp_path / "models"


def called(*words: str | Path, answer: str = "") -> tuple[int, str, str]:
    """Call a command of ``models``; return its code, output and complaints."""
    done = CliRunner().invoke(app, ["models", *map(str, words)], input=answer)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def test_the_list_says_what_is_there_and_show_says_all(models: Path) -> None:
    _, out, _ = called("list")
    line = next(line for line in out.splitlines() if "mine" in line)
    assert "MIT" in line
    assert "ready" in line
    _, out, _ = called("show", "mine")
    assert str(STARTER / "remix") in out.replace("\n", "")
    assert entry_named("mine", models_dir=models).card.files[UNET].sha256 in out
    code, _, err = called("show", "absent")
    assert (code, "known: mine, remix" in err) == (1, True)


def test_the_list_says_what_goes_beside_checkpoints_and_for_whom_it_was_made(models: Path) -> None:
    assert "beside them" not in called("list")[1]
    place = models / "controls/edges/canny.safetensors"
    place.parent.mkdir(parents=True)
    shapes = {
        "conv_in.weight": (320, 4, 3, 3),
        "controlnet_cond_embedding.conv_in.weight": (16, 3, 3, 3),
        "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight": (2, 1024),
    }
    save_file({name: torch.zeros(shape) for name, shape in shapes.items()}, place)
    (models / "ip_adapters/empty").mkdir(parents=True)
    out = called("list")[1]
    line = next(line for line in out.splitlines() if "controls/edges/canny" in line)
    assert "Stable Diffusion 2.x" in line
    assert "ready" in line
    assert "holds no weights" in next(line for line in out.splitlines() if "empty" in line)


def test_show_explains_what_would_be_done_for_a_model_to_find_room(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, out, _ = called("show", "mine")
    assert "needs about" in out
    assert "are free on cpu" in out
    assert "nothing has to be done for that" in out
    monkeypatch.setenv("ATELIER_DEVICE", "cpu")
    monkeypatch.setenv("ATELIER_BATCH_ROWS", "16")
    monkeypatch.setenv("ATELIER_DEVICE_MEMORY_BYTES", "28000000")
    said = " ".join(called("show", "mine")[1].split())
    assert "as it is it would need" in said
    assert "calls hold 3 rows, and the codec's 1 picture" in said
    assert "28 MB are allowed on cpu" in said
    monkeypatch.setenv("ATELIER_DEVICE_MEMORY_BYTES", "1000")
    said = " ".join(called("show", "mine")[1].split())
    assert "it is not loaded: mine needs about" in said
    assert not (models.parent / "data" / "plans.json").exists()


def test_the_public_list_and_one_of_it_are_shown_without_fetching_anything() -> None:
    _, out, _ = called("list", "--public")
    assert "sd-turbo" in out
    _, out, _ = called("show", "black-forest-labs/FLUX.1-dev")
    assert "Non-Commercial" in out
    assert "an account of the hub" in out


def test_verify_names_the_damage_ends_with_one_and_the_list_shows_it(models: Path) -> None:
    assert called("verify", "--no-trial")[0] == 0
    with (models / "mine" / UNET).open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\xff")
    code, out, err = called("verify", "--no-trial")
    assert code == 1
    assert f"mine is not loaded: {UNET} has another SHA-256" in err
    assert "remix: its files are whole" in out
    assert "another SHA-256" in called("list")[1]


@pytest.mark.slow
def test_verify_makes_a_picture_and_keeps_what_that_took(models: Path) -> None:
    code, out, _ = called("verify", "mine")
    assert (code, "makes pictures with" in out) == (0, True)
    assert entry_named("mine", models_dir=models).card.memory_bytes["cpu"] > 10**6
    shutil.copytree(STARTER / "remix", models / "twin", ignore=shutil.ignore_patterns(SUMS))
    (models / "twin" / "vae" / "config.json").write_text("{}")
    code, _, err = called("verify", "twin")
    assert (code, "could not be loaded" in err or "makes no picture" in err) == (1, True)
    assert not entry_named("twin", models_dir=models).usable


def test_remove_asks_first_and_leaves_the_model_in_use(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert called("remove", "mine", answer="n\n")[0] == 1
    assert (models / "mine").exists()
    with monkeypatch.context() as chosen:
        chosen.setenv("ATELIER_REMIX_MODEL", "mine")
        assert "choose another there first" in called("remove", "mine", "--yes")[2]
    assert called("remove", "mine", answer="y\n")[0] == 0
    assert not (models / "mine").exists()


def test_convert_says_what_it_wrote_and_never_writes_over_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x.ckpt"
    assert "there is no such file" in called("convert", path)[2]
    torch.save({"a": torch.zeros(2)}, path)
    (tmp_path / "x.safetensors").touch()
    assert "there is such a file already" in called("convert", path)[2]
    assert "one safetensors file" in called("convert", path, tmp_path / "x.bin")[2]


def test_a_published_generator_is_added_with_a_report_of_every_tensor(
    models: Path, tmp_path: Path
) -> None:
    place, weights = tmp_path / "faces.safetensors", RosinalityGenerator().state_dict()
    save_file({**weights, "latent_avg": torch.zeros(8)}, place)
    code, out, _ = called("add", place)
    assert code == 0
    line = next(line for line in out.splitlines() if "to_rgbs.1.conv.modulation.bias" in line)
    assert "synthesis.b16.torgb.affine.bias" in line
    assert "taken" in line
    assert "50 taken, 4 left: a fixed filter" in out
    assert "faces: StyleGAN2, " in out
    line = next(line for line in called("list")[1].splitlines() if "faces" in line)
    assert "ready" in line
    assert called("verify", "faces", "--no-trial")[1] == "faces: its files are whole\n"
    del weights["convs.0.noise.weight"]
    save_file(weights, place)
    code, out, err = called("add", place, "--name", "less")
    assert (code, "missing" in out) == (1, True)
    assert "faces.safetensors is not taken: it lacks synthesis.b8.conv0.noise_strength" in err
    assert not (models / "less").exists()


@pytest.mark.slow
def test_a_published_generator_is_tried(models: Path, tmp_path: Path) -> None:
    torch.save({"g_ema": RosinalityGenerator().state_dict()}, tmp_path / "faces.pt")
    assert called("convert", tmp_path / "faces.pt")[0] == 0
    assert called("add", tmp_path / "faces.safetensors")[0] == 0
    assert "it makes pictures with" in called("verify", "faces")[1]
    code, _, err = called("verify", "style")
    assert (code, "known: " in err) == (1, True)
    assert entry_named("faces", models_dir=models).card.memory_bytes["cpu"] > 0
