"""Adding usage up: the days and months of every guild, and of all together, from their jobs.

Whatever changes a job marks its day, in the same transaction. Adding up reads the marks and the
jobs of one moment, counts in a thread, and then, in one transaction, takes those very marks away
and puts the new sums in the place of the old ones. A mark that came meanwhile stays, so the day is
added up again; one that is gone was dealt with by somebody else, so nothing is written. Dying in
between leaves the marks. Days and months that are not over keep theirs. A guild's day that was
added up marks its month and the day of all together, and that one the month of all together.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Any

from sqlalchemy import (
    JSON,
    DateTime,
    String,
    column,
    delete,
    func,
    insert,
    select,
    table,
    text,
)
from sqlalchemy.orm import Session

from storage.clock import Clock, utc_now
from storage.columns import JobColumns, JobReader, job_columns, micros, moment_of, tallied
from storage.cuts import CUTS, DAY, EVERYWHERE, Cut, Dimension, Grain, day_of, month_after, month_of
from storage.database import Database, reads, writes
from storage.tables import GuildRow, JobRow, UsageMarkRow, UsageRow
from storage.tallies import SUMS
from storage.types import away
from storage.usage_check import contradictions

MOST_JOBS = 4000
"""Of one step, unless one guild has more: reading and counting them takes some 50 ms."""
MOST_AT_ONCE = 100_000
"""Likewise where nobody waits."""
MOST_GUILDS = 500
_TIDY = 100
"""From so many marks on of a time that is not over, all but one of each are taken away."""
_BATCH = 500
_DAY_US = 86_400_000_000
_LOCK = 4_019_771_263
"""Any number that no other program is likely to lock in the same database."""
_NOBODY: dict[str, Any] = {
    "member_id": 0, "channel_id": 0, "role_id": 0, "pipeline": "", "model": ""
}  # fmt: skip
"""What stands in the columns that a cut does not tell apart."""
_USAGE = table(
    UsageRow.__tablename__,
    *(column(name, String) for name in ("cut", "grain")),
    column("guild_id"),
    column("start", DateTime(timezone=True)),
    *(column(name) for name in (*_NOBODY, *SUMS)),
    column("details", JSON),
)
"""The table without the checks of its texts, which come from the database itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A day or month of some guilds that was marked, and what its sums are made of.

    Args:
        marks: the ids of the marks.
    """

    grain: Grain
    start: datetime
    guild_ids: tuple[int, ...]
    marks: tuple[int, ...]
    jobs: JobColumns


class UsageSums:
    """The sums of one database."""

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def add_up(self, *, most_jobs: int = MOST_JOBS) -> int:
        """Bring all days and months that are over up to date; return how many were added up.

        Args:
            most_jobs: that are counted in one step; others wait while a step is written.
        """
        done = 0
        for grain, everywhere in product((Grain.DAY, Grain.MONTH), (False, True)):
            while (
                found := await self._next(grain, everywhere=everywhere, most_jobs=most_jobs)
            ) is not None:
                rows = await asyncio.to_thread(_added_up, found)
                if not await self._replace(found, rows):
                    break
                done += len(found.guild_ids)
        await self.tidy()
        return done

    async def add_up_anew(self) -> int:
        """Throw all sums away and make them anew; return how many days and months there are.

        Reports stay right meanwhile, but are read from the jobs.
        """
        await self._forget_all()
        return await self.add_up(most_jobs=MOST_AT_ONCE)

    @writes
    def tidy(self, session: Session) -> None:
        """Keep one mark of each day and month that many mark."""
        place = (UsageMarkRow.grain, UsageMarkRow.guild_id, UsageMarkRow.start)
        many = session.execute(
            select(*place, func.max(UsageMarkRow.id))
            .group_by(*place)
            .having(func.count() > _TIDY)
            .order_by(*place)
        )
        for grain, guild_id, start, newest in many.all():
            session.execute(
                delete(UsageMarkRow)
                .filter_by(grain=grain, guild_id=guild_id, start=start)
                .where(UsageMarkRow.id < newest)
            )

    @reads
    def audit(self, session: Session) -> list[str]:
        """Return what contradicts the jobs; there should be nothing."""
        return contradictions(session)

    @writes
    def _forget_all(self, session: Session) -> None:
        """Delete the sums, and mark every day that has jobs."""
        _lock(session)
        session.execute(delete(UsageRow))
        session.execute(delete(UsageMarkRow))
        days = select(JobRow.guild_id, micros(JobRow.created_at) // _DAY_US).distinct()
        marks = [
            {"grain": Grain.DAY.value, "guild_id": guild_id, "start": moment_of(day * _DAY_US)}
            for guild_id, day in session.execute(days)
        ]
        if marks:
            session.execute(insert(UsageMarkRow), marks)

    @reads
    def _next(
        self,
        session: Session,
        grain: Grain,
        *,
        everywhere: bool = False,
        most_jobs: int = MOST_JOBS,
    ) -> Found | None:
        """Read the oldest marked day or month that is over, with the jobs of some guilds."""
        latest = day_of(self._clock()) if grain is Grain.DAY else month_of(self._clock())
        all_marks = UsageMarkRow.guild_id == EVERYWHERE
        marked = (
            UsageMarkRow.grain == grain.value,
            UsageMarkRow.start < latest,
            all_marks if everywhere else ~all_marks,
        )
        start = session.scalar(select(func.min(UsageMarkRow.start)).where(*marked))
        if start is None:
            return None
        guild_ids = session.scalars(
            select(UsageMarkRow.guild_id)
            .where(*marked, UsageMarkRow.start == start)
            .distinct()
            .order_by(UsageMarkRow.guild_id)
            .limit(MOST_GUILDS)
        ).all()
        end = _end(grain, start)
        chosen = guild_ids if everywhere else _few(session, guild_ids, start, end, most=most_jobs)
        marks = session.scalars(
            select(UsageMarkRow.id)
            .where(*marked, UsageMarkRow.start == start, UsageMarkRow.guild_id.in_(chosen))
            .order_by(UsageMarkRow.id)
        )
        return Found(
            grain=grain,
            start=start,
            guild_ids=tuple(chosen),
            marks=tuple(marks),
            jobs=_jobs(session, chosen, start, end),
        )

    @writes
    def _replace(self, session: Session, found: Found, rows: list[dict[str, Any]]) -> bool:
        """Put new sums in the place of the old ones; False when somebody else has."""
        _lock(session)
        there = sum(
            session.scalar(
                select(func.count()).select_from(UsageMarkRow).where(UsageMarkRow.id.in_(some))
            )
            or 0
            for some in _batches(found.marks)
        )
        if there != len(found.marks):
            return False
        for some in _batches(found.marks):
            session.execute(delete(UsageMarkRow).where(UsageMarkRow.id.in_(some)))
        _forget(session, found)
        if rows:
            session.connection().execute(insert(_USAGE), rows)
        if marks := _following(found):
            session.execute(insert(UsageMarkRow), marks)
        return True


def _lock(session: Session) -> None:
    """Let nobody else write sums until this transaction ends; SQLite has one writer anyhow."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))


def _following(found: Found) -> list[dict[str, Any]]:
    """Return the marks of what is not up to date any more when a day was added up."""
    if found.grain is not Grain.DAY:
        return []
    month = {"grain": Grain.MONTH.value, "start": month_of(found.start)}
    marks = [{**month, "guild_id": guild_id} for guild_id in found.guild_ids]
    if EVERYWHERE not in found.guild_ids:
        day = {"grain": Grain.DAY.value, "start": found.start, "guild_id": EVERYWHERE}
        marks.append(day)
    return marks


def _few(
    session: Session, guild_ids: Sequence[int], start: datetime, end: datetime, *, most: int
) -> list[int]:
    """Return the first guilds that have so many jobs together, and at least one."""
    found = session.execute(
        select(JobRow.guild_id, func.count().label("jobs"))
        .where(*_accepted(guild_ids, start, end))
        .group_by(JobRow.guild_id)
    )
    counts = {row.guild_id: row.jobs for row in found}
    chosen, jobs = list[int](), 0
    for guild_id in guild_ids:
        jobs += counts.get(guild_id, 0)
        if chosen and jobs > most:
            break
        chosen.append(guild_id)
    return chosen


def _jobs(session: Session, guild_ids: Sequence[int], start: datetime, end: datetime) -> JobColumns:
    """Read the jobs of some guilds, a day at a time, for columns take a tenth of rows' room."""
    jobs = JobReader()
    while start < end:
        rows = session.execute(
            job_columns().where(*_accepted(guild_ids, start, min(end, start + DAY)))
        ).all()
        away(jobs.take, rows)
        start += DAY
    return jobs.columns()


def _accepted(guild_ids: Sequence[int], start: datetime, end: datetime) -> tuple[Any, ...]:
    guilds: Any = select(GuildRow.id) if EVERYWHERE in guild_ids else guild_ids
    return JobRow.guild_id.in_(guilds), JobRow.created_at >= start, JobRow.created_at < end


def _end(grain: Grain, start: datetime) -> datetime:
    return start + DAY if grain is Grain.DAY else month_after(start)


def _kept(grain: Grain) -> Iterator[tuple[Cut, Grain]]:
    """Yield which sums may be made of a day, its hours included, or of a month."""
    for cut in CUTS:
        for each in cut.least:
            if each is grain or (grain is Grain.DAY and each is Grain.HOUR):
                yield cut, each


def _forget(session: Session, found: Found) -> None:
    """Delete the sums of a day with its hours, or of a month, if there are any."""
    where = (
        UsageRow.guild_id.in_(found.guild_ids),
        UsageRow.start >= found.start,
        UsageRow.start < _end(found.grain, found.start),
    )
    # Every job counts in the first cut, so what is not there is nowhere.
    first = select(UsageRow.cut).filter_by(cut=CUTS[0].name, grain=found.grain.value)
    if session.scalar(first.where(*where).limit(1)) is None:
        return
    for cut, grain in _kept(found.grain):
        session.execute(delete(UsageRow).filter_by(cut=cut.name, grain=grain.value).where(*where))


def _added_up(found: Found) -> list[dict[str, Any]]:
    """Return the rows that the sums of a day or month are kept in."""
    jobs = found.jobs
    everywhere = EVERYWHERE in found.guild_ids
    if everywhere:
        jobs = jobs.of_everywhere()
    sizes = {key[0]: tally.of("jobs") for key, tally in tallied(jobs, (Dimension.GUILD,)).items()}
    rows = list[dict[str, Any]]()
    for cut, grain in _kept(found.grain):
        if cut.everywhere if everywhere else cut.guilds:
            enough = [guild for guild, size in sizes.items() if size >= cut.least[grain]]
            some = jobs if len(enough) == len(sizes) else jobs.of_guilds(enough)
            rows.extend(_sums_of(some, cut, grain, start=found.start))
    return rows


def _sums_of(
    jobs: JobColumns, cut: Cut, grain: Grain, *, start: datetime
) -> Iterator[dict[str, Any]]:
    """Yield the rows of one cut; hours keep no histograms, for nobody asks for those."""
    by = (Dimension.GUILD, *sorted(cut.dimensions))
    hours = grain is Grain.HOUR
    names = [name.column for name in by]
    usual = {**_NOBODY, "cut": cut.name, "grain": grain.value}
    for key, tally in tallied(jobs, by, starts=jobs.starts(grain) if hours else None).items():
        yield {
            **usual,
            "start": moment_of(key[0]) if hours else start,
            **dict(zip(names, key[1:] if hours else key, strict=True)),
            **dict(zip(SUMS, tally.sums, strict=True)),
            "details": {} if hours else tally.details,
        }


def _batches(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))
