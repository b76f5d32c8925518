"""What a measurement says: a value held against its goal, beside what it was compared with."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured figure.

    Args:
        id: its number in the suite, for example "B4".
        goal: the goal in words, with its unit.
        value: what was measured, in the goal's unit.
        met: whether the goal was met in this run.
        peers: what it was compared with, and that one's value in its own words.
        runs: the value of each run, of which ``value`` is the median.
    """

    id: str
    title: str
    goal: str
    value: float
    met: bool
    peers: dict[str, str] = field(default_factory=dict)
    runs: tuple[float, ...] = ()


def alternate(
    contenders: Sequence[Callable[[], float]], *, rounds: int
) -> tuple[tuple[float, ...], ...]:
    """Run the contenders in turn, so that a noisy minute hits all of them, ``rounds`` times."""
    taken: list[list[float]] = [[] for _ in contenders]
    for _ in range(rounds):
        for values, contender in zip(taken, contenders, strict=True):
            values.append(contender())
    return tuple(tuple(values) for values in taken)


def median(values: Sequence[float]) -> float:
    """Return the median of the runs."""
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` (0 to 1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
