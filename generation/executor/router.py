"""Gives waiting requests to stations, takes what comes back, and repeats what a station lost."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from operator import attrgetter

import generation.errors
from generation.errors import (
    DeadlineExceededError,
    EngineAbsentError,
    EngineError,
    EngineLostError,
    GenerationError,
    ModelTooLargeError,
)
from generation.executor.arena import Arena
from generation.executor.control import Sight
from generation.executor.jobs import Job
from generation.executor.keeper import Listener
from generation.executor.messages import Done, Failed, Gone, Message, Moved
from generation.executor.policy import Queue, replay
from generation.executor.records import Records
from generation.executor.station import AnyKeeper, Station
from generation.executor.watchdog import Verdict
from generation.request import Result

# An engine that dies between two calls blames nobody; a row that saw so many ends is given up.
BEGINNINGS_A_DEATH = 5

Outcome = Result | GenerationError


class Router:
    """One queue, and the stations that serve it.

    Args:
        max_attempts: a request during whose calls so many engines died fails.
        settle: told of every request that has left, with what became of it.
        changed: told when places in the queue have moved.

    Attributes:
        started: set once an engine is ready, or none will be.
        open: whether requests are taken.
    """

    def __init__(
        self,
        *,
        max_attempts: int,
        records: Records,
        settle: Callable[[Job, Outcome], None],
        changed: Callable[[], None],
    ) -> None:
        self.queue: Queue[Job] = Queue()
        self.stations: list[Station] = []
        self.started = asyncio.Event()
        self.open = False
        self._max_attempts = max_attempts
        self._records = records
        self._settle = settle
        self._changed = changed

    def employ(
        self,
        station: Station,
        hire: Callable[[Listener], AnyKeeper],
        *,
        arena: Arena | None = None,
    ) -> None:
        """Let a station with the keeper that is hired serve the queue from now on."""
        self.open = True
        self.stations.append(station)
        listener = Listener(
            on_message=partial(self._hear, station),
            on_up=partial(self._up, station),
            on_lost=partial(self._lost, station),
            on_hopeless=partial(self._hopeless, station),
        )
        station.employ(hire(listener), arena=arena)

    async def close(self, error: EngineError) -> None:
        """End all engines; what waits or is under way fails with the error."""
        self.open = False
        await asyncio.gather(*(station.close() for station in self.stations))
        self._fail_all(error)
        self.stations.clear()
        self.started.clear()

    @property
    def up(self) -> bool:
        """Whether any engine is ready."""
        return any(station.up for station in self.stations)

    @property
    def places(self) -> list[Station]:
        """The stations that requests go to: with an engine, else where one may come up."""
        return [station for station in self.stations if station.up] or self.hoped_for

    @property
    def hoped_for(self) -> list[Station]:
        """The stations that have an engine, or will soon as far as anybody knows."""
        return [station for station in self.stations if not station.hopeless] or self.stations

    @property
    def under_way(self) -> int:
        """How many requests the engines have."""
        return sum(len(station.jobs) for station in self.stations)

    def station_of(self, job: Job) -> Station | None:
        """Return whose engine has a request, None while it waits."""
        return next((it for it in self.stations if job.serial in it.jobs), None)

    def add(self, job: Job) -> None:
        """Queue a request."""
        self.queue.add(job)
        self.dispatch()
        if len(self.queue) == 1:
            self._foresee()

    def withdraw(self, job: Job) -> None:
        """Take a cancelled request out of the queue, or have the engine drop it."""
        station = self.station_of(job)
        if station is not None:
            station.cancel(job)
        else:
            self.queue.remove(job)
            self._changed()

    def dispatch(self) -> None:
        """Hand the engines what may join their rows now."""
        moved = False
        for job, station in iter(self._next, None):
            if station.start(job):
                self.queue.start(job)
                moved = True
        if moved:
            self._changed()
            self._foresee()

    def _foresee(self) -> None:
        """Have the model that is needed next made ready, if no engine has it."""
        job = self.queue.first()
        if job is None:
            return
        places = [it for it in self.stations if it.up and it.name not in job.refused]
        if places and not any(job.model in (*it.ready, it.loading) for it in places):
            min(places, key=attrgetter("busy_ms")).foresee(job)

    def _next(self) -> tuple[Job, Station] | None:
        """Return who starts next and where, or None.

        Whoever would rather wait for the station that has its model, which is full, lets those
        pass who go elsewhere. A suspect waits for a station to itself, as a rule the one that it
        has emptied; nobody else starts there before it.
        """
        kept_free: set[Station] = set()
        for job, station, _ in replay(
            self._in_turn(),
            places=self.hoped_for,
            open_to=_is_open,
        ):
            if station not in kept_free and station.takes(job):
                return job, station
            if job.suspect:
                kept_free.add(station)
        return None

    def _in_turn(self) -> Iterator[Job]:
        """Yield who waits in order; beyond the first only if a station has room for others."""
        first = self.queue.first()
        if first is None:
            return
        yield first
        if any(station.room for station in self.stations):
            yield from (job for job in self.queue if job is not first)

    def _hear(self, station: Station, message: Message) -> None:
        match message:
            case Moved(serial=serial):
                # Most messages are of this kind, and none of them makes room for anybody.
                if serial in station.jobs:
                    _moved(station.jobs[serial], message)
                return
            case Done(serial=serial, result=result):
                job = self._leave(station, serial, spent_ms=result.device_ms)
                self._settle(job, replace(result, attempts=job.attempts))
            case Failed(serial=serial, error=name, message=text):
                error: type[GenerationError] = getattr(generation.errors, name)
                self._failed(station, serial, error(text))
            case Gone(serial=serial):
                self._leave(station, serial)
            case _:
                station.hear(message)
        self.dispatch()

    def _failed(self, station: Station, serial: int, error: GenerationError) -> None:
        """Settle a request that failed, unless another station may have room for its model."""
        job = station.jobs[serial]
        if isinstance(error, ModelTooLargeError):
            job.refused[station.name] = error
            if not job.ticket.finished and self._has_others(job):
                self._again(station, job)
                return
        self._settle(self._leave(station, serial), error)

    def _has_others(self, job: Job) -> bool:
        """Return whether a station is hoped for that has not refused a request."""
        return any(station.name not in job.refused for station in self.hoped_for)

    def _again(self, station: Station, job: Job) -> None:
        """Let a request wait again that a station had."""
        del station.jobs[job.serial]
        job.moved, job.held = None, False
        self.queue.add_again(job)

    def _leave(self, station: Station, serial: int, *, spent_ms: float | None = None) -> Job:
        """Take a request that has left the engine off the rows under way, and charge it."""
        job = station.jobs.pop(serial)
        spent_ms = job.spent_ms if spent_ms is None else spent_ms
        self.queue.end(job, spent_ms=spent_ms)
        self._records.spend(job.owner, spent_ms)
        return job

    def _up(self, station: Station) -> None:
        station.came_up()
        self.started.set()
        self.dispatch()

    def _lost(self, station: Station, sight: Sight, verdict: Verdict | None) -> None:
        """Queue the rows of a lost engine again, but not what it died of too often."""
        for job in station.went_down(sight):
            job.deaths += job.serial in sight.serials
            error = self._reason_to_give_up(job, verdict)
            if error is None and not job.ticket.finished:
                self._again(station, job)
                continue
            self._leave(station, job.serial)
            if error is not None:
                self._settle(job, error)
        self._changed()
        self.dispatch()

    def _reason_to_give_up(self, job: Job, verdict: Verdict | None) -> EngineError | None:
        """Return why a row of a lost engine is not repeated, or None."""
        limit = self._max_attempts
        if verdict is not None and verdict.overdue == job.serial:
            return DeadlineExceededError(verdict.reason)
        if job.deaths >= limit or job.attempts >= limit * BEGINNINGS_A_DEATH:
            return EngineLostError(
                f"the engine was lost {job.attempts} times while making this picture"
            )
        if job.expiry is not None and job.expiry.when() <= asyncio.get_running_loop().time():
            return too_late(job)
        return None

    def _hopeless(self, station: Station) -> None:
        """Do without a station on which no engine comes up; it comes back if one does.

        Without any other, what waits fails: nobody should wait for what may never be.
        """
        station.hopeless = True
        for job in [it for it in self.queue if it.refused and not self._has_others(it)]:
            self.queue.remove(job)
            self._settle(job, [*job.refused.values()][-1])
        if all(it.hopeless for it in self.stations):
            self.started.set()
            self._fail_all(EngineAbsentError("the engine does not start"))

    def _fail_all(self, error: EngineError) -> None:
        for station in self.stations:
            for serial in list(station.jobs):
                self._settle(self._leave(station, serial), error)
        for job in self.queue:
            self.queue.remove(job)
            self._settle(job, error)


def _is_open(job: Job, station: Station) -> bool:
    """Return whether a station may have a request: a suspect waits for one to come up, too."""
    return station.name not in job.refused and (job.suspect or station.up)


def too_late(job: Job) -> DeadlineExceededError:
    """Return the error of a request whose deadline has passed while it waited."""
    return DeadlineExceededError(f"it did not start within {job.request.deadline_s:g} s")


def _moved(job: Job, moved: Moved) -> None:
    """Take in the newest word on a row."""
    if job.moved is None:
        job.attempts += 1
    preview = job.moved.preview if job.moved is not None else None
    job.moved = moved if moved.preview or not preview else replace(moved, preview=preview)
    job.ticket.touch()
