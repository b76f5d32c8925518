"""Previews on their way from the process that makes a picture to the one that shows its job."""

import asyncio
import time

import structlog

from bot.line import Line
from bot.wakes import Signal, Wakes
from generation.codecs import CodecPool
from generation.request import Pixels
from storage.previews import Previews
from storage.records import Job

log = structlog.get_logger()


class PreviewPost:
    """Sends the previews of what this process makes; all methods belong to one event loop.

    No more than one of a job is on its way at a time, and those in between are not sent.

    Args:
        interval_s: the shortest time between two of one job; more often nobody sees them.
    """

    def __init__(
        self, *, line: Line, kept: Previews, codecs: CodecPool, wakes: Wakes, interval_s: float
    ) -> None:
        self._line = line
        self._kept = kept
        self._codecs = codecs
        self._interval_s = interval_s
        self._due_s: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        wakes.listen(self._hear)

    async def close(self) -> None:
        """Send no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _hear(self, signal: Signal) -> None:
        job = self._line.own.get(signal.job_id)
        if job is None or signal.progress is None or signal.progress.preview is None:
            return
        if time.monotonic() < self._due_s.get(job.id, 0.0):
            return
        self._due_s = {each: at_s for each, at_s in self._due_s.items() if each in self._line.own}
        self._due_s[job.id] = float("inf")
        task = asyncio.create_task(self._send(job, signal.progress.preview), name="preview")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, job: Job, preview: Pixels) -> None:
        """Send one, and let the next be due; no picture fails for want of a preview."""
        (fault,) = await asyncio.gather(self._put(job, preview), return_exceptions=True)
        if fault is not None:
            log.info("a preview was not sent", job=job.id, reason=type(fault).__name__)
        self._due_s[job.id] = time.monotonic() + self._interval_s

    async def _put(self, job: Job, preview: Pixels) -> None:
        small = await self._codecs.thumbnail(preview)
        await self._kept.put(job.id, small.data, owner=self._line.owner, attempt=job.attempt)
