"""The whole bot against a whole sandbox, in one loop, with tiny pipelines behind the engine."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    closing,
)
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from bot.composition import Bot, assembled
from bot.settings import Settings
from generation.registry import PipelineSpec
from storage.database import sqlite_path
from storage.migrating import upgrade
from tests.bot.members import Member
from tests.bot.pipelines import PIPELINES
from tests.sandbox.clients import heartbeats_ended
from tests.sandbox.fixtures import RunningSandbox


class StageSettings(Settings):
    """The settings without this checkout's own file."""

    model_config = SettingsConfigDict(env_file=None)


def settings_for(sandbox: RunningSandbox, folder: Path, **changes: object) -> Settings:
    values: dict[str, Any] = {
        "discord_token": SecretStr(sandbox.details["token"]),
        "data_dir": folder,
        "sandbox_address": f"127.0.0.1:{sandbox.details['tls_port']}",
        "sandbox_certificate": Path(sandbox.details["certificate"]),
        "web_port": 0,
        "progress_interval_s": 0.2,
        "shutdown_s": 1.0,
        "redelivery_s": 1.0,
        "lease_s": 3.0,
        "engine_template": False,
    }
    return StageSettings(**{**values, **changes})


@asynccontextmanager
async def running(
    settings: Settings, *, pipelines: Mapping[str, PipelineSpec] = PIPELINES
) -> AsyncIterator[Bot]:
    """Run the bot while the block runs."""
    await asyncio.to_thread(upgrade, settings.database)
    async with assembled(settings, pipelines=pipelines) as bot, serving(bot):
        yield bot


@asynccontextmanager
async def serving(bot: Bot) -> AsyncIterator[None]:
    """Have an assembled bot serve while the block runs."""
    token = bot.settings.discord_token
    assert token is not None
    stop = asyncio.Event()
    task = asyncio.create_task(bot.run(token.get_secret_value(), stop=stop), name="bot")
    began = asyncio.create_task(bot.client.began.wait())
    await asyncio.wait((task, began), return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    await bot.client.wait_until_ready()
    try:
        yield
    finally:
        stop.set()
        await task
        await heartbeats_ended()


def rows(bot: Bot, *statements: str) -> list[tuple[object, ...]]:
    """Run statements on the bot's database, and return what the last one gives."""
    path = sqlite_path(bot.settings.database)
    assert path is not None
    with closing(sqlite3.connect(path)) as database, database:
        return [list(database.execute(statement)) for statement in statements][-1]


def is_asked() -> bool:
    """Tell whether the bot is at work on what a member did: it answers first, then accepts."""
    names = ("CommandTree-invoker", "discord-ui-", "discord.py: on_interaction")
    return any(task.get_name().startswith(names) for task in asyncio.all_tasks())


async def settled(bot: Bot, *, wait_s: float = 20.0) -> None:
    """Wait until no command is under way, no job open, and every member has been told."""
    jobs = bot.stores.jobs
    async with asyncio.timeout(wait_s):
        while True:
            asked = is_asked()
            if not asked and not await jobs.unfinished() and not await jobs.undelivered():
                return
            await asyncio.sleep(0.05)


@dataclass(kw_only=True)
class Stage:
    """A sandbox, its members and a place for bots."""

    sandbox: RunningSandbox
    folder: Path
    ada: Member
    ben: Member
    cleo: Member
    stack: AsyncExitStack

    @property
    def guild_id(self) -> str:
        return str(self.sandbox.details["guild_id"])

    async def start(
        self, *, beside: Mapping[str, PipelineSpec] | None = None, **changes: object
    ) -> Bot:
        """Start a bot that runs to the end of the test, with pipelines beside the usual ones."""
        settings = settings_for(self.sandbox, self.folder / "data", **changes)
        run = running(settings, pipelines={**PIPELINES, **(beside or {})})
        return await self.stack.enter_async_context(run)

    def running(self, **changes: object) -> AbstractAsyncContextManager[Bot]:
        """Return a bot that runs while a block runs."""
        return running(settings_for(self.sandbox, self.folder / "data", **changes))

    def order(self, *, kind: str, **details: Any) -> None:  # noqa: ANN401
        """Order a fault from the sandbox."""
        self.sandbox.order(kind, **details)

    async def settled(self, bot: Bot, *, wait_s: float = 20.0) -> None:
        """Wait until no job is open and every member has been told."""
        await settled(bot, wait_s=wait_s)

    async def until_requests(self, method: str, route: str, *, count: int) -> None:
        """Wait until the bot has asked something of Discord so many times."""
        async with asyncio.timeout(20):
            while True:
                if len(self.requests(method, route)) >= count:
                    return
                await asyncio.sleep(0.05)

    def requests(self, method: str = "", route: str = "") -> list[Any]:
        """Return what the bot asked of Discord."""
        return [
            exchange
            for exchange in self.sandbox.exchanges
            if method in ("", exchange.method) and route in exchange.route
        ]


@asynccontextmanager
async def staged(sandbox: RunningSandbox, folder: Path) -> AsyncIterator[Stage]:
    """Let three members act in a sandbox."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        people = {}
        for known in sandbox.details["members"]:
            member = Member(
                session,
                page=sandbox.details["page"],
                member_id=known["id"],
                channel_id=sandbox.details["channels"][0]["id"],
            )
            stack.push_async_callback(member.close)
            people[known["name"].lower()] = member
        yield Stage(sandbox=sandbox, folder=folder, stack=stack, **people)
