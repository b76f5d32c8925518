"""Interactions as the real discord.py client sees them."""

import asyncio
import io

import discord
from discord import app_commands

from tests.sandbox.clients import Bot, connected
from tests.sandbox.fixtures import RunningSandbox
from tests.sandbox.people import Person, people
from tests.sandbox.pictures import PNG


async def test_a_slash_command_carries_an_attachment_and_its_deferred_reply_a_file(
    sandbox: RunningSandbox, ada: Person
) -> None:
    received: list[tuple[discord.Attachment, bytes, str]] = []

    def set_up(bot: Bot) -> None:
        @bot.tree.command(description="Remix")
        async def remix(
            interaction: discord.Interaction, image: discord.Attachment, prompt: str
        ) -> None:
            await interaction.response.defer()
            received.append((image, await image.read(), prompt))
            file = discord.File(io.BytesIO(PNG), "result.png", description="a picture")
            await interaction.edit_original_response(content="done", attachments=[file])

    async with connected(Bot(), sandbox.details, set_up=set_up):
        (upload,) = await ada.upload(("photo.png", PNG))
        told = await ada.command("remix", options={"image": upload["id"], "prompt": "night"})
        message = await ada.sees(lambda data: data["content"] == "done")
    assert told["status"] == 200
    assert told["acknowledged_ms"] < 3000
    image, data, prompt = received[0]
    assert (image.filename, image.content_type, data, prompt) == (
        "photo.png",
        "image/png",
        PNG,
        "night",
    )
    assert (image.width, image.height, image.ephemeral) == (32, 16, True)
    (file,) = message["attachments"]
    assert (file["filename"], file["description"], file["size"]) == (
        "result.png",
        "a picture",
        len(PNG),
    )
    assert message["interaction_metadata"]["user"]["id"] == ada.id
    assert message["command"] == "remix"


async def test_a_deferral_shows_a_loading_message_until_it_is_edited(
    sandbox: RunningSandbox, ada: Person
) -> None:
    def set_up(bot: Bot) -> None:
        @bot.tree.command(description="Slow")
        async def slow(interaction: discord.Interaction) -> None:
            await interaction.response.defer()
            await interaction.edit_original_response(content="ready")

    async with connected(Bot(), sandbox.details, set_up=set_up):
        await ada.command("slow")
        message = await ada.sees(lambda data: data["content"] == "ready")
    created = next(event for event in ada.events if event["type"] == "MESSAGE_CREATE")
    assert created["data"]["flags"] & 128
    assert not message["flags"] & 128
    assert created["data"]["id"] == message["id"]


async def test_subcommands_groups_and_every_option_type_arrive_parsed(
    sandbox: RunningSandbox, ada: Person, ben: Person
) -> None:
    received: list[tuple[object, ...]] = []

    def set_up(bot: Bot) -> None:
        top = app_commands.Group(name="usage", description="Usage")
        inner = app_commands.Group(name="report", description="Reports", parent=top)

        @inner.command(description="All of it")
        async def full(
            interaction: discord.Interaction,
            count: app_commands.Range[int, 1, 9],
            ratio: float,
            really: bool,
            who: discord.Member,
            where: discord.TextChannel,
            either: discord.Role | discord.Member,
        ) -> None:
            received.append((count, ratio, really, who.name, where.name, either.name))
            await interaction.response.send_message("ok", ephemeral=True)

        bot.tree.add_command(top)

    async with connected(Bot(), sandbox.details, set_up=set_up):
        options = {
            "count": 3,
            "ratio": 0.5,
            "really": True,
            "who": ben.id,
            "where": ada.channel_id,
            "either": ada.id,
        }
        told = await ada.command("usage", "report", "full", options=options)
        message = await ada.sees(lambda data: data["content"] == "ok")
        refused = await ada.command("usage", "report", "full", options=options | {"count": 10})
    assert told["status"] == 200
    assert received == [(3, 0.5, True, "ben", "general", "ada")]
    assert refused["status"] == 400
    assert "between 1 and 9" in refused["message"]
    assert message["command"] == "usage report full"


async def test_context_menus_carry_the_message_with_its_attachments_and_the_user(
    sandbox: RunningSandbox, ada: Person, ben: Person
) -> None:
    received: list[object] = []

    def set_up(bot: Bot) -> None:
        @bot.tree.context_menu(name="Remix")
        async def remix(interaction: discord.Interaction, message: discord.Message) -> None:
            received.append((message.content, await message.attachments[0].read()))
            await interaction.response.send_message("seen")

        @bot.tree.context_menu(name="Profile")
        async def profile(interaction: discord.Interaction, member: discord.Member) -> None:
            received.append(member.display_name)
            await interaction.response.send_message("who")

    async with connected(Bot(), sandbox.details, set_up=set_up):
        (upload,) = await ben.upload(("a.png", PNG))
        message = await ben.say("look", attachments=[upload["id"]])
        await ada.interact(kind="message", name="Remix", target_id=message["id"])
        await ada.interact(kind="user", name="Profile", target_id=ben.id)
    assert received == [("look", PNG), "Ben"]


async def test_autocomplete_waits_for_the_choices(sandbox: RunningSandbox, ada: Person) -> None:
    def set_up(bot: Bot) -> None:
        @bot.tree.command(description="Style")
        async def style(interaction: discord.Interaction, artwork: str) -> None:
            await interaction.response.send_message(artwork)

        @style.autocomplete("artwork")
        async def complete(
            interaction: discord.Interaction, current: str
        ) -> list[app_commands.Choice[str]]:
            names = ("wave", "waves", "stars")
            return [
                app_commands.Choice(name=name.title(), value=name)
                for name in names
                if name.startswith(current)
            ]

    async with connected(Bot(), sandbox.details, set_up=set_up):
        told = await ada.interact(
            kind="autocomplete", name="style", options={"artwork": "wa"}, focused="artwork"
        )
    assert told["choices"] == [
        {"name": "Wave", "value": "wave"},
        {"name": "Waves", "value": "waves"},
    ]


async def test_an_ephemeral_reply_is_seen_by_one_member_alone(
    sandbox: RunningSandbox, ada: Person, ben: Person
) -> None:
    def set_up(bot: Bot) -> None:
        @bot.tree.command(description="Secret")
        async def secret(interaction: discord.Interaction) -> None:
            await interaction.response.send_message("for you", ephemeral=True)
            await interaction.followup.send("for all")

    async with connected(Bot(), sandbox.details, set_up=set_up):
        await ada.command("secret")
        await ben.sees(lambda data: data["content"] == "for all")
        seen_by_ada = [message["content"] for message in await ada.messages()]
        seen_by_ben = [message["content"] for message in await ben.messages()]
    assert seen_by_ada == ["for you", "for all"]
    assert seen_by_ben == ["for all"]
    assert all(event["data"].get("content") != "for you" for event in ben.events)


async def test_follow_ups_are_edited_fetched_and_deleted(
    sandbox: RunningSandbox, ada: Person
) -> None:
    done = asyncio.Event()

    def set_up(bot: Bot) -> None:
        @bot.tree.command(description="Follow")
        async def follow(interaction: discord.Interaction) -> None:
            await interaction.response.send_message("first")
            second = await interaction.followup.send("second", wait=True)
            await second.edit(content="second again")
            original = await interaction.original_response()
            assert original.content == "first"
            await original.delete()
            done.set()

    async with connected(Bot(), sandbox.details, set_up=set_up):
        await ada.command("follow")
        await asyncio.wait_for(done.wait(), 10)
        contents = [message["content"] for message in await ada.messages()]
    assert contents == ["second again"]
    assert any(event["type"] == "MESSAGE_DELETE" for event in ada.events)


async def test_commands_work_in_direct_messages_too(sandbox: RunningSandbox, ada: Person) -> None:
    received: list[tuple[object, object]] = []

    def set_up(bot: Bot) -> None:
        @bot.tree.command(description="Hello")
        async def hello(interaction: discord.Interaction) -> None:
            received.append((interaction.guild, interaction.context.dm_channel))
            await interaction.response.send_message("hello")

        @bot.tree.command(description="Only in guilds")
        @app_commands.guild_only()
        async def here(interaction: discord.Interaction) -> None:
            await interaction.response.send_message("here")

    async with connected(Bot(), sandbox.details, set_up=set_up) as bot:
        user = await bot.fetch_user(int(ada.id))
        channel = await user.create_dm()
        await channel.send("a word in private")
        ada.channel_id = str(channel.id)
        told = await ada.command("hello")
        offered = [command["name"] for command in await ada.commands()]
        contents = [message["content"] for message in await ada.messages()]
    assert told["status"] == 200
    assert offered == ["hello"]
    assert contents == ["a word in private", "hello"]
    assert received == [(None, True)]


async def test_admins_alone_are_offered_what_needs_permissions(
    sandbox: RunningSandbox, ada: Person, cleo: Person
) -> None:
    def set_up(bot: Bot) -> None:
        @bot.tree.command(description="Report")
        @app_commands.default_permissions(manage_guild=True)
        async def report(interaction: discord.Interaction) -> None:
            assert interaction.permissions.manage_guild
            await interaction.response.send_message("report")

    async with connected(Bot(), sandbox.details, set_up=set_up):
        assert await ada.commands() == []
        assert (await ada.command("report"))["status"] == 404
        assert (await cleo.command("report"))["status"] == 200
        (command,) = await cleo.commands()
        url = (
            f"{sandbox.details['page']}sandbox/guilds/{sandbox.details['guild_id']}"
            f"/commands/{command['id']}/permissions"
        )
        rule = {"id": ada.id, "type": 2, "permission": True}
        async with cleo.http.put(url, json={"permissions": [rule]}) as reply:
            assert reply.status == 204
        assert [found["name"] for found in await ada.commands()] == ["report"]


async def test_a_hundred_commands_at_once_are_all_acknowledged(sandbox: RunningSandbox) -> None:
    def set_up(bot: Bot) -> None:
        @bot.tree.command(description="Ping")
        async def ping(interaction: discord.Interaction) -> None:
            await interaction.response.defer(ephemeral=True)

    async with (
        connected(Bot(), sandbox.details, set_up=set_up),
        people(sandbox.details, "Ada", "Ben") as (ada, ben),
    ):
        told = await asyncio.gather(*[(ada, ben)[i % 2].command("ping") for i in range(100)])
    assert [found["status"] for found in told] == [200] * 100
    assert max(found["acknowledged_ms"] for found in told) < 3000
