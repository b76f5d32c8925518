"""Where order is decided: which request starts next, and which rows take the next step.

Requests start first come, first served; a request that was in a call when an engine died runs
alone when it is repeated, so that the next death has one suspect. Inside the engine the rows
take turns by device time: who is furthest behind goes first, and takes along what shares its
bucket. A newcomer starts level with who is furthest behind, so that it cannot hold up the others.
"""

from bisect import insort
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from operator import attrgetter
from typing import Generic, Protocol, TypeVar


class Queued(Protocol):
    """What the order looks at in a request."""

    @property
    def serial(self) -> int:
        """Its number in the order of arrival."""

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
        self._waiting: list[QueuedT] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[QueuedT]:
        return iter(self._waiting)

    def add(self, queued: QueuedT) -> None:
        """Put a request in its place; one that is repeated has its old number and comes early."""
        insort(self._waiting, queued, key=attrgetter("serial"))

    def remove(self, queued: QueuedT) -> None:
        """Take a request out, if it waits."""
        self._waiting = [other for other in self._waiting if other is not queued]

    def next(self, *, under_way: Collection[QueuedT], max_rows: int) -> QueuedT | None:
        """Return who may join the rows under way now, or None."""
        if not self._waiting or len(under_way) >= max_rows:
            return None
        first = self._waiting[0]
        alone = first.suspect or any(other.suspect for other in under_way)
        return None if alone and under_way else first


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
