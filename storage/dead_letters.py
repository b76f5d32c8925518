"""Dead letters: jobs that failed for no fault of whoever asked, until an admin has looked at them.

Their members have been told and their quota is given back. Why they failed and in how many attempts
stays with the job. An admin may have one made anew, as another job of the same member that keeps
its words, pictures and seed, or drop it.
"""

from datetime import datetime
from secrets import randbelow
from uuid import uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from storage import ledger
from storage.acts import write_down
from storage.clock import Clock
from storage.database import Database, reads, writes
from storage.errors import NotFoundError
from storage.job_rows import change, insert_job, refer
from storage.policies import Standing
from storage.quotas import Quotas
from storage.recall import guild_key, job_where, jobs_where
from storage.records import Job, NewJob
from storage.tables import JobRow

NONCE_LENGTH = 25
"""Discord takes no longer ones; of a random id this much is unique enough."""
DEAD, QUEUED, DROPPED = "dead", "queued", "dropped"


class DeadLetters:
    """What lies there, and what becomes of it; the latter are acts of ``actor_id``."""

    _database: Database
    _quotas: Quotas
    _clock: Clock

    @reads
    def dead(self, session: Session, guild_id: int, *, most: int = 25) -> list[Job]:
        """Return a guild's dead letters, those that failed last first."""
        lying = JobRow.guild_id == guild_id, JobRow.dead_at.is_not(None)
        newest = select(JobRow.id).where(*lying).order_by(JobRow.dead_at.desc(), JobRow.id)
        job_ids = session.scalars(newest.limit(most)).all()
        found = {job.id: job for job in jobs_where(session, JobRow.id.in_(job_ids))}
        return [found[job_id] for job_id in job_ids]

    @writes
    def requeue(self, session: Session, job_id: str, *, guild_id: int, actor_id: int) -> Job:
        """Have a dead letter made anew; return the job that waits in its place.

        Raises:
            NotFoundError: there is no such dead letter in this guild.
            QuotaExceededError: its member has too little left; it stays where it is.
        """
        now, dead = self._clock(), _bury(session, job_id, guild_id=guild_id)
        new = _anew(dead, now=now)
        insert_job(session, new, member_weight=dead.member_weight, now=now)
        refer(session, new, now=now)
        caps = self._quotas.caps(
            session, guild_id=dead.guild_id, member_id=dead.member_id, standing=new.standing
        )
        ledger.reserve(session, caps, job_id=new.id, amount_ms=new.reserve_ms, now=now)
        write_down(
            session, guild_id, actor_id, "job", job_id, before=DEAD, after=QUEUED, now=now
        )  # fmt: skip
        session.flush()
        return job_where(session, JobRow.id == new.id)

    @writes
    def drop(self, session: Session, job_id: str, *, guild_id: int, actor_id: int) -> None:
        """Take a dead letter away: it is a job that failed, as others are.

        Raises:
            NotFoundError: there is no such dead letter in this guild.
        """
        _bury(session, job_id, guild_id=guild_id)
        now = self._clock()
        write_down(
            session, guild_id, actor_id, "job", job_id, before=DEAD, after=DROPPED, now=now
        )  # fmt: skip


async def count_dead(database: Database) -> dict[str, int]:
    """Return how many lie there in all guilds together, by the errors that they failed with."""
    counted = select(JobRow.error, func.count()).where(JobRow.dead_at.is_not(None))
    found = counted.group_by(JobRow.error).order_by(JobRow.error)
    rows = await database.read(lambda session: session.execute(found).all())
    return {error or "": count for error, count in rows}


def _bury(session: Session, job_id: str, *, guild_id: int) -> Job:
    """Return a dead letter, which lies there no more; of several who try one does."""
    lying = [
        JobRow.id == job_id,
        JobRow.guild_id == guild_key(guild_id),
        JobRow.dead_at.is_not(None),
    ]
    if not change(session, lying, dead_at=None):
        raise NotFoundError("there is no such dead letter")
    return job_where(session, JobRow.id == job_id)


def _anew(dead: Job, *, now: datetime) -> NewJob:
    """Return a job like another; no interaction asked for it, and its number is below 0."""
    job_id = uuid4().hex
    lasted = dead.deadline_at - dead.created_at if dead.deadline_at is not None else None
    return NewJob(
        id=job_id,
        interaction_id=-1 - randbelow(2**62),
        guild_id=dead.guild_id,
        channel_id=dead.channel_id,
        member_id=dead.member_id,
        command=dead.command,
        pipeline=dead.pipeline,
        model=dead.model,
        prompt=dead.prompt or "",
        parameters=dead.parameters,
        seed=dead.seed,
        inputs=dead.inputs,
        reserve_ms=dead.reserve_ms,
        interaction_token=dead.interaction_token,
        token_expires_at=dead.token_expires_at,
        parent_id=dead.id,
        nonce=job_id[:NONCE_LENGTH],
        locale=dead.locale,
        standing=Standing(
            channel_ids=(dead.channel_id,),
            role_ids=tuple(dead.role_ids or ()),
            weight=dead.guild_weight,
        ),
        deadline_at=now + lasted if lasted is not None else None,
    )
