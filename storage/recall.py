"""Read jobs with their files, inside a transaction of the caller."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from storage.errors import NotFoundError
from storage.files import StoredFile
from storage.records import Job, JobState, Likeness
from storage.tables import DIRECT_MESSAGES, FileRow, InputRow, JobRow, OutputRow

_WORKED_OUT = {
    "guild_id",
    "state",
    "inputs",
    "outputs",
    "likeness",
    "guild_weight",
    "member_weight",
}
_COPIED = [field.name for field in fields(Job) if field.name not in _WORKED_OUT]
_BATCH = 1000
"""Of jobs whose files are read together; databases take no more than 32,766 values."""

_Files = dict[str, dict[Any, StoredFile]]
"""By job, and then by what each is for, or by its number."""


def jobs_where(
    session: Session, *conditions: ColumnElement[bool], limit: int | None = None
) -> list[Job]:
    """Return the jobs that meet all conditions, oldest first."""
    found = select(JobRow).where(*conditions).order_by(JobRow.created_at, JobRow.id).limit(limit)
    rows = session.scalars(found.execution_options(populate_existing=True)).all()
    job_ids = [row.id for row in rows]
    inputs = _files(session, InputRow, InputRow.role, job_ids=job_ids)
    outputs = _files(session, OutputRow, OutputRow.number, job_ids=job_ids)
    likeness = _likeness(session, job_ids=job_ids)
    return [
        _job(row, inputs=inputs[row.id], outputs=outputs[row.id], likeness=likeness[row.id])
        for row in rows
    ]


def job_where(session: Session, *conditions: ColumnElement[bool]) -> Job:
    """Return the job that meets all conditions.

    Raises:
        NotFoundError: there is none.
    """
    jobs = jobs_where(session, *conditions, limit=1)
    if not jobs:
        raise NotFoundError("there is no such job")
    return jobs[0]


def guild_key(guild_id: int | None) -> int:
    """Return how a guild is kept: direct messages have none and are kept as 0."""
    return DIRECT_MESSAGES if guild_id is None else guild_id


def _files(
    session: Session,
    table: type[InputRow] | type[OutputRow],
    name: Any,  # noqa: ANN401 (a column of either)
    *,
    job_ids: Sequence[str],
) -> _Files:
    """Return the files that jobs refer to, in the order of their names."""
    found: _Files = defaultdict(dict)
    for start in range(0, len(job_ids), _BATCH):
        rows = session.execute(
            select(table.job_id, name, FileRow)
            .join(FileRow, FileRow.sha256 == table.sha256)
            .where(table.job_id.in_(job_ids[start : start + _BATCH]))
            .order_by(table.job_id, name)
        )
        for job_id, each, row in rows:
            found[job_id][each] = StoredFile(
                sha256=row.sha256,
                size_bytes=row.size_bytes,
                place=row.place,
                media_type=row.media_type,
            )
    return found


def _likeness(session: Session, *, job_ids: Sequence[str]) -> dict[str, dict[int, Likeness]]:
    """Return how much outputs differ from what they were made from, by job and number."""
    found: dict[str, dict[int, Likeness]] = defaultdict(dict)
    for start in range(0, len(job_ids), _BATCH):
        some = OutputRow.job_id.in_(job_ids[start : start + _BATCH])
        for row in session.scalars(select(OutputRow).where(some, OutputRow.mse.is_not(None))):
            assert row.mse is not None, "the others were left out"
            found[row.job_id][row.number] = Likeness(
                mse=row.mse, psnr=row.psnr, ssim=row.ssim, compared=row.compared or ""
            )
    return found


def _job(
    row: JobRow,
    *,
    inputs: dict[str, StoredFile],
    outputs: dict[int, StoredFile],
    likeness: dict[int, Likeness],
) -> Job:
    return Job(
        guild_id=None if row.guild_id == DIRECT_MESSAGES else row.guild_id,
        state=JobState(row.state),
        inputs=inputs,
        outputs=outputs,
        likeness=likeness,
        guild_weight=row.guild_weight or 1.0,
        member_weight=row.member_weight or 1.0,
        **{name: getattr(row, name) for name in _COPIED},
    )
