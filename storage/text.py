"""Texts of members made safe to keep, to show and to compare.

Members can send anything that a keyboard, a script or a broken client produces. What is kept is
NFC text without control characters, without halves of surrogate pairs, without marks that turn
the writing direction of whatever follows, and with at most a few combining marks on a letter.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from storage.errors import TextTooLongError

MAX_TEXT_CHARS = 6000
MAX_MARKS = 4

JsonValue: TypeAlias = (
    "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
)

_DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_INVISIBLE = frozenset("\u200b\u2060\ufeff")
_KEPT_CONTROLS = frozenset("\n\t")


def clean_text(text: str, *, max_chars: int = MAX_TEXT_CHARS) -> str:
    """Return a text as it may be stored: normalised, visible, and without traps.

    Raises:
        TextTooLongError: it has more than ``max_chars`` characters; it is not cut silently.
    """
    if len(text) > max_chars:
        raise TextTooLongError(f"the text has {len(text)} characters; {max_chars} are kept")
    normalised = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "".join(_without_towers(_without_traps(normalised))).strip()


def clean_json(value: "JsonValue", *, max_chars: int = MAX_TEXT_CHARS) -> "JsonValue":
    """Return JSON-like data with every text in it cleaned.

    Raises:
        TextTooLongError: one of its texts has more than ``max_chars`` characters.
    """
    if isinstance(value, str):
        return clean_text(value, max_chars=max_chars)
    if isinstance(value, Mapping):
        return {
            clean_text(key, max_chars=max_chars): clean_json(each, max_chars=max_chars)
            for key, each in value.items()
        }
    if isinstance(value, Sequence):
        return [clean_json(each, max_chars=max_chars) for each in value]
    return value


def _without_traps(text: str) -> Iterator[str]:
    for char in text:
        if char in _DIRECTION_MARKS or char in _INVISIBLE:
            continue
        if unicodedata.category(char) in {"Cc", "Cs"} and char not in _KEPT_CONTROLS:
            continue
        yield char


def _without_towers(chars: Iterator[str]) -> Iterator[str]:
    marks = 0
    for char in chars:
        marks = marks + 1 if unicodedata.combining(char) else 0
        if marks <= MAX_MARKS:
            yield char
