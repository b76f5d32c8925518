"""Who is served next: members take turns, however many jobs one of them drops."""

import asyncio

import pytest

from tests.bot.members import Member, Message, text_of
from tests.bot.stage import Stage, rows

FINISHED_BEFORE = (
    "SELECT count(*) FROM jobs WHERE member_id = {other} AND finished_at <"
    " (SELECT min(finished_at) FROM jobs WHERE member_id = {member})"
)


@pytest.mark.slow
async def test_a_member_who_drops_many_jobs_holds_up_nobody(stage: Stage) -> None:
    bot = await stage.start(parallel_jobs=1)
    await stage.ada.remix("endless night")
    first = await stage.ada.text("step")
    await drop(stage.ada, 20)
    await stage.ben.remix("night")
    await stage.ben.until(waits, count=21)
    await stage.ada.press(first, "Stop")
    await stage.settled(bot)
    [(before,)] = rows(bot, FINISHED_BEFORE.format(other=stage.ada.id, member=stage.ben.id))
    assert before == 1, "only what ran when Ben came may end before his"
    assert rows(bot, "SELECT count(*) FROM jobs WHERE state = 'done'") == [(21,)]


@pytest.mark.slow
async def test_members_take_turns_after_a_restart_too(stage: Stage) -> None:
    async with stage.running(parallel_jobs=1, shutdown_s=0.1):
        await stage.ada.remix("endless night")
        await stage.ada.text("step")
        await drop(stage.ada, 8)
        await stage.ben.remix("night")
        await stage.ben.until(waits, count=9)
    bot = await stage.start(parallel_jobs=1)
    await stage.ada.press(await stage.ada.text("step"), "Stop")
    await stage.settled(bot)
    [(before,)] = rows(bot, FINISHED_BEFORE.format(other=stage.ada.id, member=stage.ben.id))
    assert before == 1
    assert rows(bot, "SELECT count(*) FROM jobs WHERE state = 'done'") == [(9,)]


@pytest.mark.slow
async def test_a_job_that_another_bot_took_is_left_to_it(stage: Stage) -> None:
    bot = await stage.start(parallel_jobs=1)
    await stage.ada.remix("endless night")
    first = await stage.ada.text("step")
    await stage.ben.remix("night")
    await stage.ben.until(waits)
    rows(
        bot,
        "UPDATE jobs SET state = 'running', owner = 'another', attempt = 1,"
        f" lease_expires_at = datetime('now', '+4 seconds') WHERE member_id = {stage.ben.id}",
    )
    await stage.ada.press(first, "Stop")
    await stage.ada.text("Stopped.")
    assert not bot.line.own
    # Nobody prolongs that lease: once it is over the job is taken up again.
    await stage.ben.result()
    await stage.settled(bot)
    assert rows(bot, f"SELECT attempt, state FROM jobs WHERE member_id = {stage.ben.id}") == [
        (2, "done")
    ]


async def drop(member: Member, count: int) -> None:
    """Ask for many pictures at once."""
    image = await member.upload()
    await asyncio.gather(*(member.remix(f"night {n}", image=image) for n in range(count)))
    await member.until(waits, count=count)


def waits(message: Message) -> bool:
    return "place" in text_of(message)
