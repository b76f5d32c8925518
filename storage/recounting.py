"""The count of all jobs one by one, which says what the sums have to."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from storage.cuts import Dimension
from storage.questions import Question
from storage.summing import Key, Lines, Tallies, jobs_asked_for
from storage.tables import JobRow
from storage.tallies import Tally, counted, job_numbers


def all_jobs(session: Session, question: Question) -> Sequence[Row[Any]]:
    """Read every job that a question is about, and of a role some that are not."""
    return session.execute(
        job_numbers().where(
            *jobs_asked_for(question),
            JobRow.created_at >= question.since,
            JobRow.created_at < question.until,
        )
    ).all()


def recounted(question: Question, rows: Sequence[Row[Any]]) -> Tallies:
    """Count what a question amounts to, one job after the other."""
    total, parts = Tally(), [Tally() for _ in question.parts]
    groups: dict[Dimension, dict[Key, Tally]] = {by: defaultdict(Tally) for by in question.by}
    for row in rows:
        if question.role_id is not None and question.role_id not in (row.role_ids or ()):
            continue
        job = counted(row)
        total.add(job)
        for by, lines in groups.items():
            for key in _keys(row, by, question):
                lines[key].add(job)
        if parts:
            parts[bisect_right(question.parts, row.created_at) - 1].add(job)
    told: dict[Dimension, Lines] = dict(groups)
    return Tallies(total=total, groups=told, parts=parts)


def _keys(row: Row[Any], by: Dimension, question: Question) -> Sequence[Key]:
    """Return under which lines a job counts: each role of its member, or the one asked for."""
    if by is Dimension.ROLE:
        return tuple(set(row.role_ids or ())) if question.role_id is None else (question.role_id,)
    if by is Dimension.MODEL:
        return (row.model or "",)
    return (getattr(row, by.column),)
