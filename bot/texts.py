"""Every text a member reads, by key and locale.

A locale is one JSON file in ``bot/locales``, a flat table of keys; a test holds all files to the
same keys and values. Members whose language has no file are answered in English. Values are put in
once and never looked at again, so that a prompt with braces is a prompt.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TypeVar

import discord
from discord import app_commands

DEFAULT_LOCALE = "en-US"
C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A value of a text that is itself said in the language of whoever reads it.

    By itself, as in a log or on the command line, it is English.

    Args:
        key: of its text.
        values: of that text; there may be phrases among them.
    """

    key: str
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return load_texts().say(self.key, **self.values)


class Texts:
    """The sentences of all locales."""

    def __init__(self, tables: Mapping[str, Mapping[str, str]]) -> None:
        self._tables = tables

    def __contains__(self, key: str) -> bool:
        return key in self._tables[DEFAULT_LOCALE]

    @property
    def locales(self) -> tuple[str, ...]:
        """The locales there are."""
        return tuple(self._tables)

    def keys(self, locale: str) -> frozenset[str]:
        """Return the keys that a locale has a text for."""
        return frozenset(self._tables[locale])

    def find(self, key: str, locale: str) -> str | None:
        """Return a text as it stands in one locale, or None."""
        return self._tables.get(locale, {}).get(key)

    def say(self, key: str, locale: str = DEFAULT_LOCALE, /, **values: object) -> str:
        """Return a text with its values.

        Raises:
            KeyError: no locale knows the key, or a value is missing.
        """
        template = self.find(key, locale) or self._tables[DEFAULT_LOCALE][key]
        return template.format_map({name: self.tell(it, locale) for name, it in values.items()})

    def tell(self, value: object, locale: str = DEFAULT_LOCALE) -> object:
        """Return a value as it is, a phrase in the words of a locale, and several in a row."""
        if isinstance(value, Phrase):
            return self.say(value.key, locale, **value.values)
        if isinstance(value, tuple):
            between = self.say("list.between", locale)
            return between.join(str(self.tell(each, locale)) for each in value)
        return value


@cache
def load_texts() -> Texts:
    """Read all locales, the default one first."""
    folder = files("bot") / "locales"
    found = {
        entry.name.removesuffix(".json"): json.loads(entry.read_text(encoding="utf-8"))
        for entry in folder.iterdir()
        if entry.name.endswith(".json")
    }
    first = {DEFAULT_LOCALE: found[DEFAULT_LOCALE]}
    return Texts({**first, **found})


def own_name(locale: str) -> str:
    """Return what a language calls itself."""
    return load_texts().say("language.name", locale)


def label(key: str) -> app_commands.locale_str:
    """Return a name or description of a command: English, and the key for other locales."""
    return app_commands.locale_str(load_texts().say(key), key=key)


def describe(**about: app_commands.locale_str) -> Callable[[C], C]:
    """Say what the options of a command are for; their names are said in the locales, too.

    The English name is the parameter's own, and so is what Discord sends in any language.
    """
    names: dict[str, str | app_commands.locale_str] = {
        name: app_commands.locale_str(name, key=f"option.{name}") for name in about
    }

    def decorate(command: C) -> C:
        return app_commands.rename(**names)(app_commands.describe(**about)(command))

    return decorate


class TableTranslator(app_commands.Translator):
    """Looks the names and descriptions of commands up in the locale files."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        """Return the text of a locale, None when it has none of its own."""
        key = string.extras.get("key")
        if locale.value == DEFAULT_LOCALE:
            return None
        found = self._texts.find(key, locale.value) if key else None
        return None if found is None else found.format_map({})


@dataclass(frozen=True, slots=True)
class Voice:
    """The texts in one member's language."""

    texts: Texts
    locale: str = DEFAULT_LOCALE

    def say(self, key: str, /, **values: object) -> str:
        """Return a text with its values."""
        return self.texts.say(key, self.locale, **values)

    def tell(self, value: Phrase | str) -> str:
        """Return what may be a phrase in the member's language."""
        return str(self.texts.tell(value, self.locale))
