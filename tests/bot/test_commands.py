"""The whole command tree: it loads, fits Discord's own schema, and keeps its limits."""

import json
import re
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
from bot.texts import (
    DEFAULT_LOCALE,
    TableTranslator,
    Texts,
    label,
    load_texts,
    own_name,
)
from tests.requirements import require
from tests.sandbox.openapi import CURE, schema_file

Command = dict[str, Any]
MOST_LETTERS = 8000
"""Of a command with all of its subcommands and options (Discord's "Application Commands")."""
NAME = re.compile(r"[-_'\w]{1,32}")


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


def test_every_text_of_a_command_is_said_in_every_locale_but_its_own_name(
    tree: list[Command],
) -> None:
    others = [name for name in load_texts().locales if name != DEFAULT_LOCALE]
    own_names = {own_name(locale) for locale in load_texts().locales}
    for where, part, is_named in every_part(tree):
        assert bool(part.get("name_localizations")) == is_named, f"describe() is missing: {where}"
        for locale in others:
            assert not part.get("description") or locale in part["description_localizations"], where
            assert not is_named or re.fullmatch(NAME, part["name_localizations"][locale]), where
            for choice in part.get("choices", ()):
                said = choice["name"] in own_names or locale in choice["name_localizations"]
                assert said, f"{where}: {choice['name']}"


def test_names_of_options_are_told_apart_in_every_locale(tree: list[Command]) -> None:
    for where, part, _ in every_part(tree):
        for locale in load_texts().locales:
            names = [
                option.get("name_localizations", {}).get(locale, option["name"])
                for option in part.get("options", ())
            ]
            assert len(names) == len(set(names)), (where, locale)


def test_a_command_has_room_for_all_its_texts_in_any_language(tree: list[Command]) -> None:
    for command in tree:
        letters = sum(letters_of(part) for _, part, _ in every_part([command]))
        assert letters <= MOST_LETTERS, command["name"]


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


def every_part(commands: list[Command], path: str = "") -> Iterator[tuple[str, Command, bool]]:
    """Yield commands, their groups, subcommands and options; the last is whether it is an option.

    A message's menu has a name that is translated, as an option has.
    """
    for part in commands:
        where = f"{path} {part['name']}".strip()
        is_option = bool(path) and part["type"] > 2
        yield where, part, is_option or (not path and part["type"] == 3)
        yield from every_part(part.get("options", []), where)


def letters_of(part: Command) -> int:
    """Return how many letters Discord counts, of each text the longest translation."""
    texts = [
        (part, "name"),
        (part, "description"),
        *((it, "name") for it in part.get("choices", ())),
    ]
    longest = (
        max(map(len, [it[what], *it.get(f"{what}_localizations", {}).values()]))
        for it, what in texts
        if it.get(what)
    )
    return sum(longest) + sum(len(str(it["value"])) for it in part.get("choices", ()))


def every_option(command: Command) -> Iterator[Command]:
    """Yield a command and its options, at any depth."""
    yield {"type": 0, **command} if "options" not in command else {**command, "type": 0}
    for option in command.get("options", ()):
        yield from every_option(option) if option["type"] in (1, 2) else [option]
