"""Held jobs: their pictures are made, and somebody has to approve them before others see them.

What a held job has set aside stays so. Approving it charges it as any other job; refusing it,
stopping it, and leaving it for too long give all of it back and take its pictures away. Each end is
one transaction, a decision together with its line in the log, and whichever comes first holds. The
row of a review stays until the message by which it was decided says what became of it.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.orm import Session

from storage import ledger
from storage.acts import write_down
from storage.clock import Clock, utc_now
from storage.database import Database, reads, writes
from storage.errors import DecidedError, FileRefusedError, PictureRefusedError
from storage.files import FileStore, StoredFile
from storage.job_rows import FREE, change, finish
from storage.portable import insert_new
from storage.recall import job_where, jobs_where
from storage.records import FINISHED, Job, JobState
from storage.references import drop_outputs, forget_unused
from storage.tables import JobRow, ReviewRow
from storage.text import clean_json, clean_text

STOPPED = "JobCancelledError"
"""How the end of a job is called that was stopped; ``generation.errors`` has it."""
REASON = "refusal"
"""Where among a job's notes the reason of its refusal stands."""
UNSENT = 0
"""In place of a message's id: it could not be sent, and is not tried again."""
LISTED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A job that is held or was, and where it is decided on.

    Args:
        channel_id: where the message goes by which it is decided.
        message_id: that message; None until it was sent, ``UNSENT`` where it could not be.
        decided_by: who approved or refused it; None before, and where nobody did.
    """

    job: Job
    channel_id: int
    message_id: int | None
    decided_by: int | None


class ReviewStore:
    """The held jobs of one database, and what is decided about them."""

    def __init__(self, database: Database, *, files: FileStore, clock: Clock = utc_now) -> None:
        self._database = database
        self._files = files
        self._clock = clock

    @reads
    def waiting(self, session: Session, guild_id: int, *, most: int = LISTED) -> list[Review]:
        """Return what is held in a guild, that which has waited longest first."""
        held = JobRow.state == JobState.HELD, ReviewRow.guild_id == guild_id
        return _reviews(session, *held, most=most)

    @reads
    def pending(self, session: Session) -> list[Review]:
        """Return the reviews whose message has not been sent, or says not what became of it."""
        unsent = and_(JobRow.state == JobState.HELD, ReviewRow.message_id.is_(None))
        return _reviews(session, or_(unsent, JobRow.state.in_(FINISHED)))

    @reads
    def find(self, session: Session, job_id: str) -> Review | None:
        """Return the review of a job, None when it has none or that is over in every way."""
        return next(iter(_reviews(session, ReviewRow.job_id == job_id)), None)

    @writes
    def claim(self, session: Session, job_id: str, *, owner: str, lease_s: float) -> Review | None:
        """Take it on to send a held job's message; None when that is done, or somebody else's."""
        now = self._clock()
        review = next(iter(_reviews(session, ReviewRow.job_id == job_id)), None)
        if review is None or review.message_id is not None:
            return None
        fence = [
            JobRow.id == job_id,
            JobRow.state == JobState.HELD,
            or_(JobRow.owner.is_(None), JobRow.owner == owner, JobRow.lease_expires_at < now),
        ]
        lease = now + timedelta(seconds=lease_s)
        return review if change(session, fence, owner=owner, lease_expires_at=lease) else None

    @writes
    def sent(
        self, session: Session, job_id: str, *, message_id: int, reply_id: int | None = None
    ) -> None:
        """Remember the message by which a job is decided, and the one that tells its member so."""
        reply = {} if reply_id is None else {"message_id": reply_id}
        held = [JobRow.id == job_id, JobRow.state == JobState.HELD]
        change(session, held, **FREE, **reply)
        told = update(ReviewRow).where(ReviewRow.job_id == job_id)
        session.execute(told.values(message_id=message_id))

    @writes
    def close(self, session: Session, job_id: str) -> None:
        """Forget the review of a job that is held no more: its message says what became of it."""
        over = select(JobRow.id).where(JobRow.id == job_id, JobRow.state.in_(FINISHED))
        session.execute(delete(ReviewRow).where(ReviewRow.job_id.in_(over)))

    @writes
    def approve(self, session: Session, job_id: str, *, guild_id: int, actor_id: int) -> Job:
        """Let a held job's pictures be shown, and charge what they cost.

        Raises:
            DecidedError: it is not held in this guild, or not any more.
        """
        now = self._clock()
        review = _locked(session, job_id, guild_id=guild_id)
        outputs = job_where(session, JobRow.id == job_id).outputs
        made = made_of(outputs, device_ms=review.device_ms)
        change(session, [JobRow.id == job_id], **finish(JobState.DONE, now=now), **made)
        ledger.settle(session, job_id=job_id, device_ms=review.device_ms, now=now)
        _decided(session, review, actor_id, "approved", now=now)
        return job_where(session, JobRow.id == job_id)

    async def refuse(self, job_id: str, *, guild_id: int, actor_id: int, reason: str = "") -> Job:
        """Refund a held job and take its pictures away; its member is told the reason.

        Raises:
            DecidedError: it is not held in this guild, or not any more.
        """
        job, unused = await self._refuse(
            job_id, guild_id=guild_id, actor_id=actor_id, reason=reason
        )
        await self._remove(unused)
        return job

    async def withdraw(self, job_id: str) -> bool:
        """Stop a held job, with a refund; False when it is not held any more."""
        unused = await self._withdraw(job_id)
        await self._remove(unused or ())
        return unused is not None

    @writes
    def _refuse(
        self, session: Session, job_id: str, *, guild_id: int, actor_id: int, reason: str
    ) -> tuple[Job, set[str]]:
        review = _locked(session, job_id, guild_id=guild_id)
        error = PictureRefusedError.__name__
        unused = give_up(session, job_id, error=error, reason=reason, now=self._clock())
        assert unused is not None, "the row is locked"
        _decided(session, review, actor_id, "refused", now=self._clock())
        return job_where(session, JobRow.id == job_id), unused

    @writes
    def _withdraw(self, session: Session, job_id: str) -> set[str] | None:
        now, state = self._clock(), JobState.CANCELLED
        return give_up(session, job_id, error=STOPPED, state=state, now=now)

    async def _remove(self, digests: Iterable[str]) -> None:
        """Remove files; what is not removed now has no row any more, and the purge finds it."""
        for sha256 in digests:
            with suppress(FileRefusedError):
                await self._files.remove(sha256)


def made_of(outputs: Mapping[int, StoredFile], *, device_ms: int) -> dict[str, int]:
    """Return what a job that is done counts for."""
    return {
        "device_ms": device_ms,
        "pictures": len(outputs),
        "output_bytes": sum(output.size_bytes for output in outputs.values()),
    }


def hold(session: Session, job_id: str, *, channel_id: int, device_ms: int, now: datetime) -> None:
    """Have somebody decide on a job that is being held, in a channel."""
    guild_id = session.scalars(select(JobRow.guild_id).where(JobRow.id == job_id)).one()
    values = {
        "guild_id": guild_id,
        "channel_id": channel_id,
        "device_ms": device_ms,
        "created_at": now,
    }
    insert_new(session, ReviewRow, key={"job_id": job_id}, values=values)


def give_up(
    session: Session,
    job_id: str,
    *,
    error: str,
    now: datetime,
    state: JobState = JobState.FAILED,
    reason: str = "",
) -> set[str] | None:
    """End a held job without a picture: refund it and let go of what came out.

    Returns:
        The digests of the files that nothing refers to any more; None when it is not held.
    """
    held = JobRow.id == job_id, JobRow.state == JobState.HELD
    row = session.scalar(select(JobRow).where(*held).with_for_update())
    if row is None:
        return None
    row.state, row.error, row.finished_at = state, error, now
    row.owner, row.lease_expires_at = None, None
    row.device_ms, row.pictures, row.output_bytes = 0, 0, 0
    if reason:
        kept = row.notes if isinstance(row.notes, dict) else {}
        row.notes = clean_json({**kept, REASON: clean_text(reason)})
    session.flush()
    ledger.settle(session, job_id=job_id, device_ms=0, now=now)
    return forget_unused(session, drop_outputs(session, [job_id]))


def _locked(session: Session, job_id: str, *, guild_id: int) -> ReviewRow:
    """Return the review of a held job, which nobody else decides before this transaction ends."""
    here = JobRow.id == job_id, JobRow.guild_id == guild_id, JobRow.state == JobState.HELD
    held = session.scalar(select(JobRow.id).where(*here).with_for_update())
    review = session.get(ReviewRow, job_id) if held is not None else None
    if review is None:
        raise DecidedError("the picture does not wait for approval")
    return review


def _decided(
    session: Session, review: ReviewRow, actor_id: int, verdict: str, *, now: datetime
) -> None:
    review.decided_by = actor_id
    write_down(
        session,
        review.guild_id,
        actor_id,
        "decision",
        review.job_id[:8],
        before="held",
        after=verdict,
        now=now,
    )


def _reviews(
    session: Session, *conditions: ColumnElement[bool], most: int | None = None
) -> list[Review]:
    """Return the reviews that meet all conditions, the oldest first."""
    found = select(ReviewRow).join(JobRow, JobRow.id == ReviewRow.job_id).where(*conditions)
    order = ReviewRow.created_at, ReviewRow.job_id
    fresh = found.order_by(*order).limit(most).execution_options(populate_existing=True)
    rows = session.scalars(fresh).all()
    if not rows:
        return []
    jobs = {job.id: job for job in jobs_where(session, JobRow.id.in_([it.job_id for it in rows]))}
    return [
        Review(
            job=jobs[row.job_id],
            channel_id=row.channel_id,
            message_id=row.message_id,
            decided_by=row.decided_by,
        )
        for row in rows
    ]
