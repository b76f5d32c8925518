"""What holds in some channels of a guild and not in others; channel 0 stands for all of them."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from storage.acts import meet, write_down
from storage.clock import Clock, utc_now
from storage.database import Database, writes
from storage.errors import TooManyError
from storage.portable import insert_new
from storage.tables import SwitchRow

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


class PlaceStore:
    """Switches; every method is an act of ``actor_id``."""

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
        _require_room(session, guild_id)
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
        where = "" if switch.channel_id == EVERYWHERE else f" in #{switch.channel_id}"
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


def _require_room(session: Session, guild_id: int) -> None:
    there = select(func.count()).select_from(SwitchRow).filter_by(guild_id=guild_id)
    if (session.scalar(there) or 0) >= MAX_PLACES:
        raise TooManyError(f"a guild keeps {MAX_PLACES} of these")


def _key(guild_id: int, switch: Switch) -> dict[str, object]:
    return {
        "guild_id": guild_id,
        "channel_id": switch.channel_id,
        "kind": switch.kind,
        "name": switch.name,
    }
