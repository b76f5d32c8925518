"""Reading a prompt by the words that a checkpoint declares: what it asks for, what is unknown."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

# Latin and other scripts with spaces give words; CJK characters are cut by the known words.
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]+")
_CJK_FILLERS = frozenset("变成为把它让这张图片像照的和与在一个换给我请加上")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A prompt, read.

    Args:
        edits: the edits its words name, in their order, each once.
        words: the words that name them, as they were written.
        unknown: the words that mean nothing to the checkpoint, each once.
    """

    edits: tuple[str, ...]
    words: tuple[str, ...]
    unknown: tuple[str, ...]


def read_prompt(
    prompt: str, *, words: Mapping[str, Sequence[str]], fillers: Sequence[str]
) -> Reading:
    """Return which edits a prompt names, and its words that are neither known nor fillers."""
    edit_of = {word: edit for edit, group in words.items() for word in group}
    edits: dict[str, None] = {}
    named: dict[str, None] = {}
    unknown: dict[str, None] = {}
    for word in _words(prompt.lower(), known=edit_of):
        if word in edit_of:
            edits[edit_of[word]] = None
            named[word] = None
        elif word not in fillers and word not in _CJK_FILLERS:
            unknown[word] = None
    return Reading(edits=tuple(edits), words=tuple(named), unknown=tuple(unknown))


def _words(text: str, *, known: Mapping[str, str]) -> Iterator[str]:
    for match in _WORD.finditer(text):
        word = match.group()
        if _CJK.fullmatch(word):
            yield from _cut(word, known=known)
        else:
            yield word


def _cut(run: str, *, known: Mapping[str, str]) -> Iterator[str]:
    """Yield the longest known words of a run without spaces, and what is left between them."""
    start = 0
    while start < len(run):
        ends = range(len(run), start, -1)
        end = next((end for end in ends if run[start:end] in known), start + 1)
        yield run[start:end]
        start = end
