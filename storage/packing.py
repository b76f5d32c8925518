"""Days with many jobs, each packed into one value, from which any question can be answered.

By several dimensions at once a day has nearly as many sums as jobs. So such a day is kept as what
is counted of its jobs, column by column: each in as few bytes as its numbers need, compressed. All
of a month is unpacked in the time in which the database reads a day of jobs one by one.
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from storage.columns import JobColumns, JobReader, Numbers, job_columns
from storage.cuts import DAY, EVERYWHERE, Dimension, Grain, day_of
from storage.tables import JobRow, UsageDayRow, UsageMarkRow
from storage.types import away

LEAST = 300
"""So many jobs make it worth while to pack a day."""
_AT_ONCE = 31
_SIZE = 4
_WIDTHS = (1, 2, 4, 8)
Span = tuple[datetime, datetime]


def packed(jobs: JobColumns) -> bytes:
    """Return jobs as one value; whoever changes its form has all days packed anew."""
    used, roles = np.unique(jobs.roles, return_inverse=True)
    jobs = replace(jobs, roles=roles, role_texts=[jobs.role_texts[each] for each in used])
    found = list(map(_narrow, jobs.columns))
    about = {
        "jobs": len(jobs),
        "words": list(jobs.words),
        "roles": jobs.role_texts,
        "columns": [(low, column.itemsize if len(column) else 0) for low, column in found],
    }
    head = json.dumps(about).encode()
    body = b"".join(column.tobytes() for _, column in found)
    return zlib.compress(len(head).to_bytes(_SIZE) + head + body, 1)


def unpacked(value: bytes) -> JobColumns:
    """Return the jobs that were packed."""
    told = zlib.decompress(value)
    place = _SIZE + int.from_bytes(told[:_SIZE])
    about = json.loads(told[_SIZE:place])
    columns = list[Numbers]()
    for low, width in about["columns"]:
        column = np.full(about["jobs"], low, dtype=np.int64)
        if width:
            column += np.frombuffer(told, f"<u{width}", about["jobs"], place).astype(np.int64)
        columns.append(column)
        place += width * about["jobs"]
    return JobColumns.of(columns, words=about["words"], role_texts=about["roles"])


def packed_days(
    session: Session, guild_id: int, *, since: datetime, until: datetime
) -> frozenset[datetime]:
    """Return the days that begin in a time and whose jobs are packed as they are now."""
    kept = select(UsageDayRow.start).where(
        UsageDayRow.guild_id == guild_id, UsageDayRow.start >= since, UsageDayRow.start < until
    )
    stale = select(UsageMarkRow.start).where(
        UsageMarkRow.grain == Grain.DAY.value,
        UsageMarkRow.start >= since,
        UsageMarkRow.start < until,
    )
    if guild_id != EVERYWHERE:
        stale = stale.where(UsageMarkRow.guild_id == guild_id)
    return frozenset(session.scalars(kept)) - frozenset(session.scalars(stale.distinct()))


def read_jobs(
    session: Session,
    guild_id: int,
    spans: Sequence[Span],
    *,
    where: Sequence[ColumnElement[bool]],
    filters: Mapping[Dimension, int | str] | None = None,
    days: frozenset[datetime] = frozenset(),
) -> JobColumns:
    """Return the jobs of some times.

    Args:
        session: a transaction.
        guild_id: whose packed days are read.
        spans: the times; they do not overlap.
        where: what jobs must be, times aside, that are read one by one.
        filters: likewise, of those that were packed.
        days: those that are packed.
    """
    jobs = JobReader()
    for since, until in _between(spans, days):
        one_by_one = job_columns().where(
            *where, JobRow.created_at >= since, JobRow.created_at < until
        )
        # The connection's own rows: a session's take half as long again.
        away(jobs.take, session.connection().execute(one_by_one).all())

    def take(values: Sequence[bytes]) -> None:
        for value in values:
            jobs.join(unpacked(value).within(spans).matching(filters or {}))

    touched = sorted(day for day in days if any(a < day + DAY and day < b for a, b in spans))
    for first in range(0, len(touched), _AT_ONCE):
        some = touched[first : first + _AT_ONCE]
        values = select(UsageDayRow.packed).where(
            UsageDayRow.guild_id == guild_id, UsageDayRow.start.in_(some)
        )
        away(take, session.scalars(values.order_by(UsageDayRow.start)).all())
    return away(jobs.columns)


def _between(spans: Sequence[Span], days: frozenset[datetime]) -> Iterator[Span]:
    """Yield what is left of some times without some days."""
    for since, until in spans:
        begun, day = since, day_of(since)
        while day < until:
            if day in days:
                if begun < day:
                    yield begun, day
                begun = day + DAY
            day += DAY
        if begun < until:
            yield begun, until


def _narrow(column: Numbers) -> tuple[int, Any]:
    """Return a column's least number, and by how much the others exceed it, if any do."""
    low = int(column.min()) if len(column) else 0
    above = (column - low).astype(np.uint64)
    most = int(above.max(initial=0))
    if not most:
        return low, above[:0]
    width = next(each for each in _WIDTHS if most < 256**each)
    return low, above.astype(f"<u{width}")
