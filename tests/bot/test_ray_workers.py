"""A worker whose engines are actors of Ray: it takes jobs from PostgreSQL like any other."""

import asyncio
from collections import defaultdict

import pytest

from bot.composition import Bot
from bot.settings import Settings
from bot.worker import Worker
from storage.records import Job
from tests.bot.members import job_of
from tests.bot.pictures import photo
from tests.bot.stage import Stage
from tests.bot.test_roles import answering, at_work, kept_right, shared_settings
from tests.generation.cluster import conftest as cluster
from tests.generation.cluster.nodes import Handle
from tests.generation.executor.requests import until

handle = cluster.handle

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]
WAIT_S = 120.0


def on_nodes(settings: Settings, handle: Handle) -> Settings:
    """Return settings with which a worker has its engines on the nodes."""
    return settings.model_copy(update={"cluster_address": handle.address})


def engines(worker: Worker) -> set[int]:
    """Return the processes of the engines that are up."""
    stations = worker.executor.stats().stations
    return {it.pid for it in stations if it.up and it.pid is not None}


async def told(handle: Handle, command: str) -> None:
    """Give the nodes a command without holding up the loop."""
    await asyncio.to_thread(handle.tell, command)


async def busy_node(handle: Handle, worker: Worker) -> int:
    """Return the number of a node whose engine is making a picture."""
    stations = worker.executor.stats().stations
    [pid, *_] = [it.pid for it in stations if it.up and it.running]
    await told(handle, "look")
    return next(number for number, pids in enumerate(handle.processes) if pid in pids)


async def order(stage: Stage, image: bytes, *, count: int) -> None:
    """Ask for two seeds of the same picture, again and again."""
    for number in range(count):
        uploaded = await stage.ada.upload(image)
        answer = await stage.ada.remix("slow night", image=uploaded, seed=number % 2)
        assert answer["status"] == 200, answer


async def is_at_work(worker: Worker, *, least: int) -> None:
    """Wait until so many pictures form on the nodes at once."""
    await until(lambda: worker.executor.stats().running >= least, timeout_s=WAIT_S)


async def made(bot: Bot, stage: Stage, count: int) -> list[Job]:
    """Return all jobs once they are shown, none twice, with the books in order."""
    messages = await stage.ada.results(count, wait_s=WAIT_S)
    await kept_right(bot)
    ids = {job_of(message) for message in await stage.ada.messages()}
    assert len(ids) == len(messages) == len(await stage.ada.messages()) == count
    return await bot.stores.jobs.several(ids)


def are_the_same_bytes(jobs: list[Job]) -> bool:
    """Tell whether each seed has one picture, whoever made it and however often it was begun."""
    pictures = defaultdict(set)
    for job in jobs:
        pictures[job.seed].add(job.outputs[0].sha256)
    return [len(each) for each in pictures.values()] == [1, 1]


async def test_r19_a_worker_on_ray_outlives_its_nodes_and_their_head(
    stage: Stage, handle: Handle, fresh_postgres_url: str
) -> None:
    await asyncio.to_thread(handle.heal, 2)
    image = photo()
    settings = on_nodes(shared_settings(stage, fresh_postgres_url, "ray"), handle)
    async with (
        answering(shared_settings(stage, fresh_postgres_url, "bot")) as bot,
        at_work(settings) as worker,
    ):
        await until(lambda: len(engines(worker)) == 2, timeout_s=WAIT_S)
        await told(handle, "add 1")
        await until(lambda: len(engines(worker)) == 3, timeout_s=WAIT_S)
        await order(stage, image, count=8)
        await is_at_work(worker, least=2)
        await told(handle, f"kill {await busy_node(handle, worker)}")
        await until(lambda: len(engines(worker)) == 2, timeout_s=WAIT_S)
        await made(bot, stage, 8)
        await order(stage, image, count=4)
        await is_at_work(worker, least=2)
        for number in range(len(handle.processes)):
            await told(handle, f"kill {number}")
        await until(lambda: not engines(worker), timeout_s=WAIT_S)
        await order(stage, image, count=2)
        await asyncio.to_thread(handle.heal, 1)
        jobs = await made(bot, stage, 14)
        assert are_the_same_bytes(jobs)


async def test_a_worker_without_any_node_leaves_jobs_to_others(
    stage: Stage, handle: Handle, fresh_postgres_url: str
) -> None:
    await asyncio.to_thread(handle.heal, 1)
    names = ("bot", "ray", "plain")
    of_bot, of_ray, plain = (shared_settings(stage, fresh_postgres_url, it) for it in names)
    image = photo()
    async with answering(of_bot) as bot, at_work(on_nodes(of_ray, handle)) as worker:
        await order(stage, image, count=2)
        await made(bot, stage, 2)
        for number in range(len(handle.processes)):
            await told(handle, f"kill {number}")
        await until(lambda: not engines(worker), timeout_s=WAIT_S)
        await order(stage, image, count=2)
        async with at_work(plain):
            jobs = await made(bot, stage, 4)
        assert are_the_same_bytes(jobs)
        assert not worker.line.own
