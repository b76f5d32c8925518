"""The weekly digest: posted once, by the server's clocks, and ended where it cannot be."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.composition import Bot
from bot.digests import Digests, newest_week, question_of, told_at
from bot.texts import load_texts
from sandbox import permissions
from sandbox.state import Overwrite
from tests.bot.members import text_of
from tests.bot.stage import Stage, rows, settled
from tests.bot.test_admin import admin

LAST_YEAR = "UPDATE digests SET week = '2025-01-06', owner = NULL, lease_expires_at = NULL"
TITLE = "The week from"


def digests(bot: Bot, *, owner: str, ahead: timedelta) -> Digests:
    """Return what a process would post with, after some time."""
    return Digests(
        bot.client,
        owner=owner,
        store=bot.stores.digests,
        reports=bot.stores.reports,
        guilds=bot.guilds,
        charts=bot.workers.charts,
        price=bot.price,
        texts=load_texts(),
        clock=lambda: datetime.now(UTC) + ahead,
    )


@pytest.mark.slow
async def test_two_processes_tell_a_week_once_and_a_kill_does_not_double_it(stage: Stage) -> None:
    bot = await stage.start()
    await stage.ada.remix("a cat")
    await stage.ada.result()
    await settled(bot)
    other = str(stage.sandbox.details["channels"][1]["id"])
    await admin(stage.cleo, "digest on", channel=other)
    await stage.cleo.text("and then on Mondays")
    await bot.digests.post_due()
    stage.cleo.channel_id = other
    assert [it for it in await stage.cleo.messages() if TITLE in text_of(it)] == []
    week = timedelta(days=7)
    one, two = (digests(bot, owner=name, ahead=week) for name in ("one", "two"))
    await asyncio.gather(one.post_due(), two.post_due())
    told = await stage.cleo.text(TITLE)
    text = text_of(told)
    assert "Jobs **1**" in text
    assert "Against as long before: jobs new" in text
    [picture] = told["attachments"]
    assert picture["filename"].startswith("digest-")
    # What a kill leaves after the message was sent, and before that was remembered.
    rows(bot, LAST_YEAR)
    await digests(bot, owner="three", ahead=week).post_due()
    assert rows(bot, "SELECT week > '2026', owner FROM digests") == [(1, None)]
    assert len([it for it in await stage.cleo.messages() if TITLE in text_of(it)]) == 1
    await digests(bot, owner="one", ahead=2 * week).post_due()
    quiet = (await stage.cleo.until(lambda it: TITLE in text_of(it), count=2))[-1]
    assert "Nobody has asked for a picture" in text_of(quiet)
    channel = stage.sandbox.state.channels[int(other)]
    bot_id = int(stage.sandbox.details["application_id"])
    channel.overwrites[bot_id] = Overwrite(deny=permissions.SEND_MESSAGES)
    rows(bot, LAST_YEAR)
    for _ in range(2):
        await digests(bot, owner="one", ahead=3 * week).post_due()
    assert rows(bot, "SELECT trouble FROM digests") == [("unreachable",)]
    tried = [it for it in stage.requests("POST", "/messages") if it.status == 403]
    assert len(tried) == 1
    await admin(stage.cleo, "digest show")
    await stage.cleo.text("The weekly digest ended")
    await admin(stage.cleo, "digest on", channel=other)
    await stage.cleo.text("I cannot write in")
    assert rows(bot, "SELECT actor_id, before FROM audit ORDER BY id DESC LIMIT 1") == [
        (bot_id, f'"#{other}"')
    ]
    await stage.cleo.go_direct()
    [direct] = await stage.cleo.messages()
    assert "could not be posted in" in text_of(direct)


@pytest.mark.parametrize(
    ("now", "zone", "week"),
    [
        ("2026-03-16T08:59", "UTC", "2026-03-09"),
        ("2026-03-16T09:00", "UTC", "2026-03-16"),
        ("2026-03-16T01:00", "Asia/Shanghai", "2026-03-16"),
        ("2026-03-16T12:59", "America/New_York", "2026-03-09"),
        ("2026-03-22T23:59", "UTC", "2026-03-16"),
        ("2026-03-30T07:00", "Europe/Berlin", "2026-03-30"),
    ],
)
def test_a_week_is_told_on_monday_at_nine_by_the_servers_clocks(
    now: str, zone: str, week: str
) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert newest_week(moment, zone=ZoneInfo(zone)) == date.fromisoformat(week)


def test_a_week_goes_from_midnight_to_midnight_also_when_clocks_change() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    asked = question_of(5, date(2026, 3, 30), zone=berlin)
    assert asked.until - asked.since == timedelta(days=7, hours=-1)
    assert asked.before is not None
    assert asked.before[1] == asked.since
    assert asked.since - asked.before[0] == timedelta(days=7)
    assert len(asked.parts) == 7
    assert told_at(date(2026, 3, 30), zone=berlin) - asked.until == timedelta(hours=9)
