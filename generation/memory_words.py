"""Saying what is done so that a checkpoint finds room on a device, and why: with the figures."""

from collections.abc import Iterable, Sequence

from generation.memory import MEASURES, Look, Measure, Name, Place, Plan, plain


def explained(plan: Plan, *, place: Place) -> tuple[str, ...]:
    """Return in sentences what is done for a checkpoint at a place, and why."""
    whole = plain(plan.demand)
    there = f"{gigabytes(place.memory)} {_having(place)} {place.device}"
    lines = [
        f"needs about {gigabytes(plan.needed)}, {gigabytes(plan.resident)} of weights and"
        f" {gigabytes(plan.work)} to work with; {there}"
    ]
    if not plan.taken:
        return (*lines, "nothing has to be done for that")
    lines.append(f"as it is it would need {gigabytes(whole.needed)}; therefore:")
    before = whole
    for measure in (each for each in MEASURES if each.name in plan.taken):
        after = with_measures(plan, _up_to(plan.taken, measure.name))
        saved = max(0, before.needed - after.needed)
        lines.append(f"- {_clause(measure, plan)} (saves {gigabytes(saved)}; {_effect(measure)})")
        before = after
    return tuple(lines)


def with_measures(plan: Plan, names: Iterable[Name]) -> Plan:
    """Return a plan with only some of its measures."""
    kept, demand, look = set(names), plan.demand, plan.look
    return Plan(
        demand=demand,
        look=Look(
            rows=look.rows if "rows" in kept else demand.rows,
            pictures=look.pictures if "rows" in kept else demand.pictures,
            tiles=look.tiles and "tiles" in kept,
            slices=look.slices and "slices" in kept,
            int8=look.int8 and "int8" in kept,
        ),
        encoders=plan.encoders and "encoders" in kept,
        turns=plan.turns and "turns" in kept,
    )


def gigabytes(count: int) -> str:
    """Return bytes as people say them."""
    if count < 10**7:
        return f"{count / 1e6:.2f} MB"
    return f"{count / 1e6:.0f} MB" if count < 10**9 else f"{count / 1e9:.1f} GB"


def refusal(plans: Sequence[Plan], *, place: Place, name: str) -> str:
    """Return the sentence for a checkpoint that finds no room, with the figures."""
    least = min(plans, key=lambda plan: plan.needed)
    if least.needed <= place.memory:
        light = min(plans, key=lambda plan: plan.resident)
        needed, allowed = (-(-size // 2**20) for size in (light.resident, place.weights))
        return f"{name} takes {needed} MiB; models may take {allowed} MiB of the device"
    first = plans[0]
    even = "" if least.needed == first.needed else f", {gigabytes(least.needed)} at the least"
    done = _listed(least.taken)
    return (
        f"{name} needs about {gigabytes(first.needed)}{even}{f' ({done})' if even else ''};"
        f" {gigabytes(place.memory)} {_having(place)} {place.device}"
    )


def _having(place: Place) -> str:
    return "are free on" if place.free else "are allowed on"


def _listed(names: Iterable[Name]) -> str:
    said: dict[Name, str] = {
        "rows": "one request a call",
        "encoders": "text encoders in the host's memory",
        "tiles": "the codec in tiles",
        "slices": "attention in slices",
        "turns": "its parts taking turns",
        "int8": "weights in 8 bits",
    }
    return "with " + ", ".join(said[name] for name in names)


def _up_to(taken: tuple[Name, ...], name: Name) -> tuple[Name, ...]:
    return taken[: taken.index(name) + 1]


def _clause(measure: Measure, plan: Plan) -> str:
    if measure.name != "rows":
        return measure.does
    look = plan.look
    rows, pictures = (
        f"{count} {word}{'' if count == 1 else 's'}"
        for count, word in ((look.rows, "row"), (look.pictures, "picture"))
    )
    return f"calls hold {rows}, and the codec's {pictures}"


def _effect(measure: Measure) -> str:
    changes = f"pictures change {measure.changes}" if measure.changes else "pictures stay the same"
    return f"costs: {measure.costs}; {changes}"
