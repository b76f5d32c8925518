"""What becomes of a job that failed: tried again later, told as it is, or left for an admin."""

from secrets import randbelow

from generation.errors import (
    EngineAbsentError,
    EngineBusyError,
    IntakeError,
    InvalidRequestError,
    JobCancelledError,
    UnsafePictureError,
)
from storage.errors import DatabaseFullError, DatabaseGoneError, FileRefusedError

MAX_ATTEMPTS = 3
"""A job that outlives so many bots is taken for what kills them."""
GROWTH = 4.0
LONGEST_REST_S = 600.0

PASSING = (
    EngineAbsentError,
    EngineBusyError,
    FileRefusedError,
    DatabaseFullError,
    DatabaseGoneError,
    OSError,
)
"""What another time, or another machine, may not run into."""
TO_THE_ASKER = (InvalidRequestError, IntakeError, UnsafePictureError, JobCancelledError)
"""What comes of what was asked for; of all else the cause lies with the installation."""


def is_passing(error: BaseException, *, attempt: int) -> bool:
    """Return whether a job that failed in an attempt is worth another one."""
    return isinstance(error, PASSING) and attempt < MAX_ATTEMPTS


def is_ours(error: BaseException) -> bool:
    """Return whether an admin ought to see what failed."""
    return not isinstance(error, TO_THE_ASKER)


def rest_s(attempt: int, *, first_s: float) -> float:
    """Return how long to rest after an attempt: longer each time, and never all at once.

    Args:
        attempt: which has failed, from 1.
        first_s: about how long the rest after the first one is.
    """
    expected_s = min(first_s * GROWTH ** (attempt - 1), LONGEST_REST_S)
    return expected_s * (0.5 + randbelow(1001) / 1000)
