"""StreamDiffusion's loop (Kodaira et al., 2023), written anew for the comparison.

Stream batch: a call of the denoiser holds one frame at every step of the schedule; each call moves
all of them a step on, takes a new frame in and gives a finished one out. Between steps a frame is
taken to its estimate without noise and noised again for the next step, as consistency models do.

Differs from the package: no frame is skipped for its likeness to the one before, nothing is
compiled, and there is no guidance to approximate (residual guidance), because a turbo model takes
none. The networks, their numbers and their layout are those of the engine.
"""

import asyncio
from collections import deque
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.gpu.turbo import pixels
from benchmarks.jobs import Job
from generation.checkpoints import Checkpoint
from generation.imaging import to_pixels, to_tensor

TIMES = 1000
# A stream that has brought no frame for so long has ended, and is pushed through.
END_S = 0.3


class StreamLoop:
    """The loop's state: one frame at every stage.

    Args:
        steps: of every picture, and so stages of the batch.
    """

    def __init__(self, checkpoint: Checkpoint, *, steps: int) -> None:
        self._model, self.steps = checkpoint, steps
        at = torch.arange(steps, 0, -1, device=checkpoint.device) * TIMES // steps - 1
        kept = checkpoint.scheduler.alphas_cumprod.to(checkpoint.device)[at].view(-1, 1, 1, 1)
        self._times, self._signal, self._noise = at, kept.sqrt(), (1 - kept).sqrt()
        self._words: Tensor | None = None
        self._stages: Tensor | None = None

    @torch.no_grad()
    def tell(self, prompt: str) -> None:
        """Set the prompt of all frames."""
        words = self._model.embed(prompt).words
        self._words = words.expand(self.steps, -1, -1)

    @torch.no_grad()
    def push(self, frame: Tensor) -> Tensor:
        """Take a frame in and give out the one that came ``steps - 1`` calls ago.

        Shape:
            - frame: ``(1, 3, H, W)`` in [0, 1]; returns likewise.
        """
        model = self._model
        latents = model.scaled(model.encode(frame))
        fresh = self._signal[:1] * latents + self._noise[:1] * torch.randn_like(latents)
        behind = fresh.expand(self.steps, -1, -1, -1) if self._stages is None else self._stages
        batch = torch.cat([fresh, behind[: self.steps - 1]])
        noise_pred = model.denoiser(
            batch.to(model.dtype), self._times, encoder_hidden_states=self._words
        ).sample
        clean = (batch - self._noise * noise_pred.float()) / self._signal
        noised = self._signal[1:] * clean[:-1] + self._noise[1:] * torch.randn_like(clean[1:])
        self._stages = noised
        return model.decode(model.unscaled(clean[-1:]))

    def picture(self, job: Job) -> Tensor:
        """Return a job's picture as a frame."""
        return to_tensor(pixels(job.png), device=self._model.device)


class _OneAtATime:
    """A loop in a thread, behind a lock."""

    def __init__(self, loop: StreamLoop) -> None:
        self._loop = loop
        self._lock = asyncio.Lock()

    async def _alone(self, work: Callable[[Job], bytes], job: Job) -> bytes:
        async with self._lock:
            return await asyncio.to_thread(work, job)


class Frames(_OneAtATime):
    """A stream: every job is the next frame, whatever its words."""

    def __init__(self, loop: StreamLoop) -> None:
        super().__init__(loop)
        self._under_way: deque[asyncio.Future[bytes]] = deque()
        self._pushed = 0
        loop.tell("night")

    async def make(self, job: Job) -> bytes:
        """Push a frame, and wait until it comes out or the stream has ended."""
        mine: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._under_way.append(mine)
        await self._next(job)
        while not mine.done():
            await asyncio.wait([mine], timeout=END_S)
            if not mine.done() and not self._lock.locked():
                await self._next(job)
        return mine.result()

    async def _next(self, job: Job) -> None:
        out = await self._alone(self._push, job)
        self._pushed += 1
        if self._pushed >= self._loop.steps and self._under_way:
            self._under_way.popleft().set_result(out)

    def _push(self, job: Job) -> bytes:
        return to_pixels(self._loop.push(self._loop.picture(job))).data


class Members(_OneAtATime):
    """Members with prompts of their own: each picture goes through all stages by itself."""

    async def make(self, job: Job) -> bytes:
        """Set the prompt, and push until the picture comes out."""
        return await self._alone(self._through, job)

    def _through(self, job: Job) -> bytes:
        self._loop.tell(job.prompt)
        frame = self._loop.picture(job)
        for _ in range(self._loop.steps):
            out = self._loop.push(frame)
        return to_pixels(out).data
