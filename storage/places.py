"""What holds in some channels of a guild and not in others; channel 0 stands for all of them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from storage.acts import meet, write_down
from storage.clock import Clock, utc_now
from storage.database import Database, writes
from storage.errors import TooManyError
from storage.portable import insert_new, upsert
from storage.reviews import UNSENT
from storage.tables import ApprovalRow, ReviewRow, SwitchRow

Switched = Literal["pipeline", "preset"]

EVERYWHERE = 0
MAX_PLACES = 500
"""Of one guild: all are read with its other choices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A pipeline or preset that is off, in a channel or everywhere."""

    kind: Switched
    name: str
    channel_id: int = EVERYWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """That the pictures of a channel, or of the whole guild, are approved before they are shown.

    Args:
        channel_id: whose pictures, ``EVERYWHERE`` for the guild's.
        review_channel_id: where that is decided.
        actor_id: who chose it last.
        trouble: what keeps the bot from writing there; None where nothing does.
    """

    channel_id: int
    review_channel_id: int
    actor_id: int
    trouble: str | None = None


class PlaceStore:
    """Switches and approvals; every method that takes an ``actor_id`` is an act of theirs."""

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    @writes
    def switch_off(self, session: Session, guild_id: int, switch: Switch, *, actor_id: int) -> None:
        """Switch something off.

        Raises:
            TooManyError: as many switches are off as are kept.
        """
        now = self._clock()
        meet(session, guild_id, now=now)
        _require_room(session, SwitchRow, guild_id)
        if insert_new(session, SwitchRow, key=_key(guild_id, switch), values={}):
            self._log(session, guild_id, switch, actor_id=actor_id, before="on", after="off")

    @writes
    def switch_on(self, session: Session, guild_id: int, switch: Switch, *, actor_id: int) -> bool:
        """Switch something on again; False if it was not off just there."""
        row = session.get(SwitchRow, tuple(_key(guild_id, switch).values()))
        if row is None:
            return False
        session.delete(row)
        self._log(session, guild_id, switch, actor_id=actor_id, before="off", after="on")
        return True

    @writes
    def set_approval(self, session: Session, guild_id: int, approval: Approval) -> None:
        """Have a channel's pictures approved in another one first.

        What waits and could not be told of before is told of there.

        Raises:
            TooManyError: there are as many such channels as are kept.
        """
        now = self._clock()
        meet(session, guild_id, now=now)
        row = session.get(ApprovalRow, (guild_id, approval.channel_id))
        before = row.review_channel_id if row is not None else None
        if row is None:
            _require_room(session, ApprovalRow, guild_id)
        values = {
            "review_channel_id": approval.review_channel_id,
            "actor_id": approval.actor_id,
            "trouble": None,
        }
        key = {"guild_id": guild_id, "channel_id": approval.channel_id}
        upsert(session, ApprovalRow, key=key, values=values)
        unsent = update(ReviewRow).filter_by(guild_id=guild_id, message_id=UNSENT)
        moved = {"channel_id": approval.review_channel_id, "message_id": None}
        session.execute(unsent.values(**moved))
        write_down(
            session,
            guild_id,
            approval.actor_id,
            "approval",
            _said(approval.channel_id),
            before=None if before is None else f"#{before}",
            after=f"#{approval.review_channel_id}",
            now=now,
        )

    @writes
    def end_approval(
        self, session: Session, guild_id: int, channel_id: int, *, actor_id: int
    ) -> bool:
        """Show a channel's pictures at once again; False if they were not approved just there."""
        row = session.get(ApprovalRow, (guild_id, channel_id))
        if row is None:
            return False
        before, now = f"#{row.review_channel_id}", self._clock()
        session.execute(delete(ApprovalRow).filter_by(guild_id=guild_id, channel_id=channel_id))
        said = _said(channel_id)
        write_down(session, guild_id, actor_id, "approval", said, before=before, now=now)
        return True

    @writes
    def approval_troubled(
        self, session: Session, guild_id: int, review_channel_id: int, *, trouble: str
    ) -> list[int]:
        """Remember that nothing can be written where pictures are approved.

        Returns:
            Who chose that, if nobody has been told yet.
        """
        found = select(ApprovalRow).filter_by(
            guild_id=guild_id, review_channel_id=review_channel_id, trouble=None
        )
        rows = session.scalars(found.with_for_update()).all()
        for row in rows:
            row.trouble = trouble
        return sorted({row.actor_id for row in rows})

    def _log(
        self,
        session: Session,
        guild_id: int,
        switch: Switch,
        *,
        actor_id: int,
        before: str,
        after: str,
    ) -> None:
        where = "" if switch.channel_id == EVERYWHERE else f" in {_said(switch.channel_id)}"
        write_down(
            session,
            guild_id,
            actor_id,
            switch.kind,
            switch.name,
            before=f"{before}{where}",
            after=f"{after}{where}",
            now=self._clock(),
        )


def switches_of(session: Session, guild_id: int) -> frozenset[Switch]:
    """Return what is switched off in a guild."""
    rows = session.scalars(select(SwitchRow).filter_by(guild_id=guild_id))
    return frozenset(
        Switch(kind=row.kind, name=row.name, channel_id=row.channel_id)  # type: ignore[arg-type]
        for row in rows
    )


def is_off(
    off: Collection[Switch], kind: Switched, name: str | None, *, channel_ids: Collection[int]
) -> bool:
    """Return whether something is switched off in one of the channels, or everywhere."""
    return name is not None and any(
        Switch(kind=kind, name=name, channel_id=each) in off for each in (EVERYWHERE, *channel_ids)
    )


def approvals_of(session: Session, guild_id: int) -> Mapping[int, Approval]:
    """Return where a guild's pictures are approved before they are shown, by channel."""
    rows = session.scalars(select(ApprovalRow).filter_by(guild_id=guild_id))
    return {
        row.channel_id: Approval(
            channel_id=row.channel_id,
            review_channel_id=row.review_channel_id,
            actor_id=row.actor_id,
            trouble=row.trouble,
        )
        for row in rows
    }


def approval_in(approvals: Mapping[int, Approval], channel_ids: Collection[int]) -> Approval | None:
    """Return what holds for a picture of some channel: of a thread, of that above it, or all."""
    return next((approvals[it] for it in (*channel_ids, EVERYWHERE) if it in approvals), None)


def _said(channel_id: int) -> str:
    """Return a place as the log has it."""
    return f"#{channel_id}" if channel_id != EVERYWHERE else "everywhere"


def _require_room(
    session: Session, table: type[SwitchRow] | type[ApprovalRow], guild_id: int
) -> None:
    there = select(func.count()).select_from(table).filter_by(guild_id=guild_id)
    if (session.scalar(there) or 0) >= MAX_PLACES:
        raise TooManyError(f"a guild keeps {MAX_PLACES} of these")


def _key(guild_id: int, switch: Switch) -> dict[str, object]:
    return {
        "guild_id": guild_id,
        "channel_id": switch.channel_id,
        "kind": switch.kind,
        "name": switch.name,
    }
