"""Databases as older versions left them: SQL with rows in every table, kept for ever.

``python -m tests.storage.old_schemas URL`` writes the file of one more schema, of a database that a
version about to be released has filled, and is called once for each kind of database. What is
there is never written anew: it is what was released.
"""

import asyncio
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, select

from storage.database import connect_once, sqlite_path
from storage.snapshots import run_program

FOLDER = Path(__file__).parent / "schemas"
Rows = dict[str, list[dict[str, Any]]]


def kept(kind: str) -> list[Path]:
    """Return the files of one kind of database, ``sqlite`` or ``postgresql``."""
    return sorted(FOLDER.glob(f"*.{kind}.sql"))


def load(url: str, script: Path) -> None:
    """Make a database of a kept file; on PostgreSQL it has to be there and empty."""
    text = script.read_text(encoding="utf-8")
    path = sqlite_path(url)
    if path is None:
        asyncio.run(_execute(url, text))
        return
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(text)


async def _execute(url: str, text: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(text)
    await connection.close()


def rows_of(url: str) -> Rows:
    """Return every row of every table, as the database itself describes them."""

    def read(connection: Connection) -> Rows:
        metadata = MetaData()
        metadata.reflect(connection)
        return {
            table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
            for table in metadata.sorted_tables
        }

    return connect_once(url, read, read_only=True)


def keep(url: str, folder: Path = FOLDER) -> Path:
    """Write a database into the file of its revision and kind."""

    def revision_of(connection: Connection) -> str | None:
        return MigrationContext.configure(connection).get_current_revision()

    revision, path = connect_once(url, revision_of, read_only=True), sqlite_path(url)
    target = folder / f"{revision}.{'postgresql' if path is None else 'sqlite'}.sql"
    if path is None:
        run_program("pg_dump", url, "--inserts", "--no-owner", f"--file={target}")
        # Lines that begin so are for psql alone.
        lines = [line for line in target.read_text().splitlines() if not line.startswith("\\")]
    else:
        with closing(sqlite3.connect(path)) as connection:
            lines = [*connection.iterdump()]
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return target


if __name__ == "__main__":
    sys.stdout.write(f"{keep(sys.argv[1])}\n")
