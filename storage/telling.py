"""Telling members what became of their jobs, claimed so that of several processes one does."""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, or_
from sqlalchemy.orm import Session

from storage.clock import Clock
from storage.database import Database, reads, writes
from storage.job_rows import FREE, change
from storage.recall import job_where, jobs_where
from storage.records import FINISHED, Job
from storage.tables import JobRow, PreviewRow


class Telling:
    """Who tells which member, and who has been told."""

    _database: Database
    _clock: Clock

    @writes
    def claim_delivery(
        self, session: Session, job_id: str, *, owner: str, lease_s: float
    ) -> Job | None:
        """Take it on to tell the member; None when that is done, or somebody else's for now.

        Whoever takes it on twice is given it twice; another owner only once the lease is over.
        """
        now = self._clock()
        fence = [
            JobRow.id == job_id,
            JobRow.state.in_(FINISHED),
            JobRow.delivered_at.is_(None),
            or_(JobRow.owner.is_(None), JobRow.owner == owner, JobRow.lease_expires_at < now),
        ]
        lease = now + timedelta(seconds=lease_s)
        if not change(session, fence, owner=owner, lease_expires_at=lease):
            return None
        return job_where(session, JobRow.id == job_id)

    @writes
    def delivering(self, session: Session, job_id: str, *, message_id: int) -> None:
        """Remember the message that carries a job's result before it is known to be complete."""
        change(session, [JobRow.id == job_id], message_id=message_id)

    @writes
    def delivered(self, session: Session, job_id: str, *, message_id: int | None = None) -> bool:
        """Remember that the member got the answer; False when that was known already."""
        values: dict[str, Any] = {"delivered_at": self._clock(), **FREE}
        if message_id is not None:
            values["message_id"] = message_id
        session.execute(delete(PreviewRow).where(PreviewRow.job_id == job_id))
        fence = [JobRow.id == job_id, JobRow.delivered_at.is_(None)]
        return change(session, fence, **values)

    @reads
    def undelivered(self, session: Session) -> list[Job]:
        """Return the finished jobs whose members have not been told, oldest first."""
        return jobs_where(
            session,
            JobRow.state.in_(FINISHED),
            JobRow.delivered_at.is_(None),
            JobRow.purged_at.is_(None),
        )
