"""Taking jobs from the line, as many as may be under way, and having their pictures made."""

import asyncio
from dataclasses import dataclass

import structlog

from bot.line import Line
from bot.making import Maker
from bot.orders import Parameters
from bot.waiting import Waiting
from bot.wakes import Kind, Signal, Wakes
from generation.executor.client import Executor
from generation.executor.policy import finds_place
from generation.request import Progress
from storage.jobs import JobStore
from storage.records import Job

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How jobs are run.

    Args:
        parallel_jobs: jobs that are handed to the engines at the same time; None leaves it to
            them.
        shares: whether others run jobs, too; they get all while no engine is up here.
        lease_s: after how long without a sign of life another process takes a job up.
        shutdown_s: how long running jobs may finish when the process is stopped.
    """

    parallel_jobs: int | None
    shares: bool
    lease_s: float
    shutdown_s: float


class Runner:
    """Runs jobs on this process's engines; all methods belong to one event loop."""

    def __init__(
        self,
        *,
        pace: Pace,
        line: Line,
        jobs: JobStore,
        maker: Maker,
        executor: Executor,
        wakes: Wakes,
    ) -> None:
        self._pace = pace
        self._line = line
        self._jobs = jobs
        self._maker = maker
        self._executor = executor
        self._wakes = wakes
        self._runs: set[asyncio.Task[None]] = set()
        wakes.listen(self._hear)

    async def pump(self) -> None:
        """Begin as many jobs as may be under way, then wait for one that comes or ends."""
        self._line.changed.clear()
        while self._may_begin() and (taken := await self._line.take(lease_s=self._pace.lease_s)):
            entry, job = taken
            self._wakes.send(Signal(kind=Kind.STARTED, job_id=job.id))
            self._keep(asyncio.create_task(self._run(entry, job), name=f"job {job.id}"))
        await self._line.changed.wait()

    async def close(self) -> None:
        """Let what runs finish for a while, and give the rest back."""
        if self._runs:
            await asyncio.wait(self._runs, timeout=self._pace.shutdown_s)
        back = list(self._line.own)
        for task in self._runs:
            task.cancel()
        await asyncio.gather(*self._runs, return_exceptions=True)
        await self._jobs.release(self._line.owner)
        for job_id in back:
            self._wakes.send(Signal(kind=Kind.WAITS, job_id=job_id))

    def _may_begin(self) -> bool:
        """Return whether the job whose turn it is may be under way, too."""
        limit, entry = self._limit(), self._line.room.next()
        if entry is None or self._pace.parallel_jobs is not None:
            return len(self._line.own) < limit
        under_way = [
            (job.guild_id, job.member_id)
            for job in self._line.own.values()
            for _ in range(Parameters.of_job(job).count)
        ]
        member = entry.job.guild_id, entry.job.member_id
        return finds_place(member, under_way, capacity=limit)

    def _limit(self) -> int:
        """Return how many jobs may be under way: one is brought along for every engine."""
        stats = self._executor.stats()
        if self._pace.shares and not stats.engine_up:
            return 0
        room = sum(station.capacity + 1 for station in stats.stations if station.up)
        return self._pace.parallel_jobs or max(1, room)

    async def _run(self, entry: Waiting, job: Job) -> None:
        """Run a claimed job to its end, or to its next rest."""

        def tell(progress: Progress) -> None:
            self._wakes.send(Signal(kind=Kind.MOVED, job_id=job.id, progress=progress))

        try:
            rests = await self._maker.make(entry, job, tell)
        finally:
            self._line.end(entry)
        self._wakes.send(Signal(kind=Kind.RESTS if rests else Kind.ENDED, job_id=job.id))

    def _hear(self, signal: Signal) -> None:
        if signal.kind is Kind.STOP:
            self._keep(asyncio.create_task(self._stop(signal.job_id)))

    async def _stop(self, job_id: str) -> None:
        """Stop a job that runs here, or is just being taken."""
        async with self._line.moving:
            if job_id in self._line.own:
                self._maker.stop(job_id)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._runs.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Forget a run; what it could not even fail with is left to the next claim."""
        self._runs.discard(task)
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            log.error("a run broke off", task=task.get_name(), exc_info=fault)
