"""G2: sixteen members and a turbo model, against a thread, a compiled pipeline, a static batch."""

import asyncio
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from benchmarks.contenders import ours
from benchmarks.figures import Effort, Figure, alternating, median, ratios
from benchmarks.gpu.goals import COMPILED, STATIC, THREAD
from benchmarks.gpu.shapes import REAL, Setup, save_turbo
from benchmarks.gpu.turbo import MEMBERS, STEPS, Engine, held, loaded, pixels, raw, wishes
from benchmarks.load import Contender, closed_loop
from benchmarks.peers.thread import ThreadAndLock, load
from generation.imaging import to_pixels, to_tensor
from generation.pipelines.img2img import Img2ImgPipeline

RATE = "pictures a second"
OURS, IN_A_THREAD, WHOLE, IDEAL = "ours", "a thread", "compiled, batch 1", "static batch of 16"


def measure(effort: Effort, *, setup: Setup = REAL) -> Sequence[Figure]:
    """Measure all four in turn."""
    return asyncio.run(_measure(effort, setup))


async def _measure(effort: Effort, setup: Setup) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = save_turbo(setup, Path(folder))
        thread = threaded(checkpoint, setup=setup)
        compiled = threaded(checkpoint, setup=setup, compiled=True)
        static = StaticBatch(loaded(setup, folder), setup=setup)
        async with ours(setup.engine(folder), max_rows=2 * MEMBERS) as executor:
            engine = Engine(executor)

            async def rate(contender: Contender, turn: int) -> Mapping[str, float]:
                found, _ = await closed_loop(
                    contender,
                    clients=MEMBERS,
                    seconds=effort.seconds,
                    seed=turn,
                    drawn=lambda seed: wishes(seed, setup=setup),
                )
                return {RATE: found}

            async def ideal(_: int) -> Mapping[str, float]:
                return {RATE: await asyncio.to_thread(static.rate)}

            for contender in (thread, compiled, engine):
                await rate(contender, 0)
            static.rate()
            taken = await alternating(
                {
                    IN_A_THREAD: lambda turn: rate(thread, turn),
                    WHOLE: lambda turn: rate(compiled, turn),
                    IDEAL: ideal,
                    OURS: lambda turn: rate(engine, turn),
                },
                rounds=effort.rounds,
            )
    return compared({name: values[RATE] for name, values in taken.items()})


def threaded(checkpoint: Path, *, setup: Setup, compiled: bool = False) -> ThreadAndLock:
    """Return diffusers' pipeline behind a lock, its networks compiled where there is a GPU."""
    pipeline = load(checkpoint, device=setup.device, dtype=setup.torch_dtype)
    if compiled and setup.device == "cuda":
        compile_: Any = torch.compile
        pipeline.unet = compile_(pipeline.unet, mode="max-autotune", fullgraph=True)
        pipeline.vae.decode = compile_(pipeline.vae.decode, mode="max-autotune")
        pipeline.vae.encode = compile_(pipeline.vae.encode, mode="max-autotune")
    return ThreadAndLock(pipeline, decode=pixels, finish=raw)


class StaticBatch:
    """What the networks alone could do: full batches of equal steps, nobody waited for."""

    def __init__(self, pipeline: Img2ImgPipeline, *, setup: Setup) -> None:
        self._model, self._setup = pipeline.checkpoint, setup
        self._jobs = list(islice(wishes(0, setup=setup), MEMBERS))

    @torch.no_grad()
    def rate(self) -> float:
        """Return pictures a second over batches of one to four steps."""
        self._setup.settle()
        started = time.perf_counter()
        for steps in STEPS:
            self._batch(steps)
        self._setup.settle()
        return MEMBERS * len(STEPS) / (time.perf_counter() - started)

    def _batch(self, steps: int) -> None:
        model = self._model
        seen = [to_tensor(pixels(job.png), device=model.device) for job in self._jobs]
        words = torch.cat([model.embed(job.prompt).words for job in self._jobs])
        latents = model.scaled(model.encode(torch.cat(seen)))
        for step in range(steps):
            times = torch.full((MEMBERS,), 999.0 - step, device=model.device)
            noisy = latents.to(model.dtype)
            noise_pred = model.denoiser(noisy, times, encoder_hidden_states=words).sample
            latents = latents - 0.1 * noise_pred.float()
        decoded = model.decode(model.unscaled(latents))
        for picture in decoded:
            to_pixels(picture[None])


def compared(runs: Mapping[str, list[float]]) -> list[Figure]:
    """Hold the rates against the goals."""
    peers = {name: f"{median(values):.1f}/s" for name, values in runs.items()}
    return [
        held(aim, ratios(runs[OURS], runs[peer]), peers=peers, runs=runs)
        for aim, peer in ((THREAD, IN_A_THREAD), (COMPILED, WHOLE), (STATIC, IDEAL))
    ]
