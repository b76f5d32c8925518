"""Migrations: one line of them, equal to the tables, there and back, never by an old program."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, insert, inspect, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from storage import migrating
from storage.database import connect_once
from storage.errors import SchemaOutdatedError, SchemaTooNewError
from storage.files import StoredFile, place_of
from storage.guilds import GuildStore
from storage.ledger import Scope
from storage.migrating import alembic_config, check, downgrade, head_of, upgrade
from storage.policies import Policy, Standing
from storage.records import Likeness
from storage.tables import Base, InputRow, JobRow, LedgerRow, OutputRow
from storage.windows import Period
from tests.storage.stores import GUILD, MEMBER, PICTURE, RESULT, open_stores

NEXT = '''"""Add a table.

Revision: 2, after the head.
"""

import sqlalchemy as sa
from alembic import op

revision = "abcdef012345"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("extras", sa.Column("id", sa.Integer(), primary_key=True))
    {then}


def downgrade() -> None:
    op.drop_table("extras")
'''


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Return a database whose schema the test may change."""
    name = {"sqlite": "sqlite_url", "postgres": "fresh_postgres_url"}[request.param]
    url = request.getfixturevalue(name)
    assert isinstance(url, str)
    return url


def newer_program(folder: Path, monkeypatch: pytest.MonkeyPatch, *, then: str = "pass") -> None:
    """Give the program one more migration, as its next version has."""
    migrations = folder / "newer"
    shutil.copytree(migrating.migrations_folder(), migrations)
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    text = NEXT.format(head=head, then=then)
    (migrations / "versions" / "20990101_0000_add_a_table.py").write_text(text)
    monkeypatch.setattr(migrating, "migrations_folder", lambda: migrations)


def tables_of(url: str) -> set[str]:
    return set(connect_once(url, lambda each: inspect(each).get_table_names(), read_only=True))


def test_the_migrations_have_a_single_head_and_a_dated_name() -> None:
    scripts = ScriptDirectory.from_config(alembic_config())
    assert len(scripts.get_heads()) == 1
    for script in scripts.walk_revisions():
        date, time, slug = Path(script.path).stem.split("_", 2)
        assert (len(date), len(time), bool(slug)) == (8, 4, True)
        assert f"{date}{time}".isdigit()


def test_autogenerate_finds_nothing_to_add(database_url: str) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))

    assert connect_once(database_url, differences, read_only=True) == []


def test_r22_up_down_and_up_again(database_url: str) -> None:
    everything = tables_of(database_url)
    assert {"jobs", "ledger", "files", "alembic_version"} <= everything
    downgrade(database_url, revision="base")
    assert tables_of(database_url) == {"alembic_version"}
    with pytest.raises(SchemaOutdatedError):
        check(database_url)
    upgrade(database_url)
    assert tables_of(database_url) == everything
    check(database_url)


def test_jobs_of_before_keep_their_pictures_and_going_back_keeps_the_first_results(
    database_url: str, tmp_path: Path
) -> None:
    def statements(*lines: str) -> list[tuple[object, ...]]:
        def run(connection: Connection) -> list[tuple[object, ...]]:
            results = [connection.execute(text(line)) for line in lines]
            return [tuple(row) for row in results[-1]]

        return connect_once(database_url, run, read_only=False)

    async def settled(*, inputs: dict[str, StoredFile], outputs: dict[int, StoredFile]) -> str:
        stores = open_stores(database_url, tmp_path)
        job = await stores.claimed(inputs=inputs)
        await stores.jobs.settle(job.id, owner="bot", attempt=1, outputs=outputs, device_ms=1)
        await stores.database.close()
        return job.id

    usual = {"image": PICTURE, "style_image": RESULT}
    before = asyncio.run(settled(inputs=usual, outputs={0: RESULT}))
    mask = replace(RESULT, sha256="9" * 64, place=place_of("9" * 64))
    masked = {"image": PICTURE, "mask": mask}
    later = asyncio.run(settled(inputs=masked, outputs={1: PICTURE, 2: RESULT}))
    downgrade(database_url, revision="c1709ec42b0c")
    kept = "SELECT job_id, sha256 FROM outputs ORDER BY sha256"
    assert statements(kept) == [(later, PICTURE.sha256), (before, RESULT.sha256)]
    assert statements("SELECT count(*) FROM inputs WHERE role = 'mask'") == [(0,)]
    left = statements("SELECT sha256 FROM files ORDER BY sha256")
    assert left == sorted([(PICTURE.sha256,), (RESULT.sha256,)])
    upgrade(database_url, backup=False)
    assert statements("SELECT job_id, number FROM outputs ORDER BY sha256") == [
        (later, 0),
        (before, 0),
    ]
    assert sorted(statements("SELECT job_id, role FROM inputs")) == sorted(
        [(before, "image"), (before, "style_image"), (later, "image")]
    )


def test_results_of_before_have_no_figures_and_going_back_loses_these_alone(
    database_url: str, tmp_path: Path
) -> None:
    async def settled() -> str:
        stores = open_stores(database_url, tmp_path)
        job = await stores.claimed()
        figures = Likeness(mse=0.25, psnr=6.02, ssim=0.5, compared="whole")
        await stores.jobs.settle(
            job.id, owner="bot", attempt=1, outputs={0: RESULT}, likeness={0: figures}, device_ms=1
        )
        await stores.database.close()
        return job.id

    def kept(connection: Connection) -> list[tuple[object, ...]]:
        lines = "SELECT job_id, number, sha256, mse, compared FROM outputs"
        return [tuple(row) for row in connection.execute(text(lines))]

    job_id = asyncio.run(settled())
    before = connect_once(database_url, kept, read_only=True)
    assert before == [(job_id, 0, RESULT.sha256, 0.25, "whole")]
    downgrade(database_url, revision="3c5a9e71b204")
    upgrade(database_url, backup=False)
    after = connect_once(database_url, kept, read_only=True)
    assert after == [(job_id, 0, RESULT.sha256, None, None)]


def test_a_job_that_is_held_is_made_again_after_going_back(
    database_url: str, tmp_path: Path
) -> None:
    async def held() -> str:
        stores = open_stores(database_url, tmp_path)
        job = await stores.claimed()
        await stores.jobs.settle(
            job.id, owner="bot", attempt=1, outputs={0: RESULT}, device_ms=1, review_channel_id=5
        )
        await stores.database.close()
        return job.id

    async def claimed_again(job_id: str) -> None:
        stores = open_stores(database_url, tmp_path)
        job = await stores.jobs.claim(owner="other", lease_s=60)
        assert job is not None
        assert (job.id, job.attempt, job.outputs, job.held_at) == (job_id, 2, {}, None)
        assert await stores.quotas.audit() == []
        await stores.database.close()

    job_id = asyncio.run(held())
    downgrade(database_url, revision="c4f1d27a9e63")
    upgrade(database_url, backup=False)
    check(database_url)
    asyncio.run(claimed_again(job_id))


@pytest.mark.slow
def test_quotas_of_before_keep_their_balances_there_and_back(
    database_url: str, tmp_path: Path
) -> None:
    def accounts() -> list[tuple[object, ...]]:
        query = text("SELECT scope, period, used_ms, reserved_ms FROM accounts ORDER BY id")
        return connect_once(
            database_url, lambda each: [tuple(row) for row in each.execute(query)], read_only=False
        )

    async def spend(*, later: bool) -> None:
        stores = open_stores(database_url, tmp_path)
        quotas = stores.quotas
        await stores.done(device_ms=60)
        if later:
            for scope, subject_id in ((Scope.ROLE, 5), (Scope.CHANNEL, 6)):
                policy = Policy(
                    scope=scope,
                    guild_id=GUILD,
                    subject_id=subject_id,
                    period=Period.DAY,
                    limit_ms=5000,
                )
                await quotas.set_policy(policy, actor_id=MEMBER)
            await GuildStore(stores.database).set_time_zone(GUILD, "UTC", actor_id=MEMBER)
            await quotas.reset(scope=Scope.MEMBER, guild_id=GUILD, subject_id=MEMBER)
            await quotas.grant(guild_id=GUILD, member_id=MEMBER, amount_ms=500, lasting=True)
            await stores.accept(reserve_ms=1200, standing=Standing(channel_ids=(6,)))
        assert await quotas.audit() == []
        await stores.database.close()

    downgrade(database_url, revision="8d2f60b7a913")
    upgrade(database_url, backup=False)
    asyncio.run(spend(later=False))
    before = accounts()
    asyncio.run(spend(later=True))
    assert len(accounts()) == len(before) + 2
    downgrade(database_url, revision="8d2f60b7a913")
    assert accounts() == [("member", "day", 120, 1000)]
    upgrade(database_url, backup=False)
    check(database_url)
    asyncio.run(audited(database_url, tmp_path))


async def audited(url: str, folder: Path) -> None:
    stores = open_stores(url, folder)
    assert await stores.quotas.audit() == []
    assert await stores.quotas.policies() == []
    await stores.database.close()


@pytest.mark.slow
def test_r22_ten_thousand_jobs_go_down_to_the_first_schema_and_up_again(
    database_url: str, tmp_path: Path
) -> None:
    async def fill() -> None:
        stores = open_stores(database_url, tmp_path)
        job = await stores.done(device_ms=100, reserve_ms=100)
        await stores.database.write(partial(multiply, job_id=job.id, times=9999))
        assert await stores.quotas.audit() == []
        await stores.database.close()

    def counted(connection: Connection) -> list[int]:
        tables = ("jobs", "inputs", "outputs", "ledger", "accounts")
        queries = (text(f"SELECT count(*) FROM {name}") for name in tables)
        return [connection.execute(query).scalar_one() for query in queries]

    asyncio.run(fill())
    before = connect_once(database_url, counted, read_only=True)
    assert before[:3] == [10_000, 10_000, 10_000]
    first = list(ScriptDirectory.from_config(alembic_config()).walk_revisions())[-1].revision
    downgrade(database_url, revision=first)
    with pytest.raises(SchemaOutdatedError):
        check(database_url)
    assert connect_once(database_url, counted_then, read_only=True) == 10_000
    upgrade(database_url, backup=False)
    check(database_url)
    assert connect_once(database_url, counted, read_only=True) == before
    asyncio.run(audited(database_url, tmp_path))
    downgrade(database_url, revision="base")
    upgrade(database_url, backup=False)
    assert connect_once(database_url, counted, read_only=True) == [0, 0, 0, 0, 0]


def counted_then(connection: Connection) -> int:
    return int(connection.execute(text("SELECT count(*) FROM jobs")).scalar_one())


def multiply(session: Session, *, job_id: str, times: int) -> None:
    """Add jobs like one that is settled, with pictures, bookings and the balance."""

    def rows(table: type[Base], key: str) -> list[dict[str, Any]]:
        columns = table.__table__.c
        found = session.execute(select(*columns).where(columns[key] == job_id))
        return [dict(row) for row in found.mappings()]

    copies = [f"{number:032x}" for number in range(1, times + 1)]
    [job] = rows(JobRow, "id")
    session.execute(
        insert(JobRow),
        [
            {**job, "id": copy, "interaction_id": number, "nonce": f"copy {number}"}
            for number, copy in enumerate(copies, start=1)
        ],
    )
    for table in (InputRow, OutputRow, LedgerRow):
        for row in rows(table, "job_id"):
            row.pop("id", None)
            session.execute(insert(table), [{**row, "job_id": copy} for copy in copies])
    session.execute(text("UPDATE accounts SET used_ms = used_ms * :n"), {"n": times + 1})


def test_upgrading_again_changes_and_copies_nothing(sqlite_url: str, tmp_path: Path) -> None:
    assert upgrade(sqlite_url) is None
    assert not list(tmp_path.glob("*before-migration*"))


def test_a_new_database_is_made_with_its_folder(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a' / 'b %40' / 'atelier.sqlite3'}"
    assert head_of(url)[0] is None
    assert not (tmp_path / "a").exists()
    assert upgrade(url) is None
    current, expected = head_of(url)
    assert current == expected


def test_others_on_the_machine_can_read_neither_a_new_database_nor_its_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'here' / 'atelier.sqlite3'}"

    async def used() -> dict[str, int]:
        stores = open_stores(url, tmp_path)
        await stores.accept()
        modes = {path.suffix: path.stat().st_mode & 0o077 for path in (tmp_path / "here").iterdir()}
        await stores.database.close()
        return modes

    upgrade(url)
    assert asyncio.run(used()) == {".sqlite3": 0, ".sqlite3-wal": 0, ".sqlite3-shm": 0}
    newer_program(tmp_path, monkeypatch)
    copy = upgrade(url)
    assert copy is not None
    assert copy.stat().st_mode & 0o077 == 0


def test_an_sqlite_file_is_copied_before_it_is_migrated(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def accept() -> str:
        stores = open_stores(sqlite_url, tmp_path)
        job = await stores.accept()
        await stores.database.close()
        return job.id

    job_id = asyncio.run(accept())
    newer_program(tmp_path, monkeypatch)
    copy = upgrade(sqlite_url)
    assert copy is not None
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT id FROM jobs").fetchall() == [(job_id,)]
    assert "extras" not in tables_of(f"sqlite:///{copy}")
    assert "extras" in tables_of(sqlite_url)


def test_r22_an_old_program_refuses_a_newer_schema(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        newer_program(tmp_path, patched)
        upgrade(database_url)
    with pytest.raises(SchemaTooNewError, match="abcdef012345"):
        check(database_url)
    with pytest.raises(SchemaTooNewError):
        upgrade(database_url)
    assert "extras" in tables_of(database_url)


def test_a_migration_that_fails_half_way_leaves_the_schema_as_it_was(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = head_of(database_url)[0]
    newer_program(tmp_path, monkeypatch, then="raise ZeroDivisionError")
    with pytest.raises(ZeroDivisionError):
        upgrade(database_url)
    assert head_of(database_url)[0] == before
    assert "extras" not in tables_of(database_url)


def test_looking_at_the_schema_needs_no_turn_at_writing(sqlite_url: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "atelier.sqlite3", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        check(sqlite_url)


async def test_a_database_without_tables_says_so_at_once(tmp_path: Path) -> None:
    stores = open_stores(f"sqlite:///{tmp_path / 'empty.sqlite3'}", tmp_path)
    with pytest.raises(OperationalError, match="no such table"):
        await stores.accept()
    await stores.database.close()


def test_migrations_work_from_inside_the_package_as_in_a_wheel(tmp_path: Path) -> None:
    source = Path(migrating.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(source, tmp_path / "storage", ignore=ignored)
    shutil.copytree(
        source.parent / "migrations", tmp_path / "storage" / "migrations", ignore=ignored
    )
    code = (
        "from storage import migrating\n"
        "url = 'sqlite:///wheel.sqlite3'\n"
        "migrating.upgrade(url)\n"
        "migrating.check(url)\n"
        "print(migrating.migrations_folder())\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "storage" / "migrations")
