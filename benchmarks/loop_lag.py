"""B5: how late the bot's loop is while pictures are made, in an engine or in a thread beside it.

A task wants to wake every 5 ms; its lag is how much later it does. The same nano UNet runs in
the executor's engine process, and, as the peer, in a thread of this process.
"""

import asyncio
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, alternate, median, percentile
from generation.executor.client import Executor, ExecutorConfig
from generation.pipelines.base import EngineConfig, Pipeline
from generation.registry import PipelineSpec, resolve
from generation.request import ImageRequest, Pixels

PERIOD_S = 0.005
LOOKS = 400
ENDLESS = 10**9

NANO = PipelineSpec(target="benchmarks.nano:NanoPipeline", model="nano", typical_device_ms=1000)

Work = Callable[[], AbstractAsyncContextManager[Any]]


def measure(*, rounds: int) -> Sequence[Figure]:
    """Measure the loop's lag idle, beside an engine, and beside a thread, in turn."""
    pipeline = resolve(NANO.target).load(model=NANO.model, config=EngineConfig(device="cpu"))
    with asyncio.Runner() as runner, tempfile.TemporaryDirectory() as folder:
        executor = Executor(
            ExecutorConfig(
                engine=EngineConfig(device="cpu"), data_dir=Path(folder), pipelines={"nano": NANO}
            )
        )
        runner.run(executor.start())
        works: tuple[Work, ...] = (
            nullcontext,
            lambda: engine_at_work(executor),
            lambda: thread_at_work(pipeline),
        )
        try:
            idle, engine, thread = alternate(
                [lambda work=work: runner.run(lag_ms(work)) for work in works],  # type: ignore[misc]
                rounds=rounds,
            )
        finally:
            runner.run(executor.close())
    return (figure(idle, engine, thread),)


def figure(idle: Sequence[float], engine: Sequence[float], thread: Sequence[float]) -> Figure:
    """Hold the runs against the goal."""
    against_idle = median(engine) / median(idle)
    against_thread = median(thread) / median(engine)
    return Figure(
        id="B5",
        title="loop lag (p99) while generating, against idle",
        goal="<= 2x idle, and 5x below a thread",
        value=against_idle,
        met=against_idle <= 2 and against_thread >= 5,
        peers={
            "idle": f"{median(idle):.2f} ms",
            "engine process": f"{median(engine):.2f} ms",
            "thread in this process": f"{median(thread):.2f} ms ({against_thread:.1f}x)",
        },
        runs=tuple(busy / rest for busy, rest in zip(engine, idle, strict=True)),
    )


async def lag_ms(work: Work) -> float:
    """Return the 99th percentile of the loop's lag while some work goes on."""
    lags: list[float] = []
    async with work():
        for _ in range(LOOKS):
            started = time.perf_counter()
            await asyncio.sleep(PERIOD_S)
            lags.append((time.perf_counter() - started - PERIOD_S) * 1000)
    return percentile(lags, 0.99)


_numbers = count()


def endless_request() -> ImageRequest:
    """Return a request that goes on until it is cancelled."""
    return ImageRequest(
        job_id=f"job {next(_numbers)}",
        pipeline="nano",
        image=Pixels(width=8, height=8, data=bytes(8 * 8 * 3)),
        num_inference_steps=ENDLESS,
    )


@asynccontextmanager
async def engine_at_work(executor: Executor) -> AsyncIterator[None]:
    """Have the engine make a picture."""
    ticket = executor.submit(endless_request())
    async for progress in ticket.events():
        if progress.step:
            break
    yield
    ticket.cancel()


@asynccontextmanager
async def thread_at_work(pipeline: Pipeline[Any]) -> AsyncIterator[None]:
    """Have a thread of this process make a picture."""
    stop = threading.Event()

    def make() -> None:
        row = pipeline.admit(endless_request())
        while not stop.is_set():
            pipeline.advance([row])

    thread = threading.Thread(target=make)
    thread.start()
    yield
    stop.set()
    thread.join()
