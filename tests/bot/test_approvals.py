"""Approval: what is made is held until a moderator has looked at it, and then shown once."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.composition import Bot
from sandbox import permissions
from sandbox.state import Overwrite
from storage.database import Database
from storage.reviews import UNSENT, ReviewStore
from tests.bot.members import is_result, job_of, parts, text_of
from tests.bot.stage import Stage, rows, settled
from tests.bot.test_admin import admin

HELD = "Somebody who moderates this server looks at it"
EVERYTHING = "SELECT state, error, device_ms > 0, pictures FROM jobs ORDER BY created_at"


def mods(stage: Stage) -> str:
    """Return the channel where pictures are approved: the one that nobody asks in."""
    found = (str(each["id"]) for each in stage.sandbox.details["channels"])
    return next(each for each in found if each != stage.ada.channel_id)


async def switch_on(stage: Stage, **options: object) -> None:
    await admin(stage.cleo, "approval on", review=mods(stage), **options)
    await stage.cleo.text("once somebody has approved them in")
    stage.cleo.channel_id = mods(stage)


async def question(stage: Stage) -> dict[str, object]:
    """Return the newest message by which a moderator decides."""
    return await stage.cleo.text("once one of you approves it")


async def until(
    bot: Bot, statement: str, wanted: Callable[[list[tuple[object, ...]]], bool]
) -> None:
    async with asyncio.timeout(20):
        while True:
            if wanted(rows(bot, statement)):
                return
            await asyncio.sleep(0.05)


async def closed(bot: Bot) -> None:
    """Wait until every member was told, and every message says what became of its picture."""
    await settled(bot)
    await until(bot, "SELECT count(*) FROM reviews", lambda found: found == [(0,)])
    assert await bot.stores.quotas.audit() == []


def pictures_of(message: dict[str, object]) -> list[dict[str, object]]:
    return [item for part in parts(message) for item in part.get("items", ())]


async def test_a_picture_is_shown_once_a_moderator_has_approved_it(stage: Stage) -> None:
    bot = await stage.start()
    await switch_on(stage)
    await stage.ada.remix("slow night", seed=5)
    waits = await stage.ada.text(HELD)
    asked = await question(stage)
    assert waits["attachments"] == []
    assert [picture["spoiler"] for picture in pictures_of(asked)] == [True]
    assert f"<@{stage.ada.id}>" in text_of(asked)
    assert "slow night" in text_of(asked)
    assert not [it for it in stage.sandbox.exchanges if "preview-" in str(it)]
    assert rows(bot, EVERYTHING) == [("held", None, None, None)]
    assert rows(bot, "SELECT used_ms, reserved_ms > 0 FROM accounts") == [(0, 1)]
    stage.ben.channel_id = mods(stage)
    await stage.ben.press(asked, "Approve")
    refusal = await stage.ben.text("for those who may manage messages")
    assert refusal["ephemeral_for"] == stage.ben.id
    await stage.cleo.press(asked, "Approve")
    result = await stage.ada.result()
    assert (result["id"], "seed 5" in text_of(result)) == (waits["id"], True)
    told = await stage.cleo.text("approved a picture for")
    assert (told["id"], told["attachments"], pictures_of(told)) == (asked["id"], [], [])
    await closed(bot)
    assert rows(bot, EVERYTHING) == [("done", None, 1, 1)]
    assert rows(bot, "SELECT act, after FROM audit ORDER BY id")[1:] == [("decision", '"approved"')]
    stage.cleo.channel_id = stage.ada.channel_id
    await admin(stage.cleo, "approval off")
    await stage.cleo.text("shown at once again")
    await stage.ada.remix("a cat")
    await stage.ada.results(2)


@pytest.mark.slow
async def test_what_is_refused_costs_nothing_and_is_gone_and_its_member_reads_why(
    stage: Stage,
) -> None:
    bot = await stage.start()
    await switch_on(stage, channel=stage.ada.channel_id)
    await stage.ada.remix("a cat")
    asked = await question(stage)
    await stage.cleo.press(asked, "Refuse")
    await stage.cleo.fill(reason="no *cats* here")
    failure = await stage.ada.text("refused the picture")
    assert "no \\*cats\\* here" in text_of(failure)
    assert "Nothing was charged" in text_of(failure)
    told = await stage.cleo.text("refused a picture for")
    assert (told["id"], told["attachments"]) == (asked["id"], [])
    await closed(bot)
    assert rows(bot, EVERYTHING) == [("failed", "PictureRefusedError", 0, 0)]
    assert rows(bot, "SELECT used_ms, reserved_ms FROM accounts") == [(0, 0)]
    assert rows(bot, "SELECT count(*) FROM outputs") == [(0,)]
    await stage.ada.remix("a dog")
    waits = await stage.ada.text(HELD)
    await stage.cleo.press(await question(stage), "Refuse")
    await stage.ada.press(waits, "Stop")
    await stage.ada.text("Stopped.")
    await stage.cleo.text("does not wait any more: it was stopped")
    await stage.cleo.fill(reason="too late")
    await stage.cleo.text("does not wait for a decision any more")
    await closed(bot)
    stage.ada.channel_id = mods(stage)
    await stage.ada.remix("elsewhere")
    await stage.ada.result()


@pytest.mark.slow
async def test_a_decision_outlives_a_kill_and_the_picture_comes_once(stage: Stage) -> None:
    async with stage.running() as bot:
        await switch_on(stage)
        await stage.ada.remix("a cat")
        await stage.ben.remix("a dog")
        asked = await stage.cleo.until(lambda it: "one of you approves" in text_of(it), count=2)
        await until(bot, "SELECT count(message_id) FROM reviews", lambda it: it == [(2,)])
        jobs = {job_of(each) for each in asked}
        first = job_of(asked[0])
        # What a kill leaves after the message was sent, and before that was remembered.
        rows(bot, f"UPDATE reviews SET message_id = NULL WHERE job_id <> '{first}'")
        rows(bot, "UPDATE jobs SET interaction_token = NULL, owner = 'a bot that died',"
                  " lease_expires_at = '2999-01-01 00:00:00'")  # fmt: skip
        address = bot.settings.database
        files = bot.stores.files
    database = Database.open(address)
    # What a kill leaves between deciding and delivering.
    decided = ReviewStore(database, files=files)
    await decided.approve(first, guild_id=int(stage.guild_id), actor_id=int(stage.cleo.id))
    await database.close()
    bot = await stage.start()
    shown = await stage.ada.result()
    assert "your picture has been approved" in text_of(shown)
    await stage.cleo.text("approved a picture for")
    await settled(bot)
    left = await question(stage)
    assert [job_of(left)] == [*jobs - {first}]
    await stage.cleo.press(left, "Approve")
    results = await stage.ada.results(2)
    assert {job_of(each) for each in results} == jobs
    await closed(bot)
    in_channel = await stage.ada.messages()
    assert len([it for it in in_channel if is_result(it)]) == 2
    assert [it for it in in_channel if HELD in text_of(it)] == [], "their replies are gone"
    assert len(await stage.cleo.messages()) == 3, "one question each, and the announcement"


@pytest.mark.slow
async def test_admins_hear_once_that_nothing_can_be_asked_and_decide_by_command(
    stage: Stage,
) -> None:
    bot = await stage.start()
    await switch_on(stage)
    stage.cleo.channel_id = stage.ada.channel_id
    bot_id = int(stage.sandbox.details["application_id"])
    channel = stage.sandbox.state.channels[int(mods(stage))]
    channel.overwrites[bot_id] = Overwrite(deny=permissions.SEND_MESSAGES)
    await stage.ada.remix("a cat")
    await until(bot, "SELECT message_id FROM reviews", lambda found: found == [(UNSENT,)])
    await stage.ada.remix("a dog")
    await until(bot, "SELECT count(*) FROM reviews", lambda found: found == [(2,)])
    await until(bot, "SELECT min(message_id) FROM reviews", lambda found: found == [(UNSENT,)])
    await admin(stage.cleo, "approval list")
    listed = text_of(await stage.cleo.text("waiting: 2"))
    assert "where I cannot write" in listed
    await admin(stage.cleo, "approval next")
    asked = await question(stage)
    assert "a cat" in text_of(asked)
    assert asked["ephemeral_for"] == stage.cleo.id
    await stage.cleo.press(asked, "Approve")
    await stage.ada.result()
    await stage.cleo.text("approved a picture for")
    await admin(stage.cleo, "approval on", review=mods(stage), channel=mods(stage))
    await stage.cleo.text("it cannot be where they are to be shown")
    await admin(stage.cleo, "approval on", review=mods(stage))
    await stage.cleo.until(lambda it: "cannot be approved in" in text_of(it), count=2)
    del channel.overwrites[bot_id]
    await admin(stage.cleo, "approval on", review=mods(stage))
    stage.cleo.channel_id = mods(stage)
    asked = await question(stage)
    await stage.cleo.press(asked, "Approve")
    await stage.ada.results(2)
    await closed(bot)
    await stage.cleo.go_direct()
    [direct] = await stage.cleo.messages()
    assert "I cannot write there any more" in text_of(direct)


@pytest.mark.slow
async def test_what_is_erased_or_left_for_too_long_leaves_no_picture_with_the_moderators(
    stage: Stage,
) -> None:
    bot = await stage.start()
    await switch_on(stage)
    await stage.ada.remix("a cat")
    await stage.ben.remix("a dog")
    await stage.cleo.until(lambda it: "one of you approves" in text_of(it), count=2)
    await until(bot, "SELECT count(message_id) FROM reviews", lambda it: it == [(2,)])
    await stage.ada.command("privacy", "delete")
    await stage.ada.press(await stage.ada.text("Erase everything?"), "Erase everything")
    await stage.ada.text("Erased")
    await stage.cleo.text("does not wait any more")
    rows(bot, "UPDATE jobs SET held_at = '2020-01-01 00:00:00', interaction_token = NULL")
    report = await bot.stores.retention.purge(older_than=timedelta(days=30))
    assert report.expired == 1
    await stage.cleo.text("Nobody decided in time on a picture")
    told = await stage.ben.text("Nobody decided in time whether")
    assert f"<@{stage.ben.id}>" in text_of(told)
    await closed(bot)
    assert [it for it in await stage.cleo.messages() if it["attachments"]] == []
    assert [it for it in await stage.ben.messages() if HELD in text_of(it)] == []
    assert rows(bot, "SELECT count(*) FROM outputs") == [(0,)]
    assert rows(bot, "SELECT sum(used_ms), sum(reserved_ms) FROM accounts") == [(0, 0)]
