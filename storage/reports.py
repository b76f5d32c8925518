"""What admins read: who used how much of the device, for which pipelines, in which period.

A job belongs to the period in which it was accepted. Purged and deleted jobs count like all
others: their numbers stay when their contents go.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from storage.database import Database, reads
from storage.recall import guild_key
from storage.records import JobState
from storage.tables import JobRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What some jobs amounted to.

    Args:
        jobs: all that were accepted, however they ended.
        done: those that gave a picture.
        failures: those that failed; cancelled ones are no failures.
        device_ms: what their quotas were charged.
        mean_wait_s: from acceptance to the first start, None when none has started.
    """

    jobs: int = 0
    done: int = 0
    failures: int = 0
    cancelled: int = 0
    device_ms: int = 0
    mean_wait_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberUsage:
    """One member's line."""

    member_id: int
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineUsage:
    """One pipeline's line."""

    pipeline: str
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """A period's usage: ``since`` belongs to it, ``until`` does not; most used first."""

    since: datetime
    until: datetime
    members: tuple[MemberUsage, ...]
    pipelines: tuple[PipelineUsage, ...]
    total: Usage


class Reports:
    """Reports on the jobs of one database; they never write."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def usage(self, guild_id: int | None, *, since: datetime, until: datetime) -> UsageReport:
        """Report on one guild, or on direct messages when that is None."""
        return await self._report([JobRow.guild_id == guild_key(guild_id)], since, until)

    async def installation(self, *, since: datetime, until: datetime) -> UsageReport:
        """Report on everything that this installation did."""
        return await self._report([], since, until)

    async def member_usage(
        self, guild_id: int | None, member_id: int, *, since: datetime, until: datetime
    ) -> UsageReport:
        """Report on one member in one guild; ``Quotas.balance`` knows what is left."""
        where = [JobRow.guild_id == guild_key(guild_id), JobRow.member_id == member_id]
        return await self._report(where, since, until)

    @reads
    def _report(
        self, session: Session, where: list[ColumnElement[bool]], since: datetime, until: datetime
    ) -> UsageReport:
        where = [*where, JobRow.created_at >= since, JobRow.created_at < until]
        members = _grouped(session, JobRow.member_id, where)
        pipelines = _grouped(session, JobRow.pipeline, where)
        total = session.execute(select(*_sums()).where(*where))
        return UsageReport(
            since=since,
            until=until,
            members=tuple(MemberUsage(member_id=key, usage=use) for key, use in members),
            pipelines=tuple(PipelineUsage(pipeline=key, usage=use) for key, use in pipelines),
            total=_usage(total.one()),
        )


def _grouped(
    session: Session, column: InstrumentedAttribute[Any], where: list[ColumnElement[bool]]
) -> list[tuple[Any, Usage]]:
    sums = _sums()
    rows = session.execute(
        select(column, *sums)
        .where(*where)
        .group_by(column)
        .order_by(sums[4].desc(), sums[0].desc(), column)
    )
    return [(row[0], _usage(row[1:])) for row in rows]


def _sums() -> list[Any]:
    def count(state: JobState) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((JobRow.state == state, 1), else_=0)), 0)

    return [
        func.count(),
        count(JobState.DONE),
        count(JobState.FAILED),
        count(JobState.CANCELLED),
        func.coalesce(func.sum(JobRow.device_ms), 0),
        func.avg(JobRow.wait_ms),
    ]


def _usage(sums: Sequence[Any]) -> Usage:
    return Usage(
        jobs=int(sums[0]),
        done=int(sums[1]),
        failures=int(sums[2]),
        cancelled=int(sums[3]),
        device_ms=int(sums[4]),
        mean_wait_s=None if sums[5] is None else float(sums[5]) / 1000,
    )
