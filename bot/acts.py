"""Acts of the audit log in words: whom they are about by name, and what changed, in a language."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.prompts import shown
from bot.texts import Voice, own_name
from bot.usage import device_time
from storage.acts import ON_MEMBERS, Act

WHOSE = re.compile(r"(?:(member|role|channel|guild)\b)? ?(\d{1,19})?(?: ?(hour|day|month|ever))?")
CHANNEL = re.compile(r"#(\d{1,20})")
SECONDS = re.compile(r"(\d+(?:\.\d+)?) s")
PLACED = re.compile(r"(on|off) in (#\d+)")
WORDS = (
    "on", "off", "hidden", "everywhere", "warn", "block", "spoiler", "held", "approved", "refused",
    "dead", "queued", "dropped", "for good",
)  # fmt: skip
"""States as the log has them that are said in words of the reader's."""
LENGTH = 160
BLOCKED = "blocked"
"""Until when, or a word of the log's own; all else that has several fields is typed by admins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What members, roles and channels are called where an act is told.

    Args:
        text: what makes the words of admins harmless there.
    """

    member: Callable[[int], str]
    role: Callable[[int], str]
    channel: Callable[[int], str]
    text: Callable[[str], str]


MENTIONS = Names(
    member="<@{}>".format,
    role="<@&{}>".format,
    channel="<#{}>".format,
    text=lambda text: shown(text, limit=LENGTH),
)
"""Discord shows these by the names that it knows; nobody is alerted by what only they see."""


def act_about(voice: Voice, act: Act, *, names: Names) -> str:
    """Return what an admin did to what."""
    return voice.say(f"admin.audit.{act.act}", subject=_subject(voice, act, names))


def act_change(voice: Voice, act: Act, *, names: Names) -> tuple[str, str]:
    """Return how something was before an act and after it; of many fields those that differ."""
    before, after = act.before, act.after
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [key for key in after if before.get(key) != after[key]]
        before, after = ({key: state.get(key) for key in keys} for state in (before, after))
    if act.act == "language":
        before, after = (
            own_name(it) if it in voice.texts.locales else it for it in (before, after)
        )
    return _state(voice, before, names), _state(voice, after, names)


def _subject(voice: Voice, act: Act, names: Names) -> str:
    found = WHOSE.fullmatch(act.subject) if act.act in ON_MEMBERS else None
    if found is None:
        return (
            _text(voice, act.subject, names) if act.act == "approval" else names.text(act.subject)
        )
    scope, number, period = found.groups()
    if number is None:
        whose = voice.say(f"admin.audit.every.{scope or 'member'}")
    else:
        name = {"role": names.role, "channel": names.channel}.get(scope, names.member)
        whose = name(int(number))
    if period in (None, "ever"):
        return whose
    return voice.say("admin.audit.whose", whose=whose, period=voice.say(f"page.period.{period}"))


def _state(voice: Voice, value: Any, names: Names) -> str:  # noqa: ANN401 - any JSON
    if value is None:
        return voice.say("admin.audit.nothing")
    if isinstance(value, dict):
        said = {key: names.text(_plain(each)) for key, each in value.items()}
        if BLOCKED in value:
            said[BLOCKED] = _text(voice, value[BLOCKED], names)
        told = (f"{_field(voice, key)} {each}" for key, each in said.items() if each)
        return voice.say("list.between").join(told)
    return _text(voice, _plain(value), names)


def _field(voice: Voice, key: str) -> str:
    """Return what a field of a preset or of a block is called; others keep their names."""
    named = f"admin.audit.field.{key}"
    return voice.say(named) if named in voice.texts else key


def _text(voice: Voice, text: str, names: Names) -> str:
    """Return a text of the log in words, if it is one of the log's own, or made harmless."""
    if text in WORDS:
        return voice.say(f"admin.audit.word.{text.replace(' ', '_')}")
    if (placed := PLACED.fullmatch(text)) is not None:
        state, where = (_text(voice, each, names) for each in placed.groups())
        return voice.say("admin.audit.placed", state=state, where=where)
    if (amount := SECONDS.fullmatch(text)) is not None:
        return voice.tell(device_time(float(amount[1]) * 1000))
    if (channel := CHANNEL.fullmatch(text)) is not None:
        return names.channel(int(channel[1]))
    return names.text(text)


def _plain(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Return a value as people write it; nothing for one that is not set."""
    if isinstance(value, list):
        return " + ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None or value is False else str(value)
