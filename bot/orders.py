"""What a member asks for, and what of it is written down with the job."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

import discord

from bot.texts import DEFAULT_LOCALE
from generation.request import MAX_SEED, Note, NoteCode
from storage.files import StoredFile

TOKEN_LIFE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture in the file store, safe to hand to the engine."""

    file: StoredFile
    width: int
    height: int
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One picture that is asked for.

    Args:
        command: the command's family, which gives the title.
        subject: what the reply names: the prompt or the artwork's title.
        preset: the ready-made edit or artwork that was chosen.
        layers: what is drawn over the result.
        parent_id: the job that this one repeats or edits.
    """

    command: str
    pipeline: str
    image: Picture
    strength: float
    seed: int
    prompt: str = ""
    subject: str = ""
    style_image: Picture | None = None
    preset: str | None = None
    layers: tuple[str, ...] = ()
    model: str | None = None
    parent_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an order came from, and how its reply gets there.

    Args:
        max_bytes: the largest file that may be attached to the reply.
        reachable: whether the bot itself may speak in the channel once the token is over.
    """

    interaction_id: int
    guild_id: int | None
    channel_id: int
    member_id: int
    token: str
    token_expires_at: datetime
    locale: str
    max_bytes: int
    reachable: bool

    @classmethod
    def of(cls, interaction: discord.Interaction) -> Self:
        """Return the origin of an interaction."""
        assert interaction.channel_id is not None, "commands and buttons are used in a channel"
        return cls(
            interaction_id=interaction.id,
            guild_id=interaction.guild_id,
            channel_id=interaction.channel_id,
            member_id=interaction.user.id,
            token=interaction.token,
            token_expires_at=interaction.created_at + TOKEN_LIFE,
            locale=locale_of(interaction),
            max_bytes=interaction.filesize_limit,
            reachable=_reachable(interaction),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """What is kept with a job beside its columns, as JSON."""

    strength: float
    width: int
    height: int
    max_bytes: int
    subject: str = ""
    preset: str | None = None
    style_size: tuple[int, int] | None = None
    layers: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()

    @classmethod
    def of(cls, order: Order, origin: Origin) -> Self:
        """Return what is kept of an order."""
        style = order.style_image
        return cls(
            strength=order.strength,
            width=order.image.width,
            height=order.image.height,
            max_bytes=origin.max_bytes,
            subject=order.subject,
            preset=order.preset,
            style_size=(style.width, style.height) if style else None,
            layers=order.layers,
            notes=order.image.notes,
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "strength": self.strength,
            "width": self.width,
            "height": self.height,
            "max_bytes": self.max_bytes,
            "subject": self.subject,
            "preset": self.preset,
            "style_size": list(self.style_size) if self.style_size else None,
            "layers": list(self.layers),
            "notes": notes_to_json(self.notes),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what was kept."""
        size = stored.get("style_size")
        fields = {
            **stored,
            "layers": tuple(stored.get("layers", ())),
            "notes": notes_from_json(stored.get("notes")),
        }
        return cls(**{**fields, "style_size": (size[0], size[1]) if size else None})


def notes_to_json(notes: tuple[Note, ...]) -> list[dict[str, Any]]:
    """Return remarks as JSON."""
    return [{"code": note.code.value, "words": list(note.words)} for note in notes]


def notes_from_json(stored: object) -> tuple[Note, ...]:
    """Read remarks from JSON."""
    rows = stored if isinstance(stored, list) else []
    return tuple(Note(code=NoteCode(row["code"]), words=tuple(row["words"])) for row in rows)


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
