"""The whole command tree: it loads, fits Discord's own schema, and keeps its limits."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import discord
import pytest
from discord import app_commands
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from bot.client import Atelier
from bot.syncing import PERMISSIONS, invite_link, payloads
from bot.texts import TableTranslator, Texts, label, load_texts
from tests.requirements import require
from tests.sandbox.openapi import CURE, schema_file

Command = dict[str, Any]


@pytest.fixture
async def tree() -> AsyncIterator[list[Command]]:
    """Return all commands as Discord gets them."""

    async def nothing() -> None:
        return None

    async with Atelier(aiohttp.TCPConnector(), begin=nothing) as client:
        await client.find_cogs()
        yield [dict(command) for command in await payloads(client.tree)]


def test_every_family_is_there(tree: list[Command]) -> None:
    names = {(command["type"], command["name"]) for command in tree}
    families = {"admin", "blend", "design", "imagine", "inpaint", "portrait", "remix", "style"}
    families |= {"privacy", "usage", "vary"}
    assert names == {(1, name) for name in families} | {(3, "Remix")}


def test_every_command_fits_discords_schema(tree: list[Command]) -> None:
    place = schema_file()
    require("schema", available=place is not None, cure=CURE)
    assert place is not None
    document = json.loads(place.read_text())
    registry: Registry[Any] = Registry().with_resource(
        "urn:discord", DRAFT202012.create_resource(document)
    )
    validator = Draft202012Validator(
        {"$ref": "urn:discord#/components/schemas/ApplicationCommandUpdateRequest"},
        registry=registry,
    )
    for command in tree:
        faults = [error.message for error in validator.iter_errors(command)]
        assert faults == [], command["name"]


def test_commands_say_where_they_may_be_installed_and_used(tree: list[Command]) -> None:
    for command in tree:
        guilds_only = command["name"] == "admin"
        assert command["integration_types"] == ([0] if guilds_only else [0, 1])
        assert command["contexts"] == ([0] if guilds_only else [0, 1, 2])
        assert not command["nsfw"]


def test_what_admins_do_is_hidden_from_all_others(tree: list[Command]) -> None:
    needed = {command["name"]: command["default_member_permissions"] for command in tree}
    assert needed.pop("admin") == discord.Permissions(manage_guild=True).value
    assert set(needed.values()) == {None}


def test_names_descriptions_and_choices_keep_discords_limits(tree: list[Command]) -> None:
    for command in tree:
        for option in every_option(command):
            assert len(option["name"]) <= 32
            assert 1 <= len(option.get("description", "x")) <= 100
            assert len(option.get("choices", ())) <= 25
        assert len(command.get("options", ())) <= 25
        groups = [each for each in command.get("options", ()) if each["type"] == 2]
        assert all(len(group["options"]) <= 25 for group in groups)


def test_numbers_have_ranges(tree: list[Command]) -> None:
    numbers = [
        option for command in tree for option in every_option(command) if option["type"] in (4, 10)
    ]
    if not numbers:
        pytest.fail("there are numbers among the options")
    numeric = [option for option in numbers if "description" in option]
    assert all({"min_value", "max_value"} <= option.keys() for option in numeric)


async def test_another_locale_translates_names_and_the_default_is_left_alone() -> None:
    texts = Texts({"en-US": {"command.remix": "Remix"}, "zh-CN": {"command.remix": "重绘"}})
    translator = TableTranslator(texts)
    said = label("command.remix")
    context: Any = app_commands.TranslationContext(
        location=app_commands.TranslationContextLocation.other, data=None
    )
    chinese = await translator.translate(said, discord.Locale.chinese, context)
    german = await translator.translate(said, discord.Locale.german, context)
    english = await translator.translate(said, discord.Locale.american_english, context)
    assert (chinese, german, english) == ("重绘", None, None)
    assert texts.say("command.remix", "zh-CN") == "重绘"
    assert texts.say("command.remix", "de") == "Remix"


def test_the_invite_link_asks_for_exactly_what_is_needed() -> None:
    link = invite_link(123)
    assert "client_id=123" in link
    assert "scope=bot+applications.commands" in link
    assert f"permissions={PERMISSIONS.value}" in link
    needed = {
        "view_channel",
        "send_messages",
        "send_messages_in_threads",
        "attach_files",
        "embed_links",
        "read_message_history",
    }
    assert {name for name, granted in PERMISSIONS if granted} == {
        "read_messages" if name == "view_channel" else name for name in needed
    }


def test_the_texts_that_a_command_may_need_are_all_there() -> None:
    texts = load_texts()
    for key in ("title.remix", "title.style", "form.lost", "button.again", "button.stop"):
        assert key in texts


def every_option(command: Command) -> Iterator[Command]:
    """Yield a command and its options, at any depth."""
    yield {"type": 0, **command} if "options" not in command else {**command, "type": 0}
    for option in command.get("options", ()):
        yield from every_option(option) if option["type"] in (1, 2) else [option]
