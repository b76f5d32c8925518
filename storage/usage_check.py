"""Whether the sums of usage are right: they, the jobs, and what keeps them up to date."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, String, func, select, text, type_coerce
from sqlalchemy.orm import Session

from storage.cuts import CUTS, EVERYWHERE, Dimension, Grain, cuts_of, month_of
from storage.packing import unpacked
from storage.tables import TRIGGERS, JobRow, UsageDayRow, UsageMarkRow, UsageRow
from storage.tallies import SUMS
from storage.types import away

_DAY = 10
"""Characters of a date."""
_COMPLETE = [cut.name for cut in CUTS if Dimension.ROLE not in cut.dimensions]
"""The cuts in which every job counts once."""
Sums = tuple[int, int]
"""How many jobs, and their device milliseconds."""


def contradictions(session: Session) -> list[str]:
    """Return what contradicts the jobs or itself, in words; there should be nothing.

    What is marked is left out, for it is known to be old. All jobs are read once.
    """
    return [
        *_of_triggers(session),
        *_of_days(session),
        *_of_packed(session),
        *_of_months(session),
        *_of_cuts(session),
    ]


def _of_triggers(session: Session) -> Iterator[str]:
    dialect = session.get_bind().dialect.name
    listed = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'jobs'",
        "postgresql": "SELECT tgname FROM pg_trigger WHERE tgrelid = 'jobs'::regclass",
    }
    there = set(session.scalars(text(listed[dialect])))
    for statement in TRIGGERS[dialect]:
        words = statement.split()
        if words[:2] == ["CREATE", "TRIGGER"] and words[2] not in there:
            yield f"the trigger {words[2]} is missing, so reports do not hear of changes"


def _of_days(session: Session) -> Iterator[str]:
    marked = {
        (each, start.date().isoformat())
        for guild, start in _marked(session, Grain.DAY)
        for each in (guild, EVERYWHERE)
    }
    day = _day_of_job(session)
    counted = {
        (guild_id, date): (jobs, int(device_ms or 0))
        for guild_id, date, jobs, device_ms in session.execute(
            select(
                JobRow.guild_id, day, func.count(), func.coalesce(func.sum(JobRow.device_ms), 0)
            ).group_by(JobRow.guild_id, day)
        )
    }
    for (_, date), each in list(counted.items()):
        before = counted.get((EVERYWHERE, date), (0, 0))
        counted[EVERYWHERE, date] = before[0] + each[0], before[1] + each[1]
    kept = {
        (guild_id, start.date().isoformat()): sums
        for (guild_id, start), sums in _kept(session, Grain.DAY).items()
    }
    for place in sorted((counted.keys() | kept.keys()) - marked):
        jobs, sums = counted.get(place, (0, 0)), kept.get(place, (0, 0))
        if jobs != sums:
            yield f"guild {place[0]}, {place[1]}: added up {sums}, the jobs {jobs}"


def _of_packed(session: Session) -> Iterator[str]:
    """Compare packed days with their sums."""
    kept, stale = _kept(session, Grain.DAY), _marked(session, Grain.DAY)
    stale |= {(EVERYWHERE, start) for _, start in stale}
    places = session.execute(select(UsageDayRow.guild_id, UsageDayRow.start)).all()
    for guild_id, start in sorted((row.guild_id, row.start) for row in places):
        if (guild_id, start) in stale:
            continue
        day = select(UsageDayRow.packed).filter_by(guild_id=guild_id, start=start)
        found = away(_sums_of, session.execute(day).scalar_one())
        if found != kept.get((guild_id, start)):
            yield f"guild {guild_id}, {start:%Y-%m-%d}: packed {found}, but added up otherwise"


def _sums_of(value: bytes) -> Sums:
    jobs = unpacked(value)
    return len(jobs), int(jobs.numbers[:, SUMS.index("device_ms")].sum())


def _of_months(session: Session) -> Iterator[str]:
    days: dict[tuple[int, Any], Sums] = defaultdict(lambda: (0, 0))
    for (guild_id, start), (jobs, device_ms) in _kept(session, Grain.DAY).items():
        before = days[guild_id, month_of(start)]
        days[guild_id, month_of(start)] = (before[0] + jobs, before[1] + device_ms)
    marked = _marked(session, Grain.MONTH) | _marked(session, Grain.DAY)
    old = {(each, month_of(start)) for guild_id, start in marked for each in (guild_id, EVERYWHERE)}
    for place, sums in sorted(_kept(session, Grain.MONTH).items()):
        if place not in old and sums != days[place]:
            yield f"guild {place[0]}, {place[1]:%Y-%m}: added up {sums}, its days {days[place]}"


def _of_cuts(session: Session) -> Iterator[str]:
    """Compare the cuts in which every job counts once, day by day and month by month."""
    place = (UsageRow.grain, UsageRow.guild_id, UsageRow.start)
    sums = (func.sum(UsageRow.jobs), func.sum(UsageRow.device_ms))
    found: dict[Any, dict[str, Sums]] = defaultdict(dict)
    for *key, cut, jobs, device_ms in session.execute(
        select(*place, UsageRow.cut, *sums)
        .where(UsageRow.cut.in_(_COMPLETE), UsageRow.grain != Grain.HOUR.value)
        .group_by(*place, UsageRow.cut)
    ):
        found[tuple(key)][cut] = int(jobs), int(device_ms)
    for (grain, guild_id, start), cuts in sorted(found.items()):
        jobs = max(cuts.values())[0]
        there = [
            cut.name
            for cut in cuts_of(guild_id)
            if cut.name in _COMPLETE and jobs >= cut.least.get(grain, jobs + 1)
        ]
        if len(set(cuts.values())) > 1 or sorted(there) != sorted(cuts):
            yield f"guild {guild_id}, {grain} {start:%Y-%m-%d}: the cuts differ: {cuts}"
    yield from _of_hours(session)


def _of_hours(session: Session) -> Iterator[str]:
    """Compare the hours of all days that are kept by hour with these days."""
    whole = CUTS[0]
    kept = (
        select(UsageRow.guild_id, func.sum(UsageRow.jobs), func.sum(UsageRow.device_ms))
        .where(UsageRow.cut == whole.name)
        .group_by(UsageRow.guild_id)
    )
    hours = session.execute(kept.where(UsageRow.grain == Grain.HOUR.value)).all()
    days = session.execute(
        kept.where(UsageRow.grain == Grain.DAY.value, UsageRow.jobs >= whole.least[Grain.HOUR])
    ).all()
    for guild_id, *_ in sorted({tuple(row) for row in hours} ^ {tuple(row) for row in days}):
        yield f"guild {guild_id}: the hours differ from the days"


def _kept(session: Session, grain: Grain) -> dict[tuple[int, Any], Sums]:
    rows = session.execute(
        select(UsageRow.guild_id, UsageRow.start, UsageRow.jobs, UsageRow.device_ms).filter_by(
            cut="guild", grain=grain.value
        )
    )
    return {(guild_id, start): (jobs, device_ms) for guild_id, start, jobs, device_ms in rows}


def _marked(session: Session, grain: Grain) -> set[tuple[int, Any]]:
    rows = session.execute(
        select(UsageMarkRow.guild_id, UsageMarkRow.start).filter_by(grain=grain.value).distinct()
    )
    return {(guild_id, start) for guild_id, start in rows}


def _day_of_job(session: Session) -> ColumnElement[str]:
    """Return the UTC date that a job was accepted on, as text."""
    if session.get_bind().dialect.name == "sqlite":
        return func.substr(type_coerce(JobRow.created_at, String), 1, _DAY)
    return func.to_char(func.timezone("UTC", JobRow.created_at), text("'YYYY-MM-DD'"))
