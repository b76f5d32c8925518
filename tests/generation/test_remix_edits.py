"""Every edit of the remix starter on all photographs: its traits show, and did not before."""

from pathlib import Path

import numpy as np
import pytest
import torch

from generation.imaging import to_pixels
from generation.pipelines.base import EngineConfig
from generation.pipelines.img2img import Img2ImgPipeline
from generation.request import ImageRequest
from generation.training.captions import WORDS
from tests.generation.edit_traits import TRAITS, Values, missing
from tests.photographs import photograph, photographs

torch.set_num_threads(1)

SIDE = 256
CHINESE = {edit: next(word for word in words if ord(word[0]) > 0x2E80)
           for edit, words in WORDS.items()}  # fmt: skip
SEVERAL = (
    ("snowy night", ("night",)),
    ("雪 夜", ("night",)),
    ("winter sketch", ("sketch",)),
    ("a watercolour of winter", ("watercolour",)),
    ("霓虹 雨", ("neon",)),
    ("autumn at golden hour", ("autumn", "golden")),
)
"""Prompts of several edits, and those that show as strongly as alone."""


@pytest.fixture(scope="module")
def starter() -> Img2ImgPipeline:
    return Img2ImgPipeline.load(
        model="remix", config=EngineConfig(device="cpu", models_dir=Path("none"))
    )


def source(name: str) -> Values:
    return np.asarray(photograph(name, max_side=SIDE)) / 255


def edited(pipeline: Img2ImgPipeline, name: str, prompt: str) -> Values:
    image = to_pixels(photograph(name, max_side=SIDE))
    row = pipeline.admit(
        ImageRequest(
            job_id="one", pipeline="remix", image=image, prompt=prompt, strength=1.0, seed=0
        )
    )
    while row.step < row.total_steps:
        pipeline.advance([row])
    made = pipeline.retire(row)
    assert not made.notes, "every word is known"
    return np.frombuffer(made.image.data, np.uint8).reshape(made.image.height, -1, 3) / 255


def test_every_edit_has_traits_and_no_photograph_has_them_before() -> None:
    assert TRAITS.keys() == WORDS.keys()
    for name in photographs():
        before = source(name)
        assert [edit for edit in TRAITS if not missing(edit, before, before)] == []


@pytest.mark.slow
@pytest.mark.parametrize("edit", TRAITS)
def test_an_edit_shows_on_every_photograph(edit: str, starter: Img2ImgPipeline) -> None:
    lacks = {
        name: missing(edit, source(name), edited(starter, name, WORDS[edit][0]))
        for name in photographs()
    }
    assert {name: it for name, it in lacks.items() if it} == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["astronaut", "china"])
def test_every_edit_shows_when_it_is_said_in_chinese(name: str, starter: Img2ImgPipeline) -> None:
    before = source(name)
    lacks = {edit: missing(edit, before, edited(starter, name, word))
             for edit, word in CHINESE.items()}  # fmt: skip
    assert {edit: it for edit, it in lacks.items() if it} == {}


@pytest.mark.slow
@pytest.mark.parametrize(("prompt", "shown"), SEVERAL)
def test_several_edits_show_at_once(
    prompt: str, shown: tuple[str, ...], starter: Img2ImgPipeline
) -> None:
    lacks = {
        (name, edit): missing(edit, source(name), edited(starter, name, prompt))
        for name in ("china", "coffee", "chelsea")
        for edit in shown
    }
    assert {key: it for key, it in lacks.items() if it} == {}
