"""What is measured: the executor, with the codec processes that decode and encode for it."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.checkpoint import NAME, NANO
from benchmarks.jobs import Job
from generation.codecs import CodecPool
from generation.executor.client import Executor, ExecutorConfig
from generation.pipelines.base import EngineConfig
from generation.request import ImageRequest, Pixels, Result

CAPACITY = 8
PICTURES = 4
MAX_BYTES = 10**7


class Ours:
    """The executor, and the pool that decodes and encodes for it."""

    def __init__(self, executor: Executor, codecs: CodecPool) -> None:
        self.executor = executor
        self._codecs = codecs

    async def make(self, job: Job) -> bytes:
        """Decode, run and encode, each in its own process."""
        result = await self.run(job)
        encoded = await self._codecs.encode(
            result.image, max_bytes=MAX_BYTES, metadata={}, image_format="png"
        )
        return encoded.data

    async def run(self, job: Job) -> Result:
        """Decode and run; who stops waiting stops the request."""
        image = await self._codecs.decode(job.png)
        ticket = self.executor.submit(request_of(job, image=image))
        try:
            return await ticket.result()
        finally:
            ticket.cancel()


def request_of(job: Job, *, image: Pixels, **changes: Any) -> ImageRequest:  # noqa: ANN401
    """Return a job as the executor takes it."""
    request = ImageRequest(
        job_id=job.job_id,
        pipeline=NAME,
        image=image,
        prompt=job.prompt,
        strength=1.0,
        guidance_scale=1.0,
        num_inference_steps=job.steps,
        seed=job.seed,
        previews=False,
        member=job.member,
    )
    return replace(request, **changes)


def batching(models_dir: str | Path, *, exact: bool = False) -> EngineConfig:
    """Return an engine whose calls hold up to eight requests' rows.

    Pictures are encoded and decoded by fours, except in exact mode, where a lone one would be
    padded to four.
    """
    return EngineConfig(
        device="cpu",
        models_dir=Path(models_dir),
        exact=exact,
        batch_rows=CAPACITY,
        vae_rows=1 if exact else PICTURES,
    )


@asynccontextmanager
async def ours(engine: EngineConfig, **changes: Any) -> AsyncIterator[Ours]:  # noqa: ANN401
    """Start the executor and its codec pool, both at the peers' priority.

    A template, which is for faults alone, does not do its imports beside what is measured.
    """
    with tempfile.TemporaryDirectory() as folder:
        values: dict[str, Any] = {
            "engine": engine,
            "data_dir": Path(folder),
            "pipelines": {NAME: NANO},
            "preload": (NAME,),
            "nice": 0,
            "template_after_s": None,
            "max_rows": CAPACITY + 1,
            **changes,
        }
        executor = Executor(ExecutorConfig(**values))
        await executor.start()
        try:
            async with CodecPool(nice=values["nice"]) as codecs:
                yield Ours(executor, codecs)
        finally:
            await executor.close()
