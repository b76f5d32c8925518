"""Bots and workers as processes of their own around one PostgreSQL and one sandbox."""

import asyncio
import json
import os
import random
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from storage.migrating import upgrade
from storage.sealing import new_key
from tests.soak.__main__ import audit_of
from tests.soak.members import Crowd, shown_job, waits, was_cut_off
from tests.storage.postgres import CURE, Server, served, server_programs

DATABASE = "atelier"
DRAIN_S = 180.0
START_S = 300.0
AGAIN_S = 20.0
"""On a busy machine the first pictures may take longer to read than is allowed."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of everything.

    Attributes:
        states: how many jobs ended how.
        shown: how often each job's finished picture is shown.
        told: how many members were told that their command was cut off before it was a job.
        wrong: everything that should not be.
    """

    states: Counter[str]
    shown: Counter[str]
    told: int
    wrong: list[str]


@dataclass(kw_only=True)
class Installation:
    """The processes, and what they share.

    Attributes:
        kills: how often each was killed.
    """

    folder: Path
    server: Server
    details: dict[str, Any]
    key: str = field(default_factory=new_key)
    running: dict[str, Process] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)

    @property
    def url(self) -> str:
        """The database's address."""
        return self.server.address.format(DATABASE)

    async def start(self, name: str, *, within: Sequence[str] = (), **changes: str) -> None:
        """Start a process, and let it write its log.

        Args:
            name: its role and a number.
            within: what starts it, such as ``ip netns exec NAME``.
            changes: settings of its own.
        """
        folder = self.folder / name.replace(" ", "-")
        if not folder.exists():
            folder.mkdir()
            pictures = self.folder / "pictures"
            pictures.mkdir(exist_ok=True)
            (folder / "files").symlink_to(pictures)
        settings = {
            "DISCORD_TOKEN": self.details["token"],
            "ATELIER_DATA_DIR": str(folder),
            "ATELIER_DATABASE_URL": self.url,
            "ATELIER_KEYS": self.key,
            "ATELIER_SANDBOX_ADDRESS": f"127.0.0.1:{self.details['tls_port']}",
            "ATELIER_SANDBOX_CERTIFICATE": self.details["certificate"],
            "ATELIER_QUOTA_DEVICE_S": "1000000",
            "ATELIER_WEB_PORT": "0",
            "ATELIER_LEASE_S": "5",
            "ATELIER_REDELIVERY_S": "3",
            "ATELIER_PROGRESS_INTERVAL_S": "0.5",
            "ATELIER_ENGINE_TEMPLATE": "false",
            "ATELIER_LOG_FORMAT": "json",
            **changes,
        }
        with (self.folder / f"{folder.name}.log").open("ab") as log:
            self.running[name] = await asyncio.create_subprocess_exec(
                *(*within, sys.executable, "-m", "tests.soak.process", name.split()[0]),
                env={**os.environ, **settings},
                stdout=DEVNULL,
                stderr=log,
            )

    async def kill(self, name: str) -> None:
        """Kill a process at once."""
        process = self.running.pop(name)
        if process.returncode is None:
            process.kill()
        await process.wait()
        self.kills[name.split()[0]] += 1

    async def lose_server(self, *, for_s: float) -> None:
        """Kill the database's server, and start it again after a while."""
        self.kills["database"] += 1
        await asyncio.to_thread(self.server.kill)
        await asyncio.sleep(for_s)
        await asyncio.to_thread(self.server.start)

    async def stop(self) -> list[int]:
        """Have all end by themselves, and return how they did."""
        for process in self.running.values():
            if process.returncode is None:
                process.terminate()
        async with asyncio.timeout(60):
            return [await process.wait() for process in self.running.values()]


@asynccontextmanager
async def sandbox() -> AsyncIterator[dict[str, Any]]:
    """Run a Discord of our own while the block runs; yield what it says of itself."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sandbox", "--port", "0"), stdout=PIPE
    )
    assert child.stdout is not None
    try:
        async with asyncio.timeout(START_S):
            line = await child.stdout.readline()
        yield json.loads(line)
    finally:
        child.terminate()
        await child.wait()


async def prepared(server: Server) -> str:
    """Make the database with all of its tables, and return its address."""
    connection = await asyncpg.connect(server.address.format("postgres"))
    await connection.execute(f"CREATE DATABASE {DATABASE}")
    await connection.close()
    await asyncio.to_thread(upgrade, server.address.format(DATABASE))
    return server.address.format(DATABASE)


@asynccontextmanager
async def installed(
    folder: Path, *, rng: random.Random, host: str | None = None
) -> AsyncIterator[tuple[Installation, Crowd]]:
    """Have a server, a sandbox and its members while the block runs, and end every process.

    Args:
        folder: for pictures, logs and the processes' own data.
        rng: decides what members ask for.
        host: another address that the server is reached at.
    """
    programs = server_programs()
    assert programs is not None, CURE
    serving = served(programs, host=host)
    server = await asyncio.to_thread(serving.__enter__)
    try:
        await prepared(server)
        async with sandbox() as details, aiohttp.ClientSession() as session:
            installation = Installation(folder=folder, server=server, details=details)
            try:
                crowd = Crowd(session, page=details["page"], rng=rng)
                await crowd.arrive()
                yield installation, crowd
            finally:
                await asyncio.gather(*map(installation.kill, [*installation.running]))
    finally:
        await asyncio.to_thread(serving.__exit__, None, None, None)


async def until_served(crowd: Crowd, photo: bytes) -> None:
    """Send commands until one has come to its picture, and begin to count then."""
    sent_at = -AGAIN_S
    async with asyncio.timeout(START_S):
        while not any(map(shown_job, await crowd.messages())):
            acknowledged = len(crowd.seen.acknowledged_s)
            if not acknowledged or time.monotonic() - sent_at > AGAIN_S:
                await crowd.send(photo, presets=["night"])
                sent_at = time.monotonic()
            await asyncio.sleep(0.5)
    crowd.seen.failed = 0


async def drained(installation: Installation, crowd: Crowd) -> Outcome:
    """Wait until nothing is left to do and everybody was answered; see what became of it all."""
    end = time.monotonic() + DRAIN_S
    while True:
        # What the books say was delivered is shown after that, not before.
        states, wrong = await audit_of(installation.url)
        messages = await crowd.messages()
        unsaid = sum(map(waits, messages))
        if time.monotonic() > end or not (wrong or unsaid):
            break
        await asyncio.sleep(1)
    acknowledged = len(crowd.seen.acknowledged_s)
    if len(messages) < acknowledged:
        wrong.append(f"{acknowledged} commands were acknowledged, {len(messages)} have a reply")
    if unsaid:
        wrong.append(f"{unsaid} commands were acknowledged and never answered")
    shown = Counter(filter(None, map(shown_job, messages)))
    wrong += [f"job {job} was delivered {n} times" for job, n in shown.items() if n > 1]
    if len(shown) < states["done"]:
        wrong.append(f"{states['done']} jobs are done, {len(shown)} are shown")
    told = sum(map(was_cut_off, messages))
    return Outcome(states=states, shown=shown, told=told, wrong=wrong)
