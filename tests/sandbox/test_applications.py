"""Commands and purchases of the application, by bare HTTP and by the real client."""

import asyncio

import discord
import pytest

from sandbox.replies import Payload
from tests.sandbox.clients import Bot, connected
from tests.sandbox.fixtures import RunningSandbox
from tests.sandbox.people import Person
from tests.sandbox.raw import RawBot


def command(name: str = "ping", **extra: object) -> Payload:
    return {"name": name, "description": "Does it", "type": 1} | extra


def option(name: str = "word", **extra: object) -> Payload:
    return {"type": 3, "name": name, "description": "A word"} | extra


async def test_commands_are_made_changed_listed_and_removed(raw: RawBot, ada: Person) -> None:
    for scope in (
        f"/applications/{raw.app_id}",
        f"/applications/{raw.app_id}/guilds/{raw.guild_id}",
    ):
        made = await raw.call("POST", f"{scope}/commands", body=command())
        again = await raw.call("POST", f"{scope}/commands", body=command(description="Other"))
        path = f"{scope}/commands/{made.body['id']}"
        changed = await raw.call("PATCH", path, body={"description": "Changed"})
        read = await raw.call("GET", path)
        listed = await raw.call("GET", f"{scope}/commands")
        removed = await raw.call("DELETE", path)
        assert (made.status, again.status, again.body["id"]) == (201, 200, made.body["id"])
        assert changed.body["description"] == read.body["description"] == "Changed"
        assert [found["id"] for found in listed.body] == [made.body["id"]]
        assert removed.status == 204
    await ada.sees(lambda _: True, kind="COMMANDS_UPDATE")
    assert await ada.commands() == []


async def test_a_command_that_is_replaced_keeps_its_id(raw: RawBot) -> None:
    (first,) = await raw.register(command())
    second, other = await raw.register(command(description="New"), command("other"))
    assert second["id"] == first["id"]
    assert other["id"] != first["id"]
    assert second["version"] != first["version"]


@pytest.mark.parametrize(
    "wrong",
    [
        command("Has Spaces"),
        command("UPPER"),
        command("x" * 33),
        command(description=""),
        command(description="x" * 101),
        command(type=3),
        command(options=[option(), option("other", required=True)]),
        command(options=[option(str(n)) for n in range(26)]),
        command(options=[option(choices=[{"name": str(n), "value": str(n)} for n in range(26)])]),
    ],
)
async def test_a_command_that_discord_refuses_is_refused(raw: RawBot, wrong: Payload) -> None:
    reply = await raw.call("PUT", f"/applications/{raw.app_id}/commands", body=[wrong])
    assert (reply.status, reply.code) == (400, 50035)


async def test_too_many_commands_of_a_kind_are_refused(raw: RawBot) -> None:
    menus = [{"name": f"Menu {n}", "type": 3} for n in range(16)]
    path = f"/applications/{raw.app_id}/commands"
    refused = await raw.call("PUT", path, body=menus)
    taken = await raw.call("PUT", path, body=menus[:15])
    assert (refused.status, taken.status) == (400, 200)


async def test_translations_are_listed_when_asked_for(raw: RawBot) -> None:
    await raw.register(command(name_localizations={"de": "pfeife"}))
    path = f"/applications/{raw.app_id}/commands"
    plain = await raw.call("GET", path)
    translated = await raw.call("GET", f"{path}?with_localizations=true")
    assert "name_localizations" not in plain.body[0]
    assert translated.body[0]["name_localizations"] == {"de": "pfeife"}


async def test_purchases_are_listed_announced_and_come_with_interactions(
    sandbox: RunningSandbox, ada: Person
) -> None:
    received: list[list[int]] = []
    sandbox.state.memory.skus.append(
        {
            "id": "77",
            "type": 5,
            "application_id": sandbox.details["application_id"],
            "name": "Premium",
            "slug": "premium",
            "flags": 128,
            "dependent_sku_id": None,
            "access_type": 1,
            "features": [],
            "release_date": None,
            "premium": False,
            "show_age_gate": False,
        }
    )

    def set_up(bot: Bot) -> None:
        @bot.tree.command(description="Ping")
        async def ping(interaction: discord.Interaction) -> None:
            received.append([found.sku_id for found in interaction.entitlements])
            await interaction.response.send_message("pong")

    async with connected(Bot(), sandbox.details, set_up=set_up) as bot:
        assert [sku.name for sku in await bot.fetch_skus()] == ["Premium"]
        await ada.command("ping")
        buy = f"{sandbox.details['page']}sandbox/entitlements"
        async with ada.http.post(buy, json={"sku_id": "77", "user_id": ada.id}) as bought:
            assert bought.status == 200
        await ada.command("ping")
        found = [entitlement async for entitlement in bot.entitlements()]
        assert [entitlement.user_id for entitlement in found] == [int(ada.id)]
        await found[0].consume()
        await found[0].delete()
        await asyncio.sleep(0.05)
        assert [entitlement async for entitlement in bot.entitlements()] == []
    assert received == [[], [77]]
    names = [name for name, _ in bot.heard if name.startswith("entitlement")]
    assert names == ["entitlement_create", "entitlement_update", "entitlement_delete"]


async def test_command_permissions_of_a_guild_are_readable(
    raw: RawBot, sandbox: RunningSandbox, ada: Person
) -> None:
    (made,) = await raw.register(command())
    rule = {"id": ada.id, "type": 2, "permission": False}
    url = f"{raw.details['page']}sandbox/guilds/{raw.guild_id}/commands/{made['id']}/permissions"
    async with raw.http.put(url, json={"permissions": [rule]}) as reply:
        assert reply.status == 204
    guild = f"/applications/{raw.app_id}/guilds/{raw.guild_id}/commands"
    single = await raw.call("GET", f"{guild}/{made['id']}/permissions")
    every = await raw.call("GET", f"{guild}/permissions")
    assert single.body["permissions"] == [rule]
    assert every.body == [single.body]
    assert await ada.commands() == []
