"""R21: a worker and a bot of several are told to stop amid a job, which others take on."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator

import pytest

from tests.bot.pictures import photo
from tests.bot.stage import Stage
from tests.bot.test_cut_off import WAIT_S, said
from tests.requirements import require
from tests.soak.__main__ import audit_of
from tests.soak.installation import Installation, prepared
from tests.storage import postgres


@pytest.fixture
async def installation(stage: Stage) -> AsyncIterator[Installation]:
    """Processes on a PostgreSQL of their own, all of which end with the test."""
    programs = postgres.server_programs()
    require("postgres", available=programs is not None, cure=postgres.CURE)
    assert programs is not None
    with postgres.served(programs) as server:
        await prepared(server)
        made = Installation(folder=stage.folder, server=server, details=stage.sandbox.details)
        try:
            yield made
        finally:
            await asyncio.gather(*map(made.kill, [*made.running]))


async def start(installation: Installation, name: str) -> None:
    """Start a process that gives running jobs half a second, and wait until it works."""
    await installation.start(name, ATELIER_SHUTDOWN_S="0.5")
    log = installation.folder / f"{name.replace(' ', '-')}.log"
    await said(log, event="working" if name.startswith("worker") else "ready")


async def stop(installation: Installation, name: str) -> None:
    """Tell a process to stop, and hold that it does, in time and by itself."""
    process, began = installation.running.pop(name), time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
    assert time.monotonic() - began < 30


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_r21_a_worker_and_a_bot_end_within_thirty_seconds_and_lose_nothing(
    stage: Stage, installation: Installation
) -> None:
    for name in ("bot 1", "worker 1"):
        await start(installation, name)
    await stage.ada.remix("steady night", image=await stage.ada.upload(photo()), seed=7)
    await stage.ada.text("step", wait_s=WAIT_S)
    await stop(installation, "worker 1")
    assert (await audit_of(installation.url))[0] == {"queued": 1}
    await start(installation, "worker 2")
    await stage.ada.text("step", wait_s=WAIT_S)
    await stop(installation, "bot 1")
    await start(installation, "bot 2")
    await stage.ada.result(wait_s=WAIT_S)
    for name in ("worker 2", "bot 2"):
        await stop(installation, name)
    assert await audit_of(installation.url) == ({"done": 1}, [])
    assert len(await stage.ada.messages()) == 1
