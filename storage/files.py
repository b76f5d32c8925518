"""Pictures by the hash of their bytes, in a folder or in a store of others.

With keys, what is stored is encrypted, and the hash is keyed, so that nobody who sees the names can
tell whether a picture that they have is among them. What was stored before there were keys, or with
another of them, is read as before.

``put`` twice with the same bytes gives one file. Names are made from the digest alone, so no
text of a member ever becomes part of a path.
"""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from storage.errors import FileDamagedError, InvalidDigestError, KeyMissingError
from storage.finds import Finds, FindsHere
from storage.folder import Folder
from storage.sealing import KeyRing

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
WITHOUT_KEYS = KeyRing()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file of the store: its digest, its length, where it is, and what it is."""

    sha256: str
    size_bytes: int
    place: str
    media_type: str


class Place(Protocol):
    """Where files are, by the names that ``place_of`` gives: a folder, or a store of others."""

    async def size_of(self, name: str) -> int | None:
        """Return the length of a file in bytes, None when there is none."""

    async def write(self, name: str, data: bytes) -> None:
        """Write a file durably, all of it or nothing.

        Raises:
            FileRefusedError: it is not taken.
        """

    async def read(self, name: str) -> bytes:
        """Return the bytes of a file.

        Raises:
            FileMissingError: there is none.
            FileRefusedError: it cannot be read now.
        """

    async def remove(self, name: str) -> None:
        """Remove a file that is there."""

    async def older_than(self, age_s: float) -> list[str]:
        """Return the names, without folders, of the files that were written longer ago."""


class FileStore:
    """Files by hash in one place; a path stands for a folder of this machine."""

    def __init__(
        self,
        place: Path | Place,
        *,
        ring: KeyRing = WITHOUT_KEYS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ring = ring
        self._place: Place = Folder(place) if isinstance(place, Path) else place
        self._finds: Finds = FindsHere(monotonic=monotonic)

    def shared(self, finds: Finds) -> Self:
        """Have others who store and remove files here know what each is about to use."""
        self._finds = finds
        return self

    def __str__(self) -> str:
        """Say where the files are."""
        return str(self._place)

    async def put(self, data: bytes, *, media_type: str) -> StoredFile:
        """Store bytes durably; when this returns they survive a power cut.

        Raises:
            StoreFullError: the disk is full; nothing half-written stays behind.
            FileRefusedError: the place does not take them for another reason.
        """
        sha256 = await asyncio.to_thread(self.ring.digest_of, data)
        name = place_of(sha256)
        length = self.ring.sealed_length(len(data))

        async def is_there() -> bool:
            return await self._place.size_of(name) == length

        there = await self._finds.claim(sha256, is_there=is_there)
        if not there:
            await self._place.write(name, await asyncio.to_thread(self.ring.seal_bytes, data))
        return StoredFile(sha256=sha256, size_bytes=len(data), place=name, media_type=media_type)

    async def read(self, sha256: str) -> bytes:
        """Return the bytes with this digest, checked against it.

        Raises:
            InvalidDigestError: it is not a digest.
            FileMissingError: nothing is stored under it.
            FileDamagedError: the place gave back something else.
            FileRefusedError: the place does not answer.
            KeyMissingError: it is encrypted, and there is no key at all.
        """
        stored = await self._place.read(place_of(sha256))
        return await asyncio.to_thread(self._opened, sha256, stored)

    async def read_sealed(self, sha256: str) -> bytes:
        """Return what is stored under a digest as it lies there, once it was found to be right.

        Raises:
            FileStoreError: as ``read`` does.
            KeyMissingError: likewise.
        """
        stored = await self._place.read(place_of(sha256))
        await asyncio.to_thread(self._opened, sha256, stored)
        return stored

    async def put_sealed(self, sha256: str, stored: bytes) -> None:
        """Store what ``read_sealed`` gave, here or elsewhere, as it is.

        Raises:
            FileDamagedError: it is not what the digest says.
            KeyMissingError: it is encrypted, and there is no key at all.
            FileRefusedError: the place does not take it.
        """
        await asyncio.to_thread(self._opened, sha256, stored)
        if await self._place.size_of(place_of(sha256)) != len(stored):
            await self._place.write(place_of(sha256), stored)

    def _opened(self, sha256: str, stored: bytes) -> bytes:
        """Return the bytes in what is stored, checked against their digest."""
        try:
            data = self.ring.open_bytes(stored)
        except KeyMissingError as err:
            if not self.ring:
                raise
            raise FileDamagedError(f"no key fits the file {sha256}, or it is damaged") from err
        if not self.ring.knows(sha256, data):
            raise FileDamagedError(f"the file {sha256} is damaged")
        return data

    async def remove(self, sha256: str) -> int:
        """Remove a file that nothing refers to, and return the bytes that were freed.

        A file that ``put`` has just found again stays, because the row that will refer to it
        is about to be written; the next purge sees to it.

        Raises:
            InvalidDigestError: it is not a digest.
            FileRefusedError: the place does not let it go.
        """
        name = place_of(sha256)

        async def remove() -> int:
            size_bytes = await self._place.size_of(name)
            if size_bytes is not None:
                await self._place.remove(name)
            return size_bytes or 0

        return await self._finds.release(sha256, remove=remove)

    async def older_than(self, age_s: float) -> list[str]:
        """Return the digests of all files that were written more than ``age_s`` ago.

        What others have put there under other names is none of ours.
        """
        return [name for name in await self._place.older_than(age_s) if _DIGEST.fullmatch(name)]


def place_of(sha256: str) -> str:
    """Return where a file with this digest lies, relative to the store.

    Raises:
        InvalidDigestError: it is not a SHA-256 in lower-case hexadecimal.
    """
    if not _DIGEST.fullmatch(sha256):
        raise InvalidDigestError("a file is named by 64 lower-case hexadecimal digits")
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"
