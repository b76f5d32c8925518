"""The page that the engine writes and the watchdog reads, without any message between them.

It says that the engine's process is alive (a heartbeat from a thread of its own), that its loop
moves, and which rows are in the call that is running now: they are to blame when it dies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

MAX_ROWS = 256

_BEAT, _TURN, _PHASE, _DEADLINE, _OVERDUE, _ROWS, _FIRST_ROW = range(7)


class Phase(IntEnum):
    """What the engine's loop is doing."""

    BETWEEN = 0
    CALL = 1
    LOAD = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What the page said at one moment.

    Args:
        beat: grows while the process is alive.
        turn: grows with every call that is entered or left.
        deadline_ns: monotonic time at which the row ``overdue`` has used up its seconds.
        serials: the rows in the running call.
    """

    beat: int
    turn: int
    phase: Phase
    deadline_ns: int
    overdue: int
    serials: tuple[int, ...]


class ControlPage:
    """The page as an array of 64-bit words; one process writes, the other reads."""

    def __init__(self, view: memoryview) -> None:
        self._words = view.cast("Q")

    def clear(self) -> None:
        """Forget what an earlier engine wrote."""
        for index in range(_FIRST_ROW):
            self._words[index] = 0

    def close(self) -> None:
        """Let go of the memory."""
        self._words.release()

    def beat(self) -> None:
        """Show that the process is alive."""
        self._words[_BEAT] += 1

    def enter(
        self, phase: Phase, serials: Sequence[int], *, overdue: int = 0, deadline_ns: int = 0
    ) -> None:
        """Say which rows are in the call that begins."""
        words = self._words
        words[_ROWS] = 0
        for index, serial in enumerate(serials[:MAX_ROWS]):
            words[_FIRST_ROW + index] = serial
        words[_DEADLINE] = deadline_ns
        words[_OVERDUE] = overdue
        words[_ROWS] = min(len(serials), MAX_ROWS)
        words[_PHASE] = phase
        words[_TURN] += 1

    def leave(self) -> None:
        """Say that the call is over."""
        self._words[_PHASE] = Phase.BETWEEN
        self._words[_ROWS] = 0
        self._words[_TURN] += 1

    def read(self) -> Sight:
        """Return what the page says, read again if the engine wrote meanwhile."""
        sight = self._read()
        while (again := self._read()).turn != sight.turn:
            sight = again
        return again

    def _read(self) -> Sight:
        words = self._words
        rows = words[_ROWS]
        return Sight(
            turn=words[_TURN],
            beat=words[_BEAT],
            phase=Phase(words[_PHASE]),
            deadline_ns=words[_DEADLINE],
            overdue=words[_OVERDUE],
            serials=tuple(words[_FIRST_ROW : _FIRST_ROW + rows]),
        )
