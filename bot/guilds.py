"""What holds in a guild: what its admins have chosen, beside what the installation offers.

Choices are read from SQL and kept for a moment, so that a prompt or a keystroke costs no query;
another process's acts are known after that moment, this one's at once.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import structlog

from bot.choices import listed
from bot.errors import (
    PresetUnfitError,
    RetentionUnfitError,
    UnknownPresetError,
    UnknownWordError,
    WordRuleError,
)
from bot.presets import Preset, preset_of
from bot.prompts import shown
from bot.reasons import reason_of
from bot.words import Words, rule_of
from generation.errors import InvalidRequestError
from generation.loras import split_loras
from generation.prompts import unweighted
from generation.request import Note, NoteCode
from storage.acts import Act
from storage.blocks import BlockStore
from storage.guilds import GuildChoices, GuildStore, PresetFields, SafetyPolicy, WordAction
from storage.places import PlaceStore
from storage.tables import DIRECT_MESSAGES

T = TypeVar("T")
FRESH_S = 10.0
KEPT_GUILDS = 2000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Guild:
    """What holds in one guild.

    Args:
        choices: of its admins.
        words: its word rules.
        own: its own presets by name, those that are understood.
        presets: all that are offered there, by name: its own first.
        safety: what becomes of unsafe pictures there.
        retention_days: how long prompts and pictures are kept there.
    """

    choices: GuildChoices
    words: Words
    own: Mapping[str, Preset]
    presets: Mapping[str, Preset]
    safety: SafetyPolicy
    retention_days: int


class Guilds:
    """The choices of all guilds, and the acts that change them.

    Args:
        store: where they are kept.
        places: where those are kept that hold in some channels only.
        blocks: of members; they are looked up anew each time.
        presets: the installation's, by name.
        safety: what becomes of unsafe pictures where nobody chose, as in direct messages.
        retention_days: how long prompts and pictures are kept at most.
        clock: seconds that only ever grow.
    """

    def __init__(
        self,
        store: GuildStore,
        *,
        places: PlaceStore,
        blocks: BlockStore,
        presets: Mapping[str, Preset],
        safety: SafetyPolicy = "off",
        retention_days: int = 30,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self.places = places
        self.blocks = blocks
        self._presets = presets
        self._safety = safety
        self._retention_days = retention_days
        self._clock = clock
        self._kept: OrderedDict[int, tuple[float, Guild]] = OrderedDict()
        self._acts = 0

    @property
    def longest_days(self) -> int:
        """How long the installation keeps prompts and pictures, which no guild exceeds."""
        return self._retention_days

    async def holding(self, guild_id: int | None) -> Guild:
        """Return what holds in a guild; in direct messages what the installation offers.

        Raises:
            StorageError: it cannot be read.
        """
        key = guild_id or DIRECT_MESSAGES
        read_at, kept = self._kept.get(key, (0.0, None))
        if kept is not None and self._clock() - read_at < FRESH_S:
            return kept
        now, acts = self._clock(), self._acts
        choices = await self._store.choices(key)
        if kept is not None and kept.choices == choices:
            found = kept
        else:
            found = await asyncio.to_thread(self._guild, choices, guild_id=key)
        if acts == self._acts:
            self._kept[key] = now, found
            self._kept.move_to_end(key)
        if len(self._kept) > KEPT_GUILDS:
            self._kept.popitem(last=False)
        return found

    def language(self, guild_id: int | None) -> str | None:
        """Return what the bot speaks in a guild, as far as that was read lately; None if not."""
        _, kept = self._kept.get(guild_id or DIRECT_MESSAGES, (0.0, None))
        return kept.choices.language if kept is not None else None

    async def require_fit(self, guild_id: int | None, *texts: str) -> tuple[Note, ...]:
        """Refuse texts that a guild's word rules forbid; return what is to be said of others.

        Raises:
            WordRuleError: a rule forbids one of them; nothing was reserved.
        """
        words = (await self.holding(guild_id)).words
        if not words.rules:
            return ()
        broken = words.found(reading for text in texts for reading in _readings(text))
        if broken == "block":
            raise WordRuleError("a word rule forbids the prompt")
        return (Note(code=NoteCode.WORD_RULE),) if broken else ()

    async def acted(self, guild_id: int, act: Awaitable[T]) -> T:
        """Do an act of one of the stores; what it changed holds at once."""
        done = await act
        self._forget(guild_id)
        return done

    async def choose(self, guild_id: int, *, actor_id: int, **values: str | float | None) -> None:
        """Choose language, model, preset, strength or warnings; None takes a choice back."""
        await self.acted(guild_id, self._store.choose(guild_id, values, actor_id=actor_id))

    async def set_safety(self, guild_id: int, policy: SafetyPolicy, *, actor_id: int) -> None:
        """Choose what becomes of unsafe pictures."""
        await self._store.set_safety(guild_id, policy, actor_id=actor_id)
        self._forget(guild_id)

    async def set_time_zone(self, guild_id: int, name: str, *, actor_id: int) -> None:
        """Choose the clocks by which quotas renew.

        Raises:
            UnknownTimeZoneError: this machine knows none of that name.
        """
        await self._store.set_time_zone(guild_id, name, actor_id=actor_id)
        self._forget(guild_id)

    async def set_retention(self, guild_id: int, days: int, *, actor_id: int) -> None:
        """Choose after how many days prompts and pictures are removed.

        Raises:
            RetentionUnfitError: the installation keeps nothing for so long.
        """
        if not 1 <= days <= self._retention_days:
            raise RetentionUnfitError("outside of the bounds", limit=self._retention_days)
        await self._store.set_retention(guild_id, days, actor_id=actor_id)
        self._forget(guild_id)

    async def set_word(
        self, guild_id: int, word: str, action: WordAction, *, actor_id: int
    ) -> None:
        """Add a word rule, or change what it does.

        Raises:
            WordUnfitError: no rule can be made of that.
            TooManyError: there are as many as are kept.
        """
        rule = rule_of(word, action)
        await self._store.set_word(guild_id, rule, actor_id=actor_id)
        self._forget(guild_id)

    async def remove_word(self, guild_id: int, word: str, *, actor_id: int) -> None:
        """Remove the rule of a word, however it is spelt.

        Raises:
            UnknownWordError: there is none.
            WordUnfitError: no rule can be made of that.
        """
        compared = rule_of(word, "warn").plain
        if not await self._store.remove_word(guild_id, compared, actor_id=actor_id):
            raise UnknownWordError("no such rule")
        self._forget(guild_id)

    async def add_preset(
        self, guild_id: int, name: str, fields: PresetFields, *, actor_id: int
    ) -> Preset:
        """Give a guild a preset of its own, in place of any of that name.

        Raises:
            PresetUnfitError: a field is outside its range; the sentence says which.
            TooManyError: there are as many as are kept.
        """
        try:
            preset = preset_of(name, fields)
        except InvalidRequestError as err:
            raise PresetUnfitError(str(err), reason=reason_of(err)) from err
        except (ValueError, TypeError) as err:
            raise PresetUnfitError(str(err), reason=shown(str(err))) from err
        await self._store.set_preset(guild_id, name, fields, actor_id=actor_id)
        self._forget(guild_id)
        return preset

    async def hide_preset(self, guild_id: int, name: str, *, actor_id: int) -> None:
        """Offer a preset of the installation's in this guild no more.

        Raises:
            UnknownPresetError: there is none of that name.
        """
        if name not in self._presets:
            raise UnknownPresetError("no such preset", known=listed(self._presets))
        await self._store.set_preset(guild_id, name, None, actor_id=actor_id)
        self._forget(guild_id)

    async def remove_preset(self, guild_id: int, name: str, *, actor_id: int) -> None:
        """Remove a guild's own preset; where it stood for one of the installation's, that is back.

        It also offers a hidden one again.

        Raises:
            UnknownPresetError: there is neither.
        """
        if not await self._store.remove_preset(guild_id, name, actor_id=actor_id):
            chosen = (await self.holding(guild_id)).choices.presets
            raise UnknownPresetError("no such preset", known=listed(chosen))
        self._forget(guild_id)

    async def log(self, guild_id: int, *, before_id: int | None = None) -> list[Act]:
        """Return the newest acts of a guild's admins, or those before one."""
        return await self._store.log(guild_id, before_id=before_id)

    def _forget(self, guild_id: int) -> None:
        """Read anew what an act has changed; what is being read now may be older."""
        self._acts += 1
        self._kept.pop(guild_id, None)

    def _guild(self, choices: GuildChoices, *, guild_id: int) -> Guild:
        own = dict(_understood(choices.presets, guild_id=guild_id))
        others = {name: each for name, each in self._presets.items() if name not in choices.presets}
        return Guild(
            choices=choices,
            words=Words.of(choices.words),
            own=own,
            presets={**own, **others},
            safety=choices.safety or self._safety,
            retention_days=min(choices.retention_days or self.longest_days, self.longest_days),
        )


def _understood(
    presets: Mapping[str, PresetFields | None], *, guild_id: int
) -> Iterator[tuple[str, Preset]]:
    """Yield a guild's own presets; one that an older program took may not be understood now."""
    for name, fields in presets.items():
        if fields is None:
            continue
        try:
            yield name, preset_of(name, fields)
        except (InvalidRequestError, ValueError, TypeError) as err:
            log.warning("a guild's preset is left out", guild=guild_id, reason=str(err))


def _readings(text: str) -> Iterator[str]:
    """Yield a prompt as it is written, and as models read it: without weights and LoRA."""
    yield text
    try:
        yield unweighted(split_loras(text)[0])
    except InvalidRequestError:
        return
