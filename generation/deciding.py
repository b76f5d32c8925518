"""Deciding what is done so that a checkpoint finds room on a device: measure after measure."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile

from generation.errors import ModelTooLargeError
from generation.memory import SHAPES, Demand, Look, Place, Plan, plain
from generation.memory_words import refusal


def ladder(demand: Demand) -> Iterator[Plan]:
    """Yield the plans for a checkpoint, each with a measure more than the one before.

    Of the measures that are left the first is taken that lessens the largest of the three
    figures; if none does, the first that lessens any. What lessens none is never taken.
    """
    plan = plain(demand)
    while True:
        yield plan
        further = [each for each in _further(plan) if _lessens(each, plan)]
        if not further:
            return
        plan = next((each for each in further if each.needed < plan.needed), further[0])


def decide(demand: Demand, *, place: Place, name: str, look: Look | None = None) -> Plan:
    """Return the first plan that a place has room for.

    Args:
        demand: the checkpoint's.
        place: what there is room for.
        name: the checkpoint's, for the refusal.
        look: what pictures depend on, where that was settled before; the other measures are
            taken as they are needed now.

    Raises:
        ModelTooLargeError: it has room for none; the sentence has the figures.
    """
    plans = list(ladder(demand) if look is None else _looking(demand, look))
    found = next((plan for plan in plans if place.holds(plan)), None)
    if found is None:
        raise ModelTooLargeError(refusal(plans, place=place, name=name))
    return found


def taken_before(demand: Demand, plan: Plan) -> tuple[Plan, ...]:
    """Return the plans of the ladder before one, the first with nothing done."""
    return tuple(takewhile(lambda each: each != plan, ladder(demand)))


def _further(plan: Plan) -> Iterator[Plan]:
    """Yield a plan with each measure more that is left, in their order."""
    look = plan.look
    if (fewer := _narrower(plan)) is not None:
        yield fewer
    if not plan.encoders and plan.demand.apart:
        yield replace(plan, encoders=True)
    if not look.tiles:
        yield replace(plan, look=replace(look, tiles=True))
    if not look.slices:
        yield replace(plan, look=replace(look, slices=True))
    if not plan.turns and plan.demand.apart:
        yield replace(plan, encoders=True, turns=True)
    if not look.int8:
        yield replace(plan, look=replace(look, int8=True))


def _narrower(plan: Plan) -> Plan | None:
    """Return a plan with the next smaller shape of calls, None when they hold one request."""
    look, width = plan.look, plan.demand.width
    shapes = [shape for shape in SHAPES if width < shape < look.rows]
    rows = shapes[-1] if shapes else min(width, look.rows)
    pictures = min(look.pictures, rows) if rows > width else 1
    found = replace(look, rows=rows, pictures=min(look.pictures, pictures))
    return None if found == look else replace(plan, look=found)


def _lessens(plan: Plan, before: Plan) -> bool:
    pairs = list(zip(plan.phases, before.phases, strict=True))
    return any(new < old for new, old in pairs)


def _looking(demand: Demand, look: Look) -> Iterator[Plan]:
    """Yield the plans of one look, in the order of what they cost."""
    plan = Plan(demand=demand, look=look)
    yield plan
    if demand.apart:
        yield replace(plan, encoders=True)
        yield replace(plan, encoders=True, turns=True)
