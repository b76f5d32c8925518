"""Emptying jobs of what they say about a person or a picture, and removing their files.

What remains of an emptied job is who used how much when: quotas and reports are made of it, and so
is the ledger.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from storage import ledger
from storage.acts import write_down
from storage.clock import Clock
from storage.database import Database, reads, writes
from storage.errors import FileRefusedError
from storage.files import FileStore
from storage.portable import changed
from storage.records import FINISHED, JobState
from storage.references import drop_inputs, drop_outputs, forget_unused
from storage.reviews import STOPPED
from storage.tables import JobRow, PreviewRow

ERASED = "erased"
"""The act of a member who had all erased that was kept about them."""
_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What was erased: contents of jobs, and files with their bytes."""

    jobs: int = 0
    files: int = 0
    size_bytes: int = 0


class Eraser:
    """Erases jobs' contents at once, those of unfinished ones included."""

    def __init__(self, database: Database, *, files: FileStore, clock: Clock) -> None:
        self._database = database
        self._files = files
        self._clock = clock

    async def erase(
        self, *conditions: ColumnElement[bool], guild_id: int, actor_id: int | None = None
    ) -> Erased:
        """Stop, refund and empty the jobs of a guild that meet the conditions.

        Nobody is told of them any more. If somebody wished it, the guild's log has a line with
        numbers, in the same transaction.
        """
        here = (JobRow.guild_id == guild_id, *conditions)
        for job_id in await self._unfinished(*here):
            await self._stop(job_id)
        jobs, unused = await self._empty(*here, guild_id=guild_id, actor_id=actor_id)
        freed = await self.remove(unused)
        return Erased(jobs=jobs, files=len(freed), size_bytes=sum(freed))

    async def remove(self, digests: Iterable[str]) -> list[int]:
        """Remove files that have no row any more; return the bytes of those that went.

        One that stays is found by the next purge.
        """
        return [size for sha256 in sorted(digests) if (size := await self._removed(sha256))]

    async def _removed(self, sha256: str) -> int:
        try:
            return await self._files.remove(sha256)
        except FileRefusedError:
            return 0

    @reads
    def _unfinished(self, session: Session, *conditions: ColumnElement[bool]) -> list[str]:
        found = select(JobRow.id).where(JobRow.state.not_in(FINISHED), *conditions)
        return list(session.scalars(found.order_by(JobRow.id)))

    @writes
    def _stop(self, session: Session, job_id: str) -> None:
        """End a job, whoever works on it, and give its quota back; its worker is fenced off."""
        now = self._clock()
        values: dict[str, Any] = {
            "state": JobState.CANCELLED,
            "error": STOPPED,
            "device_ms": 0,
            "finished_at": now,
            "owner": None,
            "lease_expires_at": None,
        }
        unfinished = JobRow.id == job_id, JobRow.state.not_in(FINISHED)
        if changed(session.execute(update(JobRow).where(*unfinished).values(**values))):
            ledger.settle(session, job_id=job_id, device_ms=0, now=now)

    @writes
    def _empty(
        self,
        session: Session,
        *conditions: ColumnElement[bool],
        guild_id: int,
        actor_id: int | None,
    ) -> tuple[int, set[str]]:
        now = self._clock()
        untold = JobRow.state.in_(FINISHED), JobRow.delivered_at.is_(None)
        session.execute(update(JobRow).where(*untold, *conditions).values(delivered_at=now))
        kept = JobRow.state.in_(FINISHED), JobRow.purged_at.is_(None)
        job_ids = session.scalars(select(JobRow.id).where(*kept, *conditions)).all()
        unused = empty(session, job_ids, now=now)
        if job_ids and actor_id is not None:
            numbers = {"jobs": len(job_ids), "pictures": len(unused)}
            write_down(session, guild_id, actor_id, ERASED, after=numbers, now=now)
        return len(job_ids), unused


def empty(session: Session, job_ids: Iterable[str], *, now: datetime) -> set[str]:
    """Empty finished jobs, and return the digests of the files that nothing refers to any more."""
    unused, left = set[str](), list(job_ids)
    for start in range(0, len(left), _BATCH):
        some = left[start : start + _BATCH]
        session.execute(
            update(JobRow)
            .where(JobRow.id.in_(some))
            .values(
                prompt=None,
                parameters=None,
                notes=None,
                seed=0,
                interaction_token=None,
                purged_at=now,
                dead_at=None,
            )
        )
        session.execute(delete(PreviewRow).where(PreviewRow.job_id.in_(some)))
        unused |= forget_unused(session, drop_inputs(session, some) | drop_outputs(session, some))
    return unused
