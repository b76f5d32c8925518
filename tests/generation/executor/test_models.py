"""Models on the device, in the host's memory and on disk: who stays, who goes, who comes back."""

import gc
import os
import time
import weakref
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from generation import cards
from generation.cards import REFUSAL_S, note_refusal
from generation.catalogue import entry_named
from generation.errors import ModelTooLargeError, ModelUnavailableError
from generation.executor.models import Kind, ModelCache
from generation.pipelines.base import EngineConfig, Pipeline
from generation.pipelines.img2img import Img2ImgPipeline
from generation.registry import PIPELINES, resolve
from generation.request import Control, ImageRequest, Like, Pixels
from tests.generation.checkpoints import (
    save_control_net,
    save_img2img,
    save_ip_adapter,
    save_lora,
)
from tests.generation.executor.conftest import Begin
from tests.generation.executor.requests import progress_of, request, until, until_step

NAMES = ("one", "two", "three")
ONE, TWO, THREE = (("remix", name) for name in NAMES)
PICTURE = Pixels(width=24, height=16, data=bytes(range(256)) * 4 + bytes(128))
REQUEST = ImageRequest(job_id="one", pipeline="remix", image=PICTURE, num_inference_steps=2)


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name in NAMES:
        save_img2img(folder / name)
    return folder


@pytest.fixture(scope="module")
def size(models_dir: Path) -> int:
    config = EngineConfig(device="cpu", models_dir=models_dir)
    return Img2ImgPipeline.load(model="one", config=config).weight_bytes


class Counts(Counter[str]):
    def add(self, **more: float) -> None:
        self.update(more)


def _cache(models_dir: Path, *, device: float, host: float = 0) -> tuple[ModelCache, Counts]:
    config = EngineConfig(
        device="cpu", models_dir=models_dir, device_bytes=int(device), host_bytes=int(host)
    )
    counts = Counts()
    return ModelCache(PIPELINES, config=config, count=counts.add), counts


def _picture(pipeline: Pipeline[Any], wanted: ImageRequest = REQUEST) -> bytes:
    return _finished(pipeline, pipeline.admit(wanted))


def _finished(pipeline: Pipeline[Any], row: Any) -> bytes:  # noqa: ANN401 - a pipeline's own
    while row.step < row.total_steps:
        pipeline.advance([row])
    image: Pixels = pipeline.retire(row).image
    return image.data


def test_a_checkpoint_says_what_it_will_take(models_dir: Path, size: int) -> None:
    config = EngineConfig(device="cpu", models_dir=models_dir)
    assert Img2ImgPipeline.weigh(model="one", config=config) == pytest.approx(size, rel=0.01)
    whole = Img2ImgPipeline.load(model="one", config=config).checkpoint
    parts = {id(it): it for part in whole.modules for it in (*part.parameters(), *part.buffers())}
    assert size == sum(it.numel() * it.element_size() for it in parts.values())


def test_who_was_used_last_stays_on_the_device(models_dir: Path, size: int) -> None:
    cache, counts = _cache(models_dir, device=2.5 * size)
    cache.load(ONE)
    cache.load(TWO)
    assert cache.find(ONE) is not None
    cache.load(THREE)
    assert cache.ready == {ONE, THREE}
    assert cache.find(TWO) is None
    assert counts == {"model_loads": 3, "model_evictions": 1}


def test_a_model_whose_rows_are_under_way_is_never_evicted(models_dir: Path, size: int) -> None:
    cache, _ = _cache(models_dir, device=2.5 * size)
    cache.load(ONE)
    cache.load(TWO)
    busy: set[Kind] = {ONE}
    cache.load(THREE, busy=busy)
    assert cache.ready == {ONE, THREE}
    assert cache.waits(TWO, busy={ONE, THREE})
    assert not cache.waits(TWO, busy={ONE})
    assert not cache.waits(TWO, busy=())
    cache.spare(busy=busy)
    assert cache.ready == {ONE}


def test_a_model_larger_than_the_device_is_an_error_that_says_so(
    models_dir: Path, size: int
) -> None:
    cache, counts = _cache(models_dir, device=0.9 * size)
    with pytest.raises(ModelUnavailableError, match=r"one takes \d+ MiB; models may take \d+ MiB"):
        cache.load(ONE)
    assert not cache.waits(ONE, busy={TWO})
    assert cache.load(("collage", "collage"))
    assert counts == {"model_loads": 1}


def test_what_a_model_loads_besides_is_counted_and_others_make_room(
    models_dir: Path, tmp_path: Path, size: int
) -> None:
    for name in NAMES:
        (tmp_path / name).symlink_to(models_dir / name)
    save_control_net(tmp_path / "controls/edges/small", base=models_dir / "one")
    cache, counts = _cache(tmp_path, device=2.1 * size)
    cache.load(TWO)
    pipeline = cache.load(ONE)
    cache.weigh(ONE)
    assert cache.ready == {ONE, TWO}
    pipeline.admit(replace(REQUEST, control=Control(kind="edges")))
    cache.weigh(ONE, busy={TWO})
    assert cache.ready == {ONE, TWO}
    cache.weigh(ONE)
    assert cache.ready == {ONE}
    assert cache.waits(TWO, busy={ONE})
    assert counts["model_evictions"] == 1


@pytest.mark.parametrize("host", [0.0, 9.0])
def test_a_model_that_outgrew_the_device_is_loaded_again_as_it_was(
    models_dir: Path, tmp_path: Path, size: int, host: float
) -> None:
    for name in NAMES:
        (tmp_path / name).symlink_to(models_dir / name)
    save_control_net(tmp_path / "controls/edges/small", base=models_dir / "one")
    cache, _ = _cache(tmp_path, device=1.1 * size, host=host * size)
    cache.load(ONE).admit(replace(REQUEST, control=Control(kind="edges")))
    cache.weigh(ONE)
    cache.load(TWO)
    assert cache.ready == {TWO}
    assert cache.waits(ONE, busy={TWO})
    assert cache.load(ONE).weight_bytes == size
    assert cache.ready == {ONE}


def test_a_model_without_room_is_refused_with_the_figures_and_weighed_once_a_minute(
    models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one").symlink_to(models_dir / "one")
    config = EngineConfig(device="cpu", models_dir=tmp_path, memory_bytes=10**6)
    cache = ModelCache(PIPELINES, config=config, count=Counts().add)
    figures = r"^one needs about 1\.\d\d MB; 1\.00 MB are allowed on cpu$"
    with pytest.raises(ModelTooLargeError, match=figures):
        cache.load(ONE)
    assert cache.load(("collage", "collage"))
    assert not cache.waits(ONE, busy={("collage", "collage")})
    weighed = []
    monkeypatch.setattr(Img2ImgPipeline, "plan", lambda **asked: weighed.append(asked))
    with pytest.raises(ModelTooLargeError, match=figures):
        cache.load(ONE)
    assert weighed == []
    assert "needs about" in entry_named("one", models_dir=tmp_path).unusable
    # Others, and those who come later, may try again; where there is room the card says so.
    monkeypatch.undo()
    roomy = ModelCache(PIPELINES, config=replace(config, memory_bytes=10**9), count=Counts().add)
    assert roomy.load(ONE)
    assert entry_named("one", models_dir=tmp_path).usable


def test_what_one_of_several_devices_has_no_room_for_is_offered_until_none_has(
    models_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "one").symlink_to(models_dir / "one")

    def cache_of(station: str, *, memory: int) -> ModelCache:
        config = EngineConfig(
            device="cpu", models_dir=tmp_path, memory_bytes=memory, station=station, stations=2
        )
        return ModelCache(PIPELINES, config=config, count=Counts().add)

    for _ in range(2):
        with pytest.raises(ModelTooLargeError):
            cache_of("cuda:0", memory=10**6).load(ONE)
    assert entry_named("one", models_dir=tmp_path).usable
    with pytest.raises(ModelTooLargeError):
        cache_of("cuda:1", memory=10**6).load(ONE)
    assert "needs about" in entry_named("one", models_dir=tmp_path).unusable
    assert cache_of("cuda:1", memory=10**9).load(ONE)
    with pytest.raises(ModelTooLargeError):
        cache_of("cuda:0", memory=10**6).load(ONE)
    assert entry_named("one", models_dir=tmp_path).usable


def test_what_found_no_room_is_offered_again_after_a_while(
    models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one").symlink_to(models_dir / "one")
    note_refusal("one", "one needs more", models_dir=tmp_path)
    assert entry_named("one", models_dir=tmp_path).unusable == "one needs more"
    later = time.time() + REFUSAL_S
    monkeypatch.setattr(cards, "time", lambda: later)
    assert entry_named("one", models_dir=tmp_path).usable


def test_room_is_left_to_work_in(models_dir: Path) -> None:
    plan = Img2ImgPipeline.plan(
        model="one", config=EngineConfig(device="cpu", models_dir=models_dir)
    )
    assert plan is not None
    size = Img2ImgPipeline.load(
        model="one", config=EngineConfig(device="cpu", models_dir=models_dir)
    ).weight_bytes
    together = 2 * size + plan.work
    for memory, expected in ((together, {ONE, TWO}), (together - 1000, {TWO})):
        config = EngineConfig(device="cpu", models_dir=models_dir, memory_bytes=memory)
        cache = ModelCache(PIPELINES, config=config, count=Counts().add)
        for kind in (ONE, TWO):
            cache.load(kind)
        assert cache.ready == expected


@pytest.mark.slow
def test_a_model_lets_go_of_what_no_row_uses_when_memory_is_short(
    models_dir: Path, size: int, tmp_path: Path
) -> None:
    base, controlled = models_dir / "one", replace(REQUEST, control=Control(kind="edges"))
    (tmp_path / "one").symlink_to(base)
    save_control_net(tmp_path / "controls/edges/small", base=base)
    save_ip_adapter(tmp_path / "ip_adapters/small", base=base)
    save_lora(tmp_path / "loras/ink.safetensors", base=base)
    both = replace(controlled, prompt="<ink:1>", like=Like(picture=PICTURE))
    rows: list[Any] = []
    config = EngineConfig(device="cpu", models_dir=tmp_path)
    cache = ModelCache(PIPELINES, config=config, count=Counts().add, users=lambda _: rows)
    pipeline = cache.load(ONE)
    expected = [_picture(pipeline, each) for each in (REQUEST, controlled, both)]
    cache.weigh(ONE)
    taken = [pipeline.weight_bytes]
    rows.append(pipeline.admit(controlled))
    pipeline.advance(rows)
    cache.spare(busy={ONE})
    taken.append(pipeline.weight_bytes)
    assert _finished(pipeline, rows.pop()) == expected[1]
    cache.spare(busy={ONE})
    assert taken[0] > taken[1] > pipeline.weight_bytes == size
    assert [_picture(pipeline, each) for each in (REQUEST, controlled, both)] == expected


def test_an_evicted_model_leaves_no_memory_behind(models_dir: Path, size: int) -> None:
    cache, _ = _cache(models_dir, device=1.5 * size)
    gone = weakref.ref(cache.load(ONE).checkpoint.denoiser)  # type: ignore[attr-defined]
    assert gone() is not None
    cache.load(TWO)
    assert gone() is None


def test_a_model_comes_back_from_the_host_as_it_was(models_dir: Path, size: int) -> None:
    cache, counts = _cache(models_dir, device=1.5 * size, host=1.5 * size)
    first = cache.load(ONE)
    expected = _picture(first)
    cache.load(TWO)
    assert cache.ready == {TWO}
    again = cache.load(ONE)
    assert again is first
    assert _picture(again) == expected
    assert cache.ready == {ONE}
    assert counts == {"model_loads": 3, "model_evictions": 2}


def test_a_model_for_whose_return_memory_did_not_suffice_is_not_lost(
    models_dir: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, _ = _cache(models_dir, device=1.5 * size, host=1.5 * size)
    first = cache.load(ONE)
    expected = _picture(first)
    cache.load(TWO)

    def lacking(pipeline: Img2ImgPipeline) -> None:
        del pipeline
        monkeypatch.undo()
        raise torch.OutOfMemoryError("no memory is left")

    monkeypatch.setattr(Img2ImgPipeline, "bring", lacking)
    with pytest.raises(torch.OutOfMemoryError):
        cache.load(ONE)
    assert ONE not in cache.ready
    assert cache.load(ONE) is first
    assert _picture(first) == expected


def test_what_a_model_counts_is_passed_on_once(models_dir: Path, size: int) -> None:
    cache, counts = _cache(models_dir, device=1.5 * size)
    pipeline = cache.load(ONE)
    for total in (1, 2):
        _picture(pipeline)
        cache.count(ONE)
        cache.count(ONE)
        assert (counts["picture_misses"], counts["picture_hits"]) == (1, total - 1)
        assert counts["codec_calls"] == counts["codec_pictures"] == 1 + total


def test_the_host_drops_who_was_used_longest_ago(models_dir: Path, size: int) -> None:
    cache, _ = _cache(models_dir, device=1.5 * size, host=1.5 * size)
    gone, kept = (weakref.ref(cache.load(kind)) for kind in (ONE, TWO))
    cache.load(THREE)
    gc.collect()
    assert gone() is None
    assert kept() is not None
    assert cache.ready == {THREE}


def test_a_model_in_advance_pushes_nobody_out(models_dir: Path, size: int) -> None:
    cache, _ = _cache(models_dir, device=1.5 * size)
    assert cache.spacious(ONE)
    cache.load(ONE)
    assert not cache.spacious(TWO)
    assert cache.spacious(("collage", "collage"))


async def test_a_request_waits_while_rows_under_way_hold_the_memory_that_it_needs(
    begin: Begin, tmp_path: Path
) -> None:
    engine = EngineConfig(device="cpu", models_dir=tmp_path, device_bytes=150, host_bytes=150)
    executor = await begin(engine=engine, max_rows=3)
    first = executor.submit(request("weighty", model="one", steps=20))
    await until_step(first, 1)
    # Of another member, who was charged less: it is their turn, but there is no room.
    other = executor.submit(request("weighty", model="two", steps=1, member=2))
    alike = executor.submit(request("weighty", model="one", steps=1))
    for ticket in (first, other, alike):
        await progress_of(ticket)
        await ticket.result()
    notes = (tmp_path / "notes").read_text().splitlines()
    assert notes == [
        "one loaded", "one put away", "two loaded", "two put away", "one brought",
    ]  # fmt: skip


async def test_models_that_nobody_runs_make_room_when_memory_does_not_suffice(
    begin: Begin, tmp_path: Path
) -> None:
    engine = EngineConfig(device="cpu", models_dir=tmp_path, device_bytes=500, host_bytes=500)
    executor = await begin(engine=engine)
    await executor.submit(request("weighty", model="one")).result()
    lacking = request(
        "weighty", model="two", prompt="memory once", negative_prompt=str(tmp_path / "mark")
    )
    await executor.submit(lacking).result()
    notes = (tmp_path / "notes").read_text().splitlines()
    assert notes == ["one loaded", "two loaded", "one put away"]


def _is_being_read(pipe: Path) -> bool:
    """Whether somebody has opened a pipe to read it; it ends for them."""
    try:
        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


@pytest.mark.parametrize("device_bytes", [150, 250])
async def test_while_others_are_under_way_the_files_of_who_comes_next_are_read(
    begin: Begin, tmp_path: Path, device_bytes: int
) -> None:
    weights = tmp_path / "two.weights"
    os.mkfifo(weights)
    engine = EngineConfig(
        device="cpu", models_dir=tmp_path, device_bytes=device_bytes, host_bytes=0
    )
    executor = await begin(engine=engine, max_rows=1)
    long = request("weighty", model="one", steps=500, previews=False)
    before = [executor.submit(long)]
    await until_step(before[0], 1)
    while executor.stats().running < executor.stats().stations[0].capacity:
        before.append(executor.submit(replace(long, job_id=f"beside {len(before)}")))
    other = executor.submit(request("weighty", model="two", steps=1))
    await until(lambda: _is_being_read(weights))
    assert (tmp_path / "notes").read_text().splitlines() == ["one loaded"]
    for ticket in before:
        ticket.cancel()
    await other.result()


async def test_an_idle_engine_loads_what_it_was_told_of_if_that_pushes_nobody_out(
    begin: Begin, tmp_path: Path
) -> None:
    engine = EngineConfig(device="cpu", models_dir=tmp_path, device_bytes=150, host_bytes=0)
    executor = await begin(engine=engine, max_rows=1)
    first = executor.submit(request("weighty", model="one", steps=10))
    await until_step(first, 1)
    other = executor.submit(request("weighty", model="two", steps=1))
    other.cancel()
    await first.result()
    again = await executor.submit(request("weighty", model="one", steps=1)).result()
    assert again.model == "one"
    assert (tmp_path / "notes").read_text().splitlines() == ["one loaded"]


def test_the_files_of_a_checkpoint_are_those_of_its_weights(models_dir: Path) -> None:
    config = EngineConfig(device="cpu", models_dir=models_dir)
    files = resolve(PIPELINES["remix"].target).files(model="one", config=config)
    assert {path.parent.name for path in files} == {"unet", "vae", "text_encoder"}
    assert {path.suffix for path in files} == {".safetensors"}


@pytest.mark.gpu
def test_on_a_gpu_models_leave_the_device_and_come_back_to_the_same_bytes(
    models_dir: Path,
) -> None:
    config = EngineConfig(device="cuda", models_dir=models_dir)
    pipeline = Img2ImgPipeline.load(model="one", config=config)
    expected = _picture(pipeline)
    pipeline.put_away()
    weights = next(pipeline.checkpoint.modules[0].parameters())
    assert weights.device.type == "cpu"
    gc.collect()
    torch.cuda.empty_cache()
    held = torch.cuda.memory_allocated()
    pipeline.bring()
    assert torch.cuda.memory_allocated() - held >= pipeline.weight_bytes
    assert _picture(pipeline) == expected
