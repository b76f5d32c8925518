"""Rows that share calls: bit-equal at the fixed shape, within one level across shapes."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generation.errors import InvalidRequestError
from generation.executor.turns import Account, next_batch
from generation.pipelines.base import EngineConfig
from generation.pipelines.denoising import Call
from generation.pipelines.img2img import Img2ImgPipeline, Img2ImgRow
from generation.request import ImageRequest, Pixels
from tests.generation.checkpoints import real, save_img2img, save_instruct

# Diffusers hands tensors to numpy in a way that numpy 2 is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

torch.set_num_threads(1)
SHAPE = 6
VAE_SHAPE = 3
AFFINE = ("ddim", "euler", "euler_ancestral", "lcm", "dpmpp_2m")


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A request, when it comes, and after how many of its steps it is cancelled."""

    request: ImageRequest
    arrives: int
    cancelled: int | None


@dataclass(kw_only=True, eq=False)
class Walker:
    """A row under way."""

    visit: Visit
    row: Img2ImgRow
    virtual_ns: int = 0
    account: Account = field(default_factory=Account)

    @property
    def bucket(self) -> object:
        return self.row.bucket

    @property
    def width(self) -> int:
        return self.row.width


def _picture(seed: int) -> Pixels:
    data = np.random.default_rng(seed).integers(0, 256, (16, 24, 3), dtype=np.uint8).tobytes()
    return Pixels(width=24, height=16, data=data)


def _load(folder: Path, **changes: object) -> Img2ImgPipeline:
    fields: dict[str, Any] = {"device": "cpu", "models_dir": folder.parent, **changes}
    config = EngineConfig(**fields)
    return Img2ImgPipeline.load(model=folder.name, config=config)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scheduler = real.DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
        clip_sample=False, steps_offset=1,
    )  # fmt: skip
    return save_img2img(tmp_path_factory.mktemp("models") / "plain", scheduler=scheduler)


@pytest.fixture(scope="module")
def instruct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_instruct(tmp_path_factory.mktemp("models") / "instruct")


@pytest.fixture(scope="module")
def families(plain: Path, instruct: Path) -> dict[str, Sequence[Img2ImgPipeline]]:
    """The same checkpoints in exact mode, in throughput mode, and where nothing is kept."""
    return {
        folder.name: (
            _load(folder, batch_rows=SHAPE, vae_rows=VAE_SHAPE),
            _load(folder, exact=False, vae_rows=VAE_SHAPE),
            _load(folder, batch_rows=SHAPE, vae_rows=VAE_SHAPE, kept_bytes=0),
        )
        for folder in (plain, instruct)
    }


def _finish(pipeline: Img2ImgPipeline, request: ImageRequest) -> tuple[torch.Tensor, Pixels]:
    """Run a request alone."""
    row = pipeline.admit(request)
    while row.step < row.total_steps:
        pipeline.advance([row])
    return _latents(row), pipeline.retire(row).image


def _latents(row: Img2ImgRow) -> torch.Tensor:
    return torch.zeros(1) if row.edit is None else row.edit.latents


def _crowd(
    pipeline: Img2ImgPipeline, visits: Sequence[Visit], *, order: random.Random
) -> dict[str, tuple[torch.Tensor, Pixels]]:
    """Run requests as the engine does, in a random order; return what was not cancelled."""
    waiting, inside, done = list(visits), list[Walker](), {}
    for tick in range(200):
        arrived = [it for it in waiting if it.arrives <= tick]
        pipeline.prepare([it.request for it in arrived])
        for visit in arrived:
            waiting.remove(visit)
            inside.append(Walker(visit=visit, row=pipeline.admit(visit.request)))
        pipeline.decode([it.row for it in inside if it.row.step == it.row.total_steps])
        for walker in list(inside):
            walker.virtual_ns = order.randrange(1000)
            if walker.row.step == walker.row.total_steps:
                inside.remove(walker)
                image = pipeline.retire(walker.row).image
                done[walker.visit.request.job_id] = (_latents(walker.row), image)
            elif walker.row.step == walker.visit.cancelled:
                inside.remove(walker)
        if inside:
            batch = next_batch(inside, capacity=lambda it: pipeline.capacity(it.row))
            pipeline.advance([walker.row for walker in batch])
        elif not waiting:
            return done
    raise AssertionError("they do not come to an end")


@st.composite
def _visits(draw: st.DrawFn, *, families: Sequence[str]) -> tuple[str, list[Visit]]:
    family = draw(st.sampled_from(families))
    count = draw(st.integers(2, 4))
    return family, [
        Visit(
            request=ImageRequest(
                job_id=str(index),
                pipeline="remix",
                image=_picture(draw(st.integers(0, 3))),
                prompt=draw(st.sampled_from(["night", "fog", "", "night fog"])),
                negative_prompt=draw(st.sampled_from(["", "fog"])),
                strength=draw(st.sampled_from([0.0, 0.3, 0.55, 0.8, 1.0])),
                guidance_scale=draw(st.sampled_from([0.0, 1.0, 1.5, 3.0])),
                num_inference_steps=draw(st.integers(1, 5)),
                scheduler=draw(st.sampled_from([None, *AFFINE, "pndm"])),
                seed=draw(st.integers(0, 2**32 - 1)),
            ),
            arrives=draw(st.integers(0, 4)),
            cancelled=draw(st.none() | st.integers(1, 3)) if index else None,
        )
        for index in range(count)
    ]


@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(drawn=_visits(families=("plain", "instruct")), order=st.integers(0, 2**16))
def test_b1_rows_are_bit_equal_to_lone_ones_and_one_level_apart_across_shapes(
    families: dict[str, Sequence[Img2ImgPipeline]],
    drawn: tuple[str, list[Visit]],
    order: int,
) -> None:
    family, visits = drawn
    exact, quick, lonely = families[family]
    together = _crowd(exact, visits, order=random.Random(order))
    assert "0" in together
    fast = _crowd(quick, visits, order=random.Random(order))
    for visit in visits:
        job = visit.request.job_id
        if job not in together:
            continue
        latents, image = _finish(lonely, visit.request)
        assert torch.equal(together[job][0], latents)
        assert together[job][1] == image
        difference = (fast[job][0] - latents).norm() / latents.norm().clamp(min=1e-9)
        assert float(difference) <= 1e-5
        levels = np.frombuffer(fast[job][1].data, np.uint8).astype(int)
        assert np.abs(levels - np.frombuffer(image.data, np.uint8)).max() <= 1


def test_the_starter_takes_its_steps_by_table_and_three_rows_a_call() -> None:
    starter = Img2ImgPipeline.load(
        model="remix", config=EngineConfig(device="cpu", models_dir=Path("none"))
    )
    row = starter.admit(
        ImageRequest(job_id="one", pipeline="remix", image=_picture(0), prompt="night")
    )
    assert [it.schedule.table is None for it in row.denoisings] == [False, False]
    assert [it.scheduler for it in row.denoisings] == [None, None]
    assert (row.width, row.shape, starter.capacity(row)) == (3, 3, 3)


def test_a_scheduler_that_is_not_affine_keeps_its_own_object(plain: Path) -> None:
    pipeline = _load(plain)
    request = ImageRequest(job_id="one", pipeline="remix", image=_picture(0), scheduler="pndm")
    row = pipeline.admit(request)
    assert row.edit is not None
    assert row.edit.scheduler is not None
    with pytest.raises(InvalidRequestError, match="dpmpp_2m"):
        pipeline.admit(replace(request, scheduler="magic"))


def test_the_shape_that_a_picture_was_made_with_is_told(plain: Path) -> None:
    request = ImageRequest(job_id="one", pipeline="remix", image=_picture(0), prompt="fog")
    shapes = {}
    for rows in (None, 1, 6):
        pipeline = _load(plain, batch_rows=rows)
        row = pipeline.admit(request)
        pipeline.advance([row])
        shapes[rows] = dict(pipeline.retire(row).parameters)["batch_rows"]
    assert shapes == {None: "2", 1: "2", 6: "6"}


def test_a_call_is_padded_to_the_one_shape_or_to_the_smallest_that_holds_its_rows(
    plain: Path,
) -> None:
    request = ImageRequest(job_id="one", pipeline="remix", image=_picture(0))
    for exact, expected in ((True, [8, 8]), (False, [2, 8])):
        pipeline = _load(plain, exact=exact, batch_rows=8)
        rows = [pipeline.admit(request) for _ in range(3)]
        assert [pipeline.padded(rows[:1]), pipeline.padded(rows)] == expected


def test_pictures_that_change_each_other_are_not_decoded_together(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = _load(plain, vae_rows=3)
    decode = pipeline.checkpoint.vae.decode
    shapes: list[int] = []

    def leaking(latents: torch.Tensor) -> object:
        shapes.append(len(latents))
        answer = decode(latents)
        answer.sample = answer.sample + 1e-3 * answer.sample.mean()
        return answer

    monkeypatch.setattr(pipeline.checkpoint.vae, "decode", leaking)
    requests = [
        ImageRequest(job_id="one", pipeline="remix", image=_picture(seed), num_inference_steps=1)
        for seed in range(2)
    ]
    rows = [pipeline.admit(replace(request, strength=1.0)) for request in requests]
    pipeline.advance(rows)
    pipeline.decode(rows)
    assert shapes[-2:] == [1, 1]


@pytest.mark.parametrize("exact", [True, False])
def test_a_codec_call_without_memory_is_made_smaller(
    plain: Path, monkeypatch: pytest.MonkeyPatch, exact: bool
) -> None:
    pipeline = _load(plain, exact=exact, vae_rows=4)
    encode = pipeline.checkpoint.vae.encode
    shapes: list[int] = []

    def cramped(pictures: torch.Tensor) -> object:
        if len(pictures) > 1:
            raise torch.OutOfMemoryError("no memory is left")
        shapes.append(len(pictures))
        return encode(pictures)

    monkeypatch.setattr(pipeline.checkpoint.vae, "encode", cramped)
    requests = [
        ImageRequest(job_id=str(seed), pipeline="remix", image=_picture(seed)) for seed in range(3)
    ]
    pipeline.prepare(requests)
    assert shapes == [1, 1, 1]
    assert pipeline.together == 1
    rows = [pipeline.admit(request) for request in requests]
    assert shapes == [1, 1, 1]
    assert dict(pipeline.retire(rows[0]).parameters)["vae_rows"] == "1"


def test_rows_that_come_and_go_together_share_calls_of_the_codec(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = _load(plain, exact=False, vae_rows=4)
    vae, shapes = pipeline.checkpoint.vae, list[int]()

    def counted(whole: Callable[..., object]) -> Callable[..., object]:
        def call(tensor: torch.Tensor) -> object:
            shapes.append(len(tensor))
            return whole(tensor)

        return call

    for name in ("encode", "decode"):
        monkeypatch.setattr(vae, name, counted(getattr(vae, name)))
    requests = [
        ImageRequest(
            job_id=str(seed), pipeline="remix", image=_picture(seed % 3), strength=1.0,
            num_inference_steps=1, guidance_scale=1.0,
        )
        for seed in range(4)
    ]  # fmt: skip
    pipeline.prepare(requests)
    rows = [pipeline.admit(request) for request in requests]
    pipeline.advance(rows)
    pipeline.decode(rows)
    for row in rows:
        pipeline.retire(row)
    assert shapes == [4, 4]


def test_a_row_without_memory_falls_back_to_its_own_rows_and_says_so(plain: Path) -> None:
    pipeline = _load(plain, batch_rows=8)
    row = pipeline.admit(ImageRequest(job_id="one", pipeline="remix", image=_picture(0)))
    before = row.bucket
    assert pipeline.capacity(row) == 8
    assert pipeline.shrink(row)
    assert not pipeline.shrink(row)
    assert row.bucket != before
    assert pipeline.capacity(row) == row.width == 2
    assert dict(pipeline.retire(row).parameters)["batch_rows"] == "2"


def test_requests_share_no_calls_where_rows_change_each_other(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = _load(plain, batch_rows=8)
    forward = pipeline.checkpoint.denoiser.forward

    def leaking(sample: torch.Tensor, *args: object, **more: object) -> object:
        answer = forward(sample, *args, **more)
        answer.sample = answer.sample + 1e-3 * answer.sample.mean()
        return answer

    monkeypatch.setattr(pipeline.checkpoint.denoiser, "forward", leaking)
    row = pipeline.admit(ImageRequest(job_id="one", pipeline="remix", image=_picture(0)))
    assert pipeline.capacity(row) == row.width


def test_a_neighbour_without_numbers_harms_nobody(plain: Path) -> None:
    pipeline = _load(plain, batch_rows=4)
    request = ImageRequest(job_id="one", pipeline="remix", image=_picture(0), prompt="fog")
    expected = _finish(pipeline, request)[1]
    row, sick = pipeline.admit(request), pipeline.admit(request)
    assert sick.edit is not None
    sick.edit.latents = sick.edit.latents * torch.nan
    while row.step < row.total_steps:
        pipeline.advance([sick, row])
    assert pipeline.retire(row).image == expected


def test_what_stays_from_step_to_step_is_laid_out_once(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = _load(plain, batch_rows=4)
    request = ImageRequest(job_id="one", pipeline="remix", image=_picture(0))
    rows = [pipeline.admit(request) for _ in range(2)]
    seated: list[int] = []
    find = Call._find_rows

    def counted(call: Call, denoisings: Sequence[object], widths: Sequence[int]) -> None:
        seated.append(len(denoisings))
        find(call, denoisings, widths)  # type: ignore[arg-type]

    monkeypatch.setattr(Call, "_find_rows", counted)
    for _ in range(3):
        pipeline.advance(rows)
    pipeline.advance(rows[:1])
    assert seated == [2, 1]
