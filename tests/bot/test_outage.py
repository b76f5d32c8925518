"""R12: PostgreSQL is killed under running bots and workers, and comes back; nothing is lost."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.bot.members import is_result, job_of
from tests.bot.pictures import photo
from tests.bot.stage import Stage, settled
from tests.bot.test_roles import answering, at_work, shared_settings
from tests.requirements import require
from tests.soak.installation import prepared
from tests.storage.postgres import CURE, Server, served, server_programs

WAIT_S = 90.0


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of the test's own, which may be killed."""
    programs = server_programs()
    require("postgres", available=programs is not None, cure=CURE)
    assert programs is not None
    with served(programs) as running:
        yield running


@pytest.mark.slow
async def test_r12_a_bot_outlives_postgresql_being_killed_three_times(
    stage: Stage, server: Server
) -> None:
    async with stage.running(database_url=await prepared(server)) as bot:
        for number in range(1, 4):
            await stage.ada.remix("steady night", seed=number)
            await stage.ada.text("step")
            await asyncio.to_thread(server.kill)
            if number == 1:
                await stage.ben.remix("night")
                await stage.ben.text("My database does not answer right now")
            await asyncio.to_thread(server.start)
            await stage.ada.results(number, wait_s=60)
        await stage.settled(bot)
        await stage.ben.remix("night")
        await stage.ben.results(4)
        await stage.settled(bot)
        assert await bot.stores.quotas.audit() == []
        assert len([*filter(is_result, await stage.ada.messages())]) == 4


async def killed(server: Server, *, away_s: float) -> None:
    """Kill the server, and start it again after a while."""
    await asyncio.to_thread(server.kill)
    await asyncio.sleep(away_s)
    await asyncio.to_thread(server.start)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_r12_postgres_killed_three_times_under_load_costs_nothing_and_doubles_nothing(
    stage: Stage, server: Server
) -> None:
    url = await prepared(server)
    names = ("bot", "one", "two")
    of_bot, *of_workers = (shared_settings(stage, url, name) for name in names)
    image = photo()
    async with answering(of_bot) as bot, at_work(of_workers[0]), at_work(of_workers[1]):
        acknowledged = 0
        for away_s in (0.0, 2.0, 5.0):
            killing = asyncio.create_task(killed(server, away_s=away_s))
            while not killing.done():
                uploaded = await stage.ada.upload(image)
                answer = await stage.ada.remix(
                    f"slow {acknowledged % 3}", image=uploaded, seed=acknowledged % 2
                )
                acknowledged += answer["status"] == 200
                await asyncio.sleep(0.4)
            await killing
        messages = await stage.ada.results(acknowledged, wait_s=WAIT_S)
        await settled(bot, wait_s=WAIT_S)
        shown = [job_of(message) for message in messages]
        assert len(shown) == len(set(shown)) == acknowledged
        assert len(await stage.ada.messages()) == acknowledged
        assert await bot.stores.quotas.audit() == []
