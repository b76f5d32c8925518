"""What Discord offers while a member types; whatever they then send is checked again."""

from collections.abc import Iterable, Mapping
from itertools import islice

from discord import app_commands

from bot.texts import Voice, label
from generation.canvases import SHAPES
from generation.catalogue import Entry
from generation.designers import Designer
from generation.portraits import Portraitist
from generation.prompts import words_like
from generation.vaes import Vae

Choices = list[app_commands.Choice[str]]
MAX_CHOICES, MAX_LETTERS = 25, 100
NAME_LENGTH = 64
"""Of a model's or a preset's name; Discord sends no longer one."""
SOME_WORDS = 3


def choice(key: str, value: str) -> app_commands.Choice[str]:
    """Return a choice whose name is said in the member's language."""
    return app_commands.Choice(name=label(key), value=value)


def matching(typed: str, lines: Mapping[str, str]) -> Choices:
    """Return the choices whose name or line holds what was typed, as many as Discord shows."""
    sought = typed.casefold().strip()
    return [
        app_commands.Choice(name=line[:MAX_LETTERS], value=name)
        for name, line in lines.items()
        if sought in name.casefold() or sought in line.casefold()
    ][:MAX_CHOICES]


def listed(names: Iterable[str]) -> tuple[str, ...]:
    """Return as many names as fit into a reply however long each is."""
    left = iter(names)
    shown = list(islice(left, MAX_CHOICES))
    more = ["…"] if next(left, None) is not None else []
    return (*shown, *more)


def model_line(voice: Voice, entry: Entry) -> str:
    """Return a line about a checkpoint: what it is, and which words it understands."""
    about = {"name": entry.name, "title": entry.title}
    if not entry.words:
        return voice.say("model.any", **about)
    # What a language calls itself is written as its members write.
    known = words_like(voice.say("language.name"), words=entry.manifest.words)
    some = known[:SOME_WORDS]
    return voice.say("model.words", **about, count=len(entry.words), some=some)


def vae_line(voice: Voice, vae: Vae | Designer) -> str:
    """Return a line about a VAE, or a designer."""
    return voice.say("model.vae", name=vae.name, title=voice.say(f"vae.{vae.make}"))


def portrait_line(voice: Voice, each: Portraitist) -> str:
    """Return a line about a model that makes pictures of a seed."""
    title = each.title if each.network else voice.say("vae.painted")
    return f"{each.name} \u00b7 {title}"


def shape_choices(voice: Voice, typed: str) -> Choices:
    """Return the usual shapes of pictures whose line holds what was typed."""
    return matching(typed, {shape: voice.say(f"shape.{shape}") for shape in SHAPES})
