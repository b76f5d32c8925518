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
from typing import Self

from bot.errors import WordUnfitError
from bot.spellings import BORDERLESS_LETTER, Spellings, letters_of
from storage.guilds import WordAction, WordRule

MAX_WORD, MAX_PLAIN, LEAST_LETTERS = 40, 64, 2

_ACCENTS = re.compile("[\u0300-\u036f]")
# Letters that are drawn as nothing at all, and what chooses a variant of the one before.
_BLANK = re.compile("[\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0]")
_LETTER = re.compile(r"[^\W_]")


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
    short = letters < LEAST_LETTERS and not BORDERLESS_LETTER.search(compared)
    if short or len(word) > MAX_WORD or len(compared) > MAX_PLAIN:
        raise WordUnfitError("not a word", most=MAX_WORD)
    return WordRule(word=" ".join(word.split()), plain=compared, action=action)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The word rules of a guild, ready to be compared with; ``of`` takes a millisecond for each."""

    rules: tuple[WordRule, ...] = ()
    spellings: tuple[Spellings, ...] = ()

    @classmethod
    def of(cls, rules: tuple[WordRule, ...]) -> Self:
        """Make rules ready."""
        return cls(rules=rules, spellings=tuple(Spellings.of(rule.plain) for rule in rules))

    def found(self, texts: Iterable[str]) -> WordAction | None:
        """Return what the strictest rule says that one of the texts breaks, None if none does."""
        read = [letters_of(plain(text)) for text in texts if text]
        broken = {
            rule.action
            for rule, spellings in zip(self.rules, self.spellings, strict=True)
            if any(spellings.are_in(letters) for letters in read)
        }
        return "block" if "block" in broken else next(iter(broken), None)
