"""Ray nodes on this machine die, freeze and lose their head; every picture comes, and the same.

The tests share a cluster and, down to the one that closes it, an executor.
"""

import asyncio
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from generation.errors import EngineLostError
from generation.executor.client import Executor, Ticket
from generation.executor.cluster.config import ClusterConfig
from generation.registry import PIPELINES
from generation.request import ImageRequest, Pixels, Result
from tests.generation.cluster.conftest import SECRET, all_up, free_port, joined
from tests.generation.cluster.nodes import Handle
from tests.generation.executor.conftest import config_for
from tests.generation.executor.requests import (
    is_gone,
    picture,
    request,
    until,
    until_step,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="module"),
]

SLOW = request("slow", steps=20, image=picture(width=640, height=512))
REMIX = ImageRequest(
    job_id="remix",
    pipeline="remix",
    image=picture(width=96, height=64),
    prompt="night",
    num_inference_steps=3,
    seed=5,
)


def crowd(executor: Executor, wanted: ImageRequest, *, size: int) -> list[Ticket]:
    return [executor.submit(replace(wanted, job_id=f"job {n}", seed=n)) for n in range(size)]


async def results_of(tickets: list[Ticket]) -> list[Result]:
    async with asyncio.timeout(120):
        return [await ticket.result() for ticket in tickets]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def expected(tmp_path_factory: pytest.TempPathFactory) -> list[Pixels]:
    """What engine processes of our own make of ``SLOW`` with the first seeds."""
    executor = Executor(config_for(tmp_path_factory.mktemp("here"), devices=("cpu", "cpu")))
    await executor.start()
    try:
        return [result.image for result in await results_of(crowd(executor, SLOW, size=10))]
    finally:
        await executor.close()


def environment_of(pid: int | None) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def pid_of(executor: Executor) -> int:
    """Return the process of the first engine that there is."""
    pid = executor.engine_pid
    assert pid is not None
    return pid


def node_of(nodes: Handle, pid: int) -> int:
    """Return the number of the node that an engine's process is on."""
    nodes.tell("look")
    return next(number for number, pids in enumerate(nodes.processes) if pid in pids)


async def test_a_picture_is_the_same_on_a_node_alone_and_in_a_crowd(
    shared: Executor, expected: list[Pixels]
) -> None:
    (alone,) = await results_of(crowd(shared, SLOW, size=1))
    assert alone.image == expected[0]
    together = await results_of(crowd(shared, SLOW, size=6))
    assert [it.image for it in together] == expected[:6]
    assert len({node.device for node in shared.stats().stations if node.counters.calls}) == 2


async def test_the_starters_remix_is_the_same_on_a_node_as_on_this_machine(
    shared: Executor, tmp_path: Path
) -> None:
    here = Executor(config_for(tmp_path, pipelines=PIPELINES))
    await here.start()
    try:
        ours, theirs = await results_of([here.submit(REMIX), shared.submit(REMIX)])
    finally:
        await here.close()
    assert ours.image == theirs.image != REMIX.image
    assert ours.parameters == theirs.parameters


async def test_r17_a_poison_job_fails_and_its_neighbours_do_not(shared: Executor) -> None:
    neighbour = shared.submit(request("slow", steps=30))
    await until_step(neighbour, 1)
    poison = shared.submit(request("deadly", prompt="always"))
    with pytest.raises(EngineLostError, match="2 times"):
        await poison.result()
    assert (await neighbour.result()).attempts == 1
    await all_up(shared)


async def test_progress_previews_and_cancel_reach_over(shared: Executor) -> None:
    ticket = shared.submit(request("slow", steps=400))
    async for progress in ticket.events():
        if progress.preview is not None and progress.step > 3:
            break
    ticket.cancel()
    await until(lambda: shared.stats().running == 0, timeout_s=2)
    assert (await shared.submit(request()).result()).image.data


async def test_an_engine_killed_on_its_node_is_replaced_there_and_a_hung_one_too(
    shared: Executor, handle: Handle, tmp_path: Path
) -> None:
    engine = pid_of(shared)
    node = node_of(handle, engine)
    tickets = crowd(shared, SLOW, size=2)
    for ticket in tickets:
        await until_step(ticket, 3)
    os.kill(engine, signal.SIGKILL)
    assert sorted(it.attempts for it in await results_of(tickets)) == [1, 2]
    await all_up(shared)
    assert node_of(handle, pid_of(shared)) == node
    mark = str(tmp_path / "mark")
    hung = shared.submit(request("hanging", prompt="once", negative_prompt=mark, seed=4))
    result = await hung.result()
    assert result.attempts == 2
    assert result.image == (await shared.submit(request("noise", seed=4)).result()).image


async def test_no_secret_of_the_bot_reaches_an_engine(shared: Executor, handle: Handle) -> None:
    handle.tell("look")
    seen = [pid for pids in handle.processes for pid in pids]
    assert pid_of(shared) in seen
    for pid in seen:
        assert SECRET.encode() not in environment_of(pid), pid
    assert b"RAY_AUTH_TOKEN" not in environment_of(pid_of(shared))


async def test_r19_a_node_dies_under_load_and_every_picture_comes_bit_for_bit(
    shared: Executor, nodes: Handle, expected: list[Pixels]
) -> None:
    await all_up(shared)
    tickets = crowd(shared, SLOW, size=len(expected))
    await until_step(tickets[0], 3)
    engine = pid_of(shared)
    nodes.tell(f"kill {node_of(nodes, engine)}")
    results = await results_of(tickets)
    assert [it.image for it in results] == expected
    assert [min(it.attempts for it in results), max(it.attempts for it in results)] == [1, 2]
    assert is_gone(engine)


async def test_a_frozen_node_is_given_up_and_what_it_says_later_is_ignored(
    shared: Executor, nodes: Handle, expected: list[Pixels]
) -> None:
    await all_up(shared)
    tickets = crowd(shared, SLOW, size=4)
    await until_step(tickets[0], 3)
    node = node_of(nodes, pid_of(shared))
    nodes.tell(f"freeze {node}")
    results = await results_of(tickets)
    assert [it.image for it in results] == expected[:4]
    assert max(it.attempts for it in results) == 2
    nodes.tell(f"thaw {node}")
    for seed in range(4):
        assert (await shared.submit(request("slow", seed=seed)).result()).attempts == 1
        await asyncio.sleep(0.5)
    nodes.tell(f"kill {node}")


async def test_closing_ends_the_dispatcher_and_the_engines(shared: Executor) -> None:
    engine = pid_of(shared)
    began = time.perf_counter()
    await shared.close()
    assert time.perf_counter() - began < 5
    await until(lambda: is_gone(engine))


async def test_jobs_outlive_the_head_and_wait_for_another(
    handle: Handle, tmp_path: Path, expected: list[Pixels]
) -> None:
    handle.heal(1)
    async with joined(handle, tmp_path, engines=1, start_timeout_s=200.0) as executor:
        tickets = crowd(executor, SLOW, size=4)
        await until_step(tickets[0], 3)
        for number in range(len(handle.processes)):
            handle.tell(f"kill {number}")
        await until(lambda: not executor.stats().engine_up, timeout_s=60)
        handle.heal(1)
        assert [it.image for it in await results_of(tickets)] == expected[:4]


async def test_a_cluster_that_is_not_there_is_an_error_and_no_endless_wait(
    handle: Handle, tmp_path: Path
) -> None:
    nowhere = ClusterConfig(address=f"127.0.0.1:{free_port()}")
    executor = Executor(config_for(tmp_path, cluster=nowhere, start_timeout_s=6.0))
    with pytest.raises(EngineLostError, match="does not start"):
        await asyncio.wait_for(executor.start(), timeout=30)
