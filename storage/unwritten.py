"""Commands that were acknowledged while the database did not answer, on a disk of this machine.

Each process writes into a file of its own, which it holds with a lock. The kernel drops the lock
with the process, so that what one has left is found by the next that has the same folder. Tokens
are encrypted. What is blocking here runs in threads.
"""

import asyncio
import errno
import fcntl
import json
import os
import secrets
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from pathlib import Path

from storage.acknowledgements import Acknowledgement
from storage.errors import KeyMissingError
from storage.sealing import KeyRing

_ENDING = ".jsonl"


class Unwritten:
    """What one process has acknowledged and could not write down elsewhere.

    Args:
        folder: where the files of all processes are that find each other's.
        ring: gives the keys that tokens are encrypted with; it may read them from a disk.
    """

    def __init__(self, folder: Path, *, ring: Callable[[], KeyRing]) -> None:
        self._folder = folder
        self._ring = ring
        self._name = secrets.token_hex(8) + _ENDING
        self._descriptor: int | None = None
        self._ids: set[int] = set()
        self._writing = asyncio.Lock()

    async def keep(self, new: Acknowledgement) -> None:
        """Write a command down; when this returns it survives this process.

        Raises:
            OSError: the disk refuses it.
        """
        async with self._writing:
            await asyncio.to_thread(self._append, new)
            self._ids.add(new.interaction_id)

    async def drop(self, interaction_id: int) -> None:
        """Forget a command that is written down elsewhere or answered, if it is one of these.

        The file is emptied with the last; until then who finds it asks the database and Discord.
        """
        if interaction_id not in self._ids:
            return
        async with self._writing:
            self._ids.discard(interaction_id)
            if not self._ids and self._descriptor is not None:
                await asyncio.to_thread(os.ftruncate, self._descriptor, 0)

    async def hand_over(self, write: Callable[[list[Acknowledgement]], Awaitable[object]]) -> None:
        """Have what processes that are gone have left written down elsewhere, then remove it.

        Raises:
            StorageError: it cannot be written down now; it stays.
        """
        for path in await asyncio.to_thread(self._others):
            descriptor = await asyncio.to_thread(_taken, path)
            if descriptor is None:
                continue
            try:
                if found := await asyncio.to_thread(self._found, descriptor):
                    await write(found)
                await asyncio.to_thread(path.unlink, missing_ok=True)
            finally:
                os.close(descriptor)

    async def close(self) -> None:
        """Leave the file to others, or remove it where nothing is left in it."""
        if self._descriptor is not None:
            await asyncio.to_thread(self._close, self._descriptor)
            self._descriptor = None

    def _append(self, new: Acknowledgement) -> None:
        if self._descriptor is None:
            self._descriptor = self._opened()
        line = {
            "interaction_id": new.interaction_id,
            "token": self._ring().seal_text(new.token),
            "token_expires_at": new.token_expires_at.isoformat(),
            "locale": new.locale,
        }
        data, before = json.dumps(line).encode() + b"\n", os.fstat(self._descriptor).st_size
        if os.write(self._descriptor, data) < len(data):
            os.ftruncate(self._descriptor, before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(self._descriptor)

    def _opened(self) -> int:
        """Make this process's file, which has its name only once it is held."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / self._name
        new = path.with_suffix(".new")
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(new, flags, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        new.rename(path)
        return descriptor

    def _close(self, descriptor: int) -> None:
        if not self._ids:
            (self._folder / self._name).unlink(missing_ok=True)
        os.close(descriptor)

    def _others(self) -> list[Path]:
        files = self._folder.glob(f"*{_ENDING}")
        return sorted(path for path in files if path.name != self._name)

    def _found(self, descriptor: int) -> list[Acknowledgement]:
        with os.fdopen(os.dup(descriptor), encoding="utf-8", errors="replace") as file:
            return [*self._read(file.read())]

    def _read(self, text: str) -> Iterator[Acknowledgement]:
        """Yield the commands in a file; what was cut off amid a line was not acknowledged."""
        ring = self._ring()
        for line in text.splitlines():
            try:
                said = json.loads(line)
                yield Acknowledgement(
                    interaction_id=said["interaction_id"],
                    token=ring.open_text(said["token"]),
                    token_expires_at=datetime.fromisoformat(said["token_expires_at"]),
                    locale=said["locale"],
                )
            except (ValueError, KeyMissingError):
                continue


def _taken(path: Path) -> int | None:
    """Open and hold a file; None when its process lives, or another has taken it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
