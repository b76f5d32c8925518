"""No report reads all jobs: every statement of one goes through an index."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from storage.cuts import Dimension
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
    asked = [(text, values) for text, values in said if text.startswith("SELECT")]
    assert len(asked) >= 2
    with closing(sqlite3.connect(tmp_path / "atelier.sqlite3")) as connection:
        for text, values in asked:
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", values)]
            assert not [step for step in plan if step.startswith(("SCAN jobs", "SCAN usage "))]
            assert "SCAN usage" not in plan


def _fields(question: Question) -> dict[str, object]:
    return {name: getattr(question, name) for name in ("since", "until", "by", "parts", "before")}
