"""The built-in artworks and samples: present, small, readable, and what their scripts paint."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from generation.artworks import FOLDER, artworks, load_artworks
from generation.errors import ModelUnavailableError
from generation.training.artworks import RECIPES, painted, write, write_index
from generation.training.samples import SAMPLES as SAMPLES_PAINTED

SAMPLES = FOLDER.parent / "samples"
RECIPE = next(recipe for recipe in RECIPES if recipe.name == "geometry")


def test_there_is_a_dozen_in_the_order_of_the_recipes() -> None:
    assert len(artworks()) == 12
    assert list(artworks()) == [recipe.name for recipe in RECIPES]


@pytest.mark.parametrize("name", [recipe.name for recipe in RECIPES])
def test_an_artwork_and_its_thumbnail_can_be_read(name: str) -> None:
    artwork = artworks()[name]
    assert artwork.title
    assert 10 < len(artwork.description) <= 100
    with Image.open(artwork.path) as picture, Image.open(artwork.thumbnail) as small:
        assert (picture.format, picture.size) == ("WEBP", (768, 768))
        assert (small.format, small.size) == ("JPEG", (192, 192))
        near = np.asarray(picture.convert("RGB").resize((24, 24)), np.float32)
        far = np.asarray(small.convert("RGB").resize((24, 24)), np.float32)
    assert np.abs(near - far).mean() < 8
    assert near.std() > 15


def test_they_are_small_enough_to_ship() -> None:
    assert sum(place.stat().st_size for place in FOLDER.iterdir()) < 2_500_000


def test_no_two_artworks_look_alike() -> None:
    tiny = []
    for artwork in artworks().values():
        with Image.open(artwork.thumbnail) as small:
            tiny.append(np.asarray(small.convert("RGB").resize((16, 16)), np.float32))
    for index, one in enumerate(tiny):
        assert all(np.abs(one - other).mean() > 15 for other in tiny[:index])


@pytest.mark.slow
def test_the_script_paints_the_artwork_that_ships() -> None:
    with Image.open(artworks()[RECIPE.name].path) as shipped:
        there = np.asarray(shipped.convert("RGB"), np.float32)
    again = np.asarray(painted(RECIPE), np.float32)
    assert np.abs(there - again).mean() < 6
    assert np.array_equal(again, np.asarray(painted(RECIPE), np.float32))


def test_the_script_writes_a_folder_that_can_be_loaded(tmp_path: Path) -> None:
    write(RECIPE, tmp_path)
    write_index(tmp_path)
    with pytest.raises(ModelUnavailableError, match=r"night\.webp"):
        load_artworks(tmp_path)
    rows = json.loads((tmp_path / "artworks.json").read_text(encoding="utf-8"))
    mine = [row for row in rows if row["name"] == RECIPE.name]
    (tmp_path / "artworks.json").write_text(json.dumps(mine), encoding="utf-8")
    assert list(load_artworks(tmp_path)) == [RECIPE.name]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        '[{"name": "../secret", "title": "A", "description": "B"}]',
        '[{"name": "a", "title": "A"}]',
        '[{"name": "Upper", "title": "A", "description": "B"}]',
    ],
)
def test_a_broken_list_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "artworks.json").write_text(text, encoding="utf-8")
    with pytest.raises(ModelUnavailableError):
        load_artworks(tmp_path)


def test_a_missing_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError):
        load_artworks(tmp_path)


def test_two_of_one_name_are_refused(tmp_path: Path) -> None:
    write(RECIPE, tmp_path)
    row = {"name": RECIPE.name, "title": "A", "description": "B"}
    (tmp_path / "artworks.json").write_text(json.dumps([row, row]), encoding="utf-8")
    with pytest.raises(ModelUnavailableError, match="same name"):
        load_artworks(tmp_path)


def test_reading_the_list_needs_neither_torch_nor_pillow() -> None:
    code = (
        "import sys; from generation.artworks import artworks; artworks();"
        "assert not {'torch', 'PIL', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=FOLDER.parents[2], timeout=60)


def test_there_are_samples_for_the_demo_and_for_every_preset() -> None:
    places = sorted(SAMPLES.glob("*.jpg"))
    assert [place.stem for place in places] == sorted(SAMPLES_PAINTED)
    for place in places:
        assert place.stat().st_size <= 200_000
        with Image.open(place) as picture:
            assert picture.size == (1024, 768)
