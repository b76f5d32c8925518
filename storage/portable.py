"""INSERT ... ON CONFLICT, which SQLAlchemy keeps per database though the syntax is the same."""

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from storage.tables import Base


def insert_new(
    session: Session,
    table: type[Base],
    *,
    key: Mapping[str, Any],
    values: Mapping[str, Any],
) -> bool:
    """Insert a row unless one with that key exists; return whether it was inserted."""
    statement = insert(session, table).values(**key, **values)
    statement = statement.on_conflict_do_nothing(index_elements=_columns(table, key))
    result = session.execute(statement)
    return changed(result) == 1


def upsert(
    session: Session,
    table: type[Base],
    *,
    key: Mapping[str, Any],
    values: Mapping[str, Any],
) -> None:
    """Insert a row, or give the one with that key new values."""
    statement = insert(session, table).values(**key, **values)
    session.execute(
        statement.on_conflict_do_update(index_elements=_columns(table, key), set_=dict(values))
    )


def changed(result: object) -> int:
    """Return how many rows a statement changed."""
    return cast(CursorResult[Any], result).rowcount


def insert(session: Session, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT that can say what happens on a conflict."""
    on_sqlite = session.get_bind().dialect.name == "sqlite"
    return sqlite.insert(table) if on_sqlite else postgresql.insert(table)


def _columns(table: type[Base], key: Mapping[str, Any]) -> list[ColumnElement[Any]]:
    return [table.__table__.c[name] for name in key]
