"""Databases of every earlier schema come up to ours with nothing lost, and work."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet
from alembic.script import ScriptDirectory
from sqlalchemy import select

from storage.migrating import alembic_config, check, head_of, upgrade
from storage.tables import JobRow
from tests.storage.old_schemas import Rows, keep, kept, load, rows_of
from tests.storage.stores import GUILD, MEMBER, open_stores

MADE_ANEW = {"usage", "usage_days", "usage_marks"}
"""Sums of the jobs, which an upgrade may throw away."""
IN_BETWEEN = {"8d2f60b7a913", "5d20b7e4a911", "2e8f4c6d10ab", "7b1e50c92d3f", "9e3b71c0d5f2",
              "c4f1d27a9e63", "4d7c1e92ab35"}  # fmt: skip


def each_kept() -> Iterator[ParameterSet]:
    """Yield every file that is kept; those that were the newest for some hours are slow."""
    for path in (*kept("sqlite"), *kept("postgresql")):
        marks = [pytest.mark.slow] if path.name.partition(".")[0] in IN_BETWEEN else []
        yield pytest.param(path, marks=marks, id=path.stem)


def values_of(row: dict[str, object]) -> Counter[str]:
    """Return what a row says, whatever its columns are called."""
    return Counter(repr(value) for value in row.values() if value is not None)


def lost(before: Rows, after: Rows) -> list[tuple[str, dict[str, object]]]:
    """Return the rows whose values are in no row of their table any more."""
    now = {name: [values_of(row) for row in rows] for name, rows in after.items()}
    return [
        (name, row)
        for name, rows in before.items()
        for row in rows
        if name not in {"alembic_version", *MADE_ANEW}
        and not any(values_of(row) <= there for there in now.get(name, []))
    ]


@pytest.fixture(params=each_kept())
def old_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return a database as an older version left it."""
    script: Path = request.param
    url = f"sqlite:///{tmp_path / 'atelier.sqlite3'}"
    if script.name.endswith(".postgresql.sql"):
        url = request.getfixturevalue("empty_postgres_url")
    load(url, script)
    return url


def test_every_earlier_schema_is_kept_of_each_kind_of_database() -> None:
    names = {kind: {path.name.partition(".")[0] for path in kept(kind)}
             for kind in ("sqlite", "postgresql")}  # fmt: skip
    revisions = ScriptDirectory.from_config(alembic_config()).walk_revisions()
    earlier = {each.revision for each in revisions if not each.is_head}
    assert names["sqlite"] == names["postgresql"] >= earlier


def test_an_older_database_comes_up_with_nothing_lost_and_works(
    old_url: str, tmp_path: Path
) -> None:
    before = rows_of(old_url)
    assert {name for name, rows in before.items() if not rows} <= MADE_ANEW, "all others have rows"
    revision, head = head_of(old_url)
    copy = upgrade(old_url)
    check(old_url)
    after = rows_of(old_url)
    assert lost(before, after) == []
    for name in before.keys() - MADE_ANEW:
        assert len(before[name]) == len(after[name]), name
    assert (copy is not None) == (old_url.startswith("sqlite") and revision != head)
    asyncio.run(use(old_url, tmp_path))


async def use(url: str, folder: Path) -> None:
    """Read every job, balance the books, and take one more job to its end."""
    stores = open_stores(url, folder)
    assert await stores.quotas.audit() == []
    await stores.sums.add_up()
    assert await stores.sums.audit() == []
    ids = await stores.database.read(lambda session: session.scalars(select(JobRow.id)).all())
    jobs = await stores.jobs.several(ids)
    assert len(jobs) == len(ids) == 6
    assert {job.locale for job in jobs} == {"en-US", "zh-CN"}
    assert sum(len(job.inputs) for job in jobs) == 6
    first = next(job for job in jobs if job.locale == "zh-CN")
    assert first.output is not None
    assert "\N{SNOWMAN}" in (first.prompt or "")
    left = await stores.quotas.balances(guild_id=GUILD, member_id=MEMBER)
    assert {balance.limit_ms for balance in left} == {1000, 9000}
    await stores.done(interaction_id=1, nonce="new")
    assert await stores.quotas.audit() == []
    await stores.database.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_what_is_kept_at_a_release_can_be_loaded(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = request.getfixturevalue(f"{kind}_url")
    target = f"sqlite:///{tmp_path / 'again.sqlite3'}"
    if kind == "postgres":
        target = request.getfixturevalue("empty_postgres_url")

    async def fill() -> None:
        stores = open_stores(url, tmp_path)
        await stores.done()
        await stores.database.close()

    asyncio.run(fill())
    script = keep(url, tmp_path)
    load(target, script)
    assert rows_of(target) == rows_of(url)
