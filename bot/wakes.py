"""What parts of the bot tell each other about jobs, in this process and in others.

Whoever accepts jobs, makes their pictures or tells members of them may be one process or many. In
one they call each other directly; on PostgreSQL all others hear it, too, but for previews, which
are too large and go through a table.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

import structlog

from generation.request import Progress, Stage
from storage.database import sqlite_path

log = structlog.get_logger()


class Kind(StrEnum):
    """What has happened to a job, or is to happen."""

    WAITS = "waits"
    STARTED = "started"
    MOVED = "moved"
    RESTS = "rests"
    """It failed in a way that may pass, and is tried again."""
    ENDED = "ended"
    STOP = "stop"
    MISSED = "missed"
    """No job in particular: signals may have been lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One thing that is told.

    Args:
        progress: how far a job is that has moved.
        here: whether it was told in this process.
    """

    kind: Kind
    job_id: str = ""
    progress: Progress | None = None
    here: bool = True


Hear = Callable[[Signal], None]


class Wakes:
    """Tells everybody; all methods belong to one event loop.

    Args:
        owner: this process, as claims name it.
        database: where the others are, if it is PostgreSQL.
        interval_s: the shortest time between two words to others on how far one job is.
    """

    def __init__(self, *, owner: str, database: str, interval_s: float) -> None:
        self._owner = owner
        self._interval_s = interval_s
        self._hear: list[Hear] = []
        self._told: dict[str, tuple[Stage, float]] = {}
        self._others = None
        if sqlite_path(database) is None:
            # Its driver is an extra, which an SQLite file does not need.
            from storage.signals import Signals

            self._others = Signals(database, heard=self._heard, connected=self._missed)

    def start(self) -> None:
        """Hear others from now on."""
        if self._others is not None:
            self._others.start()

    async def close(self) -> None:
        """Hear others no more, once what was told them has been said."""
        if self._others is not None:
            await self._others.close()

    def listen(self, hear: Hear) -> None:
        """Have all signals told to a function, which returns at once."""
        self._hear.append(hear)

    def send(self, signal: Signal) -> None:
        """Tell everybody something."""
        self._tell(signal)
        if self._others is not None and self._is_news(signal):
            self._others.send(_written(signal, owner=self._owner))

    def _is_news(self, signal: Signal) -> bool:
        """Return whether others are told: of how far a job is only now and then."""
        if signal.kind is Kind.ENDED:
            self._told.pop(signal.job_id, None)
        if signal.progress is None:
            return True
        stage, said_at = self._told.get(signal.job_id, (None, 0.0))
        now = time.monotonic()
        if stage is signal.progress.stage and now - said_at < self._interval_s:
            return False
        self._told[signal.job_id] = signal.progress.stage, now
        return True

    def _tell(self, signal: Signal) -> None:
        for hear in self._hear:
            hear(signal)

    def _missed(self) -> None:
        self._tell(Signal(kind=Kind.MISSED))

    def _heard(self, text: str) -> None:
        """Tell what another process says; what cannot be read is of another version."""
        try:
            said = json.loads(text)
            if said["from"] != self._owner:
                self._tell(_read(said))
        except (ValueError, KeyError, TypeError) as err:
            log.info("a signal cannot be read", reason=str(err))


def _written(signal: Signal, *, owner: str) -> str:
    said: dict[str, Any] = {"from": owner, "kind": signal.kind, "job": signal.job_id}
    if signal.progress is not None:
        said["progress"] = asdict(replace(signal.progress, preview=None))
    return json.dumps(said)


def _read(said: dict[str, Any]) -> Signal:
    progress = None
    if moved := said.get("progress"):
        progress = Progress(**{**moved, "stage": Stage(moved["stage"])})
    return Signal(kind=Kind(said["kind"]), job_id=str(said["job"]), progress=progress, here=False)
