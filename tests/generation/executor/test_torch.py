"""With torch inside the engine: the same bytes alone, in a crowd, and after a death."""

import os
import signal
from dataclasses import replace

import pytest

from generation.pipelines.base import EngineConfig
from generation.registry import PipelineSpec
from tests.generation.executor.conftest import Begin
from tests.generation.executor.requests import picture, request, until, until_step

SPEC = PipelineSpec(
    target="tests.generation.executor.torch_pipelines:ConvolutionPipeline",
    model="tiny",
    typical_device_ms=100,
)


def settings() -> dict[str, object]:
    return {
        "pipelines": {"torch": SPEC},
        "engine": EngineConfig(device="cpu", threads=1),
        "max_rows": 3,
    }


async def test_the_same_bytes_alone_and_in_a_crowd_with_the_threads_that_were_ordered(
    begin: Begin,
) -> None:
    executor = await begin(**settings())
    wanted = request("torch", steps=60, seed=3, image=picture(width=128, height=128))
    alone = await executor.submit(wanted).result()
    assert alone.parameters == (("threads", "1"),)
    crowd = [
        executor.submit(replace(wanted, job_id=f"seed {seed}", seed=seed)) for seed in (1, 3, 2)
    ]
    images = [(await ticket.result()).image for ticket in crowd]
    assert images[1] == alone.image
    assert len({image.data for image in images}) == 3


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
async def test_the_same_bytes_of_an_engine_that_was_forked(begin: Begin, threads: int) -> None:
    engine = EngineConfig(device="cpu", threads=threads)
    executor = await begin(**{**settings(), "engine": engine, "template_after_s": 0})
    wanted = request("torch", steps=100, seed=3, image=picture(width=128, height=128))
    alone = await executor.submit(wanted).result()
    await until(lambda: executor.stats().stations[0].template, timeout_s=60)
    for number in range(2):
        assert executor.engine_pid is not None
        os.kill(executor.engine_pid, signal.SIGKILL)
        again = await executor.submit(replace(wanted, job_id=f"again {number}")).result()
        assert (again.image, again.parameters) == (alone.image, alone.parameters)


@pytest.mark.slow
async def test_the_same_bytes_after_a_death(begin: Begin) -> None:
    executor = await begin(**settings())
    wanted = request("torch", steps=300, seed=3, image=picture(width=128, height=128))
    alone = await executor.submit(wanted).result()
    repeated = executor.submit(replace(wanted, job_id="repeated"))
    await until_step(repeated, 1)
    assert executor.engine_pid is not None
    os.kill(executor.engine_pid, signal.SIGKILL)
    result = await repeated.result()
    assert (result.attempts, result.image) == (2, alone.image)
