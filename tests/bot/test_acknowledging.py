"""A command that was acknowledged is made, refused or told to be cut off, whatever ends the bot."""

import asyncio

import pytest

from bot.composition import Bot
from tests.bot.members import Message, text_of
from tests.bot.stage import Stage, rows, settled
from tests.soak.members import waits


def unanswered(bot: Bot) -> int:
    [(count,)] = rows(bot, "SELECT count(*) FROM acknowledgements")
    assert isinstance(count, int)
    return count


async def answered(bot: Bot) -> None:
    """Wait until everything that was acknowledged has been answered."""
    for _ in range(200):
        if not unanswered(bot):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("a command is still unanswered")


async def cut_off(stage: Stage) -> Message:
    """Have a bot leave while a member's picture is still on its way to it."""
    async with stage.running(download_stall_s=4, download_total_s=4) as bot:
        stage.order(kind="cdn", mode="stall")
        await stage.ada.remix("night")
        [thinking] = await stage.ada.until(waits)
        assert unanswered(bot) == 1
    return thinking


@pytest.mark.slow
async def test_a_command_that_was_cut_off_is_told_at_the_next_start_and_cost_nothing(
    stage: Stage,
) -> None:
    thinking = await cut_off(stage)
    assert [waits(message) for message in await stage.ada.messages()] == [True]
    bot = await stage.start()
    told = await stage.ada.text("I was cut off before I could begin")
    assert told["id"] == thinking["id"]
    await answered(bot)
    assert rows(bot, "SELECT count(*) FROM jobs") == [(0,)]
    await stage.ada.remix("night")
    await stage.ada.result()
    await settled(bot)
    assert len(await stage.ada.messages()) == 2
    assert await bot.stores.quotas.audit() == []


async def test_whoever_has_an_answer_is_told_nothing_else(stage: Stage) -> None:
    bot = await stage.start()
    await stage.ada.remix("night")
    result = await stage.ada.result()
    await settled(bot)
    [(token,)] = rows(bot, "SELECT interaction_token FROM jobs")
    values = f"(7, '{token}', '2999-01-01', 'en-US', 'gone', '2026-01-01')"
    rows(bot, f"INSERT INTO acknowledgements VALUES {values}")
    await answered(bot)
    assert [text_of(seen) for seen in await stage.ada.messages()] == [text_of(result)]


async def test_what_is_answered_in_whatever_way_is_not_kept(stage: Stage) -> None:
    bot = await stage.start()
    await stage.ada.remix("night")
    result = await stage.ada.result()
    await stage.ada.press(result, "Again")
    await stage.ada.results(2)
    await stage.ada.command("usage", "me")
    await stage.ada.until(lambda it: "today" in text_of(it).lower() and not waits(it))
    await stage.ben.remix("night", model="no such model")
    await stage.ben.text("no such model")
    await stage.ben.remix("refuse this")
    await stage.ben.until(lambda it: "refuse this" in text_of(it) and not waits(it))
    await settled(bot)
    await answered(bot)
    assert not any(map(waits, await stage.ada.messages()))
