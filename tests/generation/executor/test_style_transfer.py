"""Style transfer by optimisation, inside an engine: shown as it forms, and cancelled in between."""

from pathlib import Path

import pytest

from generation.errors import JobCancelledError
from generation.pipelines.base import EngineConfig
from generation.registry import PIPELINES
from tests.generation.executor.conftest import Begin
from tests.generation.executor.requests import picture, request
from tests.generation.test_style_transfer import save_vgg19


@pytest.mark.slow
async def test_it_is_shown_as_it_forms_and_cancelled_between_two_evaluations(
    begin: Begin, tmp_path: Path
) -> None:
    save_vgg19(tmp_path / "models")
    executor = await begin(
        pipelines=PIPELINES,
        engine=EngineConfig(device="cpu", models_dir=tmp_path / "models"),
        max_wait_s=1e6,
        deadline_grace_s=10.0,
    )
    pictures = {"image": picture(width=64, height=48), "style_image": picture(seed=1)}
    endless = executor.submit(request("gatys", steps=1000, timeout_s=100.0, **pictures))
    step = 0
    async for progress in endless.events():
        step = progress.step
        if progress.preview is not None:
            assert (progress.preview.width, progress.preview.height) == (64, 48)
            break
    assert 0 < step < 1000
    endless.cancel()
    with pytest.raises(JobCancelledError):
        await endless.result()
    results = [
        await executor.submit(request("gatys", steps=3, seed=7, **pictures)).result()
        for _ in range(2)
    ]
    assert results[0].image == results[1].image
    assert [result.attempts for result in results] == [1, 1]
