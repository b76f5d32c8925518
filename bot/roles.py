"""What one process of an installation does, and which part of Discord's servers it hears."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Role(StrEnum):
    """What a process does."""

    ALL = "all"
    BOT = "bot"
    WORKER = "worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shards:
    """The shards that a process holds, of how many there are."""

    numbers: tuple[int, ...]
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``0-1/4`` (the shards 0 and 1 of four) or ``3/4``.

        Raises:
            ValueError: it is neither, or there are no such shards.
        """
        found = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?/(\d{1,5})", text.strip())
        if found is None:
            raise ValueError(f"{text!r} is not written as 0-1/4")
        first, count = int(found[1]), int(found[3])
        last = first if found[2] is None else int(found[2])
        if not first <= last < count:
            raise ValueError(f"{text!r} names no shards: they are counted from 0 to {count - 1}")
        return cls(numbers=tuple(range(first, last + 1)), count=count)


def require_room(role: Role, *, database: str, shards: Shards | None = None) -> None:
    """Refuse several processes where there is room for one.

    Raises:
        DatabaseHeldError: on SQLite one process writes.
    """
    # Help has to come at once, and asks for the names of roles alone.
    from storage.database import sqlite_path
    from storage.errors import DatabaseHeldError

    if sqlite_path(database) is None:
        return
    is_part = shards is not None and len(shards.numbers) < shards.count
    if role is not Role.ALL or is_part:
        option = f"--role {role}" if role is not Role.ALL else "a part of the shards"
        raise DatabaseHeldError(
            f"{option} is for several processes, and SQLite serves one: set ATELIER_DATABASE_URL "
            "to a PostgreSQL database, or leave that out"
        )
