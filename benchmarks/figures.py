"""What a measurement says: a value held against its goal, beside what it was compared with."""

import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

Runs = Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long to measure.

    Args:
        rounds: every contender's turns; the median counts.
        seconds: of one turn of a load without an end.
        share: of the jobs of a load that has one.
    """

    rounds: int
    seconds: float
    share: float

    @property
    def full(self) -> bool:
        """Whether what is measured may be kept."""
        return self.rounds >= FULL.rounds

    def jobs(self, full: int) -> int:
        """Return how many jobs to ask for instead of ``full``."""
        return max(4, round(full * self.share))


FULL = Effort(rounds=5, seconds=2.0, share=1.0)
SMOKE = Effort(rounds=1, seconds=0.5, share=0.05)


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a value should reach.

    Args:
        limit: at least or at most so much.
        unit: what the number counts, in words.
    """

    limit: float
    unit: str = ""
    at_least: bool = False

    def met(self, value: float) -> bool:
        """Return whether a value reaches it."""
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.limit:g} {self.unit}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured figure.

    Args:
        id: its number in the suite, for example "B4".
        turns: the value of every turn, in the goal's unit.
        counts: what counts of them: the median, or the worst where nothing may be lost.
        peers: what it was compared with and how that was set, and its value in its own words.
        runs: every contender's own values, turn by turn.
    """

    id: str
    title: str
    goal: Goal
    turns: Sequence[float]
    counts: Callable[[Sequence[float]], float] = statistics.median
    peers: Mapping[str, str] = field(default_factory=dict)
    runs: Runs = field(default_factory=dict)

    @property
    def value(self) -> float:
        """What counts of the turns."""
        return self.counts(self.turns)

    @property
    def met(self) -> bool:
        """Whether the goal was met."""
        return self.goal.met(self.value)


def at_least(limit: float, unit: str) -> Goal:
    """Return a goal from below."""
    return Goal(limit=limit, unit=unit, at_least=True)


def at_most(limit: float, unit: str = "") -> Goal:
    """Return a goal from above."""
    return Goal(limit=limit, unit=unit)


def alternate(
    contenders: Sequence[Callable[[], float]], *, rounds: int
) -> tuple[tuple[float, ...], ...]:
    """Run the contenders in turn, so that a noisy minute hits all of them, ``rounds`` times.

    Every other round goes backwards: nobody always comes after the same one.
    """
    taken: list[list[float]] = [[] for _ in contenders]
    for turn in range(rounds):
        for index in order(len(contenders), turn=turn):
            taken[index].append(contenders[index]())
    return tuple(tuple(values) for values in taken)


async def alternating(
    contenders: Mapping[str, Callable[[int], Awaitable[Mapping[str, float]]]], *, rounds: int
) -> dict[str, dict[str, list[float]]]:
    """Do the same with contenders that measure several values at once; they get the turn."""
    names = list(contenders)
    taken: dict[str, dict[str, list[float]]] = {name: {} for name in names}
    for turn in range(rounds):
        for index in order(len(names), turn=turn):
            name = names[index]
            for what, value in (await contenders[name](turn)).items():
                taken[name].setdefault(what, []).append(value)
    return taken


def order(contenders: int, *, turn: int) -> Sequence[int]:
    """Return who comes when in a round."""
    return range(contenders) if turn % 2 == 0 else range(contenders - 1, -1, -1)


def median(values: Sequence[float]) -> float:
    """Return the median of the runs."""
    return statistics.median(values)


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Return the ratio of every turn."""
    return [one / max(other, 1e-9) for one, other in zip(above, below, strict=True)]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` (0 to 1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
