"""The gateway, by a bare websocket and by the real client."""

import asyncio
import json
import zlib
from collections.abc import Callable

import discord
import pytest

from sandbox.replies import Json
from tests.sandbox.clients import Bot, connected, redirected
from tests.sandbox.fixtures import RunningSandbox
from tests.sandbox.people import Person
from tests.sandbox.raw import RawBot, RawGateway

PATIENCE_S = 10.0


async def until(fits: Callable[[], bool]) -> None:
    """Wait until something the client records has come."""
    async with asyncio.timeout(PATIENCE_S):
        while not fits():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def count(bot: Bot, event: str) -> int:
    return sum(name == event for name, _ in bot.heard)


async def test_the_client_parses_the_world(sandbox: RunningSandbox) -> None:
    async with connected(Bot(), sandbox.details) as bot:
        (guild,) = bot.guilds
        assert str(guild.id) == sandbox.details["guild_id"]
        assert [channel.name for channel in guild.text_channels] == ["general", "pictures"]
        assert [role.name for role in guild.roles] == ["@everyone", "Admin"]
        assert guild.me.guild_permissions.attach_files
        assert guild.filesize_limit == 10 << 20
        member = await guild.fetch_member(int(sandbox.details["members"][2]["id"]))
        assert (member.display_name, member.guild_permissions.administrator) == ("Cleo", True)
        assert [found.name async for found in bot.fetch_guilds()] == ["Sandbox"]
        application = await bot.application_info()
        assert str(application.id) == sandbox.details["application_id"]
        assert application.owner.name == "cleo"
        avatar = await member.display_avatar.read()
        assert avatar.startswith(b"\x89PNG")


async def test_text_and_binary_frames_are_both_understood(raw: RawBot) -> None:
    gateway = await raw.identified()
    await gateway.event("READY")
    await gateway.send(1, 1, binary=True)
    await gateway.acknowledged()
    await gateway.send(1, 1)
    await gateway.acknowledged()


async def test_a_client_that_asks_for_zlib_gets_one_compressed_stream(raw: RawBot) -> None:
    socket = await raw.http.ws_connect(raw.details["gateway"] + "?v=10&compress=zlib-stream")
    inflater = zlib.decompressobj()
    frames = []
    for _ in range(2):
        data = await socket.receive_bytes(timeout=PATIENCE_S)
        assert data.endswith(b"\0\0\xff\xff")
        frames.append(json.loads(inflater.decompress(data)))
        await socket.send_json({"op": 1, "d": None})
    assert [frame["op"] for frame in frames] == [10, 11]


async def test_intents_that_are_not_granted_and_a_missing_shard_are_closed(
    raw: RawBot, sandbox: RunningSandbox
) -> None:
    gateway = sandbox.inner.services.gateway
    gateway.allowed_intents = 1
    disallowed = await raw.identified(intents=1 << 15)
    assert await disallowed.closed() == 4014
    gateway.sharding_required = True
    alone = await raw.identified(intents=1)
    assert await alone.closed() == 4011


@pytest.mark.parametrize(
    ("op", "data", "code"),
    [
        (2, {"token": "wrong", "intents": 0}, 4004),
        (2, {"token": "", "intents": -1}, 4013),
        (2, {"token": "", "intents": 1, "shard": [2, 2]}, 4010),
        (3, {}, 4003),
        (6, {"token": "wrong", "session_id": "x", "seq": 0}, 4004),
    ],
)
async def test_a_client_that_does_wrong_is_closed_with_the_right_code(
    raw: RawBot, op: int, data: dict[str, Json], code: int
) -> None:
    gateway = await raw.gateway()
    if not data.get("token", "x"):
        data = data | {"token": raw.details["token"]}
    await gateway.send(op, data)
    assert await gateway.closed() == code


async def test_nonsense_an_old_version_a_second_identify_and_unknown_opcodes_are_closed(
    raw: RawBot,
) -> None:
    nonsense = await raw.gateway()
    await nonsense.socket.send_str("{")
    old = RawGateway(await raw.http.ws_connect(raw.details["gateway"] + "?v=5"))
    twice = await raw.identified()
    await twice.send(2, {"token": raw.details["token"], "intents": 0})
    unknown = await raw.identified()
    await unknown.send(77)
    codes = [await found.closed() for found in (nonsense, old, twice, unknown)]
    assert codes == [4002, 4012, 4005, 4001]


async def test_more_than_120_frames_a_minute_are_closed(raw: RawBot) -> None:
    gateway = await raw.identified()
    for _ in range(121):
        await gateway.send(1, 1)
    assert await gateway.closed() == 4008


async def test_r13_a_resumed_session_replays_what_was_missed(raw: RawBot, ada: Person) -> None:
    gateway = await raw.identified()
    ready = (await gateway.event("READY"))["d"]
    last = await gateway.event("GUILD_CREATE")
    await gateway.socket.close(code=4000)
    await ada.say("while you were away")
    again = await raw.gateway()
    resume = {"token": raw.details["token"], "session_id": ready["session_id"], "seq": last["s"]}
    await again.send(6, resume)
    missed = await again.next()
    assert (missed["t"], missed["s"]) == ("MESSAGE_CREATE", last["s"] + 1)
    assert missed["d"]["content"] == "while you were away"
    assert (await again.next())["t"] == "RESUMED"


async def test_r13_a_session_that_said_goodbye_cannot_be_resumed(raw: RawBot) -> None:
    gateway = await raw.identified()
    ready = (await gateway.event("READY"))["d"]
    await gateway.socket.close(code=1000)
    again = await raw.gateway()
    await again.send(
        6, {"token": raw.details["token"], "session_id": ready["session_id"], "seq": 1}
    )
    assert await again.next() == {"op": 9, "d": False}


async def test_a_sequence_from_the_future_is_closed(raw: RawBot) -> None:
    gateway = await raw.identified()
    ready = (await gateway.event("READY"))["d"]
    again = await raw.gateway()
    await again.send(
        6, {"token": raw.details["token"], "session_id": ready["session_id"], "seq": 999}
    )
    assert await again.closed() == 4007


async def test_a_guild_belongs_to_one_shard_and_direct_messages_to_the_first(
    raw: RawBot, ada: Person
) -> None:
    await raw.register({"name": "ping", "description": "Ping"})
    home = (int(raw.guild_id) >> 22) % 2
    shards = [await raw.identified(shard=[number, 2]) for number in range(2)]
    guilds = [(await shard.event("READY"))["d"]["guilds"] for shard in shards]
    assert [len(found) for found in guilds] == [1 - home, home]
    outcome = asyncio.create_task(ada.command("ping"))
    interaction = (await shards[home].event("INTERACTION_CREATE"))["d"]
    await raw.answer(interaction, 4, {"content": "pong"})
    assert (await outcome)["status"] == 200
    channel = await raw.call("POST", "/users/@me/channels", body={"recipient_id": ada.id})
    ada.channel_id = channel.body["id"]
    await ada.say("psst")
    heard = await shards[0].event("MESSAGE_CREATE")
    while heard["d"]["content"] != "psst":
        heard = await shards[0].event("MESSAGE_CREATE")
    assert "guild_id" not in heard["d"]


async def test_without_the_intents_messages_are_empty_or_unheard(raw: RawBot, ada: Person) -> None:
    blind = await raw.identified(intents=1 << 9)
    deaf = await raw.identified(intents=1)
    await blind.event("READY")
    await deaf.event("GUILD_CREATE")
    await ada.say("a secret")
    await ada.say(f"<@{raw.app_id}> a word")
    heard = [(await blind.event("MESSAGE_CREATE"))["d"]["content"] for _ in range(2)]
    assert heard == ["", f"<@{raw.app_id}> a word"]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await deaf.next()


async def test_members_are_sent_on_request(raw: RawBot) -> None:
    gateway = await raw.identified()
    await gateway.send(8, {"guild_id": raw.guild_id, "query": "", "limit": 0, "nonce": "n"})
    chunk = (await gateway.event("GUILD_MEMBERS_CHUNK"))["d"]
    assert (len(chunk["members"]), chunk["nonce"]) == (4, "n")


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("disconnect", {}),
        ("close", {"code": 4000}),
        ("reconnect", {}),
        ("invalid_session", {"resumable": True}),
    ],
)
async def test_r13_the_client_resumes_after_a_fault(
    sandbox: RunningSandbox, ada: Person, kind: str, details: dict[str, Json]
) -> None:
    def set_up(bot: Bot) -> None:
        @bot.tree.command(description="Ping")
        async def ping(interaction: discord.Interaction) -> None:
            await interaction.response.send_message("pong")

    async with connected(Bot(), sandbox.details, set_up=set_up) as bot:
        sandbox.order(kind, **details)
        await until(lambda: count(bot, "resumed") == 1)
        told = await ada.command("ping")
    assert told["status"] == 200
    assert count(bot, "ready") == 1


async def test_r13_an_invalid_session_is_identified_anew(
    sandbox: RunningSandbox,
) -> None:
    async with connected(Bot(), sandbox.details) as bot:
        sandbox.order("invalid_session", resumable=False)
        await until(lambda: count(bot, "ready") == 2)
    assert count(bot, "resumed") == 0


async def test_r13_a_half_open_connection_is_noticed_and_resumed(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox.inner.services.gateway, "heartbeat_ms", 200)
    async with connected(Bot(heartbeat_timeout=0.5), sandbox.details) as bot:
        sandbox.order("half_open")
        await until(lambda: count(bot, "resumed") == 1)


@pytest.mark.parametrize("code", [4004, 4014])
async def test_r13_a_fatal_code_ends_the_client(sandbox: RunningSandbox, code: int) -> None:
    bot = Bot()
    async with connected(bot, sandbox.details):
        sandbox.order("refuse_identify", code=code)
        sandbox.order("close", code=code)
        await until(lambda: bot.connection is not None and bot.connection.done())


async def test_r13_a_replayed_interaction_has_the_same_id(
    sandbox: RunningSandbox, ada: Person
) -> None:
    seen: list[int] = []

    def set_up(bot: Bot) -> None:
        @bot.tree.command(description="Ping")
        async def ping(interaction: discord.Interaction) -> None:
            seen.append(interaction.id)
            if len(seen) == 1:
                await interaction.response.send_message("pong")

    async with connected(Bot(), sandbox.details, set_up=set_up) as bot:
        await ada.command("ping")
        sandbox.order("replay", events=1)
        sandbox.order("disconnect")
        await until(lambda: len(seen) == 2)
        assert count(bot, "resumed") <= 1
        sandbox.order("duplicate")
        told = await ada.command("ping")
        await until(lambda: len(seen) == 4)
    assert seen[0] == seen[1]
    assert seen[2] == seen[3]
    assert told["status"] == 504


async def test_an_auto_sharded_client_asks_for_the_address_and_connects(
    sandbox: RunningSandbox,
) -> None:
    bot = discord.AutoShardedClient(intents=discord.Intents(guilds=True), guild_ready_timeout=0.3)
    with redirected(sandbox.details):
        async with bot:
            await bot.login(sandbox.details["token"])
            connection = asyncio.create_task(bot.connect())
            async with asyncio.timeout(PATIENCE_S):
                await bot.wait_until_ready()
            assert list(bot.shards) == [0]
        await connection
    assert any(found.route == "/gateway/bot" for found in sandbox.exchanges)
