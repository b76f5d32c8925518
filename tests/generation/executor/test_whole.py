"""A checkpoint that runs whole, inside an engine: its steps are steps of the loop."""

from pathlib import Path

import pytest

from generation.errors import JobCancelledError
from generation.pipelines.base import EngineConfig
from generation.registry import PIPELINES
from tests.generation.checkpoints import save_sd3
from tests.generation.executor.conftest import Begin
from tests.generation.executor.requests import progress_of, request, until_step


@pytest.mark.slow
async def test_it_reports_steps_lets_others_in_between_and_is_cancelled(
    begin: Begin, tmp_path: Path
) -> None:
    folder = save_sd3(tmp_path / "models" / "three", scheduler="FlowMatchHeunDiscreteScheduler")
    (folder / "atelier.json").write_text('{"native_size": 48}')
    engine = EngineConfig(device="cpu", models_dir=tmp_path / "models")
    executor = await begin(
        pipelines=PIPELINES, engine=engine, max_rows=3, max_wait_s=1e6, deadline_grace_s=2.0
    )
    endless = executor.submit(
        request("remix", model="three", steps=20000, strength=1.0, timeout_s=100.0)
    )
    await until_step(endless, 2)
    wanted = request("remix", model="three", steps=8, strength=0.5, seed=3)
    short = executor.submit(wanted)
    steps = {(it.step, it.total_steps) for it in await progress_of(short)}
    assert {total for _, total in steps} <= {0, 4}
    image = (await short.result()).image
    endless.cancel()
    with pytest.raises(JobCancelledError):
        await endless.result()
    again = executor.submit(request("remix", model="three", steps=8, strength=0.5, seed=3))
    result = await again.result()
    assert (result.image, result.attempts) == (image, 1)
