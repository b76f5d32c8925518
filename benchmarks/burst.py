"""B3: 120 members ask in one moment; and what order costs while there is no crowd.

The peers keep first come, first served: one picture at a time behind a lock, and the same executor
with its batches, fed in the order of arrival. The goals hold against the former.
"""

import asyncio
import random
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.checkpoint import save_nano
from benchmarks.contenders import CAPACITY, batching, ours
from benchmarks.figures import Effort, Figure, alternating, at_most, median, ratios
from benchmarks.jobs import Job, job, strangers
from benchmarks.load import Contender, all_at_once, as_they_come, closed_loop, mean, p95, short
from benchmarks.peers.thread import ThreadAndLock, load

BURST = 120
CALM = 30
LOCK, FIFO, OURS = "FIFO, a thread and a lock", "FIFO into the same executor", "ours"
MEAN = f"burst of {BURST}: mean"
SHORT = f"burst of {BURST}: short jobs' p95"
CALM_P95 = "half load: p95"


class FirstCome:
    """Hands another contender no more than it can have under way, in the order of arrival."""

    def __init__(self, contender: Contender) -> None:
        self._contender = contender
        self._places = asyncio.Semaphore(CAPACITY + 1)

    async def make(self, job: Job) -> bytes:
        """Wait for a place, then make the picture."""
        async with self._places:
            return await self._contender.make(job)


def measure(effort: Effort) -> Sequence[Figure]:
    """Measure the burst and half load."""
    return asyncio.run(_measure(effort))


async def _measure(effort: Effort) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        thread = ThreadAndLock(load(save_nano(Path(folder))))
        async with ours(batching(folder)) as executor:
            for contender in (thread, executor):
                await closed_loop(contender, clients=4, seconds=effort.seconds / 2, seed=0)
            rate, _ = await closed_loop(thread, clients=1, seconds=effort.seconds, seed=1)
            taken = await alternating(
                {
                    LOCK: turn_of(thread, rate=rate / 2, effort=effort),
                    FIFO: turn_of(FirstCome(executor), rate=None, effort=effort),
                    OURS: turn_of(executor, rate=rate / 2, effort=effort),
                },
                rounds=effort.rounds,
            )
    return held(taken)


def turn_of(
    contender: Contender, *, rate: float | None, effort: Effort
) -> Callable[[int], Awaitable[Mapping[str, float]]]:
    """Return what a contender does in its turn; without a rate, only the burst."""

    async def turn_(turn: int) -> Mapping[str, float]:
        burst = await all_at_once(contender, drawn(effort.jobs(BURST), seed=turn))
        found = {MEAN: mean(burst), SHORT: p95(short(burst))}
        if rate is not None:
            calm = drawn(effort.jobs(CALM), seed=turn)
            found[CALM_P95] = p95(await as_they_come(contender, calm, per_second=rate, seed=turn))
        return found

    return turn_


def drawn(jobs: int, *, seed: int) -> list[Job]:
    """Return a job for each of so many members who asked for nothing before."""
    rng = random.Random(seed)
    return [job(rng, member=member) for member in strangers(jobs)]


def held(taken: Mapping[str, Mapping[str, Sequence[float]]]) -> list[Figure]:
    """Hold the runs against the goals."""
    figures = []
    for what, goal in ((MEAN, 0.5), (SHORT, 0.2), (CALM_P95, 1.05)):
        runs = {name: values[what] for name, values in taken.items() if what in values}
        shares = ratios(runs[OURS], runs[LOCK])
        figures.append(
            Figure(
                id="B3",
                title=f"{what}, against FIFO",
                goal=at_most(goal, "x FIFO"),
                turns=shares,
                peers={name: f"{median(values):.2f} s" for name, values in runs.items()},
                runs=runs,
            )
        )
    return figures
