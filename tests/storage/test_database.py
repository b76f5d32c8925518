"""Connections: one writer, readers that cannot write, and values that survive both databases."""

import asyncio
import random
import threading
import time
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.orm import Session

from storage.database import Database, sqlite_path
from storage.errors import DatabaseMissingError, ReadOnlyError, UnsupportedDatabaseError
from storage.settings import KeyValues
from storage.tables import GuildRow, KeyValueRow
from tests.storage.stores import NOON, Stores, open_stores


async def pragma(database: Database, name: str) -> object:
    return await database.write(lambda session: session.scalar(text(f"PRAGMA {name}")))


async def test_sqlite_writes_ahead_synchronously_and_checks_references(sqlite_url: str) -> None:
    database = Database.open(sqlite_url)
    assert await pragma(database, "journal_mode") == "wal"
    assert await pragma(database, "synchronous") == 2
    assert await pragma(database, "foreign_keys") == 1
    assert await pragma(database, "busy_timeout") == 15_000
    await database.close()


async def test_two_hundred_writers_queue_and_none_fails(stores: Stores) -> None:
    values = KeyValues(stores.database)
    await asyncio.gather(*(values.set(f"key-{number}", "x") for number in range(200)))
    kept = await stores.database.read(lambda session: session.scalars(select(KeyValueRow)).all())
    assert len(kept) == 200


async def test_readers_do_not_wait_for_the_writer_and_see_no_half_of_it(
    sqlite_url: str, tmp_path: Path
) -> None:
    stores = open_stores(sqlite_url, tmp_path)
    written, go_on = threading.Event(), threading.Event()

    def add_and_wait(session: Session) -> None:
        add_guild(session)
        written.set()
        assert go_on.wait(timeout=20)

    writing = asyncio.ensure_future(stores.database.write(add_and_wait))
    await asyncio.to_thread(written.wait, 20)
    async with asyncio.timeout(10):
        assert await guilds(stores) == []
    go_on.set()
    await writing
    assert await guilds(stores) == [5]
    await stores.database.close()


async def guilds(stores: Stores) -> list[int]:
    return await stores.database.read(lambda session: list(session.scalars(select(GuildRow.id))))


def add_guild(session: Session) -> None:
    session.add(GuildRow(id=5, first_seen_at=NOON))
    session.flush()


async def test_a_reader_cannot_write(stores: Stores) -> None:
    with pytest.raises(DBAPIError, match=r"readonly|read-only"):
        await stores.database.read(add_guild)


async def test_a_transaction_that_raises_leaves_nothing(stores: Stores) -> None:
    def raise_half_way(session: Session) -> None:
        add_guild(session)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await stores.database.write(raise_half_way)
    assert await guilds(stores) == []


async def cancelled_after(seconds: float, work: Coroutine[Any, Any, object]) -> None:
    task = asyncio.ensure_future(work)
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_cancelled_callers_lock_nobody_out_and_the_books_stay_right(
    stores: Stores,
) -> None:
    rng = random.Random(3)
    started = time.monotonic()
    for _ in range(30):
        await cancelled_after(rng.uniform(0, 0.02), stores.accept(reserve_ms=1))
        await cancelled_after(rng.uniform(0, 0.01), stores.jobs.unfinished())
    job = await stores.accept(reserve_ms=1)
    assert job.id in {each.id for each in await stores.jobs.unfinished()}
    assert time.monotonic() - started < 12


async def test_closing_waits_for_what_a_cancelled_caller_left_under_way(
    database_url: str, tmp_path: Path
) -> None:
    stores = open_stores(database_url, tmp_path)
    await cancelled_after(0.001, stores.accept())
    await stores.database.close()
    again = open_stores(database_url, tmp_path)
    assert len(await again.jobs.unfinished()) == 1
    await again.database.close()


async def test_a_database_opened_for_reading_refuses_to_write(
    database_url: str, tmp_path: Path
) -> None:
    writing = open_stores(database_url, tmp_path)
    job = await writing.accept()
    reading = Database.open(database_url, read_only=True)
    assert await reading.read(lambda session: session.scalar(text("SELECT id FROM jobs"))) == job.id
    with pytest.raises(ReadOnlyError):
        await reading.write(add_guild)
    await reading.close()
    await writing.database.close()


async def test_opening_a_database_touches_nothing(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path / 'none.sqlite3'}")
    await database.close()
    assert await asyncio.to_thread(lambda: list(tmp_path.iterdir())) == []


def test_reading_needs_a_database_and_does_not_make_one(tmp_path: Path) -> None:
    with pytest.raises(DatabaseMissingError, match=r"none\.sqlite3 yet"):
        Database.open(f"sqlite:///{tmp_path / 'none.sqlite3'}", read_only=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://x/y", "sqlite://", "sqlite:///:memory:", "oracle://x"]
)
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(UnsupportedDatabaseError):
        Database.open(url)


def test_the_file_of_an_address_is_known() -> None:
    assert sqlite_path("sqlite:////var/lib/a%20b.sqlite3") == Path("/var/lib/a b.sqlite3")
    assert sqlite_path("sqlite+aiosqlite:///data/x.sqlite3") == Path("data/x.sqlite3")
    assert sqlite_path("postgresql://somewhere/atelier") is None


async def test_a_moment_comes_back_as_aware_utc(stores: Stores) -> None:
    east = timezone(timedelta(hours=5, minutes=45))
    moment = datetime(2026, 10, 25, 2, 30, 0, 123456, tzinfo=east)
    await stores.database.write(lambda session: session.add(GuildRow(id=5, first_seen_at=moment)))
    kept = await stores.database.read(
        lambda session: session.scalar(select(GuildRow.first_seen_at))
    )
    assert kept == moment
    assert kept is not None
    assert kept.tzinfo is UTC


async def test_a_naive_moment_is_refused(stores: Stores) -> None:
    naive = GuildRow(id=5, first_seen_at=datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(StatementError, match="naive"):
        await stores.database.write(lambda session: session.add(naive))


@pytest.mark.parametrize("value", ["a\x00b", "half \ud800", "\udfff"])
async def test_text_that_one_of_the_databases_refuses_is_refused_on_both(
    stores: Stores, value: str
) -> None:
    with pytest.raises(StatementError, match="surrogate"):
        await KeyValues(stores.database).set("key", value)


async def test_text_beyond_its_column_is_refused_on_both(stores: Stores) -> None:
    with pytest.raises(StatementError, match="exceeds 200"):
        await KeyValues(stores.database).set("k" * 201, "value")


async def test_the_largest_snowflake_is_kept_exactly(stores: Stores) -> None:
    await stores.accept(guild_id=2**63 - 1)
    assert await guilds(stores) == [2**63 - 1]


async def test_s7_an_error_of_the_database_does_not_quote_what_was_stored(
    stores: Stores,
) -> None:
    await stores.accept(nonce="the-same", prompt="private words")
    with pytest.raises(DBAPIError) as caught:
        await stores.accept(
            nonce="the-same", prompt="private words", interaction_token="secret-token"
        )
    assert "private words" not in str(caught.value)
    assert "secret-token" not in str(caught.value)


async def test_a_key_keeps_its_last_value(stores: Stores) -> None:
    values = KeyValues(stores.database)
    assert await values.get("commands") is None
    await values.set("commands", "one")
    await values.set("commands", "two")
    assert await values.get("commands") == "two"
