"""Requests for the tiny pipelines, and looks at what becomes of them."""

import asyncio
import random
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from generation.executor.client import Ticket
from generation.request import ImageRequest, Pixels, Progress, Stage

_numbers = count(1)


def picture(*, width: int = 16, height: int = 12, seed: int = 0) -> Pixels:
    data = random.Random(seed).randbytes(width * height * 3)
    return Pixels(width=width, height=height, data=data)


def request(
    pipeline: str = "noise", *, steps: int | None = None, **changes: object
) -> ImageRequest:
    values: dict[str, Any] = {"job_id": f"job {next(_numbers)}", "image": picture(), **changes}
    return ImageRequest(pipeline=pipeline, num_inference_steps=steps, **values)


async def progress_of(ticket: Ticket) -> list[Progress]:
    return [progress async for progress in ticket.events()]


async def preview_of(ticket: Ticket) -> Pixels:
    """Return the first preview that a request shows; fail if it ends without one."""
    async for progress in ticket.events():
        if progress.preview is not None:
            return progress.preview
    raise AssertionError("no preview")


async def until(
    condition: Callable[[], bool], *, timeout_s: float = 10.0, pause_s: float = 0.01
) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(pause_s)


async def until_step(ticket: Ticket, step: int) -> None:
    async for progress in ticket.events():
        if progress.step >= step:
            return


async def until_running(ticket: Ticket) -> None:
    async for progress in ticket.events():
        if progress.stage is Stage.RUNNING:
            return


def is_gone(pid: int) -> bool:
    """Whether a process has ended, or waits as a zombie for a parent that does not look."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state in "ZX"
