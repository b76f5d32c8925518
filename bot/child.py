"""A sandbox as a child process: the Discord of the demo."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

START_S = 30.0
STOP_S = 5.0
SAMPLES = Path(str(files("generation") / "starter" / "samples"))
WELCOME = Path(str(files("bot") / "locales" / "welcome.md"))


@asynccontextmanager
async def sandbox(*, port: int | None, state: Path) -> AsyncIterator[dict[str, Any]]:
    """Start a sandbox as a child, and stop it when the block ends.

    It is a session of its own, so that Ctrl+C reaches us alone and we stop in order; it watches
    our process id, so that it ends when we are killed.

    Raises:
        OSError: it does not start.
    """
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sandbox", "--port", str(port or 0), "--state", str(state)),
        *("--samples", str(SAMPLES), "--welcome", str(WELCOME)),
        *("--parent-pid", str(os.getpid()), "--bot-name", "Atelier"),
        stdout=PIPE,
        start_new_session=True,
    )
    try:
        yield await _details(child)
    finally:
        await _stop(child)


async def _details(child: Process) -> dict[str, Any]:
    """Read the line that the sandbox prints when it is ready."""
    assert child.stdout is not None, "it was started with a pipe"
    async with asyncio.timeout(START_S):
        line = await child.stdout.readline()
    if not line:
        raise OSError("the sandbox did not start; its port may be taken")
    details: dict[str, Any] = json.loads(line)
    return details


async def _stop(child: Process) -> None:
    """End the child, by force if it does not listen."""
    if child.returncode is not None:
        return
    child.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()
