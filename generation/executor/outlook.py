"""What those who wait are told: their place in the order, and what comes before them.

Any start, end or arrival moves hundreds of places, so that they are worked out when somebody
asks, kept for a moment, and all who wait are made to ask again at most once in that time.
"""

import asyncio
from collections.abc import Mapping
from time import monotonic

from generation.executor.jobs import Job
from generation.executor.policy import Queue

KEPT_S = 0.5


class Outlook:
    """The places of those who wait, as they were within the last ``KEPT_S``."""

    def __init__(self, *, queue: Queue[Job], under_way: Mapping[int, Job]) -> None:
        self._queue = queue
        self._under_way = under_way
        self._places: dict[int, tuple[int, float]] = {}
        self._seen_at = 0.0
        self._telling: asyncio.TimerHandle | None = None

    def place(self, job: Job) -> tuple[int, float]:
        """Return how many requests are before one that waits, and their milliseconds."""
        if job.serial in self._under_way:
            return 0, self.under_way_ms() - job.remaining_ms
        if job.serial not in self._places or monotonic() - self._seen_at > KEPT_S:
            self._look()
        return self._places[job.serial]

    def under_way_ms(self) -> float:
        """Return what is left of the requests that the engine has."""
        return sum(job.remaining_ms for job in self._under_way.values())

    def changed(self) -> None:
        """Have everyone who waits look at their place again soon."""
        if self._telling is None:
            loop = asyncio.get_running_loop()
            self._telling = loop.call_later(KEPT_S, self._tell)

    def close(self) -> None:
        """Tell nobody any more."""
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None

    def _tell(self) -> None:
        self._telling = None
        for job in self._look():
            job.ticket.touch()

    def _look(self) -> list[Job]:
        """Work the places out, and return who waits in order."""
        waiting = list(self._queue)
        self._seen_at = monotonic()
        self._places.clear()
        before, before_ms = len(self._under_way), self.under_way_ms()
        for job in waiting:
            self._places[job.serial] = before, before_ms
            before += 1
            before_ms += job.cost_ms
        return waiting
