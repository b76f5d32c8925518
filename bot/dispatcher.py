"""From an order to a job that waits: look whether it can be done, accept, reserve, stop.

Everything that counts is in SQL before it is promised: a job is accepted with its quota reserved
in one transaction, and its pictures are stored before that. Who makes them (``runner``) and who
tells the member (``herald``) may be this process or another. Whatever ends a process, another
finds the job and takes it up; owner and attempt fence off the first.
"""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from uuid import uuid4

import discord
import structlog

from bot.acceptance import new_job, probe_of
from bot.acknowledging import Acknowledger
from bot.conduct import require_allowed
from bot.errors import WaitTooLongError
from bot.guilds import Guilds
from bot.herald import Herald
from bot.line import Line
from bot.metrics import Metrics
from bot.models import Models
from bot.orders import Order, Origin
from bot.places import UnderWay
from bot.prices import Prices
from bot.replies import span
from bot.room import Room
from bot.safety import Guard
from bot.standing import standing_of
from bot.wakes import Kind, Signal, Wakes
from generation.errors import JobCancelledError
from storage.errors import QuotaExceededError, UnsureError
from storage.jobs import JobStore
from storage.records import Accepted, Job, JobState, NewJob
from storage.reviews import ReviewStore

UNREACHABLE_WAIT_S = 12 * 60.0
"""Where the bot itself may not speak, a picture after the token's fifteen minutes is lost."""
STOP_S = 20.0
"""How long whoever has their jobs stopped waits for those that run."""
LOOK_S = 0.1

log = structlog.get_logger()


class Dispatcher:
    """What members order and stop; all methods belong to the bot's event loop.

    Args:
        prices: what pictures cost, and how busy the engines are.
        room: says which pictures go to an engine together.
        max_wait_s: the longest estimated wait that is accepted.
        deadline_s: after how many seconds a job is ended that nobody has made.
    """

    def __init__(
        self,
        *,
        line: Line,
        jobs: JobStore,
        reviews: ReviewStore,
        herald: Herald,
        acknowledger: Acknowledger,
        prices: Prices,
        models: Models,
        guilds: Guilds,
        guard: Guard,
        room: Room,
        metrics: Metrics,
        wakes: Wakes,
        max_wait_s: float,
        deadline_s: float,
    ) -> None:
        self._line = line
        self._jobs = jobs
        self._reviews = reviews
        self._herald = herald
        self._acknowledger = acknowledger
        self._prices = prices
        self._models = models
        self._guilds = guilds
        self._guard = guard
        self._room = room
        self._metrics = metrics
        self._wakes = wakes
        self._max_wait_s = max_wait_s
        self._deadline_s = deadline_s

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
            PicturesUnfitError: what it is made from is larger than what is taken now; likewise.
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
        model = self._prices.model_of(probe_of(replace(order, control=None), origin))
        await self._models.require_readable(
            order.prompt, model=model, negative=order.negative_prompt
        )
        await self._models.require_companions(order, model=model)
        await self._room.require(order)
        probe = probe_of(order, origin)
        order = replace(order, model=model, notes=(*order.notes, *notes))
        cost_ms = self._prices.cost_ms(probe) * order.count
        promised_s = self._promised_s(order, origin, cost_ms=cost_ms)
        self._refuse_long_wait(origin, promised_s)
        held = self._acknowledger.holds(origin.interaction_id)
        holder = self._acknowledger.owner if held else None
        accepted = await self._accept(
            new_job(
                uuid4().hex,
                order,
                origin,
                reserve_ms=cost_ms,
                standing=standing_of(interaction),
                deadline_s=self._deadline_s,
                acknowledged_by=holder,
            )
        )
        self._acknowledger.accepted(origin.interaction_id)
        if not accepted.created:
            log.info("an interaction came twice", interaction=origin.interaction_id)
            return
        job = accepted.job
        log.info("accepted", job=job.id, pipeline=job.pipeline, member=job.member_id)
        self._queue(job, promised_s=promised_s)

    async def requeue(self, job_id: str, *, guild_id: int, actor_id: int) -> Job:
        """Have a dead letter made anew, as an admin wishes; return the job that waits.

        Raises:
            NotFoundError: there is no such dead letter in this guild.
            QuotaExceededError: its member has too little left; it stays where it is.
        """
        job = await self._jobs.requeue(job_id, guild_id=guild_id, actor_id=actor_id)
        self._metrics.booked("reserved", job.reserve_ms)
        log.info("requeued", job=job.id, dead=job_id)
        self._queue(job)
        return job

    def _queue(self, job: Job, *, promised_s: float | None = None) -> None:
        """Let everybody know of a job that waits from now on."""
        self._herald.open(job)
        self._line.add(job, promised_s=promised_s)
        self._herald.places.show(job.id)
        self._wakes.send(Signal(kind=Kind.WAITS, job_id=job.id))

    async def _accept(self, new: NewJob) -> Accepted:
        """Accept a job, and count what was reserved for it or refused."""
        try:
            accepted = await self._jobs.accept(new)
        except UnsureError:
            # The interaction's id makes it one job, however often it is tried.
            accepted = await self._jobs.accept(new)
        except QuotaExceededError as err:
            self._metrics.refused(err.scope)
            raise
        if accepted.created:
            self._metrics.booked("reserved", new.reserve_ms)
        return accepted

    async def stop(self, job_id: str) -> None:
        """Stop a job that waits, runs or is held; its reservation is refunded.

        Others are left alone.
        """
        async with self._line.moving:
            job = await self._jobs.get(job_id)
            if job.state is JobState.HELD:
                stopped = await self._reviews.withdraw(job_id)
            else:
                stopped = await self._jobs.fail(
                    job_id,
                    owner=None,
                    attempt=job.attempt,
                    error=JobCancelledError.__name__,
                    state=JobState.CANCELLED,
                )
        if stopped:
            self._metrics.ended(job, device_ms=0)
            self._metrics.finish(job, JobState.CANCELLED)
        self._wakes.send(Signal(kind=Kind.ENDED if stopped else Kind.STOP, job_id=job_id))

    async def decide(
        self, job_id: str, *, guild_id: int, actor_id: int, approved: bool, reason: str = ""
    ) -> Job:
        """Have a held job's pictures shown, or refund it; its member is told either way.

        Raises:
            DecidedError: it is not held in this guild, or not any more.
        """
        if approved:
            job = await self._reviews.approve(job_id, guild_id=guild_id, actor_id=actor_id)
        else:
            job = await self._reviews.refuse(
                job_id, guild_id=guild_id, actor_id=actor_id, reason=reason
            )
        log.info("decided", job=job_id, approved=approved, actor=actor_id)
        self._metrics.ended(job, device_ms=job.device_ms or 0)
        self._metrics.finish(job, job.state)
        self._wakes.send(Signal(kind=Kind.ENDED, job_id=job_id))
        self._herald.tell(job_id)
        return job

    async def stop_all(self, job_ids: Collection[str]) -> None:
        """Stop jobs wherever they are, and wait a while until members have been told."""
        for job_id in job_ids:
            await self.stop(job_id)
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                while True:
                    jobs = await self._jobs.several(job_ids)
                    if all(job.delivered_at is not None for job in jobs):
                        return
                    await asyncio.sleep(LOOK_S)

    def _promised_s(self, order: Order, origin: Origin, *, cost_ms: int) -> float:
        """Return in how many seconds the pictures of an order are to be expected."""
        probe = probe_of(order, origin)
        ahead_ms = self._line.room.ahead_ms(guild=probe.guild, member=probe.member, cost_ms=cost_ms)
        ahead_ms += cost_ms - cost_ms // order.count
        devices = under_way(self._line, self._prices).devices
        return self._prices.estimate_s(probe) + ahead_ms / devices / 1000

    def _refuse_long_wait(self, origin: Origin, wait_s: float) -> None:
        limit_s = self._max_wait_s
        if not origin.reachable:
            limit_s = min(limit_s, UNREACHABLE_WAIT_S)
        if wait_s > limit_s:
            raise WaitTooLongError("the queue is too long", wait=span(wait_s))


def under_way(line: Line, prices: Prices) -> UnderWay:
    """Return what the engines have to do before those who wait."""
    stats = prices.stats()
    return UnderWay(
        jobs=len(line.running),
        work_ms=stats.queued_ms + sum(station.busy_ms for station in stats.stations),
        devices=max(1, sum(station.up for station in stats.stations)),
    )
