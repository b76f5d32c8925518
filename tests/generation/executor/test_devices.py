"""Several devices serve one queue; each may die, and none changes a picture."""

import asyncio
import os
import random
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from generation.cards import read_card
from generation.errors import EngineLostError, ModelTooLargeError
from generation.executor.client import Executor, Ticket
from generation.executor.config import StationStats
from generation.pipelines.base import EngineConfig
from generation.request import Result
from tests.generation.executor.conftest import Begin
from tests.generation.executor.pipelines import PIPELINES
from tests.generation.executor.requests import request, until, until_step

TWO = ("cpu", "cpu")


async def begin_two(begin: Begin, **changes: object) -> Executor:
    executor = await begin(devices=TWO, **changes)
    await until(lambda: all(station.up for station in executor.stats().stations))
    return executor


def stations(executor: Executor) -> tuple[StationStats, ...]:
    return executor.stats().stations


def kill(pid: int | None) -> None:
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


async def results_of(tickets: list[Ticket]) -> list[Result]:
    return [await ticket.result() for ticket in tickets]


async def test_two_devices_share_the_work_and_give_the_same_bytes(begin: Begin) -> None:
    executor = await begin_two(begin)
    wanted = request("slow", steps=10, seed=5)
    tickets = [executor.submit(replace(wanted, job_id=f"twin {n}")) for n in range(8)]
    await until_step(tickets[0], 1)
    assert [station.running for station in stations(executor)] == [2, 2]
    assert [station.device for station in stations(executor)] == ["cpu", "cpu (2)"]
    results = await results_of(tickets)
    assert len({result.image for result in results}) == 1
    await until(lambda: executor.stats().counters.rows_used == 80)
    assert min(station.counters.rows_used for station in stations(executor)) >= 20


@pytest.mark.slow
async def test_two_devices_are_nearly_twice_as_fast(begin: Begin) -> None:
    taken_s = {}
    for devices in (("cpu",), TWO):
        executor = await begin(devices=devices)
        await until(lambda it=executor: all(one.up for one in stations(it)))  # type: ignore[misc]
        began = time.perf_counter()
        await results_of([executor.submit(request("slow", steps=10)) for _ in range(8)])
        taken_s[devices] = time.perf_counter() - began
    assert taken_s[TWO] < 0.7 * taken_s["cpu",]


async def test_b8_one_of_two_engines_is_killed_under_load_and_nothing_is_lost(
    begin: Begin,
) -> None:
    executor = await begin_two(begin, max_attempts=9)
    wanted = request("slow", steps=15, seed=2)
    expected = (await executor.submit(wanted).result()).image
    tickets = [executor.submit(replace(wanted, job_id=f"load {n}")) for n in range(12)]
    rng = random.Random(0)
    other = stations(executor)[1].pid
    for _ in range(3):
        victim = stations(executor)[0].pid
        kill(victim)
        await until(lambda gone=victim: stations(executor)[0].pid not in (None, gone))  # type: ignore[misc]
        await asyncio.sleep(rng.uniform(0, 0.2))
    results = await results_of(tickets)
    assert {result.image for result in results} == {expected}
    assert stations(executor)[1].pid == other
    assert [station.restarts for station in stations(executor)] == [3, 0]
    assert executor.stats().restarts == 3
    assert min(result.attempts for result in results) == 1


async def test_while_one_engine_starts_again_the_other_takes_its_rows(begin: Begin) -> None:
    executor = await begin_two(begin)
    tickets = [executor.submit(request("slow", steps=30)) for _ in range(3)]
    for ticket in tickets:
        await until_step(ticket, 2)
    assert [station.running for station in stations(executor)] == [2, 1]
    kill(stations(executor)[0].pid)
    # The row that was in the call waits for an engine to itself, its neighbour for nothing.
    await until(lambda: stations(executor)[1].running == 2, pause_s=0.002)
    assert not stations(executor)[0].up
    assert sorted(result.attempts for result in await results_of(tickets)) == [1, 2, 2]


async def test_a_poison_job_leaves_the_other_devices_rows_alone(begin: Begin) -> None:
    executor = await begin_two(begin)
    neighbour = executor.submit(request("slow", steps=60))
    await until_step(neighbour, 1)
    poison = executor.submit(request("deadly", prompt="always"))
    waiting = [executor.submit(request("slow", steps=2)) for _ in range(4)]
    with pytest.raises(EngineLostError, match="2 times"):
        await poison.result()
    assert (await neighbour.result()).attempts == 1
    assert all(result.image.data for result in await results_of(waiting))
    assert executor.stats().restarts == 2


async def test_a_model_without_room_on_one_device_is_tried_on_the_other(
    begin: Begin, tmp_path: Path
) -> None:
    executor = await begin_two(begin, engine=EngineConfig(device="cpu", models_dir=tmp_path))
    first = await executor.submit(request("lopsided")).result()
    assert first.image == (await executor.submit(request()).result()).image
    assert [("lopsided", "tiny") in station.ready for station in stations(executor)] == [
        False,
        True,
    ]
    assert not read_card("tiny", models_dir=tmp_path).refused
    with pytest.raises(ModelTooLargeError, match=r"giant needs more than cpu \(2\) has"):
        await executor.submit(replace(request("lopsided"), model="giant")).result()
    assert read_card("giant", models_dir=tmp_path).refused
    assert sum(station.running for station in stations(executor)) == 0


@pytest.mark.slow
async def test_a_device_without_hope_is_left_out_and_comes_back(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = await begin_two(begin)
    tickets = [executor.submit(request("slow", steps=20)) for _ in range(6)]
    await until_step(tickets[0], 1)
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/bin/false")
        kill(stations(executor)[0].pid)
        await until(lambda: stations(executor)[0].restarts > 3)
        assert all(result.image.data for result in await results_of(tickets))
        assert [station.up for station in stations(executor)] == [False, True]
        late = executor.submit(request("slow", steps=500))
        await until_step(late, 1)
        kill(stations(executor)[1].pid)
        with pytest.raises(EngineLostError, match="does not start"):
            await late.result()
    await until(lambda: all(station.up for station in stations(executor)), timeout_s=40)
    assert (await executor.submit(request()).result()).attempts == 1


def holders(executor: Executor, pipeline: str) -> int:
    """How many devices hold a pipeline's model."""
    return sum((pipeline, "tiny") in station.ready for station in stations(executor))


async def test_a_model_is_loaded_on_one_device_unless_waiting_takes_longer(begin: Begin) -> None:
    executor = await begin_two(begin)
    await executor.submit(request("heavy", steps=1)).result()
    for _ in range(3):
        await results_of([executor.submit(request("heavy", steps=1)) for _ in range(3)])
    assert holders(executor, "heavy") == 1
    await results_of([executor.submit(request("heavy", steps=10)) for _ in range(4)])
    await results_of([executor.submit(request("heavy", steps=10)) for _ in range(8)])
    assert holders(executor, "heavy") == 2


async def test_who_waits_for_a_warm_device_lets_other_models_pass_to_an_idle_one(
    begin: Begin,
) -> None:
    costly = replace(PIPELINES["noise"], typical_device_ms=9999)
    executor = await begin_two(begin, pipelines={**PIPELINES, "noise": costly})
    await executor.submit(request("heavy", steps=2)).result()
    crowd = [executor.submit(request("heavy", steps=2)) for _ in range(4)]
    last = executor.submit(request("noise", steps=2))
    assert [station.running for station in stations(executor)] in ([2, 1], [1, 2])
    await last.result()
    assert not crowd[-1].finished
    await results_of(crowd)
    assert holders(executor, "heavy") == 1


async def test_nobody_loads_anew_because_a_suspect_has_the_warm_device_for_a_moment(
    begin: Begin,
) -> None:
    executor = await begin_two(begin)
    await results_of([executor.submit(request("heavy", steps=10)) for _ in range(6)])
    assert holders(executor, "heavy") == 2
    await results_of([executor.submit(request("heavy", steps=1)) for _ in range(12)])
    rows = [executor.submit(request("heavy", steps=8)) for _ in range(2)]
    for row in rows:
        await until_step(row, 2)
    kill(stations(executor)[0].pid)
    await until(lambda: stations(executor)[0].restarts == 1)
    rows += [executor.submit(request("heavy", steps=1)) for _ in range(4)]
    assert sorted(result.attempts for result in await results_of(rows)) == [1, 1, 1, 1, 1, 2]
    assert holders(executor, "heavy") == 1


async def test_an_engine_has_one_request_more_than_share_a_call(begin: Begin) -> None:
    executor = await begin(engine=EngineConfig(batch_rows=4))
    tickets = [executor.submit(request("slow", steps=20)) for _ in range(8)]
    await until_step(tickets[0], 1)
    await until(lambda: stations(executor)[0].running == 5)
    assert stations(executor)[0].capacity == 5
    assert len({result.image for result in await results_of(tickets)}) == 1


async def test_estimates_count_both_devices(begin: Begin) -> None:
    executor = await begin_two(begin)
    wanted = request("slow", steps=10)
    await results_of([executor.submit(replace(wanted, job_id=f"warm {n}")) for n in range(4)])
    alone_s = executor.estimate_s(wanted)
    crowd = [executor.submit(replace(wanted, job_id=f"crowd {n}")) for n in range(8)]
    assert executor.estimate_s(wanted) == pytest.approx(5 * alone_s, rel=0.2)
    for ticket in crowd:
        ticket.cancel()
