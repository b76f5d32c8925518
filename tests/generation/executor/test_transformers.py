"""A transformer inside an engine: its requests share calls, and one is cancelled within a step."""

from pathlib import Path

import pytest

from generation.errors import JobCancelledError
from generation.pipelines.base import EngineConfig
from generation.registry import PIPELINES
from generation.request import Canvas
from tests.generation.checkpoints import save_flux
from tests.generation.executor.conftest import Begin
from tests.generation.executor.requests import preview_of, progress_of, request, until_step


@pytest.mark.slow
async def test_its_rows_share_calls_show_themselves_and_keep_their_bytes(
    begin: Begin, tmp_path: Path
) -> None:
    folder = save_flux(tmp_path / "models" / "dev")
    (folder / "atelier.json").write_text('{"native_size": 64}')
    engine = EngineConfig(device="cpu", models_dir=tmp_path / "models", batch_rows=4)
    executor = await begin(
        pipelines=PIPELINES, engine=engine, max_rows=4, max_wait_s=1e6, deadline_grace_s=2.0,
        preview_interval_s=0.0,
    )  # fmt: skip
    endless = executor.submit(
        request("remix", model="dev", steps=150, strength=1.0, timeout_s=100.0)
    )
    await until_step(endless, 2)
    # Of the same size: it shares the other's calls.
    canvas = Canvas(width=96, height=72)
    wanted = [
        executor.submit(request("remix", model="dev", steps=4, seed=3, image=canvas, prompt=prompt))
        for prompt in ("night", "fog")
    ]
    # Progress is told ten times a second: only what takes long is sure to show itself.
    preview = await preview_of(endless)
    assert len(set(preview.data)) > 1
    seen = await progress_of(wanted[0])
    assert {it.total_steps for it in seen} <= {0, 4}
    crowded = [(await ticket.result()).image for ticket in wanted]
    endless.cancel()
    with pytest.raises(JobCancelledError):
        await endless.result()
    again = executor.submit(
        request("remix", model="dev", steps=4, seed=3, image=canvas, prompt="night")
    )
    alone = await again.result()
    assert (alone.image, alone.attempts) == (crowded[0], 1)
    assert crowded[0] != crowded[1]
    assert dict(alone.parameters)["batch_rows"] == "4"
