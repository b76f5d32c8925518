"""Presets are data: those that ship, an installation's own, and where each is offered."""

import json
import shutil
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bot.errors import PresetNearbyError, PresetUnableError, UnknownPresetError
from bot.models import Models
from bot.presets import Preset, preset_named, presets, read_presets, sample_of, titled
from generation.errors import InvalidRequestError
from generation.pipelines.base import EngineConfig, Pipeline
from generation.postprocess.layers import LAYERS
from generation.postprocess.names import LAYER_NAMES
from generation.registry import PIPELINES, resolve
from generation.request import ImageRequest, Pixels
from generation.weights import STARTER
from tests.bot.members import text_of
from tests.bot.stage import Stage, rows

FOR_MODELS = {
    "film", "game_character", "advertising", "product", "interior_modern", "interior_classical",
    "interior_japandi", "interior_industrial", "fashion", "teaching", "comic",
}  # fmt: skip


def model(folder: Path, name: str, **changes: object) -> None:
    """Write a checkpoint that takes any words: the starter without its declaration."""
    shutil.copytree(STARTER / "remix", folder / name)
    (folder / name / "atelier.json").write_text(json.dumps({"title": name, **changes}))


async def listing(folder: Path) -> Models:
    models = Models(models_dir=folder, pipelines=PIPELINES)
    await models.refresh()
    return models


def test_layers_are_called_what_they_are() -> None:
    assert LAYERS.keys() == LAYER_NAMES


def test_words_go_where_a_template_says_or_to_its_end() -> None:
    assert Preset(name="x", prompt="night").said("a cat") == "night, a cat"
    assert Preset(name="x", prompt="night").said() == "night"
    film = Preset(name="x", prompt="on film, {words}, muted")
    assert film.said("a cat") == "on film, a cat, muted"
    assert film.said() == "on film, muted"
    assert film.said("{0.__class__}") == "on film, {0.__class__}, muted"


def test_a_preset_points_to_another_that_ships() -> None:
    for each in presets().values():
        assert each.nearest is None or presets()[each.nearest].nearest is None


def test_a_preset_is_found_by_its_title_too() -> None:
    assert preset_named(" winter NIGHT ", presets()).name == "winter_night"
    with pytest.raises(UnknownPresetError):
        preset_named("winters", presets())


async def test_the_starter_is_offered_for_what_it_knows_and_for_nothing_else(
    tmp_path: Path,
) -> None:
    models = await listing(tmp_path)
    offered = {preset.name for preset in models.offered(presets().values())}
    assert offered == presets().keys() - FOR_MODELS
    with pytest.raises(PresetUnableError, match="no model can") as refused:
        models.able(presets()["fashion"])
    assert not isinstance(refused.value, PresetNearbyError)
    for name, near in (("film", "vintage"), ("comic", "cartoon"), ("teaching", "cartoon")):
        with pytest.raises(PresetNearbyError) as pointed:
            models.able(presets()[name])
        assert pointed.value.values["nearest"] == titled(presets()[near])


async def test_a_model_of_any_words_is_taken_where_the_starter_does_not_do(tmp_path: Path) -> None:
    model(tmp_path, "able")
    models = await listing(tmp_path)
    assert {preset.name for preset in models.offered(presets().values())} == presets().keys()
    film, night = (models.able(presets()[name]) for name in ("film", "night"))
    assert film is not None
    assert night is not None
    assert (film.name, night.name) == ("able", "remix")
    with pytest.raises(PresetUnableError, match="another model can"):
        models.able(presets()["film"], model="remix")


async def test_a_preset_that_keeps_the_rest_is_not_offered_where_no_model_edits(
    tmp_path: Path,
) -> None:
    model(tmp_path, "able")
    config = tmp_path / "able" / "unet" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "in_channels": 8}))
    index = tmp_path / "able" / "model_index.json"
    index.write_text(index.read_text().replace("InstructPix2Pix", "Img2Img"))
    models = await listing(tmp_path)
    offered = {preset.name for preset in models.offered(presets().values())}
    assert presets().keys() - offered == {"product"}


def test_an_installations_own_presets_come_first_and_replace_those_that_ship(
    tmp_path: Path,
) -> None:
    assert read_presets(tmp_path / "none.json") == presets()
    (tmp_path / "me.jpg").touch()
    own = {
        "house": {"title": "House style", "prompt": "in ink", "layers": ["grain"]},
        "night": {"prompt": "night", "strength": 0.3, "model": "mine", "sample": "me.jpg"},
    }
    (tmp_path / "presets.json").write_text(json.dumps(own))
    found = read_presets(tmp_path / "presets.json")
    assert [*found][:2] == ["house", "night"]
    assert found.keys() == presets().keys() | {"house"}
    assert (found["house"].title, found["house"].layers) == ("House style", ("grain",))
    assert (found["night"].model, found["night"].strength) == ("mine", 0.3)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not understood"),
        ('{"x": {}}', "prompt"),
        ('{"x": {"prompt": "a", "strength": 2}}', "strength above 0"),
        ('{"x": {"prompt": "a", "layers": ["glitter"]}}', "no layer 'glitter'"),
        ('{"x": {"prompt": "a", "colour": 1}}', "colour"),
        ('{"x": {"prompt": "a", "sample": "absent"}}', "no sample 'absent'"),
        ('{"x": {"prompt": ["ink"]}}', "its prompt is to be a text"),
        ('{"x": {"prompt": "a", "title": 7}}', "its title is to be a text"),
        ('{"x": {"prompt": "a", "title": ""}}', "its title is to be a text"),
        ('{"x": {"prompt": "a", "name": "y"}}', "name"),
        ('{"x": {"prompt": "a", "model": 7}}', "its model is to be a text"),
        ('{"x": {"prompt": "a", "edits": "no"}}', "edits is true or false"),
        ('{"x": {"prompt": "a", "nearest": 7}}', "its nearest is to be a text"),
        (json.dumps({"x" * 65: {"prompt": "a"}}), "at most 64"),
        (json.dumps({"x": {"prompt": "a" * 301}}), "at most 300"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_the_place(
    tmp_path: Path, text: str, why: str
) -> None:
    (tmp_path / "presets.json").write_text(text)
    with pytest.raises(InvalidRequestError, match=why):
        read_presets(tmp_path / "presets.json")


@pytest.mark.slow
async def test_members_are_offered_presets_and_layers_are_drawn_again_too(stage: Stage) -> None:
    models = stage.folder / "data" / "models"
    model(models, "able")
    own = {"house": {"title": "House style", "prompt": "ink, {words}", "layers": ["grain"]}}
    (stage.folder / "data" / "presets.json").write_text(json.dumps(own))
    bot = await stage.start()
    image = await stage.ada.upload()
    answer = await stage.ada.interact(
        kind="autocomplete", name="remix", options={"image": image, "preset": "HOUSE"},
        focused="preset",
    )  # fmt: skip
    assert answer["choices"] == [{"name": "House style", "value": "house"}]
    await stage.ada.remix("a cat", preset="house", model="able")
    first = await stage.ada.result()
    assert "**Remix** \u00b7 House style \u00b7 a cat" in text_of(first)
    await stage.ada.press(first, "Again")
    for message in await stage.ada.results(2):
        with Image.open(BytesIO(await stage.ada.picture(message))) as picture:
            assert len(picture.getcolors(maxcolors=10**6) or ()) > 10
    await stage.ada.press(first, "Edit")
    await stage.ada.fill(prompt="ink, a cat", strength="0.5")
    third = (await stage.ada.results(3))[2]
    assert "House style \u00b7 a cat" in text_of(third)
    await stage.ada.press(third, "Edit")
    await stage.ada.fill(prompt="a dog", strength="0.5")
    assert "House style" not in text_of((await stage.ada.results(4))[3])
    kept = [json.loads(str(text)) for (text,) in rows(bot, "SELECT parameters FROM jobs")]
    assert [(one["preset"], one["layers"]) for one in kept] == [("house", ["grain"])] * 3 + [
        (None, [])
    ]
    files = sorted(bot.settings.files_folder.rglob("*"))
    await stage.ada.remix("c" * 299, preset="house", model="able")
    await stage.ada.text("That prompt is too long: 304 characters.")
    assert sorted(bot.settings.files_folder.rglob("*")) == files
    await stage.ada.remix("", preset="film", model="remix")
    await stage.ada.text("That model cannot do the preset Film look. These can: able.")


@pytest.fixture(scope="module")
def starter() -> Pipeline[Any]:
    config = EngineConfig(device="cpu", models_dir=Path("none"))
    return resolve(PIPELINES["remix"].target).load(model="remix", config=config)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(presets().keys() - FOR_MODELS))
def test_no_preset_of_the_starter_does_nothing(starter: Pipeline[Any], name: str) -> None:
    preset = presets()[name]
    place = sample_of(preset)
    assert place is not None
    with Image.open(place) as opened:
        image = opened.convert("RGB").resize((256, 192))
    pixels = Pixels(width=256, height=192, data=image.tobytes())
    row = starter.admit(
        ImageRequest(
            job_id=name, pipeline="remix", image=pixels, prompt=preset.said(),
            strength=preset.strength,
        )
    )  # fmt: skip
    while row.step < row.total_steps:
        starter.advance([row])
    finished = starter.retire(row)
    assert finished.notes == ()
    before, after = (
        np.frombuffer(each.data, np.uint8).astype(int) for each in (pixels, finished.image)
    )
    assert np.abs(after - before).mean() > 5
