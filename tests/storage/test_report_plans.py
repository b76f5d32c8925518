"""No report reads all jobs: every statement of one goes through an index."""

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from storage.cuts import EVERYWHERE, Dimension
from storage.database import Database
from storage.questions import BY_ALL, Question
from tests.storage.stores import GUILD, MEMBER, NOON, open_stores

YEAR = Question(
    since=NOON - timedelta(days=365),
    until=NOON + timedelta(days=20, minutes=7),
    by=BY_ALL,
    parts=(NOON - timedelta(days=365), NOON),
    before=(NOON - timedelta(days=700), NOON - timedelta(days=365)),
)


@pytest.mark.parametrize(
    "changes",
    [
        {"guild_id": GUILD},
        {"by": (*BY_ALL, Dimension.GUILD)},
        {"guild_id": GUILD, "member_id": MEMBER},
        {"guild_id": GUILD, "role_id": 5, "by": (Dimension.MEMBER,)},
        {"pipeline": "remix", "guild_id": GUILD},
    ],
    ids=["guild", "everything", "member", "role", "pipeline"],
)
async def test_a_report_scans_neither_the_jobs_nor_the_sums(
    sqlite_url: str, tmp_path: Path, changes: dict[str, object]
) -> None:
    stores, said = open_stores(sqlite_url, tmp_path), list[tuple[str, Any]]()
    await stores.done()
    stores.clock.advance(days=40)
    await stores.sums.add_up()

    def remember(*call: object) -> None:
        said.append((str(call[2]), call[3]))

    event.listen(Engine, "before_cursor_execute", remember)
    try:
        question = Question(**{**_fields(YEAR), **changes})  # type: ignore[arg-type]
        await stores.reports.report(question)
    finally:
        event.remove(Engine, "before_cursor_execute", remember)
    await stores.database.close()
    asked = [(query, values) for query, values in said if query.startswith("SELECT")]
    assert len(asked) >= 2
    with closing(sqlite3.connect(tmp_path / "atelier.sqlite3")) as connection:
        for query, values in asked:
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", values)]
            assert not [step for step in plan if step.startswith(("SCAN jobs", "SCAN usage "))]
            assert "SCAN usage" not in plan


SUMS_OF = """
    INSERT INTO usage SELECT '{cut}', '{grain}', guild,
        timestamptz '2026-01-01' + time * '{step}'::interval, member, 0, 0, '', '',
        1, 1, 0, 0, 1, 1, 0, 1, 1, 1, 1, 1, '{{}}'
    FROM generate_series({first}, {last}) guild, generate_series(0, {times} - 1) time,
        generate_series(1, {members}) member
"""


async def test_postgres_knows_how_many_sums_of_all_together_there_are(
    fresh_postgres_url: str,
) -> None:
    """Many rows are of all together, by member, or by month, but few are all of it."""
    database = Database.open(fresh_postgres_url)
    everywhere = {"cut": "member", "first": EVERYWHERE, "last": EVERYWHERE}
    filled = [
        {"grain": "day", "step": "1 day", "times": 60, "members": 500, **everywhere},
        {"grain": "month", "step": "31 days", "times": 12, "members": 20, **everywhere},
        {"grain": "month", "step": "31 days", "times": 12, "members": 20, "cut": "channel",
         "first": 1, "last": 80},
    ]  # fmt: skip
    for each in filled:
        statement = text(SUMS_OF.format(**each))
        await database.write(lambda session: session.execute(statement).close())  # noqa: B023
    await database.write(lambda session: session.execute(text("ANALYZE usage")).close())
    asked = text(
        "EXPLAIN (FORMAT JSON) SELECT member_id FROM usage"
        f" WHERE cut = 'member' AND grain = 'month' AND guild_id = {EVERYWHERE}"
    )
    said = await database.read(lambda session: session.scalar(asked))
    await database.close()
    [plan] = said if isinstance(said, list) else json.loads(str(said))
    assert 60 <= plan["Plan"]["Plan Rows"] <= 900, "there are 240 of 49,440"


def _fields(question: Question) -> dict[str, object]:
    return {name: getattr(question, name) for name in ("since", "until", "by", "parts", "before")}
