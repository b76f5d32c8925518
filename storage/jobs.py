"""Jobs from acceptance to delivery, each step one transaction.

Accepting inserts the job, keyed by its interaction, and sets its quota aside. A claim gives the
job to an owner for the length of a lease and counts the attempt; owner and attempt are the
fence: whoever lost the job to a later attempt can neither finish nor fail it. Finishing stores
the output, charges what was used and refunds the rest; failing refunds everything. What no
owner finished stays unfinished, whatever happens to the process, and is found again. Telling the
member is claimed likewise, so that of several processes one does. A job whose pictures somebody
has to approve is held in place of finished, and neither charged nor refunded: see ``reviews``.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from storage import ledger
from storage.acknowledgements import answer_with_job
from storage.clock import Clock, utc_now
from storage.database import Database, writes
from storage.dead_letters import DeadLetters
from storage.errors import FileRefusedError
from storage.files import FileStore, StoredFile
from storage.job_reads import JobReads
from storage.job_rows import FREE, change, claimable, finish, insert_job, owned_by, refer, running
from storage.portable import changed
from storage.priorities import weight_of
from storage.quotas import Quotas
from storage.recall import guild_key, job_where, jobs_where
from storage.records import FINISHED, UNFINISHED, Accepted, Job, JobState, Likeness, NewJob
from storage.references import drop_outputs, forget_unused, remember_files
from storage.reviews import hold, made_of
from storage.room import Room
from storage.tables import JobRow, OutputRow
from storage.telling import Telling
from storage.text import clean_json, clean_text


class JobStore(JobReads, Telling, DeadLetters):
    """The jobs of one database."""

    def __init__(
        self,
        database: Database,
        *,
        quotas: Quotas,
        files: FileStore,
        room: Room | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._database = database
        self._quotas = quotas
        self._files = files
        self._room = room
        self._clock = clock

    async def accept(self, new: NewJob) -> Accepted:
        """Remember a job and set its quota aside, or return the job its interaction has already.

        Raises:
            StoreFullError: there is too little room; nothing was remembered or booked.
            QuotaExceededError: too little is left; likewise.
            InvalidAmountError: ``reserve_ms`` is not positive, or absurd.
            TextTooLongError: the prompt or a parameter has too many characters.
            CutOffError: another process has told the member to ask again meanwhile; likewise.
        """
        if self._room is not None:
            await self._room.require()
        return await self._accept(new)

    async def claim(self, *, owner: str, lease_s: float) -> Job | None:
        """Take the oldest job that waits or whose lease is over; None when there is none."""
        return await self._claim(owner=owner, lease_s=lease_s)

    async def claim_job(self, job_id: str, *, owner: str, lease_s: float) -> Job | None:
        """Take one job; None when it does not wait and somebody's lease on it still runs."""
        return await self._claim(JobRow.id == job_id, owner=owner, lease_s=lease_s)

    @writes
    def heartbeat(
        self, session: Session, job_id: str, *, owner: str, attempt: int, lease_s: float
    ) -> bool:
        """Prolong a lease; False when the job is not this attempt's any more."""
        lease = self._clock() + timedelta(seconds=lease_s)
        return change(
            session, running(job_id, owner=owner, attempt=attempt), lease_expires_at=lease
        )

    @writes
    def settle(
        self,
        session: Session,
        job_id: str,
        *,
        owner: str,
        attempt: int,
        outputs: Mapping[int, StoredFile],
        device_ms: int,
        likeness: Mapping[int, Likeness] | None = None,
        notes: Any = None,  # noqa: ANN401 (any JSON)
        message_id: int | None = None,
        review_channel_id: int | None = None,
    ) -> bool:
        """Finish a job: outputs, charge and refund of the rest; False when it was fenced off.

        With a channel where somebody has to approve the pictures, it is held in place of that.

        The outputs go by their numbers, which count from 0; what could not be made is left out.
        So does how much they differ from what they were made from, where that is known.

        Raises:
            InvalidAmountError: ``device_ms`` is negative or absurd; nothing was changed.
        """
        now = self._clock()
        ledger.checked_amount(device_ms)
        values: dict[str, Any] = {"notes": clean_json(notes), "error": None}
        if message_id is not None:
            values["message_id"] = message_id
        if review_channel_id is None:
            values |= {**finish(JobState.DONE, now=now), **made_of(outputs, device_ms=device_ms)}
        else:
            values |= {"state": JobState.HELD, "held_at": now, **FREE}
        if not change(session, running(job_id, owner=owner, attempt=attempt), **values):
            return False
        remember_files(session, outputs.values(), now=now)
        session.add_all(
            OutputRow(
                job_id=job_id,
                number=number,
                sha256=output.sha256,
                created_at=now,
                **(asdict(likeness[number]) if likeness and number in likeness else {}),
            )
            for number, output in outputs.items()
        )
        if review_channel_id is None:
            ledger.settle(session, job_id=job_id, device_ms=device_ms, now=now)
        else:
            hold(session, job_id, channel_id=review_channel_id, device_ms=device_ms, now=now)
        return True

    @writes
    def fail(
        self,
        session: Session,
        job_id: str,
        *,
        owner: str | None,
        attempt: int,
        error: str,
        state: JobState = JobState.FAILED,
        dead: bool = False,
    ) -> bool:
        """End a job without a picture and refund it whole; False when it was fenced off.

        A job that still waits has ``owner=None`` and the attempt it was read with. One that is
        dead failed for no fault of whoever asked, and lies there for an admin to look at.
        """
        now = self._clock()
        fence = [
            JobRow.id == job_id,
            JobRow.state.in_(UNFINISHED),
            JobRow.owner.is_(None) if owner is None else JobRow.owner == owner,
            JobRow.attempt == attempt,
        ]
        assert state in (JobState.FAILED, JobState.CANCELLED)
        values = {**finish(state, now=now), "error": clean_text(error), "device_ms": 0}
        values["dead_at"] = now if dead else None
        if not change(session, fence, **values):
            return False
        ledger.settle(session, job_id=job_id, device_ms=0, now=now)
        return True

    @writes
    def retry(
        self,
        session: Session,
        job_id: str,
        *,
        owner: str,
        attempt: int,
        error: str,
        after_s: float,
    ) -> bool:
        """Let a job rest before its next attempt; False when it was fenced off."""
        return change(
            session,
            running(job_id, owner=owner, attempt=attempt),
            state=JobState.QUEUED,
            owner=None,
            lease_expires_at=None,
            not_before=self._clock() + timedelta(seconds=after_s),
            error=clean_text(error),
        )

    @writes
    def expire(self, session: Session, *, error: str) -> list[Job]:
        """End and refund the jobs whose deadlines are over, whoever works on them; return them."""
        now = self._clock()
        late = JobRow.state.in_(UNFINISHED), JobRow.deadline_at < now
        found = select(JobRow.id).where(*late).order_by(JobRow.id)
        job_ids = session.scalars(found.with_for_update(skip_locked=True)).all()
        values = {**finish(JobState.FAILED, now=now), "error": clean_text(error), "device_ms": 0}
        for job_id in job_ids:
            change(session, [JobRow.id == job_id], **values)
            ledger.settle(session, job_id=job_id, device_ms=0, now=now)
        return jobs_where(session, JobRow.id.in_(job_ids)) if job_ids else []

    @writes
    def release(self, session: Session, owner: str) -> int:
        """Put back into the queue what an owner that is gone had claimed; return how many.

        What it was about to deliver, or to have approved, others may take up, too.
        """
        owned = update(JobRow).where(JobRow.owner == owner)
        running = owned.where(JobRow.state == JobState.RUNNING)
        result = session.execute(running.values(state=JobState.QUEUED, **FREE))
        session.execute(owned.where(JobRow.state.in_((*FINISHED, JobState.HELD))).values(**FREE))
        return changed(result)

    async def delete_output(
        self, job_id: str, *, guild_id: int | None, member_id: int | None
    ) -> Job:
        """Remove a job's picture, and its file when no other job has the same one.

        ``member_id`` is who asks, None for somebody who may manage the guild's messages.

        Raises:
            NotFoundError: there is no such job in this guild.
            NotOwnerError: it belongs to another member.
        """
        job, unused = await self._forget_output(job_id, guild_id=guild_id, member_id=member_id)
        for sha256 in unused:
            # What is not removed now has no row any more, and the purge finds it.
            with suppress(FileRefusedError):
                await self._files.remove(sha256)
        return job

    @writes
    def _accept(self, session: Session, new: NewJob) -> Accepted:
        now = self._clock()
        weight = weight_of(
            session,
            guild_key(new.guild_id),
            member_id=new.member_id,
            role_ids=new.standing.role_ids,
        )
        created = insert_job(session, new, member_weight=weight, now=now)
        if created:
            answer_with_job(session, new.interaction_id, owner=new.acknowledged_by)
            refer(session, new, now=now)
            caps = self._quotas.caps(
                session,
                guild_id=new.guild_id,
                member_id=new.member_id,
                standing=new.standing,
            )
            ledger.reserve(session, caps, job_id=new.id, amount_ms=new.reserve_ms, now=now)
            session.flush()
        job = job_where(session, JobRow.interaction_id == new.interaction_id)
        return Accepted(job=job, created=created)

    @writes
    def _forget_output(
        self, session: Session, job_id: str, *, guild_id: int | None, member_id: int | None
    ) -> tuple[Job, set[str]]:
        owned_by(session, job_id, guild_id=guild_id, member_id=member_id)
        fence = [JobRow.id == job_id, JobRow.deleted_at.is_(None)]
        change(session, fence, deleted_at=self._clock())
        unused = forget_unused(session, drop_outputs(session, [job_id]))
        return job_where(session, JobRow.id == job_id), unused

    @writes
    def _claim(
        self, session: Session, *conditions: ColumnElement[bool], owner: str, lease_s: float
    ) -> Job | None:
        now = self._clock()
        found = session.execute(
            select(JobRow.id, JobRow.created_at, JobRow.started_at)
            .where(claimable(now), *conditions)
            .order_by(JobRow.created_at, JobRow.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        row = found.one_or_none()
        if row is None:
            return None
        values: dict[str, Any] = {
            "state": JobState.RUNNING,
            "owner": owner,
            "attempt": JobRow.attempt + 1,
            "lease_expires_at": now + timedelta(seconds=lease_s),
            "not_before": None,
        }
        if row.started_at is None:
            waited = max(timedelta(), now - row.created_at)
            values |= {"started_at": now, "wait_ms": round(waited / timedelta(milliseconds=1))}
        change(session, [JobRow.id == row.id], **values)
        return job_where(session, JobRow.id == row.id)
