"""The bot as a process of its own, as an operator runs it: stopped, killed, started again."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from storage.database import Database
from storage.files import FileStore
from storage.jobs import JobStore
from storage.policies import Ceilings
from storage.quotas import Quotas
from tests.bot.members import Member
from tests.bot.pictures import photo
from tests.bot.stage import Stage

ROOT = Path(__file__).parents[2]
START_S = 60.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@asynccontextmanager
async def process(stage: Stage, **changes: str) -> AsyncIterator[Process]:
    """Run ``python -m bot run`` on the stage's sandbox, and kill it in the end."""
    details = stage.sandbox.details
    settings = {
        "DISCORD_TOKEN": details["token"],
        "ATELIER_DATA_DIR": str(stage.folder / "data"),
        "ATELIER_SANDBOX_ADDRESS": f"127.0.0.1:{details['tls_port']}",
        "ATELIER_SANDBOX_CERTIFICATE": details["certificate"],
        "ATELIER_WEB_PORT": "0",
        "ATELIER_PROGRESS_INTERVAL_S": "0.2",
        "ATELIER_SHUTDOWN_S": "0.5",
        **changes,
    }
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "run"),
        cwd=ROOT,
        env={**os.environ, **settings},
        stdout=PIPE,
        stderr=STDOUT,
        start_new_session=True,
    )
    assert child.stdout is not None
    said: list[str] = []
    reading: asyncio.Task[None] | None = None
    try:
        async with asyncio.timeout(START_S):
            while not said or "Invite it: https://discord.com/oauth2/authorize" not in said[-1]:
                line = (await child.stdout.readline()).decode()
                assert line, "".join(said)
                said.append(line)
        reading = asyncio.create_task(drained(child.stdout))
        yield child
    finally:
        if reading is not None:
            reading.cancel()
        if child.returncode is None:
            child.kill()
            await child.wait()


async def drained(output: asyncio.StreamReader) -> None:
    """Read what a process says, so that its pipe never fills."""
    while await output.read(65536):
        pass


async def order(member: Member) -> None:
    """Ask for a picture that takes the real engine a while."""
    image = await member.upload(photo(size=(512, 512)))
    answer = await member.command("style", None, image=image, preset="wave", seed=1)
    assert answer["status"] == 200, answer


async def books_are_right(stage: Stage, *, jobs: int) -> None:
    """Read the database after the process, and check every account against the ledger."""
    database = Database.open(f"sqlite:///{stage.folder / 'data' / 'atelier.sqlite3'}")
    quotas = Quotas(database, ceilings=Ceilings(member_ms=600_000))
    store = JobStore(database, quotas=quotas, files=FileStore(stage.folder / "data" / "files"))
    assert await quotas.audit() == []
    assert await store.unfinished() == []
    assert await store.undelivered() == []
    balance = await quotas.balance(guild_id=int(stage.guild_id), member_id=int(stage.ada.id))
    assert balance.reserved_ms == 0
    assert balance.used_ms > 0
    await database.close()
    assert len(await stage.ada.results(jobs)) == jobs


async def test_r11_a_bot_that_is_killed_while_a_job_runs_delivers_once_after_its_start(
    stage: Stage,
) -> None:
    async with process(stage) as bot:
        await order(stage.ada)
        await stage.ada.text("Great Waves", wait_s=60)
        bot.send_signal(signal.SIGKILL)
        await bot.wait()
    async with process(stage) as bot:
        await stage.ada.result(wait_s=90)
        await asyncio.sleep(1.0)
        bot.terminate()
        assert await bot.wait() == 0
    await books_are_right(stage, jobs=1)
    assert len(await stage.ada.messages()) == 1


async def test_r21_sigterm_ends_the_bot_within_thirty_seconds_and_loses_nothing(
    stage: Stage,
) -> None:
    async with process(stage) as bot:
        await order(stage.ada)
        await stage.ada.text("Great Waves", wait_s=60)
        began = time.monotonic()
        bot.send_signal(signal.SIGTERM)
        assert await bot.wait() == 0
        assert time.monotonic() - began < 30
    async with process(stage) as bot:
        await stage.ada.result(wait_s=90)
        await asyncio.sleep(1.0)
        bot.terminate()
        assert await bot.wait() == 0
    await books_are_right(stage, jobs=1)


async def test_a_second_bot_on_the_same_database_is_refused(stage: Stage) -> None:
    async with process(stage):
        with pytest.raises(AssertionError, match="in use by process"):
            async with process(stage):
                pass


async def test_the_demo_starts_answers_and_takes_its_sandbox_along(tmp_path: Path) -> None:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "demo", "--port", "0"),
        cwd=ROOT,
        env={**os.environ, "ATELIER_DATA_DIR": str(tmp_path), "ATELIER_WEB_PORT": "0"},
        stdout=PIPE,
        stderr=DEVNULL,
        start_new_session=True,
    )
    assert child.stdout is not None
    async with asyncio.timeout(START_S):
        line = (await child.stdout.readline()).decode()
    page = next(word for word in line.split() if word.startswith("http://127.0.0.1:"))
    port = int(page.rstrip("/").rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    began = time.monotonic()
    child.send_signal(signal.SIGINT)
    assert await child.wait() == 0
    assert time.monotonic() - began < 30
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", port)
