"""The jobs of two years of many servers, made inside the database from the jobs' own numbers.

200 servers have 5,000 members, the largest 1,500 of them and three tenths of all jobs; ten
channels and ten roles each. Members differ in how much they ask for (a quarter of them for half of
all), and keep to some channels and pipelines. What a job is follows from its number alone, so a
history is the same on every database. Triggers are taken off while it is loaded, and indices built
after it: that is how to load any history.
"""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

# ruff: noqa: S608 -- the statements are made of our own words alone.
from generation.registry import PIPELINES
from storage.database import connect_once, sqlite_path
from storage.tables import TRIGGERS, JobRow

BEGUN, DAYS = datetime(2024, 1, 1, 12, tzinfo=UTC), 730
ENDED = BEGUN + timedelta(days=DAYS)
GUILDS, MEMBERS, LARGEST, LARGEST_MEMBERS = 200, 5000, 1, 1500
_CHUNK = 250_000
_SQLITE, _POSTGRES = "sqlite", "postgresql"
_NUMBERS = {
    _SQLITE: "WITH RECURSIVE numbers(n) AS (SELECT {low} UNION ALL"
    " SELECT n + 1 FROM numbers WHERE n + 1 < {high})",
    _POSTGRES: "WITH numbers(n) AS (SELECT generate_series({low}::bigint, {high}::bigint - 1))",
}
_MOMENTS = {
    _SQLITE: "strftime('%Y-%m-%d %H:%M:%f000', {epoch}, 'unixepoch')",
    _POSTGRES: "to_timestamp({epoch})",
}
_IDS = {_SQLITE: "printf('%032x', n)", _POSTGRES: "lpad(to_hex(n), 32, '0')"}
_TEXTS = {_SQLITE: "TEXT", _POSTGRES: "json"}
# Two numbers without a pattern, and of these a share u, a member m and small numbers c and d.
_DRAWN = (
    "SELECT n, {at} AS at, x, x / 4294967296.0 AS u, (x % 65521) * (n % 65519) % 2147483647 AS y"
    " FROM (SELECT n, n * 2654435761 % 4294967296 AS x FROM numbers) AS first"
)
_WHO = (
    f"SELECT n, at, x, y, CAST(floor({MEMBERS} * u * u) AS bigint) * 1237 % {MEMBERS} AS m,"
    " y % 1000 AS c, y / 1000 % 1000 AS d FROM drawn"
)
_WHERE = (
    f"SELECT n, at, x, y, m, c, d, CASE WHEN m < {LARGEST_MEMBERS} THEN {LARGEST} ELSE"
    f" {LARGEST + 1} + CAST(floor({GUILDS - 1} * ((m - {LARGEST_MEMBERS}) * (m -"
    f" {LARGEST_MEMBERS}) * 1.0 / ({MEMBERS - LARGEST_MEMBERS} * {MEMBERS - LARGEST_MEMBERS})))"
    " AS bigint) END AS guild FROM who"
)


def load(url: str, *, jobs: int, days: int = DAYS) -> None:
    """Fill a database that has its tables and nothing else; no sums are made."""
    path = sqlite_path(url)
    if path is None:
        _on_postgres(url, jobs=jobs, days=days)
    else:
        _on_sqlite(str(path), jobs=jobs, days=days)


def _on_sqlite(path: str, *, jobs: int, days: int) -> None:
    """Write without a journal: what breaks off half-way is thrown away."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -200000"):
            connection.execute(f"PRAGMA {pragma}")
        connection.create_function("floor", 1, int)
        indices = "SELECT name, sql FROM sqlite_master WHERE tbl_name = 'jobs' AND type = 'index'"
        made = [each for each in connection.execute(indices).fetchall() if each[1]]
        for name, _ in made:
            connection.execute(f"DROP INDEX {name}")
        for statement in [*_taken_off(_SQLITE), *_places(_SQLITE)]:
            connection.execute(statement)
        for low in range(0, jobs, _CHUNK):
            every_s = days * 86400 / jobs
            connection.execute(_insert(_SQLITE, low, min(jobs, low + _CHUNK), every_s=every_s))
        for _, statement in made:
            connection.execute(statement)
        for statement in TRIGGERS[_SQLITE]:
            connection.execute(statement)
        connection.execute("ANALYZE")
        connection.execute("PRAGMA journal_mode = WAL")


def _on_postgres(url: str, *, jobs: int, days: int) -> None:
    def run(connection: Connection) -> None:
        table: Any = JobRow.__table__
        indices = [index for index in table.indexes if not index.unique]
        for index in indices:
            index.drop(connection)
        for statement in [*_taken_off(_POSTGRES), *_places(_POSTGRES)]:
            connection.exec_driver_sql(statement)
        for low in range(0, jobs, _CHUNK):
            high = min(jobs, low + _CHUNK)
            connection.exec_driver_sql(_insert(_POSTGRES, low, high, every_s=days * 86400 / jobs))
        for index in indices:
            index.create(connection)
        for statement in TRIGGERS[_POSTGRES]:
            connection.exec_driver_sql(statement)

    connect_once(url, run, read_only=False)
    asyncio.run(_vacuumed(url))


async def _vacuumed(url: str) -> None:
    """Do what the server's own housekeeping does after a while."""
    import asyncpg

    connection = await asyncpg.connect(url)
    for table in ("jobs", "usage"):
        await connection.execute(f"VACUUM ANALYZE {table}")
    await connection.close()


def _taken_off(kind: str) -> list[str]:
    return [statement for statement in TRIGGERS[kind] if statement.startswith("DROP")]


def _places(kind: str) -> list[str]:
    """Return what makes the servers and their members known."""
    first = _MOMENTS[kind].format(epoch=f"{BEGUN.timestamp():.0f}")
    columns = "first_seen_at"
    everybody = _NUMBERS[kind].format(low=0, high=MEMBERS)
    # A member's number is drawn once with each value, whatever the job's number.
    drawn = "SELECT n, 0 AS at, 0 AS x, 0 AS y, n AS m, 0 AS c, 0 AS d FROM numbers"
    where = f"{everybody}, who AS ({drawn}), placed AS ({_WHERE})"
    return [
        f"INSERT INTO guilds (id, {columns}) {where}"
        f" SELECT guild, min({first}) FROM placed GROUP BY guild",
        f"INSERT INTO members (guild_id, member_id, {columns}) {where}"
        f" SELECT guild, m + 1000, {first} FROM placed",
    ]


def _insert(kind: str, low: int, high: int, *, every_s: float) -> str:
    """Return the statement that makes the jobs of some numbers."""
    moment = _MOMENTS[kind]
    at = f"{BEGUN.timestamp():.0f} + n * {every_s:.9f}"
    wait_ms, run_ms = "(100 + x % 300 * (y % 300))", "(800 + d * d / 50)"
    end = moment.format(epoch=f"at + ({wait_ms} + {run_ms}) / 1000.0")
    names = " ".join(f"WHEN {number} THEN '{name}'" for number, name in enumerate(PIPELINES))
    pipeline = (
        f"(m * 3 + CASE WHEN d < 600 THEN 0 WHEN d < 900 THEN 1 ELSE d END) % {len(PIPELINES)}"
    )
    channel = "(m * 7 + CASE WHEN c < 700 THEN 0 WHEN c < 900 THEN 1 ELSE c END) % 10"
    done, failed = "y % 100 < 92", "y % 100 BETWEEN 92 AND 96"
    columns = {
        "id": _IDS[kind],
        "interaction_id": "n + 1",
        "guild_id": "guild",
        "channel_id": f"guild * 100 + {channel}",
        "member_id": "m + 1000",
        "command": "'remix'",
        "pipeline": f"CASE {pipeline} {names} END",
        "model": "CASE WHEN x % 10 < 6 THEN NULL WHEN x % 10 < 9 THEN 'starter' ELSE 'night' END",
        "seed": "n % 1000",
        "locale": "'en-US'",
        "nonce": "CAST(n AS text)",
        "token_expires_at": moment.format(epoch="at + 900"),
        "state": f"CASE WHEN {done} THEN 'done' WHEN {failed} THEN 'failed' ELSE 'cancelled' END",
        "attempt": "1",
        "reserve_ms": "9000",
        "device_ms": f"CASE WHEN {done} THEN 500 + d * 8 ELSE 0 END",
        "wait_ms": wait_ms,
        "error": f"CASE WHEN {failed} THEN CASE WHEN c < 900 THEN 'EngineLostError'"
        " ELSE 'UnsafePictureError' END END",
        "created_at": moment.format(epoch="at"),
        "started_at": moment.format(epoch=f"at + {wait_ms} / 1000.0"),
        "finished_at": end,
        "delivered_at": end,
        "purged_at": moment.format(epoch="at + 2592000"),
        "role_ids": f"CAST('[' || (guild * 100 + m % 3) || ',' || (guild * 100 + 3 + m % 7) || ']'"
        f" AS {_TEXTS[kind]})",
        "pictures": f"CASE WHEN {done} THEN 1 + x % 2 ELSE 0 END",
        "input_bytes": "200000",
        "output_bytes": "400000",
    }
    source = (
        f"{_NUMBERS[kind].format(low=low, high=high)}, drawn AS ({_DRAWN.format(at=at)}),"
        f" who AS ({_WHO}), placed AS ({_WHERE}) SELECT {', '.join(columns.values())} FROM placed"
    )
    return f"INSERT INTO jobs ({', '.join(columns)}) {source}"
