"""The sandbox as a process, under Discord's own names, and what it keeps."""

import asyncio
import io
import json
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import discord
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from sandbox.media import image_size
from sandbox.replies import Payload
from sandbox.server import Sandbox, SandboxConfig
from tests.sandbox.clients import Bot
from tests.sandbox.fixtures import RunningSandbox
from tests.sandbox.people import Person

SAMPLE = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x20\0\0\0\x10\x08\x02\0\0\0" + b"\0" * 20


class LoopbackResolver(AbstractResolver):
    """Answers every name with this machine."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the sandbox's address."""
        return [
            ResolveResult(
                hostname=host,
                host="127.0.0.1",
                port=self._port,
                family=socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        """Hold nothing."""


async def test_an_unpatched_client_reaches_discords_own_names_by_its_connector(
    sandbox: RunningSandbox, ada: Person
) -> None:
    details = sandbox.details
    context = ssl.create_default_context(cafile=details["certificate"])
    connector = aiohttp.TCPConnector(resolver=LoopbackResolver(details["tls_port"]), ssl=context)
    bot = Bot(connector=connector)
    received: list[tuple[str, bytes]] = []

    @bot.tree.command(description="Remix")
    async def remix(interaction: discord.Interaction, image: discord.Attachment) -> None:
        await interaction.response.defer()
        received.append((image.url, await image.read()))
        file = discord.File(io.BytesIO(SAMPLE), "a.png")
        message = await interaction.edit_original_response(content="done", attachments=[file])
        received.append((message.attachments[0].url, await message.attachments[0].read()))

    async with bot:
        await bot.login(details["token"])
        connection = asyncio.create_task(bot.connect())
        async with asyncio.timeout(10):
            await bot.wait_until_ready()
        await bot.tree.sync()
        (upload,) = await ada.upload(("a.png", SAMPLE))
        await ada.command("remix", options={"image": upload["id"]})
        async with asyncio.timeout(10):
            while len(received) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        message = await ada.sees(lambda data: data["content"] == "done")
    await connection
    assert [data for _, data in received] == [SAMPLE, SAMPLE]
    assert all(url.startswith("https://cdn.discordapp.com/") for url, _ in received)
    assert upload["url"].startswith(details["cdn"])
    assert message["attachments"][0]["url"].startswith(details["cdn"])


@asynccontextmanager
async def served(*arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, Payload]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox", *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            line = await process.stdout.readline()
        yield process, json.loads(line)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            await process.wait()


@pytest.fixture
def furnished(tmp_path: Path) -> list[str]:
    samples, welcome = tmp_path / "samples", tmp_path / "welcome.md"
    samples.mkdir()
    (samples / "a.png").write_bytes(SAMPLE)
    welcome.write_text("**Welcome**")
    state = tmp_path / "state"
    return ["--state", str(state), "--samples", str(samples), "--welcome", str(welcome)]


async def test_the_process_prints_one_line_greets_and_remembers(furnished: list[str]) -> None:
    async with served(*furnished) as (process, details), Person(details, "Ada") as ada:
        (greeting,) = await ada.messages()
        async with ada.http.get(f"{details['page']}sandbox/samples") as listed:
            (sample,) = await listed.json()
        async with ada.http.get(details["page"].rstrip("/") + sample["url"]) as picture:
            assert await picture.read() == SAMPLE
        (upload,) = await ada.upload(("mine.png", SAMPLE))
        await ada.say("remember me", attachments=[upload["id"]])
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    assert greeting["content"] == "**Welcome**"
    assert greeting["attachments"][0]["width"] == 32
    async with served(*furnished) as (_, again), Person(again, "Ada") as ada:
        first, second = await ada.messages()
        async with ada.http.get(second["attachments"][0]["url"]) as picture:
            assert await picture.read() == SAMPLE
    assert (first["id"], second["content"]) == (greeting["id"], "remember me")
    assert (again["token"], again["guild_id"]) == (details["token"], details["guild_id"])


async def test_the_process_ends_with_its_parent() -> None:
    command = "[sys.executable, '-m', 'sandbox', '--parent-pid']"
    script = f"import subprocess, sys, time; subprocess.Popen({command}); time.sleep(9)"
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    async with asyncio.timeout(20):
        details = json.loads(await parent.stdout.readline())
        parent.kill()
        await parent.wait()
        # The orphan holds the other end of this pipe: it closes when the orphan has ended.
        assert await parent.stdout.read() == b""
    assert details["page"].startswith("http://127.0.0.1:")


def test_it_listens_on_loopback_only(sandbox: RunningSandbox) -> None:
    port = int(sandbox.details["page"].rstrip("/").rpartition(":")[2])
    listening = Path("/proc/net/tcp").read_text() if Path("/proc/net/tcp").exists() else ""
    ends = [line.split()[1] for line in listening.splitlines()[1:] if line.split()[3] == "0A"]
    assert [end.split(":")[0] for end in ends if int(end.split(":")[1], 16) == port] in (
        [],
        ["0100007F"],
    )


async def test_another_sites_page_cannot_act_as_a_member(
    sandbox: RunningSandbox, ada: Person
) -> None:
    url = f"{sandbox.details['page']}sandbox/members/{ada.id}/messages"
    body = {"channel_id": ada.channel_id, "content": "x"}
    async with ada.http.post(url, json=body, headers={"Origin": "http://evil.test"}) as foreign:
        assert foreign.status == 403
    own = {"Origin": sandbox.details["page"].rstrip("/")}
    async with ada.http.post(url, json=body, headers=own) as same:
        assert same.status == 200


async def test_the_clock_turns_over_http_and_a_reset_forgets(
    sandbox: RunningSandbox, ada: Person
) -> None:
    base = f"{sandbox.details['page']}sandbox"
    await ada.say("forget me")
    async with ada.http.get(f"{base}/clock") as reply:
        before = (await reply.json())["now"]
    async with ada.http.post(f"{base}/clock", json={"advance_s": 3600}) as reply:
        assert (await reply.json())["now"] > before
    async with ada.http.get(f"{base}/requests") as reply:
        assert await reply.json() == []
    async with ada.http.post(f"{base}/reset") as reply:
        assert reply.status == 204
    assert await ada.messages() == []
    async with ada.http.get(f"{base}/") as reply:
        assert await reply.json() == sandbox.details


async def test_a_file_outside_the_page_is_not_served(sandbox: RunningSandbox, ada: Person) -> None:
    for path in ("..%2fserver.py", "%2e%2e/server.py", "nothing.js"):
        async with ada.http.get(sandbox.details["page"] + path) as reply:
            assert reply.status == 404


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (SAMPLE, (32, 16)),
        (b"GIF89a\x20\0\x10\0", (32, 16)),
        (b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x11\x08\0\x10\0\x20" + b"\0" * 9, (32, 16)),
        (b"RIFF\0\0\0\0WEBPVP8X" + b"\0" * 8 + b"\x1f\0\0\x0f\0\0", (32, 16)),
        (b"RIFF\0\0\0\0WEBPVP8 " + b"\0" * 10 + b"\x20\0\x10\0", (32, 16)),
        (b"RIFF\0\0\0\0WEBPVP8L" + b"\0" * 4 + b"\x2f\x1f\xc0\x03\0", (32, 16)),
        (b"\x89PNG\r\n\x1a\n", None),
        (b"\xff\xd8\xff", None),
        (b"text", None),
    ],
)
def test_the_size_of_a_picture_is_read_from_its_first_bytes(
    data: bytes, size: tuple[int, int] | None
) -> None:
    assert image_size(data) == size


async def test_two_sandboxes_live_side_by_side() -> None:
    first, second = Sandbox(), Sandbox(SandboxConfig(bot_name="Other"))
    await first.start()
    await second.start()
    try:
        assert first.details["page"] != second.details["page"]
        assert second.state.application.bot.name == "Other"
    finally:
        await first.close()
        await second.close()
    assert not await asyncio.to_thread(Path(first.details["certificate"]).exists)
