"""Members who may ask for no pictures in a guild, and the warnings that lead there."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.orm import Session

from storage.acts import meet, write_down
from storage.clock import Clock, utc_now
from storage.database import Database, reads, writes
from storage.portable import insert_new, upsert
from storage.tables import BlockRow, WarningRow
from storage.text import clean_text

WARNINGS_LAST = timedelta(days=1)
LISTED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A member's block.

    Args:
        reason: in an admin's words; the member reads it.
        until: None is for good.
    """

    member_id: int
    reason: str
    until: datetime | None
    created_at: datetime


class BlockStore:
    """Blocks, which end by themselves, and warnings, which are forgotten after a day."""

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    @writes
    def block(
        self,
        session: Session,
        guild_id: int,
        member_id: int,
        *,
        reason: str,
        lasts: timedelta | None,
        actor_id: int,
    ) -> Block:
        """Block a member from now on, in place of any block they had."""
        now = self._clock()
        meet(session, guild_id, now=now)
        before = session.get(BlockRow, (guild_id, member_id))
        made = Block(
            member_id=member_id,
            reason=clean_text(reason),
            until=None if lasts is None else now + lasts,
            created_at=now,
        )
        write_down(
            session,
            guild_id,
            actor_id,
            "block",
            str(member_id),
            before=_logged(_block(before)) if before is not None else None,
            after=_logged(made),
            now=now,
        )
        values = {"reason": made.reason, "until": made.until, "created_at": now}
        key = {"guild_id": guild_id, "member_id": member_id}
        upsert(session, BlockRow, key=key, values=values)
        return made

    @writes
    def unblock(self, session: Session, guild_id: int, member_id: int, *, actor_id: int) -> bool:
        """Let a member ask again; False if nothing kept them from it."""
        row = session.get(BlockRow, (guild_id, member_id))
        if row is None:
            return False
        holds = row.until is None or row.until > self._clock()
        session.delete(row)
        if holds:
            write_down(
                session,
                guild_id,
                actor_id,
                "block",
                str(member_id),
                before=_logged(_block(row)),
                now=self._clock(),
            )
        return holds

    @reads
    def find(self, session: Session, guild_id: int, member_id: int) -> Block | None:
        """Return the block that holds for a member now, or None."""
        found = select(BlockRow).where(
            BlockRow.guild_id == guild_id, BlockRow.member_id == member_id, self._holds()
        )
        row = session.scalar(found)
        return None if row is None else _block(row)

    @reads
    def all(self, session: Session, guild_id: int) -> list[Block]:
        """Return the blocks that hold in a guild now, the newest first."""
        found = select(BlockRow).where(BlockRow.guild_id == guild_id, self._holds())
        rows = session.scalars(found.order_by(BlockRow.created_at.desc()).limit(LISTED))
        return [_block(row) for row in rows]

    @writes
    def warn(self, session: Session, guild_id: int, member_id: int, *, interaction_id: int) -> None:
        """Remember that a prompt broke a warning rule; once for an interaction."""
        now = self._clock()
        meet(session, guild_id, now=now)
        old = (WarningRow.guild_id == guild_id, WarningRow.created_at <= now - WARNINGS_LAST)
        session.execute(delete(WarningRow).where(*old))
        insert_new(
            session,
            WarningRow,
            key={"interaction_id": interaction_id},
            values={"guild_id": guild_id, "member_id": member_id, "created_at": now},
        )

    @reads
    def warned(self, session: Session, guild_id: int, member_id: int) -> int:
        """Return how often a member was warned within the last day."""
        found = select(func.count()).where(
            WarningRow.guild_id == guild_id,
            WarningRow.member_id == member_id,
            WarningRow.created_at > self._clock() - WARNINGS_LAST,
        )
        return session.scalar(found) or 0

    def _holds(self) -> ColumnElement[bool]:
        return or_(BlockRow.until.is_(None), BlockRow.until > self._clock())


def _block(row: BlockRow) -> Block:
    return Block(
        member_id=row.member_id, reason=row.reason, until=row.until, created_at=row.created_at
    )


def _logged(block: Block) -> dict[str, str]:
    until = "for good" if block.until is None else f"{block.until:%Y-%m-%d %H:%M} UTC"
    return {"blocked": until, "reason": block.reason}
