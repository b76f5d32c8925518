"""Every act of an admin is in the log, holds at once, and holds where it should alone."""

import asyncio
import re
import shutil

import aiohttp
import pytest
from discord import app_commands

from bot.composition import Bot
from bot.presets import presets
from bot.variations import AMOUNTS
from storage.acts import LOG_LENGTH
from tests.bot.checkpoints import painter
from tests.bot.members import text_of
from tests.bot.stage import Stage, rows, settled
from tests.bot.test_admin import admin, choices
from tests.bot.test_presets import model

LOOKS = {
    "safety", "models", "jobs", "audit", "words list", "presets list", "quota show",
    "members blocked", "pipelines list", "approval list", "approval next", "digest show",
}  # fmt: skip


def acts(stage: Stage, *dead: str) -> list[tuple[str, dict[str, object], str]]:
    """Return every act: its path, its options, and what the log calls it.

    Args:
        dead: two jobs that lie with the dead letters.
    """
    ben, here = stage.ben.id, stage.cleo.channel_id
    return [
        ("safety", {"policy": "off"}, "safety"),
        ("retention", {"days": 3}, "retention"),
        ("language", {"name": "en-US"}, "language"),
        ("words add", {"word": "gore"}, "word"),
        ("words escalate", {"warnings": 2}, "warnings"),
        ("words remove", {"word": "gore"}, "word"),
        ("presets add", {"name": "house", "prompt": "in ink"}, "preset"),
        ("presets remove", {"name": "house"}, "preset"),
        ("presets hide", {"name": "night", "channel": here}, "preset"),
        ("presets show", {"name": "night", "channel": here}, "preset"),
        ("quota set", {"period": "day", "minutes": 5, "together": True}, "quota"),
        ("quota grant", {"member": ben, "minutes": 5}, "top_up"),
        ("quota reset", {"member": stage.ada.id}, "reset"),
        ("quota priority", {"shares": 2, "member": ben}, "priority"),
        ("quota timezone", {"name": "Europe/Berlin"}, "time_zone"),
        ("members block", {"member": ben, "reason": "spam"}, "block"),
        ("members unblock", {"member": ben}, "block"),
        ("pipelines off", {"name": "remix"}, "pipeline"),
        ("pipelines on", {"name": "remix"}, "pipeline"),
        ("approval on", {"review": here}, "approval"),
        ("approval off", {}, "approval"),
        ("digest on", {"channel": here}, "digest"),
        ("digest off", {}, "digest"),
        ("defaults set", {"strength": 0.4}, "strength"),
        ("defaults clear", {}, "strength"),
        ("dead requeue", {"job": dead[0]}, "job"),
        ("dead drop", {"job": dead[1]}, "job"),
    ]


async def logged(bot: Bot, count: int) -> list[str]:
    """Wait until the log has so many lines, and return what they are called."""
    for _ in range(1000):
        found = [str(act) for (act,) in rows(bot, "SELECT act FROM audit ORDER BY id")]
        if len(found) >= count:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(found)


async def test_every_act_of_an_admin_leaves_a_line_in_the_log(stage: Stage) -> None:
    bot = await stage.start()
    await stage.ada.remix("a cat")
    await stage.ada.remix("a hen")
    await stage.ada.results(2)
    await settled(bot)
    died = "UPDATE jobs SET dead_at = '2026-01-01 00:00:00', error = 'EngineLostError'"
    [first, second] = [str(found) for (found,) in rows(bot, died, "SELECT id FROM jobs")]
    done = acts(stage, first, second)
    family = bot.client.tree.get_command("admin")
    assert isinstance(family, app_commands.Group)
    paths = {
        each.qualified_name.removeprefix("admin ")
        for each in family.walk_commands()
        if isinstance(each, app_commands.Command)
    }
    assert {path for path, _, _ in done} | LOOKS == paths
    for number, (path, options, act) in enumerate(done, start=1):
        assert (await admin(stage.cleo, path, **options))["status"] == 200
        assert (await logged(bot, number))[number - 1 :] == [act], path
    await admin(stage.cleo, "audit")
    lines = text_of(await stage.cleo.text("What admins did")).splitlines()[1:]
    assert len(lines) == LOG_LENGTH
    await admin(stage.cleo, "audit", before=len(done) - LOG_LENGTH + 1)
    lines += text_of(await stage.cleo.text("`#1`")).splitlines()[1:]
    assert len(lines) == len(done)
    told = "\n".join(lines)
    for words in (
        f"top-up, <@{stage.ben.id}>: not set → 5 min",
        f"reset, <@{stage.ada.id}>, day",
        f"block of <@{stage.ben.id}>: not set",
        f"shares of the turns, <@{stage.ben.id}>: ",
        "limit the whole server together, day: not set → 5 min",
        "language: not set → English",
        "blocked until lifted, reason spam",
        "approval, everywhere",
    ):
        assert words in told, words
    assert not re.search(r"(?<![<@#&!:`\d])\d{15,}", told)
    home = f"http://127.0.0.1:{bot.web_port}/admin/{stage.guild_id}"
    assert bot.admin_page.address is not None
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as page:
        await page.get(bot.admin_page.address)
        async with page.get(f"{home}/audit?before={len(done)}") as reply:
            html = await reply.text()
    assert reply.status == 200
    for words in ("top-up, Ben", "shares of the turns, Ben", "block of Ben", "turns, Ben"):
        assert words in html, words
    here = f"<#{stage.cleo.channel_id}>"
    assert f"preset night: on in {here} → off in {here}" in told
    assert all(f"<@{stage.cleo.id}>" in line for line in lines)


async def test_who_is_blocked_is_told_why_alone_and_pays_nothing(stage: Stage) -> None:
    bot = await stage.start()
    await stage.ada.remix("a cat")
    before = await stage.ada.result()
    await admin(stage.cleo, "members block", member=stage.ada.id, reason="*spam*", hours=1)
    await stage.cleo.text("may ask for no pictures here until")
    await stage.ada.remix("a dog")
    refusal = await stage.ada.text("let you ask for no pictures here until")
    assert "\\*spam\\*" in text_of(refusal)
    assert refusal["ephemeral_for"] == stage.ada.id
    assert not [it for it in await stage.ben.messages() if "no pictures here" in text_of(it)]
    await stage.ada.press(before, "Again")
    await stage.ada.until(lambda it: "let you ask for no" in text_of(it), count=2)
    await stage.ben.remix("a hen")
    await stage.ben.result()
    await admin(stage.cleo, "members blocked")
    await stage.cleo.text("Blocked members: 1")
    rows(bot, "UPDATE blocks SET until = '2020-01-01 00:00:00'")
    await admin(stage.cleo, "members unblock", member=stage.ada.id)
    await stage.cleo.text("Nothing keeps that member")
    await stage.ada.remix("a dog")
    await stage.ada.until(lambda it: "a dog" in text_of(it) and "Delete" in str(it))
    await settled(bot)
    assert rows(bot, "SELECT count(*) FROM jobs") == [(3,)]
    assert rows(bot, "SELECT count(*) FROM ledger WHERE kind = 'reserve'") == [(3,)]


@pytest.mark.slow
async def test_what_is_off_what_is_usual_and_what_warns_holds_where_it_was_chosen(
    stage: Stage,
) -> None:
    model(stage.folder / "data" / "models", "able")
    bot = await stage.start()
    other = next(
        str(each["id"])
        for each in stage.sandbox.details["channels"]
        if str(each["id"]) != stage.cleo.channel_id
    )
    for act, options in (
        ("pipelines off", {"name": "remix", "channel": other}),
        ("presets hide", {"name": "night", "channel": stage.cleo.channel_id}),
        ("defaults set", {"model": "able", "preset": "film", "strength": 0.4}),
        ("words add", {"word": "gore", "action": "warn"}),
        ("words escalate", {"warnings": 1}),
    ):
        await admin(stage.cleo, act, **options)
    await logged(bot, 7)
    image = await stage.ada.upload()
    assert "night" not in await choices(stage.ada, "remix", image=image, preset="")
    await stage.ada.remix("a cat", preset="night")
    await stage.ada.text("There is no such preset")
    await stage.ada.command("remix", None, image=image)
    await stage.ada.result()
    await stage.ada.remix("some gore")
    await stage.ada.results(2)
    await stage.ada.remix("some gore")
    await stage.ada.text("You were warned 1 times within a day")
    await stage.ada.remix("a hen")
    await stage.ada.results(3)
    await settled(bot)
    kept = "model, parameters ->> '$.preset', parameters ->> '$.strength'"
    assert rows(bot, f"SELECT {kept} FROM jobs ORDER BY created_at") == [
        ("able", "film", presets()["film"].strength),
        ("able", None, 0.4),
        ("able", None, 0.4),
    ]
    stage.ada.channel_id = other
    await stage.ada.remix("a cat")
    await stage.ada.text("have switched remix off here")
    await admin(stage.cleo, "pipelines list")
    assert f"`remix` · off in <#{other}>" in text_of(await stage.cleo.text("Ways of making"))
    await admin(stage.cleo, "pipelines on", name="remix")
    await stage.cleo.text("It is not switched off there")
    rows(bot, "UPDATE jobs SET state = 'failed', error = 'EngineLostError' WHERE model = 'able'")
    await admin(stage.cleo, "jobs")
    assert "failed, attempt 1" in text_of(await stage.cleo.text("Newest jobs: failed"))


@pytest.mark.slow
async def test_what_is_usual_holds_in_every_command_that_can_take_it(stage: Stage) -> None:
    models = stage.folder / "data" / "models"
    for name in ("able", "other"):
        painter(models / name)
    bot = await stage.start()
    await admin(stage.cleo, "defaults set", model="other", strength=0.4)
    await logged(bot, 2)
    image = await stage.ada.upload()
    await stage.ada.command("imagine", None, prompt="a castle")
    await stage.ada.command("imagine", None, prompt="a castle", model="able")
    await stage.ada.command("vary", None, image=image)
    await stage.ada.command("style", None, image=image, preset="wave")
    await stage.ada.command("style", None, image=image, preset="wave", strength=0.9)
    await stage.ada.results(5)
    await settled(bot)
    kept = "command, model, parameters ->> '$.strength'"
    assert rows(bot, f"SELECT {kept} FROM jobs ORDER BY created_at") == [
        ("imagine", "other", 1.0),
        ("imagine", "able", 1.0),
        ("vary", "other", AMOUNTS["subtle"]),
        ("style", "shade", 0.4),
        ("style", "shade", 0.9),
    ]
    shutil.rmtree(models / "other")
    await bot.models.refresh()
    await stage.ada.command("imagine", None, prompt="a hen")
    await stage.ada.results(6)
    await settled(bot)
    assert rows(bot, "SELECT model FROM jobs ORDER BY created_at DESC LIMIT 1") == [("able",)]
