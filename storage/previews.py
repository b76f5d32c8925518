"""The newest preview of each job that one process makes and another one shows.

A signal of PostgreSQL holds no picture, so the bytes go through a row of the job's own, which the
next preview overwrites and the answer removes. They are encrypted as the pictures are.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.clock import Clock, utc_now
from storage.database import Database, reads, writes
from storage.errors import KeyMissingError
from storage.job_rows import running
from storage.portable import upsert
from storage.tables import JobRow, PreviewRow

MOST_BYTES = 64 * 1024
"""A JPEG of 256 px a side has a quarter of that."""


class Previews:
    """Small pictures of jobs as they form."""

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    @writes
    def put(self, session: Session, job_id: str, data: bytes, *, owner: str, attempt: int) -> bool:
        """Keep a preview in place of the one before; False when the job is not this attempt's."""
        fence = running(job_id, owner=owner, attempt=attempt)
        ours = session.scalar(select(JobRow.id).where(*fence).with_for_update()) is not None
        if ours and len(data) <= MOST_BYTES:
            values = {"data": data, "updated_at": self._clock()}
            upsert(session, PreviewRow, key={"job_id": job_id}, values=values)
        return ours

    async def get(self, job_id: str) -> bytes | None:
        """Return a job's newest preview; None where there is none, or no key fits."""
        try:
            return await self._get(job_id)
        except KeyMissingError:
            return None

    @reads
    def _get(self, session: Session, job_id: str) -> bytes | None:
        return session.scalar(select(PreviewRow.data).where(PreviewRow.job_id == job_id))
