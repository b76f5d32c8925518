"""Whose limit a form of the quotas page is about: everybody, a role, a channel or a member."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import discord

from bot.texts import Voice
from storage.ledger import Scope
from storage.policies import ANYBODY, Policy
from storage.windows import Period

MINUTE_MS = 60_000
MOST_MINUTES = 1_000_000.0
EVERYBODY = {"members": Scope.MEMBER, "guild": Scope.GUILD}
NAMED = {"role": Scope.ROLE, "channel": Scope.CHANNEL, "member": Scope.MEMBER}
PERIODS = (Period.HOUR, Period.DAY, Period.MONTH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of those whose limit can be set: what the form sends, and what is read."""

    value: str
    name: str


def choices_of(
    voice: Voice, guild: discord.Guild, members: Mapping[int, str]
) -> Iterator[tuple[str, list[Choice]]]:
    """Yield those whose limit can be set, by what they are, those that are none left out.

    Args:
        voice: what says what they are.
        guild: whose roles and channels are listed.
        members: names of those who are listed; any other is named by their number.
    """
    roles = [role for role in reversed(guild.roles) if not role.is_default()]
    channels = [each for each in guild.channels if not isinstance(each, discord.CategoryChannel)]
    listed = {
        voice.say("page.roles"): [_choice("role", role.id, f"@{role.name}") for role in roles],
        voice.say("page.channels"): [
            _choice("channel", each.id, f"#{each.name}") for each in channels
        ],
        voice.say("page.members"): [_choice("member", key, name) for key, name in members.items()],
    }
    yield from ((title, choices) for title, choices in listed.items() if choices)


def _choice(kind: str, subject_id: int, name: str) -> Choice:
    return Choice(value=f"{kind} {subject_id}", name=name)


def value_of(policy: Policy) -> str:
    """Return what a form sends for whoever has a limit."""
    if policy.subject_id == ANYBODY:
        return "members" if policy.scope is Scope.MEMBER else "guild"
    return f"{policy.scope} {policy.subject_id}"


def policy_of(guild_id: int, form: Mapping[str, str]) -> Policy:
    """Return the limit that a form describes; a member's number goes before what was chosen.

    Raises:
        ValueError, KeyError: it describes none.
    """
    number = form.get("member", "").strip()
    whose = f"member {number}" if number else form["whose"]
    kind, _, subject = whose.partition(" ")
    if kind not in EVERYBODY and not is_id(subject):
        raise ValueError("whose limit it is to be is not said")
    if form["period"] not in PERIODS:
        raise ValueError("no such period")
    return Policy(
        scope=EVERYBODY[kind] if kind in EVERYBODY else NAMED[kind],
        guild_id=guild_id,
        subject_id=ANYBODY if kind in EVERYBODY else int(subject),
        period=Period(form["period"]),
        limit_ms=minutes_ms(form.get("minutes", "") or "0"),
    )


def minutes_ms(text: str) -> int:
    """Return minutes that were typed in milliseconds.

    Raises:
        ValueError: they are no number, or too many.
    """
    minutes = float(text.strip())
    if not 0 <= minutes <= MOST_MINUTES:
        raise ValueError("so many minutes are not kept")
    return round(minutes * MINUTE_MS)


def is_id(text: str) -> bool:
    """Tell whether a text is a number of Discord's that the database can hold."""
    return text.isascii() and text.isdigit() and len(text) <= 19 and int(text) < 2**63
