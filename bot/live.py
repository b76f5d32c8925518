"""A message that lives: its pages replace each other, no faster than Discord likes."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import discord
import structlog
from discord import ui

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One state of a message: what it shows and the pictures that belong to it."""

    view: ui.LayoutView
    files: tuple[discord.File, ...] = ()


Render = Callable[[], Awaitable[Page]]
Edit = Callable[[Page], Awaitable[None]]


class LiveMessage:
    """Shows the latest page; those that came too quickly are never drawn.

    Args:
        edit: puts a page into the message; what Discord answers is only logged.
        interval_s: the shortest time between the end of an edit and the next one.
    """

    def __init__(self, edit: Edit, *, interval_s: float) -> None:
        self._edit = edit
        self._interval_s = interval_s
        self._edited_at = -interval_s
        self._next: Render | None = None
        self._wake = asyncio.Event()
        self._editing = asyncio.Lock()
        self._task = asyncio.create_task(self._run(), name="live message")

    def show(self, render: Render) -> None:
        """Show a page as soon as it is time; it is drawn then, not now."""
        self._next = render
        self._wake.set()

    async def close(self) -> None:
        """Finish the edit under way, show nothing more, and wait until another edit is due."""
        async with self._editing:
            self._task.cancel()
        await asyncio.wait((self._task,))
        await self._pause()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            await self._pause()
            async with self._editing:
                render, self._next = self._next, None
                self._wake.clear()
                if render is not None:
                    await self._draw(render)

    async def _draw(self, render: Render) -> None:
        """Draw and show one page; a page that cannot be shown is only logged."""
        (fault,) = await asyncio.gather(self._put(render), return_exceptions=True)
        if fault is not None:
            log.info("a page was not shown", reason=f"{type(fault).__name__}: {fault}")
        self._edited_at = time.monotonic()

    async def _put(self, render: Render) -> None:
        await self._edit(await render())

    async def _pause(self) -> None:
        await asyncio.sleep(max(0.0, self._edited_at + self._interval_s - time.monotonic()))
