"""What a question amounts to, read from the sums as far as they are up to date, else from jobs.

All of it is of one moment of the database. Whole days and months are added up by the database, the
jobs of what is left are read once, from packed days where there are, and histograms only of the
lines that percentiles are told of.
"""

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, ColumnElement, Row, String, and_, cast, func, select
from sqlalchemy.orm import Session

from storage.columns import JobColumns, tallied, us_of
from storage.cuts import (
    EVERYWHERE,
    Cut,
    Dimension,
    Grain,
    Known,
    Segment,
    covered,
    cut_for,
    day_of,
    merged,
    month_of,
)
from storage.packing import Span, packed_days, read_jobs
from storage.questions import Question
from storage.tables import GuildRow, JobRow, UsageMarkRow, UsageRow
from storage.tallies import SUMS, Tally
from storage.types import away

TIMED_LINES = 50
"""Of how many lines by one dimension percentiles are told, those of most device time."""
_ADDED_UP = Cut(name="", dimensions=frozenset(), least={Grain.DAY: 0, Grain.MONTH: 0})
"""By what lines and the total are read: hours would be many statements, and know no details."""
_DETAILS = cast(UsageRow.details, String).label("details")
"""As they are kept: what reads them runs in a thread, unlike what SQLAlchemy makes of them."""
Key = int | str
Lines = Mapping[Key, Tally]
Rows = Sequence[Row[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallies:
    """What a report is made of; parts are in order, and the first lines know their details."""

    total: Tally = field(default_factory=Tally)
    groups: Mapping[Dimension, Lines] = field(default_factory=dict)
    parts: Sequence[Tally] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """Where the answer is read from.

    Args:
        whole: the cut of the total and of the parts, None when only the jobs know.
        cuts: those of the lines.
        segments: what the period is made up of.
        pieces: what its parts are made up of.
        days: those whose jobs are packed.
    """

    whole: Cut | None
    cuts: Mapping[Dimension, Cut]
    segments: Sequence[Segment]
    pieces: Sequence[Segment] = ()
    days: frozenset[datetime] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What was read: rows of details and sums, of a key and sums, of a beginning and sums, jobs."""

    sums: Rows
    groups: Mapping[Dimension, Rows]
    parts: Rows
    jobs: JobColumns


def summed(session: Session, question: Question) -> Tallies:
    """Read what a question amounts to; what is computed runs in a thread."""
    plan = _plan(session, question)
    found = _Found(
        sums=_whole(session, question, plan.whole, plan.segments),
        groups={
            by: _grouped(session, question, cut, plan.segments, by=by)
            for by, cut in plan.cuts.items()
        },
        parts=_grouped(session, question, plan.whole, plan.pieces),
        jobs=read_jobs(
            session,
            _guild_of(question),
            _union(_live(plan.segments), _live(plan.pieces)),
            where=tuple(jobs_asked_for(question)),
            filters=question.filters,
            days=plan.days,
        ),
    )
    tallies = away(_counted, question, plan, found)
    for by, cut in plan.cuts.items():
        first = [key for key, _ in ordered(tallies.groups[by])[:TIMED_LINES]]
        rows = _details(session, question, cut, plan.segments, by=by, keys=first)
        away(_merge_details, tallies.groups[by], rows)
    return tallies


def ordered(lines: Lines) -> list[tuple[Key, Tally]]:
    """Return lines as they are told: those of most device time first, then of most jobs."""
    return sorted(
        lines.items(), key=lambda each: (-each[1].of("device_ms"), -each[1].of("jobs"), each[0])
    )


def jobs_asked_for(question: Question) -> Iterator[ColumnElement[bool]]:
    """Yield what jobs must be, times aside; of a role some pass that never had it."""
    # Naming all guilds lets an index be used.
    guilds = (question.guild_id,) if question.guild_id is not None else select(GuildRow.id)
    yield JobRow.guild_id.in_(guilds)
    for name, value in question.filters.items():
        if name is Dimension.ROLE:
            yield cast(JobRow.role_ids, String).contains(str(value), autoescape=True)
        elif name is Dimension.MODEL:
            yield func.coalesce(JobRow.model, "") == value
        else:
            yield getattr(JobRow, name.column) == value


def _plan(session: Session, question: Question) -> _Plan:
    since, until = question.since.astimezone(UTC), question.until.astimezone(UTC)
    filters = tuple(question.filters)
    guild_id = _guild_of(question)
    whole = cut_for(filters, guild_id=guild_id)
    found = {by: cut_for((*filters, by), guild_id=guild_id) for by in question.by}
    cuts = {by: cut for by, cut in found.items() if cut is not None}
    one_member = Dimension.MEMBER in filters
    days = frozenset[datetime]()
    if not one_member:  # A member's jobs are few, and an index leads to them.
        days = packed_days(session, guild_id, since=day_of(since), until=until)
    if one_member or whole is None or len(cuts) < len(found):
        live = [Segment(grain=Grain.LIVE, since=since, until=until)]
        pieces = live if question.parts else ()
        return _Plan(whole=None, cuts={}, segments=live, pieces=pieces, days=days)
    known = _known(session, question, guild_id)
    edges = (since, *(each.astimezone(UTC) for each in question.parts[1:]), until)
    parts = (
        piece
        for start, end in pairwise(edges)
        for piece in covered(start, end, there=known.of([whole]))
    )
    return _Plan(
        whole=whole,
        cuts=cuts,
        segments=covered(since, until, there=known.of([_ADDED_UP, whole, *cuts.values()])),
        pieces=merged(parts) if question.parts else (),
        days=days,
    )


def _guild_of(question: Question) -> int:
    return EVERYWHERE if question.guild_id is None else question.guild_id


def _known(session: Session, question: Question, guild_id: int) -> Known:
    """Return which sums there are in a period, and which are not up to date in any guild of it."""
    since, until = month_of(question.since.astimezone(UTC)), question.until
    stale = select(UsageMarkRow.grain, UsageMarkRow.start).where(
        UsageMarkRow.grain.in_([Grain.DAY.value, Grain.MONTH.value]),
        UsageMarkRow.start >= since,
        UsageMarkRow.start < until,
    )
    if guild_id != EVERYWHERE:
        stale = stale.where(UsageMarkRow.guild_id == guild_id)
    marked = session.execute(stale.distinct()).all()
    kept = session.execute(
        select(UsageRow.grain, UsageRow.start, UsageRow.jobs)
        .filter_by(cut="guild", guild_id=guild_id)
        .where(UsageRow.grain.in_([Grain.DAY.value, Grain.MONTH.value]))
        .where(UsageRow.start >= since, UsageRow.start < until)
    ).all()
    return Known(
        stale_days=frozenset(row.start for row in marked if row.grain == Grain.DAY),
        stale_months=frozenset(row.start for row in marked if row.grain == Grain.MONTH),
        days={row.start: row.jobs for row in kept if row.grain == Grain.DAY},
        months={row.start: row.jobs for row in kept if row.grain == Grain.MONTH},
    )


def _whole(
    session: Session, question: Question, cut: Cut | None, segments: Sequence[Segment]
) -> Rows:
    """Return details and sums in all segments that were added up."""
    columns = [_DETAILS, *(getattr(UsageRow, name) for name in SUMS)]
    return [
        row
        for where in _within(question, cut, segments)
        for row in session.execute(select(*columns).where(where))
    ]


def _details(
    session: Session,
    question: Question,
    cut: Cut,
    segments: Sequence[Segment],
    *,
    by: Dimension,
    keys: Sequence[Key],
) -> Rows:
    """Return some keys and their details in all segments that were added up."""
    key = getattr(UsageRow, by.column)
    return [
        row
        for where in _within(question, cut, segments, by=by)
        for row in session.execute(select(key.label("key"), _DETAILS).where(where, key.in_(keys)))
    ]


def _grouped(
    session: Session,
    question: Question,
    cut: Cut | None,
    segments: Sequence[Segment],
    *,
    by: Dimension | None = None,
) -> Rows:
    """Return a cut's sums by a dimension, or by when they begin, in all that were added up."""
    key = UsageRow.start if by is None else getattr(UsageRow, by.column)
    # PostgreSQL adds to decimals, which are slow to read.
    columns = [cast(func.sum(getattr(UsageRow, each)), BigInteger) for each in SUMS]
    return [
        row
        for where in _within(question, cut, segments, by=by)
        for row in session.execute(select(key, *columns).where(where).group_by(key))
    ]


def _within(
    question: Question,
    cut: Cut | None,
    segments: Sequence[Segment],
    *,
    by: Dimension | None = None,
) -> Iterator[ColumnElement[bool]]:
    """Yield which sums each segment is read from."""
    filters = [getattr(UsageRow, name.column) == it for name, it in question.filters.items()]
    guild = UsageRow.guild_id == _guild_of(question)
    if by is Dimension.GUILD and question.guild_id is None:
        guild = UsageRow.guild_id.in_(select(GuildRow.id))
    for segment in segments:
        if cut is not None and segment.grain is not Grain.LIVE:
            yield and_(
                UsageRow.cut == cut.name,
                UsageRow.grain == segment.grain.value,
                guild,
                UsageRow.start >= segment.since,
                UsageRow.start < segment.until,
                *filters,
            )


def _live(segments: Sequence[Segment]) -> list[Span]:
    return [(each.since, each.until) for each in segments if each.grain is Grain.LIVE]


def _union(*spans: Sequence[Span]) -> list[Span]:
    """Return times that are in any of some, without overlaps."""
    found = list[Span]()
    for since, until in sorted(span for some in spans for span in some):
        if found and since <= found[-1][1]:
            found[-1] = found[-1][0], max(until, found[-1][1])
        else:
            found.append((since, until))
    return found


def _counted(question: Question, plan: _Plan, found: _Found) -> Tallies:
    jobs = found.jobs
    if question.role_id is not None:
        jobs = jobs.with_role(question.role_id)
    inside = jobs.within(_live(plan.segments))
    total = Tally()
    for row in found.sums:
        total.merge(row[1:], json.loads(row.details))
    for tally in tallied(inside).values():
        total.merge(tally.sums, tally.details)
    groups = dict[Dimension, Lines]()
    for by in question.by:
        lines: dict[Key, Tally] = defaultdict(Tally)
        for row in found.groups.get(by, ()):
            lines[row[0]].merge(row[1:])
        for (key,), tally in tallied(inside, (by,)).items():
            if by is not Dimension.ROLE or question.role_id in (None, key):
                lines[key].merge(tally.sums, tally.details)
        groups[by] = lines
    parts = [Tally() for _ in question.parts]
    for row in found.parts:
        parts[bisect_right(question.parts, row[0]) - 1].merge(row[1:])
    pieces = jobs.within(_live(plan.pieces))
    starts = np.array([us_of(each) for each in question.parts], dtype=np.int64)
    places = np.searchsorted(starts, pieces.created_us, side="right") - 1
    for (place,), tally in tallied(pieces, starts=places).items():
        parts[place].merge(tally.sums)
    return Tallies(total=total, groups=groups, parts=parts)


def _merge_details(lines: Lines, rows: Rows) -> None:
    for row in rows:
        lines[row.key].merge([], json.loads(row.details))
