"""Room on the disks: what comes is refused while there is still some left for what is there."""

import asyncio
import shutil
from collections.abc import Iterable
from pathlib import Path

from storage.errors import StoreFullError


class Room:
    """Keeps so many bytes free of every disk that something is written to.

    Args:
        folders: one on each of the disks; they need not exist yet.
        least_bytes: what stays free for the jobs that were accepted, the database and the log.
    """

    def __init__(self, folders: Iterable[Path], *, least_bytes: int) -> None:
        self._folders = tuple(folders)
        self._least_bytes = least_bytes

    async def require(self) -> None:
        """Make sure that there is room for one more job.

        Raises:
            StoreFullError: a disk has less left than is kept free.
        """
        left = await asyncio.to_thread(self.free_bytes)
        if left < self._least_bytes:
            raise StoreFullError(f"{left} bytes are free, and {self._least_bytes} stay free")

    def free_bytes(self) -> int:
        """Return what is free on the fullest of the disks."""
        places = (_nearest(folder) for folder in self._folders)
        return min(shutil.disk_usage(place).free for place in places)


def _nearest(folder: Path) -> Path:
    """Return the folder, or the one above it that exists."""
    resolved = folder.resolve()
    return next(each for each in (resolved, *resolved.parents) if each.is_dir())
