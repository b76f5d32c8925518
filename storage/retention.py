"""Forgetting: what is kept no longer than needed, and what stays.

A purge takes from finished jobs what says something about a person or a picture: prompt,
parameters, notes, interaction token, inputs and output. What remains is who used how much when,
because quotas and reports are made of it, and the ledger.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from storage.blocks import WARNINGS_LAST
from storage.clock import Clock, utc_now
from storage.database import Database, reads, writes
from storage.errors import ReviewExpiredError
from storage.files import FileStore
from storage.forgetting import Erased, Eraser, empty
from storage.portable import changed
from storage.records import FINISHED, JobState
from storage.references import find_used, forget_unused
from storage.reviews import give_up
from storage.tables import (
    ApprovalRow,
    Base,
    BlockRow,
    DigestRow,
    FileRow,
    GuildPresetRow,
    GuildRow,
    GuildSettingsRow,
    JobRow,
    PolicyRow,
    PriorityRow,
    SwitchRow,
    WarningRow,
    WordRuleRow,
)

_BATCH = 200
_ORPHAN_AGE_S = 3600.0
RECENT = timedelta(hours=1)
"""Tokens live for a quarter of it; what a bot that was down has left goes with the purge."""
HELD_AT_MOST = timedelta(days=7)
"""How long a picture waits for somebody's approval before its job is given up and refunded."""
ABSENT = timedelta(days=7)
"""How long the bot has to be out of a guild before that is taken for good."""
CHOICES: tuple[type[Base], ...] = (
    GuildSettingsRow,
    WordRuleRow,
    GuildPresetRow,
    PolicyRow,
    PriorityRow,
    SwitchRow,
    BlockRow,
    WarningRow,
    ApprovalRow,
    DigestRow,
)
"""What a guild's admins have chosen, which goes when the bot has left for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeReport:
    """What a purge removed: contents of jobs, expired tokens, files and their bytes.

    Args:
        expired: jobs that were held for too long, and so given up and refunded.
    """

    jobs: int = 0
    expired: int = 0
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
        """Empty the jobs that finished longer ago, and remove files that nothing refers to.

        Guilds whose admins have chosen fewer days keep theirs for as many. What was held for so
        long, or for ``HELD_AT_MOST``, is given up and refunded.
        """
        now, jobs = self._clock(), 0
        overdue = await self._overdue(older_than)
        unused = set[str]().union(*[await self._expire(job_id) for job_id in overdue])
        limits: list[tuple[ColumnElement[bool], ...]] = [(JobRow.finished_at < now - older_than,)]
        for guild_id, days in await self._chosen():
            limits.append((JobRow.guild_id == guild_id, JobRow.finished_at < now - days))
        for limit in limits:
            while batch := await self._empty_some(*limit):
                jobs += batch[0]
                unused |= batch[1]
        tokens = await self.forget_tokens()
        await self._forget_ended()
        orphans = await self._orphans()
        freed = await self._eraser.remove(unused | orphans)
        return PurgeReport(
            jobs=jobs,
            expired=len(overdue),
            tokens=tokens,
            files=len(freed),
            size_bytes=sum(freed),
        )

    async def leave(self, guild_id: int) -> Erased:
        """Erase the words and pictures of a guild that the bot was removed from, now.

        What its admins chose stays for a while, should it come back.
        """
        return await self._eraser.erase(guild_id=guild_id)

    @writes
    def present(self, session: Session, guild_ids: Collection[int]) -> None:
        """Remember that the bot is in these guilds now."""
        left = sorted(guild_ids)
        for start in range(0, len(left), _BATCH):
            some = GuildRow.id.in_(left[start : start + _BATCH])
            session.execute(update(GuildRow).where(some).values(present_at=self._clock()))

    async def forget_absent(self, *, ours: Callable[[int], bool]) -> int:
        """Erase guilds that the bot has not been in for ``ABSENT``, their admins' choices, too.

        Those that it never was in, because members took it along, are left alone.

        Args:
            ours: whether this process would know that the bot is in a guild.
        """
        absent = [guild_id for guild_id in await self._absent() if ours(guild_id)]
        for guild_id in absent:
            await self._eraser.erase(guild_id=guild_id)
            await self._forget_choices(guild_id)
        return len(absent)

    @writes
    def forget_recent_tokens(self, session: Session) -> int:
        """Throw those away that have expired in the last hour, which an index finds."""
        now = self._clock()
        recent = JobRow.state.in_(list(JobState)), JobRow.created_at > now - RECENT
        over = JobRow.interaction_token.is_not(None), JobRow.token_expires_at < now
        changes = update(JobRow).where(*recent, *over).values(interaction_token=None)
        return changed(session.execute(changes))

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
    def _forget_ended(self, session: Session) -> None:
        """Forget the blocks and the warnings whose time is over."""
        now = self._clock()
        session.execute(delete(BlockRow).where(BlockRow.until <= now))
        session.execute(delete(WarningRow).where(WarningRow.created_at <= now - WARNINGS_LAST))

    @reads
    def _chosen(self, session: Session) -> list[tuple[int, timedelta]]:
        days = GuildSettingsRow.retention_days
        rows = session.execute(select(GuildSettingsRow.guild_id, days).where(days.is_not(None)))
        return [(guild_id, timedelta(days=chosen)) for guild_id, chosen in rows if chosen]

    @reads
    def _overdue(self, session: Session, older_than: timedelta) -> list[str]:
        """Return the jobs that nobody has decided on in time."""
        longest = min(older_than, HELD_AT_MOST)
        days = GuildSettingsRow.retention_days
        held = session.execute(
            select(JobRow.id, JobRow.held_at, days)
            .outerjoin(GuildSettingsRow, GuildSettingsRow.guild_id == JobRow.guild_id)
            .where(JobRow.state == JobState.HELD)
            .order_by(JobRow.id)
        )
        now, overdue = self._clock(), list[str]()
        for job_id, held_at, chosen in held:
            most = longest if chosen is None else min(longest, timedelta(days=chosen))
            if held_at is None or now - held_at > most:
                overdue.append(job_id)
        return overdue

    @writes
    def _expire(self, session: Session, job_id: str) -> set[str]:
        error = ReviewExpiredError.__name__
        return give_up(session, job_id, error=error, now=self._clock()) or set()

    @reads
    def _absent(self, session: Session) -> list[int]:
        long_ago = GuildRow.present_at < self._clock() - ABSENT
        return list(session.scalars(select(GuildRow.id).where(long_ago).order_by(GuildRow.id)))

    @writes
    def _forget_choices(self, session: Session, guild_id: int) -> None:
        """Forget what a guild's admins chose, and that the bot was there."""
        for table in CHOICES:
            session.execute(delete(table).where(table.__table__.c.guild_id == guild_id))
        session.execute(update(GuildRow).where(GuildRow.id == guild_id).values(present_at=None))

    @writes
    def _empty_some(
        self, session: Session, *limit: ColumnElement[bool]
    ) -> tuple[int, set[str]] | None:
        rows = session.scalars(
            select(JobRow.id)
            .where(
                JobRow.state.in_(FINISHED),
                *limit,
                JobRow.purged_at.is_(None),
            )
            .limit(_BATCH)
        )
        job_ids = list(rows)
        if not job_ids:
            return None
        return len(job_ids), empty(session, job_ids, now=self._clock())

    async def _orphans(self) -> set[str]:
        """Return the files in the store that nothing refers to, such as those of refused jobs."""
        orphans = set[str]()
        for batch in _batches(await self._files.older_than(_ORPHAN_AGE_S)):
            if unused := set(batch) - await self._used(batch):
                orphans |= await self._let_go(unused)
        return orphans

    @reads
    def _used(self, session: Session, digests: list[str]) -> set[str]:
        return find_used(session, digests)

    @writes
    def _let_go(self, session: Session, digests: set[str]) -> set[str]:
        """Delete the rows of files, and return those that have none then."""
        forget_unused(session, digests)
        rows = select(FileRow.sha256).where(FileRow.sha256.in_(digests))
        return digests - set(session.scalars(rows))


def _batches(digests: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(digests), _BATCH):
        yield digests[start : start + _BATCH]
