"""The real discord.py client, pointed at a sandbox by its three class attributes."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import discord
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket, KeepAliveHandler
from discord.http import Route

from sandbox.replies import Json, Payload

READY_WITHIN_S = 10.0


@contextmanager
def redirected(details: Payload) -> Iterator[None]:
    """Point every discord.py client at a sandbox, and back afterwards."""
    before = (Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY, discord.Asset.BASE)
    Route.BASE = details["api"]
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(details["gateway"])
    discord.Asset.BASE = details["cdn"]
    try:
        yield
    finally:
        Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY, discord.Asset.BASE = before


class Bot(discord.Client):
    """A client with a command tree and a record of what it heard."""

    def __init__(self, *, intents: discord.Intents | None = None, **options: Json) -> None:
        super().__init__(
            intents=intents or discord.Intents(guilds=True), guild_ready_timeout=0.3, **options
        )
        self.tree = app_commands.CommandTree(self)
        self.heard: list[tuple[str, object]] = []
        self.connection: asyncio.Task[None] | None = None

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Identify again at once: the sandbox does not ask for the usual five seconds."""

    def dispatch(self, event: str, /, *arguments: Json, **named: Json) -> None:
        """Record every event besides handling it."""
        self.heard.append((event, arguments[0] if arguments else None))
        super().dispatch(event, *arguments, **named)


async def heartbeats_ended() -> None:
    """End discord.py's heartbeat threads.

    The thread of a connection that was lost goes on for an interval, and may use a closed loop.
    """
    for thread in threading.enumerate():
        if isinstance(thread, KeepAliveHandler):
            thread.stop()
            await asyncio.to_thread(thread.join, 5.0)


@asynccontextmanager
async def connected(
    bot: Bot, details: Payload, *, set_up: Callable[[Bot], None] | None = None
) -> AsyncIterator[Bot]:
    """Log a bot in, register its commands and keep it connected."""
    if set_up is not None:
        set_up(bot)
    with redirected(details):
        async with bot:
            await bot.login(details["token"])
            connection = bot.connection = asyncio.create_task(bot.connect())
            try:
                async with asyncio.timeout(READY_WITHIN_S):
                    await bot.wait_until_ready()
                if bot.tree.get_commands():
                    await bot.tree.sync()
                yield bot
            finally:
                await bot.close()
                with suppress(Exception):
                    await connection
                await heartbeats_ended()
