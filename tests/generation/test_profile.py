"""Which shapes of calls pay: measured once, kept, and the same ever after."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from generation.errors import InvalidRequestError
from generation.pipelines import img2img_profile
from generation.pipelines.base import EngineConfig, Finished
from generation.pipelines.img2img import Img2ImgPipeline
from generation.pipelines.profile import (
    EXACT_SHARE,
    THROUGHPUT_SHARE,
    Profiles,
    Times,
    largest_that_pays,
    measured,
)
from generation.request import ImageRequest, Pixels
from tests.generation.checkpoints import save_img2img, save_instruct, save_turbo

torch.set_num_threads(1)

# Diffusers hands tensors to numpy in a way that numpy 2 is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

FLAT: Times = {1: 10.0, 2: 10.1, 4: 10.5, 8: 14.0, 12: 20.0, 16: 27.0}
SATURATED: Times = {1: 10.0, 2: 19.9}
CPU = torch.device("cpu")
KEPT = {"denoiser": FLAT, "codec": {1: 10.0, 2: 11.0, 4: 20.0}}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_img2img(tmp_path_factory.mktemp("models") / "plain")


def _config(folder: Path, profiles: Path, **changes: object) -> EngineConfig:
    fields: dict[str, Any] = {
        "device": "cpu", "models_dir": folder.parent, "profile": True, "profiles": profiles,
        **changes,
    }  # fmt: skip
    return EngineConfig(**fields)


def _load(folder: Path, profiles: Path, **changes: object) -> Img2ImgPipeline:
    return Img2ImgPipeline.load(model=folder.name, config=_config(folder, profiles, **changes))


def _request(**changes: object) -> ImageRequest:
    data = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8).tobytes()
    image = Pixels(width=24, height=16, data=data)
    plain = ImageRequest(
        job_id="one", pipeline="remix", image=image, prompt="night", num_inference_steps=3
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("times", "share", "expected"),
    [
        (FLAT, EXACT_SHARE, 4),
        (FLAT, THROUGHPUT_SHARE, 8),
        (SATURATED, EXACT_SHARE, 1),
        (SATURATED, THROUGHPUT_SHARE, 1),
        ({3: 5.0}, EXACT_SHARE, 3),
        ({1: 10.0, 2: 8.0, 4: 9.0}, EXACT_SHARE, 4),
    ],
)
def test_shapes_pay_as_long_as_added_rows_are_cheap(
    times: Times, share: float, expected: int
) -> None:
    assert largest_that_pays(times, share=share) == expected


def test_measuring_ends_where_memory_does() -> None:
    shapes = []

    def call(rows: int) -> None:
        if rows > 4:
            raise torch.OutOfMemoryError("no memory is left")
        shapes.append(rows)

    assert list(measured(call, shapes=(2, 4, 8, 16), device=CPU)) in ([2], [2, 4])
    assert set(shapes) <= {2, 4}
    with pytest.raises(torch.OutOfMemoryError):
        measured(call, shapes=(8, 16), device=CPU)


@pytest.mark.parametrize("save", [save_img2img, save_instruct, save_turbo])
def test_a_model_is_measured_once(
    tmp_path: Path, save: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, profiles = save(tmp_path / "models" / "one"), tmp_path / "data" / "profiles.json"
    first = _load(folder, profiles)
    kept = json.loads(profiles.read_text())
    ((key, times),) = kept.items()
    assert key.startswith("one, ")
    assert set(times) == {"denoiser", "codec"}
    assert first.batch_rows is not None
    assert str(first.batch_rows) in times["denoiser"]

    def unexpected(*_args: object, **_more: object) -> None:
        raise AssertionError("it was measured already")

    monkeypatch.setattr(img2img_profile, "measured", unexpected)
    again = _load(folder, profiles)
    assert (again.batch_rows, again.together) == (first.batch_rows, first.together)
    with pytest.raises(AssertionError, match="already"):
        _load(folder, profiles, dtype="bfloat16")


def test_the_profile_chooses_one_shape_in_exact_mode_and_the_widest_otherwise(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Profiles, "recall", lambda *_: KEPT)
    exact, quick = (_load(model, tmp_path / "p.json", exact=exact) for exact in (True, False))
    chosen = _load(model, tmp_path / "p.json", batch_rows=6, vae_rows=3)
    rows = [pipeline.admit(_request()) for pipeline in (exact, quick, chosen)]
    assert [row.shape for row in rows] == [4, None, 6]
    assert [it.capacity(row) for it, row in zip((exact, quick, chosen), rows, strict=True)] == [
        4, 8, 6,
    ]  # fmt: skip
    assert [it.together for it in (exact, quick, chosen)] == [2, 2, 3]
    assert quick.padded(rows[1:2]) == 2


def test_nothing_is_measured_where_nobody_asks_or_all_is_settled(
    model: Path, tmp_path: Path
) -> None:
    profiles = tmp_path / "profiles.json"
    pipeline = _load(model, profiles, profile=None)
    row = pipeline.admit(_request())
    assert (row.shape, pipeline.together) == (row.width, 1)
    _load(model, profiles, batch_rows=4, vae_rows=2)
    assert not profiles.exists()


def test_a_request_that_names_its_shape_is_repeated_to_the_byte_on_another_profile(
    model: Path, tmp_path: Path
) -> None:
    def made(pipeline: Img2ImgPipeline, request: ImageRequest) -> Finished:
        row, neighbour = pipeline.admit(request), pipeline.admit(_request(seed=9))
        while row.step < row.total_steps:
            together = row.bucket == neighbour.bucket
            pipeline.advance([neighbour, row] if together else [row])
        return pipeline.retire(row)

    before = _load(model, tmp_path / "p.json", batch_rows=8)
    after = _load(model, tmp_path / "p.json", batch_rows=2)
    told = made(before, _request())
    rows = int(dict(told.parameters)["batch_rows"])
    again = made(after, _request(batch_rows=rows))
    assert rows == 8
    assert again == told
    with pytest.raises(InvalidRequestError, match="batch_rows"):
        _request(batch_rows=1000)


@pytest.mark.parametrize(
    "damage",
    ["", "{", "[]", '{"key": 5}', '{"key": {"denoiser": {}}}', '{"key": {"denoiser": {"1": -2}}}',
     '{"key": {"denoiser": {"one": 1}}}', '{"key": {"denoiser": [1]}}',
     '{"key": {"denoiser": {"1": 1}}}',
     "\udc80"],
)  # fmt: skip
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "profiles.json"
    path.write_bytes(damage.encode("utf-8", errors="surrogateescape"))
    assert Profiles(path).recall("key", lambda: KEPT) == KEPT
    assert Profiles(path).recall("key", dict) == KEPT


def test_what_else_a_file_holds_stays_whether_it_is_understood_or_not(tmp_path: Path) -> None:
    path = tmp_path / "profiles.json"
    path.write_text('{"of a later version": {"parts": 3}}')
    assert Profiles(path).recall("key", lambda: KEPT) == KEPT
    told = json.loads(path.read_text())
    assert told["of a later version"] == {"parts": 3}
    assert Profiles(path).kept("key") == KEPT


def test_a_file_out_of_reach_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = tmp_path / "profiles.json", {"denoiser": SATURATED, "codec": SATURATED}
    Profiles(path).recall("key", lambda: KEPT)

    def failing(path: Path, **_more: object) -> str:
        raise OSError(f"{path} is on a disk that does not answer")

    with monkeypatch.context() as broken:
        broken.setattr(Path, "read_text", failing)
        assert Profiles(path).recall("more", lambda: other) == other
        assert Profiles(path).recall("more", lambda: other, unkept=lambda: KEPT) == KEPT
    assert Profiles(path).kept("key") == KEPT
    assert Profiles(path).kept("more") is None


def test_of_two_engines_that_measure_the_first_counts(tmp_path: Path) -> None:
    path = tmp_path / "profiles.json"
    other = {"denoiser": SATURATED, "codec": SATURATED}

    def slow() -> dict[str, Times]:
        Profiles(path).recall("key", lambda: KEPT)
        Profiles(path).recall("another", lambda: other)
        return other

    assert Profiles(path).recall("key", slow) == KEPT
    assert Profiles(path).recall("another", lambda: KEPT) == other
    assert sorted(it.name for it in tmp_path.iterdir()) == ["profiles.json", "profiles.lock"]


def test_a_folder_that_cannot_be_written_costs_the_memory_only(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    assert Profiles(blocked / "profiles.json").recall("key", lambda: KEPT) == KEPT
    assert Profiles(None).recall("key", lambda: KEPT) == KEPT
