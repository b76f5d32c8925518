"""The demo as somebody starts it: one command, and the address that it prints."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
START_S = 120.0
STOP_S = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A demo that runs: its process id, the pages' addresses and the folder of its data."""

    pid: int
    page: str
    admin_page: str
    folder: Path


@asynccontextmanager
async def running_demo(folder: Path, **settings: str) -> AsyncIterator[Demo]:
    """Run ``python -m bot run`` without a token, and stop it as Ctrl+C does.

    Args:
        folder: of its data.
        settings: more variables of the environment.
    """
    environment = {name: value for name, value in os.environ.items() if name != "DISCORD_TOKEN"} | {
        "ATELIER_DATA_DIR": str(folder),
        "ATELIER_WEB_PORT": "0",
        "ATELIER_LOG_LEVEL": "ERROR",
        **settings,
    }
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "demo", "--port", "0"),
        cwd=ROOT,
        env=environment,
        stdout=PIPE,
        start_new_session=True,
    )
    assert child.stdout is not None, "it was started with a pipe"
    try:
        async with asyncio.timeout(START_S):
            page, admin_page = [await _address(child.stdout) for _ in range(2)]
        yield Demo(pid=child.pid, page=page, admin_page=admin_page, folder=folder)
        child.send_signal(signal.SIGINT)
        async with asyncio.timeout(STOP_S):
            assert await child.wait() == 0
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def _address(said: asyncio.StreamReader) -> str:
    """Return the next address that is printed."""
    while line := (await said.readline()).decode():
        if "http://" in line:
            return "http://" + line.split("http://")[1].split()[0]
    raise AssertionError("the demo ended before it was ready")
