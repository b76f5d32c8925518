"""Request batching as servers do it: the oldest request and whoever waits with as many steps."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from PIL import Image

from benchmarks.jobs import Job
from benchmarks.peers.thread import run
from generation.encoding import decode_png
from generation.png import encode_png
from generation.request import Pixels


class SameSteps:
    """One call of diffusers' pipeline at a time, in a thread.

    Args:
        most: requests of one call.
        decode, finish: how pictures come and go.
    """

    def __init__(
        self,
        pipeline: Any,  # noqa: ANN401 - diffusers carries no types
        *,
        most: int,
        decode: Callable[[bytes], Pixels] = decode_png,
        finish: Callable[[Image.Image], bytes] = encode_png,
    ) -> None:
        self._run = partial(run, pipeline, decode=decode, finish=finish)
        self._most = most
        self._waiting: list[tuple[Job, asyncio.Future[bytes]]] = []
        self._serving: asyncio.Task[None] | None = None

    async def make(self, job: Job) -> bytes:
        """Wait for a batch that has room, and for the picture."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append((job, answer))
        if self._serving is None or self._serving.done():
            self._serving = asyncio.create_task(self._serve())
        return await answer

    async def _serve(self) -> None:
        while self._waiting:
            steps = self._waiting[0][0].steps
            alike = [it for it in self._waiting if it[0].steps == steps][: self._most]
            self._waiting = [it for it in self._waiting if it not in alike]
            made = await asyncio.to_thread(self._run, [job for job, _ in alike])
            for (_, answer), picture in zip(alike, made, strict=True):
                if not answer.done():
                    answer.set_result(picture)
