"""The database goes away under a running bot and comes back: members are told, nothing is lost."""

import asyncio

import pytest

from storage.migrating import upgrade
from tests.bot.members import Message, is_result, text_of
from tests.bot.stage import Stage
from tests.requirements import require
from tests.storage.postgres import CURE, served, server_programs


@pytest.mark.slow
async def test_r12_a_bot_outlives_postgresql_being_killed_three_times(stage: Stage) -> None:
    programs = server_programs()
    require("postgres", available=programs is not None, cure=CURE)
    assert programs is not None
    with served(programs) as server:
        url = server.address.format("postgres")
        await asyncio.to_thread(upgrade, url)
        async with stage.running(database_url=url) as bot:
            for number in range(1, 4):
                await stage.ada.remix("slow night", seed=number)
                await stage.ada.text("step")
                await asyncio.to_thread(server.kill)
                await stage.ben.remix("night")
                await stage.ben.until(is_sorry, count=number)
                await asyncio.to_thread(server.start)
                await stage.ada.results(number, wait_s=60)
            await stage.settled(bot)
            await stage.ben.remix("night")
            await stage.ben.results(4)
            await stage.settled(bot)
            assert await bot.stores.quotas.audit() == []
            assert len([*filter(is_result, await stage.ada.messages())]) == 4


def is_sorry(message: Message) -> bool:
    return "Something went wrong" in text_of(message)
