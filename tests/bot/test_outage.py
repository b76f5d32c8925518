"""R12: PostgreSQL is killed under running bots and workers, and comes back; nothing is lost."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from tests.bot.members import is_result, job_of
from tests.bot.pictures import photo
from tests.bot.stage import Stage, settled
from tests.bot.test_cut_off import said
from tests.bot.test_roles import answering, at_work, shared_settings
from tests.requirements import require
from tests.soak.installation import Installation, prepared
from tests.soak.members import waits
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


def kept_on_disk(folder: Path) -> int:
    """Return how many bytes a bot keeps of what its database has not taken."""
    return sum(path.stat().st_size for path in (folder / "acknowledged").glob("*"))


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_command_is_answered_whose_bot_dies_while_postgresql_is_away(
    stage: Stage, server: Server
) -> None:
    await prepared(server)
    alone = Installation(folder=stage.folder, server=server, details=stage.sandbox.details)
    log = stage.folder / "bot-1.log"
    await alone.start("bot 1")
    try:
        await said(log, event="ready")
        image = await stage.ada.upload(photo())
        stage.order(kind="cdn", mode="stall")
        await asyncio.to_thread(server.kill)
        answer = await stage.ada.remix("night", image=image)
        assert answer["status"] == 200
        assert kept_on_disk(stage.folder / "bot-1") > 0
        await alone.kill("bot 1")
        assert [waits(message) for message in await stage.ada.messages()] == [True]
        await alone.start("bot 1")
        await said(log, event="waiting for the database")
        await asyncio.to_thread(server.start)
        await stage.ada.text("I was cut off before I could begin", wait_s=WAIT_S)
        assert kept_on_disk(stage.folder / "bot-1") == 0
        await stage.ada.remix("night")
        await stage.ada.text("night", wait_s=WAIT_S)
        assert len(await stage.ada.messages()) == 2
    finally:
        await asyncio.gather(*map(alone.kill, [*alone.running]))


def test_a_start_without_its_database_ends_with_a_sentence_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.app.START_PATIENCE_S", 0.5)
    monkeypatch.setattr("bot.app.START_PAUSE_S", 0.2)
    monkeypatch.setenv("ATELIER_DATABASE_URL", f"postgresql://atelier@/atelier?host={tmp_path}")
    monkeypatch.setenv("ATELIER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("DISCORD_TOKEN", "none")
    done = CliRunner().invoke(app, ["run"])
    assert done.exit_code == 1, done.exception
    assert "waiting for the database" in done.output
    assert "atelier: the database does not answer: No such file or directory" in done.output
