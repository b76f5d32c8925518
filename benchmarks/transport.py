"""B4: how long an empty job takes, and what carrying a 1024 px picture to the engine costs.

Transport is half of what a round trip with the picture takes longer than one with next to none.
The peers send the same picture through a ``multiprocessing`` pipe to a process that returns it:
as float32 (what bots that hand tensors over do) and as 8-bit pixels. The engine runs at the
peers' priority here, not below it.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import Effort, Figure, alternate, at_least, at_most, median, ratios
from generation.executor.client import Executor, ExecutorConfig
from generation.pipelines.base import EngineConfig
from generation.registry import PipelineSpec
from generation.request import ImageRequest, Pixels

SIDE = 1024
JOBS = 40

ECHO = PipelineSpec(target="benchmarks.echo:EchoPipeline", model="echo", typical_device_ms=1)


def measure(effort: Effort) -> Sequence[Figure]:
    """Measure the executor beside two pipes, in turn; many turns, as each is short."""
    with asyncio.Runner() as runner, tempfile.TemporaryDirectory() as folder, echo_process() as end:
        executor = Executor(
            ExecutorConfig(
                engine=EngineConfig(device="cpu"),
                data_dir=Path(folder),
                pipelines={"echo": ECHO},
                nice=0,
                template_after_s=None,
            )
        )
        runner.run(executor.start())
        try:
            runs = alternate(
                (
                    lambda: runner.run(round_trip_ms(executor, side=8)),
                    lambda: runner.run(round_trip_ms(executor, side=SIDE)),
                    lambda: transport_ms(end, dtype="float32"),
                    lambda: transport_ms(end, dtype="uint8"),
                ),
                rounds=3 * effort.rounds,
            )
        finally:
            runner.run(executor.close())
    return figures(*runs)


def figures(
    empty: Sequence[float], full: Sequence[float], floats: Sequence[float], bytes_: Sequence[float]
) -> Sequence[Figure]:
    """Hold the runs against the goals."""
    ours = tuple(max(0.0, large - small) / 2 for small, large in zip(empty, full, strict=True))
    gains = ratios(floats, ours)
    peers = {
        "float32 through a pipe": f"{median(floats):.1f} ms",
        "8-bit pixels through a pipe": f"{median(bytes_):.1f} ms",
        "ours": f"{median(ours):.2f} ms",
    }
    runs = {"ours": ours, "float32": floats, "8-bit": bytes_}
    return (
        Figure(
            id="B4",
            title="empty job, round trip",
            goal=at_most(1, "ms"),
            turns=empty,
        ),
        Figure(
            id="B4",
            title="transport of a 1024 px picture",
            goal=at_most(0.5, "ms"),
            turns=ours,
            peers=peers,
            runs=runs,
        ),
        Figure(
            id="B4",
            title="the same, against pickled float32",
            goal=at_least(10, "x below"),
            turns=gains,
            peers=peers,
            runs=runs,
        ),
    )


_numbers = count()


async def round_trip_ms(executor: Executor, *, side: int) -> float:
    """Return the median time from submitting a job that does nothing to its result."""
    image = Pixels(width=side, height=side, data=bytes(side * side * 3))
    taken: list[float] = []
    for _ in range(JOBS):
        request = ImageRequest(job_id=f"job {next(_numbers)}", pipeline="echo", image=image)
        started = time.perf_counter()
        await executor.submit(request).result()
        taken.append((time.perf_counter() - started) * 1000)
    return median(taken)


def transport_ms(end: "Connection[Any, Any]", *, dtype: str) -> float:
    """Return what a pipe takes for the picture one way, by the same difference."""
    picture, nothing = (np.zeros((side, side, 3), dtype=dtype) for side in (SIDE, 8))

    def there_and_back(array: "np.ndarray[Any, Any]") -> Callable[[], float]:
        def once() -> float:
            started = time.perf_counter()
            end.send(array)
            end.recv()
            return (time.perf_counter() - started) * 1000

        return once

    large, small = alternate((there_and_back(picture), there_and_back(nothing)), rounds=JOBS // 4)
    return (median(large) - median(small)) / 2


def echo(end: "Connection[Any, Any]") -> None:
    """Send back what comes, until the other end is closed."""
    try:
        while True:
            end.send(end.recv())
    except EOFError:
        return


@contextmanager
def echo_process() -> Iterator["Connection[Any, Any]"]:
    """Start the peers' process and yield the pipe to it."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=echo, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        process.join()
