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

from bot.texts import DEFAULT_LOCALE, load_texts

START_S = 30.0
STOP_S = 5.0
SAMPLES = Path(str(files("generation") / "starter" / "samples"))


@asynccontextmanager
async def sandbox(
    *, port: int | None, state: Path, language: str | None = None
) -> AsyncIterator[dict[str, Any]]:
    """Start a sandbox as a child, and stop it when the block ends.

    Its members speak the language, and are greeted in it; on the page each can choose another.

    It is a session of its own, so that Ctrl+C reaches us alone and we stop in order; it watches
    our process id, so that it ends when we are killed.

    Raises:
        OSError: it does not start.
    """
    greeting = load_texts().say("demo.welcome", language or DEFAULT_LOCALE)
    welcome = await asyncio.to_thread(_written, greeting, state / "welcome.md")
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sandbox", "--port", str(port or 0), "--state", str(state)),
        *("--samples", str(SAMPLES), "--welcome", str(welcome)),
        *(("--locale", language) if language else ()),
        *("--parent-pid", str(os.getpid()), "--bot-name", "Atelier"),
        stdout=PIPE,
        start_new_session=True,
    )
    try:
        yield await _details(child)
    finally:
        await _stop(child)


def _written(text: str, place: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")
    return place


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
