"""Quotas as members and admins meet them: set, given, taken back, seen, and refused in words."""

import re
from pathlib import Path

import aiohttp
import pytest
from pydantic import ValidationError

from bot.settings import Settings
from tests.bot.members import Member, text_of
from tests.bot.stage import Stage, rows
from tests.bot.test_admin import admin, choices

SKU = 77


async def role_of(stage: Stage) -> str:
    """Return the role that Cleo has."""
    guild = stage.sandbox.state.guilds[int(stage.guild_id)]
    return str(guild.members[int(stage.cleo.id)].role_ids[0])


async def buy(stage: Stage, **owner: str) -> None:
    """Let a member buy something of the application, for themselves or for a guild."""
    url = f"{stage.sandbox.details['page']}sandbox/entitlements"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json={"sku_id": str(SKU), **owner}) as reply,
    ):
        assert reply.status == 200


async def told_limit(member: Member, limit: str, *, count: int) -> None:
    """Ask what is left, and wait until a limit has been told so often."""
    await member.command("usage", "me")
    await member.until(lambda seen: f"of {limit} today" in text_of(seen), count=count)


async def test_what_admins_set_holds_for_members_roles_channels_and_all_together(
    stage: Stage,
) -> None:
    bot = await stage.start(quota_guild_device_s=3600, quota_windows="guild/month=7200")
    role = await role_of(stage)
    await admin(stage.cleo, "quota set", period="day", minutes=0)
    await stage.cleo.text("Every member: 0.0 s a day from now on, not enough")
    await admin(stage.cleo, "quota set", period="day", minutes=30, role=role)
    await stage.cleo.text(f"<@&{role}>: 30 min a day from now on, about 9,000 pictures")
    await stage.ada.remix()
    await stage.ada.text("Your device time is used up: 0 s left")
    await stage.cleo.remix()
    await stage.cleo.result()
    channel = stage.ada.channel_id
    await admin(stage.cleo, "quota set", period="hour", minutes=0, channel=channel)
    await stage.cleo.remix()
    await stage.cleo.text("What everybody may use in this channel is used up")
    await admin(stage.cleo, "quota set", period="hour", channel=channel)
    await stage.cleo.text(f"<#{channel}>: this server's limit for an hour is taken away")
    await admin(stage.cleo, "quota set", period="month", minutes=0, together=True)
    await stage.cleo.remix()
    await stage.cleo.text("What everybody may use in this server is used up")
    await admin(stage.cleo, "quota show")
    listed = text_of(await stage.cleo.text("Limits: 3 · they renew by the clocks of UTC"))
    assert [line.partition(", about")[0] for line in listed.splitlines()[1:]] == [
        "- Every member: 0.0 s a day, not enough for another picture",
        "- The whole server together: 0.0 s a month, not enough for another picture",
        f"- <@&{role}>: 30 min a day",
        "- Where nothing is set for a member: 10 min a day",
        "- The bot's operator allows this server 60 min a day in all",
        "- The bot's operator allows this server 2 h a month in all",
    ]
    assert rows(bot, "SELECT count(*) FROM jobs") == [(1,)]
    assert await bot.stores.quotas.audit() == []


@pytest.mark.slow
async def test_a_top_up_and_a_reset_let_a_member_go_on_and_are_in_the_log(stage: Stage) -> None:
    bot = await stage.start(quota_device_s=0.3)
    await stage.ada.remix("slow night")
    await stage.ada.result()
    await stage.settled(bot)
    await stage.ada.remix()
    await stage.ada.text("Your device time is used up")
    await admin(stage.cleo, "quota grant", member=stage.ada.id, minutes=10)
    await stage.cleo.text(f"<@{stage.ada.id}> has 10 min more until it is used, about")
    await stage.ada.remix()
    await stage.ada.results(2)
    await stage.ada.command("usage", "me")
    await stage.ada.text("which stays until you need it")
    await admin(stage.cleo, "quota reset", member=stage.ada.id)
    await stage.cleo.text(f"<@{stage.ada.id}>: 1.")
    await admin(stage.cleo, "quota show", member=stage.ada.id)
    said = text_of(await stage.cleo.text("### Your device time"))
    assert "Used **0.0 s** of 0.3 s today" in said
    await admin(stage.cleo, "audit")
    lines = text_of(await stage.cleo.text("`#2`")).splitlines()[1:]
    reset, top_up = (line.split(" · ")[1] for line in lines)
    assert top_up == f"top-up, <@{stage.ada.id}>: not set → 10 min"
    assert re.fullmatch(rf"reset, <@{stage.ada.id}>, day: 1\.\d s → 0\.0 s", reset)


@pytest.mark.slow
async def test_a_purchase_raises_what_a_member_may_use(stage: Stage) -> None:
    await stage.start(quota_device_s=0.001, quota_skus=f" 5=1, {SKU}=50.5 ")
    await stage.ada.remix()
    await stage.ada.text("Your device time is used up")
    await buy(stage, user_id=stage.ada.id)
    await stage.ada.remix()
    await stage.ada.result()
    await stage.ada.command("usage", "me")
    await stage.ada.text("of 50.5 s today")
    await stage.ben.remix()
    await stage.ben.text("Your device time is used up")


@pytest.mark.slow
async def test_a_purchase_outlives_a_restart_and_ends_with_its_time_or_when_it_is_taken_back(
    stage: Stage,
) -> None:
    async with stage.running(quota_device_s=3, quota_skus=f"{SKU}=50.5"):
        await buy(stage, user_id=stage.ada.id)
        await told_limit(stage.ada, "50.5 s", count=1)
    bot = await stage.start(quota_device_s=3, quota_skus=f"{SKU}=50.5")
    await told_limit(stage.ada, "50.5 s", count=2)
    [bought] = stage.sandbox.state.memory.entitlements.values()
    bought["ends_at"] = "2026-01-31T00:00:00+00:00"
    await told_limit(stage.ada, "3.0 s", count=1)
    await buy(stage, guild_id=stage.guild_id)
    await told_limit(stage.ada, "50.5 s", count=3)
    await told_limit(stage.ben, "50.5 s", count=1)
    async for entitlement in bot.client.entitlements():
        await entitlement.delete()
    await told_limit(stage.ben, "3.0 s", count=1)
    assert await bot.stores.quotas.audit() == []


async def test_the_servers_clocks_are_chosen_from_a_list_and_several_targets_refused(
    stage: Stage,
) -> None:
    await stage.start()
    offered = await choices(stage.cleo, "admin quota timezone", name="berlin")
    assert offered == ["Europe/Berlin"]
    await admin(stage.cleo, "quota timezone", name="Europe/Berlin")
    await stage.cleo.text("by the clocks of **Europe/Berlin**")
    await admin(stage.cleo, "quota timezone", name="Mars/Olympus")
    await stage.cleo.text("I know no such time zone")
    await admin(
        stage.cleo, "quota set", period="day", minutes=1, member=stage.ada.id,
        channel=stage.ada.channel_id,
    )  # fmt: skip
    await stage.cleo.text("and not several of them")
    await stage.ada.command("usage", "me")
    await stage.ada.text("of 10 min today")


async def test_metrics_count_what_is_reserved_charged_refunded_and_refused(stage: Stage) -> None:
    bot = await stage.start(quota_total_device_s=1)
    await stage.ada.remix("night")
    await stage.ada.result()
    await stage.ada.remix("refuse")
    await stage.settled(bot)
    await admin(stage.cleo, "quota set", period="day", minutes=0, member=stage.ada.id)
    await stage.cleo.text("from now on")
    await stage.ada.remix()
    await stage.ada.text("Your device time is used up")

    def value(name: str, **labels: str) -> float:
        return bot.metrics.registry.get_sample_value(f"atelier_quota_{name}_total", labels) or 0

    assert value("refusals", scope="member") == 1
    reserved, charged, refunded = (
        round(value("device_seconds", movement=each) * 1000)
        for each in ("reserved", "charged", "refunded")
    )
    assert reserved > 0
    assert charged + refunded >= reserved
    [(used_ms,)] = rows(bot, "SELECT used_ms FROM accounts WHERE scope = 'global'")
    assert used_ms == charged


@pytest.mark.parametrize("skus", ["5", "5=", "a=1", "5=1;6=2", "5=-1"])
def test_what_names_no_purchases_is_refused_at_the_start(tmp_path: Path, skus: str) -> None:
    with pytest.raises(ValidationError):
        Settings(_env_file=None, data_dir=tmp_path, quota_skus=skus)  # type: ignore[call-arg]


@pytest.mark.parametrize("windows", ["guild=5", "guild/day=5", "member/hour=1", "total/hour=x"])
def test_what_names_no_window_is_refused_at_the_start(tmp_path: Path, windows: str) -> None:
    with pytest.raises(ValidationError):
        Settings(_env_file=None, data_dir=tmp_path, quota_windows=windows)  # type: ignore[call-arg]
