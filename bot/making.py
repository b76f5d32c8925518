"""A claimed job on its way: its pictures asked for together, followed, stored and settled.

Of several pictures those that could be made are delivered and charged, and the others are not.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial

import structlog

from bot.job_pictures import JobPictures
from bot.metrics import Metrics
from bot.orders import notes_to_json
from bot.patience import persisted
from bot.safety import Guard
from bot.setbacks import MAX_ATTEMPTS, is_ours, is_passing, rest_s
from bot.waiting import Waiting
from generation.codecs import EncodedImage
from generation.comparing import Comparison
from generation.errors import EngineLostError, GenerationError, JobCancelledError
from generation.executor.client import Executor, Ticket
from generation.request import ImageRequest, Progress, Result, Stage
from storage.errors import StorageError
from storage.jobs import JobStore
from storage.records import Job, JobState, Likeness

Show = Callable[[int, Progress], None]
Tell = Callable[[Progress], None]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A picture that is made and not yet stored.

    Args:
        image: as it will be delivered.
        hidden: whether it is covered until somebody wants to see it.
        comparison: how much it differs from what it was made from; None where that is not known.
    """

    result: Result
    image: EncodedImage
    hidden: bool
    comparison: Comparison | None


class Maker:
    """Takes claimed jobs to their end in SQL; all methods belong to one event loop.

    Args:
        owner: whose claims these are.
        lease_s: for how long each sign of life prolongs a claim.
        retry_s: about how long a job rests before its second attempt.
    """

    def __init__(
        self,
        *,
        owner: str,
        lease_s: float,
        retry_s: float,
        jobs: JobStore,
        pictures: JobPictures,
        executor: Executor,
        guard: Guard,
        metrics: Metrics,
    ) -> None:
        self._owner = owner
        self._lease_s = lease_s
        self._retry_s = retry_s
        self._jobs = jobs
        self._pictures = pictures
        self._executor = executor
        self._guard = guard
        self._metrics = metrics
        self._tickets: dict[str, list[Ticket]] = {}
        self._stopping: set[str] = set()

    async def make(self, entry: Waiting, job: Job, tell: Tell) -> bool:
        """Make a job's pictures, telling how far they are, and settle it or give its quota back.

        Returns True when neither is done, because the job rests before another attempt.
        """
        beat = asyncio.create_task(self._beat(job), name=f"heartbeat {job.id}")
        self._tickets[job.id] = []
        try:
            making = self._make(entry, job, tell)
            (error,) = await asyncio.gather(making, return_exceptions=True)
            return error is not None and await self._set_back(job, error)
        finally:
            beat.cancel()
            del self._tickets[job.id]
            self._stopping.discard(job.id)

    def stop(self, job_id: str) -> None:
        """Have a claimed job end soon, without any picture."""
        self._stopping.add(job_id)
        self._cancel(job_id)

    def _cancel(self, job_id: str) -> None:
        for ticket in self._tickets.get(job_id, ()):
            ticket.cancel()

    async def _make(self, entry: Waiting, job: Job, tell: Tell) -> None:
        """Make the pictures and settle.

        Raises:
            GenerationError: none could be made.
            StorageError: it could not be read or written.
        """
        if job.attempt > MAX_ATTEMPTS:
            raise EngineLostError("the job was begun too often")
        requests = await self._pictures.requests(job)
        if await self._guard.covers(job):
            # What nobody has looked at yet is not shown, not even as it forms.
            requests = tuple(replace(request, previews=False) for request in requests)
        seen: dict[int, Progress] = {}

        def show(number: int, progress: Progress) -> None:
            seen[number] = progress
            whole = together(seen, newest=progress, count=len(requests))
            entry.spent_ms = entry.turn.cost_ms * whole.step / max(1, whole.total_steps)
            tell(whole)

        ends = await asyncio.gather(
            *(self._one(job, request, number, show) for number, request in enumerate(requests)),
            return_exceptions=True,
        )
        made = {number: end for number, end in enumerate(ends) if isinstance(end, Made)}
        faults = [end for end in ends if isinstance(end, BaseException)]
        stopped = [fault for fault in faults if isinstance(fault, JobCancelledError)]
        if stopped or not made:
            raise (stopped or faults)[0]
        entry.spent_ms = sum(each.result.device_ms for each in made.values())
        if not await self._settle(job, made, faults):
            self._metrics.made(job, age_s=entry.age_s, promised_s=entry.promised_s)
        for each in made.values():
            self._metrics.retries.inc(each.result.attempts - 1)

    async def _one(self, job: Job, request: ImageRequest, number: int, show: Show) -> Made:
        """Make one of a job's pictures, have it looked at, and encode it."""
        ticket = self._executor.submit(request)
        self._follow(job.id, ticket)
        async for progress in ticket.events():
            show(number, progress)
        result = await ticket.result()
        image = await self._pictures.finished(job, result)
        submitted = partial(self._follow, job.id)
        hides = [
            await self._guard.hides(each, request, guild_id=job.guild_id, submitted=submitted)
            for each in self._pictures.looked_at(result, image)
        ]
        encoded = await self._pictures.encoded(job, result, image)
        comparison = await self._pictures.compared(job, request, image)
        return Made(result=result, image=encoded, hidden=any(hides), comparison=comparison)

    def _follow(self, job_id: str, ticket: Ticket) -> None:
        """Cancel what was asked of the engine when its job is stopped, or was already."""
        self._tickets[job_id].append(ticket)
        if job_id in self._stopping:
            ticket.cancel()

    async def _settle(
        self, job: Job, made: Mapping[int, Made], faults: list[BaseException]
    ) -> bool:
        """Store the pictures and charge what they cost, unless the job is another attempt's now.

        All are stored only now: what lies there without a row may be swept away at any time.

        Returns:
            Whether they are held, for somebody has to approve them; then nothing is charged yet.
        """
        for fault in faults:
            _write_down(job, fault)
        results = [each.result for each in made.values()]
        notes = tuple(dict.fromkeys(note for result in results for note in result.notes))
        outcome = {
            "model": results[0].model,
            "notes": notes_to_json(notes),
            "parameters": dict(results[0].parameters),
            "failed": [type(fault).__name__ for fault in faults],
            "hidden": [number for number, each in made.items() if each.hidden],
        }
        device_ms = sum(result.device_ms for result in results)
        files = [await self._pictures.keep(each.image) for each in made.values()]
        review_channel_id = await self._guard.review_channel(job)
        settle = partial(
            self._jobs.settle,
            job.id,
            owner=self._owner,
            attempt=job.attempt,
            outputs=dict(zip(made, files, strict=True)),
            device_ms=device_ms,
            likeness={
                number: Likeness(**asdict(each.comparison))
                for number, each in made.items()
                if each.comparison is not None
            },
            notes=outcome,
            review_channel_id=review_channel_id,
        )
        held = review_channel_id is not None
        kept = await persisted(settle, job_id=job.id)
        if kept and not held:
            self._metrics.ended(job, device_ms=device_ms)
        log.info("made", job=job.id, pictures=len(made), device_ms=device_ms, kept=kept, held=held)
        return held

    async def _set_back(self, job: Job, error: BaseException) -> bool:
        """Let a job that failed rest, or end and refund it; return whether it rests."""
        _write_down(job, error)
        if is_passing(error, attempt=job.attempt):
            rests_s = rest_s(job.attempt, first_s=self._retry_s)
            return await self._jobs.retry(
                job.id,
                owner=self._owner,
                attempt=job.attempt,
                error=type(error).__name__,
                after_s=rests_s,
            )
        state = JobState.CANCELLED if isinstance(error, JobCancelledError) else JobState.FAILED
        if await self._jobs.fail(
            job.id,
            owner=self._owner,
            attempt=job.attempt,
            error=type(error).__name__,
            state=state,
            dead=is_ours(error),
        ):
            self._metrics.ended(job, device_ms=0)
        self._metrics.finish(job, state)
        return False

    async def _beat(self, job: Job) -> None:
        """Prolong the lease while the job runs; stop the work when it is somebody else's."""
        while True:
            await asyncio.sleep(self._lease_s / 3)
            beat = partial(
                self._jobs.heartbeat,
                job.id,
                owner=self._owner,
                attempt=job.attempt,
                lease_s=self._lease_s,
            )
            ours = await persisted(beat, job_id=job.id)
            if not ours:
                log.warning("a job went to another owner", job=job.id)
                self._cancel(job.id)
                return


def together(seen: Mapping[int, Progress], *, newest: Progress, count: int) -> Progress:
    """Return how far pictures are that are made together, told as if they were one.

    The preview is that of the first picture that has one, for a reply should not show another
    picture at every turn.

    Args:
        seen: the newest progress of each that has been heard of, by their numbers.
        newest: the newest of these.
        count: how many pictures there are.
    """
    if count == 1:
        return newest
    stages = {each.stage for each in seen.values()} or {Stage.QUEUED}
    if len(seen) == count and len(stages) == 1:
        stage = stages.pop()
    else:
        begun = Stage.RUNNING in stages or Stage.FINISHING in stages
        stage = Stage.RUNNING if begun else max(stages, key=list(Stage).index)
    etas = [each.eta_s for each in seen.values() if each.eta_s is not None]
    steps = max(each.total_steps for each in seen.values())
    previews = (seen[number].preview for number in sorted(seen))
    done = (steps if it.stage is Stage.FINISHING else it.step for it in seen.values())
    return replace(
        newest,
        stage=stage,
        step=sum(done),
        total_steps=steps * count,
        position=min(each.position for each in seen.values()),
        eta_s=max(etas, default=None),
        preview=next((each for each in previews if each is not None), None),
    )


def _write_down(job: Job, error: BaseException) -> None:
    """Write one line: short for what may happen, with the traceback for what is a fault of ours."""
    expected = isinstance(error, GenerationError | StorageError)
    log.warning(
        "failed",
        job=job.id,
        error=type(error).__name__,
        detail=str(error),
        exc_info=None if expected else error,
    )
