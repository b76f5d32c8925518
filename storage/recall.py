"""Read jobs with their files, inside a transaction of the caller."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, select
from sqlalchemy.orm import Session, aliased

from storage.errors import NotFoundError
from storage.files import StoredFile
from storage.records import Job, JobState
from storage.tables import DIRECT_MESSAGES, FileRow, InputRow, JobRow, OutputRow

_COPIED = [
    field.name
    for field in fields(Job)
    if field.name not in {"guild_id", "state", "image", "style_image", "output"}
]


def jobs_where(
    session: Session, *conditions: ColumnElement[bool], limit: int | None = None
) -> list[Job]:
    """Return the jobs that meet all conditions, oldest first."""
    query = _with_files().where(*conditions).order_by(JobRow.created_at, JobRow.id).limit(limit)
    rows = session.execute(query.execution_options(populate_existing=True))
    return [_job(row) for row in rows]


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


def _with_files() -> Select[JobRow, FileRow, FileRow, FileRow]:
    picture, artwork, result = aliased(FileRow), aliased(FileRow), aliased(FileRow)
    image, style = aliased(InputRow), aliased(InputRow)
    return (
        select(JobRow, picture, artwork, result)
        .outerjoin(image, and_(image.job_id == JobRow.id, image.role == "image"))
        .outerjoin(picture, picture.sha256 == image.sha256)
        .outerjoin(style, and_(style.job_id == JobRow.id, style.role == "style_image"))
        .outerjoin(artwork, artwork.sha256 == style.sha256)
        .outerjoin(OutputRow, OutputRow.job_id == JobRow.id)
        .outerjoin(result, result.sha256 == OutputRow.sha256)
    )


def _job(row: Sequence[Any]) -> Job:
    job, picture, artwork, result = row
    return Job(
        guild_id=None if job.guild_id == DIRECT_MESSAGES else job.guild_id,
        state=JobState(job.state),
        image=_file(picture),
        style_image=_file(artwork),
        output=_file(result),
        **{name: getattr(job, name) for name in _COPIED},
    )


def _file(row: FileRow | None) -> StoredFile | None:
    if row is None:
        return None
    return StoredFile(
        sha256=row.sha256, size_bytes=row.size_bytes, place=row.place, media_type=row.media_type
    )
