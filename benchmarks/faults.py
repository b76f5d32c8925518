"""B8: an engine without memory, an engine that hangs, an engine that is killed; and a cancel.

A crowd asks, the fault strikes in its midst, and everybody is waited for. Nobody may be lost, and
every picture must have the bytes that it has without a fault. The executor has been up for a while
before: its template stands.
"""

import asyncio
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count, pairwise
from pathlib import Path
from typing import Any

from benchmarks.checkpoint import NAME, NANO, save_nano
from benchmarks.contenders import Ours, batching, ours, request_of
from benchmarks.faulty import FAULT, HANG, MEMORY, STEPS
from benchmarks.figures import Effort, Figure, at_most, median
from benchmarks.jobs import Job, job
from generation.encoding import decode_png
from generation.errors import GenerationError, JobCancelledError

CROWD = 12
HANG_TIMEOUT_S = 2.0
GRACE_S = 0.3
STRUCK_WITHIN_S = 5.0
FAULTS = ("out of memory", "hang", "kill -9")
LONG = 150
TEMPLATE_WITHIN_S = 120.0

Fault = Callable[[int], Coroutine[Any, Any, float]]
"""Strikes once so many more steps are taken, and returns when it has."""

FAULTY = replace(NANO, target="benchmarks.faulty:FaultyPipeline")

_numbers = count()


def measure(effort: Effort) -> Sequence[Figure]:
    """Measure each fault, then cancelling."""
    return asyncio.run(_measure(effort))


async def _measure(effort: Effort) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        models_dir = Path(folder)
        save_nano(models_dir)
        engine = batching(models_dir, exact=True)
        async with ours(
            engine, pipelines={NAME: FAULTY}, hang_timeout_s=HANG_TIMEOUT_S, template_after_s=0
        ) as executor:
            rng = random.Random(0)
            crowd = [job(rng) for _ in range(effort.jobs(CROWD))]
            expected = [await executor.make(one) for one in crowd]
            await until_template(executor)
            taken: dict[str, list[Mapping[str, float]]] = {name: [] for name in FAULTS}
            for _ in range(effort.rounds):
                for name in FAULTS:
                    fault = faults(models_dir, executor)[name]
                    taken[name].append(await struck(executor, crowd, expected, fault=fault))
            late = [await steps_after_cancel(executor, models_dir) for _ in range(effort.rounds)]
    return [*held(taken), cancel_held(late)]


async def until_template(executor: Ours) -> None:
    """Wait until the next engine would be forked.

    Raises:
        TimeoutError: there is no template.
    """
    async with asyncio.timeout(TEMPLATE_WITHIN_S):
        while not executor.executor.stats().stations[0].template:  # noqa: ASYNC110 - as below
            await asyncio.sleep(0.05)


def faults(models_dir: Path, executor: Ours) -> Mapping[str, Fault]:
    """Return how each fault is brought about, by its name."""
    counted = models_dir / STEPS

    async def told(kind: str, after: int) -> float:
        order, draft = models_dir / FAULT, models_dir / "draft"
        draft.write_text(f"{kind} {counted.stat().st_size + after}", "utf-8")
        draft.replace(order)
        while order.exists():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.001)
        return time.perf_counter()

    async def killed(after: int) -> float:
        goal = counted.stat().st_size + after
        while counted.stat().st_size < goal:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)
        pid = executor.executor.engine_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        return time.perf_counter()

    return {
        "out of memory": partial(told, MEMORY),
        "hang": partial(told, HANG),
        "kill -9": killed,
    }


async def struck(
    executor: Ours, crowd: Sequence[Job], expected: Sequence[bytes], *, fault: Fault
) -> Mapping[str, float]:
    """Have a fault strike a crowd; return who was lost, what is other than expected, how long.

    It strikes when half of the crowd's steps are taken, however fast the machine is. Recovery is
    the longest time without a picture after the fault: who was done already and is only encoded
    does not end it.

    Raises:
        TimeoutError: it has not struck, so that nothing was measured.
    """
    finished: list[float] = []

    async def one(wanted: Job) -> bytes | None:
        again = replace(wanted, job_id=f"{wanted.job_id} again {next(_numbers)}")
        try:
            png = await executor.make(again)
        except GenerationError:
            return None
        finished.append(time.perf_counter())
        return png

    striking = asyncio.create_task(fault(sum(wanted.steps for wanted in crowd) // 2))
    pictures = await asyncio.gather(*(one(wanted) for wanted in crowd))
    at = await asyncio.wait_for(striking, STRUCK_WITHIN_S)
    after = [at, *sorted(moment for moment in finished if moment > at)]
    return {
        "lost": sum(png is None for png in pictures),
        "other": sum(
            png is not None and png != right for png, right in zip(pictures, expected, strict=True)
        ),
        "recovery s": max((later - one for one, later in pairwise(after)), default=0.0),
        "all s": after[-1] - at,
    }


async def steps_after_cancel(executor: Ours, models_dir: Path) -> float:
    """Return how many steps a request takes after it is cancelled."""
    counted = models_dir / STEPS
    one = job(random.Random(0), steps=(LONG,))
    request = request_of(
        replace(one, job_id=f"cancelled {next(_numbers)}"), image=decode_png(one.png)
    )
    ticket = executor.executor.submit(request)
    async for progress in ticket.events():
        if progress.step:
            break
    before = counted.stat().st_size
    ticket.cancel()
    try:
        await ticket.result()
    except JobCancelledError:
        await asyncio.sleep(GRACE_S)
    return counted.stat().st_size - before


def held(taken: Mapping[str, Sequence[Mapping[str, float]]]) -> list[Figure]:
    """Hold the faults against the goals."""
    runs = {
        f"{name}: {what}": [run[what] for run in values]
        for name, values in taken.items()
        for what in values[0]
    }
    turns = list(zip(*taken.values(), strict=True))
    lost = [sum(run["lost"] for run in turn) for turn in turns]
    other = [sum(run["other"] for run in turn) for turn in turns]
    slowest = [max(run["recovery s"] for run in turn) for turn in turns]
    kinds = {name: median([run["recovery s"] for run in it]) for name, it in taken.items()}
    peers = {name: f"{seconds:.1f} s" for name, seconds in kinds.items()}
    return [
        Figure(
            id="B8",
            title="jobs lost in faults (memory, hang, kill -9)",
            goal=at_most(0, "jobs"),
            turns=lost,
            counts=sum,
            runs=runs,
        ),
        Figure(
            id="B8",
            title="pictures that are other after a replay",
            goal=at_most(0, "pictures"),
            turns=other,
            counts=sum,
            runs=runs,
        ),
        Figure(
            id="B8",
            title="recovery: the longest silence after a fault, the slowest kind",
            goal=at_most(10, "s"),
            turns=slowest,
            peers=peers
            | {
                "a hang is noticed after": f"{HANG_TIMEOUT_S:g} s here",
                "engines are replaced by": "forks of a template",
            },
            runs=runs,
        ),
    ]


def cancel_held(late: Sequence[float]) -> Figure:
    """Hold cancelling against its goal."""
    return Figure(
        id="B8",
        title="steps that a request takes after it is cancelled",
        goal=at_most(1, "step"),
        turns=late,
        counts=max,
    )
