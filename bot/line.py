"""The jobs that wait or run in SQL, whoever accepted and whoever makes them.

Every process that serves a database keeps such a line, and looks at the tables when it is told of
something, and now and then besides. So each knows the order, and charges members for what other
processes have begun as for what it began itself.
"""

import asyncio
from contextlib import suppress

from bot.metrics import Metrics
from bot.waiting import Waiting, WaitingRoom
from bot.wakes import Kind, Signal, Wakes
from storage.jobs import JobStore
from storage.records import Job

REST_S = 0.1
"""Between two looks, however much is told."""


class Line:
    """Who waits and what runs; all methods belong to one event loop.

    Args:
        every_s: so long after a look there is another.

    Attributes:
        own: the jobs that this process runs.
        elsewhere: those that others run.
        moving: held while a job goes from waiting to running or away.
        changed: set whenever there may be something to begin.
    """

    def __init__(
        self, *, owner: str, jobs: JobStore, wakes: Wakes, metrics: Metrics, every_s: float
    ) -> None:
        self.owner = owner
        self.room = WaitingRoom()
        self.own: dict[str, Job] = {}
        self.elsewhere: dict[str, Job] = {}
        self.moving = asyncio.Lock()
        self.changed = asyncio.Event()
        self._jobs = jobs
        self._metrics = metrics
        self._every_s = every_s
        self._told = asyncio.Event()
        wakes.listen(self._hear)

    @property
    def waiting(self) -> list[Job]:
        """The jobs that wait, in the order in which they start."""
        return [entry.job for entry in self.room]

    @property
    def running(self) -> list[Job]:
        """The jobs that are under way, here or elsewhere."""
        return [*self.own.values(), *self.elsewhere.values()]

    def add(self, job: Job, *, promised_s: float | None = None) -> None:
        """Let a job wait, unless it does or has begun."""
        if job.id not in self.room and job.id not in (self.own.keys() | self.elsewhere.keys()):
            self.room.add(job, promised_s=promised_s)
        self.changed.set()

    async def look(self) -> None:
        """Learn who waits and what runs, then rest until there is news, or a job rests no more."""
        self._told.clear()
        async with self.moving:
            known = {entry.job.id for entry in self.room}
            found = await self._jobs.under_way()
            waiting = {job_id for job_id, in_s in found.items() if in_s == 0} - self.own.keys()
            running = {job_id for job_id, in_s in found.items() if in_s is None} - self.own.keys()
            for job_id in known - waiting:
                self._leave(job_id, begun=job_id in running)
            new = (waiting - known) | (running - self.elsewhere.keys())
            for job_id in self.elsewhere.keys() - running:
                del self.elsewhere[job_id]
            for job in await self._jobs.several(new):
                if job.id in running:
                    self.elsewhere[job.id] = job
                else:
                    self.add(job)
        self.changed.set()
        await asyncio.sleep(REST_S)
        rests_s = filter(None, found.values())
        with suppress(TimeoutError):
            async with asyncio.timeout(min(self._every_s, *rests_s, self._every_s)):
                await self._told.wait()

    async def take(self, *, lease_s: float) -> tuple[Waiting, Job] | None:
        """Claim the job whose turn it is; one that is somebody else's now waits here no more."""
        async with self.moving:
            while entry := self.room.next():
                job = await self._jobs.claim_job(entry.job.id, owner=self.owner, lease_s=lease_s)
                if job is not None:
                    self.room.start(entry)
                    self._metrics.started(job)
                    self.own[job.id] = job
                    return entry, job
                self._leave(entry.job.id, begun=True)
        return None

    def end(self, entry: Waiting) -> None:
        """Charge a job that was taken, whatever became of it."""
        self.room.end(entry)
        self.own.pop(entry.job.id, None)
        self.changed.set()

    def _leave(self, job_id: str, *, begun: bool) -> None:
        """Let a job wait no more; its member is charged if others have begun it."""
        entry = self.room.get(job_id)
        if entry is not None and begun:
            self.room.start(entry)
            entry.spent_ms = entry.turn.cost_ms
            self.room.end(entry)
            self.elsewhere[job_id] = entry.job
        elif entry is not None:
            self.room.remove(job_id)

    def _hear(self, signal: Signal) -> None:
        """Take note of what others do, and look at the tables where that is not enough."""
        if signal.kind is Kind.MISSED or (signal.kind is Kind.WAITS and not signal.here):
            self._told.set()
        elif signal.kind is Kind.RESTS:
            self.elsewhere.pop(signal.job_id, None)
            self._told.set()
        elif signal.kind is Kind.STARTED and signal.job_id not in self.own:
            self._leave(signal.job_id, begun=True)
        elif signal.kind is Kind.ENDED:
            self._leave(signal.job_id, begun=False)
            self.elsewhere.pop(signal.job_id, None)
