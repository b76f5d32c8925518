"""What those who wait are told: their place in the order, and what comes before them.

Any start, end or arrival moves hundreds of places, so that they are worked out when somebody
asks, kept for a moment, and all who wait are made to ask again at most once in that time.
"""

import asyncio
from collections.abc import Iterable
from time import monotonic

from generation.executor.jobs import Job
from generation.executor.policy import replay
from generation.executor.router import Router

KEPT_S = 0.5


class Outlook:
    """The places of those who wait, as they were within the last ``KEPT_S``."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._places: dict[int, tuple[int, float]] = {}
        self._seen_at = 0.0
        self._telling: asyncio.TimerHandle | None = None

    def place(self, job: Job) -> tuple[int, float]:
        """Return how many requests are before one that waits, and their milliseconds."""
        station = self._router.station_of(job)
        if station is not None:
            return 0, station.busy_ms - job.remaining_ms
        if job.serial not in self._places or monotonic() - self._seen_at > KEPT_S:
            self._look()
        return self._places[job.serial]

    def wait_ms(self, job: Job) -> float:
        """Return after how many milliseconds a new request would start."""
        if not self._router.stations:
            return 0.0
        order = [*self._router.queue.ahead_of(job), job]
        return self._starts(order)[job.serial][1]

    def work_ms(self) -> float:
        """Return what all requests together still need of one device."""
        under_way_ms = sum(station.busy_ms for station in self._router.stations)
        return self._router.queue.cost_ms + under_way_ms

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
        waiting = list(self._router.queue)
        self._seen_at = monotonic()
        self._places = self._starts(waiting)
        return waiting

    def _starts(self, order: Iterable[Job]) -> dict[int, tuple[int, float]]:
        """Return the places of those who start in this order."""
        starts = replay(order, places=self._router.places)
        return {
            job.serial: (before, start_ms)
            for before, (job, _, start_ms) in enumerate(starts, start=self._router.under_way)
        }
