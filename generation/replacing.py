"""Files that are only ever replaced as a whole, so that no reader sees half of one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def replaced(place: Path) -> Iterator[IO[bytes]]:
    """Yield a file that takes another's place once it is written, and lies on the disk.

    If that fails the other one stays.

    Raises:
        OSError: there is no such folder, or no room.
    """
    fresh = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        with fresh.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(place)
    finally:
        fresh.unlink(missing_ok=True)
