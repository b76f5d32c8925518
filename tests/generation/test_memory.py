"""The policy of memory: what it promises for any demand and any place."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generation.deciding import decide, ladder
from generation.errors import ModelTooLargeError
from generation.memory import MEASURES, SHAPES, Demand, Place, Plan, plain
from generation.memory_words import explained, with_measures

GB = 10**9


@st.composite
def demands(draw: st.DrawFn) -> Demand:
    def size(most: int) -> int:
        return draw(st.integers(0, most))

    width = draw(st.integers(1, 3))
    denoiser, encoder, picture = size(30 * GB), size(10 * GB), size(8 * GB)
    encoders = encoder + size(2 * GB)
    scores = size(4 * GB)
    return Demand(
        denoiser=denoiser,
        encoders=encoders,
        encoder=encoder,
        codec=size(GB),
        row=size(2 * GB),
        picture=picture,
        tile=draw(st.integers(0, picture)),
        tile_side=512,
        rows=draw(st.integers(width, 16)),
        pictures=draw(st.integers(1, 16)),
        width=width,
        denoiser_8=draw(st.integers(denoiser // 4, denoiser)),
        encoders_8=encoders // 2,
        encoder_8=encoder // 2,
        widened=size(GB // 8),
        scores=scores,
        slice_scores=draw(st.integers(0, scores)),
        apart=draw(st.booleans()),
    )


def place(memory: int, *, weights: int = 10**12, free: bool = True) -> Place:
    return Place(
        device="cuda:0",
        title="a GPU",
        memory=memory,
        weights=weights,
        steady=(memory, weights),
        free=free,
        apart=True,
    )


def xl(**changes: object) -> Demand:
    """Return about what Stable Diffusion XL asks of a GPU."""
    found = Demand(
        denoiser=5_135_000_000,
        encoders=1_636_000_000,
        encoder=1_390_000_000,
        codec=335_000_000,
        row=200_000_000,
        picture=3_900_000_000,
        tile=970_000_000,
        tile_side=512,
        rows=16,
        pictures=16,
        width=2,
        denoiser_8=2_600_000_000,
        encoders_8=900_000_000,
        encoder_8=760_000_000,
        widened=26_000_000,
        apart=True,
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def decided(demand: Demand, memory: int, *, weights: int = 10**12) -> Plan | None:
    try:
        return decide(demand, place=place(memory, weights=weights), name="it")
    except ModelTooLargeError:
        return None


@settings(max_examples=40)
@given(demands(), st.integers(0, 80 * GB), st.integers(0, 40 * GB))
def test_a_plan_never_takes_more_than_there_is(demand: Demand, memory: int, weights: int) -> None:
    plan = decided(demand, memory, weights=weights)
    if plan is None:
        assert not any(place(memory, weights=weights).holds(each) for each in ladder(demand))
    else:
        assert plan.needed == max(plan.phases) <= memory
        assert plan.resident <= weights
        assert plan.work >= 0


@settings(max_examples=40)
@given(demands(), st.integers(0, 80 * GB), st.integers(0, 80 * GB))
def test_less_memory_never_drops_a_measure(demand: Demand, one: int, other: int) -> None:
    scarce, ample = (decided(demand, each) for each in sorted((one, other)))
    if ample is None:
        assert scarce is None
    elif scarce is not None:
        assert set(ample.taken) <= set(scarce.taken)
        assert scarce.look.rows <= ample.look.rows
        assert scarce.look.pictures <= ample.look.pictures


@settings(max_examples=40)
@given(demands())
def test_every_rung_takes_a_measure_more_and_lessens_something(demand: Demand) -> None:
    rungs = list(ladder(demand))
    assert rungs[0] == plain(demand)
    assert rungs[0].taken == ()
    for before, after in pairwise(rungs):
        assert set(before.taken) <= set(after.taken)
        assert any(new < old for new, old in zip(after.phases, before.phases, strict=True))
        assert after.look.rows >= min(demand.width, demand.rows)


@settings(max_examples=40)
@given(demands())
def test_without_a_memory_of_its_own_nothing_is_sent_to_the_host(demand: Demand) -> None:
    for plan in ladder(replace(demand, apart=False)):
        assert not {"encoders", "turns"} & set(plan.taken)


@settings(max_examples=40)
@given(demands(), st.integers(0, 80 * GB), st.integers(0, 80 * GB))
def test_a_look_that_was_settled_stays_whatever_is_free(
    demand: Demand, first: int, later: int
) -> None:
    settled = decided(demand, first)
    if settled is None:
        return
    try:
        plan = decide(demand, place=place(later), name="it", look=settled.look)
    except ModelTooLargeError:
        return
    assert plan.look == settled.look
    assert plan.needed <= later


def test_measures_are_taken_in_the_order_of_the_table() -> None:
    taken = [decided(xl(), int(size * GB)) for size in (80, 20, 12, 8, 6.9, 6.3, 4)]
    assert [plan and plan.taken for plan in taken] == [
        (),
        ("rows",),
        ("rows",),
        ("rows", "encoders", "tiles"),
        ("rows", "encoders", "tiles"),
        ("rows", "encoders", "tiles", "turns"),
        ("rows", "encoders", "tiles", "turns", "int8"),
    ]
    assert [plan.look.rows for plan in taken if plan] == [16, 2, 2, 2, 2, 2, 2]
    assert decided(xl(), 2 * GB) is None


def test_attention_is_sliced_only_where_it_writes_its_scores_down() -> None:
    assert not any(plan.look.slices for plan in ladder(xl()))
    writing = xl(scores=3 * GB, slice_scores=GB // 8)
    assert any(plan.look.slices for plan in ladder(writing))


def test_a_refusal_says_what_is_needed_and_what_is_there() -> None:
    with pytest.raises(ModelTooLargeError) as refusal:
        decide(xl(), place=place(2 * GB), name="mine")
    said = str(refusal.value)
    assert said.startswith("mine needs about 69.5 GB, 3.0 GB at the least (with one request a call")
    assert said.endswith("weights in 8 bits); 2.0 GB are free on cuda:0")
    with pytest.raises(ModelTooLargeError, match=r"2\.0 GB are allowed on cuda:0$"):
        decide(xl(), place=place(2 * GB, free=False), name="mine")
    with pytest.raises(ModelTooLargeError, match=r"mine takes \d+ MiB; models may take 954 MiB"):
        decide(xl(), place=place(80 * GB, weights=GB), name="mine")


def test_the_explanation_names_every_measure_with_its_saving_and_its_price() -> None:
    plan = decided(xl(), 4 * GB)
    assert plan is not None
    said = "\n".join(explained(plan, place=place(4 * GB)))
    assert "4.0 GB are free on cuda:0" in said
    assert "calls hold 2 rows, and the codec's 1 picture" in said
    for measure in MEASURES:
        assert (measure.costs in said) is (measure.name in plan.taken)
    roomy = place(80 * GB)
    assert explained(decide(xl(), place=roomy, name="it"), place=roomy)[1:] == (
        "nothing has to be done for that",
    )


@settings(max_examples=40)
@given(demands())
def test_what_measures_save_adds_up(demand: Demand) -> None:
    *_, plan = ladder(demand)
    assert with_measures(plan, plan.taken) == plan
    assert with_measures(plan, ()) == plain(demand)


def test_shapes_grow() -> None:
    assert sorted(set(SHAPES)) == list(SHAPES)
    assert SHAPES[0] == 1
