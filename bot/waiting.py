"""The jobs that this process knows of and nobody runs yet, in the order in which they start.

The order is the executor's own: guilds and members by what they were charged, the shorter job
first, so that a member who drops a hundred jobs holds up nobody else.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from generation.executor.policy import Queue
from storage.records import Job

PLACES_KEPT_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Turn:
    """What the order looks at in a job.

    Args:
        serial: its number in the order of arrival in this process.
        guild: whose share of the device it takes; 0 outside guilds.
        cost_ms: the device milliseconds that are expected of it.
        arrival_ms: when it came, on the monotonic clock.
        weights: how many times a usual share its guild has for it, and its member of that.
    """

    job_id: str
    serial: int
    guild: int
    member: int
    cost_ms: float
    arrival_ms: float
    weights: tuple[float, float]
    suspect: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class Waiting:
    """A job that waits.

    Args:
        promised_s: in how many seconds its member was told to expect the picture; None when that
            was before this process began.
        spent_ms: the device milliseconds that went into it since it started, as far as is known.
        shown_place: the place that its member was shown, -1 before that.
    """

    turn: Turn
    job: Job
    promised_s: float | None = None
    spent_ms: float = 0.0
    shown_place: int = -1
    shown_at: float = field(default_factory=time.monotonic)

    @property
    def age_s(self) -> float:
        """How many seconds ago it came."""
        return time.monotonic() - self.turn.arrival_ms / 1000


class WaitingRoom:
    """Who waits, whose turn it is, and which place everybody has."""

    def __init__(self) -> None:
        self._queue: Queue[Turn] = Queue()
        self._entries: dict[str, Waiting] = {}
        self._serials = count(1)
        self._places: dict[str, tuple[int, float]] = {}
        self._placed_at = -PLACES_KEPT_S

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._entries

    def __iter__(self) -> Iterator[Waiting]:
        return iter([self._entries[turn.job_id] for turn in self._queue])

    @property
    def cost_ms(self) -> float:
        """What all who wait are expected to cost."""
        return self._queue.cost_ms

    def get(self, job_id: str) -> Waiting | None:
        """Return what waits, None when the job does not."""
        return self._entries.get(job_id)

    def add(self, job: Job, *, promised_s: float | None = None) -> None:
        """Let a job wait that does not wait yet."""
        turn = self._turn(
            job.id,
            guild=job.guild_id or 0,
            member=job.member_id,
            cost_ms=job.reserve_ms,
            weights=(job.guild_weight, job.member_weight),
        )
        self._entries[job.id] = Waiting(turn=turn, job=job, promised_s=promised_s)
        self._queue.add(turn)

    def remove(self, job_id: str) -> Waiting | None:
        """Take out a job that is not to be run; None when it does not wait here."""
        entry = self._entries.pop(job_id, None)
        if entry is not None:
            self._queue.remove(entry.turn)
        return entry

    def next(self) -> Waiting | None:
        """Return whose turn it is, or None."""
        turn = self._queue.first()
        return self._entries[turn.job_id] if turn is not None else None

    def start(self, entry: Waiting) -> None:
        """Take out a job that runs from now on; its account is charged what is expected."""
        del self._entries[entry.turn.job_id]
        self._queue.start(entry.turn)

    def end(self, entry: Waiting) -> None:
        """Charge a job that had started what it did cost, whatever became of it."""
        self._queue.end(entry.turn, spent_ms=entry.spent_ms)

    def ahead_ms(self, *, guild: int, member: int, cost_ms: float) -> float:
        """Return the device milliseconds that would go before a job that came now."""
        newcomer = self._turn("", guild=guild, member=member, cost_ms=cost_ms)
        return sum(turn.cost_ms for turn in self._queue.ahead_of(newcomer))

    def place(self, job_id: str) -> tuple[int, float]:
        """Return how many jobs wait before one, and their milliseconds; none when it has started.

        Any arrival moves everybody's place, so that all are worked out at once and kept a moment.
        """
        if time.monotonic() - self._placed_at > PLACES_KEPT_S or job_id not in self._places:
            self._work_out_places()
        return self._places.get(job_id, (0, 0.0))

    def _work_out_places(self) -> None:
        self._placed_at = time.monotonic()
        self._places.clear()
        before_ms = 0.0
        for place, entry in enumerate(self):
            self._places[entry.job.id] = place, before_ms
            before_ms += entry.turn.cost_ms

    def _turn(
        self,
        job_id: str,
        *,
        guild: int,
        member: int,
        cost_ms: float,
        weights: tuple[float, float] = (1.0, 1.0),
    ) -> Turn:
        return Turn(
            job_id=job_id,
            serial=next(self._serials),
            guild=guild,
            member=member,
            cost_ms=cost_ms,
            arrival_ms=time.monotonic() * 1000,
            weights=weights,
        )
