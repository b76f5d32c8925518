"""Forgetting: what is kept no longer than needed, and what stays.

A purge takes from finished jobs what says something about a person or a picture: prompt,
parameters, notes, interaction token, inputs and output. What remains is who used how much when,
because quotas and reports are made of it, and the ledger.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from storage.clock import Clock, utc_now
from storage.database import Database, reads, writes
from storage.files import FileStore
from storage.forgetting import Eraser, empty
from storage.portable import changed
from storage.records import FINISHED
from storage.tables import FileRow, JobRow

_BATCH = 200
_ORPHAN_AGE_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeReport:
    """What a purge removed: contents of jobs, expired tokens, files and their bytes."""

    jobs: int = 0
    tokens: int = 0
    files: int = 0
    size_bytes: int = 0


class Retention:
    """Removes what is older than it has to be, in small transactions."""

    def __init__(self, database: Database, *, files: FileStore, clock: Clock = utc_now) -> None:
        self._database = database
        self._files = files
        self._clock = clock
        self._eraser = Eraser(database, files=files, clock=clock)

    async def purge(self, *, older_than: timedelta) -> PurgeReport:
        """Empty the jobs that finished longer ago, and remove files that nothing refers to."""
        limit = self._clock() - older_than
        jobs, unused = 0, set[str]()
        while batch := await self._empty_some(limit):
            jobs += batch[0]
            unused |= batch[1]
        tokens = await self.forget_tokens()
        orphans = await self._orphans()
        freed = await self._eraser.remove(unused | orphans)
        return PurgeReport(jobs=jobs, tokens=tokens, files=len(freed), size_bytes=sum(freed))

    @writes
    def forget_tokens(self, session: Session) -> int:
        """Throw the interaction tokens away that Discord does not take any more."""
        result = session.execute(
            update(JobRow)
            .where(
                JobRow.interaction_token.is_not(None),
                JobRow.token_expires_at < self._clock(),
            )
            .values(interaction_token=None)
        )
        return changed(result)

    @writes
    def _empty_some(self, session: Session, limit: datetime) -> tuple[int, set[str]] | None:
        rows = session.scalars(
            select(JobRow.id)
            .where(
                JobRow.state.in_(FINISHED),
                JobRow.finished_at < limit,
                JobRow.purged_at.is_(None),
            )
            .limit(_BATCH)
        )
        job_ids = list(rows)
        if not job_ids:
            return None
        return len(job_ids), empty(session, job_ids, now=self._clock())

    async def _orphans(self) -> set[str]:
        """Return the files on the disk that no row knows, such as those of refused jobs."""
        orphans = set[str]()
        for batch in _batches(await self._files.older_than(_ORPHAN_AGE_S)):
            orphans |= set(batch) - await self._known(batch)
        return orphans

    @reads
    def _known(self, session: Session, digests: list[str]) -> set[str]:
        return set(session.scalars(select(FileRow.sha256).where(FileRow.sha256.in_(digests))))


def _batches(digests: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(digests), _BATCH):
        yield digests[start : start + _BATCH]
