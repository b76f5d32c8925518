"""Ray Serve with ``@serve.batch``: requests that wait together run together.

One replica with one thread of torch, called by its handle (no HTTP). A batch is cut into groups of
equal step counts, each one call of diffusers' pipeline: padding all to the longest would be slower
and give other pictures. The batch runs in a thread, so that the replica takes requests meanwhile.
"""

import asyncio
import logging
import os
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.jobs import Job

MAX_ONGOING = 1000
SILENT = {"log_level": "ERROR", "enable_access_log": False}

# Ray reads these when it is first imported: bind to loopback, send no statistics, keep quiet.
QUIET = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_SERVE_LOG_TO_STDERR": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How Serve batches: at most so many, waiting for more at most so long."""

    max_batch_size: int
    wait_ms: int

    def __str__(self) -> str:
        return f"max_batch_size {self.max_batch_size}, wait {self.wait_ms} ms"


SWEEP = tuple(
    Setting(max_batch_size=size, wait_ms=wait) for size in (4, 8, 16) for wait in (0, 5, 20)
)


class Replica:
    """The deployment's class."""

    def __init__(self, folder: str) -> None:
        import torch

        from benchmarks.peers.thread import load

        torch.set_num_threads(1)
        self._pipeline = load(Path(folder))

    async def set(self, setting: Setting) -> None:
        """Take another setting."""
        batched: Any = self.batched
        batched.set_max_batch_size(setting.max_batch_size)
        batched.set_batch_wait_timeout_s(setting.wait_ms / 1000)

    async def batched(self, jobs: list[Job]) -> list[bytes]:
        """Make the pictures of a batch; Serve wraps this method."""
        return await asyncio.to_thread(self._run, jobs)

    async def __call__(self, job: Job) -> bytes:
        """Make one picture, with whoever else waits."""
        batched: Any = self.batched
        png: bytes = await batched(job)
        return png

    def _run(self, jobs: list[Job]) -> list[bytes]:
        from benchmarks.peers.thread import run

        groups: dict[int, list[Job]] = defaultdict(list)
        for job in jobs:
            groups[job.steps].append(job)
        made: dict[str, bytes] = {}
        for group in groups.values():
            pictures = run(self._pipeline, group)
            made.update((job.job_id, png) for job, png in zip(group, pictures, strict=True))
        return [made[job.job_id] for job in jobs]


class Serve:
    """The application as a contender.

    Args:
        handle: of the running application.
    """

    def __init__(self, handle: Any) -> None:  # noqa: ANN401 - Ray's, without a type
        self._handle = handle

    async def set(self, setting: Setting) -> None:
        """Batch otherwise from now on."""
        await self._handle.set.remote(setting)

    async def make(self, job: Job) -> bytes:
        """Ask the replica by its handle."""
        png: bytes = await self._handle.remote(job)
        return png


@asynccontextmanager
async def serve_running(folder: Path) -> AsyncIterator[Serve]:
    """Start Ray on this machine alone, and Serve in it."""
    os.environ.update(QUIET)
    import ray

    await asyncio.to_thread(
        ray.init,
        address="local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )

    serve: Any = import_module("ray.serve")
    logging.getLogger("ray.serve").setLevel(logging.ERROR)

    class Batched(Replica):
        batched: Any = serve.batch(Replica.batched)

    deployment = serve.deployment(Batched).options(
        name="Batched", num_replicas=1, max_ongoing_requests=MAX_ONGOING, logging_config=SILENT
    )
    try:
        await asyncio.to_thread(serve.start, proxy_location="Disabled", logging_config=SILENT)
        handle = await asyncio.to_thread(
            serve.run, deployment.bind(str(folder)), name="suite", route_prefix=None
        )
        yield Serve(handle)
    finally:
        await asyncio.to_thread(ray.shutdown)
