"""The catalogue: what comes in is whole, what is wrong is marked, and nothing is half there."""

import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from generation import converting, holding
from generation.cards import Card, card_place, read_card, write_card
from generation.catalogue import entries, entry_named, public_checkpoints
from generation.converting import convert, pickles_of, rewrite, target_of
from generation.errors import ModelUnavailableError
from generation.loading import load_checkpoint
from generation.pipelines.base import EngineConfig
from generation.pipelines.img2img import Img2ImgPipeline
from generation.pipelines.img2img_row import Img2ImgRow
from generation.trial import trial_here
from generation.upkeep import PARTIAL, add, alone, remove, verify
from generation.weights import checkpoint_folder
from tests.generation.checkpoints import save_img2img

UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny checkpoint as somebody's download has it."""
    folder = save_img2img(tmp_path_factory.mktemp("download") / "Some-Model")
    (folder / "README.md").write_text("---\ntags: [x]\nlicense: openrail++\n---\n# A model\n")
    return folder


@pytest.fixture
def models(tmp_path: Path, saved: Path) -> Path:
    """Return a models folder that the checkpoint was added to as "mine"."""
    add(saved, models_dir=tmp_path / "models", name="mine")
    return tmp_path / "models"


def damaged(path: Path) -> None:
    """Change one byte of a file."""
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


def test_an_added_checkpoint_is_there_with_its_origin_licence_and_sums(
    models: Path, saved: Path
) -> None:
    entry = entry_named("mine", models_dir=models)
    assert (entry.usable, entry.starter, entry.missing) == (True, False, ())
    assert (entry.family.name, entry.title) == ("sd1", "Stable Diffusion 1.x")
    assert entry.card.origin == str(saved)
    assert entry.card.licence == "openrail++"
    assert entry.card.files[UNET].size_bytes == (saved / UNET).stat().st_size
    assert checkpoint_folder("mine", models_dir=models) == models / "mine"
    assert [*(models / PARTIAL).iterdir()] == []


def test_the_starter_is_listed_beside_the_operators(models: Path) -> None:
    found = {entry.name: entry for entry in entries(models_dir=models)}
    assert found.keys() == {"mine", "remix"}
    assert found["remix"].starter
    assert "night" in found["remix"].words
    assert found["mine"].words == ()


def test_a_name_that_is_taken_or_is_a_path_is_refused(models: Path, saved: Path) -> None:
    for name, why in (
        ("mine", "already"),
        ("../x", "no name"),
        (".hidden", "no name"),
        ("loras", "no name"),
    ):
        with pytest.raises(ModelUnavailableError, match=why):
            add(saved, models_dir=models, name=name)


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (lambda folder: (folder / UNET).write_bytes(b"x" * 20), "cut off"),
        (lambda folder: shutil.rmtree(folder / "vae"), "it lacks vae/"),
        (lambda folder: (folder / "model_index.json").write_text("{"), "index.json cannot be read"),
        (lambda folder: (folder / UNET).unlink(), "it lacks unet/"),
        (lambda folder: (folder / UNET).rename(folder / "unet/weights.bin"), "models convert"),
        (lambda folder: (folder / "model_index.json").unlink(), "no model_index.json"),
    ],
)
def test_what_is_damaged_is_not_taken_and_leaves_nothing(
    tmp_path: Path, saved: Path, harm: object, why: str
) -> None:
    assert callable(harm)
    copy = shutil.copytree(saved, tmp_path / "copy")
    harm(copy)
    with pytest.raises(ModelUnavailableError, match=why):
        add(copy, models_dir=tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_a_single_file_is_added_with_its_sum_and_says_what_it_waits_for(tmp_path: Path) -> None:
    first, last = torch.zeros(8, 4, 3, 3), torch.zeros(4, 8, 3, 3)
    names = {"input_blocks.0.0.weight": first, "out.2.weight": last}
    tensors = {f"model.diffusion_model.{name}": each for name, each in names.items()}
    save_file(tensors, tmp_path / "merge.safetensors")
    entry = add(tmp_path / "merge.safetensors", models_dir=tmp_path / "models", licence="MIT")
    assert (entry.name, entry.usable, entry.card.licence) == ("merge", False, "MIT")
    assert entry.card.files.keys() == {"merge.safetensors"}
    assert entry.family.architecture in ("sd1", "sd2")
    assert "--config-only --name merge" in entry.unusable


FIRST, LAST = "model.diffusion_model.input_blocks.0.0.weight", "model.diffusion_model.out.2.weight"
XL = {FIRST: (8, 4, 3, 3), LAST: (4, 8, 3, 3), "model.diffusion_model.label_emb.0.0.weight": (1,)}
ODD_TENSORS = {
    "a first layer of one side": {**XL, FIRST: (8,)},
    "a last layer of no side": {**XL, LAST: ()},
    "a text encoder of no number": {**XL, "conditioner.x": (1,)},
}
NESTED = "[" * 100_000


def odd_single(tensors: str) -> Callable[[Path], object]:
    """Return what puts a single file of odd tensors into a folder, beside nothing."""
    made = {name: torch.zeros(shape) for name, shape in ODD_TENSORS[tensors].items()}

    def harm(folder: Path) -> None:
        shutil.rmtree(folder / "unet")
        save_file(made, folder / "x.safetensors")

    return harm


def odd_text(path: str, text: str) -> Callable[[Path], object]:
    """Return what overwrites a file of a folder, or one beside it."""
    return lambda folder: (folder / path).write_text(text)


@pytest.mark.parametrize(
    "harm",
    [
        *(odd_single(tensors) for tensors in ODD_TENSORS),
        *(odd_text("model_index.json", text) for text in ("{", "[]", NESTED)),
        odd_text("unet/config.json", NESTED),
        odd_text("atelier.json", NESTED),
        odd_text("../odd.catalogue.json", NESTED),
        odd_text("unet/x.safetensors.index.json", '{"weight_map": {"x": 1}}'),
    ],
)
def test_one_odd_checkpoint_is_said_to_be_and_the_others_stay(
    saved: Path, tmp_path: Path, harm: Callable[[Path], object]
) -> None:
    harm(shutil.copytree(saved, tmp_path / "odd"))
    found = {entry.name: entry for entry in entries(models_dir=tmp_path)}
    assert found["remix"].usable
    assert found["odd"].unusable
    # Its files may be whole even so; what else there is to say is a sentence too.
    with suppress(ModelUnavailableError):
        verify("odd", models_dir=tmp_path)


def test_a_changed_file_is_found_marked_and_not_loaded_until_it_is_right_again(
    models: Path, saved: Path
) -> None:
    damaged(models / "mine" / UNET)
    assert entry_named("mine", models_dir=models).usable
    with pytest.raises(ModelUnavailableError, match=f"{UNET} has another SHA-256"):
        verify("mine", models_dir=models)
    assert not entry_named("mine", models_dir=models).usable
    with pytest.raises(ModelUnavailableError, match="another SHA-256"):
        checkpoint_folder("mine", models_dir=models)
    shutil.copy(saved / UNET, models / "mine" / UNET)
    assert verify("mine", models_dir=models).usable
    assert checkpoint_folder("mine", models_dir=models)


def test_a_file_that_was_cut_off_later_shows_without_reading_it(models: Path) -> None:
    with (models / "mine" / UNET).open("r+b") as file:
        file.truncate(100)
    assert "has 100 bytes instead of" in entry_named("mine", models_dir=models).unusable


def test_the_operators_own_declaration_may_change_and_loras_are_no_checkpoint(
    models: Path, saved: Path
) -> None:
    (models / "mine" / "atelier.json").write_text('{"title": "Mine"}')
    (models / "loras").mkdir()
    shutil.copy(saved / UNET, models / "loras" / "ink.safetensors")
    entry = verify("mine", models_dir=models)
    assert (entry.title, entry.usable) == ("Mine", True)
    (models / "mine" / "atelier.json").write_text('{"title": "Mine, too"}')
    assert verify("mine", models_dir=models).title == "Mine, too"
    assert {entry.name for entry in entries(models_dir=models)} == {"mine", "remix"}


def test_a_checkpoint_put_there_by_hand_is_recorded_by_its_first_verification(
    tmp_path: Path, saved: Path
) -> None:
    shutil.copytree(saved, tmp_path / "hand")
    assert entry_named("hand", models_dir=tmp_path).card == Card()
    verify("hand", models_dir=tmp_path)
    damaged(tmp_path / "hand" / UNET)
    with pytest.raises(ModelUnavailableError, match="another SHA-256"):
        verify("hand", models_dir=tmp_path)


def test_a_removed_checkpoint_is_gone_with_its_card_and_a_starter_stays(models: Path) -> None:
    remove("mine", models_dir=models)
    assert {entry.name for entry in entries(models_dir=models)} == {"remix"}
    assert not card_place("mine", models_dir=models).exists()
    with pytest.raises(ModelUnavailableError, match="stays"):
        remove("remix", models_dir=models)


def test_a_checkpoint_that_is_a_link_is_removed_and_what_it_leads_to_stays(
    models: Path, tmp_path: Path
) -> None:
    (models / "mine").rename(tmp_path / "elsewhere")
    (models / "mine").symlink_to(tmp_path / "elsewhere")
    remove("mine", models_dir=models)
    assert not (models / "mine").is_symlink()
    assert (tmp_path / "elsewhere" / UNET).is_file()
    assert [*(models / PARTIAL).iterdir()] == []


def test_one_name_is_one_commands_at_a_time(models: Path, saved: Path) -> None:
    with alone("mine", models_dir=models):
        for command in (partial(add, saved, name="mine"), partial(remove, "mine")):
            with pytest.raises(ModelUnavailableError, match="another command is at work on mine"):
                command(models_dir=models)
        assert add(saved, name="other", models_dir=models).usable
    remove("mine", models_dir=models)


def test_a_card_is_replaced_as_a_whole_and_a_damaged_one_is_said(tmp_path: Path) -> None:
    write_card("x", Card(origin="here", memory_bytes={"cpu": 5}), models_dir=tmp_path)
    assert read_card("x", models_dir=tmp_path) == Card(origin="here", memory_bytes={"cpu": 5})
    assert [path.name for path in tmp_path.iterdir()] == ["x.catalogue.json"]
    card_place("x", models_dir=tmp_path).write_text('{"origin": ')
    with pytest.raises(ModelUnavailableError, match="not understood"):
        read_card("x", models_dir=tmp_path)


def test_a_checkpoint_that_makes_pictures_says_what_that_takes(models: Path) -> None:
    trial = trial_here(
        "mine", pipeline="remix", config=EngineConfig(device="cpu", models_dir=models)
    )
    assert trial.device == "cpu"
    assert trial.memory_bytes >= trial.weight_bytes > 0


def test_weights_of_other_shapes_than_configured_are_refused(models: Path) -> None:
    tensors = load_file(models / "mine" / UNET)
    name = next(name for name in tensors if name.endswith("conv_in.weight"))
    tensors[name] = torch.zeros(3, 3, 3, 3)
    save_file(tensors, models / "mine" / UNET)
    # Else its sums would tell.
    card_place("mine", models_dir=models).unlink()
    config = EngineConfig(device="cpu", models_dir=models)
    with pytest.raises(ModelUnavailableError, match="could not be loaded"):
        trial_here("mine", pipeline="remix", config=config)


def test_a_trial_asks_for_an_edit_that_the_checkpoint_knows(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"words": {"night": ["night"]}, "fillers": ["a", "photograph"]}
    (models / "mine" / "atelier.json").write_text(json.dumps(told))
    prompts: list[str] = []
    advance = Img2ImgPipeline.advance

    def watched(pipeline: Img2ImgPipeline, rows: Sequence[Img2ImgRow]) -> None:
        prompts.extend(row.request.prompt for row in rows)
        advance(pipeline, rows)

    monkeypatch.setattr(Img2ImgPipeline, "advance", watched)
    trial_here("mine", pipeline="remix", config=EngineConfig(device="cpu", models_dir=models))
    assert set(prompts) == {"night"}


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (torch.OutOfMemoryError("short"), "does not fit into the cpu's memory"),
        (AssertionError("odd"), "makes no picture: odd"),
        (IndexError("odd"), "makes no picture: odd"),
        (ModelUnavailableError("mine is odd"), "^mine is odd$"),
    ],
)
def test_what_fails_while_a_trial_loads_is_a_sentence(
    models: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, why: str
) -> None:
    def short(*_: object) -> None:
        raise error

    # Stands in for a device that is full.
    monkeypatch.setattr(holding, "ready", short)
    with pytest.raises(ModelUnavailableError, match=why):
        trial_here("mine", pipeline="remix", config=EngineConfig(device="cpu", models_dir=models))


def odd_numbers(folder: Path) -> None:
    """Say of a network's weights that they are of a kind of numbers that does not exist."""
    place = folder / "text_encoder" / "model.safetensors"
    place.write_bytes(place.read_bytes().replace(b'"F32"', b'"F99"'))


def no_groups(folder: Path) -> None:
    """Ask for something to be divided by zero."""
    place = folder / "unet" / "config.json"
    place.write_text(json.dumps({**json.loads(place.read_text()), "norm_num_groups": 0}))


@pytest.mark.parametrize("harm", [odd_numbers, no_groups])
def test_files_that_the_libraries_stumble_over_are_refused_with_a_sentence(
    saved: Path, tmp_path: Path, harm: Callable[[Path], object]
) -> None:
    harm(shutil.copytree(saved, tmp_path / "odd"))
    with pytest.raises(ModelUnavailableError, match="odd could not be loaded"):
        load_checkpoint("odd", models_dir=tmp_path, device=torch.device("cpu"))


@pytest.fixture
def pickled(tmp_path: Path) -> Path:
    path = tmp_path / "merge.ckpt"
    shared = torch.arange(6.0).reshape(2, 3)
    state = {"a": shared.T, "b": shared, "step": 7}
    torch.save({"state_dict": state, "epoch": 3}, path)
    return path


def test_pickled_weights_become_safetensors(pickled: Path) -> None:
    assert rewrite(pickled, target_of(pickled)) == 2
    found = load_file(target_of(pickled))
    assert torch.equal(found["b"], torch.arange(6.0).reshape(2, 3))
    assert torch.equal(found["a"], found["b"].T)


@pytest.mark.slow
def test_the_child_that_converts_has_little_memory_and_leaves_nothing_half_written(
    pickled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as short:
        short.setattr(converting, "TORCH_BYTES", 2**30)
        with pytest.raises(ModelUnavailableError, match="more memory or time"):
            convert(pickled, target_of(pickled))
    assert [path.name for path in pickled.parent.iterdir()] == ["merge.ckpt"]
    assert convert(pickled, target_of(pickled)) == 2
    assert {path.name for path in pickled.parent.iterdir()} == {"merge.ckpt", "merge.safetensors"}


def test_a_damaged_pickle_and_one_without_weights_are_refused(pickled: Path) -> None:
    data = pickled.read_bytes()
    pickled.write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelUnavailableError, match=r"damaged|more than weights"):
        rewrite(pickled, target_of(pickled))
    torch.save({"state_dict": {"step": 1}}, pickled)
    with pytest.raises(ModelUnavailableError, match="no weights"):
        rewrite(pickled, target_of(pickled))
    with pytest.raises(ModelUnavailableError, match="none of"):
        convert(pickled.with_suffix(".zip"), target_of(pickled))


def test_the_pickles_of_a_folder_are_found_under_the_names_their_libraries_read(
    tmp_path: Path,
) -> None:
    for name in ("unet/diffusion_pytorch_model.bin", "text_encoder/pytorch_model.bin"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    targets = [target_of(path).relative_to(tmp_path) for path in pickles_of(tmp_path)]
    assert [*map(str, targets)] == ["text_encoder/model.safetensors", UNET]
    (tmp_path / UNET).touch()
    assert len(pickles_of(tmp_path)) == 1


def test_the_public_list_has_ids_licences_and_one_sentence_each() -> None:
    found = public_checkpoints()
    assert len({each.id for each in found}) == len(found) >= 10
    for each in found:
        assert each.id.count("/") == 1
        assert each.licence
        assert each.about.endswith(".")
        assert "http" not in json.dumps(each.about)
