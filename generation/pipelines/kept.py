"""What a pipeline keeps to do it once: values by what they were made from, bounded by bytes."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from generation.request import Pixels

ValueT = TypeVar("ValueT")


@dataclass(slots=True, kw_only=True)
class _Entry(Generic[ValueT]):
    value: ValueT
    size: int


class Kept(Generic[ValueT]):
    """Values in the order of their last use; the oldest go when there are too many bytes.

    Args:
        max_bytes: of all values together; a larger value is not kept at all.
        size_of: says how many bytes a value takes.

    Attributes:
        bytes: of what is kept.
        hits, misses: how often something that was asked for was there, and how often not.
    """

    def __init__(self, *, max_bytes: int, size_of: Callable[[ValueT], int]) -> None:
        self._max_bytes = max_bytes
        self._size_of = size_of
        self._entries: OrderedDict[Hashable, _Entry[ValueT]] = OrderedDict()
        self.bytes = 0
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        """Return how many values are kept."""
        return len(self._entries)

    def get(self, key: Hashable) -> ValueT | None:
        """Return what is kept under a key, or None."""
        entry = self._entries.get(key)
        if entry is None:
            self.misses += 1
            return None
        self.hits += 1
        self._entries.move_to_end(key)
        return entry.value

    def put(self, key: Hashable, value: ValueT) -> None:
        """Keep a value, and let go of the oldest that find no room beside it."""
        self._forget(key)
        size = self._size_of(value)
        if size > self._max_bytes:
            return
        while self.bytes + size > self._max_bytes:
            self._forget(next(iter(self._entries)))
        self._entries[key] = _Entry(value=value, size=size)
        self.bytes += size

    def clear(self) -> None:
        """Let go of everything."""
        self._entries.clear()
        self.bytes = 0

    def _forget(self, key: Hashable) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.bytes -= entry.size


def digest(picture: Pixels) -> tuple[int, int, bytes]:
    """Return what tells a picture from every other: its size and its bytes' SHA-256."""
    return picture.width, picture.height, hashlib.sha256(picture.data).digest()
