"""What an installation has settled once, in a file that several engines share.

Pictures depend on such choices, so that one once made stays: of two engines that settle the same
thing at the same time, the first counts for both.
"""

import fcntl
import json
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, TypeVar

ValueT = TypeVar("ValueT")

logger = logging.getLogger(__name__)


class Settled(Generic[ValueT]):
    """Choices by what they were made for. A file that is damaged is as good as none.

    Args:
        path: None keeps nothing.
        parse: makes a choice of what JSON says; what it raises a ValueError, a TypeError, a
            KeyError or an AttributeError for is as good as not there.
    """

    def __init__(self, path: Path | None, *, parse: Callable[[Any], ValueT]) -> None:
        self._path = path
        self._parse = parse

    def recall(self, key: str, settle: Callable[[], ValueT]) -> ValueT:
        """Return what is kept under a key; settled and kept if there is nothing."""
        kept = self._read().get(key)
        if kept is not None:
            return kept
        found = settle()
        return found if self._path is None else self._keep(self._path, key, found)

    def kept(self, key: str) -> ValueT | None:
        """Return what is kept under a key, None if that was never settled."""
        return self._read().get(key)

    def _keep(self, path: Path, key: str, found: ValueT) -> ValueT:
        """Add to the file, unless another engine was first: then what it settled counts."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                kept = self._read()
                found = kept.setdefault(key, found)
                fresh = path.with_suffix(f".{os.getpid()}")
                fresh.write_text(json.dumps(kept, indent=1, default=asdict), encoding="utf-8")
                fresh.replace(path)
        except OSError as err:
            logger.warning("%s cannot be written: %s", path, err)
        return found

    def _read(self) -> dict[str, ValueT]:
        found: dict[str, ValueT] = {}
        try:
            text = "{}" if self._path is None else self._path.read_text(encoding="utf-8")
            for key, told in json.loads(text).items():
                with suppress(AttributeError, KeyError, TypeError, ValueError):
                    found[key] = self._parse(told)
        except FileNotFoundError:
            pass
        except (OSError, ValueError, AttributeError, RecursionError) as err:
            logger.warning("%s is damaged, and settled anew: %s", self._path, err)
        return found
