"""The oracle itself: it finds what does not fit, and what is tolerated stays small."""

import asyncio
import io
from dataclasses import replace

import discord
import pytest

from sandbox.journal import Exchange
from sandbox.replies import Json, Payload
from tests.requirements import require
from tests.sandbox.clients import Bot, connected
from tests.sandbox.fixtures import RunningSandbox
from tests.sandbox.openapi import CURE, TOLERANCES, OpenApi, open_api, schema_file
from tests.sandbox.people import Person


@pytest.fixture(scope="module")
def oracle() -> OpenApi:
    place = schema_file()
    require("schema", available=place is not None, cure=CURE)
    assert place is not None
    return open_api(place)


@pytest.fixture
async def exchanges(sandbox: RunningSandbox, ada: Person) -> list[Exchange]:
    """What a real client and the sandbox say to each other over one command."""

    done = asyncio.Event()

    def set_up(bot: Bot) -> None:
        @bot.tree.command(description="Remix")
        async def remix(interaction: discord.Interaction, image: discord.Attachment) -> None:
            await interaction.response.defer()
            file = discord.File(io.BytesIO(b"data"), "a.png")
            await interaction.edit_original_response(content="done", attachments=[file])
            done.set()

    async with connected(Bot(), sandbox.details, set_up=set_up):
        (upload,) = await ada.upload(("a.png", b"data"))
        await ada.command("remix", options={"image": upload["id"]})
        await asyncio.wait_for(done.wait(), 10)
    return sandbox.exchanges


def find(exchanges: list[Exchange], method: str, part: str) -> Exchange:
    return next(found for found in exchanges if found.method == method and part in found.route)


async def test_a_command_with_a_file_fits_the_document(
    oracle: OpenApi, exchanges: list[Exchange]
) -> None:
    assert {found.route for found in exchanges} >= {
        "/users/@me",
        "/applications/{application_id}/commands",
        "/interactions/{interaction_id}/{token}/callback",
        "/webhooks/{webhook_id}/{token}/messages/@original",
    }
    assert [str(bad) for found in exchanges for bad in oracle.violations(found)] == []


@pytest.mark.parametrize(
    ("key", "value", "place"),
    [
        ("author", None, "author"),
        ("timestamp", "yesterday", "timestamp"),
        ("id", "abc", "id"),
        ("attachments", [{"id": "1"}], "attachments/0"),
        ("components", [{"type": 2, "id": 1}], "components/0/type"),
    ],
)
async def test_a_reply_that_does_not_fit_is_found(
    oracle: OpenApi, exchanges: list[Exchange], key: str, value: Json, place: str
) -> None:
    edit = find(exchanges, "PATCH", "@original")
    wrong: Payload = edit.response | {key: value}
    (found, *_) = oracle.violations(replace(edit, response=wrong))
    assert (found.side, found.place) == ("reply", place)


async def test_a_request_that_does_not_fit_is_found(
    oracle: OpenApi, exchanges: list[Exchange]
) -> None:
    edit = find(exchanges, "PATCH", "@original")
    callback = find(exchanges, "POST", "callback")
    wrong = [
        replace(edit, request={"content": "x" * 5000}),
        replace(edit, content_type="text/plain"),
        replace(edit, query={"nonsense": "1"}),
        replace(edit, route="/nowhere"),
        replace(callback, request={"type": 99}),
        replace(callback, status=204, response={"unexpected": True}),
    ]
    assert [len(oracle.violations(exchange)) > 0 for exchange in wrong] == [True] * len(wrong)


def test_every_tolerance_says_why() -> None:
    assert len(TOLERANCES) <= 6
    assert all(len(found.why) > 20 for found in TOLERANCES)
