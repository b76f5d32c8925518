"""Telling members of their jobs: the place, how far it is, and in the end what became of it.

The process that accepted a job has its reply open and shows it all, whoever makes the pictures. If
that process is gone, another one delivers: claims in SQL see to it that exactly one does.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import structlog

from bot.delivery import Delivery
from bot.line import Line
from bot.live import LiveMessage, Page
from bot.places import Places, UnderWay
from bot.reviews import Reviews
from bot.safety import Guard
from bot.wakes import Kind, Signal, Wakes
from generation.request import Progress
from storage.clock import utc_now
from storage.jobs import JobStore
from storage.previews import Previews
from storage.records import FINISHED, Job, JobState

GRACE_S = 3.0
"""So long is a result left to the process that shows its job; a last edit has arrived by then."""
SAID_AT_CLOSE = 50

log = structlog.get_logger()


class Herald:
    """Tells the members; all methods belong to the bot's event loop.

    Args:
        previews: those of what other processes make, if they are wanted.
        sweep_s: how often what could not be delivered is tried again.
    """

    def __init__(
        self,
        *,
        line: Line,
        jobs: JobStore,
        delivery: Delivery,
        reviews: Reviews,
        previews: Previews | None,
        guard: Guard,
        wakes: Wakes,
        under_way: Callable[[], UnderWay],
        refresh_s: float,
        sweep_s: float,
    ) -> None:
        self._jobs = jobs
        self._delivery = delivery
        self._reviews = reviews
        self._previews = previews
        self._guard = guard
        self._sweep_s = sweep_s
        self._sole = False
        self._lives: dict[str, tuple[Job, LiveMessage]] = {}
        self._delivering: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._due = asyncio.Event()
        self.places = Places(
            line.room,
            delivery=delivery,
            live=self._live,
            under_way=under_way,
            refresh_s=refresh_s,
        )
        wakes.listen(self._hear)

    def begin(self, *, sole: bool, left: list[Job]) -> None:
        """Show what earlier processes have left, if they are gone for certain.

        Args:
            sole: no other process works on this database.
            left: the jobs that are unfinished.
        """
        self._sole = sole
        for job in left if sole else ():
            self.open(job)

    def open(self, job: Job) -> None:
        """Have a job's reply show how far it is."""
        if job.id not in self._lives:
            self._lives[job.id] = job, self._delivery.open(job)

    async def sweep(self) -> None:
        """Deliver what earlier attempts or other processes could not, then rest."""
        self._due.clear()
        shown = self._lives.keys() - (await self._jobs.under_way()).keys()
        undelivered = [*await self._jobs.undelivered(), *await self._reviews.pending()]
        for job in undelivered:
            if job.id in self._lives or self._sole or self._is_left(job):
                await self.hand_over(job.id)
        for job_id in shown - {job.id for job in undelivered}:
            # Another process has told the member.
            await self._close(job_id)
        try:
            async with asyncio.timeout(self._sweep_s):
                await self._due.wait()
        except TimeoutError:
            return

    async def hand_over(self, job_id: str) -> None:
        """Close the live message, then deliver what is final or have it approved.

        The sweep repeats what failed.
        """
        if job_id in self._delivering:
            return
        self._delivering.add(job_id)
        try:
            (fault,) = await asyncio.gather(self._finish(job_id), return_exceptions=True)
        finally:
            self._delivering.discard(job_id)
        if fault is not None:
            log.warning("not delivered yet", job=job_id, exc_info=fault)

    async def close(self) -> None:
        """Finish what is being delivered, and say of the rest that it stays."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=GRACE_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        left = [job for job, _ in self._lives.values()]
        await asyncio.gather(*(live.close() for _, live in self._lives.values()))
        if left:
            log.info("jobs wait for the next start", jobs=len(left))
        async with asyncio.timeout(5):
            said = (self._delivery.restarting(job) for job in left[:SAID_AT_CLOSE])
            await asyncio.gather(*said, return_exceptions=True)

    def _is_left(self, job: Job) -> bool:
        """Return whether nobody who should rather do it has told the member by now."""
        grace_s = GRACE_S if self._delivery.hears(job) else GRACE_S + self._sweep_s
        since = job.finished_at or job.held_at or job.created_at
        return utc_now() - since > timedelta(seconds=grace_s)

    def _live(self, job_id: str) -> LiveMessage | None:
        shown = self._lives.get(job_id)
        return shown[1] if shown is not None else None

    def _hear(self, signal: Signal) -> None:
        shown = self._lives.get(signal.job_id)
        if signal.progress is not None and shown is not None:
            job, live = shown
            live.show(partial(self.page, job, signal.progress, here=signal.here))
        elif signal.kind is Kind.RESTS and shown is not None:
            job, live = shown
            live.show(partial(self._delivery.resting, job))
        elif signal.kind is Kind.ENDED and (shown is not None or self._sole):
            self.tell(signal.job_id)
        elif signal.kind is Kind.ENDED:
            asyncio.get_running_loop().call_later(2 * GRACE_S, self._due.set)
        elif signal.kind is Kind.MISSED:
            self._due.set()

    def tell(self, job_id: str) -> None:
        """Deliver what became of a job now, though another process may have shown it."""
        task = asyncio.create_task(self.hand_over(job_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def page(self, job: Job, progress: Progress, *, here: bool = True) -> Page:
        """Draw how far a job is; its guild may by now want that nobody sees it form.

        What another process makes has its preview in the database, if any.
        """
        kept = None if here or self._previews is None else await self._previews.get(job.id)
        if (progress.preview or kept) and await self._guard.covers(job):
            progress, kept = replace(progress, preview=None), None
        return await self._delivery.progress(job, progress, preview=kept)

    async def _finish(self, job_id: str) -> None:
        job = await self._jobs.get(job_id)
        if job.state is JobState.HELD:
            await self._close(job_id)
            await self._reviews.post(job_id)
        elif job.state in FINISHED:
            await self._close(job_id)
            await self._delivery.deliver(job_id)
            if job.held_at is not None:
                await self._reviews.update(job_id)

    async def _close(self, job_id: str) -> None:
        """Let the last edit of a job's reply arrive, and make no more."""
        live = self._live(job_id)
        if live is not None:
            await live.close()
            self._lives.pop(job_id, None)
