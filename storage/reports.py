"""What admins read: who asked for what, what it took and how it ended, in which period.

A job belongs to the period in which it was accepted. Purged and deleted jobs count like all
others: their numbers stay when their contents go. What a report says is what a count of all jobs
would say, always: sums that were made before are read where they are up to date, and the jobs
themselves everywhere else. ``Reports.recount`` is that count.
"""

import asyncio
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select
from sqlalchemy.orm import Session

from storage.cuts import (
    Cut,
    Dimension,
    Grain,
    Segment,
    Stale,
    covered,
    cut_for,
    merged,
    month_of,
)
from storage.database import Database, reads
from storage.histogram import Spread, spread_of
from storage.tables import GuildRow, JobRow, UsageMarkRow, UsageRow
from storage.tallies import SUMS, Tally, counted, job_numbers

BY_ALL = (
    Dimension.MEMBER,
    Dimension.CHANNEL,
    Dimension.ROLE,
    Dimension.PIPELINE,
    Dimension.MODEL,
)
_NUMBERED = (Dimension.GUILD, Dimension.MEMBER, Dimension.CHANNEL, Dimension.ROLE)
_ADDED_UP = (Grain.DAY, Grain.MONTH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What some jobs amounted to.

    Args:
        jobs: all that were accepted, however they ended.
        done: those that gave a picture.
        failures: those that failed; cancelled ones are no failures.
        pictures: how many came out.
        device_ms: what their quotas were charged.
        refunded_ms: what was set aside for them and went back, all of it for failed ones.
        stored_bytes: of the pictures that went in and came out, those included that are gone.
        kept_bytes: of those that are still there; one that several jobs have counts for each.
        mean_wait_s: from acceptance to the first start, None when none has started.
        mean_run_s: from the first start to the end of those that gave a picture, or None.
    """

    jobs: int = 0
    done: int = 0
    failures: int = 0
    cancelled: int = 0
    pictures: int = 0
    device_ms: int = 0
    refunded_ms: int = 0
    stored_bytes: int = 0
    kept_bytes: int = 0
    mean_wait_s: float | None = None
    mean_run_s: float | None = None

    @property
    def refunds(self) -> int:
        """How many jobs got back all that was set aside for them."""
        return self.failures + self.cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one member, channel, role, pipeline, model or guild amounted to.

    Args:
        key: its id, or its name; an empty model is that of jobs that name none.
    """

    key: int | str
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What one part of the period amounted to; ``start`` belongs to it."""

    start: datetime
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be reported.

    Args:
        since: belongs to the period.
        until: does not.
        guild_id: None for the whole installation, 0 for direct messages.
        by: what it is told apart by.
        parts: where the parts of the period begin that it is told by, the first at ``since``.
        before: another period to compare with.
        member_id: of this member alone; likewise the others. A role's jobs are those that its
            members asked for when they had it. An empty model is that of jobs that name none.
    """

    since: datetime
    until: datetime
    guild_id: int | None = None
    by: tuple[Dimension, ...] = ()
    parts: tuple[datetime, ...] = ()
    before: tuple[datetime, datetime] | None = None
    member_id: int | None = None
    channel_id: int | None = None
    role_id: int | None = None
    pipeline: str | None = None
    model: str | None = None

    @property
    def filters(self) -> dict[Dimension, int | str]:
        """What the jobs are restricted to, besides the guild."""
        given = {
            Dimension.MEMBER: self.member_id,
            Dimension.CHANNEL: self.channel_id,
            Dimension.ROLE: self.role_id,
            Dimension.PIPELINE: self.pipeline,
            Dimension.MODEL: self.model,
        }
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was asked, and the answer.

    Args:
        waits: from acceptance to the first start.
        runs: from the first start to the end, of jobs that gave a picture.
        causes: how many jobs failed for which cause, the most frequent first.
        groups: lines by what they are told apart by, most device time first.
        parts: the parts of the period, in order.
        before: what the other period amounted to.
    """

    question: Question
    total: Usage = field(default_factory=Usage)
    waits: Spread = field(default_factory=Spread)
    runs: Spread = field(default_factory=Spread)
    causes: Mapping[str, int] = field(default_factory=dict)
    groups: Mapping[Dimension, tuple[Line, ...]] = field(default_factory=dict)
    parts: tuple[Point, ...] = ()
    before: Usage | None = None

    def lines(self, dimension: Dimension) -> tuple[Line, ...]:
        """Return the lines by one dimension; none where it was not asked for."""
        return self.groups.get(dimension, ())

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON takes it: moments as ISO 8601, ids as texts, for they are long."""
        asked = self.question
        return {
            "since": asked.since.isoformat(),
            "until": asked.until.isoformat(),
            "guild": None if asked.guild_id is None else str(asked.guild_id),
            "filters": {name.value: str(value) for name, value in asked.filters.items()},
            "total": asdict(self.total),
            "waits": asdict(self.waits),
            "runs": asdict(self.runs),
            "causes": dict(self.causes),
            "groups": {
                name.value: [{"key": str(line.key), **asdict(line.usage)} for line in lines]
                for name, lines in self.groups.items()
            },
            "parts": [
                {"start": part.start.isoformat(), **asdict(part.usage)} for part in self.parts
            ],
            "before": None if self.before is None else asdict(self.before),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What a report is made of; all of it is of one moment of the database.

    Args:
        sums: rows of sums and details.
        groups: rows of a key and sums.
        jobs: those that are in no sum.
        parts: rows of the beginning of a time and sums.
        part_jobs: those that are in none of these.
    """

    sums: Sequence[Row[Any]]
    groups: Mapping[Dimension, Sequence[Row[Any]]]
    jobs: Sequence[Row[Any]]
    parts: Sequence[Row[Any]] = ()
    part_jobs: Sequence[Row[Any]] = ()


class Reports:
    """Reports on the jobs of one database; they never write."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def report(self, question: Question) -> Report:
        """Return what a period amounted to."""
        found, before = await self._read(question, recounted=False)
        return await asyncio.to_thread(_reported, question, found, before)

    async def recount(self, question: Question) -> Report:
        """Return the same from all jobs one by one; it takes as long as that takes."""
        found, before = await self._read(question, recounted=True)
        return await asyncio.to_thread(_reported, question, found, before)

    @reads
    def _read(
        self, session: Session, question: Question, *, recounted: bool
    ) -> tuple[_Found, _Found | None]:
        found = _find(session, question, recounted=recounted)
        if question.before is None:
            return found, None
        since, until = question.before
        earlier = replace(question, since=since, until=until, by=(), parts=())
        return found, _find(session, earlier, recounted=recounted)


def _find(session: Session, question: Question, *, recounted: bool) -> _Found:
    since, until = question.since.astimezone(UTC), question.until.astimezone(UTC)
    filters = tuple(question.filters)
    cuts = {by: cut_for((*filters, by)) for by in question.by}
    whole = cut_for(filters)
    # A member's jobs are few, and an index leads to them.
    live = recounted or Dimension.MEMBER in filters or whole is None or None in cuts.values()
    if live:
        jobs = _jobs(session, question, [Segment(grain=Grain.LIVE, since=since, until=until)])
        return _Found(sums=(), groups={}, jobs=jobs, part_jobs=jobs)
    assert whole is not None
    stale = _stale(session, question)
    segments = covered(since, until, grains=_ADDED_UP, stale=stale)
    edges = (since, *(each.astimezone(UTC) for each in question.parts[1:]), until)
    parts = merged(
        piece
        for start, end in pairwise(edges)
        for piece in covered(start, end, grains=whole.grains, stale=stale)
    )
    return _Found(
        sums=_sums(session, question, whole, segments),
        groups={
            by: _grouped(session, question, cut, segments, _column(UsageRow, by))
            for by, cut in cuts.items()
            if cut is not None
        },
        jobs=_jobs(session, question, segments),
        parts=_grouped(session, question, whole, parts, UsageRow.start) if question.parts else (),
        part_jobs=_jobs(session, question, parts) if question.parts else (),
    )


def _stale(session: Session, question: Question) -> Stale:
    """Return what is not up to date in a period, in any guild that the question is about."""
    found = select(UsageMarkRow.grain, UsageMarkRow.start).where(
        _guilds(UsageMarkRow, question),
        UsageMarkRow.start >= month_of(question.since.astimezone(UTC)),
        UsageMarkRow.start < question.until,
    )
    rows = session.execute(found.distinct()).all()
    return Stale(
        days=frozenset(row.start for row in rows if row.grain == Grain.DAY),
        months=frozenset(row.start for row in rows if row.grain == Grain.MONTH),
    )


def _sums(
    session: Session, question: Question, cut: Cut, segments: Sequence[Segment]
) -> list[Row[Any]]:
    """Return the details and sums of a cut in all segments that were added up."""
    columns = [UsageRow.details, *(getattr(UsageRow, name) for name in SUMS)]
    return [
        row
        for segment in segments
        if segment.grain is not Grain.LIVE
        for row in session.execute(select(*columns).where(*_within(question, cut, segment)))
    ]


def _grouped(
    session: Session,
    question: Question,
    cut: Cut,
    segments: Sequence[Segment],
    key: Any,  # noqa: ANN401 (a column of any type)
) -> list[Row[Any]]:
    """Return a cut's sums by a column, in all segments that were added up."""
    columns = [func.sum(getattr(UsageRow, name)) for name in SUMS]
    return [
        row
        for segment in segments
        if segment.grain is not Grain.LIVE
        for row in session.execute(
            select(key, *columns).where(*_within(question, cut, segment)).group_by(key)
        )
    ]


def _within(question: Question, cut: Cut, segment: Segment) -> Iterator[ColumnElement[bool]]:
    yield UsageRow.cut == cut.name
    yield UsageRow.grain == segment.grain.value
    yield _guilds(UsageRow, question)
    yield UsageRow.start >= segment.since
    yield UsageRow.start < segment.until
    for name, value in question.filters.items():
        yield _column(UsageRow, name) == value


def _jobs(session: Session, question: Question, segments: Sequence[Segment]) -> list[Row[Any]]:
    """Return the jobs of those segments that were not added up."""
    where = [_guilds(JobRow, question)]
    for name, value in question.filters.items():
        if name is not Dimension.ROLE:
            column = func.coalesce(JobRow.model, "") if name is Dimension.MODEL else None
            where.append((_column(JobRow, name) if column is None else column) == value)
    return [
        row
        for segment in segments
        if segment.grain is Grain.LIVE
        for row in session.execute(
            job_numbers().where(
                *where, JobRow.created_at >= segment.since, JobRow.created_at < segment.until
            )
        )
        if question.role_id is None or question.role_id in (row.role_ids or ())
    ]


def _guilds(table: Any, question: Question) -> ColumnElement[bool]:  # noqa: ANN401 (a table)
    """Return that a row is of the guild, or of any; naming them all lets an index be used."""
    wanted: ColumnElement[bool]
    if question.guild_id is None:
        wanted = table.guild_id.in_(select(GuildRow.id))
    else:
        wanted = table.guild_id == question.guild_id
    return wanted


def _column(table: Any, dimension: Dimension) -> Any:  # noqa: ANN401 (a table, a column)
    name = f"{dimension}_id" if dimension in _NUMBERED else dimension.value
    return getattr(table, name)


def _reported(question: Question, found: _Found, before: _Found | None) -> Report:
    total = Tally()
    for row in found.sums:
        total.merge(row[1:], row.details)
    groups: dict[Dimension, dict[int | str, Tally]] = {by: defaultdict(Tally) for by in question.by}
    for by, rows in found.groups.items():
        for row in rows:
            groups[by][row[0]].merge(row[1:])
    for row in found.jobs:
        job = counted(row)
        total.add(job)
        for by, lines in groups.items():
            for key in _job_keys(row, by):
                lines[key].add(job)
    return Report(
        question=question,
        total=usage_of(total),
        waits=spread_of(total.waits),
        runs=spread_of(total.runs),
        causes=dict(sorted(total.causes.items(), key=lambda each: (-each[1], each[0]))),
        groups={by: _lines(tallies) for by, tallies in groups.items()},
        parts=_parts(question, found),
        before=None if before is None else _total_of(before),
    )


def _total_of(found: _Found) -> Usage:
    total = Tally()
    for row in found.sums:
        total.merge(row[1:])
    for row in found.jobs:
        total.add(counted(row))
    return usage_of(total)


def _job_keys(row: Row[Any], by: Dimension) -> Sequence[int | str]:
    if by is Dimension.ROLE:
        return tuple(set(row.role_ids or ()))
    if by is Dimension.MODEL:
        return (row.model or "",)
    return (_column(row, by),)


def _lines(tallies: Mapping[int | str, Tally]) -> tuple[Line, ...]:
    lines = (Line(key=key, usage=usage_of(tally)) for key, tally in tallies.items())
    return tuple(
        sorted(lines, key=lambda each: (-each.usage.device_ms, -each.usage.jobs, each.key))
    )


def _parts(question: Question, found: _Found) -> tuple[Point, ...]:
    starts = question.parts
    tallies = [Tally() for _ in starts]
    if not starts:
        return ()
    for row in found.parts:
        tallies[bisect_right(starts, row[0]) - 1].merge(row[1:])
    for row in found.part_jobs:
        tallies[bisect_right(starts, row.created_at) - 1].add(counted(row))
    return tuple(
        Point(start=start, usage=usage_of(tally))
        for start, tally in zip(starts, tallies, strict=True)
    )


def usage_of(tally: Tally) -> Usage:
    """Return sums as they are reported."""
    sums = dict(zip(SUMS, tally.sums, strict=True))
    waited, wait_ms, run_ms = (sums.pop(name) for name in ("waited", "wait_ms", "run_ms"))
    done = sums["done"]
    return Usage(
        **sums,
        mean_wait_s=round(wait_ms / waited / 1000, 6) if waited else None,
        mean_run_s=round(run_ms / done / 1000, 6) if done else None,
    )
