"""Pixels between two processes: shared memory, cut into fixed slots.

Each direction has its own slots. The side that fills them hands them out; the other copies a
picture out as soon as it hears of it and gives the slots back. Nothing has to be agreed on when
a side dies: the survivor declares all slots free.

The memory is a file named after the installation in ``/dev/shm``, reserved in full before it is
mapped (touching memory that the system cannot provide would kill the process) and unlinked at
once; the engine inherits the descriptor. What a start finds under its own name was left by an
owner that died in between.
"""

import hashlib
import logging
import mmap
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from generation.errors import EngineError

CONTROL_BYTES = 4096
SPARE_BYTES = 8 * 2**20

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """How an arena is cut.

    Args:
        slots: in each of the two directions.
        slot_bytes: of one slot; a picture takes as many as it needs, in any order.
    """

    slots: int = 16
    slot_bytes: int = 2**20

    def holds(self, lengths: Iterable[int]) -> bool:
        """Return whether pictures of so many bytes go into one direction together."""
        return sum(-(-length // self.slot_bytes) for length in lengths) <= self.slots

    @property
    def region_bytes(self) -> int:
        """Bytes of one direction: the largest message of pixels."""
        return self.slots * self.slot_bytes

    @property
    def total_bytes(self) -> int:
        """Bytes of the whole arena."""
        return CONTROL_BYTES + 2 * self.region_bytes


class Region:
    """The slots of one direction."""

    def __init__(self, view: memoryview, *, slot_bytes: int) -> None:
        self._view = view
        self._slot_bytes = slot_bytes
        self.reset()

    def reset(self) -> None:
        """Declare every slot free."""
        self._free = list(range(len(self._view) // self._slot_bytes))

    @property
    def free(self) -> int:
        """How many slots are free."""
        return len(self._free)

    def put(self, data: bytes) -> tuple[int, ...]:
        """Copy bytes into free slots and return which.

        Raises:
            BufferError: there are not enough free slots now.
        """
        size = self._slot_bytes
        needed = -(-len(data) // size)
        if needed > len(self._free):
            raise BufferError(f"{needed} slots needed, {len(self._free)} free")
        source = memoryview(data)
        taken = tuple(self._free.pop() for _ in range(needed))
        for index, slot in enumerate(taken):
            part = source[index * size : (index + 1) * size]
            self._view[slot * size : slot * size + len(part)] = part
        return taken

    def get(self, slots: Sequence[int], *, length: int) -> bytes:
        """Copy ``length`` bytes out of slots."""
        size = self._slot_bytes
        lengths = (min(size, length - index * size) for index in range(len(slots)))
        return b"".join(
            self._view[slot * size : slot * size + part]
            for slot, part in zip(slots, lengths, strict=True)
        )

    def release(self, slots: Sequence[int]) -> None:
        """Take slots back that the other side has copied out."""
        self._free.extend(reversed(slots))

    def close(self) -> None:
        """Let go of the memory."""
        self._view.release()


class Arena:
    """The mapped memory: a page for the watchdog, then the slots of both directions."""

    def __init__(self, fd: int, geometry: Geometry) -> None:
        self.fd = fd
        self.geometry = geometry
        self._map = mmap.mmap(fd, geometry.total_bytes)
        self._whole = memoryview(self._map)
        self.control = self._whole[:CONTROL_BYTES]
        middle = CONTROL_BYTES + geometry.region_bytes
        slot_bytes = geometry.slot_bytes
        self.requests = Region(self._whole[CONTROL_BYTES:middle], slot_bytes=slot_bytes)
        self.results = Region(self._whole[middle:], slot_bytes=slot_bytes)

    def close(self) -> None:
        """Unmap the memory and close its descriptor; the last to do so frees it."""
        self.requests.close()
        self.results.close()
        self.control.release()
        self._whole.release()
        self._map.close()
        os.close(self.fd)


def installation_name(data_dir: Path) -> str:
    """Return the name that everything of one installation carries: from its data folder."""
    place = str(data_dir.resolve()).encode()
    return f"atelier-{hashlib.sha256(place).hexdigest()[:12]}"


def create_arena(*, geometry: Geometry, data_dir: Path, shm_dir: Path) -> Arena:
    """Remove what dead owners left, then make the arena where there is room for it.

    Raises:
        EngineError: there is room neither in shared memory nor in the data folder.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    name = installation_name(data_dir)
    for folder in (shm_dir, data_dir):
        remove_left_behind(folder, name=name)
    for folder in (shm_dir, data_dir):
        fd = _reserve(folder / f"{name}-{uuid4().hex}.arena", size=geometry.total_bytes)
        if fd is not None:
            return Arena(fd, geometry)
        logger.warning("no room for %d bytes in %s", geometry.total_bytes, folder)
    raise EngineError(f"no room for the engine's memory in {shm_dir} or {data_dir}")


def remove_left_behind(folder: Path, *, name: str) -> None:
    """Unlink arenas under this installation's name.

    An owner that is alive has unlinked its own already or is about to, and uses it by its
    descriptor: nothing is taken from it.
    """
    for path in folder.glob(f"{name}-*.arena"):
        path.unlink(missing_ok=True)


def _reserve(path: Path, *, size: int) -> int | None:
    """Make an unnamed file of ``size`` bytes that are really there, or return None."""
    try:
        if shutil.disk_usage(path.parent).free < size + SPARE_BYTES:
            return None
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError:
        os.close(fd)
        return None
    finally:
        path.unlink(missing_ok=True)
    return fd
