"""The log of what admins do; an act and its line in the log are one transaction of the caller."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from storage.portable import insert_new
from storage.tables import AuditRow, GuildRow
from storage.text import clean_text

LOG_LENGTH = 20
ON_MEMBERS = ("block", "quota", "grant", "top_up", "reset", "priority")
"""Acts whose subject may be a member, by their number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A line of the log: who did what to what, and how that was before and after."""

    id: int
    guild_id: int
    actor_id: int
    act: str
    subject: str
    before: Any
    after: Any
    created_at: datetime


def meet(session: Session, guild_id: int, *, now: datetime) -> None:
    """Know a guild, of which nobody may have asked for a picture yet."""
    insert_new(session, GuildRow, key={"id": guild_id}, values={"first_seen_at": now})


def write_down(
    session: Session,
    guild_id: int,
    actor_id: int,
    act: str,
    subject: str = "",
    *,
    before: object = None,
    after: object = None,
    now: datetime,
) -> None:
    """Write an act into the log, unless it changed nothing."""
    if before == after:
        return
    session.add(
        AuditRow(
            guild_id=guild_id,
            actor_id=actor_id,
            act=act,
            subject=clean_text(subject),
            before=before,
            after=after,
            created_at=now,
        )
    )


def newest(
    session: Session, guild_id: int, *, before_id: int | None = None, most: int = LOG_LENGTH
) -> list[Act]:
    """Return the newest acts in a guild, or those before one, the newest first."""
    found = select(AuditRow).filter_by(guild_id=guild_id).order_by(AuditRow.id.desc())
    if before_id is not None:
        found = found.where(AuditRow.id < before_id)
    return [_act(row) for row in session.scalars(found.limit(most))]


def acts_of(session: Session, actor_id: int) -> list[Act]:
    """Return every act of one person, in all guilds, the oldest first."""
    found = select(AuditRow).filter_by(actor_id=actor_id).order_by(AuditRow.id)
    return [_act(row) for row in session.scalars(found)]


def acts_on(session: Session, member_id: int) -> list[Act]:
    """Return every act that is about one member, in all guilds, the oldest first."""
    named = or_(
        AuditRow.subject.in_((str(member_id), f"member {member_id}")),
        AuditRow.subject.startswith(f"member {member_id} "),
    )
    found = select(AuditRow).where(AuditRow.act.in_(ON_MEMBERS), named).order_by(AuditRow.id)
    return [_act(row) for row in session.scalars(found)]


def _act(row: AuditRow) -> Act:
    return Act(
        id=row.id,
        guild_id=row.guild_id,
        actor_id=row.actor_id,
        act=row.act,
        subject=row.subject,
        before=row.before,
        after=row.after,
        created_at=row.created_at,
    )
