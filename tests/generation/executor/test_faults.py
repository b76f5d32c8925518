"""Engines die, hang and freeze; pictures come all the same."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from generation.errors import DeadlineExceededError, EngineLostError
from generation.executor.arena import installation_name
from generation.executor.client import Executor
from generation.pipelines.base import EngineConfig
from tests.generation.executor.conftest import Begin, config_for
from tests.generation.executor.requests import (
    is_gone,
    picture,
    request,
    until,
    until_running,
    until_step,
)

SHARED_MEMORY = Path("/dev/shm")
ROOT = Path(__file__).parents[3]


def segments(data_dir: Path) -> list[Path]:
    """Everything in shared memory or the data folder that bears an installation's name."""
    name = installation_name(data_dir)
    return [*SHARED_MEMORY.glob(f"{name}*"), *data_dir.glob(f"{name}*")]


async def test_a_dead_engine_is_replaced_and_its_rows_are_repeated_bit_for_bit(
    executor: Executor, tmp_path: Path
) -> None:
    wanted = request("slow", steps=12, seed=5)
    alone = await executor.submit(wanted).result()
    tickets = [executor.submit(replace(wanted, job_id=f"again {n}")) for n in range(5)]
    await until_step(tickets[0], 3)
    engine = executor.engine_pid
    assert engine is not None
    os.kill(engine, signal.SIGKILL)
    results = [await ticket.result() for ticket in tickets]
    assert [result.image for result in results] == [alone.image] * 5
    assert executor.engine_pid != engine
    assert executor.stats().restarts == 1
    # Only what the engine had begun counts as an attempt.
    assert [result.attempts for result in results] == [2, 2, 1, 1, 1]


async def test_a_job_that_kills_its_engine_once_gets_its_picture(
    executor: Executor, tmp_path: Path
) -> None:
    wanted = request("deadly", prompt="once", negative_prompt=str(tmp_path / "mark"), seed=9)
    result = await executor.submit(wanted).result()
    assert result.attempts == 2
    assert result.image == (await executor.submit(request("noise", seed=9)).result()).image


async def test_r17_a_poison_job_fails_and_its_neighbours_do_not(executor: Executor) -> None:
    neighbour = executor.submit(request("slow", steps=30))
    await until_step(neighbour, 1)
    poison = executor.submit(request("deadly", prompt="always"))
    waiting = executor.submit(request("slow", steps=3))
    with pytest.raises(EngineLostError, match="2 times"):
        await poison.result()
    assert (await neighbour.result()).attempts >= 2
    assert (await waiting.result()).image.data
    assert executor.stats().restarts == 2


async def test_r18_a_hung_job_is_killed_at_its_deadline_and_others_survive(
    executor: Executor,
) -> None:
    neighbour = executor.submit(request("slow", steps=30, timeout_s=5))
    hung = executor.submit(request("hanging", prompt="always", timeout_s=0.5))
    waiting = executor.submit(request("slow", steps=3))
    async with asyncio.timeout(4):
        with pytest.raises(DeadlineExceededError):
            await hung.result()
    assert (await neighbour.result()).attempts == 2
    assert (await waiting.result()).attempts == 1
    assert executor.stats().restarts == 1


async def test_a_hung_engine_is_replaced_long_before_the_deadline(
    begin: Begin, tmp_path: Path
) -> None:
    executor = await begin(hang_timeout_s=0.5)
    mark = str(tmp_path / "mark")
    hung = executor.submit(request("hanging", prompt="once", negative_prompt=mark, seed=4))
    result = await hung.result()
    assert result.attempts == 2
    assert result.image == (await executor.submit(request("noise", seed=4)).result()).image


async def test_a_frozen_process_is_replaced_even_while_idle(begin: Begin) -> None:
    executor = await begin(hang_timeout_s=0.6)
    engine = executor.engine_pid
    assert engine is not None
    os.kill(engine, signal.SIGSTOP)
    assert (await executor.submit(request()).result()).attempts == 1
    assert executor.engine_pid != engine
    assert is_gone(engine)


async def test_cancelling_a_hung_job_lets_the_watchdog_clear_it_away(begin: Begin) -> None:
    executor = await begin(hang_timeout_s=0.5)
    hung = executor.submit(request("hanging", prompt="always"))
    await until_running(hung)
    await asyncio.sleep(0.2)
    hung.cancel()
    assert (await executor.submit(request("slow", steps=2)).result()).image.data
    await until(lambda: executor.stats().running == 0)


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
async def test_killed_engines_lose_no_job_and_leave_no_segment(
    begin: Begin, tmp_path: Path, kills: int
) -> None:
    executor = await begin(max_attempts=kills + 2)
    wanted = request("slow", steps=3, seed=2, image=picture(width=640, height=512))
    alone = await executor.submit(wanted).result()
    rng = random.Random(0)
    tickets = []
    for number in range(kills):
        tickets.append(executor.submit(replace(wanted, job_id=f"job {number} of {kills}")))
        await until(lambda: executor.stats().engine_up)
        await asyncio.sleep(rng.uniform(0, 0.1))
        engine = executor.engine_pid
        if engine is not None:
            os.kill(engine, signal.SIGKILL)
            await until(lambda gone=engine: executor.engine_pid != gone)  # type: ignore[misc]
    results = [await ticket.result() for ticket in tickets]
    assert {result.image for result in results} == {alone.image}
    assert executor.stats().restarts == kills
    await executor.close()
    assert segments(tmp_path / "data") == []


@pytest.mark.parametrize("interpreter", ["/bin/false", "/no/such/interpreter"])
async def test_an_engine_that_never_starts_is_an_error_and_no_endless_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interpreter: str
) -> None:
    executor = Executor(config_for(tmp_path))
    monkeypatch.setattr(sys, "executable", interpreter)
    async with asyncio.timeout(10):
        with pytest.raises(EngineLostError, match="does not start"):
            await executor.start()
    assert segments(tmp_path / "data") == []


async def test_jobs_fail_when_no_engine_comes_up_any_more(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = await begin()
    ticket = executor.submit(request("slow", steps=500))
    await until_step(ticket, 1)
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/bin/false")
        assert executor.engine_pid is not None
        os.kill(executor.engine_pid, signal.SIGKILL)
        with pytest.raises(EngineLostError, match="does not start"):
            await ticket.result()
    await until(lambda: executor.stats().engine_up)
    assert (await executor.submit(request()).result()).image.data


async def test_a_model_whose_loading_kills_the_engine_is_poison_too(begin: Begin) -> None:
    executor = await begin(preload=("dying to load",))
    await until(lambda: executor.stats().restarts == 1 and executor.stats().engine_up)
    assert (await executor.submit(request()).result()).attempts == 1
    with pytest.raises(EngineLostError):
        await executor.submit(request("dying to load")).result()
    assert (await executor.submit(request()).result()).attempts == 1
    assert executor.stats().restarts == 3


async def test_a_start_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    executor = Executor(config_for(tmp_path))
    starting = asyncio.create_task(executor.start())
    await until(lambda: executor.engine_pid is not None, pause_s=0.001)
    engine = executor.engine_pid
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert engine is not None
    assert is_gone(engine)


CLIENT = """
import asyncio, sys
from pathlib import Path
from generation.executor.client import Executor
from tests.generation.executor.conftest import config_for
from tests.generation.executor.requests import request, until_running

async def main():
    executor = Executor(config_for(Path(sys.argv[1])))
    await executor.start()
    ticket = executor.submit(request(sys.argv[2], prompt="always", steps=100_000))
    await until_running(ticket)
    await asyncio.sleep(0.2)
    print(executor.engine_pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("pipeline", ["slow", "hanging"])
async def test_the_engine_dies_with_its_client_and_leaves_no_segment(
    tmp_path: Path, pipeline: str
) -> None:
    command = [sys.executable, "-c", CLIENT, str(tmp_path), pipeline]
    with subprocess.Popen(  # noqa: ASYNC220 - the killing is what is tested
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdout is not None
        engine = int(await asyncio.to_thread(client.stdout.readline))
        assert not is_gone(engine)
        client.kill()
    await until(lambda: is_gone(engine))
    assert segments(tmp_path / "data") == []


async def test_a_start_removes_what_a_dead_owner_left_and_nothing_else(tmp_path: Path) -> None:
    config = config_for(tmp_path, shm_dir=tmp_path / "shm", engine=EngineConfig())
    config.shm_dir.mkdir()
    config.data_dir.mkdir()
    left = [
        folder / f"{installation_name(config.data_dir)}-dead.arena"
        for folder in (config.shm_dir, config.data_dir)
    ]
    foreign = config.shm_dir / f"{installation_name(tmp_path / 'other')}-alive.arena"
    for path in (*left, foreign):
        path.write_bytes(b"x")
    executor = Executor(config)
    await executor.start()
    await executor.close()
    assert [path for path in left if path.exists()] == []
    assert foreign.exists()
