"""The executor's client: requests go in, progress and pictures come back, whatever dies.

It lives in the bot's event loop, never blocks it and never imports torch. Requests wait here,
not in the engines, so that what an engine's death can touch is bounded by the rows under way;
those are seeded, and an engine that dies or hangs is replaced while another, or the next one, is
given the same rows again.
"""

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from itertools import count
from math import inf
from time import monotonic

from generation.cards import note_refusal
from generation.errors import (
    EngineBusyError,
    EngineError,
    EngineLostError,
    InvalidRequestError,
    ModelTooLargeError,
)
from generation.executor.config import ExecutorConfig, ExecutorStats
from generation.executor.costs import Costs
from generation.executor.hiring import hire
from generation.executor.jobs import Job, Ticket
from generation.executor.kept_costs import KeptCosts
from generation.executor.outlook import Outlook
from generation.executor.records import Records
from generation.executor.router import Outcome, Router, too_late
from generation.request import ImageRequest, Progress, Result, Stage

__all__ = ["Executor", "ExecutorConfig", "ExecutorStats", "Ticket"]


class Executor:
    """Makes pictures in engine processes of its own. All methods belong to one event loop."""

    def __init__(self, config: ExecutorConfig) -> None:
        self.config = config
        self._costs = Costs(config.pipelines)
        self._kept = KeptCosts(self._costs, data_dir=config.data_dir, devices=config.places)
        self._serials = count(1)
        self._records = Records()
        self._router = Router(
            max_attempts=config.max_attempts,
            records=self._records,
            settle=self._settle,
            changed=lambda: self._outlook.changed(),
        )
        self._outlook = Outlook(self._router)
        self._job_ids: set[str] = set()

    async def start(self) -> None:
        """Make the arenas and start the engines; return once one is ready.

        Raises:
            EngineLostError: no engine starts; the log says why.
            EngineError: there is no room for an arena, or no Ray for a cluster.
        """
        async with AsyncExitStack() as undoing:
            undoing.push_async_callback(self.close)
            await self._kept.open()
            await hire(self.config, router=self._router, costs=self._costs)
            await self._router.started.wait()
            if not self._router.up:
                raise EngineLostError("the engine does not start; the log says why")
            undoing.pop_all()

    async def close(self) -> None:
        """End the engines and give the memory back, within 5 s; what is under way fails."""
        await self._router.close(
            EngineError("the engine was shut down before the picture was finished")
        )
        self._outlook.close()
        await self._kept.close()

    def submit(self, request: ImageRequest) -> Ticket:
        """Queue a request. Never waits.

        Raises:
            InvalidRequestError: the pipeline is unknown, lacks its artwork, or the pictures are
                larger than what can be handed to an engine.
            EngineBusyError: it would have to wait longer than ``max_wait_s`` or its deadline.
            EngineError: the executor is not running.
        """
        self._check(request)
        job = self._job(request)
        self._refuse_long_wait(job)
        job.ticket = Ticket(
            job_id=request.job_id,
            describe=lambda: self._progress(job),
            withdraw=lambda: self._withdraw(job),
        )
        self._job_ids.add(request.job_id)
        if request.deadline_s is not None:
            loop = asyncio.get_running_loop()
            job.expiry = loop.call_later(request.deadline_s, self._expire, job)
        self._router.add(job)
        return job.ticket

    def estimate_s(self, request: ImageRequest) -> float:
        """Return in how many seconds a request would be finished if it were submitted now.

        Raises:
            InvalidRequestError: the pipeline is unknown.
        """
        job_ms = self.cost_ms(request)
        return (self._outlook.wait_ms(self._job(request)) + job_ms) / 1000

    def cost_ms(self, request: ImageRequest) -> int:
        """Return the device milliseconds that a request is expected to cost by itself.

        Raises:
            InvalidRequestError: the pipeline is unknown.
        """
        return self._costs.price_ms(request)

    def model_of(self, request: ImageRequest) -> str:
        """Return the checkpoint or method that a request runs on.

        Raises:
            InvalidRequestError: the pipeline is unknown.
        """
        return self._costs.model_of(request)[1]

    def learned(self) -> dict[str, object]:
        """Return what was learned of costs, as values for JSON."""
        return self._costs.learned()

    @property
    def engine_pid(self) -> int | None:
        """The process id of the first engine that there is, None while there is none."""
        pids = (station.pid for station in self._router.stations)
        return next((pid for pid in pids if pid is not None), None)

    def stats(self) -> ExecutorStats:
        """Return what is going on now, and sums of what went on before."""
        served_ms, others_ms = self._records.shares()
        return ExecutorStats(
            stations=tuple(it.stats() for it in self._router.stations if it.used),
            queued=len(self._router.queue),
            queued_ms=self._router.queue.cost_ms,
            finished=self._records.finished,
            served_ms=served_ms,
            served_others_ms=others_ms,
        )

    def _check(self, request: ImageRequest) -> None:
        if not self._router.open:
            raise EngineError("the executor is not running")
        spec = self._costs.spec_of(request)
        if spec.takes_style_image and request.style_image is None:
            raise InvalidRequestError(f"{request.pipeline} needs an artwork")
        if spec.takes_style_image and request.mask is not None:
            raise InvalidRequestError(f"{request.pipeline} paints the whole picture, without masks")
        if spec.takes_style_image and (request.control or request.like):
            raise InvalidRequestError(f"{request.pipeline} takes no control and no likeness")
        if request.job_id in self._job_ids:
            raise InvalidRequestError(f"request {request.job_id!r} is under way already")
        if not self.config.arena.holds(len(it.data) for it in request.pictures):
            raise InvalidRequestError("the pictures are too large to be handed to the engine")

    def _job(self, request: ImageRequest) -> Job:
        model = self._costs.model_of(request)
        return Job(
            serial=next(self._serials),
            request=request,
            model=model,
            load_ms=self._costs.load_ms(model),
            cost_ms=self._costs.expected_ms(request),
            arrival_ms=monotonic() * 1000,
        )

    def _refuse_long_wait(self, job: Job) -> None:
        """Turn away what would wait too long; looked at closely only if all the work would."""
        limit_s = min(self.config.max_wait_s, job.request.deadline_s or inf)
        if self._outlook.work_ms() + job.load_ms <= limit_s * 1000:
            return
        wait_s = self._outlook.wait_ms(job) / 1000
        if wait_s > limit_s:
            message = f"it would start in about {wait_s:.1f} s; {limit_s:g} s are worth waiting"
            raise EngineBusyError(message)

    def _expire(self, job: Job) -> None:
        """Fail a request whose deadline has passed while it waits."""
        if job in self._router.queue:
            self._router.withdraw(job)
            self._settle(job, too_late(job))

    def _withdraw(self, job: Job) -> None:
        """Have a cancelled request dropped."""
        self._job_ids.discard(job.request.job_id)
        if job.expiry is not None:
            job.expiry.cancel()
        self._router.withdraw(job)

    def _settle(self, job: Job, outcome: Outcome) -> None:
        if isinstance(outcome, Result):
            self._costs.learn(job.request, device_ms=outcome.device_ms)
            self._records.finished += 1
        elif isinstance(outcome, ModelTooLargeError) and self.config.cluster is not None:
            self._note_refusal(job, str(outcome))
        if not job.ticket.finished:
            self._job_ids.discard(job.request.job_id)
            if job.expiry is not None:
                job.expiry.cancel()
            job.ticket.finish(outcome)

    def _note_refusal(self, job: Job, why: str) -> None:
        """Write on a model's card that no node has room for it; their engines cannot know that."""
        folder = self.config.engine.models_dir
        noting = partial(note_refusal, job.model[1], why, models_dir=folder)
        asyncio.get_running_loop().run_in_executor(None, noting)

    def _progress(self, job: Job) -> Progress:
        job_id, moved = job.request.job_id, job.moved
        station = self._router.station_of(job)
        if moved is None or station is None:
            position, ahead_ms = self._outlook.place(job)
            return Progress(
                job_id=job_id,
                stage=Stage.LOADING if job.held else Stage.QUEUED,
                position=position,
                eta_s=(ahead_ms + job.cost_ms) / 1000,
            )
        # Rows take turns: each of the others costs as much time as both still need.
        rows = station.jobs.values()
        eta_ms = station.loading_ms
        eta_ms += sum(min(job.remaining_ms, other.remaining_ms) for other in rows)
        return Progress(
            job_id=job_id,
            stage=moved.stage,
            step=moved.step,
            total_steps=moved.total_steps,
            eta_s=eta_ms / 1000,
            preview=moved.preview,
        )
