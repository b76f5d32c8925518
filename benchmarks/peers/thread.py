"""What bots do: a diffusers pipeline in a thread of the bot's process, behind a lock."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from benchmarks.checkpoint import quiet, real
from benchmarks.jobs import Job
from generation.encoding import decode_png
from generation.imaging import to_pil
from generation.png import encode_png
from generation.request import Pixels


def load(folder: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Any:  # noqa: ANN401
    """Load diffusers' own pipeline."""
    quiet()
    pipeline = real.StableDiffusionImg2ImgPipeline.from_pretrained(
        folder, local_files_only=True, safety_checker=None, dtype=dtype
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)


def run(
    pipeline: Any,  # noqa: ANN401
    jobs: list[Job],
    *,
    decode: Callable[[bytes], Pixels] = decode_png,
    finish: Callable[[Image.Image], bytes] = encode_png,
) -> list[bytes]:
    """Make the pictures of jobs with as many steps in one call, with our own PNG codec."""
    images = pipeline(
        prompt=[job.prompt for job in jobs],
        image=[to_pil(decode(job.png)) for job in jobs],
        strength=1.0,
        guidance_scale=1.0,
        num_inference_steps=jobs[0].steps,
        generator=[torch.Generator("cpu").manual_seed(job.seed) for job in jobs],
    ).images
    return [finish(image) for image in images]


class ThreadAndLock:
    """One picture at a time, whoever asks first."""

    def __init__(
        self,
        pipeline: Any,  # noqa: ANN401
        *,
        decode: Callable[[bytes], Pixels] = decode_png,
        finish: Callable[[Image.Image], bytes] = encode_png,
    ) -> None:
        torch.set_num_threads(1)
        self._run = partial(run, pipeline, decode=decode, finish=finish)
        self._lock = asyncio.Lock()

    async def make(self, job: Job) -> bytes:
        """Wait for the lock, then make the picture in a thread."""
        async with self._lock:
            (png,) = await asyncio.to_thread(self._run, [job])
        return png
