"""Painted avatars: the same of a seed, varied between seeds, and drawn to the usual one."""

from dataclasses import fields, replace

import numpy as np
import pytest

from generation.errors import InvalidRequestError
from generation.training.avatars import avatars, painted
from generation.training.avatars_traits import (
    ANIMALS,
    HUES,
    USUAL,
    Kind,
    Traits,
    crossed,
    traits_of,
)


def test_a_seed_is_one_avatar_and_others_are_others() -> None:
    assert traits_of(5) == traits_of(5)
    assert len({traits_of(seed) for seed in range(50)}) == 50
    one, again, other = (
        avatars(2, seed=3, side=32),
        avatars(2, seed=3, side=32),
        avatars(2, seed=4, side=32),
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one[0], one[1])
    assert not np.array_equal(one, other)


def test_all_kinds_come_up_and_people_most() -> None:
    kinds = [traits_of(seed).kind for seed in range(400)]
    assert {*kinds} == {"person", "robot", *ANIMALS}
    assert 150 < kinds.count("person") < 250


@pytest.mark.parametrize("kind", ["person", "robot", *ANIMALS])
def test_every_kind_is_a_head_on_a_ground_with_eyes_that_can_be_told_apart(kind: Kind) -> None:
    traits = replace(traits_of(1), kind=kind, glasses="none", hat="none")
    shut, open_ = (
        np.asarray(painted(replace(traits, eyes=eyes), side=48), np.int16)
        for eyes in ("happy", "wide")
    )
    changed = np.abs(shut - open_).max(axis=2) > 30
    rows, columns = np.nonzero(changed)
    assert 8 < changed.sum() < 48 * 48 / 4
    # Eyes are in the upper half, on both sides of the middle, and nothing else has moved.
    assert rows.max() < 32
    assert columns.min() < 24 < columns.max()
    corner, middle = shut[1, 1], shut[26, 24]
    assert np.abs(corner - middle).max() > 20


@pytest.mark.parametrize(
    "what", ["hair", "hat", "glasses", "mouth", "beard", "skin", "hair_colour"]
)
def test_every_choice_is_seen(what: str) -> None:
    values = {getattr(traits_of(seed), what) for seed in range(200)}
    usual = Traits(hair="short") if what == "beard" else Traits()
    pictures = {painted(replace(usual, **{what: value}), side=32).tobytes() for value in values}
    assert len(values) > 3
    assert len(pictures) == len(values)


def test_truncation_goes_to_the_usual_avatar_and_never_away_from_it() -> None:
    for seed in range(20):
        assert traits_of(seed, truncation=0.0) == USUAL
        far, near = (traits_of(seed, truncation=share) for share in (1.0, 0.5))
        for each in fields(Traits):
            usual, drawn, pulled = (getattr(it, each.name) for it in (USUAL, far, near))
            if not isinstance(usual, float):
                assert pulled in (usual, drawn)
            elif each.name not in HUES:
                assert abs(pulled - usual) == pytest.approx(abs(drawn - usual) / 2)


def test_a_cross_has_the_build_of_one_and_the_colours_of_the_other() -> None:
    seeds = [seed for seed in range(60) if traits_of(seed).kind == "person"]
    first, second = traits_of(seeds[0]), traits_of(seeds[1])
    cross = crossed(first, second)
    assert (cross.kind, cross.hair, cross.mouth) == (first.kind, first.hair, first.mouth)
    assert (cross.skin, cross.hat, cross.ground_hue) == (second.skin, second.hat, second.ground_hue)
    assert crossed(first, first) == first


def test_what_cannot_be_painted_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="16 pixels"):
        painted(USUAL, side=8)
    with pytest.raises(InvalidRequestError, match="truncation is 0 to 1"):
        traits_of(1, truncation=1.5)
