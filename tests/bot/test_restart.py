"""Jobs outlive the process that accepted them, and nobody gets a picture twice."""

import asyncio

import discord
import pytest

from bot.composition import Bot
from tests.bot.members import job_of, text_of
from tests.bot.stage import Stage, rows


@pytest.mark.slow
async def test_a_stopped_bot_says_so_and_makes_the_picture_at_its_next_start(stage: Stage) -> None:
    async with stage.running(shutdown_s=0.1):
        await stage.ada.remix("slow night", seed=1)
        await stage.ada.text("step")
        await stage.ben.remix("slow night")
        await stage.ben.until(lambda seen: "Remix" in text_of(seen), count=2)
    await stage.ada.until(lambda seen: "I am being restarted" in text_of(seen), count=2)
    bot = await stage.start()
    await stage.ada.results(2)
    await stage.settled(bot)
    assert await bot.stores.quotas.audit() == []
    assert rows(bot, "SELECT count(*), min(state) FROM jobs") == [(2, "done")]


async def test_r11_jobs_of_a_bot_that_died_are_taken_up_at_once(stage: Stage) -> None:
    async with stage.running() as bot:
        await stage.ada.remix("night")
        message = await stage.ada.result()
        await stage.settled(bot)
        rows(bot, *as_if_killed_while_running(job_of(message)))
    bot = await stage.start()
    await stage.settled(bot)
    assert rows(bot, "SELECT state, attempt FROM jobs") == [("done", 2)]
    assert len(await stage.ada.messages()) == 1


async def test_r11_a_picture_that_was_made_but_not_delivered_is_delivered(stage: Stage) -> None:
    async with stage.running() as bot:
        await stage.ada.remix("night", seed=4)
        await stage.ada.result()
        await stage.settled(bot)
        rows(bot, "UPDATE jobs SET delivered_at = NULL")
    bot = await stage.start()
    await stage.settled(bot)
    [message] = await stage.ada.messages()
    assert "seed 4" in text_of(message)
    assert rows(bot, "SELECT attempt FROM jobs") == [(1,)]


@pytest.mark.slow
async def test_r17_a_job_that_outlives_three_bots_is_failed_and_refunded(stage: Stage) -> None:
    async with stage.running() as bot:
        await stage.ada.remix("night")
        message = await stage.ada.result()
        await stage.settled(bot)
        rows(bot, *as_if_killed_while_running(job_of(message), attempt=3))
    bot = await stage.start()
    await stage.ada.text("The engine stopped while it made the picture, more than once")
    await stage.settled(bot)
    assert await bot.stores.quotas.audit() == []


async def test_commands_are_registered_when_they_changed_and_only_then(stage: Stage) -> None:
    bot = await stage.start()
    count = len(stage.requests("PUT", "/commands"))
    assert count == 1
    assert not await sync(bot)
    assert len(stage.requests("PUT", "/commands")) == count
    bot.client.tree.remove_command("style")
    assert await sync(bot)
    assert len(stage.requests("PUT", "/commands")) == count + 1


async def test_health_readiness_and_metrics_are_served(stage: Stage) -> None:
    bot = await stage.start()
    await stage.ada.remix("night")
    await stage.ada.result()
    page = f"http://127.0.0.1:{bot.web_port}"
    assert await stage.ada.fetch(f"{page}/healthz") == b"ok\n"
    assert await stage.ada.fetch(f"{page}/readyz") == b"ready\n"
    metrics = (await stage.ada.fetch(f"{page}/metrics")).decode()
    assert "atelier_engine_up 1.0" in metrics
    assert "atelier_loop_lag_seconds_bucket" in metrics
    assert stage.sandbox.details["token"] not in metrics


@pytest.mark.slow
async def test_what_is_older_than_the_retention_time_is_purged_at_the_start(
    stage: Stage,
) -> None:
    async with stage.running() as bot:
        await stage.ada.remix("night")
        message = await stage.ada.result()
        await stage.settled(bot)
        rows(
            bot,
            "UPDATE jobs SET created_at = datetime(created_at, '-9 days'),"
            " finished_at = datetime(finished_at, '-9 days')",
        )
    bot = await stage.start(retention_days=1)
    await stage.ada.press(message, "Again")
    await stage.ada.text("That picture has been deleted")
    assert rows(bot, "SELECT prompt FROM jobs") == [(None,)]


async def sync(bot: Bot) -> bool:
    from bot.syncing import sync_commands

    return await sync_commands(bot.client, bot.stores.kept)


def as_if_killed_while_running(job_id: str, *, attempt: int = 1) -> tuple[str, ...]:
    """Return statements that undo a job's end: what a kill before the commit leaves."""
    job = f"job_id = '{job_id}'"
    return (
        f"DELETE FROM outputs WHERE {job}",
        "UPDATE accounts SET used_ms = 0, reserved_ms ="
        f" (SELECT amount_ms FROM ledger WHERE {job} AND kind = 'reserve')",
        f"DELETE FROM ledger WHERE {job} AND kind <> 'reserve'",
        "UPDATE jobs SET state = 'running', owner = 'a bot that died', finished_at = NULL,"
        f" lease_expires_at = '2999-01-01 00:00:00', delivered_at = NULL, attempt = {attempt}"
        f" WHERE id = '{job_id}'",
    )


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (4004, discord.ConnectionClosed),
        pytest.param(4014, discord.PrivilegedIntentsRequired, marks=pytest.mark.slow),
    ],
)
async def test_r13_jobs_of_a_bot_that_discord_has_thrown_out_are_kept(
    stage: Stage, code: int, error: type[discord.DiscordException]
) -> None:
    with pytest.raises(error):
        await thrown_out(stage, code=code)
    bot = await stage.start()
    await stage.ada.result()
    await stage.settled(bot)
    assert await bot.stores.quotas.audit() == []
    assert len(await stage.ada.messages()) == 1


async def thrown_out(stage: Stage, *, code: int) -> None:
    """Run a bot until Discord closes its connection for good, in the middle of a job."""
    async with stage.running(shutdown_s=0.1) as bot:
        await stage.ada.remix("slow night")
        await stage.ada.text("step")
        stage.order(kind="close", code=code)
        async with asyncio.timeout(10):
            while True:
                if bot.client.is_closed():
                    return
                await asyncio.sleep(0.05)
