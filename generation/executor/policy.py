"""Where order is decided: which request starts next, and which rows take the next step.

Requests start by the counters of their guild and member (see ``shares``). What had started
before an engine died comes ahead of them; a request that was in a call when an engine died runs
alone when it is repeated, so that the next death has one suspect. Inside the engine the rows
take turns by device time: who is furthest behind goes first, and takes along what shares its
bucket. A newcomer starts level with who is furthest behind, so that it cannot hold up the others.
"""

from bisect import insort
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from itertools import takewhile
from operator import attrgetter
from typing import Generic, Protocol, TypeVar

from generation.executor.shares import Priced, Shares


class Queued(Priced, Protocol):
    """What the order looks at in a request; ``serial`` is its number in the order of arrival."""

    @property
    def suspect(self) -> bool:
        """Whether an engine died while this request was in its call."""


class Advancing(Protocol):
    """What the order looks at in a row."""

    @property
    def bucket(self) -> Hashable:
        """Rows of equal buckets may advance together."""

    @property
    def virtual_ns(self) -> int:
        """Device time that went into it, counted from where it started level with the others."""

    @property
    def width(self) -> int:
        """Rows of the model's call that it takes: as many as its guidance needs."""


QueuedT = TypeVar("QueuedT", bound=Queued)
AdvancingT = TypeVar("AdvancingT", bound=Advancing)


class Queue(Generic[QueuedT]):
    """The requests that wait, in the order in which they will start."""

    def __init__(self) -> None:
        self._again: list[QueuedT] = []
        self._waiting: dict[int, QueuedT] = {}
        self._shares: Shares[QueuedT] = Shares()

    def __len__(self) -> int:
        return len(self._again) + len(self._waiting)

    def __iter__(self) -> Iterator[QueuedT]:
        return iter([*self._again, *self._shares.order()])

    def __contains__(self, queued: QueuedT) -> bool:
        return self._waiting.get(queued.serial) is queued or queued in self._again

    @property
    def cost_ms(self) -> float:
        """What all who wait are expected to cost."""
        return sum(queued.cost_ms for queued in (*self._again, *self._waiting.values()))

    def add(self, queued: QueuedT) -> None:
        """Let a new request wait."""
        self._waiting[queued.serial] = queued
        self._shares.add(queued)

    def add_again(self, queued: QueuedT) -> None:
        """Let a request that had started wait ahead of the others; it is not charged twice."""
        insort(self._again, queued, key=attrgetter("serial"))

    def remove(self, queued: QueuedT) -> None:
        """Take a request out, if it waits; it is charged nothing."""
        if queued in self._again:
            self._again.remove(queued)
            self._shares.settle(queued, spent_ms=0.0)
        elif queued in self:
            del self._waiting[queued.serial]
            self._shares.remove(queued)

    def next(self, *, under_way: Collection[QueuedT], max_rows: int) -> QueuedT | None:
        """Return who may join the rows under way now, or None."""
        if len(under_way) >= max_rows:
            return None
        first = self._again[0] if self._again else self._shares.head()
        if first is None:
            return None
        alone = first.suspect or any(other.suspect for other in under_way)
        return None if alone and under_way else first

    def start(self, queued: QueuedT) -> None:
        """Take out a request that joins the rows under way; its account is charged."""
        if queued in self._again:
            self._again.remove(queued)
        else:
            del self._waiting[queued.serial]
            self._shares.start(queued)

    def end(self, queued: QueuedT, *, spent_ms: float) -> None:
        """Charge a request that had started what it did cost."""
        self._shares.settle(queued, spent_ms=spent_ms)

    def ahead_ms(self, queued: QueuedT) -> float:
        """Return what would start before a new request if it were added now."""
        self.add(queued)
        ahead = takewhile(lambda other: other is not queued, self)
        ahead_ms = sum(other.cost_ms for other in ahead)
        self.remove(queued)
        return ahead_ms


def next_batch(
    rows: Collection[AdvancingT], *, capacity: Callable[[AdvancingT], int]
) -> Sequence[AdvancingT]:
    """Return the rows that take the next step together.

    Who is furthest behind always goes; of the others in its bucket go, in their order, those
    whose widths still fit into what one call of the bucket holds.
    """
    ordered = sorted(rows, key=attrgetter("virtual_ns"))
    first = ordered[0]
    batch, room = [first], capacity(first) - first.width
    for row in ordered[1:]:
        if row.bucket == first.bucket and row.width <= room:
            batch.append(row)
            room -= row.width
    return batch


def starting_level(rows: Collection[Advancing]) -> int:
    """Return the ``virtual_ns`` of a row that joins these."""
    return min((row.virtual_ns for row in rows), default=0)
