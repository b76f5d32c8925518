"""A function that pauses: it runs in a thread of its own, from one pause to the next.

The engine's loop takes steps; a library's function runs to its end. Where such a function calls
back between its steps, pausing there gives the loop its turn: other rows advance, a cancelled row
is dropped, a deadline is kept. Only one of the two ever runs.
"""

import threading
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

AnswerT = TypeVar("AnswerT")


class _StoppedError(BaseException):
    """Nobody waits for the function any more; not an Exception, so that no library keeps it."""


class _Turns:
    """Whose turn it is: the function's, or its caller's."""

    def __init__(self) -> None:
        self.mine = threading.Semaphore(0)
        self.callers = threading.Semaphore(0)
        self.stopped = False

    def pause(self) -> None:
        """Give the caller its turn, and go on when the caller says so."""
        self.callers.release()
        self.wait()

    def wait(self) -> None:
        self.mine.acquire()
        if self.stopped:
            raise _StoppedError

    def stop(self) -> None:
        self.stopped = True
        self.mine.release()


class Pausing(Generic[AnswerT]):
    """A function under way. Once nobody holds this, the function ends at its pause.

    Args:
        work: is handed a function that pauses it, and must not hold this object.
    """

    def __init__(self, work: Callable[[Callable[[], None]], AnswerT]) -> None:
        self._turns = _Turns()
        self._answer: list[AnswerT] = []
        self._errors: list[Exception] = []
        self._ended = threading.Event()
        parts = (work, self._turns, self._answer, self._errors, self._ended)
        threading.Thread(target=_run, args=parts, name="pausing", daemon=True).start()
        weakref.finalize(self, self._turns.stop)

    @property
    def ended(self) -> bool:
        """Whether the function has come to its end."""
        return self._ended.is_set()

    def go_on(self) -> None:
        """Let the function run to its next pause, or to its end.

        Raises:
            Exception: whatever the function raised.
        """
        if self.ended:
            return
        self._turns.mine.release()
        self._turns.callers.acquire()
        if self._errors:
            raise self._errors.pop()

    def answer(self) -> AnswerT:
        """Let the function run to its end, and return what it returns.

        Raises:
            Exception: whatever the function raised.
        """
        while not self.ended:
            self.go_on()
        return self._answer[0]


def _run(
    work: Callable[[Callable[[], None]], AnswerT],
    turns: _Turns,
    answer: list[AnswerT],
    errors: list[Exception],
    ended: threading.Event,
) -> None:
    try:
        turns.wait()
        answer.append(work(turns.pause))
    except _StoppedError:
        return
    except Exception as err:
        # It is raised again in the caller's thread.
        errors.append(err)
    finally:
        ended.set()
        turns.callers.release()
