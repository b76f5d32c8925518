"""Everything that a database remembers, carried from SQLite to PostgreSQL or back.

All of it or nothing: one transaction writes what another one reads, then reads it again and
compares every row. What is encrypted stays as it is, so that no key is needed; the files that rows
refer to stay where they are.
"""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    func,
    select,
    update,
)

from storage.database import Database, connect_once, sqlite_path
from storage.errors import (
    AlreadyThereError,
    CarriedWrongError,
    DatabaseHeldError,
    DatabaseMissingError,
    UnsupportedDatabaseError,
)
from storage.lock import hold
from storage.migrating import check, head_of, upgrade
from storage.policies import Ceilings
from storage.quotas import Quotas
from storage.tables import Base, UsageMarkRow
from storage.types import SealedBytes, SealedJson, SealedText, SealedToken

_BATCH = 500
_ONE_MOMENT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """How many rows arrived, by table, and how many accounts are not the sum of their ledger."""

    rows: Mapping[str, int]
    discrepancies: int


@dataclass(frozen=True, slots=True)
class Sum:
    """How many rows there are, and a sum of their digests, whatever their order."""

    rows: int = 0
    digests: int = 0

    def with_row(self, row: Row[Any]) -> "Sum":
        """Return the sum with one row more."""
        digest = hashlib.sha256(repr(tuple(row)).encode()).digest()
        return Sum(self.rows + 1, (self.digests + int.from_bytes(digest)) % 2**256)


def carry_over(source: str, *, target: str) -> Carried:
    """Carry a database over into an empty one of the other kind; it runs loops of its own.

    Raises:
        UnsupportedDatabaseError: both are of one kind, for which there are backups.
        DatabaseMissingError: there is no database to be carried over.
        SchemaError: its schema is not this program's.
        DatabaseHeldError: a bot runs on one of them.
        AlreadyThereError: the target remembers something already.
        CarriedWrongError: what arrived is not what was sent; nothing was kept.
    """
    if (sqlite_path(source) is None) == (sqlite_path(target) is None):
        raise UnsupportedDatabaseError(
            "both databases are of one kind: make a backup of one, and restore it in the other"
        )
    if head_of(source)[0] is None:
        raise DatabaseMissingError("there is no database to be carried over")
    with ExitStack() as held:
        for url in (source, target):
            held.enter_context(hold(url))
        check(source)
        if head_of(target)[0] is None:
            upgrade(target)
        check(target)
        sums = _both(source, target)
    return Carried(
        rows={name: each.rows for name, each in sums.items()},
        discrepancies=asyncio.run(_discrepancies(target)),
    )


def _both(source: str, target: str) -> dict[str, Sum]:
    """Copy from one to the other; the loop of PostgreSQL's is around SQLite's."""

    def from_sqlite(there: Connection) -> dict[str, Sum]:
        return connect_once(source, partial(_copy, target=there), read_only=True)

    def to_sqlite(here: Connection) -> dict[str, Sum]:
        here.exec_driver_sql(_ONE_MOMENT)
        return connect_once(target, lambda there: _copy(here, target=there), read_only=False)

    if sqlite_path(target) is None:
        return connect_once(target, from_sqlite, read_only=False)
    return connect_once(source, to_sqlite, read_only=True)


def _copy(source: Connection, *, target: Connection) -> dict[str, Sum]:
    _require_alone(source)
    tables = _tables()
    _require_empty(target, tables)
    sent = {table.name: _copy_table(source, table, target=target) for table in tables}
    for table in tables:
        if _sum_of(target, table) != sent[table.name]:
            raise CarriedWrongError(f"{table.name} did not arrive as it was sent")
    return sent


def _copy_table(source: Connection, table: Table, *, target: Connection) -> Sum:
    """Copy a table's rows; what they refer to in their own table follows when all are there."""
    found = Sum()
    names = table.c.keys()
    parents = [column for column in table.c if _is_own_parent(column)]
    links: list[tuple[Column[Any], Row[Any]]] = []
    if table.name == UsageMarkRow.__tablename__:
        # Jobs that arrived have left such marks here, too.
        target.execute(table.delete())
    for batch in _read(source, table):
        values = [dict(zip(names, row, strict=True)) for row in batch]
        for row, value in zip(batch, values, strict=True):
            found = found.with_row(row)
            for column in parents:
                if value[column.key] is not None:
                    links.append((column, row))
                    value[column.key] = None
        target.execute(table.insert(), values)
    for column, row in links:
        same = [key == row[names.index(key.key)] for key in table.primary_key]
        value = {column.key: row[names.index(column.key)]}
        target.execute(update(table).where(*same).values(value))
    _count_on(target, table)
    return found


def _read(connection: Connection, table: Table) -> Iterator[list[Row[Any]]]:
    rows = connection.execute(select(table).execution_options(yield_per=_BATCH))
    for batch in rows.partitions():
        yield list(batch)


def _sum_of(connection: Connection, table: Table) -> Sum:
    found = Sum()
    for batch in _read(connection, table):
        for row in batch:
            found = found.with_row(row)
    return found


def _count_on(connection: Connection, table: Table) -> None:
    """Have PostgreSQL count its keys on from the last one; SQLite does so by itself."""
    counted = table.autoincrement_column
    if connection.dialect.name != "postgresql" or counted is None:
        return
    last = connection.scalar(select(func.max(counted)))
    if last is not None:
        sequence = func.pg_get_serial_sequence(table.name, counted.name)
        connection.execute(select(func.setval(sequence, last)))


def _tables() -> list[Table]:
    """Return the tables with what they refer to first, and columns that leave secrets sealed."""
    as_stored = MetaData()
    for table in Base.metadata.sorted_tables:
        for column in table.to_metadata(as_stored).columns:
            if isinstance(column.type, SealedText | SealedToken):
                column.type = String()
            elif isinstance(column.type, SealedBytes):
                column.type = LargeBinary()
            elif isinstance(column.type, SealedJson):
                column.type = JSON(none_as_null=True)
    marks = UsageMarkRow.__tablename__
    return sorted(as_stored.sorted_tables, key=lambda table: table.name == marks)


def _is_own_parent(column: Column[Any]) -> bool:
    return any(key.column.table is column.table for key in column.foreign_keys)


def _require_alone(connection: Connection) -> None:
    """Make sure that no bot runs on a PostgreSQL database, which nobody can hold alone.

    Raises:
        DatabaseHeldError: others are connected to it.
    """
    if connection.dialect.name != "postgresql":
        return
    others = connection.exec_driver_sql(_OTHERS).scalar_one()
    if others:
        raise DatabaseHeldError(
            f"others are connected to the database ({others}); stop bots and workers first"
        )


def _require_empty(connection: Connection, tables: list[Table]) -> None:
    for table in tables:
        if connection.execute(select(table).limit(1)).first() is not None:
            raise AlreadyThereError(f"there are rows in {table.name} already; nothing was changed")


async def _discrepancies(url: str) -> int:
    database = Database.open(url, read_only=True)
    try:
        return len(await Quotas(database, ceilings=Ceilings(member_ms=0)).audit())
    finally:
        await database.close()
