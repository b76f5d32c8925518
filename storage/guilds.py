"""What the admins of a guild have chosen, and the log of every act by which they did.

An act and its line in the log are one transaction. What changes nothing leaves no line, and no
line holds a prompt: of a preset's there is a sum that tells whether it changed. Guild 0 stands for
direct messages, which have no admins and so no choices.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from storage.acts import LOG_LENGTH, Act, meet, newest, write_down
from storage.clock import Clock, utc_now
from storage.database import Database, reads, writes
from storage.errors import TooManyError, UnknownTimeZoneError
from storage.places import Approval, Switch, approvals_of, switches_of
from storage.portable import upsert
from storage.tables import Base, GuildPresetRow, GuildSettingsRow, WordRuleRow
from storage.text import clean_json, clean_text
from storage.windows import zone_names

SafetyPolicy = Literal["off", "spoiler", "block"]
WordAction = Literal["warn", "block"]
PresetFields = Mapping[str, Any]

SETTINGS = frozenset(
    {"safety", "time_zone", "retention_days", "language", "model", "preset", "strength", "warnings"}
)
MAX_WORDS, MAX_PRESETS = 200, 50
"""Of one guild: every prompt is compared with the words, and a choice shows 25 presets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WordRule:
    """A word that is not wanted in prompts.

    Args:
        word: as an admin wrote it.
        plain: as it is compared; two rules of a guild have different ones.
        action: whether who writes it is told so, or is given no picture.
    """

    word: str
    plain: str
    action: WordAction


@dataclass(frozen=True, slots=True, kw_only=True)
class GuildChoices:
    """What a guild's admins have chosen.

    Args:
        safety: what becomes of unsafe pictures; None leaves it to the installation.
        time_zone: the clocks by which quotas renew; None is UTC.
        retention_days: how long prompts and pictures are kept; None leaves it to the installation.
        language: what the bot speaks there; None is each member's own.
        model: what is taken where a member names none, likewise ``preset``, ``strength``.
        warnings: how many prompts of a member may break a warning rule before that rule blocks
            theirs; None is any number.
        words: in the order in which they were added.
        presets: the guild's own by name; None hides the installation's of that name.
        off: the pipelines and presets that are switched off.
        approvals: where pictures are approved before they are shown, by their channel.
    """

    safety: SafetyPolicy | None = None
    time_zone: str | None = None
    retention_days: int | None = None
    language: str | None = None
    model: str | None = None
    preset: str | None = None
    strength: float | None = None
    warnings: int | None = None
    words: tuple[WordRule, ...] = ()
    presets: Mapping[str, PresetFields | None] = field(default_factory=dict)
    off: frozenset[Switch] = frozenset()
    approvals: Mapping[int, Approval] = field(default_factory=dict)


class GuildStore:
    """Choices and the log; every writing method is an act of ``actor_id``."""

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    @reads
    def choices(self, session: Session, guild_id: int) -> GuildChoices:
        """Return all that a guild's admins have chosen."""
        here = {"guild_id": guild_id}
        settings = session.get(GuildSettingsRow, guild_id)
        words = session.scalars(
            select(WordRuleRow)
            .filter_by(**here)
            .order_by(WordRuleRow.created_at, WordRuleRow.plain)
        )
        presets = session.scalars(
            select(GuildPresetRow)
            .filter_by(**here)
            .order_by(GuildPresetRow.created_at, GuildPresetRow.name)
        )
        chosen = {name: getattr(settings, name, None) for name in SETTINGS}
        return GuildChoices(
            **chosen,
            words=tuple(
                WordRule(word=row.word, plain=row.plain, action=row.action)  # type: ignore[arg-type]
                for row in words
            ),
            presets={row.name: row.fields for row in presets},
            off=switches_of(session, guild_id),
            approvals=approvals_of(session, guild_id),
        )

    @reads
    def looking(self, session: Session) -> int:
        """Return how many guilds have their pictures looked at."""
        chosen = GuildSettingsRow.safety.in_(("spoiler", "block"))
        return session.scalar(select(func.count()).where(chosen)) or 0

    @writes
    def set_safety(
        self, session: Session, guild_id: int, policy: SafetyPolicy, *, actor_id: int
    ) -> None:
        """Choose what becomes of unsafe pictures."""
        self._choose(session, guild_id, actor_id=actor_id, safety=policy)

    @writes
    def set_time_zone(self, session: Session, guild_id: int, name: str, *, actor_id: int) -> None:
        """Choose the clocks by which the guild's quotas renew.

        Raises:
            UnknownTimeZoneError: this machine knows none of that name.
        """
        if name not in zone_names():
            raise UnknownTimeZoneError("no such time zone")
        self._choose(session, guild_id, actor_id=actor_id, time_zone=name)

    @writes
    def choose(
        self,
        session: Session,
        guild_id: int,
        values: Mapping[str, str | float | None],
        *,
        actor_id: int,
    ) -> None:
        """Choose language, model, preset, strength or warnings; None takes a choice back."""
        assert values.keys() <= SETTINGS - {"safety", "time_zone", "retention_days"}, (
            "those have checks of their own"
        )
        self._choose(session, guild_id, actor_id=actor_id, **values)

    @writes
    def set_retention(self, session: Session, guild_id: int, days: int, *, actor_id: int) -> None:
        """Choose after how many days prompts and pictures are removed, at least 1."""
        now = self._clock()
        meet(session, guild_id, now=now)
        row = session.get(GuildSettingsRow, guild_id)
        before = row.retention_days if row is not None else None
        values = {"retention_days": days, "updated_at": now}
        upsert(session, GuildSettingsRow, key={"guild_id": guild_id}, values=values)
        write_down(session, guild_id, actor_id, "retention", before=before, after=days, now=now)

    @writes
    def set_word(self, session: Session, guild_id: int, rule: WordRule, *, actor_id: int) -> None:
        """Add a word rule, or give the one of that word another action.

        Raises:
            TooManyError: the guild has ``MAX_WORDS``.
        """
        meet(session, guild_id, now=self._clock())
        key = {"guild_id": guild_id, "plain": rule.plain}
        row = session.get(WordRuleRow, (guild_id, rule.plain))
        before = row.action if row is not None else None
        if row is None:
            _require_room(session, WordRuleRow, guild_id, most=MAX_WORDS)
        values = {
            "word": clean_text(rule.word),
            "action": rule.action,
            "created_at": row.created_at if row is not None else self._clock(),
        }
        upsert(session, WordRuleRow, key=key, values=values)
        write_down(
            session,
            guild_id,
            actor_id,
            "word",
            rule.word,
            before=before,
            after=rule.action,
            now=self._clock(),
        )

    @writes
    def remove_word(self, session: Session, guild_id: int, plain: str, *, actor_id: int) -> bool:
        """Remove a word rule by what it is compared as; False if there is none."""
        row = session.get(WordRuleRow, (guild_id, plain))
        if row is None:
            return False
        write_down(
            session,
            guild_id,
            actor_id,
            "word",
            row.word,
            before=row.action,
            now=self._clock(),
        )
        session.delete(row)
        return True

    @writes
    def set_preset(
        self,
        session: Session,
        guild_id: int,
        name: str,
        fields: PresetFields | None,
        *,
        actor_id: int,
    ) -> None:
        """Give a guild a preset of its own, or without fields hide the installation's.

        Raises:
            TooManyError: the guild has ``MAX_PRESETS``, hidden ones included.
        """
        meet(session, guild_id, now=self._clock())
        row = session.get(GuildPresetRow, (guild_id, name))
        if row is None:
            _require_room(session, GuildPresetRow, guild_id, most=MAX_PRESETS)
        before = _preset_state(row.fields) if row is not None else None
        values = {
            "fields": None if fields is None else clean_json(fields),
            "created_at": row.created_at if row is not None else self._clock(),
        }
        upsert(session, GuildPresetRow, key={"guild_id": guild_id, "name": name}, values=values)
        after = _preset_state(fields)
        write_down(
            session,
            guild_id,
            actor_id,
            "preset",
            name,
            before=before,
            after=after,
            now=self._clock(),
        )

    @writes
    def remove_preset(self, session: Session, guild_id: int, name: str, *, actor_id: int) -> bool:
        """Remove a preset of a guild's own, or show the installation's again; False if neither."""
        row = session.get(GuildPresetRow, (guild_id, name))
        if row is None:
            return False
        before = _preset_state(row.fields)
        session.execute(delete(GuildPresetRow).filter_by(guild_id=guild_id, name=name))
        write_down(session, guild_id, actor_id, "preset", name, before=before, now=self._clock())
        return True

    @reads
    def log(
        self,
        session: Session,
        guild_id: int,
        *,
        before_id: int | None = None,
        most: int = LOG_LENGTH,
    ) -> list[Act]:
        """Return the newest acts of a guild's admins, or those before one, the newest first."""
        return newest(session, guild_id, before_id=before_id, most=most)

    def _choose(
        self, session: Session, guild_id: int, *, actor_id: int, **values: str | float | None
    ) -> None:
        """Choose settings, each a line of the log."""
        now = self._clock()
        meet(session, guild_id, now=now)
        row = session.get(GuildSettingsRow, guild_id)
        before = {name: getattr(row, name, None) for name in values}
        written = {**values, "updated_at": now}
        upsert(session, GuildSettingsRow, key={"guild_id": guild_id}, values=written)
        for name, after in values.items():
            write_down(session, guild_id, actor_id, name, before=before[name], after=after, now=now)


def _require_room(session: Session, table: type[Base], guild_id: int, *, most: int) -> None:
    there = select(func.count()).select_from(table).filter_by(guild_id=guild_id)
    if (session.scalar(there) or 0) >= most:
        raise TooManyError(f"a guild keeps {most} of these")


def _preset_state(fields: PresetFields | None) -> object:
    """Return a preset as the log has it: its prompt's sum alone, and a word for a hidden one."""
    if fields is None:
        return "hidden"
    told = hashlib.sha256(str(fields.get("prompt")).encode()).hexdigest()
    return {**fields, "prompt": f"sha256:{told[:8]}"}
