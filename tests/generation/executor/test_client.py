"""Requests go in; progress, previews and pictures come back."""

import asyncio
import gc
import os
import signal
import time
import weakref
from dataclasses import replace
from pathlib import Path

import pytest

from generation.errors import (
    DeadlineExceededError,
    EngineBusyError,
    EngineError,
    GenerationError,
    InvalidRequestError,
    JobCancelledError,
    ModelUnavailableError,
    OutOfMemoryError,
)
from generation.executor.client import Executor
from generation.pipelines.base import EngineConfig
from generation.registry import PipelineSpec
from generation.request import Like, Note, NoteCode, Pixels, Result, Stage
from tests.generation.executor.conftest import Begin
from tests.generation.executor.pipelines import PIPELINES
from tests.generation.executor.requests import (
    is_gone,
    picture,
    progress_of,
    request,
    until,
    until_step,
)


async def test_a_picture_comes_back_with_what_the_pipeline_said_of_it(executor: Executor) -> None:
    wanted = request(steps=3, seed=7, image=picture(width=20, height=10))
    result = await executor.submit(wanted).result()
    assert (result.image.width, result.image.height) == (20, 10)
    assert result.image.data != wanted.picture.data
    assert (result.job_id, result.seed, result.model) == (wanted.job_id, 7, "tiny")
    assert result.notes == (Note(code=NoteCode.FITTED, words=("1",)),)
    assert result.parameters == (("steps", "3"),)
    assert result.device_ms >= 1
    assert result.attempts == 1


async def test_without_steps_the_input_is_the_answer(executor: Executor) -> None:
    wanted = request(steps=0)
    assert (await executor.submit(wanted).result()).image == wanted.image


async def test_a_large_picture_survives_the_way_there_and_back(executor: Executor) -> None:
    wanted = request(steps=0, image=picture(width=1024, height=1024))
    assert (await executor.submit(wanted).result()).image == wanted.image


async def test_a_finished_request_is_let_go_without_the_garbage_collector(
    executor: Executor,
) -> None:
    gc.collect()
    gc.disable()
    try:
        ticket = executor.submit(request(steps=2))
        await ticket.result()
        seen = weakref.ref(ticket)
        del ticket
        await until(lambda: seen() is None, timeout_s=2)
    finally:
        gc.enable()


async def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    executor: Executor,
) -> None:
    tickets = [executor.submit(request(seed=seed)) for seed in (1, 1, 2)]
    one, same, other = [(await ticket.result()).image for ticket in tickets]
    assert one == same != other


@pytest.mark.parametrize("batch_rows", [1, 3])
async def test_a_picture_does_not_depend_on_its_neighbours(begin: Begin, batch_rows: int) -> None:
    executor = await begin(max_rows=5, engine=EngineConfig(batch_rows=batch_rows))
    wanted = request("slow", steps=5, seed=11)
    alone = await executor.submit(wanted).result()
    tickets = [executor.submit(request("slow", steps=steps, seed=steps)) for steps in (2, 9, 4)] + [
        executor.submit(replace(wanted, job_id="crowd"))
    ]
    crowd = [await ticket.result() for ticket in tickets]
    assert crowd[-1].image == alone.image


async def test_progress_goes_from_the_queue_over_the_steps_to_the_finish(
    executor: Executor,
) -> None:
    first = executor.submit(request("slow", steps=20))
    second = executor.submit(request("slow", steps=20))
    third = executor.submit(request("slow", steps=20))
    seen = await progress_of(third)
    assert third.finished
    assert first.finished
    assert second.finished
    assert seen[0].stage is Stage.QUEUED
    assert seen[0].position == 2
    assert {progress.position for progress in seen if progress.stage is Stage.RUNNING} == {0}
    order = [Stage.QUEUED, Stage.LOADING, Stage.RUNNING, Stage.FINISHING]
    stages = [order.index(progress.stage) for progress in seen]
    assert stages == sorted(stages)
    steps = [progress.step for progress in seen]
    assert steps == sorted(steps)
    assert max(steps) > 2
    assert {progress.total_steps for progress in seen} == {0, 20}


async def test_the_estimate_shrinks_as_the_picture_forms(executor: Executor) -> None:
    ticket = executor.submit(request("slow", steps=40))
    seen = [progress for progress in await progress_of(ticket) if progress.step]
    etas = [progress.eta_s for progress in seen if progress.eta_s is not None]
    assert etas[0] > etas[-1]
    assert etas[0] < 5


async def test_previews_come_now_and_then_and_only_when_they_are_wanted(
    executor: Executor,
) -> None:
    seen = await progress_of(executor.submit(request("slow", steps=30)))
    previews = {progress.preview for progress in seen if progress.preview is not None}
    assert 2 <= len(previews) <= 10
    assert all(isinstance(preview, Pixels) for preview in previews)
    unwanted = await progress_of(executor.submit(request("slow", steps=30, previews=False)))
    assert {progress.preview for progress in unwanted} == {None}


async def test_several_readers_and_late_ones_all_see_the_end(executor: Executor) -> None:
    ticket = executor.submit(request("slow", steps=10))
    seen = await asyncio.gather(progress_of(ticket), progress_of(ticket))
    assert all(seen)
    assert await progress_of(ticket) == []
    assert await ticket.result() == await ticket.result()


async def test_rows_take_turns_so_that_a_short_one_passes_a_long_one(executor: Executor) -> None:
    long = executor.submit(request("slow", steps=60))
    await until_step(long, 1)
    short = executor.submit(request("slow", steps=3))
    await short.result()
    assert not long.finished
    await long.result()


async def test_each_row_is_charged_for_itself_alone(executor: Executor) -> None:
    tickets = [executor.submit(request("slow", steps=steps)) for steps in (5, 20)]
    short, long = [await ticket.result() for ticket in tickets]
    assert 100 <= short.device_ms < 300
    assert 400 <= long.device_ms < 900


async def test_a_batch_is_charged_in_shares(begin: Begin) -> None:
    executor = await begin(max_rows=3, engine=EngineConfig(batch_rows=3))
    tickets = [executor.submit(request("slow", steps=10)) for _ in range(3)]
    charged = sum([(await ticket.result()).device_ms for ticket in tickets])
    assert 600 <= charged < 1200


async def test_cancel_while_queued_never_reaches_the_engine(executor: Executor) -> None:
    busy = [executor.submit(request("slow", steps=15)) for _ in range(2)]
    ticket = executor.submit(request("slow", steps=15))
    assert executor.stats().queued == 1
    ticket.cancel()
    assert executor.stats().queued == 0
    with pytest.raises(JobCancelledError):
        await ticket.result()
    assert [(await other.result()).attempts for other in busy] == [1, 1]


@pytest.mark.timed
async def test_cancel_frees_the_engine_within_a_step(executor: Executor) -> None:
    ticket = executor.submit(request("slow", steps=5000))
    await until_step(ticket, 2)
    started = time.perf_counter()
    ticket.cancel()
    ticket.cancel()
    with pytest.raises(JobCancelledError):
        await ticket.result()
    await until(lambda: executor.stats().running == 0, pause_s=0.002)
    assert time.perf_counter() - started < 0.5
    assert (await executor.submit(request("slow", steps=1)).result()).attempts == 1


async def test_a_cancelled_id_may_be_used_again_at_once(executor: Executor) -> None:
    ticket = executor.submit(request("slow", steps=1000, job_id="same"))
    ticket.cancel()
    again = executor.submit(request("noise", job_id="same"))
    assert (await again.result()).job_id == "same"


async def test_abandoning_the_wait_does_not_stop_the_request(executor: Executor) -> None:
    ticket = executor.submit(request("slow", steps=20))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ticket.result(), timeout=0.05)
    assert (await ticket.result()).attempts == 1


async def test_a_deadline_stops_a_row_between_two_steps(executor: Executor) -> None:
    engine = executor.engine_pid
    late = executor.submit(request("slow", steps=5000, timeout_s=0.3))
    other = executor.submit(request("slow", steps=10))
    with pytest.raises(DeadlineExceededError, match=r"0\.3 s"):
        await late.result()
    assert (await other.result()).attempts == 1
    assert executor.engine_pid == engine


async def test_waiting_and_the_steps_of_others_do_not_count_against_the_deadline(
    executor: Executor,
) -> None:
    others = [executor.submit(request("slow", steps=25)) for _ in range(2)]
    tight = executor.submit(request("slow", steps=10, timeout_s=0.6))
    assert (await tight.result()).attempts == 1
    for other in others:
        await other.result()


@pytest.mark.parametrize(
    ("wanted", "error", "message"),
    [
        (request(prompt="refuse"), InvalidRequestError, "this prompt is refused"),
        (request(model="missing"), ModelUnavailableError, "no checkpoint 'missing'"),
        (request("failing", prompt="bug"), EngineError, "ZeroDivisionError"),
        (request("failing", prompt="memory"), OutOfMemoryError, "memory does not suffice"),
        (request("failing", prompt="own error"), InvalidRequestError, "of this pipeline"),
        (request("absent"), EngineError, "ModuleNotFoundError"),
    ],
)
async def test_a_failure_arrives_as_the_error_it_was_and_the_engine_lives_on(
    begin: Begin, wanted: object, error: type[GenerationError], message: str
) -> None:
    absent = PipelineSpec(target="tests.no_such:Thing", model="tiny", typical_device_ms=1)
    executor = await begin(pipelines={**PIPELINES, "absent": absent})
    engine = executor.engine_pid
    other = executor.submit(request("slow", steps=5))
    with pytest.raises(error, match=message) as caught:
        await executor.submit(wanted).result()  # type: ignore[arg-type]
    assert type(caught.value) is error
    assert (await other.result()).attempts == 1
    assert executor.engine_pid == engine


async def test_what_ran_out_of_memory_once_is_tried_again_alone(
    executor: Executor, tmp_path_factory: pytest.TempPathFactory
) -> None:
    mark = str(tmp_path_factory.mktemp("marks") / "memory")
    wanted = request("failing", prompt="memory once", negative_prompt=mark)
    result = await executor.submit(wanted).result()
    assert result.attempts == 1
    assert result.image == (await executor.submit(request("noise")).result()).image


async def test_a_failure_in_a_batch_hits_only_the_row_that_caused_it(begin: Begin) -> None:
    executor = await begin(max_rows=3, engine=EngineConfig(batch_rows=3))
    alone = await executor.submit(request("failing", steps=6, seed=3)).result()
    good = [executor.submit(request("failing", steps=6, seed=3)) for _ in range(2)]
    bad = executor.submit(request("failing", steps=6, prompt="bug"))
    with pytest.raises(EngineError):
        await bad.result()
    assert [(await ticket.result()).image for ticket in good] == [alone.image] * 2


async def test_b8_out_of_memory_takes_smaller_calls_and_the_same_bytes(begin: Begin) -> None:
    executor = await begin(max_rows=5, engine=EngineConfig(batch_rows=5))
    expected = [
        (await executor.submit(request("noise", steps=5, seed=seed)).result()).image
        for seed in range(5)
    ]
    tickets = [
        executor.submit(request("cramped", steps=5, seed=seed, prompt="2")) for seed in range(5)
    ]
    assert [(await ticket.result()).image for ticket in tickets] == expected
    await until(lambda: executor.stats().counters.memory_retries >= 2)


async def test_b8_rows_that_lack_memory_wait_and_only_the_newest_fail(begin: Begin) -> None:
    executor = await begin(max_rows=5, engine=EngineConfig(batch_rows=5))
    tickets = [
        executor.submit(request("cramped", steps=5, seed=seed, prompt="1")) for seed in range(5)
    ]
    outcomes = await asyncio.gather(
        *(ticket.result() for ticket in tickets), return_exceptions=True
    )
    failed = [index for index, it in enumerate(outcomes) if isinstance(it, OutOfMemoryError)]
    assert failed == [3, 4]
    assert all(isinstance(outcomes[index], Result) for index in range(3))


async def test_what_cannot_run_is_refused_at_once(begin: Begin) -> None:
    artful = replace(PIPELINES["noise"], takes_style_image=True)
    executor = await begin(pipelines={**PIPELINES, "artful": artful})
    with pytest.raises(InvalidRequestError, match="noise, slow"):
        executor.submit(request("nothing"))
    with pytest.raises(InvalidRequestError, match="noise, slow"):
        executor.cost_ms(request("nothing"))
    with pytest.raises(InvalidRequestError, match="artwork"):
        executor.submit(request("artful"))
    with pytest.raises(InvalidRequestError, match="too large"):
        executor.submit(request(image=picture(width=4000, height=4000)))
    ticket = executor.submit(request("slow", job_id="twice"))
    with pytest.raises(InvalidRequestError, match="under way"):
        executor.submit(request(job_id="twice"))
    await ticket.result()


async def test_who_would_wait_too_long_is_told_so(begin: Begin) -> None:
    executor = await begin(max_wait_s=0.05)
    size = picture(width=512, height=512)
    tickets = [executor.submit(request("slow", image=size, steps=5))]
    with pytest.raises(EngineBusyError, match="waiting"):
        executor.submit(request("slow", image=size))
    for ticket in tickets:
        await ticket.result()
    await executor.submit(request("slow", steps=1)).result()


async def test_estimates_come_from_the_registry_first_and_from_measurements_then(
    executor: Executor,
) -> None:
    wanted = request("slow", steps=10, image=picture(width=512, height=512))
    assert executor.cost_ms(wanted) == 400
    result = await executor.submit(wanted).result()
    assert executor.cost_ms(wanted) == result.device_ms != 400
    assert executor.estimate_s(wanted) == pytest.approx(result.device_ms / 1000)
    ticket = executor.submit(replace(wanted, job_id="another"))
    assert executor.estimate_s(wanted) > 1.5 * result.device_ms / 1000
    await ticket.result()


async def test_stats_say_what_is_going_on(executor: Executor) -> None:
    tickets = [executor.submit(request("slow", steps=5)) for _ in range(5)]
    stats = executor.stats()
    assert (stats.queued, stats.running, stats.restarts, stats.engine_up) == (3, 2, 0, True)
    for ticket in tickets:
        await ticket.result()
    assert (executor.stats().queued, executor.stats().running) == (0, 0)


async def test_a_call_is_charged_by_the_rows_that_each_takes(begin: Begin) -> None:
    executor = await begin(max_rows=2, engine=EngineConfig(batch_rows=4))
    tickets = [executor.submit(request("slow", steps=10, guidance_scale=it)) for it in (1, 3)]
    one, three = [(await ticket.result()).device_ms for ticket in tickets]
    assert 2.5 < three / one < 3.5


async def test_the_engine_tells_how_full_its_calls_are_and_what_its_time_went_into(
    begin: Begin,
) -> None:
    executor = await begin(max_rows=3, engine=EngineConfig(batch_rows=4))
    tickets = [executor.submit(request("slow", steps=10)) for _ in range(3)]
    for ticket in tickets:
        await ticket.result()
    await until(lambda: executor.stats().counters.rows_used == 30)
    counters = executor.stats().counters
    assert counters.rows_offered == counters.rows_run == 4 * counters.calls
    assert counters.occupancy == 30 / counters.rows_offered
    assert counters.padding_waste == pytest.approx(1 - counters.occupancy)
    assert 600 <= counters.step_ms < 1200
    assert counters.encode_ms > 0
    assert counters.decode_ms > 0


async def test_a_lost_engines_counters_still_count(executor: Executor) -> None:
    await executor.submit(request("slow", steps=5)).result()
    await until(lambda: executor.stats().counters.rows_used == 5)
    assert executor.engine_pid is not None
    os.kill(executor.engine_pid, signal.SIGKILL)
    await executor.submit(request("slow", steps=5)).result()
    await until(lambda: executor.stats().counters.rows_used == 10)


async def test_an_idle_engine_loads_what_it_is_told_to_before_it_is_asked(
    begin: Begin, tmp_path: Path
) -> None:
    engine = EngineConfig(device="cpu", models_dir=tmp_path)
    executor = await begin(preload=("marking",), engine=engine)
    await until((tmp_path / "loaded").exists)
    await until(lambda: ("marking", "tiny") in executor.stats().stations[0].ready)
    seen = await progress_of(executor.submit(request("marking", steps=2)))
    assert Stage.LOADING not in {progress.stage for progress in seen}


async def test_who_waits_while_another_model_is_loaded_is_told_of_loading(
    begin: Begin, tmp_path: Path
) -> None:
    engine = EngineConfig(device="cpu", models_dir=tmp_path)
    executor = await begin(preload=("marking", "heavy"), engine=engine)
    await until(lambda: executor.stats().stations[0].loading == ("heavy", "tiny"))
    seen = await progress_of(executor.submit(request("marking", steps=1)))
    stages = [progress.stage for progress in seen]
    assert Stage.LOADING in stages
    order = [Stage.QUEUED, Stage.LOADING, Stage.RUNNING, Stage.FINISHING]
    assert sorted(stages, key=order.index) == stages


async def test_what_a_likeness_needs_is_loaded_before_anybody_is_charged(begin: Begin) -> None:
    executor = await begin(max_rows=1)
    ticket = executor.submit(request("fetching", steps=1, like=Like(picture=picture())))
    seen = [progress.stage for progress in await progress_of(ticket)]
    assert Stage.LOADING in seen
    assert (await ticket.result()).device_ms < 450
    await executor.submit(request("fetching", steps=1)).result()


async def test_close_is_quick_ends_the_engine_and_fails_what_is_under_way(begin: Begin) -> None:
    executor = await begin()
    engine = executor.engine_pid
    tickets = [executor.submit(request("slow", steps=5000)) for _ in range(4)]
    await until_step(tickets[0], 1)
    started = time.perf_counter()
    await executor.close()
    assert time.perf_counter() - started < 5
    assert engine is not None
    assert is_gone(engine)
    for ticket in tickets:
        with pytest.raises(EngineError, match="shut down"):
            await ticket.result()
    with pytest.raises(EngineError, match="not running"):
        executor.submit(request())
    await executor.close()


async def test_a_closed_executor_can_be_started_again(begin: Begin) -> None:
    executor = await begin()
    await executor.close()
    await executor.start()
    assert (await executor.submit(request()).result()).attempts == 1
