"""What ``/admin`` answers: lists that fit a message, however long they are."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from bot.choices import NAME_LENGTH
from bot.errors import PresetUnableError, stored_sentence
from bot.guilds import Guild
from bot.models import Models
from bot.presets import Preset, titled
from bot.prompts import shown
from bot.reasons import error_named
from bot.texts import Voice
from generation.catalogue import Entry
from generation.classifiers import SafetyConfig
from storage.acts import Act
from storage.blocks import Block
from storage.places import EVERYWHERE, Switched
from storage.records import Job

_CHANNEL = re.compile(r"#\d{15,20}")
MAX_LIST = 3_400
"""Characters of a list; a message of components has 4,000 in all."""


def fitting(voice: Voice, title: str, lines: Iterable[str]) -> str:
    """Return a title and as many lines as fit below it; how many did not is said."""
    rows = list(lines)
    taken, length = list[str](), 0
    for row in rows:
        length += len(row) + 1
        if length > MAX_LIST:
            taken.append(voice.say("admin.more", count=len(rows) - len(taken)))
            break
        taken.append(row)
    return "\n".join([f"### {title}", *(taken or [voice.say("admin.none")])])


def key_of(name: str) -> str:
    """Return a name to be typed, as it is: nothing in it is markdown, and it ends nothing."""
    plain = name.replace("`", "'")
    return f"`{plain}`"


def safety_page(voice: Voice, guild: Guild, config: SafetyConfig, *, trouble: str) -> str:
    """Return what becomes of unsafe pictures in a guild, and whether any can be told."""
    policy = voice.say(f"admin.safety.{guild.safety}")
    key = "admin.safety.title" if guild.choices.safety else "admin.safety.title.installation"
    lines = [f"### {voice.say(key, policy=policy)}"]
    if trouble:
        state = "idle" if guild.safety == "off" else "failing"
        lines.append(voice.say(f"admin.safety.{state}", why=shown(trouble)))
    else:
        labels = tuple(shown(label, limit=40) for label in config.labels)
        lines.append(
            voice.say("admin.safety.ready", labels=labels, threshold=f"{config.threshold:g}")
        )
    return "\n".join(lines)


def words_page(voice: Voice, guild: Guild) -> str:
    """Return a guild's word rules, a line each."""
    rules = guild.choices.words
    lines = (f"- {shown(rule.word)} · {voice.say(f'admin.words.{rule.action}')}" for rule in rules)
    return fitting(voice, voice.say("admin.words.title", count=len(rules)), lines)


def models_page(voice: Voice, entries: Sequence[Entry], *, usual: Entry | None) -> str:
    """Return every checkpoint that is there: what it is, or why it cannot be used."""
    usable = sum(_nameable(entry) for entry in entries)
    lines = (_model_line(voice, entry, usual=usual) for entry in entries)
    title = voice.say("admin.models.title", usable=usable, count=len(entries))
    return fitting(voice, title, lines)


def presets_page(voice: Voice, guild: Guild, models: Models) -> str:
    """Return the presets of a guild, its own first, and those that are hidden."""
    lines = [
        *(_preset_line(voice, each, models, own=each.name in guild.own) for each in
          guild.presets.values()),
        *_left_out(voice, guild),
        *switch_lines(voice, guild, "preset"),
    ]  # fmt: skip
    title = voice.say("admin.presets.title", own=len(guild.own), count=len(guild.presets))
    return fitting(voice, title, lines)


def pipelines_page(voice: Voice, guild: Guild, offered: Iterable[str]) -> str:
    """Return the pipelines that are offered, and which are off where."""
    everywhere = {each.name for each in guild.choices.off if each.channel_id == EVERYWHERE}
    lines = [
        voice.say("admin.pipelines.off" if name in everywhere else "admin.pipelines.on", name=name)
        for name in offered
    ]
    switches = switch_lines(voice, guild, "pipeline")
    return fitting(voice, voice.say("admin.pipelines.title"), [*lines, *switches])


def switch_lines(voice: Voice, guild: Guild, kind: Switched) -> Iterator[str]:
    """Yield a line for each pipeline or preset that is off in a channel."""
    for each in sorted(guild.choices.off, key=lambda it: (it.name, it.channel_id)):
        if each.kind == kind and each.channel_id != EVERYWHERE:
            yield voice.say("admin.switch.off", name=key_of(each.name), channel=each.channel_id)


def blocks_page(voice: Voice, blocks: Sequence[Block]) -> str:
    """Return who is blocked, until when and why."""
    lines = (
        voice.say(
            "admin.members.line" if block.until is None else "admin.members.line.until",
            member=block.member_id,
            until=int(block.until.timestamp()) if block.until is not None else 0,
            reason=shown(block.reason),
        )
        for block in blocks
    )
    return fitting(voice, voice.say("admin.members.title", count=len(blocks)), lines)


def jobs_page(voice: Voice, jobs: Sequence[Job], *, state: str) -> str:
    """Return jobs of a guild, the newest first, and why those failed that did."""
    lines = (
        voice.say(
            "admin.jobs.line",
            id=job.id,
            when=int(job.created_at.timestamp()),
            who=job.member_id,
            pipeline=job.pipeline,
            attempt=job.attempt,
            state=voice.say(f"admin.jobs.{job.state.value}"),
            why=f" · {reason_of(voice, job)}" if job.error else "",
        )
        for job in jobs
    )
    return fitting(
        voice, voice.say("admin.jobs.title", state=voice.say(f"admin.jobs.{state}")), lines
    )


def reason_of(voice: Voice, job: Job) -> str:
    """Return why a job gave no picture, in a sentence."""
    return stored_sentence(error_named(job.error), voice.texts, voice.locale)


def defaults_page(voice: Voice, guild: Guild) -> str:
    """Return what is taken in a guild where members name nothing."""
    chosen = guild.choices
    values = {"model": chosen.model, "preset": chosen.preset, "strength": chosen.strength}
    lines = (
        voice.say(
            f"admin.defaults.{name}",
            value=voice.say("admin.audit.nothing") if value is None else shown(f"{value}"),
        )
        for name, value in values.items()
    )
    return fitting(voice, voice.say("admin.defaults.title"), lines)


def audit_page(voice: Voice, acts: Sequence[Act]) -> str:
    """Return the acts of a guild's admins, a line each, the newest first."""
    return fitting(voice, voice.say("admin.audit.title"), (_act_line(voice, act) for act in acts))


def _model_line(voice: Voice, entry: Entry, *, usual: Entry | None) -> str:
    named = f"**{shown(entry.name, limit=NAME_LENGTH)}**"
    if entry.title != entry.name:
        named = f"{named} · {shown(entry.title, limit=60)}"
    if entry.unusable:
        return voice.say("admin.models.unusable", named=named, why=shown(entry.unusable))
    if not _nameable(entry):
        return voice.say("admin.models.long", named=named, most=NAME_LENGTH)
    key = "admin.models.usual" if entry == usual else "admin.models.usable"
    return voice.say(key, named=named)


def _nameable(entry: Entry) -> bool:
    return entry.usable and len(entry.name) <= NAME_LENGTH


def _preset_line(voice: Voice, preset: Preset, models: Models, *, own: bool) -> str:
    try:
        models.able(preset)
        state = "own" if own else "installed"
    except PresetUnableError:
        state = "unable"
    about = {"name": key_of(preset.name), "title": shown(voice.tell(titled(preset)), limit=60)}
    return voice.say(f"admin.presets.{state}", **about, strength=f"{preset.strength:g}")


def _left_out(voice: Voice, guild: Guild) -> Iterator[str]:
    """Yield lines about presets that are hidden, or no longer understood."""
    for name, fields in guild.choices.presets.items():
        if fields is None:
            yield voice.say("admin.presets.hidden", name=key_of(name))
        elif name not in guild.own:
            yield voice.say("admin.presets.odd", name=key_of(name))


def _act_line(voice: Voice, act: Act) -> str:
    before, after = _changed(act.before, act.after)
    return voice.say(
        "admin.audit.line",
        id=act.id,
        when=int(act.created_at.timestamp()),
        who=act.actor_id,
        what=voice.say(f"admin.audit.{act.act}", subject=shown(act.subject)),
        before=_state(voice, before),
        after=_state(voice, after),
    )


def act_state(voice: Voice, act: Act) -> dict[str, str]:
    """Return how something was before an act and after it, as plain text."""
    before, after = _changed(act.before, act.after)
    return {"before": _said(voice, before), "after": _said(voice, after)}


def _state(voice: Voice, value: Any) -> str:  # noqa: ANN401 - any JSON
    """Return how something was, in a few words, so that it can stand in a message."""
    return _CHANNEL.sub(r"<\g<0>>", shown(_said(voice, value), limit=160))


def _said(voice: Voice, value: Any) -> str:  # noqa: ANN401 - any JSON
    """Return how something was, in a few words."""
    if value is None:
        return voice.say("admin.audit.nothing")
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        said = {key: _plain(each) for key, each in value.items()}
        value = ", ".join(f"{key} {each}" for key, each in said.items() if each)
    return str(value)


def _plain(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Return a field of a preset as people write it; nothing for one that is not set."""
    if isinstance(value, list):
        return " + ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value or "")


def _changed(before: Any, after: Any) -> tuple[Any, Any]:  # noqa: ANN401 - any JSON
    """Return of two states with many fields those that differ."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return before, after
    keys = [key for key in after if before.get(key) != after[key]]
    return {key: before.get(key) for key in keys}, {key: after[key] for key in keys}
