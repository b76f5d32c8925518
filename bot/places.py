"""Telling those who wait their place in the order, whenever it has changed."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bot.delivery import Delivery
from bot.live import LiveMessage, Page
from bot.waiting import Waiting, WaitingRoom
from generation.request import Progress, Stage

NEAR_PLACES = 5
FAR_REFRESH_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """What is before all who wait: jobs, the device time that they need, and who shares it."""

    jobs: int
    work_ms: float
    devices: int


class Places:
    """Shows the places of a waiting room; those far behind are told less often.

    Args:
        live: finds the message that shows a job, if it is shown here.
        under_way: how many jobs are before those who wait, and their milliseconds.
        refresh_s: how often changes are looked for.
    """

    def __init__(
        self,
        room: WaitingRoom,
        *,
        delivery: Delivery,
        live: Callable[[str], LiveMessage | None],
        under_way: Callable[[], UnderWay],
        refresh_s: float,
    ) -> None:
        self._room = room
        self._delivery = delivery
        self._live = live
        self._under_way = under_way
        self._refresh_s = refresh_s

    def show(self, job_id: str) -> None:
        """Show a job its place now."""
        entry, live = self._room.get(job_id), self._live(job_id)
        if entry is not None and live is not None:
            self._show(entry, live, place=self._room.place(job_id)[0])

    async def refresh(self) -> None:
        """Wait a moment, then show the places that have changed."""
        await asyncio.sleep(max(0.1, self._refresh_s))
        now = time.monotonic()
        for place, entry in enumerate(self._room):
            rested = place < NEAR_PLACES or now - entry.shown_at > FAR_REFRESH_S
            live = self._live(entry.job.id)
            if live is not None and place != entry.shown_place and rested:
                self._show(entry, live, place=place)

    def _show(self, entry: Waiting, live: LiveMessage, *, place: int) -> None:
        entry.shown_place = place
        entry.shown_at = time.monotonic()
        live.show(partial(self._draw, entry))

    async def _draw(self, entry: Waiting) -> Page:
        """Draw a place as it is when the page is due."""
        place, before_ms = self._room.place(entry.job.id)
        ahead = self._under_way()
        progress = Progress(
            job_id=entry.job.id,
            stage=Stage.QUEUED,
            position=place + ahead.jobs,
            eta_s=((ahead.work_ms + before_ms) / ahead.devices + entry.turn.cost_ms) / 1000,
        )
        return await self._delivery.progress(entry.job, progress)
