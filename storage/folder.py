"""Files in a folder of this machine, two levels of folders deep.

No symbolic link is followed to a file. Everything that touches the disk runs in a thread: the
event loop never does.
"""

import asyncio
import errno
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.errors import FileMissingError, FileRefusedError, StoreFullError

FULL = (errno.ENOSPC, errno.EDQUOT)
_UNFINISHED = ".new-"


class Folder:
    """A place of files; what only its owner may read."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __str__(self) -> str:
        """Say which folder it is."""
        return str(self._root)

    async def size_of(self, name: str) -> int | None:
        """Return the length of a file in bytes, None when there is none."""
        return await asyncio.to_thread(_size_of, self._root / name)

    async def write(self, name: str, data: bytes) -> None:
        """Write a file so that it survives a power cut.

        Raises:
            StoreFullError: the disk is full; nothing half-written stays behind.
            FileRefusedError: it refuses for another reason; likewise.
        """
        await asyncio.to_thread(_write, self._root / name, data)

    async def read(self, name: str) -> bytes:
        """Return the bytes of a file.

        Raises:
            FileMissingError: there is none, or it cannot be read.
        """
        return await asyncio.to_thread(_read, self._root / name)

    async def remove(self, name: str) -> None:
        """Remove a file that is there.

        Raises:
            FileRefusedError: the disk does not let it go.
        """
        await asyncio.to_thread(_remove, self._root / name)

    async def older_than(self, age_s: float) -> list[str]:
        """Return the names, without folders, of the files that were written longer ago.

        What a process that was killed has left unfinished as long ago is removed.
        """
        return await asyncio.to_thread(self._older_than, age_s)

    def _older_than(self, age_s: float) -> list[str]:
        limit = time.time() - age_s
        old = [path for path in self._root.glob("??/??/*") if _written_before(path, limit)]
        for path in old:
            if path.name.startswith(_UNFINISHED):
                path.unlink(missing_ok=True)
        return [path.name for path in old]


def _written_before(path: Path, limit: float) -> bool:
    try:
        return path.lstat().st_mtime < limit
    except FileNotFoundError:
        # Somebody else was quicker.
        return False


def _size_of(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() and not path.is_symlink() else None


def _read(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as err:
        raise FileMissingError(f"nothing is stored under {path.name}") from err
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def _remove(path: Path) -> None:
    with _refusing():
        path.unlink()


def _write(path: Path, data: bytes) -> None:
    with _refusing():
        _write_durably(path, data)


@contextmanager
def _refusing() -> Iterator[None]:
    """Say what a disk refuses."""
    try:
        yield
    except OSError as err:
        if err.errno in FULL:
            raise StoreFullError("the disk is full") from err
        raise FileRefusedError(f"the disk refuses a file: {err.strerror or err}") from err


def _write_durably(path: Path, data: bytes) -> None:
    """Write beside the final place, then rename: a reader sees all of the file or none."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
