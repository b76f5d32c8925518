"""B6: a phone photograph in, against the plain way to do it, and what PNG files cost going out."""

import asyncio
import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from benchmarks.checkpoint import save_nano
from benchmarks.contenders import Ours, batching, ours
from benchmarks.figures import (
    Effort,
    Figure,
    alternate,
    alternating,
    at_least,
    median,
    ratios,
)
from benchmarks.jobs import Job, job
from benchmarks.load import Contender, all_at_once
from generation.codecs import IntakePool

SIDE = 512
RATE = "pictures a second"
CROWD, STEPS = 40, (8,)


class Bare:
    """The executor without the encoding of results."""

    def __init__(self, executor: Ours) -> None:
        self._executor = executor

    async def make(self, job: Job) -> bytes:
        """Return the pixels as they are."""
        return (await self._executor.run(job)).image.data


def phone_photograph() -> bytes:
    """Return a JPEG of 12 megapixels with detail at every scale, turned as phones turn theirs."""
    rng = np.random.default_rng(0)
    picture = np.zeros((3024, 4032, 3), np.float32)
    for scale in (8, 32, 128, 512):
        layer = rng.random((3024 // scale + 2, 4032 // scale + 2, 3), np.float32) * 255
        grown = Image.fromarray(layer.astype(np.uint8)).resize(
            (4032, 3024), Image.Resampling.BICUBIC
        )
        picture += np.asarray(grown, np.float32) / 4
    exif = Image.Exif()
    exif[0x0112] = 6
    out = BytesIO()
    Image.fromarray(picture.astype(np.uint8)).save(out, "JPEG", quality=90, exif=exif)
    return out.getvalue()


def naive(photograph: bytes) -> bytes:
    """Decode everything, then turn, resize and keep: what a bot's first version does."""
    image = ImageOps.exif_transpose(Image.open(BytesIO(photograph))).convert("RGB")
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    kept = BytesIO()
    image.save(kept, "PNG")
    return kept.getvalue()


def seconds(work: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


async def prepared_in_s(pool: IntakePool, photograph: bytes) -> float:
    """Return how long the intake takes; ``asyncio.run`` itself writes out what a task returns."""
    start = time.perf_counter()
    await pool.prepare(photograph)
    return time.perf_counter() - start


def measure(effort: Effort) -> Sequence[Figure]:
    """Measure what comes in and what goes out."""
    return [photograph_in(effort), asyncio.run(png_out(effort))]


def photograph_in(effort: Effort) -> Figure:
    """Compare intake, with the way to its child and back, with plain decoding in this process.

    Both end with a PNG to keep. The turns are many: each is short, and the cores of a shared
    machine change their pace, each by itself, for a second at a time.
    """
    photograph = phone_photograph()
    with asyncio.Runner() as runner:
        pool = IntakePool(max_side=SIDE)
        runner.run(pool.start())
        try:
            runner.run(prepared_in_s(pool, photograph))
            plain, ours_ = alternate(
                [
                    lambda: seconds(lambda: naive(photograph)),
                    lambda: runner.run(prepared_in_s(pool, photograph)),
                ],
                rounds=5 * effort.rounds,
            )
        finally:
            runner.run(pool.close())
    gains = ratios(plain, ours_)
    return Figure(
        id="B6",
        title="12 MP phone JPEG to 512 px",
        goal=at_least(5, "x faster than decoding it whole"),
        turns=gains,
        peers={
            "decode, turn, thumbnail, PNG (Pillow)": f"{median(plain) * 1000:.0f} ms",
            "ours, with checks, sRGB and a limited child": f"{median(ours_) * 1000:.0f} ms",
        },
        runs={"plain s": plain, "ours s": ours_},
    )


async def png_out(effort: Effort) -> Figure:
    """Compare how fast a crowd's jobs are done with PNG files and with bare pixels.

    All jobs have as many steps, and none comes twice: the engine would know the words of one that
    does. The turns are many and short, as coming in.
    """
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        save_nano(Path(folder))
        async with ours(batching(folder)) as executor:

            async def rate(contender: Contender) -> Mapping[str, float]:
                wanted = [job(rng, steps=STEPS) for _ in range(effort.jobs(CROWD))]
                start = time.perf_counter()
                await all_at_once(contender, wanted)
                return {RATE: len(wanted) / (time.perf_counter() - start)}

            await rate(executor)
            taken = await alternating(
                {
                    "PNG": lambda _: rate(executor),
                    "pixels": lambda _: rate(Bare(executor)),
                },
                rounds=5 * effort.rounds,
            )
    png, pixels = taken["PNG"][RATE], taken["pixels"][RATE]
    shares = ratios(png, pixels)
    return Figure(
        id="B6",
        title="throughput with PNG files, against bare pixels",
        goal=at_least(0.95, "x"),
        turns=shares,
        peers={"PNG": f"{median(png):.1f}/s", "pixels": f"{median(pixels):.1f}/s"},
        runs={"PNG": png, "pixels": pixels},
    )
