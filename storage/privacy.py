"""What is kept about one member: told, given out, and erased.

A member is one person in every guild and in direct messages, so all of it is theirs to have and to
erase, wherever they ask. Erasing takes every word and picture at once; the numbers that quotas and
reports are made of stay, and a line in each guild's log says that it was done, and not of what.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select, union
from sqlalchemy.orm import Session

from storage.acts import Act, acts_of, acts_on
from storage.clock import Clock, utc_now
from storage.database import Database, reads, writes
from storage.files import FileStore
from storage.forgetting import Erased, Eraser
from storage.ledger import Scope
from storage.portable import insert_new
from storage.recall import guild_key, jobs_where
from storage.records import FINISHED, Job
from storage.tables import (
    AccountRow,
    ApprovalRow,
    Base,
    BlockRow,
    DigestRow,
    FileRow,
    InputRow,
    JobRow,
    LedgerRow,
    LeftOutRow,
    MemberRow,
    OutputRow,
    PolicyRow,
    PriorityRow,
    WarningRow,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """How much is kept about a member.

    Args:
        jobs: all that were asked for, emptied ones included.
        contents: those whose words and settings are still kept.
        unfinished: those that wait, run or are held.
        pictures: files, given and made; one that several jobs share counts once.
        size_bytes: of these.
        movements: lines of the ledger on the member's own accounts.
        since: when the first job was asked for that is remembered; None if there is none.
    """

    jobs: int
    contents: int
    unfinished: int
    pictures: int
    size_bytes: int
    movements: int
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """A line of the ledger, on an account of the member's own."""

    created_at: datetime
    guild_id: int
    period: str
    window_start: datetime
    kind: str
    amount_ms: int
    job_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """All that is kept about a member.

    Args:
        jobs: with their pictures.
        movements: on the member's own accounts.
        acts: theirs, as one who manages a guild.
        acts_on_them: of those who do.
        rows: the other rows that name the member, by what they are; see ``_rows``.
    """

    jobs: list[Job]
    movements: list[Movement]
    acts: list[Act]
    acts_on_them: list[Act]
    rows: Mapping[str, list[Mapping[str, Any]]]


class Privacy:
    """Tells, gives out and erases what is kept, and who wants to be left out of the gallery."""

    def __init__(self, database: Database, *, files: FileStore, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock
        self._eraser = Eraser(database, files=files, clock=clock)

    @reads
    def here(self, session: Session, member_id: int, *, guild_id: int | None) -> Holdings:
        """Return how much of a member is kept in one guild, or in direct messages."""
        return _holdings(session, member_id, guild_ids=[guild_key(guild_id)])

    @reads
    def everywhere(self, session: Session, member_id: int) -> Holdings:
        """Return how much of a member is kept in all guilds and in direct messages."""
        return _holdings(session, member_id, guild_ids=_guilds_of(session, member_id))

    @reads
    def kept(self, session: Session, member_id: int) -> Kept:
        """Return all that is kept about a member, the oldest first."""
        theirs = _jobs_of(member_id, _guilds_of(session, member_id))
        return Kept(
            jobs=jobs_where(session, *theirs),
            movements=_movements(session, member_id),
            acts=acts_of(session, member_id),
            acts_on_them=acts_on(session, member_id),
            rows=_rows(session, member_id),
        )

    @reads
    def unfinished(self, session: Session, member_id: int) -> list[str]:
        """Return the ids of a member's jobs that wait, run or are held."""
        theirs = _jobs_of(member_id, _guilds_of(session, member_id))
        return list(
            session.scalars(select(JobRow.id).where(JobRow.state.not_in(FINISHED), *theirs))
        )

    @writes
    def leave_out(self, session: Session, member_id: int, *, left_out: bool) -> None:
        """Leave a member's results out of every guild's gallery from now on, or no more."""
        if left_out:
            created = {"created_at": self._clock()}
            insert_new(session, LeftOutRow, key={"member_id": member_id}, values=created)
        else:
            session.execute(delete(LeftOutRow).where(LeftOutRow.member_id == member_id))

    @reads
    def left_out(self, session: Session, member_ids: Collection[int]) -> set[int]:
        """Return which of these members are left out of the gallery."""
        found = select(LeftOutRow.member_id).where(LeftOutRow.member_id.in_(member_ids))
        return set(session.scalars(found))

    async def erase(self, member_id: int) -> Erased:
        """Erase every word and picture of a member, now; what another member's job needs stays.

        Unfinished jobs are stopped and refunded. Doing it again finds nothing.
        """
        parts = [
            await self._eraser.erase(
                JobRow.member_id == member_id, guild_id=guild_id, actor_id=member_id
            )
            for guild_id in await self._known_in(member_id)
        ]
        return Erased(
            jobs=sum(part.jobs for part in parts),
            files=sum(part.files for part in parts),
            size_bytes=sum(part.size_bytes for part in parts),
        )

    @reads
    def _known_in(self, session: Session, member_id: int) -> list[int]:
        return _guilds_of(session, member_id)


def _guilds_of(session: Session, member_id: int) -> list[int]:
    """Return where a member is known, so that jobs are found by their index."""
    found = select(MemberRow.guild_id).where(MemberRow.member_id == member_id)
    return list(session.scalars(found.order_by(MemberRow.guild_id)))


def _jobs_of(member_id: int, guild_ids: list[int]) -> tuple[ColumnElement[bool], ...]:
    return JobRow.guild_id.in_(guild_ids), JobRow.member_id == member_id


def _holdings(session: Session, member_id: int, *, guild_ids: list[int]) -> Holdings:
    theirs = _jobs_of(member_id, guild_ids)
    digests = union(
        select(InputRow.sha256).join(JobRow, JobRow.id == InputRow.job_id).where(*theirs),
        select(OutputRow.sha256).join(JobRow, JobRow.id == OutputRow.job_id).where(*theirs),
    )
    files = select(func.count(), func.coalesce(func.sum(FileRow.size_bytes), 0))
    pictures, size_bytes = session.execute(files.where(FileRow.sha256.in_(digests))).one()
    jobs = select(func.count()).select_from(JobRow).where(*theirs)
    own = _own_accounts(member_id), AccountRow.guild_id.in_(guild_ids)
    movements = select(func.count()).select_from(LedgerRow).join(AccountRow).where(*own)
    return Holdings(
        jobs=session.scalar(jobs) or 0,
        contents=session.scalar(jobs.where(JobRow.purged_at.is_(None))) or 0,
        unfinished=session.scalar(jobs.where(JobRow.state.not_in(FINISHED))) or 0,
        pictures=pictures,
        size_bytes=int(size_bytes),
        movements=session.scalar(movements) or 0,
        since=session.scalar(select(func.min(JobRow.created_at)).where(*theirs)),
    )


def _rows(session: Session, member_id: int) -> dict[str, list[Mapping[str, Any]]]:
    """Return where a member is known, what limits and counts for them, and what they chose."""
    limits = (PolicyRow.scope == Scope.MEMBER) & (PolicyRow.subject_id == member_id)
    turns = (PriorityRow.scope == "member") & (PriorityRow.subject_id == member_id)
    conditions: dict[str, tuple[type[Base], ColumnElement[bool]]] = {
        "servers": (MemberRow, MemberRow.member_id == member_id),
        "blocks": (BlockRow, BlockRow.member_id == member_id),
        "warnings": (WarningRow, WarningRow.member_id == member_id),
        "gallery": (LeftOutRow, LeftOutRow.member_id == member_id),
        "limits": (PolicyRow, limits),
        "accounts": (AccountRow, _own_accounts(member_id)),
        "priorities": (PriorityRow, turns),
        "approvals": (ApprovalRow, ApprovalRow.actor_id == member_id),
        "digests": (DigestRow, DigestRow.actor_id == member_id),
    }
    return {
        name: [_values(row) for row in session.scalars(select(table).where(condition))]
        for name, (table, condition) in conditions.items()
    }


def _values(row: Base) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}


def _own_accounts(member_id: int) -> ColumnElement[bool]:
    return (AccountRow.scope == Scope.MEMBER) & (AccountRow.subject_id == member_id)


def _movements(session: Session, member_id: int) -> list[Movement]:
    rows = session.execute(
        select(LedgerRow, AccountRow)
        .join(AccountRow, AccountRow.id == LedgerRow.account_id)
        .where(_own_accounts(member_id))
        .order_by(LedgerRow.id)
    )
    return [
        Movement(
            created_at=line.created_at,
            guild_id=account.guild_id,
            period=account.period,
            window_start=account.window_start,
            kind=line.kind,
            amount_ms=line.amount_ms,
            job_id=line.job_id,
        )
        for line, account in rows
    ]
