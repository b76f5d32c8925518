"""B1: sharing calls does not change pictures, and the samplers are diffusers' own.

The same jobs run alone and beside random neighbours that come and go: at one fixed shape of the
call the bits are equal; across shapes they differ by rounding alone.
"""

import random
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.checkpoint import NAME, save_nano
from benchmarks.contenders import CAPACITY, batching, request_of
from benchmarks.figures import Effort, Figure, at_least, at_most, median
from benchmarks.jobs import Job, job
from benchmarks.peers.thread import load
from generation.encoding import decode_png
from generation.pipelines.base import EngineConfig
from generation.pipelines.img2img import Img2ImgPipeline, Img2ImgRow
from generation.pipelines.samplers import scheduler_like
from generation.request import Pixels

SAMPLERS = ("ddim", "euler", "euler_ancestral", "lcm", "dpmpp_2m")
JOBS = 24
STEPS = (2, 3, 5, 8)

Made = tuple[Tensor, Pixels]


def measure(effort: Effort) -> Sequence[Figure]:
    """Measure all three."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = save_nano(Path(folder))
        exact = loaded(batching(folder, exact=True))
        quick = loaded(batching(folder))
        jobs = effort.jobs(JOBS)
        return [
            *across_shapes(quick, rounds=effort.rounds, jobs=jobs),
            fixed_shape(exact, rounds=effort.rounds, jobs=jobs),
            samplers(quick, load(checkpoint), rounds=effort.rounds),
        ]


def loaded(config: EngineConfig) -> Img2ImgPipeline:
    """Load the nano checkpoint into this process."""
    return Img2ImgPipeline.load(model=NAME, config=config)


def alone(pipeline: Img2ImgPipeline, wanted: Job) -> Made:
    """Run a job by itself."""
    row = pipeline.admit(request_of(wanted, image=decode_png(wanted.png)))
    while row.step < row.total_steps:
        pipeline.advance([row])
    return latents_of(row), pipeline.retire(row).image


def crowded(pipeline: Img2ImgPipeline, wanted: Sequence[Job], *, seed: int) -> list[Made]:
    """Run jobs that come at random moments and share calls with whoever is there."""
    rng = random.Random(seed)
    waiting, made = list(enumerate(wanted)), dict[int, Made]()
    inside: dict[int, Img2ImgRow] = {}
    while waiting or inside:
        while waiting and len(inside) < CAPACITY and (not inside or rng.random() < 0.6):
            index, one = waiting.pop()
            inside[index] = pipeline.admit(request_of(one, image=decode_png(one.png)))
        chosen = rng.sample(sorted(inside), rng.randint(1, len(inside)))
        pipeline.advance([inside[index] for index in chosen])
        for index in chosen:
            if (row := inside[index]).step == row.total_steps:
                made[index] = (latents_of(row), pipeline.retire(row).image)
                del inside[index]
    return [made[index] for index in range(len(wanted))]


def latents_of(row: Img2ImgRow) -> Tensor:
    """Return a row's latents."""
    assert row.edit is not None
    return row.edit.latents


def drawn(jobs: int, *, seed: int) -> list[Job]:
    """Draw jobs."""
    rng = random.Random(seed)
    return [job(rng, steps=STEPS) for _ in range(jobs)]


def relative(found: Tensor, expected: Tensor) -> float:
    """Return the relative L2 distance."""
    return float((found - expected).norm() / expected.norm())


def levels(found: Pixels, expected: Pixels) -> int:
    """Return by how many of 255 levels two pictures differ at most."""
    one, other = (np.frombuffer(it.data, np.uint8).astype(int) for it in (found, expected))
    return int(np.abs(one - other).max())


def across_shapes(pipeline: Img2ImgPipeline, *, rounds: int, jobs: int) -> list[Figure]:
    """Compare calls of one row with calls of up to eight."""
    distances, steps = [], []
    for turn in range(rounds):
        wanted = drawn(jobs, seed=turn)
        lone = [alone(pipeline, one) for one in wanted]
        shared = crowded(pipeline, wanted, seed=turn)
        pairs = list(zip(shared, lone, strict=True))
        distances.append(max(relative(one[0], other[0]) for one, other in pairs))
        steps.append(float(max(levels(one[1], other[1]) for one, other in pairs)))
    return [
        Figure(
            id="B1",
            title="shared calls against lone ones, relative L2 of the latents",
            goal=at_most(1e-5),
            turns=distances,
            counts=max,
        ),
        Figure(
            id="B1",
            title="the same, levels of 255 in the picture",
            goal=at_most(1, "level"),
            turns=steps,
            counts=max,
        ),
    ]


def fixed_shape(pipeline: Img2ImgPipeline, *, rounds: int, jobs: int) -> Figure:
    """Count bit-equal pictures at one padded shape."""
    shares = []
    for turn in range(rounds):
        wanted = drawn(jobs, seed=turn)
        shared = crowded(pipeline, wanted, seed=turn)
        equal = [
            torch.equal(found[0], expected[0]) and found[1] == expected[1]
            for found, expected in zip(
                shared, (alone(pipeline, one) for one in wanted), strict=True
            )
        ]
        shares.append(100 * sum(equal) / len(equal))
    return Figure(
        id="B1",
        title="exact mode, random neighbours: bit-equal pictures",
        goal=at_least(100, "%"),
        turns=shares,
        counts=min,
    )


def samplers(pipeline: Img2ImgPipeline, theirs: Any, *, rounds: int) -> Figure:  # noqa: ANN401
    """Compare five samplers with diffusers' own pipeline, from the same latents and seeds."""
    worst: dict[str, list[float]] = {}
    for name in SAMPLERS:
        theirs.scheduler = scheduler_like(pipeline.checkpoint.scheduler, name)
        worst[name] = [
            max(sampler_distance(pipeline, theirs, one, name) for one in drawn(4, seed=turn))
            for turn in range(rounds)
        ]
    largest = [max(turn) for turn in zip(*worst.values(), strict=True)]
    return Figure(
        id="B1",
        title="five samplers against diffusers' pipeline, relative L2",
        goal=at_most(1e-5),
        turns=largest,
        counts=max,
        peers={name: f"{median(values):.1e}" for name, values in worst.items()},
        runs=worst,
    )


@torch.no_grad()
def sampler_distance(pipeline: Img2ImgPipeline, theirs: Any, one: Job, name: str) -> float:  # noqa: ANN401
    """Return how far a job's latents are from diffusers'."""
    fields: Mapping[str, Any] = {"scheduler": name}
    request = request_of(one, image=decode_png(one.png), **fields)
    row = pipeline.admit(request)
    latents = pipeline.checkpoint.encode(row.source) * theirs.vae.config.scaling_factor
    while row.step < row.total_steps:
        pipeline.advance([row])
    expected = theirs(
        prompt=one.prompt,
        image=latents,
        strength=1.0,
        guidance_scale=1.0,
        num_inference_steps=one.steps,
        generator=torch.Generator("cpu").manual_seed(one.seed),
        output_type="latent",
    ).images
    return relative(latents_of(row), expected)
