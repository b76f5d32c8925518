"""A whole database goes from SQLite to PostgreSQL and back, with every row, or not at all."""

import asyncio
import random
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from storage.blocks import BlockStore
from storage.errors import (
    AlreadyThereError,
    CarriedWrongError,
    DatabaseHeldError,
    DatabaseMissingError,
    QuotaExceededError,
    SchemaOutdatedError,
    UnsupportedDatabaseError,
)
from storage.ledger import Scope
from storage.lock import hold
from storage.migrating import downgrade, upgrade
from storage.moving import carry_over
from storage.records import JobState
from storage.sealing import KeyRing, Seals, new_key
from storage.settings import KeyValues
from tests.storage.old_schemas import Rows, kept, load, rows_of
from tests.storage.stores import GUILD, MEMBER, PICTURE, Stores, open_stores
from tests.storage.test_old_schemas import use
from tests.storage.test_quotas import set_policy


async def history(stores: Stores, *, steps: int, seed: int) -> None:
    """Let members ask, grow impatient, get pictures and go on from them, at random."""
    rng = random.Random(seed)
    await set_policy(stores, Scope.MEMBER, 5000)
    await set_policy(stores, Scope.GUILD, 20_000, guild_id=GUILD)
    under_way: list[str] = []
    done: list[str | None] = [None]
    for number in range(steps):
        stores.clock.advance(seconds=rng.randrange(9000))
        member = MEMBER + rng.randrange(4)
        try:
            job = await stores.accept(
                member_id=member,
                reserve_ms=rng.randrange(1, 900),
                parent_id=rng.choice(done),
                prompt=rng.choice(["night", "雪 \N{SNOWMAN}", ""]),
                parameters={"strength": rng.random(), "n": [None, 2**40, "x"]},
                inputs={"image": PICTURE} if rng.random() < 0.8 else {},
            )
        except QuotaExceededError:
            await stores.quotas.grant(
                guild_id=GUILD, member_id=member, amount_ms=rng.randrange(1, 5000)
            )
            continue
        under_way.append(job.id)
        if rng.random() < 0.7:
            job_id = under_way.pop(rng.randrange(len(under_way)))
            claimed = await stores.jobs.claim_job(job_id, owner=f"w{number}", lease_s=60)
            assert claimed is not None
            if rng.random() < 0.6:
                picture = await stores.files.put(rng.randbytes(20), media_type="image/png")
                await stores.jobs.settle(
                    job_id,
                    owner=f"w{number}",
                    attempt=1,
                    outputs={0: picture},
                    device_ms=rng.randrange(1500),
                )
                done.append(job_id)
            elif rng.random() < 0.8:
                state = rng.choice([JobState.FAILED, JobState.CANCELLED])
                await stores.jobs.fail(
                    job_id, owner=f"w{number}", attempt=1, error="x", state=state
                )
        if number == steps // 2:
            await stores.sums.add_up()
    blocks = BlockStore(stores.database, clock=stores.clock)
    await blocks.block(
        GUILD, MEMBER, reason="\N{SNOWMAN}", lasts=timedelta(days=1), actor_id=MEMBER
    )
    await KeyValues(stores.database, clock=stores.clock).set("commands", "hash")


def write_history(url: str, folder: Path, *, steps: int, seals: Seals) -> None:
    """Fill a database as a bot of some age would have."""

    async def write() -> None:
        stores = open_stores(url, folder, seals=seals)
        stores.default_ms = 5000
        await history(stores, steps=steps, seed=steps)
        assert await stores.quotas.audit() == []
        await stores.database.close()

    asyncio.run(write())


def go_on(url: str, folder: Path, *, seals: Seals) -> None:
    """Have another job, whose rows are counted on from the last ones, and balance the books."""

    async def work() -> None:
        stores = open_stores(url, folder, seals=seals)
        job = await stores.done(member_id=1, prompt="one more")
        assert job.prompt == "one more"
        assert await stores.quotas.audit() == []
        assert await stores.jobs.unfinished()
        await stores.database.close()

    asyncio.run(work())


def in_order(rows: Rows) -> Rows:
    return {name: sorted(each, key=repr) for name, each in rows.items()}


def counts(rows: Rows) -> dict[str, int]:
    return {name: len(each) for name, each in rows.items() if name != "alembic_version"}


@pytest.mark.slow
@pytest.mark.parametrize("sealed", [False, True])
def test_a_random_history_goes_over_and_comes_back_row_by_row(
    sqlite_url: str, empty_postgres_url: str, tmp_path: Path, sealed: bool
) -> None:
    ring = KeyRing([new_key()])
    seals = Seals(contents=ring if sealed else KeyRing(), tokens=ring)
    write_history(sqlite_url, tmp_path, steps=40, seals=seals)
    before = rows_of(sqlite_url)
    there = carry_over(sqlite_url, target=empty_postgres_url)
    assert there.discrepancies == 0
    assert there.rows == counts(before)
    assert min(there.rows[name] for name in ("jobs", "ledger", "outputs", "usage", "audit")) > 0
    back = f"sqlite:///{tmp_path / 'back.sqlite3'}"
    assert carry_over(empty_postgres_url, target=back).rows == there.rows
    assert in_order(rows_of(back)) == in_order(before) == in_order(rows_of(sqlite_url))
    for url in (empty_postgres_url, back):
        go_on(url, tmp_path, seals=seals)


def test_what_an_older_version_left_goes_over_table_by_table_and_works(
    empty_postgres_url: str, tmp_path: Path
) -> None:
    script = max(kept("sqlite"), key=lambda path: path.read_text().count("CREATE TABLE"))
    url = f"sqlite:///{tmp_path / 'atelier.sqlite3'}"
    load(url, script)
    upgrade(url)
    assert carry_over(url, target=empty_postgres_url).rows == counts(rows_of(url))
    asyncio.run(use(empty_postgres_url, tmp_path))


def tell(url: str, *statements: str) -> None:
    """Run statements on a PostgreSQL database."""

    async def run() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute("; ".join(statements))
        await connection.close()

    asyncio.run(run())


@pytest.mark.slow
def test_what_is_broken_off_or_arrives_changed_leaves_nothing_and_can_be_repeated(
    sqlite_url: str, empty_postgres_url: str, tmp_path: Path
) -> None:
    write_history(sqlite_url, tmp_path, steps=10, seals=Seals())
    upgrade(empty_postgres_url)
    tell(empty_postgres_url, "ALTER TABLE ledger ADD CONSTRAINT never CHECK (amount_ms < 0)")
    with pytest.raises(Exception, match="never"):
        carry_over(sqlite_url, target=empty_postgres_url)
    assert set(counts(rows_of(empty_postgres_url)).values()) == {0}
    more = "CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS"
    tell(
        empty_postgres_url,
        "ALTER TABLE ledger DROP CONSTRAINT never",
        f"{more} 'BEGIN NEW.amount_ms := NEW.amount_ms + 1; RETURN NEW; END'",
        "CREATE TRIGGER more BEFORE INSERT ON ledger FOR EACH ROW EXECUTE FUNCTION more()",
    )
    with pytest.raises(CarriedWrongError, match="ledger"):
        carry_over(sqlite_url, target=empty_postgres_url)
    assert set(counts(rows_of(empty_postgres_url)).values()) == {0}
    tell(empty_postgres_url, "DROP TRIGGER more ON ledger")
    assert carry_over(sqlite_url, target=empty_postgres_url).discrepancies == 0
    with pytest.raises(AlreadyThereError, match="rows in"):
        carry_over(sqlite_url, target=empty_postgres_url)


def test_databases_that_are_in_use_missing_old_or_of_one_kind_are_refused(
    sqlite_url: str, fresh_postgres_url: str, tmp_path: Path
) -> None:
    with hold(sqlite_url), pytest.raises(DatabaseHeldError, match="stop the bot"):
        carry_over(sqlite_url, target=fresh_postgres_url)
    with pytest.raises(DatabaseMissingError):
        carry_over(f"sqlite:///{tmp_path / 'none'}", target=fresh_postgres_url)
    with pytest.raises(UnsupportedDatabaseError, match="backup"):
        carry_over(sqlite_url, target=f"sqlite:///{tmp_path / 'none'}")

    async def beside() -> None:
        connection = await asyncpg.connect(fresh_postgres_url)
        with pytest.raises(DatabaseHeldError, match="stop bots and workers"):
            await asyncio.to_thread(
                carry_over, fresh_postgres_url, target=f"sqlite:///{tmp_path / 'other'}"
            )
        await connection.close()

    asyncio.run(beside())
    downgrade(sqlite_url, revision="-1")
    with pytest.raises(SchemaOutdatedError):
        carry_over(sqlite_url, target=fresh_postgres_url)
