"""Ending jobs that nobody has made by their deadlines, also when nobody is there to make them."""

import asyncio

import structlog

from bot.metrics import Metrics
from bot.wakes import Kind, Signal, Wakes
from generation.errors import DeadlineExceededError
from storage.jobs import JobStore
from storage.records import JobState

log = structlog.get_logger()


class Deadlines:
    """Looks for jobs whose deadlines are over, whoever accepted them.

    Args:
        every_s: the seconds between two looks.
    """

    def __init__(self, *, jobs: JobStore, metrics: Metrics, wakes: Wakes, every_s: float) -> None:
        self._jobs = jobs
        self._metrics = metrics
        self._wakes = wakes
        self._every_s = every_s

    async def look(self) -> None:
        """End those that are over, then rest."""
        for job in await self._jobs.expire(error=DeadlineExceededError.__name__):
            log.warning("not made by its deadline", job=job.id, attempt=job.attempt)
            self._metrics.ended(job, device_ms=0)
            self._metrics.finish(job, JobState.FAILED)
            self._wakes.send(Signal(kind=Kind.STOP, job_id=job.id))
            self._wakes.send(Signal(kind=Kind.ENDED, job_id=job.id))
        await asyncio.sleep(self._every_s)
