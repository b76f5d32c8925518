"""One process at a time writes to an SQLite database.

The bot holds the lock as long as it runs; commands that write take it for a moment and are
refused meanwhile, and commands that only read need none. The kernel drops the lock with the
process, so a killed bot leaves nothing to clean up. PostgreSQL needs no such lock.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.database import sqlite_path
from storage.errors import DatabaseHeldError


@contextmanager
def hold(url: str) -> Iterator[None]:
    """Hold the database for writing while the block runs.

    Raises:
        DatabaseHeldError: another process holds it; the message names the process.
    """
    path = sqlite_path(url)
    if path is None:
        yield
        return
    place = _place(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _lock(descriptor, path=path)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def holder(url: str) -> int | None:
    """Return the id of the process that holds the database, None when nobody does."""
    path = sqlite_path(url)
    if path is None or not _place(path).exists():
        return None
    descriptor = os.open(_place(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(os.pread(descriptor, 32, 0) or b"0")
    finally:
        os.close(descriptor)
    return None


def _place(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


def _lock(descriptor: int, *, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as err:
        process = os.pread(descriptor, 32, 0).decode() or "unknown"
        raise DatabaseHeldError(
            f"{path} is in use by process {process}; stop the bot first"
        ) from err
