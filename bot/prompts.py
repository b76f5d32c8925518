"""Words of strangers, made harmless before they are stored, said back or drawn."""

import re
import unicodedata

import discord

from bot.errors import PromptTooLongError

MAX_PROMPT = 300
MAX_MARKS = 2
"""Combining marks kept on one letter: enough for any script, too few to climb over the line."""

_SURROGATES = re.compile(r"[\ud800-\udfff]")


def clean_prompt(text: str) -> str:
    """Return a prompt as one line of ordinary, normalised text.

    Control and format characters (NUL, zero width, direction overrides), lone surrogates and
    stacks of combining marks go; any white space becomes one space.

    Raises:
        PromptTooLongError: more than ``MAX_PROMPT`` characters; nothing was reserved.
    """
    if len(text) > MAX_PROMPT:
        raise PromptTooLongError("too many characters", length=len(text), limit=MAX_PROMPT)
    whole = unicodedata.normalize("NFC", _SURROGATES.sub("", text))
    kept: list[str] = []
    marks = 0
    for letter in whole:
        category = unicodedata.category(letter)
        marks = marks + 1 if category.startswith("M") else 0
        if marks > MAX_MARKS:
            continue
        if letter.isspace():
            kept.append(" ")
        elif not category.startswith("C"):
            kept.append(letter)
    return " ".join("".join(kept).split())


def shown(prompt: str, *, limit: int = 200) -> str:
    """Return a prompt so that it can stand in a message: no markdown, no mention, bounded."""
    short = prompt if len(prompt) <= limit else f"{prompt[: limit - 1]}…"
    plain = discord.utils.escape_mentions(discord.utils.escape_markdown(short))
    # Channels, times, emoji and commands start with this bracket too.
    return plain.replace("<", "\\<")
