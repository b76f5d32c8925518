"""Steps that are repeated as long as the process serves, each in a task of its own."""

import asyncio
from collections.abc import Callable, Coroutine

import structlog

PAUSE_AFTER_FAULT_S = 1.0

Step = Callable[[], Coroutine[None, None, None]]

log = structlog.get_logger()


class Keepers:
    """Repeats steps; a fault is logged and followed by a pause, and never ends a loop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, *steps: Step) -> None:
        """Repeat steps from now on; each rests as it sees fit."""
        for step in steps:
            self._tasks.add(asyncio.create_task(_forever(step), name=step.__qualname__))

    async def close(self) -> None:
        """Stop, wherever the steps are."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _forever(step: Step) -> None:
    while True:
        (fault,) = await asyncio.gather(step(), return_exceptions=True)
        if fault is not None:
            log.error("a step stumbled", step=step.__qualname__, exc_info=fault)
            await asyncio.sleep(PAUSE_AFTER_FAULT_S)
