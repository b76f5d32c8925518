"""Where order is decided: which request starts next, and where. Inside an engine ``turns`` decides.

Requests start by the counters of their guild and member (see ``shares``). What had started
before an engine died comes ahead of them; a request that was in a call when an engine died runs
alone when it is repeated, so that the next death has one suspect.

A request goes where it will start first: after the device seconds of what is there or will be
before it, and after its model is loaded where that is not held ready. So who holds the model is
preferred, the least busy of several, and a place that would have to load it is taken only when
waiting takes longer.
"""

from bisect import insort
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from operator import attrgetter
from typing import Generic, Protocol, TypeVar

from generation.executor.shares import Priced, Shares


class Queued(Priced, Protocol):
    """What the order looks at in a request; ``serial`` is its number in the order of arrival."""

    @property
    def suspect(self) -> bool:
        """Whether an engine died while this request was in its call."""


class Sited(Protocol):
    """What the choice of a place looks at in a request."""

    @property
    def model(self) -> Hashable:
        """What has to be loaded for it."""

    @property
    def cost_ms(self) -> float:
        """Device time that it is expected to take."""

    @property
    def load_ms(self) -> float:
        """Time that loading its model is expected to take."""


class Place(Protocol):
    """What the choice looks at in a place that has an engine."""

    @property
    def busy_ms(self) -> float:
        """Device time that what it has still needs, loading included."""

    @property
    def ready(self) -> Collection[Hashable]:
        """The models that it holds, or will when that time is over."""


QueuedT = TypeVar("QueuedT", bound=Queued)
SitedT = TypeVar("SitedT", bound=Sited)
PlaceT = TypeVar("PlaceT", bound=Place)


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

    def first(self) -> QueuedT | None:
        """Return whose turn it is, or None."""
        return self._again[0] if self._again else self._shares.head()

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

    def ahead_of(self, queued: QueuedT) -> list[QueuedT]:
        """Return who would start before a new request if it were added now."""
        self.add(queued)
        ahead = list(takewhile(lambda other: other is not queued, self))
        self.remove(queued)
        return ahead


def may_join(queued: Queued, under_way: Collection[Queued]) -> bool:
    """Return whether a request may be in an engine together with those: a suspect is alone."""
    return not under_way or not (queued.suspect or any(other.suspect for other in under_way))


def finds_place(member: Hashable, under_way: Collection[Hashable], *, capacity: int) -> bool:
    """Return whether one more request may be under way where there are so many places.

    Whoever has none there finds a place even if one member has taken all there are.

    Args:
        member: whose request it is.
        under_way: whose are under way, a member for each request.
        capacity: how many places there are; so many members may have one.
    """
    members = set(under_way)
    return len(under_way) < capacity or (member not in members and len(members) < capacity)


@dataclass(slots=True, kw_only=True, eq=False)
class Forecast(Generic[PlaceT]):
    """A place as it will be."""

    place: PlaceT
    busy_ms: float
    ready: set[Hashable]

    def start_ms(self, sited: Sited) -> float:
        """Return when a request's rows would start here."""
        return self.busy_ms + (0.0 if sited.model in self.ready else sited.load_ms)

    def rank(self, sited: Sited) -> tuple[float, bool]:
        """Return what the choice depends on; of equal places one that holds the model is taken."""
        return self.start_ms(sited), sited.model not in self.ready


def replay(
    order: Iterable[SitedT],
    *,
    places: Iterable[PlaceT],
    open_to: Callable[[SitedT, PlaceT], bool] = lambda sited, place: True,
) -> Iterator[tuple[SitedT, PlaceT, float]]:
    """Yield requests in their order, where each will go, and the milliseconds until it starts.

    Each goes to the best place that is open to it, which is busy for so much longer then; who
    finds none is left out.
    """
    forecasts = [
        Forecast(place=place, busy_ms=place.busy_ms, ready=set(place.ready)) for place in places
    ]
    for sited in order:
        choice = [forecast for forecast in forecasts if open_to(sited, forecast.place)]
        if not choice:
            continue
        best = min(choice, key=lambda forecast: forecast.rank(sited))
        best.busy_ms = best.start_ms(sited)
        yield sited, best.place, best.busy_ms
        best.busy_ms += sited.cost_ms
        best.ready.add(sited.model)
