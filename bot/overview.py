"""What goes on in the bot at this moment, for ``python -m bot top``."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Self

from pydantic import BaseModel

from generation.executor.config import ExecutorStats, StationStats
from storage.records import Job

Account = tuple[int, int]
"""A guild and a member; guild 0 is what is asked outside guilds."""


class Engine(BaseModel):
    """One engine.

    Args:
        requests, capacity: requests that it has, and could have.
        models: what it holds ready.
        calls, rows_used, rows_offered, step_ms: sums since its place was opened.
    """

    device: str
    up: bool
    requests: int
    capacity: int
    models: list[str]
    loading: str | None
    busy_s: float
    restarts: int
    calls: int
    rows_used: int
    rows_offered: int
    step_ms: float

    @classmethod
    def of(cls, station: StationStats) -> Self:
        """Return what is shown of a station."""
        counters = station.counters
        return cls(
            device=station.device,
            up=station.up,
            requests=station.running,
            capacity=station.capacity,
            models=[model for _, model in station.ready],
            loading=station.loading[1] if station.loading is not None else None,
            busy_s=station.busy_ms / 1000,
            restarts=station.restarts,
            calls=counters.calls,
            rows_used=counters.rows_used,
            rows_offered=counters.rows_offered,
            step_ms=counters.step_ms,
        )


class Share(BaseModel):
    """A member's part: jobs now, and the device time since the bot began."""

    guild: str
    member: str
    waiting: int
    running: int
    served_ms: float


class Overview(BaseModel):
    """Everything at one moment; ``at_s`` is on a clock that only grows."""

    at_s: float
    waiting: int
    running: int
    finished: int
    engines: list[Engine]
    members: list[Share]
    others_ms: float


def overview(
    stats: ExecutorStats,
    *,
    waiting: Iterable[Job],
    running: Iterable[Job],
    name: Callable[[Account], tuple[str, str]],
) -> Overview:
    """Return what goes on.

    Args:
        stats: what the executor says.
        waiting: the jobs that wait.
        running: the jobs that are under way.
        name: what a guild and a member are called.
    """
    wait, run = _by_account(waiting), _by_account(running)
    accounts = [*stats.served_ms, *(run.keys() | wait.keys()) - stats.served_ms.keys()]
    return Overview(
        at_s=time.monotonic(),
        waiting=wait.total(),
        running=run.total(),
        finished=stats.finished,
        engines=[Engine.of(station) for station in stats.stations],
        members=[
            _share(name(account), wait[account], run[account], stats.served_ms.get(account, 0.0))
            for account in accounts
        ],
        others_ms=stats.served_others_ms,
    )


def _by_account(jobs: Iterable[Job]) -> Counter[Account]:
    return Counter((job.guild_id or 0, job.member_id) for job in jobs)


def _share(names: tuple[str, str], waiting: int, running: int, served_ms: float) -> Share:
    guild, member = names
    return Share(guild=guild, member=member, waiting=waiting, running=running, served_ms=served_ms)
