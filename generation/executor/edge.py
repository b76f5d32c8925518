"""The engine's edge: what an error in a pipeline becomes on its way to the client."""

import logging
from collections.abc import Callable
from typing import TypeVar

import generation.errors
from generation.errors import GenerationError, OutOfMemoryError
from generation.executor.device import is_out_of_memory, release_memory

ResultT = TypeVar("ResultT")

logger = logging.getLogger(__name__)


def repeated_without_memory(
    work: Callable[[], ResultT], *, on_retry: Callable[[], None]
) -> ResultT:
    """Do some work; if memory did not suffice, release what is cached and do it once more.

    Raises:
        OutOfMemoryError: it did not suffice the second time either.
    """
    try:
        return work()
    except Exception as err:
        if not is_out_of_memory(err):
            raise
        logger.warning("out of memory; trying once more: %s", err)
    on_retry()
    release_memory()
    try:
        return work()
    except Exception as err:
        if not is_out_of_memory(err):
            raise
        raise OutOfMemoryError("the device's memory does not suffice for this picture") from err


def border_name(error: GenerationError) -> str:
    """Return the class of ``generation.errors`` that an error is: its own or an ancestor's."""
    names = (cls.__name__ for cls in type(error).__mro__)
    return next(name for name in names if hasattr(generation.errors, name))
