"""B7: one member drops 200 jobs; what the others feel of it, and how the device is shared."""

import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.checkpoint import save_nano
from benchmarks.contenders import Ours, batching, ours, request_of
from benchmarks.figures import (
    Effort,
    Figure,
    alternating,
    at_least,
    at_most,
    median,
    ratios,
)
from benchmarks.jobs import LONG_STEPS, SHORT_STEPS, Job, job, picture, strangers
from benchmarks.load import Contender, as_they_come, closed_loop, p95
from benchmarks.peers.thread import ThreadAndLock, load
from generation.encoding import decode_png
from generation.errors import JobCancelledError

HEAVY_JOBS = 200
LIGHT_MEMBERS = 4
LIGHT_JOBS = 16
LIGHT_PER_SECOND = 4.0
SETTLE_S = 1.0
ALIKE = 5
ALIKE_JOBS = 120
WITHOUT, WITH, FIFO, SHARED = "without the heavy member", "with it", "FIFO, with it", "shared"
P95, JAIN = "light p95 s", "Jain index"


def measure(effort: Effort) -> Sequence[Figure]:
    """Measure light members with and without the heavy one, and the shares of five alike."""
    return asyncio.run(_measure(effort))


async def _measure(effort: Effort) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        thread = ThreadAndLock(load(save_nano(Path(folder))))
        async with ours(batching(folder)) as executor:
            for contender in (thread, executor):
                await closed_loop(contender, clients=4, seconds=effort.seconds / 2, seed=0)

            async def light(contender: Contender, turn: int, *, heavy: bool) -> Mapping[str, float]:
                return {P95: await light_p95(contender, heavy=heavy, seed=turn, effort=effort)}

            taken = await alternating(
                {
                    WITHOUT: lambda turn: light(executor, turn, heavy=False),
                    WITH: lambda turn: light(executor, turn, heavy=True),
                    FIFO: lambda turn: light(thread, turn, heavy=True),
                    SHARED: lambda turn: shared(executor, seed=turn, effort=effort),
                },
                rounds=effort.rounds,
            )
    return held(taken)


async def light_p95(contender: Contender, *, heavy: bool, seed: int, effort: Effort) -> float:
    """Return the light members' p95, while a heavy one has dropped its jobs or not.

    Nobody was there before: what members used of the device in an earlier turn does not count.
    """
    rng = random.Random(seed)
    heavy_one, *members = strangers(1 + LIGHT_MEMBERS)
    dropped = [
        asyncio.create_task(contender.make(job(rng, member=heavy_one)))
        for _ in range(effort.jobs(HEAVY_JOBS) if heavy else 0)
    ]
    await asyncio.sleep(SETTLE_S)
    rng = random.Random(seed)
    wanted = [job(rng, member=members[n % LIGHT_MEMBERS]) for n in range(effort.jobs(LIGHT_JOBS))]
    done = await as_they_come(contender, wanted, per_second=LIGHT_PER_SECOND, seed=seed)
    await given_up(dropped)
    return p95(done)


async def given_up(tasks: Sequence["asyncio.Task[bytes]"]) -> None:
    """Cancel what is not finished; what was measured is over."""
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError, JobCancelledError):
            await task


async def shared(executor: Ours, *, seed: int, effort: Effort) -> Mapping[str, float]:
    """Return Jain's index of the device time of members who all have work waiting.

    One has long jobs alone, one short ones alone, the others both.
    """
    spent: Counter[int] = Counter()
    image = decode_png(picture(0))

    async def one(wanted: Job) -> bytes:
        ticket = executor.executor.submit(request_of(wanted, image=image))
        try:
            result = await ticket.result()
            spent[wanted.member] += result.device_ms
        finally:
            ticket.cancel()
        return b""

    rng = random.Random(seed)
    kinds = [LONG_STEPS, SHORT_STEPS, *[SHORT_STEPS + LONG_STEPS] * (ALIKE - 2)]
    counts = [ALIKE_JOBS * (3 if kind is SHORT_STEPS else 1) for kind in kinds]
    members = strangers(ALIKE)
    tasks = [
        asyncio.create_task(one(job(rng, steps=kind, member=member)))
        for member, kind, jobs in zip(members, kinds, counts, strict=True)
        for _ in range(effort.jobs(jobs))
    ]
    await asyncio.sleep(3 * effort.seconds)
    index = jain([spent[member] for member in members])
    await given_up(tasks)
    return {JAIN: index}


def jain(values: Sequence[float]) -> float:
    """Return Jain's fairness index: 1 when all have the same, 1/n when one has everything."""
    squares = sum(value * value for value in values)
    return sum(values) ** 2 / (len(values) * squares) if squares else 0.0


def held(taken: Mapping[str, Mapping[str, Sequence[float]]]) -> list[Figure]:
    """Hold the runs against the goals."""
    runs = {name: list(taken[name][P95]) for name in (WITHOUT, WITH, FIFO)}
    peers = {name: f"{median(values) * 1000:.0f} ms" for name, values in runs.items()}
    slower, better = ratios(runs[WITH], runs[WITHOUT]), ratios(runs[FIFO], runs[WITH])
    indices = list(taken[SHARED][JAIN])
    return [
        Figure(
            id="B7",
            title=f"light members' p95 while one has dropped {HEAVY_JOBS} jobs",
            goal=at_most(1.5, "x without it"),
            turns=slower,
            peers=peers,
            runs=runs,
        ),
        Figure(
            id="B7",
            title="the same, against FIFO (a thread and a lock)",
            goal=at_least(20, "x shorter"),
            turns=better,
            peers=peers,
            runs=runs,
        ),
        Figure(
            id="B7",
            title=f"device time of {ALIKE} members with unlike jobs, Jain index",
            goal=at_least(0.95, "of 1"),
            turns=indices,
        ),
    ]
