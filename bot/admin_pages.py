"""What ``/admin`` answers: lists that fit a message, however long they are."""

from collections.abc import Iterable, Iterator, Sequence

from bot.acts import MENTIONS, act_about, act_change
from bot.choices import NAME_LENGTH
from bot.errors import PresetUnableError, stored_sentence
from bot.guilds import Guild
from bot.models import Models
from bot.presets import Preset, titled
from bot.prompts import shown
from bot.reasons import error_named
from bot.safety import Trouble
from bot.texts import Voice
from generation.catalogue import Entry
from generation.classifiers import SafetyConfig
from storage.acts import Act
from storage.blocks import Block
from storage.places import EVERYWHERE, Switched
from storage.records import Job

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


def safety_page(
    voice: Voice, guild: Guild, config: SafetyConfig, *, trouble: Trouble | None
) -> str:
    """Return what becomes of unsafe pictures in a guild, and whether any can be told."""
    policy = voice.say(f"admin.safety.{guild.safety}")
    key = "admin.safety.title" if guild.choices.safety else "admin.safety.title.installation"
    lines = [f"### {voice.say(key, policy=policy)}"]
    if trouble:
        state = "idle" if guild.safety == "off" else "failing"
        why = voice.say(f"admin.safety.why.{trouble}")
        lines.append(voice.say(f"admin.safety.{state}", why=why))
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
    lines = [_model_line(voice, entry, usual=usual) for entry in entries]
    if not all(entry.usable for entry in entries):
        lines.append(voice.say("admin.models.more"))
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
        lost = tuple(shown(part) for part in entry.missing)
        why = voice.say(f"admin.models.{entry.fault}", missing=lost)
        return voice.say("admin.models.unusable", named=named, why=why)
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
    before, after = act_change(voice, act, names=MENTIONS)
    return voice.say(
        "admin.audit.line",
        id=act.id,
        when=int(act.created_at.timestamp()),
        who=act.actor_id,
        what=act_about(voice, act, names=MENTIONS),
        before=before,
        after=after,
    )
