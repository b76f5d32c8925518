"""Rate limits and ordered faults, as the real client and bare HTTP meet them."""

import asyncio
import time

import aiohttp
import discord
import pytest

from sandbox.replies import Json
from tests.sandbox.clients import Bot, connected
from tests.sandbox.fixtures import RunningSandbox
from tests.sandbox.people import Person
from tests.sandbox.raw import RawBot

PICTURE = bytes(range(256)) * 40


async def test_r14_a_bucket_is_emptied_announced_and_refilled(
    raw: RawBot, sandbox: RunningSandbox
) -> None:
    path = f"/channels/{raw.channel_id}/messages"
    replies = [await raw.call("POST", path, body={"content": str(n)}) for n in range(6)]
    other = await raw.call(
        "POST", f"/channels/{raw.details['channels'][1]['id']}/messages", body={"content": "x"}
    )
    sandbox.clock.advance(5)
    later = await raw.call("POST", path, body={"content": "later"})
    assert [reply.status for reply in replies] == [200] * 5 + [429]
    remaining = [reply.headers["X-RateLimit-Remaining"] for reply in replies[:5]]
    assert remaining == ["4", "3", "2", "1", "0"]
    refused = replies[-1]
    assert refused.headers["Via"]
    assert refused.headers["X-RateLimit-Scope"] == "user"
    assert refused.headers["X-RateLimit-Bucket"] == other.headers["X-RateLimit-Bucket"]
    assert 0 < refused.body["retry_after"] <= 5
    assert not refused.body["global"]
    assert (other.status, later.status) == (200, 200)
    assert sandbox.invalid_requests == 1


async def test_r14_fifty_requests_a_second_are_the_global_limit_from_which_answers_are_free(
    raw: RawBot, sandbox: RunningSandbox
) -> None:
    user = f"/users/{raw.app_id}"
    paths = [user, f"/channels/{raw.channel_id}"] * 30
    replies = await asyncio.gather(*[raw.call("GET", path) for path in paths])
    free = await raw.call("GET", f"/webhooks/{raw.app_id}/x/messages/@original")
    refused = [reply for reply in replies if reply.status == 429]
    assert refused
    assert all(reply.body["global"] for reply in refused)
    assert free.code == 50027


async def test_r14_discord_py_waits_for_a_bucket_instead_of_overrunning_it(
    sandbox: RunningSandbox,
) -> None:
    async with connected(Bot(), sandbox.details) as bot:
        channel = bot.guilds[0].text_channels[0]
        start = time.monotonic()
        for number in range(7):
            await channel.send(str(number))
    statuses = [found.status for found in sandbox.exchanges if found.method == "POST"]
    assert statuses == [200] * 7
    assert time.monotonic() - start > 3


@pytest.mark.parametrize("scope", ["bucket", "global"])
async def test_r14_discord_py_waits_when_it_is_told_to(sandbox: RunningSandbox, scope: str) -> None:
    async with connected(Bot(), sandbox.details) as bot:
        sandbox.order("rate_limit", scope=scope, retry_after_s=0.2, route="/messages")
        message = await bot.guilds[0].text_channels[0].send("hello")
    assert message.content == "hello"
    statuses = [found.status for found in sandbox.exchanges if found.method == "POST"]
    assert statuses == [429, 200]


async def test_r14_the_page_of_a_ban_is_raised_at_once(sandbox: RunningSandbox) -> None:
    async with connected(Bot(), sandbox.details) as bot:
        sandbox.order("rate_limit", scope="html", route="/messages")
        with pytest.raises(discord.HTTPException) as caught:
            await bot.guilds[0].text_channels[0].send("hello")
    assert caught.value.status == 429


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_r14_any_server_error_may_be_ordered(raw: RawBot, status: int) -> None:
    async with raw.http.post(
        f"{raw.details['page']}sandbox/faults",
        json={"kind": "status", "status": status, "route": "/users/@me", "times": 2},
    ) as ordered:
        assert ordered.status == 204
    statuses = [(await raw.call("GET", "/users/@me")).status for _ in range(3)]
    assert statuses == [status, status, 200]


async def test_r14_a_lost_reply_was_carried_out_all_the_same(
    raw: RawBot, sandbox: RunningSandbox, ada: Person
) -> None:
    path = f"/channels/{raw.channel_id}/messages"
    sandbox.order("lost_reply", method="POST", route="/messages", status=502)
    lost = await raw.call("POST", path, body={"content": "sent"})
    sandbox.order("lost_reply", method="POST", route="/messages")
    with pytest.raises(aiohttp.ClientError):
        await raw.call("POST", path, body={"content": "sent too"})
    sandbox.order("drop", method="POST", route="/messages")
    with pytest.raises(aiohttp.ClientError):
        await raw.call("POST", path, body={"content": "never sent"})
    assert lost.status == 502
    assert [message["content"] for message in await ada.messages()] == ["sent", "sent too"]


async def test_r14_a_late_acknowledgement_may_be_ordered(
    sandbox: RunningSandbox, ada: Person
) -> None:
    caught: list[discord.NotFound] = []

    def set_up(bot: Bot) -> None:
        @bot.tree.command(description="Ping")
        async def ping(interaction: discord.Interaction) -> None:
            try:
                await interaction.response.defer()
            except discord.NotFound as error:
                caught.append(error)
                sandbox.clock.advance(3)

    async with connected(Bot(), sandbox.details, set_up=set_up):
        sandbox.order("late_ack")
        told = await ada.command("ping")
    assert [error.code for error in caught] == [10062]
    assert told["status"] == 504


async def test_a_delay_may_be_ordered(raw: RawBot, sandbox: RunningSandbox) -> None:
    sandbox.order("delay", seconds=0.3, route="/users/@me")
    start = time.monotonic()
    assert (await raw.call("GET", "/users/@me")).status == 200
    assert time.monotonic() - start >= 0.3


async def test_an_unknown_fault_is_refused_with_the_list_and_waiting_ones_are_forgotten(
    raw: RawBot, sandbox: RunningSandbox
) -> None:
    url = f"{raw.details['page']}sandbox/faults"
    async with raw.http.post(url, json={"kind": "flood"}) as refused:
        assert refused.status == 400
        assert "rate_limit" in (await refused.json())["message"]
    sandbox.order("status", status=500, times=None)
    async with raw.http.get(url) as waiting:
        assert [found["kind"] for found in await waiting.json()] == ["status"]
    async with raw.http.delete(url) as forgotten:
        assert forgotten.status == 204
    assert (await raw.call("GET", "/users/@me")).status == 200


@pytest.fixture
async def picture_url(ada: Person) -> str:
    (upload,) = await ada.upload(("a.png", PICTURE))
    return str(upload["url"])


async def test_r15_an_address_expires_and_its_signature_is_checked(
    sandbox: RunningSandbox, ada: Person, picture_url: str
) -> None:
    async with ada.http.get(picture_url) as fresh:
        assert (fresh.status, await fresh.read()) == (200, PICTURE)
        assert fresh.headers["Content-Type"] == "image/png"
    forged = picture_url.replace("hm=", "hm=0")
    bare = picture_url.partition("?")[0]
    elsewhere = picture_url.replace("a.png", "b.png")
    sandbox.clock.advance(24 * 3600 + 1)
    for url in (forged, bare, elsewhere, picture_url):
        async with ada.http.get(url) as reply:
            assert reply.status == 404


@pytest.mark.parametrize("status", [403, 404, 500])
async def test_r15_a_file_may_be_refused(
    sandbox: RunningSandbox, ada: Person, picture_url: str, status: int
) -> None:
    sandbox.order("cdn", mode="status", status=status)
    async with ada.http.get(picture_url) as reply:
        assert reply.status == status


async def test_r15_a_file_may_redirect_to_loopback(
    sandbox: RunningSandbox, ada: Person, picture_url: str
) -> None:
    sandbox.order("cdn", mode="redirect", location="http://127.0.0.1:9/")
    async with ada.http.get(picture_url, allow_redirects=False) as reply:
        assert (reply.status, reply.headers["Location"]) == (302, "http://127.0.0.1:9/")


async def test_r15_a_file_may_be_truncated(
    sandbox: RunningSandbox, ada: Person, picture_url: str
) -> None:
    sandbox.order("cdn", mode="truncated")
    async with ada.http.get(picture_url) as reply:
        assert reply.content_length == len(PICTURE)
        with pytest.raises(aiohttp.ClientPayloadError):
            await reply.read()


@pytest.mark.parametrize(
    "details", [{"mode": "stall"}, {"mode": "drip", "interval_s": 0.1}, {"mode": "slow"}]
)
async def test_r15_a_file_may_take_too_long(
    sandbox: RunningSandbox, ada: Person, picture_url: str, details: dict[str, Json]
) -> None:
    sandbox.order("cdn", **details)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5), ada.http.get(picture_url) as reply:
            await reply.read()


async def test_r15_a_file_may_never_end(
    sandbox: RunningSandbox, ada: Person, picture_url: str
) -> None:
    sandbox.order("cdn", mode="endless")
    received = 0
    async with ada.http.get(picture_url) as reply:
        async for chunk in reply.content.iter_any():
            received += len(chunk)
            if received > 4 << 20:
                break
    assert received > 4 << 20


async def test_r15_a_file_may_be_a_bomb(
    sandbox: RunningSandbox, ada: Person, picture_url: str
) -> None:
    sandbox.order("cdn", mode="gzip", bytes=32 << 20)
    async with aiohttp.ClientSession(auto_decompress=False) as http, http.get(picture_url) as reply:
        assert reply.headers["Content-Encoding"] == "gzip"
        assert len(await reply.read()) < 64 << 10
