"""From an order to a delivered picture: accept, reserve, queue, run, settle or refund, deliver.

Everything that counts is in SQL before it is promised: a job is accepted with its quota reserved
and its place in the queue in one transaction, and its pictures are stored before that. Whatever
ends this process, another finds the job and takes it up; owner and attempt fence off the first.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from functools import partial
from uuid import uuid4

import discord
import structlog

from bot.acceptance import new_job, probe_of
from bot.delivery import Delivery
from bot.errors import WaitTooLongError
from bot.live import LiveMessage, Page
from bot.orders import Order, Origin, Parameters, notes_to_json
from bot.replies import span
from generation.codecs import CodecPool
from generation.errors import EngineLostError, GenerationError, JobCancelledError
from generation.executor.client import Executor, Ticket
from generation.request import ImageRequest, Pixels, Progress, Result, Stage
from storage.errors import StorageError
from storage.files import FileStore
from storage.jobs import JobStore
from storage.records import Job, JobState

MAX_ATTEMPTS = 3
"""A job that outlives so many bots is taken for what kills them."""
UNREACHABLE_WAIT_S = 12 * 60.0
"""Where the bot itself may not speak, a picture after the token's fifteen minutes is lost."""
NEAR_PLACES = 5
FAR_REFRESH_S = 10.0
PAUSE_AFTER_FAULT_S = 1.0
LARGEST_PNG = 2**30

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How the dispatcher works.

    Args:
        parallel_jobs: jobs that are handed to the engine at the same time.
        lease_s: after how long without a sign of life another bot takes a job up.
        max_wait_s: the longest estimated wait that is accepted.
        shutdown_s: how long running jobs may finish when the bot is stopped.
        refresh_s: how often waiting members see their place anew.
        sweep_s: how often what could not be delivered is tried again.
    """

    parallel_jobs: int
    lease_s: float
    max_wait_s: float
    shutdown_s: float
    refresh_s: float
    sweep_s: float = 30.0


@dataclass(slots=True, kw_only=True, eq=False)
class Waiting:
    """A job of this process that nobody runs yet."""

    job: Job
    live: LiveMessage
    cost_s: float
    shown_place: int = -1
    shown_at: float = field(default_factory=time.monotonic)


class Dispatcher:
    """The use case; all methods belong to the bot's event loop."""

    def __init__(
        self,
        *,
        owner: str,
        pace: Pace,
        jobs: JobStore,
        files: FileStore,
        codecs: CodecPool,
        executor: Executor,
        delivery: Delivery,
    ) -> None:
        self.owner = owner
        self._pace = pace
        self._jobs = jobs
        self._files = files
        self._codecs = codecs
        self._executor = executor
        self._delivery = delivery
        self._slots = asyncio.Semaphore(pace.parallel_jobs)
        self._wake = asyncio.Event()
        self._waiting: dict[str, Waiting] = {}
        self._tickets: dict[str, Ticket] = {}
        self._running: dict[str, Job] = {}
        self._stopping: set[str] = set()
        self._delivering: set[str] = set()
        self._keepers: set[asyncio.Task[None]] = set()
        self._runs: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """Jobs of this process that wait."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Jobs that are under way."""
        return len(self._running)

    async def start(self, *, sole: bool) -> None:
        """Take up what earlier processes left, and begin.

        Args:
            sole: no other process works on this database, so every other owner is gone.
        """
        left = await self._jobs.unfinished()
        if sole:
            for owner in {job.owner for job in left if job.owner is not None} - {self.owner}:
                await self._jobs.release(owner)
        if left:
            log.info("jobs are taken up again", jobs=len(left))
        for step in (self._pump, self._refresh, self._sweep):
            self._keepers.add(asyncio.create_task(_forever(step), name=step.__name__))

    async def close(self) -> None:
        """Stop taking jobs, let those that run finish for a while, give the others back."""
        for task in self._keepers:
            task.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        if self._runs:
            await asyncio.wait(self._runs, timeout=self._pace.shutdown_s)
        kept = [*(entry.job for entry in self._waiting.values()), *self._running.values()]
        for task in self._runs:
            task.cancel()
        await asyncio.gather(*self._runs, return_exceptions=True)
        await self._jobs.release(self.owner)
        if kept:
            log.info("jobs wait for the next start", jobs=len(kept))
        for entry in self._waiting.values():
            await entry.live.close()
        async with asyncio.timeout(5):
            said = (self._delivery.restarting(job) for job in kept[:50])
            await asyncio.gather(*said, return_exceptions=True)

    async def place(self, interaction: discord.Interaction, order: Order) -> None:
        """Accept an order, once for an interaction however often that arrives.

        Raises:
            WaitTooLongError: the queue is too long; nothing was reserved.
            QuotaExceededError: too little is left; nothing was reserved.
            InvalidRequestError: no pipeline takes this order; nothing was reserved.
        """
        origin = Origin.of(interaction)
        probe = probe_of(order)
        order = replace(order, model=self._executor.model_of(probe))
        cost_s = self._executor.cost_ms(probe) / 1000
        self._refuse_long_wait(origin, order)
        job_id = uuid4().hex
        accepted = await self._jobs.accept(
            new_job(job_id, order, origin, reserve_ms=round(cost_s * 1000))
        )
        if not accepted.created:
            log.info("an interaction came twice", interaction=origin.interaction_id)
            return
        job = accepted.job
        log.info("accepted", job=job.id, pipeline=job.pipeline, member=job.member_id)
        self._waiting[job.id] = Waiting(job=job, live=self._delivery.open(job), cost_s=cost_s)
        self._show_place(self._waiting[job.id], place=len(self._waiting) - 1)
        self._wake.set()

    async def stop(self, job_id: str) -> None:
        """Stop a job that waits or runs; its reservation is refunded. Others are left alone."""
        if job_id in self._running:
            self._stopping.add(job_id)
            if job_id in self._tickets:
                self._tickets[job_id].cancel()
            return
        job = await self._jobs.get(job_id)
        error, state = JobCancelledError.__name__, JobState.CANCELLED
        if await self._jobs.fail(job_id, owner=None, attempt=job.attempt, error=error, state=state):
            await self._hand_over(job, self._take_live(job))

    def wait_s(self) -> float:
        """Return the seconds of work that wait in this process."""
        return sum(entry.cost_s for entry in self._waiting.values())

    def _refuse_long_wait(self, origin: Origin, order: Order) -> None:
        wait_s = self.wait_s() + self._executor.estimate_s(probe_of(order))
        limit_s = self._pace.max_wait_s
        if not origin.reachable:
            limit_s = min(limit_s, UNREACHABLE_WAIT_S)
        if wait_s > limit_s:
            raise WaitTooLongError("the queue is too long", wait=span(wait_s))

    async def _pump(self) -> None:
        """Take the next job as soon as there is a slot for it."""
        async with self._slots:
            job = await self._claim()
        await self._slots.acquire()
        task = asyncio.create_task(self._run(job), name=f"job {job.id}")
        self._runs.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Forget a run; what it could not even fail with is left to the next claim."""
        self._runs.discard(task)
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            log.error("a run broke off", task=task.get_name(), exc_info=fault)

    async def _claim(self) -> Job:
        """Wait for a job and take it."""
        while True:
            self._wake.clear()
            job = await self._jobs.claim(owner=self.owner, lease_s=self._pace.lease_s)
            if job is not None:
                return job
            try:
                async with asyncio.timeout(self._pace.lease_s / 2):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _run(self, job: Job) -> None:
        """Run a claimed job to its end, and tell the member."""
        self._running[job.id] = job
        live = self._take_live(job)
        beat = asyncio.create_task(self._beat(job), name=f"heartbeat {job.id}")
        try:
            (error,) = await asyncio.gather(self._make(job, live), return_exceptions=True)
            if error is not None:
                await self._give_up(job, error)
        except asyncio.CancelledError:
            # No progress may follow on the word that the bot is being restarted.
            await live.close()
            raise
        finally:
            beat.cancel()
            self._tickets.pop(job.id, None)
            self._running.pop(job.id, None)
            self._stopping.discard(job.id)
            self._slots.release()
        await self._hand_over(job, live)

    async def _make(self, job: Job, live: LiveMessage) -> None:
        """Make the picture and settle.

        Raises:
            GenerationError: it could not be made.
            StorageError: it could not be read or written.
        """
        if job.attempt > MAX_ATTEMPTS:
            raise EngineLostError("the job was begun too often")
        request = await self._request(job)
        ticket = self._executor.submit(request)
        self._tickets[job.id] = ticket
        if job.id in self._stopping:
            ticket.cancel()
        async for progress in ticket.events():
            live.show(partial(self._delivery.progress, job, progress))
        result = await ticket.result()
        await self._settle(job, result)

    async def _settle(self, job: Job, result: Result) -> None:
        """Store the picture and charge what it cost, unless the job is another attempt's now."""
        encoded = await self._codecs.encode(
            result.image,
            max_bytes=LARGEST_PNG,
            metadata={"Model": result.model, "Seed": str(result.seed), "Prompt": job.prompt or ""},
            image_format="png",
        )
        output = await self._files.put(encoded.data, media_type=encoded.media_type)
        outcome = {"model": result.model, "notes": notes_to_json(result.notes)}
        kept = await self._jobs.settle(
            job.id,
            owner=self.owner,
            attempt=job.attempt,
            output=output,
            device_ms=result.device_ms,
            notes=outcome,
        )
        log.info("made", job=job.id, device_ms=result.device_ms, kept=kept)

    async def _give_up(self, job: Job, error: BaseException) -> None:
        """Refund a job that failed, with the kind of error that its member is told."""
        expected = isinstance(error, GenerationError | StorageError)
        log.warning(
            "failed",
            job=job.id,
            error=type(error).__name__,
            detail=str(error),
            exc_info=None if expected else error,
        )
        cancelled = isinstance(error, JobCancelledError)
        await self._jobs.fail(
            job.id,
            owner=self.owner,
            attempt=job.attempt,
            error=type(error).__name__,
            state=JobState.CANCELLED if cancelled else JobState.FAILED,
        )

    async def _beat(self, job: Job) -> None:
        """Prolong the lease while the job runs; stop the work when it is somebody else's."""
        lease_s = self._pace.lease_s
        while True:
            await asyncio.sleep(lease_s / 3)
            ours = await self._jobs.heartbeat(
                job.id, owner=self.owner, attempt=job.attempt, lease_s=lease_s
            )
            if not ours and job.id in self._tickets:
                log.warning("a job went to another owner", job=job.id)
                self._tickets[job.id].cancel()
                return

    async def _hand_over(self, job: Job, live: LiveMessage) -> None:
        """Close the live message, then deliver what is final; the sweep repeats what failed."""
        self._delivering.add(job.id)
        try:
            (fault,) = await asyncio.gather(self._finish(job, live), return_exceptions=True)
        finally:
            self._delivering.discard(job.id)
        if fault is not None:
            log.warning("not delivered yet", job=job.id, exc_info=fault)

    async def _finish(self, job: Job, live: LiveMessage) -> None:
        await live.close()
        current = await self._jobs.get(job.id)
        if current.finished_at is not None:
            await self._delivery.deliver(job.id)

    async def _sweep(self) -> None:
        """Deliver what earlier attempts or processes could not."""
        for job in await self._jobs.undelivered():
            if job.id not in self._delivering:
                await self._hand_over(job, self._delivery.open(job))
        await asyncio.sleep(self._pace.sweep_s)

    async def _refresh(self) -> None:
        """Show waiting members their place when it has changed."""
        await asyncio.sleep(max(0.1, self._pace.refresh_s))
        now = time.monotonic()
        for place, entry in enumerate(self._waiting.values()):
            rested = place < NEAR_PLACES or now - entry.shown_at > FAR_REFRESH_S
            if place != entry.shown_place and rested:
                self._show_place(entry, place=place)

    def _show_place(self, entry: Waiting, *, place: int) -> None:
        entry.shown_place = place
        entry.shown_at = time.monotonic()
        entry.live.show(partial(self._draw_place, entry.job))

    async def _draw_place(self, job: Job) -> Page:
        """Draw a job's place as it is when the page is due."""
        ahead = list(self._waiting)
        place = ahead.index(job.id) if job.id in self._waiting else 0
        before = [self._waiting[other].cost_s for other in ahead[: place + 1]]
        progress = Progress(
            job_id=job.id, stage=Stage.QUEUED, position=place + self.running, eta_s=sum(before)
        )
        return await self._delivery.progress(job, replace(progress, preview=None))

    def _take_live(self, job: Job) -> LiveMessage:
        """Take a job's message over from the waiting, or open it anew after a restart."""
        entry = self._waiting.pop(job.id, None)
        return entry.live if entry else self._delivery.open(job)

    async def _request(self, job: Job) -> ImageRequest:
        """Return what the engine is asked, from what was stored."""
        assert job.image is not None, "an accepted job has its picture"
        kept = Parameters.from_json(job.parameters or {})
        style = job.style_image
        return ImageRequest(
            job_id=job.id,
            pipeline=job.pipeline,
            image=await self._pixels(job.image.sha256),
            style_image=await self._pixels(style.sha256) if style else None,
            prompt=job.prompt or "",
            strength=kept.strength,
            seed=job.seed,
            model=job.model,
            guild=job.guild_id or 0,
            member=job.member_id,
        )

    async def _pixels(self, sha256: str) -> Pixels:
        return await self._codecs.decode(await self._files.read(sha256))


async def _forever(step: Callable[[], Coroutine[None, None, None]]) -> None:
    """Repeat a step; a fault is logged and followed by a pause, and never ends the loop."""
    while True:
        (fault,) = await asyncio.gather(step(), return_exceptions=True)
        if fault is not None:
            log.error("the dispatcher stumbled", step=step.__name__, exc_info=fault)
            await asyncio.sleep(PAUSE_AFTER_FAULT_S)
