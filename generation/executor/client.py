"""The executor's client: requests go in, progress and pictures come back, whatever dies.

It lives in the bot's event loop, never blocks it and never imports torch. Requests wait here,
not in the engine, so that what an engine's death can touch is bounded by the rows under way;
those are seeded, and an engine that dies or hangs is replaced and given the same rows again.
"""

import asyncio
import logging
from dataclasses import replace
from itertools import count
from math import inf
from time import monotonic

import generation.errors
from generation.errors import (
    DeadlineExceededError,
    EngineBusyError,
    EngineError,
    EngineLostError,
    GenerationError,
    InvalidRequestError,
)
from generation.executor.arena import Arena, create_arena
from generation.executor.config import ExecutorConfig, ExecutorStats
from generation.executor.control import Phase, Sight
from generation.executor.costs import Costs
from generation.executor.figures import Counters
from generation.executor.jobs import Job, Ticket
from generation.executor.keeper import Keeper, Listener, Patience
from generation.executor.messages import (
    Cancel,
    Done,
    Failed,
    Figures,
    Gone,
    Hello,
    Message,
    Models,
    Moved,
    Preload,
    Submit,
)
from generation.executor.outlook import Outlook
from generation.executor.policy import Queue
from generation.executor.watchdog import Verdict
from generation.registry import PipelineSpec
from generation.request import ImageRequest, Progress, Result, Stage

__all__ = ["Executor", "ExecutorConfig", "ExecutorStats", "Ticket"]

# An engine that dies between two calls blames nobody; a row that saw so many ends is given up.
BEGINNINGS_A_DEATH = 5

logger = logging.getLogger(__name__)


class Executor:
    """Makes pictures in an engine process of its own. All methods belong to one event loop."""

    def __init__(self, config: ExecutorConfig) -> None:
        self.config = config
        self._costs = Costs(config.pipelines)
        self._serials = count(1)
        self._queue: Queue[Job] = Queue()
        self._under_way: dict[int, Job] = {}
        self._outlook = Outlook(queue=self._queue, under_way=self._under_way)
        self._job_ids: set[str] = set()
        self._arena: Arena | None = None
        self._keeper: Keeper | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._started = asyncio.Event()
        self._preload = config.preload
        self._loads = False
        self._counted = self._earlier = Counters()

    async def start(self) -> None:
        """Make the arena and start the engine; return once it is ready.

        Raises:
            EngineLostError: the engine does not start; the log says why.
            EngineError: there is no room for the arena.
        """
        config = self.config
        self._started.clear()
        self._arena = await asyncio.to_thread(
            create_arena, geometry=config.arena, data_dir=config.data_dir, shm_dir=config.shm_dir
        )
        self._keeper = self._hire(self._arena)
        self._keeping = asyncio.create_task(self._keeper.run(), name="engine keeper")
        try:
            await self._started.wait()
        except asyncio.CancelledError:
            await self.close()
            raise
        if not self._keeper.up:
            await self.close()
            raise EngineLostError("the engine does not start; the log says why")

    def _hire(self, arena: Arena) -> Keeper:
        config = self.config
        return Keeper(
            arena=arena,
            hello=Hello(
                config=config.engine,
                pipelines=dict(config.pipelines),
                preview_interval_s=config.preview_interval_s,
                nice=config.nice,
                log_level=logging.getLogger().getEffectiveLevel(),
            ),
            patience=Patience(
                hang_timeout_s=config.hang_timeout_s,
                load_timeout_s=config.load_timeout_s,
                start_timeout_s=config.start_timeout_s,
                grace_s=config.deadline_grace_s,
            ),
            listener=Listener(
                on_message=self._hear,
                on_up=self._engine_is_up,
                on_lost=self._engine_is_lost,
                on_hopeless=self._engine_is_hopeless,
            ),
        )

    async def close(self) -> None:
        """End the engine and give the memory back, within 5 s; what is under way fails."""
        if self._keeper is not None and self._keeping is not None:
            keeper, self._keeper = self._keeper, None
            await keeper.stop()
            await self._keeping
        self._fail_all(EngineError("the engine was shut down before the picture was finished"))
        self._outlook.close()
        if self._arena is not None:
            self._arena.close()
            self._arena = None

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
        self._queue.add(job)
        self._dispatch()
        return job.ticket

    def estimate_s(self, request: ImageRequest) -> float:
        """Return in how many seconds a request would be finished if it were submitted now.

        Raises:
            InvalidRequestError: the pipeline is unknown.
        """
        job_ms = self.cost_ms(request)
        return (self._wait_ms(self._job(request)) + job_ms) / 1000

    def cost_ms(self, request: ImageRequest) -> int:
        """Return the device milliseconds that a request is expected to cost by itself.

        Raises:
            InvalidRequestError: the pipeline is unknown.
        """
        self._spec(request)
        return max(1, round(self._costs.expected_ms(request)))

    def model_of(self, request: ImageRequest) -> str:
        """Return the checkpoint or method that a request runs on.

        Raises:
            InvalidRequestError: the pipeline is unknown.
        """
        return request.model or self._spec(request).model

    @property
    def engine_pid(self) -> int | None:
        """The engine's process id, None while there is none."""
        engine = self._keeper.engine if self._keeper is not None else None
        return engine.pid if engine is not None else None

    def stats(self) -> ExecutorStats:
        """Return what is going on now."""
        keeper = self._keeper
        return ExecutorStats(
            queued=len(self._queue),
            running=len(self._under_way),
            restarts=max(0, keeper.starts - 1) if keeper is not None else 0,
            engine_up=keeper is not None and keeper.up,
            counters=self._earlier + self._counted,
        )

    def _spec(self, request: ImageRequest) -> PipelineSpec:
        try:
            return self.config.pipelines[request.pipeline]
        except KeyError:
            known = ", ".join(self.config.pipelines)
            message = f"there is no pipeline {request.pipeline!r}; known: {known}"
            raise InvalidRequestError(message) from None

    def _check(self, request: ImageRequest) -> None:
        if self._keeper is None:
            raise EngineError("the executor is not running")
        if self._spec(request).takes_style_image and request.style_image is None:
            raise InvalidRequestError(f"{request.pipeline} needs an artwork")
        if request.job_id in self._job_ids:
            raise InvalidRequestError(f"request {request.job_id!r} is under way already")
        geometry = self.config.arena
        pictures = (request.image, request.style_image)
        slots = sum(-(-len(it.data) // geometry.slot_bytes) for it in pictures if it is not None)
        if slots > geometry.slots:
            raise InvalidRequestError("the pictures are too large to be handed to the engine")

    def _job(self, request: ImageRequest) -> Job:
        return Job(
            serial=next(self._serials),
            request=request,
            cost_ms=self._costs.expected_ms(request),
            arrival_ms=monotonic() * 1000,
        )

    def _refuse_long_wait(self, job: Job) -> None:
        """Turn away what would wait too long; looked at closely only if all the work would."""
        limit_s = min(self.config.max_wait_s, job.request.deadline_s or inf)
        if self._queue.cost_ms + self._outlook.under_way_ms() <= limit_s * 1000:
            return
        wait_s = self._wait_ms(job) / 1000
        if wait_s > limit_s:
            message = f"it would start in about {wait_s:.1f} s; {limit_s:g} s are worth waiting"
            raise EngineBusyError(message)

    def _wait_ms(self, job: Job) -> float:
        """Return the device time that goes before a new request."""
        return self._outlook.under_way_ms() + self._queue.ahead_ms(job)

    def _expire(self, job: Job) -> None:
        """Fail a request whose deadline has passed while it waits."""
        if job in self._queue:
            self._queue.remove(job)
            self._settle(job, DeadlineExceededError(_too_late(job)))
            self._outlook.changed()

    def _dispatch(self) -> None:
        """Hand the engine what may join its rows now."""
        keeper = self._keeper
        if keeper is None or keeper.engine is None or not keeper.up:
            return
        moved = False
        while job := self._queue.next(
            under_way=self._under_way.values(), max_rows=self.config.max_rows
        ):
            try:
                keeper.engine.send(Submit(serial=job.serial, request=job.request))
            except BufferError:
                break
            self._queue.start(job)
            self._under_way[job.serial] = job
            job.held = self._loads
            moved = True
        if moved:
            self._outlook.changed()

    def _withdraw(self, job: Job) -> None:
        """Take a cancelled request out of the queue, or tell the engine to drop it."""
        self._job_ids.discard(job.request.job_id)
        if job.expiry is not None:
            job.expiry.cancel()
        if job.serial not in self._under_way:
            self._queue.remove(job)
            self._outlook.changed()
        elif self._keeper is not None and self._keeper.engine is not None:
            self._keeper.engine.send(Cancel(serial=job.serial))

    def _hear(self, message: Message) -> None:
        match message:
            case Moved(serial=serial) if serial in self._under_way:
                self._row_moved(self._under_way[serial], message)
            case Done(serial=serial, result=result):
                job = self._leave(serial, spent_ms=result.device_ms)
                self._costs.learn(job.request, device_ms=result.device_ms)
                self._settle(job, replace(result, attempts=job.attempts))
            case Failed(serial=serial, error=name, message=text):
                error: type[GenerationError] = getattr(generation.errors, name)
                self._settle(self._leave(serial), error(text))
            case Gone(serial=serial):
                self._leave(serial)
            case Models(loading=loading):
                self._loads = loading is not None
                for job in self._under_way.values():
                    self._hold(job)
            case Figures(counters=counters):
                self._counted = counters
        self._dispatch()

    def _leave(self, serial: int, *, spent_ms: float | None = None) -> Job:
        """Take a request that has left the engine off the rows under way, and charge it."""
        job = self._under_way.pop(serial)
        self._queue.end(job, spent_ms=job.spent_ms if spent_ms is None else spent_ms)
        return job

    def _row_moved(self, job: Job, moved: Moved) -> None:
        if job.moved is None:
            job.attempts += 1
        preview = moved.preview or (job.moved.preview if job.moved is not None else None)
        job.moved = replace(moved, preview=preview)
        job.ticket.touch()

    def _hold(self, job: Job) -> None:
        """Tell who waits for a model to be loaded, be it another's, that this is what it does."""
        if self._loads and job.moved is None and not job.held:
            job.held = True
            job.ticket.touch()

    def _settle(self, job: Job, outcome: Result | GenerationError) -> None:
        if not job.ticket.finished:
            self._job_ids.discard(job.request.job_id)
            if job.expiry is not None:
                job.expiry.cancel()
            job.ticket.finish(outcome)

    def _progress(self, job: Job) -> Progress:
        job_id, moved = job.request.job_id, job.moved
        if moved is None:
            position, ahead_ms = self._outlook.place(job)
            return Progress(
                job_id=job_id,
                stage=Stage.LOADING if job.held else Stage.QUEUED,
                position=position,
                eta_s=(ahead_ms + job.cost_ms) / 1000,
            )
        # Rows take turns: each of the others costs as much time as both still need.
        rows = self._under_way.values()
        eta_ms = sum(min(job.remaining_ms, other.remaining_ms) for other in rows)
        return Progress(
            job_id=job_id,
            stage=moved.stage,
            step=moved.step,
            total_steps=moved.total_steps,
            eta_s=eta_ms / 1000,
            preview=moved.preview,
        )

    def _engine_is_up(self) -> None:
        self._started.set()
        keeper = self._keeper
        if keeper is not None and keeper.engine is not None:
            for pipeline in self._preload:
                keeper.engine.send(Preload(pipeline=pipeline))
        self._dispatch()

    def _engine_is_lost(self, sight: Sight, verdict: Verdict | None) -> None:
        """Queue the rows of a lost engine again, but not what it died of too often."""
        self._loads = False
        self._earlier, self._counted = self._earlier + self._counted, Counters()
        if sight.phase is Phase.LOAD and not sight.serials:
            logger.error("loading in advance ended an engine; models are loaded when asked for")
            self._preload = ()
        limit = self.config.max_attempts
        for job in list(self._under_way.values()):
            job.deaths += job.serial in sight.serials
            error = self._reason_to_give_up(job, verdict, limit=limit)
            if error is None and not job.ticket.finished:
                del self._under_way[job.serial]
                job.moved = None
                job.held = False
                self._queue.add_again(job)
                continue
            self._leave(job.serial)
            if error is not None:
                self._settle(job, error)
        self._outlook.changed()

    def _reason_to_give_up(
        self, job: Job, verdict: Verdict | None, *, limit: int
    ) -> EngineError | None:
        """Return why a row of a lost engine is not repeated, or None."""
        if verdict is not None and verdict.overdue == job.serial:
            return DeadlineExceededError(verdict.reason)
        if job.deaths >= limit or job.attempts >= limit * BEGINNINGS_A_DEATH:
            return EngineLostError(
                f"the engine was lost {job.attempts} times while making this picture"
            )
        if job.expiry is not None and job.expiry.when() <= asyncio.get_running_loop().time():
            return DeadlineExceededError(_too_late(job))
        return None

    def _engine_is_hopeless(self) -> None:
        """Fail what waits: no engine comes up, and nobody should wait for what may never be."""
        self._started.set()
        self._fail_all(EngineLostError("the engine does not start"))

    def _fail_all(self, error: EngineError) -> None:
        for job in list(self._under_way.values()):
            self._settle(self._leave(job.serial), error)
        for job in self._queue:
            self._queue.remove(job)
            self._settle(job, error)


def _too_late(job: Job) -> str:
    return f"it did not start within {job.request.deadline_s:g} s"
