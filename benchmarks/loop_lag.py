"""B5: how late the bot's loop is while pictures are made, in an engine or in a thread beside it.

A process beside this one writes the time into a pipe every 5 ms, as a gateway would an event; the
lag is how much later the loop reads it. (A sleep would not do: a loop that anything happens in
counts what is left of it in whole milliseconds, and so is up to one late without any load.) Four
clients in a closed loop have the executor make their pictures, and, as the peer, diffusers'
pipeline in a thread of this process behind a lock.
"""

import asyncio
import os
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.checkpoint import save_nano
from benchmarks.contenders import batching, ours
from benchmarks.figures import (
    Effort,
    Figure,
    alternating,
    at_least,
    at_most,
    median,
    percentile,
    ratios,
)
from benchmarks.jobs import Job, jobs
from benchmarks.load import Contender, closed_loop
from benchmarks.peers.thread import ThreadAndLock, load

LOOKS = 300
STAMP = struct.Struct("d")
TICKER = """
import os, struct, time
while True:
    time.sleep(0.005)
    os.write(1, struct.pack("d", time.perf_counter()))
"""
CLIENTS = 4
# More than a client is served in a turn.
DRAWN = 200
IDLE, ENGINE, THREAD = "idle", "engine process", "thread in this process"
LAG = "p99 ms"

Work = Callable[[], AbstractAsyncContextManager[Any]]


def measure(effort: Effort) -> Sequence[Figure]:
    """Measure the loop's lag idle, beside an engine, and beside a thread, in turn."""
    return asyncio.run(_measure(effort))


async def _measure(effort: Effort) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        thread = ThreadAndLock(load(save_nano(Path(folder))))
        async with ours(batching(folder), nice=5) as executor:
            works: dict[str, Work] = {
                IDLE: nullcontext,
                ENGINE: lambda: at_work(executor),
                THREAD: lambda: at_work(thread),
            }
            for contender in (thread, executor):
                await closed_loop(contender, clients=CLIENTS, seconds=1, seed=0)

            async def turn_of(name: str) -> Mapping[str, float]:
                return {LAG: await lag_ms(works[name], looks=effort.jobs(LOOKS))}

            taken = await alternating(
                {name: lambda turn, name=name: turn_of(name) for name in works},  # type: ignore[misc]
                rounds=effort.rounds,
            )
    return held({name: values[LAG] for name, values in taken.items()})


def held(runs: Mapping[str, Sequence[float]]) -> list[Figure]:
    """Hold the runs against the goals."""
    busier, quieter = ratios(runs[ENGINE], runs[IDLE]), ratios(runs[THREAD], runs[ENGINE])
    peers = {name: f"{median(values):.2f} ms" for name, values in runs.items()}
    kept = {name: list(values) for name, values in runs.items()}
    return [
        Figure(
            id="B5",
            title="loop lag (p99) while generating",
            goal=at_most(2, "x idle"),
            turns=busier,
            peers=peers,
            runs=kept,
        ),
        Figure(
            id="B5",
            title="the same, against a thread in the bot's process",
            goal=at_least(5, "x below"),
            turns=quieter,
            peers=peers,
            runs=kept,
        ),
    ]


async def lag_ms(work: Work, *, looks: int) -> float:
    """Return the 99th percentile of the loop's lag while some work goes on."""
    async with work():
        return percentile(await heard_late_ms(looks), 0.99)


async def heard_late_ms(looks: int) -> list[float]:
    """Return how late the loop reads what another process writes."""
    loop = asyncio.get_running_loop()
    late: list[float] = []
    enough = loop.create_future()
    reading, writing = os.pipe()

    def read() -> None:
        stamp = os.read(reading, STAMP.size)
        late.append((time.perf_counter() - STAMP.unpack(stamp)[0]) * 1000)
        if len(late) == looks:
            loop.remove_reader(reading)
            enough.set_result(None)

    ticker = subprocess.Popen([sys.executable, "-S", "-c", TICKER], stdout=writing)  # noqa: ASYNC220
    loop.add_reader(reading, read)
    try:
        await enough
    finally:
        loop.remove_reader(reading)
        ticker.kill()
        ticker.wait()
        os.close(reading)
        os.close(writing)
    return late


@asynccontextmanager
async def at_work(contender: Contender) -> AsyncIterator[None]:
    """Have clients ask for pictures in a closed loop.

    The pictures that they send are drawn before: that is not the bot's work.
    """
    working = True
    drawn = [list(islice(jobs(seed), DRAWN)) for seed in range(CLIENTS)]

    async def client(wanted: Sequence[Job]) -> None:
        for job in wanted:
            if not working:
                return
            await contender.make(job)

    clients = [asyncio.create_task(client(wanted)) for wanted in drawn]
    await asyncio.sleep(0.2)
    yield
    working = False
    await asyncio.gather(*clients)
