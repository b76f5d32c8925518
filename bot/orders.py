"""What a member asks for, and what of it is written down with the job."""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, Self

import discord

from bot.texts import DEFAULT_LOCALE
from generation.outpainting import outer_size, parsed_ratio
from generation.request import MAX_SEED, Canvas, Manner, Note, NoteCode
from storage.files import StoredFile
from storage.records import Job

TOKEN_LIFE = timedelta(minutes=15)
LIKE_STRENGTH = 0.6
CONTROL_FROM = "control_from"
"""The name of an ordinary picture that a control is drawn from, among those beside an order."""
PURGED: Mapping[str, Any] = {"strength": 0.0, "width": 1, "height": 1, "max_bytes": 0}
"""What is left of a purged job's parameters: nothing that anybody looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture in the file store, safe to hand to the engine."""

    file: StoredFile
    width: int
    height: int
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A picture that is asked for, or several that differ by their seeds.

    Args:
        command: the command's family, which gives the title.
        image: the picture to start from, or an empty canvas for one from words alone.
        beside: the other pictures, by the names that requests give them: ``style_image``,
            ``mask``, ``control``, ``like``; ``style_image2`` is a second artwork, and
            ``control_from`` an ordinary picture that the control is drawn from.
        manner: how style transfer goes about it; None is as its method does by itself. Of a second
            artwork the weight is what the first one's leaves of 1.
        chosen: what decided for the method of style, if the member left that to us.
        control: the kind of control that is to be followed; without a picture of its own it is
            drawn from the order's.
        like_strength: how much the picture counts that the result is to be like.
        mix: a second seed whose picture is mixed in, of pictures of a seed alone.
        direction: an attribute that a VAE's picture is led towards, as far as the strength says.
        frames: of an animation; 1 is a still picture.
        ratio: the shape to extend the picture to, as WIDTH:HEIGHT; None leaves it as it is.
        subject: what the reply names: the prompt or the artwork's title.
        preset: the ready-made edit or artwork that was chosen.
        layers: what is drawn over the result.
        count: how many; the seeds count up from the first.
        parent_id: the job that this one repeats or edits.
        notes: what the member is to be told with the result.
    """

    command: str
    pipeline: str
    image: Picture | Canvas
    strength: float
    seed: int
    prompt: str = ""
    negative_prompt: str = ""
    guidance_scale: float | None = None
    num_inference_steps: int | None = None
    scheduler: str | None = None
    beside: Mapping[str, StoredFile] = field(default_factory=dict)
    manner: Manner | None = None
    chosen: str = ""
    control: str | None = None
    like_strength: float = LIKE_STRENGTH
    direction: str = ""
    frames: int = 1
    ratio: str | None = None
    mix: int | None = None
    subject: str = ""
    preset: str | None = None
    layers: tuple[str, ...] = ()
    model: str | None = None
    count: int = 1
    parent_id: str | None = None
    notes: tuple[Note, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """All that a model is told in words, which a guild's word rules are about."""
        return self.prompt, self.negative_prompt

    @property
    def inputs(self) -> dict[str, StoredFile]:
        """All pictures that go into it, by the names that requests give them."""
        own = {"image": self.image.file} if isinstance(self.image, Picture) else {}
        return {**own, **self.beside}

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of what comes out."""
        return result_size(self.image.width, self.image.height, ratio=self.ratio)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an order came from, and how its reply gets there.

    Args:
        channel_ids: the channel and, of a thread, the one that it hangs below.
        max_bytes: the largest file that may be attached to the reply.
        reachable: whether the bot itself may speak in the channel once the token is over.
    """

    interaction_id: int
    guild_id: int | None
    channel_id: int
    channel_ids: tuple[int, ...]
    member_id: int
    token: str
    token_expires_at: datetime
    locale: str
    max_bytes: int
    reachable: bool

    @classmethod
    def of(cls, interaction: discord.Interaction, *, language: str | None = None) -> Self:
        """Return the origin of an interaction; a guild's language goes before the member's."""
        assert interaction.channel_id is not None, "commands and buttons are used in a channel"
        return cls(
            interaction_id=interaction.id,
            guild_id=interaction.guild_id,
            channel_id=interaction.channel_id,
            channel_ids=channels_of(interaction),
            member_id=interaction.user.id,
            token=interaction.token,
            token_expires_at=interaction.created_at + TOKEN_LIFE,
            locale=language or locale_of(interaction),
            max_bytes=interaction.filesize_limit,
            reachable=_reachable(interaction),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """What is kept with a job beside its columns, as JSON.

    Args:
        width: of the picture that it starts from, or of the empty canvas if it has none.
        height: likewise.
        above_id: the channel below which that of the job hangs, if that is a thread.
    """

    strength: float
    width: int
    height: int
    max_bytes: int
    above_id: int | None = None
    negative_prompt: str = ""
    guidance_scale: float | None = None
    num_inference_steps: int | None = None
    scheduler: str | None = None
    manner: Manner | None = None
    chosen: str = ""
    control: str | None = None
    like_strength: float = LIKE_STRENGTH
    direction: str = ""
    frames: int = 1
    ratio: str | None = None
    mix: int | None = None
    count: int = 1
    subject: str = ""
    preset: str | None = None
    layers: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()

    @classmethod
    def of(cls, order: Order, origin: Origin) -> Self:
        """Return what is kept of an order."""
        fitted = order.image.notes if isinstance(order.image, Picture) else ()
        return cls(
            strength=order.strength,
            width=order.image.width,
            height=order.image.height,
            max_bytes=origin.max_bytes,
            above_id=next(iter(origin.channel_ids[1:]), None),
            negative_prompt=order.negative_prompt,
            guidance_scale=order.guidance_scale,
            num_inference_steps=order.num_inference_steps,
            scheduler=order.scheduler,
            manner=order.manner,
            chosen=order.chosen,
            control=order.control,
            like_strength=order.like_strength,
            direction=order.direction,
            frames=order.frames,
            ratio=order.ratio,
            mix=order.mix,
            count=order.count,
            subject=order.subject,
            preset=order.preset,
            layers=order.layers,
            notes=tuple(dict.fromkeys((*fitted, *order.notes))),
        )

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of what comes out."""
        return result_size(self.width, self.height, ratio=self.ratio)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        kept = {"layers": list(self.layers), "notes": notes_to_json(self.notes)}
        return {**asdict(self), **kept}

    @classmethod
    def of_job(cls, job: Job) -> Self:
        """Read what was kept with a job; what other versions kept besides is left aside."""
        known, stored = {each.name for each in fields(cls)}, job.parameters or PURGED
        found = {name: value for name, value in stored.items() if name in known}
        layers, notes = tuple(stored.get("layers", ())), notes_from_json(stored.get("notes"))
        manner = stored.get("manner") and Manner(**{**stored["manner"], "others": ()})
        return cls(**{**found, "layers": layers, "notes": notes, "manner": manner})


def result_size(width: int, height: int, *, ratio: str | None) -> tuple[int, int]:
    """Return the width and height of what is made of a picture, extended to a shape or not."""
    if ratio is None:
        return width, height
    return outer_size(width, height, ratio=parsed_ratio(ratio))


def notes_to_json(notes: tuple[Note, ...]) -> list[dict[str, Any]]:
    """Return remarks as JSON."""
    return [{"code": note.code.value, "words": list(note.words)} for note in notes]


def notes_from_json(stored: object) -> tuple[Note, ...]:
    """Read remarks from JSON."""
    rows = stored if isinstance(stored, list) else []
    return tuple(Note(code=NoteCode(row["code"]), words=tuple(row["words"])) for row in rows)


def channels_of(interaction: discord.Interaction) -> tuple[int, ...]:
    """Return the channel that an interaction came from and, of a thread, the one above it."""
    found = (getattr(interaction.channel, name, None) for name in ("id", "parent_id"))
    return tuple(each for each in found if each is not None)


def _reachable(interaction: discord.Interaction) -> bool:
    """Tell whether the bot is in the channel itself, not only taken along by a member."""
    if interaction.guild_id is None:
        return isinstance(interaction.channel, discord.DMChannel)
    return interaction.client.get_guild(interaction.guild_id) is not None


def locale_of(interaction: discord.Interaction) -> str:
    """Return the language of whoever interacts."""
    return interaction.locale.value if interaction.locale else DEFAULT_LOCALE


def any_seed(seed: int | None = None) -> int:
    """Return the seed that was asked for, or a new one."""
    return secrets.randbelow(MAX_SEED + 1) if seed is None else seed


def seed_of(first: int, *, number: int) -> int:
    """Return the seed of one of several pictures; they count up, and on from 0 at the end."""
    return (first + number) % (MAX_SEED + 1)
