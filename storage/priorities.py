"""Whose jobs a guild's admins let go first: members and roles that have more of a share.

A priority is no place in the line but a weight: whoever has one of 2 is charged half of what their
pictures take when it is told whose turn it is, and so has two turns while others have one. It
counts within the guild alone, so that no admin can give away other guilds' turns.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, cast

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from storage.acts import meet, write_down
from storage.clock import Clock, utc_now
from storage.database import Database, reads, writes
from storage.errors import InvalidAmountError, TooManyError
from storage.tables import PriorityRow

Prioritised = Literal["member", "role"]

USUAL = 1.0
LEAST_WEIGHT, MOST_WEIGHT = 0.1, 10.0
MAX_PRIORITIES = 500
"""Of one guild."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Priority:
    """How many times a usual share a member has, or whoever has a role."""

    scope: Prioritised
    subject_id: int
    weight: float


class Priorities:
    """The priorities of guilds; those that admins set are acts of ``actor_id``."""

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    @writes
    def set(self, session: Session, guild_id: int, priority: Priority, *, actor_id: int) -> None:
        """Set a priority; the usual one takes it away.

        Raises:
            InvalidAmountError: the weight is outside its range.
            TooManyError: the guild has as many as are kept.
        """
        if not LEAST_WEIGHT <= priority.weight <= MOST_WEIGHT:
            raise InvalidAmountError(f"a weight is {LEAST_WEIGHT:g} to {MOST_WEIGHT:g}")
        now, key = self._clock(), (guild_id, priority.scope, priority.subject_id)
        meet(session, guild_id, now=now)
        row = session.get(PriorityRow, key)
        before = USUAL if row is None else row.weight
        if row is None and priority.weight != USUAL:
            _require_room(session, guild_id)
            row = PriorityRow(
                guild_id=guild_id, scope=priority.scope, subject_id=priority.subject_id
            )
            session.add(row)
        if row is not None and priority.weight == USUAL:
            session.delete(row)
        elif row is not None:
            row.weight = priority.weight
        subject = f"{priority.scope} {priority.subject_id}"
        write_down(
            session, guild_id, actor_id, "priority", subject,
            before=before, after=priority.weight, now=now,
        )  # fmt: skip

    @reads
    def all(self, session: Session, guild_id: int) -> list[Priority]:
        """Return a guild's priorities, the highest first."""
        found = select(PriorityRow).filter_by(guild_id=guild_id)
        rows = session.scalars(found.order_by(PriorityRow.weight.desc(), PriorityRow.subject_id))
        return [
            Priority(
                scope=cast("Prioritised", row.scope), subject_id=row.subject_id, weight=row.weight
            )
            for row in rows
        ]


def weight_of(
    session: Session, guild_id: int, *, member_id: int, role_ids: Collection[int]
) -> float:
    """Return how many times a usual share a member has: their own, else their highest role's."""
    theirs = or_(
        and_(PriorityRow.scope == "member", PriorityRow.subject_id == member_id),
        and_(PriorityRow.scope == "role", PriorityRow.subject_id.in_(role_ids)),
    )
    highest = select(PriorityRow.scope, func.max(PriorityRow.weight))
    found = highest.where(PriorityRow.guild_id == guild_id, theirs).group_by(PriorityRow.scope)
    weights: dict[str, float] = {row[0]: row[1] for row in session.execute(found)}
    return weights.get("member", weights.get("role", USUAL))


def _require_room(session: Session, guild_id: int) -> None:
    there = select(func.count()).select_from(PriorityRow).filter_by(guild_id=guild_id)
    if (session.scalar(there) or 0) >= MAX_PRIORITIES:
        raise TooManyError(f"a guild keeps {MAX_PRIORITIES} of these")
