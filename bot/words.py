"""Finding the words that a guild does not want, however they are spelt.

Words are compared whole, and as what they look like: compatibility forms, case, accents and
invisible characters make no difference (NFKC, case folding), letters of other scripts count as
those they resemble within a word that has some of its own, and so do digits and signs (``n0``,
``@``). A word may be drawn out or be taken apart, by signs anywhere or by spaces at every letter.
Scripts that put no spaces between words have no borders either: there any occurrence counts.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Self

from bot.errors import WordUnfitError
from storage.guilds import WordAction, WordRule

MAX_WORD, MAX_PLAIN, LEAST_LETTERS = 40, 64, 2

# Thai and Lao, Myanmar, Khmer, kana, bopomofo, Han and Hangul, whose particles join the word.
_BORDERLESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005\u3040-\u312f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\U00020000-\U0003134f"
)
_SCRIPTS = {
    "latin": re.compile("[a-z\u0080-\u02af]"),
    "greek": re.compile("[\u0370-\u03ff]"),
    "cyrillic": re.compile("[\u0400-\u052f]"),
}
_ACCENTS = re.compile("[\u0300-\u036f]")
# Letters that are drawn as nothing at all, and what chooses a variant of the one before.
_BLANK = re.compile("[\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0]")
# Pairs of a letter, in lower case and without accents, and the Latin one that it looks like.
_RESEMBLING = (
    "аa вb еe кk мm нh оo рp сc тt уy хx ѕs іi јj ԁd ԛq ԝw ѵv һh үy"  # noqa: RUF001
    " αa βb εe ηn ιi κk νv οo ρp τt υu χx γy ωw"  # noqa: RUF001
    " ıi ɑa ɡg ɩi łl øo đd ħh ŧt"  # noqa: RUF001
)
_LOOK_ALIKES = str.maketrans(
    {pair[0]: pair[1] for pair in _RESEMBLING.split()}
    | {chr(katakana): chr(katakana - 0x60) for katakana in range(0x30A1, 0x30F7)}
)
_SIGNS = {
    "a": "a@4", "b": "b8", "e": "e3", "g": "g9", "i": "i1!|", "l": "l1|", "o": "o0",
    "s": "s5$", "t": "t7+", "z": "z2",
}  # fmt: skip
_LETTER = re.compile(r"[^\W_]")
_BORDERLESS_LETTER = re.compile(f"[{_BORDERLESS}]")
_CHANGE = re.compile(
    f"(?<=[{_BORDERLESS}])(?=[^\\W{_BORDERLESS}])|(?<=[^\\W{_BORDERLESS}])(?=[{_BORDERLESS}])"
)
_BEFORE, _AFTER = r"(?<![^\W_])", r"(?![^\W_])"
_SIGN, _GAP, _APART = r"(?:[^\w\s]|_){0,3}", r"[\W_]{0,3}", r"[\W_]{1,3}"


def plain(text: str) -> str:
    """Return what a text is compared as, before letters count as those they look like."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    bare = _ACCENTS.sub("", unicodedata.normalize("NFD", folded))
    seen = (letter for letter in bare if unicodedata.category(letter) not in ("Cf", "Cc"))
    joined = unicodedata.normalize("NFC", _BLANK.sub("", "".join(seen)))
    return " ".join(joined.split())


def rule_of(word: str, action: WordAction) -> WordRule:
    """Return the rule for a word as an admin writes it.

    Raises:
        WordUnfitError: it is too long, or too short to be a word.
    """
    compared = " ".join(re.findall(r"[^\W_]+", plain(word)))
    letters = len(_LETTER.findall(compared))
    short = letters < LEAST_LETTERS and not _BORDERLESS_LETTER.search(compared)
    if short or len(word) > MAX_WORD or len(compared) > MAX_PLAIN:
        raise WordUnfitError("not a word", most=MAX_WORD)
    return WordRule(word=" ".join(word.split()), plain=compared, action=action)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The word rules of a guild, ready to be compared with; ``of`` takes a millisecond for each."""

    rules: tuple[WordRule, ...] = ()
    patterns: tuple[re.Pattern[str], ...] = ()

    @classmethod
    def of(cls, rules: tuple[WordRule, ...]) -> Self:
        """Make rules ready."""
        return cls(rules=rules, patterns=tuple(_pattern(rule.plain) for rule in rules))

    def found(self, texts: Iterable[str]) -> WordAction | None:
        """Return what the strictest rule says that one of the texts breaks, None if none does."""
        read = [_Text.of(text) for text in texts if text]
        broken = {
            rule.action
            for rule, pattern in zip(self.rules, self.patterns, strict=True)
            if any(it.has(rule.plain, pattern) for it in read)
        }
        return "block" if "block" in broken else next(iter(broken), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    """A text as it is, and with every letter as what it looks like; letter by letter the same.

    Where scripts with and without spaces meet, a space stands between them.
    """

    bare: str
    looks: str

    @classmethod
    def of(cls, text: str) -> Self:
        bare = _CHANGE.sub(" ", plain(text))
        return cls(bare=bare, looks=bare.translate(_LOOK_ALIKES))

    def has(self, compared: str, pattern: re.Pattern[str]) -> bool:
        """Tell whether a rule's word is there, with a letter of the script that it is in."""
        own = _scripts(compared)
        return any(
            not own or own & _scripts(self.bare[match.start() : match.end()])
            for match in pattern.finditer(self.looks)
        )


def _pattern(compared: str) -> re.Pattern[str]:
    """Return the expression of a rule's word: joined, or taken apart at every letter."""
    letters = compared.translate(_LOOK_ALIKES)
    first, last = letters[0], letters[-1]
    before = "" if _BORDERLESS_LETTER.match(first) else _BEFORE
    after = "" if _BORDERLESS_LETTER.match(last) else _AFTER
    apart = _APART.join(_class(letter) for letter in letters.replace(" ", ""))
    return re.compile(f"{before}(?:{_joined(letters)}|{apart}){after}")


def _joined(letters: str) -> str:
    """Return the expression of words whose letters follow each other, each drawn out at will."""
    return _GAP.join(_word(word) for word in letters.split())


def _word(letters: str) -> str:
    runs = [(letter, len([*run])) for letter, run in groupby(letters)]
    found = _drawn_out(*runs[0])
    for (before, _), (letter, count) in pairwise(runs):
        borderless = _BORDERLESS_LETTER.match(before) or _BORDERLESS_LETTER.match(letter)
        found += (_GAP if borderless else _SIGN) + _drawn_out(letter, count)
    return found


def _drawn_out(letter: str, count: int) -> str:
    """Return the expression of a letter so many times, or of clearly more than that."""
    one = _class(letter)
    return _SIGN.join([one] * count) + (f"{one}*" if count > 1 else f"(?:{one}{{2,}})?")


def _class(letter: str) -> str:
    return f"[{re.escape(_SIGNS[letter])}]" if letter in _SIGNS else re.escape(letter)


def _scripts(text: str) -> frozenset[str]:
    return frozenset(name for name, letter in _SCRIPTS.items() if letter.search(text))
