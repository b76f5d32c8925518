"""Every locale has every text, with the same values, the same commands, and room in Discord."""

import json
import re
import string
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import discord
import pytest

from bot.texts import DEFAULT_LOCALE, load_texts

FOLDER = Path(str(files("bot") / "locales"))
TEXTS = load_texts()
LOCALES = sorted(place.stem for place in FOLDER.glob("*.json"))
OTHERS = [locale for locale in LOCALES if locale != DEFAULT_LOCALE]
MARKS = re.compile(
    r"`[^`{]+`|<t:\{\w+\}:\w>|<[@#]\{\w+\}>|/[a-z]+\b|\.(?:json|csv|txt)\b|^#+ |^-# ", re.M
)
"""What is no language: commands, code, files' names, times, mentions, and how a line begins."""
OWN_NAMES = ("language.name", "scheduler.")
LIMITS = {
    r"command\.remix\.menu": 32,
    r"command\..*": 100,
    r"amount\..*|period\.(?!dates).*|quota\.a\..*|language\..*": 100,
    r"admin\.(safety\.(off|spoiler|block)|words\.(block|warn)|jobs\.(?!title|line).*)": 100,
    r"(preset|shape|method|vae)\..*|form\.preset\.none": 100,
    r"button\..*|privacy\.delete\.button": 76,
    r"form\..*\.about": 100,
    r"form\.(edit\.title|remix\.title|prompt|preset|strength)": 45,
}
"""Most characters of what Discord cuts no longer texts for; a button has a number besides."""


def test_locales_are_found_by_their_files_and_discord_knows_them() -> None:
    assert set(LOCALES) == set(TEXTS.locales) >= {"en-US", "zh-CN"}
    assert TEXTS.locales[0] == DEFAULT_LOCALE
    assert {discord.Locale(locale).value for locale in LOCALES} == set(LOCALES)


@pytest.mark.parametrize("locale", OTHERS)
def test_every_locale_has_every_text(locale: str) -> None:
    ours, theirs = TEXTS.keys(DEFAULT_LOCALE), TEXTS.keys(locale)
    lacks = [f"bot/locales/{locale}.json lacks {key}" for key in sorted(ours - theirs)]
    lacks += [f"bot/locales/{DEFAULT_LOCALE}.json lacks {key}" for key in sorted(theirs - ours)]
    assert not lacks, "\n".join(lacks)


@pytest.mark.parametrize("locale", OTHERS)
def test_every_text_has_the_values_and_commands_that_the_english_one_has(locale: str) -> None:
    faults = [f"bot/locales/{locale}.json, {key}: {fault}" for key, fault in differences(locale)]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("locale", LOCALES)
def test_no_key_stands_twice_and_no_text_is_empty(locale: str) -> None:
    pairs: list[tuple[str, str]] = json.loads(
        (FOLDER / f"{locale}.json").read_text(encoding="utf-8"), object_pairs_hook=list
    )
    assert [key for key, count in Counter(key for key, _ in pairs).items() if count > 1] == []
    assert [key for key, text in pairs if not text.strip()] == []


@pytest.mark.parametrize("locale", LOCALES)
def test_what_discord_cuts_off_or_refuses_is_short_enough(locale: str) -> None:
    long = [
        f"bot/locales/{locale}.json, {key}: {len(text)} characters, {most} at most"
        for key, text, most in limited(locale)
        if len(text) > most
    ]
    assert not long, "\n".join(long)


def differences(locale: str) -> Iterator[tuple[str, str]]:
    """Yield keys of texts that are not what the English ones are, and how they differ."""
    for key in sorted(TEXTS.keys(DEFAULT_LOCALE) & TEXTS.keys(locale)):
        ours, theirs = TEXTS.find(key, DEFAULT_LOCALE), TEXTS.find(key, locale)
        assert ours is not None
        assert theirs is not None
        if fields(ours) != fields(theirs):
            yield key, f"values {fields(theirs)}, not {fields(ours)}"
        if marks(ours) != marks(theirs):
            yield key, f"commands and marks {marks(theirs)}, not {marks(ours)}"
        if ours == theirs and has_words(ours) and not key.startswith(OWN_NAMES):
            yield key, "is still English"


def limited(locale: str) -> Iterator[tuple[str, str, int]]:
    """Yield the keys with a limit, their texts as they are sent, and the limit."""
    for key in sorted(TEXTS.keys(locale)):
        text = TEXTS.find(key, locale)
        assert text is not None
        most = next((most for form, most in LIMITS.items() if re.fullmatch(form, key)), None)
        if most is not None:
            yield key, text.replace("{{", "{").replace("}}", "}"), most


def fields(text: str) -> list[str]:
    return sorted({name for _, name, _, _ in string.Formatter().parse(text) if name})


def marks(text: str) -> list[str]:
    return sorted(MARKS.findall(text))


def has_words(text: str) -> bool:
    """Tell whether a text has words of a language besides values, code and signs."""
    bare = re.sub(r"\{\w+\}", "", MARKS.sub("", text))
    return re.search(r"[^\W\d_]{2}", bare) is not None
