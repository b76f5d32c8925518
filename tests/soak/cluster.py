"""`python -m tests.soak.cluster --seconds N`: bots and workers on one PostgreSQL, killed at random.

Two bots hear the same servers, three workers make their pictures, and every few seconds one of the
five is killed with SIGKILL and started again. The audit: of the jobs that were accepted none is
missing, none delivered twice, and the ledger's sums are the balances.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from storage.migrating import upgrade
from storage.sealing import new_key
from tests.soak.__main__ import audit_of, picture
from tests.soak.members import Crowd, shown_job, waits
from tests.storage.postgres import CURE, running_server, server_programs

PROCESSES = ("bot 1", "bot 2", "worker 1", "worker 2", "worker 3")
PROMPTS = ["night", "slow night", "fog", "refuse this", "odd one"]
DRAIN_S = 180.0
START_S = 120.0
STILL_S = 40.0
"""A download may take so long."""


@dataclass(kw_only=True)
class Cluster:
    """The processes, and what they share.

    Attributes:
        kills: how often each was killed.
    """

    folder: Path
    url: str
    details: dict[str, Any]
    key: str = field(default_factory=new_key)
    running: dict[str, Process] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)

    async def start(self, name: str) -> None:
        """Start a process, and let it write its log."""
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
        }
        with (self.folder / f"{folder.name}.log").open("ab") as log:
            self.running[name] = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.soak.process", name.split()[0]),
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

    async def stop(self) -> list[int]:
        """Have all end by themselves, and return how they did."""
        for process in self.running.values():
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


async def soak(*, seconds: float, kill_every_s: float, seed: int, folder: Path) -> list[str]:
    """Run the load; return what went wrong."""
    programs = server_programs()
    assert programs is not None, CURE
    server = running_server(programs)
    address = await asyncio.to_thread(server.__enter__)
    try:
        connection = await asyncpg.connect(address.format("postgres"))
        await connection.execute("CREATE DATABASE soak")
        await connection.close()
        await asyncio.to_thread(upgrade, address.format("soak"))
        async with sandbox() as details, aiohttp.ClientSession() as session:
            cluster = Cluster(folder=folder, url=address.format("soak"), details=details)
            crowd = Crowd(session, page=details["page"], rng=random.Random(seed))
            try:
                return await under_load(cluster, crowd, seconds=seconds, kill_every_s=kill_every_s)
            finally:
                await asyncio.gather(*(cluster.kill(name) for name in [*cluster.running]))
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)


async def under_load(
    cluster: Cluster, crowd: Crowd, *, seconds: float, kill_every_s: float
) -> list[str]:
    """Send commands and kill processes, then audit."""
    rng, photo = crowd.rng, await asyncio.to_thread(picture)
    await crowd.arrive()
    await asyncio.gather(*(cluster.start(name) for name in PROCESSES))
    await until_served(crowd, photo)
    end = time.monotonic() + seconds
    next_kill = time.monotonic() + kill_every_s
    while time.monotonic() < end:
        await crowd.send(photo, presets=PROMPTS)
        if time.monotonic() > next_kill:
            name = rng.choice(PROCESSES)
            await cluster.kill(name)
            await cluster.start(name)
            next_kill = time.monotonic() + rng.uniform(0.5, 1.5) * kill_every_s
        await asyncio.sleep(rng.uniform(0.1, 0.6))
    states, wrong, messages = await drained(cluster, crowd)
    shown = Counter(filter(None, map(shown_job, messages)))
    wrong += [f"job {job} was delivered {n} times" for job, n in shown.items() if n > 1]
    if len(shown) < states["done"]:
        wrong.append(f"{states['done']} jobs are done, {len(shown)} are shown")
    codes = await cluster.stop()
    acknowledged = len(crowd.seen.acknowledged_s)
    print(f"commands: {acknowledged} acknowledged, {crowd.seen.failed} not; kills {cluster.kills}")
    print(f"jobs: {dict(states)}; {acknowledged - states.total()} cut off before they were jobs")
    print(f"pictures shown: {len(shown)}; ended with {codes}")
    return wrong


async def until_served(crowd: Crowd, photo: bytes) -> None:
    """Send commands until one has come to its picture, and begin to count then."""
    async with asyncio.timeout(START_S):
        while not any(map(shown_job, await crowd.messages())):
            if not crowd.seen.acknowledged_s:
                await crowd.send(photo, presets=["night"])
            await asyncio.sleep(0.5)
    crowd.seen.failed = 0


async def drained(
    cluster: Cluster, crowd: Crowd
) -> tuple[Counter[str], list[str], list[dict[str, Any]]]:
    """Wait until nothing is left to do; return how jobs ended, what is wrong, and all messages.

    A command that a bot had acknowledged and not yet accepted when it was killed waits for ever.
    """
    end, still_since = time.monotonic() + DRAIN_S, time.monotonic()
    left = -1
    while True:
        messages = await crowd.messages()
        states, wrong = await audit_of(cluster.url)
        now, unsaid = time.monotonic(), sum(map(waits, messages))
        if unsaid != left:
            left, still_since = unsaid, now
        if now > end or (not wrong and (not left or now - still_since > STILL_S)):
            return states, wrong, messages
        await asyncio.sleep(1)


def main() -> int:
    """Read the arguments, soak, and say what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--kill-every", type=float, default=6, help="seconds between two kills")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    with tempfile.TemporaryDirectory() as folder:
        wrong = asyncio.run(
            soak(
                seconds=arguments.seconds,
                kill_every_s=arguments.kill_every,
                seed=arguments.seed,
                folder=Path(folder),
            )
        )
    for line in wrong:
        print(f"WRONG: {line}")
    print("0 lost, 0 doubled, the ledger is right" if not wrong else f"{len(wrong)} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
