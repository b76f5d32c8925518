"""What members ask of a turbo model, and who makes it; pixels in and pixels out for everyone."""

import random
from collections.abc import Iterator
from functools import cache
from itertools import count
from pathlib import Path

from PIL import Image

from benchmarks.checkpoint import NAME
from benchmarks.contenders import Ours, request_of
from benchmarks.figures import Figure, Runs
from benchmarks.gpu.goals import Aim
from benchmarks.gpu.shapes import Setup
from benchmarks.jobs import WORDS, Job, picture
from generation.encoding import decode_png
from generation.pipelines.img2img import Img2ImgPipeline
from generation.request import Pixels

STEPS = (1, 2, 3, 4)
PICTURES = 16
MEMBERS = 16

_numbers = count(1)


def wishes(seed: int, *, setup: Setup, steps: tuple[int, ...] = STEPS) -> Iterator[Job]:
    """Draw jobs without end, each with words of its own."""
    rng = random.Random(seed)
    while True:
        yield Job(
            job_id=f"turbo {next(_numbers)}",
            png=drawn(rng.randrange(PICTURES), setup.side),
            prompt=" ".join(rng.choices(WORDS, k=6)),
            steps=rng.choice(steps),
            seed=rng.randrange(2**32),
        )


@cache
def drawn(number: int, side: int) -> bytes:
    """Return one of a few pictures: making them takes longer than changing them."""
    return picture(number, side=side)


@cache
def pixels(png: bytes) -> Pixels:
    """Return a picture's pixels: nobody's decoding is measured here."""
    return decode_png(png)


def raw(image: Image.Image) -> bytes:
    """Return a result's pixels: nobody's encoding is measured here."""
    return image.tobytes()


class Engine:
    """The executor, from pixels to pixels."""

    def __init__(self, executor: Ours) -> None:
        self._executor = executor.executor

    async def make(self, job: Job) -> bytes:
        """Run a job."""
        request = request_of(job, image=pixels(job.png))
        return (await self._executor.submit(request).result()).image.data


def loaded(setup: Setup, models_dir: str | Path) -> Img2ImgPipeline:
    """Load the checkpoint into this process, as an engine would."""
    return Img2ImgPipeline.load(model=NAME, config=setup.engine(models_dir))


def held(
    aim: Aim, turns: list[float], *, peers: dict[str, str], runs: Runs | None = None
) -> Figure:
    """Hold the turns' median against an aim."""
    return Figure(
        id=aim.id,
        title=aim.title,
        goal=aim.goal,
        turns=turns,
        peers=peers,
        runs=runs or {},
    )
