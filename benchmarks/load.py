"""Ways to ask for pictures: in a closed loop, all at once, or as members come by."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from benchmarks.figures import percentile
from benchmarks.jobs import Job, Served, jobs


class Contender(Protocol):
    """Makes pictures: the executor or a peer."""

    async def make(self, job: Job) -> bytes:
        """Return the picture of a job as a PNG."""


async def served(contender: Contender, job: Job) -> Served:
    """Make one picture and look at the clock."""
    started = time.perf_counter()
    await contender.make(job)
    return Served(job=job, seconds=time.perf_counter() - started)


async def closed_loop(
    contender: Contender,
    *,
    clients: int,
    seconds: float,
    seed: int,
    drawn: Callable[[int], Iterator[Job]] = jobs,
) -> tuple[float, list[Served]]:
    """Have clients ask again as soon as they are served; return pictures a second and all jobs.

    A job that is under way at the end is waited for, and counts by the share of its time that
    lay within the seconds.
    """
    end = time.perf_counter() + seconds
    done: list[Served] = []

    async def client(wanted: Iterator[Job]) -> float:
        finished = 0.0
        while (left := end - time.perf_counter()) > 0:
            done.append(await served(contender, next(wanted)))
            finished += min(1.0, left / done[-1].seconds)
        return finished

    finished = await asyncio.gather(*(client(drawn(seed * 100 + n)) for n in range(clients)))
    return sum(finished) / seconds, done


async def all_at_once(contender: Contender, wanted: Sequence[Job]) -> list[Served]:
    """Ask for everything in one moment."""
    return list(await asyncio.gather(*(served(contender, job) for job in wanted)))


async def as_they_come(
    contender: Contender, wanted: Sequence[Job], *, per_second: float, seed: int
) -> list[Served]:
    """Ask at random moments (a Poisson process), however long the others take."""
    rng = random.Random(seed)
    loop = asyncio.get_running_loop()
    at, asked = loop.time(), []
    for job in wanted:
        at += rng.expovariate(per_second)
        await asyncio.sleep(at - loop.time())
        asked.append(asyncio.create_task(served(contender, job)))
    return list(await asyncio.gather(*asked))


def p95(done: Sequence[Served]) -> float:
    """Return the seconds within which 95 % were served."""
    return percentile([one.seconds for one in done], 0.95)


def mean(done: Sequence[Served]) -> float:
    """Return the mean of the seconds."""
    return sum(one.seconds for one in done) / len(done)


def short(done: Sequence[Served]) -> list[Served]:
    """Return the short jobs among them."""
    return [one for one in done if one.job.short]
