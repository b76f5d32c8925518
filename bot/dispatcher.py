"""From an order to a delivered picture: accept, reserve, queue, run, settle or refund, deliver.

Everything that counts is in SQL before it is promised: a job is accepted with its quota reserved
in one transaction, and its pictures are stored before that. Whatever ends this process, another
finds the job and takes it up; owner and attempt fence off the first. Only the order in which jobs
start is this process's own.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, replace
from uuid import uuid4

import discord
import structlog

from bot.acceptance import new_job, probe_of
from bot.conduct import require_allowed
from bot.delivery import Delivery
from bot.errors import WaitTooLongError
from bot.guilds import Guilds
from bot.live import LiveMessage
from bot.making import Maker
from bot.metrics import Metrics
from bot.models import Models
from bot.orders import Order, Origin, Parameters
from bot.places import Places, UnderWay
from bot.replies import span
from bot.safety import Guard
from bot.standing import standing_of
from bot.waiting import Waiting, WaitingRoom
from generation.errors import JobCancelledError
from generation.executor.client import Executor
from generation.executor.policy import finds_place
from storage.errors import QuotaExceededError
from storage.jobs import JobStore
from storage.records import Accepted, Job, JobState, NewJob

UNREACHABLE_WAIT_S = 12 * 60.0
"""Where the bot itself may not speak, a picture after the token's fifteen minutes is lost."""
PAUSE_AFTER_FAULT_S = 1.0
STOP_S = 20.0
"""How long whoever has their jobs stopped waits for those that run."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How the dispatcher works.

    Args:
        parallel_jobs: jobs that are handed to the engines at the same time; None leaves it to
            them.
        lease_s: after how long without a sign of life another bot takes a job up.
        max_wait_s: the longest estimated wait that is accepted.
        shutdown_s: how long running jobs may finish when the bot is stopped.
        refresh_s: how often waiting members see their place anew.
        sweep_s: how often what could not be delivered is tried again.
    """

    parallel_jobs: int | None
    lease_s: float
    max_wait_s: float
    shutdown_s: float
    refresh_s: float
    sweep_s: float = 30.0


class Dispatcher:
    """The use case; all methods belong to the bot's event loop."""

    def __init__(
        self,
        *,
        owner: str,
        pace: Pace,
        jobs: JobStore,
        maker: Maker,
        executor: Executor,
        delivery: Delivery,
        models: Models,
        guilds: Guilds,
        guard: Guard,
        metrics: Metrics,
    ) -> None:
        self.owner = owner
        self._pace = pace
        self._jobs = jobs
        self._maker = maker
        self._executor = executor
        self._delivery = delivery
        self._models = models
        self._guilds = guilds
        self._guard = guard
        self._metrics = metrics
        self._wake = asyncio.Event()
        self._room = WaitingRoom()
        self._places = Places(
            self._room, delivery=delivery, under_way=self._under_way, refresh_s=pace.refresh_s
        )
        self._moving = asyncio.Lock()
        self._sole = False
        self._running: dict[str, Job] = {}
        self._delivering: set[str] = set()
        self._keepers: set[asyncio.Task[None]] = set()
        self._runs: set[asyncio.Task[None]] = set()

    def jobs_waiting(self) -> list[Job]:
        """Return the jobs that wait here, in the order in which they start."""
        return [entry.job for entry in self._room]

    def jobs_running(self) -> list[Job]:
        """Return the jobs that are under way."""
        return list(self._running.values())

    @property
    def waiting(self) -> int:
        """How many jobs wait here."""
        return len(self._room)

    @property
    def running(self) -> int:
        """How many jobs are under way."""
        return len(self._running)

    async def start(self, *, sole: bool) -> None:
        """Take up what earlier processes left, and begin.

        Args:
            sole: no other process works on this database, so every other owner is gone.
        """
        self._sole = sole
        left = await self._jobs.unfinished()
        if sole:
            for owner in {job.owner for job in left if job.owner is not None} - {self.owner}:
                await self._jobs.release(owner)
        if left:
            log.info("jobs are taken up again", jobs=len(left))
        for step in (self._take_up, self._pump, self._places.refresh, self._sweep):
            self._keepers.add(asyncio.create_task(_forever(step), name=step.__name__))

    async def close(self) -> None:
        """Stop taking jobs, let those that run finish for a while, give the others back."""
        for task in self._keepers:
            task.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        if self._runs:
            await asyncio.wait(self._runs, timeout=self._pace.shutdown_s)
        kept = [*(entry.job for entry in self._room if entry.live), *self._running.values()]
        for task in self._runs:
            task.cancel()
        await asyncio.gather(*self._runs, return_exceptions=True)
        await self._jobs.release(self.owner)
        if kept:
            log.info("jobs wait for the next start", jobs=len(kept))
        await asyncio.gather(*(entry.live.close() for entry in self._room if entry.live))
        async with asyncio.timeout(5):
            said = (self._delivery.restarting(job) for job in kept[:50])
            await asyncio.gather(*said, return_exceptions=True)

    async def place(self, interaction: discord.Interaction, order: Order) -> None:
        """Accept an order, once for an interaction however often that arrives.

        Raises:
            WaitTooLongError: the queue is too long; nothing was reserved.
            QuotaExceededError: too little is left; nothing was reserved.
            InvalidRequestError: no pipeline takes this order; nothing was reserved.
            UnknownModelError, UnusableModelError: no such model can be used; nothing was reserved.
            NotAPainterError, TooManyStepsError: the model cannot do that; nothing was reserved.
            PromptUnfitError: the model cannot do what the prompt asks for; nothing was reserved.
            CompanionUnfitError: the model cannot follow that control or likeness; likewise.
            BlockedError: admins have blocked the member; nothing was reserved.
            PipelineOffError, PresetOffError: admins have switched it off here; likewise.
            WordRuleError: a word rule of the guild forbids the prompt; nothing was reserved.
            SafetyUnavailableError: the guild has its pictures looked at, and nobody can; likewise.
        """
        self._models.require(order.pipeline, order.model)
        self._models.require_able(order)
        guild_id = interaction.guild_id
        origin = Origin.of(interaction, language=self._guilds.language(guild_id))
        notes = await require_allowed(self._guilds, order, origin)
        await self._guard.require_ready(origin.guild_id)
        probe = probe_of(order, origin)
        model = self._executor.model_of(probe)
        await self._models.require_readable(
            order.prompt, model=model, negative=order.negative_prompt
        )
        await self._models.require_companions(order, model=model)
        order = replace(order, model=model, notes=(*order.notes, *notes))
        cost_ms = self._executor.cost_ms(probe) * order.count
        promised_s = self._promised_s(order, origin, cost_ms=cost_ms)
        self._refuse_long_wait(origin, promised_s)
        accepted = await self._accept(
            new_job(
                uuid4().hex,
                order,
                origin,
                reserve_ms=cost_ms,
                standing=standing_of(interaction),
            )
        )
        if not accepted.created:
            log.info("an interaction came twice", interaction=origin.interaction_id)
            return
        job = accepted.job
        log.info("accepted", job=job.id, pipeline=job.pipeline, member=job.member_id)
        if job.id not in self._room:
            self._room.add(job, live=self._delivery.open(job), promised_s=promised_s)
        self._places.show(job.id)
        self._wake.set()

    async def _accept(self, new: NewJob) -> Accepted:
        """Accept a job, and count what was reserved for it or refused."""
        try:
            accepted = await self._jobs.accept(new)
        except QuotaExceededError as err:
            self._metrics.refused(err.scope)
            raise
        if accepted.created:
            self._metrics.booked("reserved", new.reserve_ms)
        return accepted

    async def stop(self, job_id: str) -> None:
        """Stop a job that waits or runs; its reservation is refunded. Others are left alone."""
        async with self._moving:
            if job_id in self._running:
                self._maker.stop(job_id)
                return
            job = await self._jobs.get(job_id)
            if not await self._jobs.fail(
                job_id,
                owner=None,
                attempt=job.attempt,
                error=JobCancelledError.__name__,
                state=JobState.CANCELLED,
            ):
                return
            entry = self._room.remove(job_id)
        self._metrics.ended(job, device_ms=0)
        self._metrics.finish(job, JobState.CANCELLED)
        await self._hand_over(job, self._live(job, entry))

    async def stop_all(self, job_ids: Collection[str]) -> None:
        """Stop jobs, and wait a while until those that run here have come to their end."""
        for job_id in job_ids:
            await self.stop(job_id)
        names = {_run_name(job_id) for job_id in job_ids}
        if runs := [task for task in self._runs if task.get_name() in names]:
            await asyncio.wait(runs, timeout=STOP_S)

    def _promised_s(self, order: Order, origin: Origin, *, cost_ms: int) -> float:
        """Return in how many seconds the pictures of an order are to be expected."""
        probe = probe_of(order, origin)
        ahead_ms = self._room.ahead_ms(guild=probe.guild, member=probe.member, cost_ms=cost_ms)
        ahead_ms += cost_ms - cost_ms // order.count
        return self._executor.estimate_s(probe) + ahead_ms / self._under_way().devices / 1000

    def _under_way(self) -> UnderWay:
        """Return what the engines have to do before those who wait here."""
        stats = self._executor.stats()
        return UnderWay(
            jobs=self.running,
            work_ms=stats.queued_ms + sum(station.busy_ms for station in stats.stations),
            devices=max(1, sum(station.up for station in stats.stations)),
        )

    def _refuse_long_wait(self, origin: Origin, wait_s: float) -> None:
        limit_s = self._pace.max_wait_s
        if not origin.reachable:
            limit_s = min(limit_s, UNREACHABLE_WAIT_S)
        if wait_s > limit_s:
            raise WaitTooLongError("the queue is too long", wait=span(wait_s))

    async def _take_up(self) -> None:
        """Let what waits in SQL wait here, whoever accepted it; forget what went elsewhere."""
        async with self._moving:
            known = {entry.job.id for entry in self._room}
            waiting = set(await self._jobs.claimable())
            gone = [self._room.remove(job_id) for job_id in known - waiting]
            for job in await self._jobs.several(waiting - known - self._running.keys()):
                if job.id not in self._room:
                    self._room.add(job, live=self._delivery.open(job) if self._sole else None)
        self._wake.set()
        await asyncio.gather(*(entry.live.close() for entry in gone if entry and entry.live))
        await asyncio.sleep(self._pace.lease_s / 2)

    async def _pump(self) -> None:
        """Begin as many jobs as may be under way, then wait for one that comes or ends."""
        self._wake.clear()
        while self._may_begin() and (taken := await self._take()):
            entry, job = taken
            task = asyncio.create_task(self._run(entry, job), name=_run_name(job.id))
            self._runs.add(task)
            task.add_done_callback(self._ended)
        await self._wake.wait()

    def _may_begin(self) -> bool:
        """Return whether the job whose turn it is may be under way, too."""
        limit, entry = self._limit(), self._room.next()
        if entry is None or self._pace.parallel_jobs is not None:
            return self.running < limit
        under_way = [
            (job.guild_id, job.member_id)
            for job in self._running.values()
            for _ in range(Parameters.of_job(job).count)
        ]
        member = entry.job.guild_id, entry.job.member_id
        return finds_place(member, under_way, capacity=limit)

    def _limit(self) -> int:
        """Return how many jobs may be under way: one is brought along for every engine."""
        stations = self._executor.stats().stations
        room = sum(station.capacity + 1 for station in stations if station.up)
        return self._pace.parallel_jobs or max(1, room)

    async def _take(self) -> tuple[Waiting, Job] | None:
        """Claim the job whose turn it is; one that is somebody else's now waits here no more."""
        async with self._moving:
            while entry := self._room.next():
                job = await self._jobs.claim_job(
                    entry.job.id, owner=self.owner, lease_s=self._pace.lease_s
                )
                if job is not None:
                    self._room.start(entry)
                    self._metrics.started(job)
                    self._running[job.id] = job
                    return entry, job
                self._room.remove(entry.job.id)
                if entry.live is not None:
                    await entry.live.close()
        return None

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Forget a run; what it could not even fail with is left to the next claim."""
        self._runs.discard(task)
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            log.error("a run broke off", task=task.get_name(), exc_info=fault)

    async def _run(self, entry: Waiting, job: Job) -> None:
        """Run a claimed job to its end, and tell the member."""
        live = self._live(job, entry)
        try:
            await self._maker.make(entry, job, live)
        except asyncio.CancelledError:
            # No progress may follow on the word that the bot is being restarted.
            await live.close()
            raise
        finally:
            self._room.end(entry)
            self._running.pop(job.id, None)
            self._wake.set()
        await self._hand_over(job, live)

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

    def _live(self, job: Job, entry: Waiting | None) -> LiveMessage:
        """Return the message that has shown the job's place, or open it anew."""
        shown = entry.live if entry is not None else None
        return shown or self._delivery.open(job)


def _run_name(job_id: str) -> str:
    """Return what the task is called that runs a job."""
    return f"job {job_id}"


async def _forever(step: Callable[[], Coroutine[None, None, None]]) -> None:
    """Repeat a step; a fault is logged and followed by a pause, and never ends the loop."""
    while True:
        (fault,) = await asyncio.gather(step(), return_exceptions=True)
        if fault is not None:
            log.error("the dispatcher stumbled", step=step.__name__, exc_info=fault)
            await asyncio.sleep(PAUSE_AFTER_FAULT_S)
