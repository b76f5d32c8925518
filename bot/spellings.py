"""All the spellings of one word, looked for in a time that grows with the text alone.

A member writes the text and an admin the word, and some signs stand for several letters, so an
expression that tries one reading after the other could be kept busy for hours. Here all readings
go along at once, one bit each (extended Shift-And: Navarro & Raffinot, Flexible Pattern Matching
in Strings, 2002).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import groupby, pairwise
from typing import NamedTuple, Self

# Thai and Lao, Myanmar, Khmer, kana, bopomofo, Han and Hangul, whose particles join the word.
_BORDERLESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005\u3040-\u312f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\U00020000-\U0003134f"
)
_SCRIPTS = (
    re.compile("[a-z\u0080-\u02af]"),
    re.compile("[\u0370-\u03ff]"),
    re.compile("[\u0400-\u052f]"),
)
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
BORDERLESS_LETTER = re.compile(f"[{_BORDERLESS}]")
_CHANGE = re.compile(
    f"(?<=[{_BORDERLESS}])(?=[^\\W{_BORDERLESS}])|(?<=[^\\W{_BORDERLESS}])(?=[{_BORDERLESS}])"
)
MOST_BETWEEN = 3
"""So many signs or spaces may stand between two letters of a word."""


class _Kind(IntEnum):
    """What may stand between two letters: nothing that is a letter, anything, or a sign alone."""

    LETTER = 0
    SPACE = 1
    SIGN = 2


class Letter(NamedTuple):
    """One letter of a text, and what matters about it.

    Args:
        looks: what it looks like.
        begins: whether a word may begin here.
        ends: whether a word may end here.
        scripts: a bit for each script that it is in.
    """

    looks: str
    kind: _Kind
    begins: bool
    ends: bool
    scripts: int


def letters_of(plain: str) -> tuple[Letter, ...]:
    """Return the letters of a text that was made plain.

    Where scripts with and without spaces meet, a space stands between them.
    """
    bare = _CHANGE.sub(" ", plain)
    words = [False, *(letter.isalnum() for letter in bare), False]
    looks = bare.translate(_LOOK_ALIKES)
    return tuple(
        Letter(
            looks=looks[at],
            kind=_kind(letter),
            begins=not words[at],
            ends=not words[at + 2],
            scripts=_scripts(letter),
        )
        for at, letter in enumerate(bare)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Spellings:
    """The spellings of a word: joined, or taken apart at every letter.

    A reading that has got as far as before place i is bit i. The upper half of the bits is of
    those readings that have had a letter of the script that the word is in; only they count.

    Args:
        start: the readings that begin.
        anywhere: whether they may begin, and may end, inside other words.
        ends: the readings that are complete.
        half: how many bits a half has.
        takes: which places take a letter.
        between: which take something else, by its kind.
        optional: the places that may be left out.
        repeated: those that take more of the same.
        pairs: those that may be left out together with the next.
        scripts: those of the word.
    """

    start: int
    anywhere: tuple[bool, bool]
    ends: int
    half: int
    takes: Mapping[str, int]
    between: tuple[int, int, int]
    optional: int
    repeated: int
    pairs: int
    scripts: int

    @classmethod
    def of(cls, compared: str) -> Self:
        """Return the spellings of a word, or of several, as rules have them."""
        letters = compared.translate(_LOOK_ALIKES)
        places = _Places()
        places.add_joined(letters)
        joined_end = places.end()
        apart = 1 << places.count
        places.add_apart(letters.replace(" ", ""))
        ends = joined_end | places.end()
        half, scripts = places.count, _scripts(compared)
        anywhere = BORDERLESS_LETTER.match(letters[0]), BORDERLESS_LETTER.match(letters[-1])

        def twice(bits: int) -> int:
            return bits | bits << half

        return cls(
            start=(1 | apart) << (0 if scripts else half),
            anywhere=(anywhere[0] is not None, anywhere[1] is not None),
            ends=ends << half,
            half=half,
            takes={letter: twice(bits) for letter, bits in places.takes.items()},
            between=(0, twice(places.gaps), twice(places.gaps | places.signs)),
            optional=twice(places.optional),
            repeated=twice(places.repeated),
            pairs=twice(places.pairs),
            scripts=scripts,
        )

    def are_in(self, letters: Sequence[Letter]) -> bool:
        """Tell whether one of them is in a text, with a letter of the script of the word."""
        readings, (begins, ends) = 0, self.anywhere
        upper = ((1 << self.half) - 1) << self.half
        for it in letters:
            if begins or it.begins:
                readings |= self.start
            if not readings:
                continue
            if it.scripts & self.scripts:
                readings = (readings | readings << self.half) & upper
            taking = readings & (self.takes.get(it.looks, 0) | self.between[it.kind])
            readings = taking << 1 | taking & self.repeated
            readings |= (readings & self.pairs) << 2
            # The carry runs through as many optional places as follow each other.
            readings |= (self.optional + (readings & self.optional)) ^ self.optional
            if readings & self.ends and (ends or it.ends):
                return True
        return False


@dataclass(slots=True)
class _Places:
    """The places of spellings in the making, one bit each."""

    count: int = 0
    takes: dict[str, int] = field(default_factory=dict)
    signs: int = 0
    gaps: int = 0
    optional: int = 0
    repeated: int = 0
    pairs: int = 0

    def end(self) -> int:
        """End one way to spell; its last bit takes nothing."""
        return self._next()

    def add_joined(self, letters: str) -> None:
        """Add words whose letters follow each other, each drawn out at will."""
        for number, word in enumerate(letters.split()):
            if number:
                self._add_between(spaces=True)
            self._add_word(word)

    def add_apart(self, letters: str) -> None:
        """Add letters with something between any two."""
        for number, letter in enumerate(letters):
            if number:
                self._add_between(spaces=True, least=1)
            self._add(letter)

    def _add_word(self, word: str) -> None:
        runs = [(letter, len([*run])) for letter, run in groupby(word)]
        self._add_drawn_out(*runs[0])
        for (before, _), (letter, count) in pairwise(runs):
            borderless = BORDERLESS_LETTER.match(before) or BORDERLESS_LETTER.match(letter)
            self._add_between(spaces=borderless is not None)
            self._add_drawn_out(letter, count)

    def _add_drawn_out(self, letter: str, count: int) -> None:
        """Add a letter so many times, or clearly more than that."""
        self._add(letter)
        for _ in range(count - 1):
            self._add_between(spaces=False)
            self._add(letter)
        if count > 1:
            bit = self._add(letter)
            self.optional |= bit
        else:
            self.pairs |= self._add(letter)
            bit = self._add(letter)
        self.repeated |= bit

    def _add(self, letter: str) -> int:
        bit = self._next()
        for each in _SIGNS.get(letter, letter):
            self.takes[each] = self.takes.get(each, 0) | bit
        return bit

    def _add_between(self, *, spaces: bool, least: int = 0) -> None:
        for number in range(MOST_BETWEEN):
            bit = self._next()
            self.gaps |= bit if spaces else 0
            self.signs |= 0 if spaces else bit
            self.optional |= bit if number >= least else 0

    def _next(self) -> int:
        self.count += 1
        return 1 << (self.count - 1)


def _kind(letter: str) -> _Kind:
    if letter.isalnum():
        return _Kind.LETTER
    return _Kind.SPACE if letter.isspace() else _Kind.SIGN


def _scripts(text: str) -> int:
    return sum(1 << at for at, letter in enumerate(_SCRIPTS) if letter.search(text))
