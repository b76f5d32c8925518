"""G1: how much of the device the denoiser and the codec use by themselves."""

import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.contenders import request_of
from benchmarks.figures import Effort, Figure, median
from benchmarks.gpu.goals import DECODE, UNET
from benchmarks.gpu.shapes import REAL, Setup, save_turbo
from benchmarks.gpu.turbo import held, loaded, pixels, wishes
from generation.pipelines.img2img import Img2ImgPipeline

PEAK_FLOPS = 790e12
CALL_ROWS = 8
WARM = 16
CALLS = 20
LONG = 150


def measure(effort: Effort, *, setup: Setup = REAL) -> Sequence[Figure]:
    """Measure the denoiser's call of eight rows, and decoding at 1024 px."""
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        save_turbo(setup, Path(folder))
        pipeline = loaded(setup, folder)
        step, flops = stepping(pipeline, setup=setup)
        decode = decoding(pipeline, side=2 * setup.side)
        calls = effort.jobs(CALLS)
        steps = [seconds_of(step, calls=calls, setup=setup) for _ in range(effort.rounds)]
        decodes = [seconds_of(decode, calls=calls, setup=setup) for _ in range(effort.rounds)]
    used = [100 * flops / taken / PEAK_FLOPS for taken in steps]
    peers = {
        "a step": f"{1000 * median(steps):.2f} ms",
        "its arithmetic": f"{flops / 1e12:.3g} TFLOP",
    }
    return [
        held(UNET, used, peers=peers, runs={"step s": steps}),
        held(DECODE, [1000 * taken for taken in decodes], peers={}),
    ]


def stepping(pipeline: Img2ImgPipeline, *, setup: Setup) -> tuple[Callable[[], object], int]:
    """Return a step of eight rows, and how many operations it has."""
    wanted = islice(wishes(0, setup=setup, steps=(LONG,)), CALL_ROWS)
    rows = [pipeline.admit(request_of(job, image=pixels(job.png))) for job in wanted]
    with FlopCounterMode(display=False) as counter:
        pipeline.advance(rows)
    starts = [row.denoisings[0] for row in rows]

    def step() -> None:
        for start in starts:
            start.step = 0
        pipeline.advance(rows)

    return step, counter.get_total_flops()


def decoding(pipeline: Img2ImgPipeline, *, side: int) -> Callable[[], object]:
    """Return the decoding of one picture of a side."""
    checkpoint = pipeline.checkpoint
    latent = side // checkpoint.vae_factor
    latents = torch.randn(1, 4, latent, latent, device=checkpoint.device)
    return lambda: checkpoint.decode(latents)


def seconds_of(work: Callable[[], object], *, calls: int, setup: Setup) -> float:
    """Return how long a call takes once it is warm, the device waited for."""
    for _ in range(min(WARM, calls)):
        work()
    setup.settle()
    started = time.perf_counter()
    for _ in range(calls):
        work()
    setup.settle()
    return (time.perf_counter() - started) / calls
