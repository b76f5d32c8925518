"""Bots and workers as processes of their own on one PostgreSQL: who accepts, makes and tells."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot.composition import Bot, assembled
from bot.roles import Role, Shards, require_room
from bot.settings import Settings
from bot.worker import Worker, working
from storage.errors import DatabaseHeldError
from storage.sealing import new_key
from storage.tables import PreviewRow
from tests.bot.members import Message, job_of, text_of
from tests.bot.pipelines import PIPELINES
from tests.bot.stage import Stage, serving, settings_for, settled
from tests.requirements import require
from tests.soak.cluster import soak
from tests.storage.postgres import CURE, server_programs

KEYS = SecretStr(new_key())
pytestmark = pytest.mark.timeout(60)


def shared_settings(stage: Stage, url: str, name: str) -> Settings:
    """Return settings of one of several processes: its own folder, common pictures and keys."""
    folder = stage.folder / name
    folder.mkdir()
    pictures = stage.folder / "pictures"
    pictures.mkdir(exist_ok=True)
    (folder / "files").symlink_to(pictures)
    return settings_for(stage.sandbox, folder, database_url=url, keys=KEYS)


@asynccontextmanager
async def answering(settings: Settings, *, shards: str = "0/1") -> AsyncIterator[Bot]:
    """Run a bot without engines while the block runs."""
    held = Shards.parse(shards)
    async with (
        assembled(settings, role=Role.BOT, shards=held, pipelines=PIPELINES) as bot,
        serving(bot),
    ):
        yield bot


@asynccontextmanager
async def at_work(settings: Settings) -> AsyncIterator[Worker]:
    """Run a worker while the block runs."""
    stop = asyncio.Event()
    async with working(settings, pipelines=PIPELINES) as worker:
        task = asyncio.create_task(worker.run(stop=stop))
        try:
            yield worker
        finally:
            stop.set()
            await task


def shows_a_preview(message: Message) -> bool:
    """Tell whether a message shows a picture as it forms."""
    return any(file["filename"].startswith("preview-") for file in message["attachments"])


async def kept_previews(bot: Bot) -> int:
    """Return how many previews are kept."""

    def count(session: Session) -> int:
        return session.scalar(select(func.count()).select_from(PreviewRow)) or 0

    return await bot.stores.jobs._database.read(count)


async def kept_right(bot: Bot) -> None:
    """Wait until nothing is left to do, and check the books."""
    await settled(bot)
    assert await bot.stores.quotas.audit() == []


@pytest.mark.slow
async def test_a_bot_without_engines_has_workers_make_the_pictures(
    stage: Stage, fresh_postgres_url: str
) -> None:
    async with answering(shared_settings(stage, fresh_postgres_url, "bot")) as bot:
        await stage.ada.remix("slow night", seed=1)
        waits = await stage.ada.text("Yours is next")
        assert not bot.ready()
        async with at_work(shared_settings(stage, fresh_postgres_url, "worker")) as worker:
            [forming] = await stage.ada.until(shows_a_preview)
            assert "step" in text_of(forming)
            result = await stage.ada.result()
            assert result["id"] == waits["id"]
            await stage.ben.remix("endless night")
            await stage.ada.press(await stage.ben.text("step"), "Stop")
            await stage.ben.press(await stage.ben.text("step"), "Stop")
            await stage.ben.text("Stopped.")
            await kept_right(bot)
            assert not worker.line.own
            assert await kept_previews(bot) == 0
            job = await bot.stores.jobs.get(job_of(result))
            assert (job.attempt, job.owner, job.wait_ms is not None) == (1, None, True)
            assert bot.ready()
            [station] = bot.workers.engines.stats().stations
            assert station.up


@pytest.mark.slow
async def test_what_a_dead_worker_held_goes_to_another_and_is_told_once(
    stage: Stage, fresh_postgres_url: str
) -> None:
    async with answering(shared_settings(stage, fresh_postgres_url, "bot")) as bot:
        await stage.ada.remix("slow night")
        await stage.ada.text("Yours is next")
        [job] = await bot.stores.jobs.unfinished()
        taken = await bot.stores.jobs.claim_job(job.id, owner="a worker that died", lease_s=0.5)
        assert taken is not None
        async with at_work(shared_settings(stage, fresh_postgres_url, "worker")):
            result = await stage.ada.result()
            await kept_right(bot)
        job = await bot.stores.jobs.get(job_of(result))
        assert job.attempt == 2
        assert len(await stage.ada.messages()) == 1


@pytest.mark.slow
async def test_two_bots_that_hear_the_same_accept_and_deliver_once(
    stage: Stage, fresh_postgres_url: str
) -> None:
    first, second, third = (
        shared_settings(stage, fresh_postgres_url, name) for name in ("one", "two", "worker")
    )
    async with answering(first) as bot, answering(second), at_work(third):
        for number in range(3):
            await stage.ada.remix(f"night {number}", seed=number)
        results = await stage.ada.results(3)
        await kept_right(bot)
        assert len(results) == len(await stage.ada.messages()) == 3
        assert sorted(text_of(it).count("seed") for it in results) == [1, 1, 1]
        assert len(stage.requests("POST", "/callback")) == 3


@pytest.mark.slow
async def test_bots_hear_of_their_shards_alone_and_one_delivers_what_another_has_left(
    stage: Stage, fresh_postgres_url: str
) -> None:
    home = (int(stage.guild_id) >> 22) % 2
    async with answering(
        shared_settings(stage, fresh_postgres_url, "other"), shards=f"{1 - home}/2"
    ) as other:
        async with answering(
            shared_settings(stage, fresh_postgres_url, "home"), shards=f"{home}/2"
        ) as bot:
            await stage.ada.remix("night")
            await stage.ada.text("Yours is next")
            assert [len(it.client.guilds) for it in (bot, other)] == [1, 0]
        async with at_work(shared_settings(stage, fresh_postgres_url, "worker")):
            await stage.ada.result()
            await kept_right(other)
    assert len(await stage.ada.messages()) == 1


def test_shards_are_read_as_they_are_written() -> None:
    assert Shards.parse("0-1/4") == Shards(numbers=(0, 1), count=4)
    assert Shards.parse("3/4") == Shards(numbers=(3,), count=4)
    for text in ("4/4", "1-0/4", "1", "a/b", "0-1", "-1/4"):
        with pytest.raises(ValueError, match=r"0-1/4|no shards"):
            Shards.parse(text)


@pytest.mark.parametrize("role", [Role.BOT, Role.WORKER])
def test_several_processes_are_refused_on_sqlite(role: Role, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'atelier.sqlite3'}"
    with pytest.raises(DatabaseHeldError, match="SQLite serves one"):
        require_room(role, database=url)
    with pytest.raises(DatabaseHeldError, match="part of the shards"):
        require_room(Role.ALL, database=url, shards=Shards.parse("0/2"))
    require_room(Role.ALL, database=url, shards=Shards.parse("0-1/2"))
    require_room(role, database="postgresql://atelier@/atelier")


@pytest.mark.slow
@pytest.mark.timeout(590)
async def test_bots_and_workers_killed_at_random_lose_nothing_and_deliver_nothing_twice(
    tmp_path: Path,
) -> None:
    require("postgres", available=server_programs() is not None, cure=CURE)
    assert await soak(seconds=20, kill_every_s=4, seed=11, folder=tmp_path) == []
