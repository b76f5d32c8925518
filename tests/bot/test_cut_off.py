"""R19: a worker's host is cut off amid a job, which another one makes, and comes back."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bot.members import job_of
from tests.bot.pictures import photo
from tests.bot.stage import Stage, settled
from tests.bot.test_roles import KEYS, answering, at_work, shared_settings
from tests.requirements import require
from tests.soak import hosts
from tests.soak.installation import DATABASE, Installation, prepared
from tests.storage import postgres

WAIT_S = 120.0


@pytest.fixture
def host() -> Iterator[hosts.Host]:
    """A host of its own for one worker."""
    require("namespaces", available=hosts.can_be_had(), cure=hosts.CURE)
    with hosts.hosted() as made:
        yield made


@pytest.fixture
def server(host: hosts.Host) -> Iterator[postgres.Server]:
    """A server that the host reaches, too."""
    programs = postgres.server_programs()
    require("postgres", available=programs is not None, cure=postgres.CURE)
    assert programs is not None
    with postgres.served(programs, host=host.ours) as running:
        yield running


async def said(log: Path, **wanted: object) -> dict[str, Any]:
    """Wait until a process has logged a line with these fields, and return it."""
    async with asyncio.timeout(WAIT_S):
        while True:
            for line in (await asyncio.to_thread(log.read_text)).splitlines():
                found = json.loads(line) if line.startswith("{") else {}
                if wanted.items() <= found.items():
                    return dict(found)
            await asyncio.sleep(0.1)


def test_a_host_can_be_had_as_soon_as_the_last_one_is_given_up() -> None:
    require("namespaces", available=hosts.can_be_had(), cure=hosts.CURE)
    for _ in range(5):
        with hosts.hosted():
            pass


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_r19_a_host_that_is_cut_off_is_fenced_out_and_works_again_when_it_is_back(
    stage: Stage, host: hosts.Host, server: postgres.Server
) -> None:
    url = await prepared(server)
    of_bot, of_second = (shared_settings(stage, url, name) for name in ("bot", "second"))
    far = Installation(
        folder=stage.folder,
        server=server,
        details=stage.sandbox.details,
        key=KEYS.get_secret_value(),
    )
    image, log = photo(), stage.folder / "worker-1.log"
    theirs = f"postgresql://atelier@{host.ours}/{DATABASE}"
    async with answering(of_bot) as bot:
        await far.start("worker 1", within=host.within, ATELIER_DATABASE_URL=theirs)
        try:
            await said(log, event="working")
            await stage.ada.remix("steady night", image=await stage.ada.upload(image), seed=7)
            await stage.ada.text("step", wait_s=WAIT_S)
            host.cut()
            async with at_work(of_second):
                first = await stage.ada.result(wait_s=WAIT_S)
                await settled(bot)
            job = await bot.stores.jobs.get(job_of(first))
            assert job.attempt == 2
            host.mend()
            await said(log, event="a job went to another owner", job=job.id)
            await stage.ada.remix("steady night", image=await stage.ada.upload(image), seed=7)
            results = await stage.ada.results(2, wait_s=WAIT_S)
            await settled(bot)
        finally:
            await far.kill("worker 1")
        jobs = await bot.stores.jobs.several([job_of(message) for message in results])
        assert [job.attempt for job in jobs] == [2, 1]
        assert len({job.outputs[0].sha256 for job in jobs}) == 1
        assert len(await stage.ada.messages()) == 2
        assert await bot.stores.quotas.audit() == []
