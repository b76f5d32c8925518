"""Which stored files somebody is about to use, so that a purge leaves them where they are.

Whoever stores bytes that are there already writes nothing, and the row that will keep the file
comes a moment later. One process remembers that by itself. Processes that share a PostgreSQL tell
each other there: a file is claimed, and removed, under a lock on its name.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from storage.clock import Clock, utc_now
from storage.database import Database
from storage.portable import upsert
from storage.tables import FileRow, KeyValueRow

SETTLING_S = 60.0
CLAIMED = timedelta(hours=1)
"""So long may the row of a stored file take; a file that none keeps goes later."""
_PREFIX = "stored/"


class Finds(Protocol):
    """Keeps files that are about to be used from being removed."""

    async def claim(self, sha256: str, *, is_there: Callable[[], Awaitable[bool]]) -> bool:
        """Return whether a file is there; from now on it stays for a while."""

    async def release(self, sha256: str, *, remove: Callable[[], Awaitable[int]]) -> int:
        """Remove a file unless somebody is about to use it; return the bytes that were freed."""


class FindsHere:
    """What one process has found again, which alone stores files."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._guard = asyncio.Lock()
        self._found: dict[str, float] = {}

    async def claim(self, sha256: str, *, is_there: Callable[[], Awaitable[bool]]) -> bool:
        """Return whether a file is there, and remember that it was."""
        async with self._guard:
            there = await is_there()
            if there:
                self._found[sha256] = self._monotonic()
            return there

    async def release(self, sha256: str, *, remove: Callable[[], Awaitable[int]]) -> int:
        """Remove a file unless it was found again lately."""
        async with self._guard:
            settled = self._monotonic() - SETTLING_S
            self._found = {key: at for key, at in self._found.items() if at > settled}
            return 0 if sha256 in self._found else await remove()


class FindsEverywhere:
    """What all processes of a PostgreSQL store or find again, until a row keeps it."""

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def claim(self, sha256: str, *, is_there: Callable[[], Awaitable[bool]]) -> bool:
        """Claim a file, and then look whether it is there."""

        async def work(session: AsyncSession) -> bool:
            await _lock(session, sha256)
            await session.run_sync(self._write, sha256)
            return await is_there()

        return await self._database.write_awaiting(work)

    async def release(self, sha256: str, *, remove: Callable[[], Awaitable[int]]) -> int:
        """Remove a file unless a row keeps it or somebody has claimed it."""

        async def work(session: AsyncSession) -> int:
            await _lock(session, sha256)
            return 0 if await session.run_sync(self._is_wanted, sha256) else await remove()

        return await self._database.write_awaiting(work)

    def _write(self, session: Session, sha256: str) -> None:
        values = {"value": "", "updated_at": self._clock()}
        upsert(session, KeyValueRow, key={"key": _PREFIX + sha256}, values=values)

    def _is_wanted(self, session: Session, sha256: str) -> bool:
        old = KeyValueRow.updated_at < self._clock() - CLAIMED
        session.execute(delete(KeyValueRow).where(_claims([sha256]), old))
        claimed = select(KeyValueRow.key).where(_claims([sha256]))
        kept = select(FileRow.sha256).where(FileRow.sha256 == sha256)
        return session.scalar(claimed) is not None or session.scalar(kept) is not None


def settle_claims(session: Session, digests: list[str]) -> None:
    """Take claims back: rows keep these files from now on."""
    session.execute(delete(KeyValueRow).where(_claims(digests)))


def _claims(digests: list[str]) -> ColumnElement[bool]:
    return KeyValueRow.key.in_([_PREFIX + each for each in digests])


async def _lock(session: AsyncSession, sha256: str) -> None:
    """Wait until nobody else claims or removes this file, to the transaction's end."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(sha256, 0))))
