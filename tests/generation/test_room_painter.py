"""The painter of rooms: what stands in for a VAE with a prior, and says so."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from generation.designers import PAINTER, designer_named
from generation.errors import InvalidRequestError, ModelUnavailableError
from generation.pipelines.base import EngineConfig, Finished
from generation.pipelines.rooms import RoomsPipeline
from generation.pipelines.vae_rows import VaePipeline
from generation.registry import PIPELINES, offered, resolve
from generation.request import Canvas, ImageRequest, NoteCode, Pixels, Walk
from generation.training.rooms import draw_plan
from generation.training.rooms_kinds import KINDS
from generation.training.rooms_words import KIND_NAMES, ROOM_WORDS
from tests.generation.vaes import save_rooms

SIDE = 128


def design(prompt: str = "", *, seed: int = 3, strength: float = 1.0, **rest: object) -> Finished:
    request = ImageRequest(**{
        "job_id": "d", "pipeline": "design", "image": Canvas(width=SIDE, height=SIDE),
        "prompt": prompt, "seed": seed, "strength": strength, **rest,
    })  # type: ignore[arg-type]  # fmt: skip
    pipeline = RoomsPipeline()
    row = pipeline.admit(request)
    while row.step < row.total_steps:
        pipeline.advance([row])
    return pipeline.retire(row)


def values(picture: Pixels) -> NDArray[np.float64]:
    shape = (picture.height, picture.width, 3)
    return np.frombuffer(picture.data, np.uint8).reshape(shape) / 255


def test_the_painter_stands_in_until_a_vae_of_its_name_is_there(tmp_path: Path) -> None:
    assert "design" in offered(models_dir=tmp_path)
    loader = resolve(PIPELINES["design"].target)

    def loaded() -> object:
        return loader.load(model=PAINTER, config=EngineConfig(device="cpu", models_dir=tmp_path))

    assert isinstance(loaded(), RoomsPipeline)
    assert designer_named(PAINTER, models_dir=tmp_path).make == "painted"
    save_rooms(tmp_path / PAINTER)
    assert isinstance(loaded(), VaePipeline)
    assert designer_named(PAINTER, models_dir=tmp_path).make == "pictures"
    with pytest.raises(ModelUnavailableError, match="known: rooms"):
        designer_named("nobody", models_dir=tmp_path)


def test_words_are_the_tables_and_every_one_that_is_said_is_so() -> None:
    assert set(KIND_NAMES) == set(KINDS)
    for word in ROOM_WORDS:
        plan = draw_plan(np.random.default_rng(1), said=("bedroom", word))
        assert word in plan.caption or word in KIND_NAMES
        alone = draw_plan(np.random.default_rng(1), said=(word,))
        assert word in alone.caption or word in alone.extras


def test_a_room_is_of_its_seed_and_its_words_and_says_how_it_was_made() -> None:
    made, again, other = design(), design(), design(seed=4)
    assert made == again
    assert made.image != other.image
    assert [note.code for note in made.notes] == [NoteCode.PAINTED]
    told = design("a bedroom with blue walls, zebras")
    assert told.notes[0].words == ("zebras",)
    assert told.notes[1].words == ROOM_WORDS
    wall = values(design("bedroom, blue walls, daylight").image)[27:46].mean(axis=(0, 1))
    assert wall[2] > wall[0]


def test_a_direction_leaves_the_room_furnished_as_it_was() -> None:
    day = design("study, daylight")
    none, half, night = (
        design("study, daylight", strength=share, walk=Walk(direction="evening"))
        for share in (0.0, 0.5, 1.0)
    )
    assert none.image == day.image
    assert values(night.image).mean() < values(half.image).mean() < values(day.image).mean() - 0.05
    edges = [np.abs(np.diff(values(it.image).mean(axis=2), axis=1)) for it in (day, night)]
    assert np.corrcoef(edges[0].ravel(), edges[1].ravel())[0, 1] > 0.5


@pytest.mark.parametrize("walk", [Walk(frames=3), Walk(frames=3, direction="evening")])
def test_a_walk_goes_from_the_design_to_another_of_the_same_kind(walk: Walk) -> None:
    moving = design("kitchen, daylight", walk=walk)
    assert moving.parameters == (("frames", "3"),)
    frames = np.split(values(moving.image), 3)
    assert np.array_equal(frames[0], values(design("kitchen, daylight").image))
    assert not np.array_equal(frames[0], frames[2])
    assert np.allclose(frames[1], (frames[0] + frames[2]) / 2, atol=0.01)


def test_a_wide_canvas_is_cut_from_the_middle() -> None:
    wide = values(design(image=Canvas(width=SIDE, height=SIDE // 2)).image)
    assert np.array_equal(wide, values(design().image)[SIDE // 4 : 3 * SIDE // 4])


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ({"image": Pixels(width=8, height=8, data=bytes(192))}, "starts from no picture"),
        ({"walk": Walk(direction="cosy")}, "no direction 'cosy'"),
    ],
)
def test_what_the_painter_cannot_do_is_refused(rest: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidRequestError, match=said):
        design(**rest)  # type: ignore[arg-type]
