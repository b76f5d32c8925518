"""G4: one picture of one step, from pixels to pixels inside an engine."""

import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from benchmarks.contenders import request_of
from benchmarks.figures import Effort, Figure, median
from benchmarks.gpu.goals import TURBO
from benchmarks.gpu.shapes import REAL, Setup, save_turbo
from benchmarks.gpu.turbo import held, loaded, pixels, wishes
from benchmarks.jobs import Job
from generation.pipelines.img2img import Img2ImgPipeline

WARM = 16
PICTURES = 30


def measure(effort: Effort, *, setup: Setup = REAL) -> Sequence[Figure]:
    """Measure admission, the step and the end of a lone picture."""
    with tempfile.TemporaryDirectory() as folder:
        save_turbo(setup, Path(folder), quick=True)
        pipeline = loaded(setup, folder)
        wanted = wishes(0, setup=setup, steps=(1,))
        for job in islice(wanted, effort.jobs(WARM)):
            lone_ms(pipeline, job)
        turns = [
            median([lone_ms(pipeline, job) for job in islice(wanted, effort.jobs(PICTURES))])
            for _ in range(effort.rounds)
        ]
    return [held(TURBO, turns, peers={})]


def lone_ms(pipeline: Img2ImgPipeline, job: Job) -> float:
    """Return how long a picture takes; its pixels are in the host's memory in the end."""
    image = pixels(job.png)
    started = time.perf_counter()
    row = pipeline.admit(request_of(job, image=image))
    while row.step < row.total_steps:
        pipeline.advance([row])
    pipeline.retire(row)
    return (time.perf_counter() - started) * 1000
