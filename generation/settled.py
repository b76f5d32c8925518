"""What an installation has settled once, in a file that several engines share.

Pictures depend on such choices, so that one once made stays: of two engines that settle the same
thing at the same time, the first counts for both.
"""

import fcntl
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, TypeVar

from generation.replacing import replaced

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

    def recall(
        self, key: str, settle: Callable[[], ValueT], *, unkept: Callable[[], ValueT] | None = None
    ) -> ValueT:
        """Return what is kept under a key; settled and kept if there is nothing.

        Args:
            key: what it was made for.
            settle: makes the choice.
            unkept: makes it where nothing can be kept, if that is to be another.
        """
        kept = self.kept(key)
        if kept is not None:
            return kept
        if self._path is None:
            return (unkept or settle)()
        found = settle()
        try:
            return self._keep(self._path, key, found)
        except OSError as err:
            logger.warning("nothing can be kept in %s: %s", self._path, err)
            return found if unkept is None else unkept()

    def kept(self, key: str) -> ValueT | None:
        """Return what is kept under a key, None if that was never settled or is out of reach."""
        try:
            return self._parsed(self._read().get(key))
        except OSError as err:
            logger.warning("%s cannot be read: %s", self._path, err)
            return None

    def _keep(self, path: Path, key: str, found: ValueT) -> ValueT:
        """Add to the file, unless another engine was first: then what it settled counts.

        What else is in the file stays, even if it is not understood here.

        Raises:
            OSError: the file cannot be read or written; it stays as it is.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            told = self._read()
            kept = self._parsed(told.get(key))
            if kept is not None:
                return kept
            with replaced(path) as file:
                file.write(json.dumps({**told, key: found}, indent=1, default=asdict).encode())
        return found

    def _parsed(self, told: Any) -> ValueT | None:  # noqa: ANN401 - whatever the file says
        if told is None:
            return None
        with suppress(AttributeError, KeyError, TypeError, ValueError):
            return self._parse(told)
        return None

    def _read(self) -> dict[str, Any]:
        """Return what the file says, whatever that means; nothing if it is damaged.

        Raises:
            OSError: it is there but out of reach.
        """
        try:
            text = "{}" if self._path is None else self._path.read_text(encoding="utf-8")
            return dict(json.loads(text).items())
        except FileNotFoundError:
            return {}
        except (ValueError, AttributeError, RecursionError) as err:
            logger.warning("%s is damaged, and settled anew: %s", self._path, err)
            return {}
