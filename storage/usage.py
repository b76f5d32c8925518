"""Adding usage up: the days and months of every guild, and of all together, from their jobs.

Whatever changes a job marks its day, in the same transaction. Adding up reads the marks and the
jobs of one moment, counts in a thread, and then, in one transaction, takes those very marks away
and puts the new sums in the place of the old ones. A mark that came meanwhile stays, so the day is
added up again; one that is gone was dealt with by somebody else, so nothing is written. Dying in
between leaves the marks. Days and months that are not over keep theirs. A guild's day that was
added up marks its month and the day of all together, and that one the month of all together.

The jobs of days that have many are packed, too (``storage.packing``), and months are made of them.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from itertools import product, repeat
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
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

from storage import packing
from storage.clock import Clock, utc_now
from storage.columns import JobColumns, grouped, micros, moment_of
from storage.cuts import CUTS, DAY, EVERYWHERE, Cut, Dimension, Grain, day_of, month_after, month_of
from storage.database import Database, reads, writes
from storage.packing import packed, packed_days, read_jobs
from storage.tables import GuildRow, JobRow, UsageDayRow, UsageMarkRow, UsageRow
from storage.tallies import SUMS
from storage.usage_check import contradictions

MOST_JOBS = 4000
"""Of one step, unless one guild has more: reading and counting them takes some 50 ms."""
MOST_GUILDS = 500
_MOST_TOGETHER = 30_000
"""More ids fit into no statement."""
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
    column("start", DateTime(timezone=True)),
    *(column(name, String) for name in ("cut", "grain")),
    column("guild_id", BigInteger),
    *(column(name, String if value == "" else BigInteger) for name, value in _NOBODY.items()),
    *(column(name, BigInteger) for name in SUMS),
    column("details", JSON),
)
"""The table as ``_sums_of`` fills it."""
Values = tuple[Any, ...]


class Whose(Enum):
    """Whose sums are made in one step.

    Jobs are read once for those of all guilds and of everywhere together. Such a step is long, so
    it is for when all is made anew.
    """

    GUILDS = auto()
    EVERYWHERE = auto()
    TOGETHER = auto()


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The rows that sums are kept in, and those of packed days."""

    sums: list[Values] = field(default_factory=list)
    days: list[dict[str, Any]] = field(default_factory=list)


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
        for grain, whose in product((Grain.DAY, Grain.MONTH), (Whose.GUILDS, Whose.EVERYWHERE)):
            done += await self._add_up(grain, whose, most_jobs=most_jobs)
        await self.tidy()
        return done

    async def _add_up(self, grain: Grain, whose: Whose, *, most_jobs: int = MOST_JOBS) -> int:
        """Bring days or months up to date until there are none, or somebody else does, too."""
        done = 0
        while (found := await self._next(grain, whose, most_jobs=most_jobs)) is not None:
            if not await self._replace(found, await asyncio.to_thread(_added_up, found)):
                break
            done += len(found.guild_ids)
        return done

    async def add_up_anew(self) -> int:
        """Throw all sums away and make them anew; return how many days and months there are.

        Reports stay right meanwhile, but are read from the jobs.
        """
        await self._forget_all()
        days = await self._add_up(Grain.DAY, Whose.TOGETHER)
        months = await self._add_up(Grain.MONTH, Whose.TOGETHER)
        return days + months + await self.add_up()

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
        for table_of in (UsageRow, UsageDayRow, UsageMarkRow):
            session.execute(delete(table_of))
        days = select(JobRow.guild_id, micros(JobRow.created_at) // _DAY_US).distinct()
        found = session.execute(days).all()
        places = {
            *((guild_id, day) for guild_id, day in found),
            *((EVERYWHERE, day) for _, day in found),
        }
        marks = [
            {"grain": Grain.DAY.value, "guild_id": guild_id, "start": moment_of(day * _DAY_US)}
            for guild_id, day in sorted(places)
        ]
        if marks:
            session.execute(insert(UsageMarkRow), marks)

    @reads
    def _next(
        self,
        session: Session,
        grain: Grain,
        whose: Whose = Whose.GUILDS,
        *,
        most_jobs: int = MOST_JOBS,
    ) -> Found | None:
        """Read the oldest marked day or month that is over, with the jobs of some guilds."""
        latest = day_of(self._clock()) if grain is Grain.DAY else month_of(self._clock())
        marked = [UsageMarkRow.grain == grain.value, UsageMarkRow.start < latest]
        of_all = UsageMarkRow.guild_id == EVERYWHERE
        if whose is Whose.GUILDS:
            marked.append(~of_all)
        first = select(func.min(UsageMarkRow.start)).where(*marked)
        start = session.scalar(first if whose is Whose.GUILDS else first.where(of_all))
        if start is None:
            return None
        if whose is Whose.EVERYWHERE:
            marked.append(of_all)
        guild_ids = session.scalars(
            select(UsageMarkRow.guild_id)
            .where(*marked, UsageMarkRow.start == start)
            .distinct()
            .order_by(UsageMarkRow.guild_id)
            .limit(MOST_GUILDS if whose is Whose.GUILDS else _MOST_TOGETHER)
        ).all()
        end = _end(grain, start)
        chosen = guild_ids
        if whose is Whose.GUILDS:
            chosen = _few(session, guild_ids, start, end, most=most_jobs)
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
    def _replace(self, session: Session, found: Found, made: Made) -> bool:
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
        if made.sums:
            _insert(session, made.sums)
        if made.days:
            session.execute(insert(UsageDayRow), made.days)
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
        .where(_guilds(guild_ids), JobRow.created_at >= start, JobRow.created_at < end)
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
    since = [start + n * DAY for n in range((end - start) // DAY)]
    days, place = frozenset[datetime](), EVERYWHERE if EVERYWHERE in guild_ids else guild_ids[0]
    if len(since) > 1 and (place == EVERYWHERE or len(guild_ids) == 1):
        days = packed_days(session, place, since=start, until=end)
    where = _guilds(guild_ids)
    spans = [(day, day + DAY) for day in since]
    return read_jobs(session, place, spans, where=[where], days=days)


def _guilds(guild_ids: Sequence[int]) -> ColumnElement[bool]:
    return JobRow.guild_id.in_(select(GuildRow.id) if EVERYWHERE in guild_ids else guild_ids)


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
    if found.grain is Grain.DAY:
        days = delete(UsageDayRow).where(UsageDayRow.guild_id.in_(found.guild_ids))
        session.execute(days.where(UsageDayRow.start == found.start))


def _added_up(found: Found) -> Made:
    """Return what is kept of a day or month."""
    made, jobs = Made(), found.jobs
    guild_ids = [guild_id for guild_id in found.guild_ids if guild_id != EVERYWHERE]
    if EVERYWHERE in found.guild_ids:
        _make(made, found, jobs.of_everywhere())
        if found.grain is Grain.DAY:
            _pack(made, jobs, guild_id=EVERYWHERE, start=found.start)
        jobs = jobs.of_guilds(guild_ids)
    if guild_ids:
        _make(made, found, jobs)
    if found.grain is Grain.DAY:
        for guild_id in guild_ids:
            _pack(made, jobs.of_guilds([guild_id]), guild_id=guild_id, start=found.start)
    return made


def _make(made: Made, found: Found, jobs: JobColumns) -> None:
    """Add the rows that the sums of some guilds, or of all together, are kept in."""
    guilds = grouped(jobs, (Dimension.GUILD,))
    sizes = {key[0]: sums[0] for key, sums in zip(guilds.keys, guilds.sums, strict=True)}
    for cut, grain in _kept(found.grain):
        if cut.everywhere if EVERYWHERE in sizes else cut.guilds:
            enough = [guild for guild, size in sizes.items() if size >= cut.least[grain]]
            some = jobs if len(enough) == len(sizes) else jobs.of_guilds(enough)
            made.sums.extend(_sums_of(some, cut, grain, start=found.start))


def _pack(made: Made, jobs: JobColumns, *, guild_id: int, start: datetime) -> None:
    if len(jobs) >= packing.LEAST:
        made.days.append({"guild_id": guild_id, "start": start, "packed": packed(jobs)})


def _sums_of(jobs: JobColumns, cut: Cut, grain: Grain, *, start: datetime) -> Iterator[Values]:
    """Yield the rows of one cut; hours keep no histograms, for nobody asks for those."""
    by = (Dimension.GUILD, *sorted(cut.dimensions))
    hours = grain is Grain.HOUR
    found = grouped(jobs, by, starts=jobs.starts(grain) if hours else None)
    places = [list(_NOBODY).index(name.column) for name in by[1:]]
    told = repeat("{}") if hours else found.details
    for key, sums, details in zip(found.keys, found.sums, told, strict=False):
        begun, (guild_id, *some) = (moment_of(key[0]), key[1:]) if hours else (start, key)
        cells = list(_NOBODY.values())
        for place, value in zip(places, some, strict=True):
            cells[place] = value
        yield begun, cut.name, grain.value, guild_id, *cells, *sums, details


def _insert(session: Session, rows: Sequence[Values]) -> None:
    """Write sums as the driver takes them; SQLAlchemy would take several times as long."""
    connection = session.connection()
    moment = _USAGE.c.start.type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
    said = {start: moment(start) if moment else start for start in {row[0] for row in rows}}
    statement = insert(_USAGE).compile(dialect=connection.dialect)
    connection.exec_driver_sql(str(statement), [(said[row[0]], *row[1:]) for row in rows])


def _batches(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))
