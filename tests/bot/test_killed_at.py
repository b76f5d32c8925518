"""R11: a bot that is killed between any two steps of a job; its next start ends what it began."""

import os
import signal
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import DEVNULL

import pytest

from tests.bot.stage import Stage, rows
from tests.bot.test_cut_off import said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "attempt"),
    [
        ("accepted", 1),
        ("claimed", 2),
        ("stored", 2),
        ("charged, not committed", 2),
        ("committed", 1),
        ("sent, not noted", 1),
    ],
)
async def test_r11_what_was_under_way_is_made_charged_and_told_once(
    stage: Stage, point: str, attempt: int
) -> None:
    details, log = stage.sandbox.details, stage.folder / "killed.log"
    settings = {
        "DISCORD_TOKEN": details["token"],
        "ATELIER_DATA_DIR": str(stage.folder / "data"),
        "ATELIER_SANDBOX_ADDRESS": f"127.0.0.1:{details['tls_port']}",
        "ATELIER_SANDBOX_CERTIFICATE": details["certificate"],
        "ATELIER_WEB_PORT": "0",
        "ATELIER_ENGINE_TEMPLATE": "false",
        "ATELIER_LOG_FORMAT": "json",
    }
    with log.open("wb") as output:
        killed = await create_subprocess_exec(
            *(sys.executable, "-m", "tests.bot.killed", point),
            env={**os.environ, **settings},
            stdout=DEVNULL,
            stderr=output,
        )
    try:
        await said(log, event="ready")
        await stage.ada.remix("night", seed=4)
        assert await killed.wait() == -signal.SIGKILL
    finally:
        if killed.returncode is None:
            killed.kill()
    async with stage.running() as bot:
        await stage.ada.result()
        await stage.settled(bot)
        assert len(await stage.ada.messages()) == 1
        jobs = rows(bot, "SELECT state, attempt, delivered_at IS NOT NULL FROM jobs")
        assert jobs == [("done", attempt, 1)]
        assert rows(bot, "SELECT count(*) FROM outputs") == [(1,)]
        assert await bot.stores.quotas.audit() == []
        used = rows(bot, "SELECT reserved_ms, used_ms = (SELECT device_ms FROM jobs) FROM accounts")
        assert set(used) == {(0, 1)}
        kept = [path for path in (stage.folder / "data" / "files").rglob("*") if path.is_file()]
        assert len(kept) == 2
