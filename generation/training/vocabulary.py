"""A small CLIP vocabulary: byte-level byte-pair encoding that keeps the known words whole."""

import json
from collections import Counter
from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from pathlib import Path

START, END = "<|startoftext|>", "<|endoftext|>"


def byte_symbols() -> dict[int, str]:
    """Return the printable stand-in of every byte, as byte-level encoders agreed on it."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    symbols = {byte: chr(byte) for byte in kept}
    spare = (byte for byte in range(256) if byte not in symbols)
    symbols.update({byte: chr(256 + index) for index, byte in enumerate(spare)})
    return symbols


def learn_merges(words: Iterable[str]) -> list[tuple[str, str]]:
    """Return merges, most frequent pair first, until every word is one symbol.

    The pairs are counted as in Sennrich, Haddow & Birch (ACL 2016), with ties by spelling.
    """
    return list(_merges(tuple(sorted(set(words)))))


@cache
def _merges(words: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    symbols = byte_symbols()
    pieces = []
    for word in words:
        spelled = [symbols[byte] for byte in word.encode()]
        pieces.append([*spelled[:-1], spelled[-1] + "</w>"])
    merges: list[tuple[str, str]] = []
    while pairs := Counter(pair for piece in pieces for pair in pairwise(piece)):
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        pieces = [_merged(piece, best) for piece in pieces]
    return tuple(merges)


def _merged(piece: list[str], pair: tuple[str, str]) -> list[str]:
    result: list[str] = []
    for symbol in piece:
        if result and (result[-1], symbol) == pair:
            result[-1] += symbol
        else:
            result.append(symbol)
    return result


def write_vocabulary(folder: Path, *, words: Iterable[str], max_length: int) -> None:
    """Write vocab.json, merges.txt and tokenizer_config.json of a ``CLIPTokenizer``."""
    folder.mkdir(parents=True, exist_ok=True)
    merges = learn_merges(words)
    singles = [byte_symbols()[byte] for byte in range(256)]
    tokens = [*singles, *(symbol + "</w>" for symbol in singles)]
    tokens += [left + right for left, right in merges]
    tokens = [*dict.fromkeys(tokens), START, END]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), "utf-8")
    lines = ["#version: 0.2", *(f"{left} {right}" for left, right in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", "utf-8")
    config = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": max_length,
        "bos_token": START,
        "eos_token": END,
        "unk_token": END,
        "pad_token": END,
        "do_lower_case": True,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
