"""Waiting for a database that is away, with what must not be dropped meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from storage.errors import DatabaseGoneError

PAUSE_S = 1.0

T = TypeVar("T")

log = structlog.get_logger()


async def persisted(step: Callable[[], Awaitable[T]], *, job_id: str) -> T:
    """Take a step as often as it needs until the database answers.

    Args:
        step: what may be repeated: fenced, or known by its interaction.
        job_id: whose step it is.
    """
    while True:
        try:
            return await step()
        except DatabaseGoneError as err:
            log.warning("the database is away", job=job_id, reason=str(err))
        await asyncio.sleep(PAUSE_S)
