"""Looking at jobs: those under way, a guild's, a member's."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.clock import Clock
from storage.database import Database, reads
from storage.job_rows import claimable, owned_by
from storage.recall import job_where, jobs_where
from storage.records import UNFINISHED, Job, JobState
from storage.tables import JobRow


class JobReads:
    """What is read of jobs and changes nothing."""

    _database: Database
    _clock: Clock

    @reads
    def under_way(self, session: Session) -> dict[str, float | None]:
        """Return the unfinished jobs, oldest first, and in how many seconds each may be claimed.

        Those that wait may now, in 0 seconds; those that somebody's lease runs on may not: None.
        """
        now = self._clock()
        found = select(JobRow.id, claimable(now), JobRow.state, JobRow.not_before)
        found = found.where(JobRow.state.in_(UNFINISHED)).order_by(JobRow.created_at, JobRow.id)
        return {
            job_id: 0.0 if free else _rest_s(state, not_before, now=now)
            for job_id, free, state, not_before in session.execute(found)
        }

    @reads
    def several(self, session: Session, job_ids: Collection[str]) -> list[Job]:
        """Return the jobs with these ids as far as there are any, oldest first."""
        return jobs_where(session, JobRow.id.in_(job_ids)) if job_ids else []

    @reads
    def unfinished(self, session: Session) -> list[Job]:
        """Return the jobs that wait or run, oldest first."""
        return jobs_where(session, JobRow.state.in_(UNFINISHED))

    @reads
    def listed(
        self,
        session: Session,
        guild_id: int,
        *,
        states: Collection[JobState] = (),
        dead: bool = False,
        pipeline: str | None = None,
        member_id: int | None = None,
        before: datetime | None = None,
        most: int = 20,
    ) -> list[Job]:
        """Return a guild's newest jobs, or those accepted before a moment, the newest first."""
        wanted = [JobRow.guild_id == guild_id]
        wanted += [JobRow.state.in_(states)] if states else []
        wanted += [JobRow.dead_at.is_not(None)] if dead else []
        wanted += [JobRow.pipeline == pipeline] if pipeline is not None else []
        wanted += [JobRow.member_id == member_id] if member_id is not None else []
        wanted += [JobRow.created_at < before] if before is not None else []
        newest = select(JobRow.id).where(*wanted).order_by(JobRow.created_at.desc(), JobRow.id)
        job_ids = session.scalars(newest.limit(most)).all()
        return jobs_where(session, JobRow.id.in_(job_ids))[::-1] if job_ids else []

    @reads
    def get(self, session: Session, job_id: str) -> Job:
        """Return a job.

        Raises:
            NotFoundError: there is none with this id.
        """
        return job_where(session, JobRow.id == job_id)

    @reads
    def owned(
        self, session: Session, job_id: str, *, guild_id: int | None, member_id: int | None = None
    ) -> Job:
        """Return a job of this guild, and of this member where one is given.

        Raises:
            NotFoundError: there is none with this id in this guild.
            NotOwnerError: it belongs to another member.
        """
        return owned_by(session, job_id, guild_id=guild_id, member_id=member_id)


def _rest_s(state: str, not_before: datetime | None, *, now: datetime) -> float | None:
    """Return how long a job that may not be claimed rests; None of one that runs."""
    if state != JobState.QUEUED or not_before is None:
        return None
    return (not_before - now).total_seconds()
