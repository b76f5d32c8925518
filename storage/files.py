"""Pictures by the hash of their bytes, in a local folder.

``put`` twice with the same bytes gives one file. Names are made from the digest alone, so no
text of a member ever becomes part of a path, and no symbolic link is followed to a file.
Every method that touches the disk runs in a thread: the event loop never does.
"""

import asyncio
import hashlib
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from storage.errors import FileDamagedError, FileMissingError, InvalidDigestError

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SETTLING_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file of the store: its digest, its length, where it is, and what it is."""

    sha256: str
    size_bytes: int
    place: str
    media_type: str


class FileStore:
    """Files under ``root``, two levels of folders deep."""

    def __init__(self, root: Path, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._root = root
        self._monotonic = monotonic
        self._guard = threading.Lock()
        self._found_again: dict[str, float] = {}

    def __str__(self) -> str:
        """Say where the files are."""
        return str(self._root)

    async def put(self, data: bytes, *, media_type: str) -> StoredFile:
        """Store bytes durably; when this returns they survive a power cut.

        Raises:
            OSError: the disk is full or refuses; nothing half-written stays behind.
        """
        return await asyncio.to_thread(self._put, data, media_type)

    async def read(self, sha256: str) -> bytes:
        """Return the bytes with this digest, checked against it.

        Raises:
            InvalidDigestError: it is not a digest.
            FileMissingError: nothing is stored under it.
            FileDamagedError: the disk gave back something else.
        """
        return await asyncio.to_thread(self._read, sha256)

    async def remove(self, sha256: str) -> int:
        """Remove a file that nothing refers to, and return the bytes that were freed.

        A file that ``put`` has just found again stays, because the row that will refer to it
        is about to be written; the next purge sees to it.

        Raises:
            InvalidDigestError: it is not a digest.
        """
        return await asyncio.to_thread(self._remove, sha256)

    async def older_than(self, age_s: float) -> list[str]:
        """Return the digests of all files that were written more than ``age_s`` ago."""
        return await asyncio.to_thread(self._older_than, age_s)

    def _path(self, sha256: str) -> Path:
        return self._root / place_of(sha256)

    def _put(self, data: bytes, media_type: str) -> StoredFile:
        sha256 = hashlib.sha256(data).hexdigest()
        path = self._path(sha256)
        with self._guard:
            there = path.is_file() and not path.is_symlink() and path.stat().st_size == len(data)
            if there:
                self._found_again[sha256] = self._monotonic()
        if not there:
            _write_durably(path, data)
        return StoredFile(
            sha256=sha256, size_bytes=len(data), place=place_of(sha256), media_type=media_type
        )

    def _read(self, sha256: str) -> bytes:
        try:
            descriptor = os.open(self._path(sha256), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as err:
            raise FileMissingError(f"nothing is stored under {sha256}") from err
        with os.fdopen(descriptor, "rb") as file:
            data = file.read()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise FileDamagedError(f"the file {sha256} is damaged")
        return data

    def _remove(self, sha256: str) -> int:
        path = self._path(sha256)
        with self._guard:
            found_at = self._found_again.pop(sha256, None)
            if found_at is not None and self._monotonic() - found_at < _SETTLING_S:
                self._found_again[sha256] = found_at
                return 0
            if not path.is_file() or path.is_symlink():
                return 0
            size_bytes = path.stat().st_size
            path.unlink()
        return size_bytes

    def _older_than(self, age_s: float) -> list[str]:
        limit = time.time() - age_s
        return [
            path.name
            for path in self._root.glob("??/??/*")
            if _DIGEST.fullmatch(path.name) and path.lstat().st_mtime < limit
        ]


def place_of(sha256: str) -> str:
    """Return where a file with this digest lies, relative to the store.

    Raises:
        InvalidDigestError: it is not a SHA-256 in lower-case hexadecimal.
    """
    if not _DIGEST.fullmatch(sha256):
        raise InvalidDigestError("a file is named by 64 lower-case hexadecimal digits")
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


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
