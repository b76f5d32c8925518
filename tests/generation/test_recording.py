"""Calls are played from a recording once they are warm, and only with the same bits."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from generation.pipelines.base import EngineConfig
from generation.pipelines.img2img import Img2ImgPipeline
from generation.pipelines.recording import COLD_CALLS, Function, Recorded, recorder_for
from generation.request import ImageRequest, Pixels
from tests.generation.checkpoints import save_img2img, save_xl

# Diffusers hands tensors to numpy in a way that numpy 2 is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

torch.set_num_threads(1)
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


class Played:
    """Records as a device does: what a function answers is put at one place, again and again."""

    def __init__(self) -> None:
        self.plays = 0

    def __call__(self, function: Function) -> Function:
        place = function().clone()

        def play() -> Tensor:
            self.plays += 1
            return place.copy_(function())

        return play


def _load(folder: Path, *, device: str = "cpu") -> Img2ImgPipeline:
    config = EngineConfig(device=device, models_dir=folder.parent, batch_rows=4)
    return Img2ImgPipeline.load(model=folder.name, config=config)


def _finish(pipeline: Img2ImgPipeline, *seeds: int, steps: int = 15) -> list[Pixels]:
    data = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8).tobytes()
    rows = [
        pipeline.admit(
            ImageRequest(
                job_id=str(seed), pipeline="remix", prompt="night", strength=1.0, seed=seed,
                image=Pixels(width=24, height=16, data=data), num_inference_steps=steps,
                scheduler="ddim",
            )
        )
        for seed in seeds
    ]  # fmt: skip
    while rows[0].step < rows[0].total_steps:
        pipeline.advance(rows)
    return [pipeline.retire(row).image for row in rows]


def test_a_cold_call_goes_on_as_it_is_and_a_warm_one_is_played() -> None:
    value, played = torch.tensor([1.0, float("nan")]), Played()
    call = Recorded(lambda: value * 2, record=played, cold=2)
    assert (float(call()[0]), float(call()[0]), call.playing) == (2.0, 2.0, False)
    value[0] = 5.0
    assert (float(call()[0]), call.playing) == (10.0, True)
    assert (float(call()[0]), played.plays) == (10.0, 3)


def test_a_recording_of_other_bits_is_never_played(caplog: pytest.LogCaptureFixture) -> None:
    value = torch.tensor([1.0])
    call = Recorded(lambda: value * 2, record=lambda _: lambda: value * 2.0000002, cold=0)
    with caplog.at_level(logging.WARNING):
        answers = [float(call()) for _ in range(3)]
    assert (answers, call.playing) == ([2.0] * 3, False)
    assert [record.getMessage().split(";")[0] for record in caplog.records] == [
        "a recorded call answers with other bits"
    ]


def test_what_cannot_be_recorded_goes_on_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(_: Function) -> Function:
        raise torch.OutOfMemoryError("none left")

    call = Recorded(lambda: torch.ones(1), record=refuse, cold=1)
    with caplog.at_level(logging.WARNING):
        answers = [float(call()) for _ in range(4)]
    assert (answers, call.playing, len(caplog.records)) == ([1.0] * 4, False, 1)


def test_rows_keep_their_bytes_when_their_call_begins_to_be_played(tmp_path: Path) -> None:
    folder = save_img2img(tmp_path / "plain")
    expected = _finish(_load(folder), 5, 6)
    pipeline, played = _load(folder), Played()
    pipeline._record = played  # type: ignore[assignment]
    assert _finish(pipeline, 5, 6) == expected
    assert played.plays >= 15 - COLD_CALLS
    pipeline.put_away()
    pipeline.bring()
    assert _finish(pipeline, 5, 6) == expected


def test_on_a_cpu_nothing_is_recorded() -> None:
    assert recorder_for(torch.device("cpu")) is None


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("save", [save_img2img, save_xl])
def test_on_a_gpu_graphs_are_played_with_the_bytes_of_plain_calls(
    tmp_path: Path, save: object
) -> None:
    assert callable(save)
    folder = save(tmp_path / "model")
    plain, quick = _load(folder, device="cuda"), _load(folder, device="cuda")
    plain._record = None
    expected = _finish(plain, 5, 6)
    assert _finish(quick, 5, 6) == expected
    calls = [call._predicted for call in quick._calls.values()]
    assert any(isinstance(call, Recorded) and call.playing for call in calls)
    quick.put_away()
    quick.bring()
    assert _finish(quick, 5, 6) == expected
