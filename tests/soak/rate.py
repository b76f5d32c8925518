"""`python -m tests.soak.rate`: R1, commands at a steady rate to a bot that is a process of its own.

They are sent at their times, whether or not earlier ones were answered. What an acknowledgement
takes is the sandbox's own measure: from the moment at which the gateway is given the interaction to
that at which the bot's answer is there.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from random import Random

import aiohttp

from benchmarks.figures import percentile
from tests.soak.__main__ import audit, drained, picture
from tests.soak.installation import sandbox
from tests.soak.members import Crowd, Json, shown_job

WARM_S, LIMIT_MS = 120.0, 500.0
EVERY = 10
"""One command in so many asks for a picture; the others ask what their member has left."""


@dataclass(kw_only=True)
class Rate:
    """What came of a load.

    Attributes:
        late_ms: how late each command was sent.
        acknowledged_ms: how long each took that was acknowledged.
        bot_s: processor seconds of the bot's own process.
        states: how many jobs ended how.
        wrong: what the books say is wrong.
    """

    late_ms: list[float] = field(default_factory=list)
    acknowledged_ms: list[float] = field(default_factory=list)
    bot_s: float = 0.0
    states: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Say it in a line."""
        shares = ("p50", 0.5), ("p99", 0.99), ("max", 1.0)
        times = ", ".join(f"{n} {percentile(self.acknowledged_ms, it):.0f}" for n, it in shares)
        return (
            f"{len(self.acknowledged_ms)} of {len(self.late_ms)} acknowledged, ms: {times}; sent "
            f"late by p99 {percentile(self.late_ms, 0.99):.0f} ms; bot {self.bot_s:.1f} s of a core"
        )


async def measured(folder: Path, *, count: int, per_s: float) -> Rate:
    """Send so many commands at a rate, and see how they were acknowledged and what came of them."""
    found = Rate()
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        sandbox() as details,
        aiohttp.ClientSession(connector=connector) as session,
        running(folder, details) as pid,
    ):
        crowd = Crowd(session, page=details["page"], rng=Random(1))
        await crowd.arrive()
        image = await until_served(crowd)
        before_s = spent_s(pid)
        await send(crowd, found, count=count, per_s=per_s, image=image)
        found.bot_s = spent_s(pid) - before_s
        await drained(folder)
        found.states, found.wrong = await audit(folder)
    return found


@asynccontextmanager
async def running(folder: Path, details: Json) -> AsyncIterator[int]:
    """Run a bot with tiny pipelines while the block runs; yield its process's id."""
    settings = {
        "DISCORD_TOKEN": details["token"],
        "ATELIER_DATA_DIR": str(folder),
        "ATELIER_SANDBOX_ADDRESS": f"127.0.0.1:{details['tls_port']}",
        "ATELIER_SANDBOX_CERTIFICATE": details["certificate"],
        "ATELIER_QUOTA_DEVICE_S": "1000000",
        "ATELIER_WEB_PORT": "0",
        "ATELIER_ENGINE_TEMPLATE": "false",
        "ATELIER_LOG_LEVEL": "WARNING",
    }
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.soak.process", "all"),
        env={**os.environ, **settings},
        stdout=DEVNULL,
    )
    try:
        yield child.pid
    finally:
        child.terminate()
        await child.wait()


async def until_served(crowd: Crowd) -> str:
    """Wait until a command has come to its picture; return an upload that the next may name."""
    photo = await asyncio.to_thread(picture)
    async with asyncio.timeout(WARM_S):
        while not any(map(shown_job, await crowd.messages())):
            if not crowd.seen.acknowledged_s:
                await crowd.send(photo, presets=["night"])
            await asyncio.sleep(0.5)
    return await crowd.upload(crowd.details["members"][0]["id"], photo)


async def send(crowd: Crowd, found: Rate, *, count: int, per_s: float, image: str) -> None:
    """Send commands at their times, and wait until none is without its acknowledgement."""

    async def ask(member_id: str, number: int) -> None:
        order: Json = {"name": "usage", "subcommand": "me"}
        if number % EVERY == 0:
            options = {"image": image, "prompt": "night", "seed": number}
            order = {"name": "remix", "options": options}
        took_ms = await crowd.command(member_id, order)
        if took_ms is not None:
            found.acknowledged_ms.append(took_ms)

    begun, asked = time.monotonic(), list[asyncio.Task[None]]()
    members = cycle(member["id"] for member in crowd.details["members"])
    for number, member_id in zip(range(count), members, strict=False):
        due = begun + number / per_s
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        found.late_ms.append((time.monotonic() - due) * 1000)
        asked.append(asyncio.create_task(ask(member_id, number)))
    await asyncio.gather(*asked)


def spent_s(pid: int) -> float:
    """Return the processor seconds of a process, without its children's."""
    words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Read the arguments, measure, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--per-second", type=float, default=50)
    arguments = parser.parse_args()
    count = round(arguments.seconds * arguments.per_second)
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measured(Path(folder), count=count, per_s=arguments.per_second))
    found.wrong += [] if len(found.acknowledged_ms) == count else ["some were not acknowledged"]
    if percentile(found.acknowledged_ms, 0.99) >= LIMIT_MS:
        found.wrong.append(f"p99 is to be below {LIMIT_MS:.0f} ms")
    print(found)
    print(f"jobs: {dict(found.states)}")
    for line in found.wrong:
        print(f"WRONG: {line}")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
