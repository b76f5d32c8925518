"""Reading a prompt: what weighs how much, and what it asks for in a checkpoint's own words."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from generation.errors import InvalidRequestError

MAX_WEIGHT = 2.0

_WEIGHTED = re.compile(r"\(([^()]*):\s*(\d+(?:\.\d*)?|\.\d+)\s*\)")
# Latin and other scripts with spaces give words; CJK characters are cut by the known words.
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]+")
_CJK_FILLERS = frozenset(
    "变成为把它让这张图片像照的和与在一个换给我请加上风格效果里中下了点些吧幅样子景色天气"
)
_ENDINGS = ("ised", "ized", "like", "ing", "ish", "es", "ed", "'s", "s", "y")
LEAST_STEM = 4
"""Letters that a word has without its ending, at least: of short words too little would be left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A prompt, read.

    Args:
        edits: the edits its words name, in their order, each once.
        words: the words that name them, as they were written or, of other forms, as they are known.
        unknown: the words that mean nothing to the checkpoint, each once.
    """

    edits: tuple[str, ...]
    words: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """A part of a prompt, and how much it counts; 1 is as much as without saying so."""

    text: str
    weight: float = 1.0


def fragments_of(prompt: str) -> tuple[Fragment, ...]:
    """Return a prompt in parts: ``(these words:1.2)`` count for what they say, the rest for 1.

    Joined, their texts are the prompt without what was said of weights.

    Raises:
        InvalidRequestError: a weight is beyond ``MAX_WEIGHT``.
    """
    found, start = list[Fragment](), 0
    for match in _WEIGHTED.finditer(prompt):
        weight = float(match[2])
        if weight > MAX_WEIGHT:
            raise InvalidRequestError(
                f"words weigh 0 to {MAX_WEIGHT:g}, not {match[2]}",
                why="word_weight",
                most=f"{MAX_WEIGHT:g}",
                given=match[2],
            )
        found.append(Fragment(text=prompt[start : match.start()]))
        found.append(Fragment(text=match[1], weight=weight))
        start = match.end()
    found.append(Fragment(text=prompt[start:]))
    return tuple(fragment for fragment in found if fragment.text)


def unweighted(prompt: str) -> str:
    """Return a prompt without what it says of weights.

    Raises:
        InvalidRequestError: a weight is beyond ``MAX_WEIGHT``.
    """
    return "".join(fragment.text for fragment in fragments_of(prompt))


def read_prompt(
    prompt: str, *, words: Mapping[str, Sequence[str]], fillers: Sequence[str]
) -> Reading:
    """Return which edits a prompt names, and its words that are neither known nor fillers."""
    edit_of = {word: edit for edit, group in words.items() for word in group}
    edits: dict[str, None] = {}
    named: dict[str, None] = {}
    unknown: dict[str, None] = {}
    for word in _phrases(list(_words(prompt.lower(), known=edit_of)), known=edit_of):
        if (told := _told(word, known=edit_of, fillers=fillers)) is not None:
            edits[edit_of[told]] = None
            named[told] = None
        elif word not in fillers and word not in _CJK_FILLERS:
            unknown[word] = None
    return Reading(edits=tuple(edits), words=tuple(named), unknown=tuple(unknown))


def _phrases(words: Sequence[str], *, known: Mapping[str, str]) -> Iterator[str]:
    """Yield words, those that make a known phrase together as one; the longest phrase wins."""
    longest = max((len(phrase.split()) for phrase in known), default=1)
    start = 0
    while start < len(words):
        ends = range(min(start + longest, len(words)), start + 1, -1)
        end = next((end for end in ends if " ".join(words[start:end]) in known), start + 1)
        yield " ".join(words[start:end])
        start = end


def _told(word: str, *, known: Mapping[str, str], fillers: Sequence[str]) -> str | None:
    """Return the known word that a word is or is a form of ("sketches", "cartoonish")."""
    if word in known or word in fillers:
        return word if word in known else None
    stems = (word.removesuffix(ending) for ending in _ENDINGS if word.endswith(ending))
    forms = (stem + end for stem in stems if len(stem) >= LEAST_STEM for end in ("", "e"))
    return next((form for form in forms if form in known), None)


def _words(text: str, *, known: Mapping[str, str]) -> Iterator[str]:
    for match in _WORD.finditer(text):
        word = match.group()
        if _CJK.fullmatch(word):
            yield from _cut(word, known=known)
        else:
            yield word


def _cut(run: str, *, known: Mapping[str, str]) -> Iterator[str]:
    """Yield the longest known words of a run without spaces, and what is left between them."""
    start, left = 0, ""
    while start < len(run):
        ends = range(len(run), start, -1)
        end = next((end for end in ends if run[start:end] in known), start + 1)
        word = run[start:end]
        if word not in known and word not in _CJK_FILLERS:
            left, start = left + word, end
            continue
        yield from (left, word) if left else (word,)
        start, left = end, ""
    if left:
        yield left


def words_like(text: str, *, words: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return a word for every edit: the first in the script of a text, else the first of all."""
    if not _CJK.search(text):
        return tuple(group[0] for group in words.values())
    return tuple(
        next((word for word in group if _CJK.fullmatch(word)), group[0]) for group in words.values()
    )
