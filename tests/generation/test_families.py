"""The rules of the families: steps, sizes, and what a strength means."""

import diffusers
import pytest

from generation.families import FAMILIES
from generation.request import Note, NoteCode


def test_every_family_has_a_rule_for_everything_it_is_asked() -> None:
    for name, family in FAMILIES.items():
        assert family.name == name
        assert family.title
        assert family.loader is None or hasattr(diffusers, family.loader)
        # Who is recognised in a single file has a configuration that can be named.
        assert family.architecture is None or family.source
        assert family.by_rows <= (family.steps is not None and family.guidance is not None)


def test_families_of_one_build_share_what_reads_their_files() -> None:
    for family in FAMILIES.values():
        for other in FAMILIES.values():
            if family.architecture == other.architecture is not None:
                assert family.by_rows == other.by_rows


@pytest.mark.parametrize(
    ("name", "steps", "strength", "planned"),
    [
        ("sd1", 30, 0.02, 30),
        ("sd_turbo", 2, 0.8, 2),
        ("sd_turbo", 2, 0.3, 4),
        ("sd_turbo", 1, 0.5, 2),
        ("sdxl_turbo", 2, 1 / 49, 50),
        ("sdxl_lightning", 4, 0.25, 4),
        ("flux_schnell", 4, 0.1, 10),
        ("lcm", 4, 0.02, 50),
        ("lcm", 80, 1.0, 50),
        ("sd1", 1000, 1.0, 150),
        # No number of steps lets one be taken: the picture is the answer.
        ("sd_turbo", 2, 0.001, 2),
        ("sd_turbo", 2, 0.0, 2),
    ],
)
def test_families_of_few_steps_plan_as_many_as_let_one_be_taken(
    name: str, steps: int, strength: float, planned: int
) -> None:
    assert FAMILIES[name].planned_steps(steps, strength=strength) == planned


def test_the_member_is_told_of_steps_that_were_added() -> None:
    turbo = FAMILIES["sd_turbo"]
    assert turbo.notes(2, strength=0.3) == (Note(code=NoteCode.MORE_STEPS, words=("4",)),)
    assert turbo.notes(2, strength=0.5) == turbo.notes(200, strength=0.5) == ()


@pytest.mark.parametrize(
    ("name", "picture", "fitted"),
    [
        ("sd1", (1600, 900), (512, 256)),
        ("sd1", (900, 1600), (256, 512)),
        ("sd1", (10, 10), (512, 512)),
        ("sd1", (5000, 10), (512, 64)),
        ("sdxl", (1000, 1000), (1024, 1024)),
        ("sdxl", (1500, 1000), (1280, 832)),
        ("sdxl", (1600, 900), (1344, 768)),
        ("sdxl", (900, 1600), (768, 1344)),
        ("sdxl", (4000, 1000), (2048, 512)),
        ("sdxl", (8000, 1000), (2048, 256)),
    ],
)
def test_pictures_are_run_at_sizes_that_keep_their_aspect(
    name: str, picture: tuple[int, int], fitted: tuple[int, int]
) -> None:
    family = FAMILIES[name]
    assert family.fitted(*picture, side=family.side, multiple=64) == fitted
