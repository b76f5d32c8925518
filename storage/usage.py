"""Adding usage up: every UTC day of every guild from its jobs, every month from its days.

Whatever changes a job marks its day, in the same transaction. Adding up reads the marks and the
jobs of one moment, counts in a thread, and then, in one transaction, takes those very marks away
and puts the new sums in the place of the old ones. A mark that came meanwhile stays, so the day is
added up again; one that is gone was dealt with by somebody else, so nothing is written. Dying in
between leaves the marks. Days and months that are not over keep theirs.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, insert, select
from sqlalchemy.orm import Session

from storage.clock import Clock, utc_now
from storage.cuts import CUTS, DAY, Grain, day_of, hour_of, keys_of, month_after, month_of
from storage.database import Database, reads, writes
from storage.tables import JobRow, UsageMarkRow, UsageRow
from storage.tallies import SUMS, Tally, counted, job_numbers
from storage.usage_check import contradictions

MOST_DAYS, MOST_JOBS = 50, 4000
"""Of one step: counting them takes about a tenth of a second."""
_TIDY = 100
"""From so many marks on of a time that is not over, all but one of each are taken away."""
_BATCH = 500
_DIMENSIONS = ("member_id", "channel_id", "role_id", "pipeline", "model")

Place = tuple[int, datetime]
"""A guild, and the beginning of a day or month."""
Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was marked, and what its sums are made of.

    Args:
        marks: the ids of the marks.
        rows: jobs of days, or usage of days of months.
    """

    grain: Grain
    places: tuple[Place, ...]
    marks: tuple[int, ...]
    rows: Sequence[Row[Any]]


class UsageSums:
    """The sums of one database."""

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def add_up(self) -> int:
        """Bring all days and months that are over up to date; return how many were added up."""
        done = 0
        for grain in (Grain.DAY, Grain.MONTH):
            while (found := await self._next(grain)) is not None:
                rows = await asyncio.to_thread(_added_up, found)
                if not await self._replace(found, rows):
                    break
                done += len(found.places)
        await self.tidy()
        return done

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

    @reads
    def _next(self, session: Session, grain: Grain) -> Found | None:
        """Read some marked days or months that are over, with what their sums are made of."""
        latest = day_of(self._clock()) if grain is Grain.DAY else month_of(self._clock())
        places = [
            (row.guild_id, row.start)
            for row in session.execute(
                select(UsageMarkRow.guild_id, UsageMarkRow.start)
                .where(UsageMarkRow.grain == grain, UsageMarkRow.start < latest)
                .distinct()
                .order_by(UsageMarkRow.start, UsageMarkRow.guild_id)
                .limit(MOST_DAYS if grain is Grain.DAY else 1)
            )
        ]
        taken, rows = list[Place](), list[Row[Any]]()
        for place in places:
            found = session.execute(_source(grain, place)).all()
            if taken and len(rows) + len(found) > MOST_JOBS:
                break
            taken.append(place)
            rows.extend(found)
        marks = sorted(each for place in taken for each in _marks(session, grain, place))
        if not taken:
            return None
        return Found(grain=grain, places=tuple(taken), marks=tuple(marks), rows=rows)

    @writes
    def _replace(self, session: Session, found: Found, rows: list[dict[str, Any]]) -> bool:
        """Put new sums in the place of the old ones; False when somebody else has."""
        # The marks are locked before anything is written: whoever comes later finds them gone.
        locked = select(UsageMarkRow.id).order_by(UsageMarkRow.id).with_for_update()
        there = [
            each
            for some in _batches(found.marks)
            for each in session.scalars(locked.where(UsageMarkRow.id.in_(some)))
        ]
        if len(there) != len(found.marks):
            return False
        for some in _batches(found.marks):
            session.execute(delete(UsageMarkRow).where(UsageMarkRow.id.in_(some)))
        for place in found.places:
            _forget(session, found.grain, place)
        if rows:
            session.execute(insert(UsageRow), rows)
        if found.grain is Grain.DAY:
            months = {(guild_id, month_of(start)) for guild_id, start in found.places}
            for guild_id, start in sorted(months):
                session.add(UsageMarkRow(grain=Grain.MONTH.value, guild_id=guild_id, start=start))
        return True


def _marks(session: Session, grain: Grain, place: Place) -> Sequence[int]:
    guild_id, start = place
    return session.scalars(
        select(UsageMarkRow.id).filter_by(grain=grain.value, guild_id=guild_id, start=start)
    ).all()


def _end(grain: Grain, start: datetime) -> datetime:
    return start + DAY if grain is Grain.DAY else month_after(start)


def _source(grain: Grain, place: Place) -> Any:  # noqa: ANN401 (a SELECT of any row)
    guild_id, start = place
    end = _end(grain, start)
    if grain is Grain.DAY:
        return job_numbers().where(
            JobRow.guild_id == guild_id, JobRow.created_at >= start, JobRow.created_at < end
        )
    columns = [getattr(UsageRow, name) for name in ("guild_id", "start", *_DIMENSIONS, *SUMS)]
    return select(UsageRow.cut, *columns, UsageRow.details).where(
        UsageRow.cut.in_([cut.name for cut in CUTS]),
        UsageRow.grain == Grain.DAY.value,
        UsageRow.guild_id == guild_id,
        UsageRow.start >= start,
        UsageRow.start < end,
    )


def _forget(session: Session, grain: Grain, place: Place) -> None:
    """Delete the sums of a day with its hours, or of a month."""
    guild_id, start = place
    for cut in CUTS:
        for each in {grain, Grain.HOUR} & set(cut.grains) if grain is Grain.DAY else (grain,):
            session.execute(
                delete(UsageRow).where(
                    UsageRow.cut == cut.name,
                    UsageRow.grain == each.value,
                    UsageRow.guild_id == guild_id,
                    UsageRow.start >= start,
                    UsageRow.start < _end(grain, start),
                )
            )


def _added_up(found: Found) -> list[dict[str, Any]]:
    """Return the rows that the sums of days or of a month are kept in."""
    tallies = _of_jobs(found.rows) if found.grain is Grain.DAY else _of_days(found.rows)
    names = ("cut", "grain", "guild_id", "start", *_DIMENSIONS)
    return [
        {
            **dict(zip(names, key, strict=True)),
            **dict(zip(SUMS, tally.sums, strict=True)),
            "details": tally.details,
        }
        for key, tally in tallies.items()
    ]


def _of_jobs(rows: Iterable[Row[Any]]) -> dict[Key, Tally]:
    tallies: dict[Key, Tally] = defaultdict(Tally)
    for row in rows:
        job, guild_id = counted(row), row.guild_id
        starts = {Grain.HOUR: hour_of(row.created_at), Grain.DAY: day_of(row.created_at)}
        for cut, key in keys_of(row):
            for grain in cut.grains:
                if grain is not Grain.MONTH:
                    place = (cut.name, grain.value, guild_id, starts[grain])
                    tallies[*place, *key].add(job)
    return tallies


def _of_days(rows: Iterable[Row[Any]]) -> dict[Key, Tally]:
    tallies: dict[Key, Tally] = defaultdict(Tally)
    first = 3 + len(_DIMENSIONS)
    for row in rows:
        place = (row.cut, Grain.MONTH.value, row.guild_id, month_of(row.start))
        key = (*place, *row[3:first])
        tallies[key].merge(row[first : first + len(SUMS)], row.details)
    return tallies


def _batches(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))
