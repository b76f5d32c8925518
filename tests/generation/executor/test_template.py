"""A dead engine's successor is forked from a template, and is as good as one started by itself."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from generation.executor import forking
from generation.executor.arena import Geometry, create_arena
from generation.executor.client import Executor
from generation.executor.messages import Hello
from generation.executor.template import ATTEMPTS, Template
from generation.pipelines.base import EngineConfig
from tests.generation.executor.conftest import Begin
from tests.generation.executor.requests import is_gone, request, until, until_step

ROOT = Path(__file__).parents[3]


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def engine_of(executor: Executor) -> int:
    assert executor.engine_pid is not None
    return executor.engine_pid


async def until_template(executor: Executor) -> None:
    await until(lambda: executor.stats().stations[0].template)


async def test_killed_and_frozen_engines_are_replaced_by_forks_that_repeat_every_bit(
    begin: Begin,
) -> None:
    executor = await begin(template_after_s=0, hang_timeout_s=0.6, nice=3)
    wanted = request("slow", steps=8, seed=5)
    alone = await executor.submit(wanted).result()
    await until_template(executor)
    engines = [engine_of(executor)]
    for number in (signal.SIGKILL, signal.SIGSTOP):
        again = executor.submit(replace(wanted, job_id=f"after {number.name}"))
        await until_step(again, 2)
        os.kill(engines[-1], number)
        result = await again.result()
        assert (result.attempts, result.image) == (2, alone.image)
        assert is_gone(engines[-1])
        engines.append(engine_of(executor))
    template = parent_of(engines[-1])
    assert parent_of(template) == os.getpid()
    assert os.getpriority(os.PRIO_PROCESS, engines[-1]) == os.getpriority(os.PRIO_PROCESS, 0) + 3
    assert os.sched_getaffinity(engines[-1]) == os.sched_getaffinity(template)
    await executor.close()
    assert is_gone(template)
    assert is_gone(engines[-1])


async def test_without_its_template_an_engine_is_started_by_itself(begin: Begin) -> None:
    executor = await begin(template_after_s=0)
    wanted = request("slow", steps=8, seed=5)
    alone = await executor.submit(wanted).result()
    await until_template(executor)
    os.kill(engine_of(executor), signal.SIGKILL)
    again = executor.submit(replace(wanted, job_id="forked"))
    await until_step(again, 2)
    forked = engine_of(executor)
    # The kernel takes the engine along; nothing is left that nobody watches.
    os.kill(parent_of(forked), signal.SIGKILL)
    assert (await again.result()).image == alone.image
    assert is_gone(forked)
    assert parent_of(engine_of(executor)) == os.getpid()
    await until_template(executor)


async def test_forks_that_load_nothing_are_given_up(begin: Begin) -> None:
    executor = await begin(template_after_s=0, max_attempts=3)
    await executor.submit(request(steps=0)).result()
    await until_template(executor)
    template = 0
    for _ in range(3):
        engine = engine_of(executor)
        os.kill(engine, signal.SIGKILL)
        await until(lambda gone=engine: executor.engine_pid not in (None, gone))  # type: ignore[misc]
        template = template or parent_of(engine_of(executor))
    assert is_gone(template)
    assert parent_of(engine_of(executor)) == os.getpid()
    assert (await executor.submit(request()).result()).image.data


async def test_a_template_that_cannot_stand_is_given_up_until_there_is_more_to_import(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hello = Hello(config=EngineConfig(), pipelines={}, preview_interval_s=1, nice=0, log_level=30)
    arena = create_arena(geometry=Geometry(slots=2), data_dir=tmp_path, shm_dir=tmp_path)
    template = Template(arena=arena, hello=hello, after_s=0)

    async def failures(*modules: str) -> int:
        for _ in range(3):
            template.learn(modules)
            await until(lambda: all(it.get_name() != "template" for it in asyncio.all_tasks()))
        assert not template.ready
        return caplog.text.count("there is no template")

    assert await failures("there.is.none") == ATTEMPTS
    assert await failures("there.is.none", "json") == 2 * ATTEMPTS
    await template.drop()
    arena.close()


CLIENT = """
import asyncio, os, signal, sys
from pathlib import Path
from generation.executor.client import Executor
from tests.generation.executor.conftest import config_for
from tests.generation.executor.requests import request, until_running
from tests.generation.executor.test_template import engine_of, parent_of, until_template

async def main():
    executor = Executor(config_for(Path(sys.argv[1]), template_after_s=0))
    await executor.start()
    await executor.submit(request()).result()
    await until_template(executor)
    os.kill(engine_of(executor), signal.SIGKILL)
    await until_running(executor.submit(request("hanging", prompt="always")))
    engine = engine_of(executor)
    os.kill(engine, signal.SIGSTOP)
    print(engine, parent_of(engine), flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_template_and_fork_die_with_their_client_even_stopped(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CLIENT, str(tmp_path)]
    with subprocess.Popen(  # noqa: ASYNC220 - the killing is what is tested
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdout is not None
        engine, template = map(int, (await asyncio.to_thread(client.stdout.readline)).split())
        assert not is_gone(engine)
        client.kill()
    await until(lambda: is_gone(engine) and is_gone(template))


@contextmanager
def another_thread() -> Iterator[None]:
    enough = threading.Event()
    thread = threading.Thread(target=enough.wait)
    thread.start()
    yield
    enough.set()
    thread.join()


def test_a_process_with_threads_or_a_device_is_not_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    with another_thread():
        assert forking.unclean() == "importing has left threads"
    monkeypatch.setattr(forking, "threads", lambda: 1)
    assert forking.unclean() is None
    monkeypatch.setattr(forking, "DEVICE_FILES", ("/dev/zero",))
    with Path("/dev/zero").open("rb"):
        assert forking.unclean() == "importing has opened /dev/zero"
