"""Bring a database to the schema of this program, or tell how far it is from it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from storage.database import connect_once, sqlite_path
from storage.errors import SchemaOutdatedError, SchemaTooNewError

_LOCK = 4_019_771_262
"""Any number that no other program is likely to lock in the same database."""


def upgrade(url: str, *, backup: bool = True, revision: str = "head") -> Path | None:
    """Apply the migrations, all or none, and return the copy made before, if one was made.

    The copy is made of an SQLite file that lacks migrations and lies beside it. It
    blocks, so inside an event loop call it through ``asyncio.to_thread``.

    Raises:
        SchemaTooNewError: a newer program has migrated this database; nothing was touched.
    """
    current, expected = head_of(url)
    refuse_newer(current)
    path = sqlite_path(url)
    copy = None
    if backup and path is not None and current not in (None, expected):
        copy = copy_sqlite(path, to=_backup_place(path))
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        _for_its_owner_alone(path)
    connect_once(url, partial(_run, command.upgrade, revision), read_only=False)
    return copy


def downgrade(url: str, *, revision: str) -> None:
    """Take migrations back, down to ``revision`` (``base`` is an empty database)."""
    connect_once(url, partial(_run, command.downgrade, revision), read_only=False)


def head_of(url: str) -> tuple[str | None, str]:
    """Return the database's revision, None when it has no tables, and the program's."""
    expected = _scripts().get_current_head()
    assert expected is not None, "the migrations have one head"
    path = sqlite_path(url)
    if path is not None and not path.exists():
        return None, expected
    return connect_once(url, _revision_of, read_only=True), expected


def check(url: str) -> None:
    """Make sure that the database has exactly this program's schema.

    Raises:
        SchemaOutdatedError: migrations are missing.
        SchemaTooNewError: a newer program has migrated it.
    """
    current, expected = head_of(url)
    refuse_newer(current)
    if current != expected:
        raise SchemaOutdatedError(f"the database is at {current or 'nothing'}, not {expected}")


def refuse_newer(current: str | None) -> None:
    """Make sure that this program knows a revision, as it does those before its own.

    Raises:
        SchemaTooNewError: it does not.
    """
    known = {script.revision for script in _scripts().walk_revisions()}
    if current is not None and current not in known:
        raise SchemaTooNewError(
            f"the database is at revision {current}, which this version does not know; "
            "a newer version of Atelier has migrated it"
        )


def copy_sqlite(path: Path, *, to: Path) -> Path:
    """Copy an SQLite database consistently, even while it is written to."""
    _for_its_owner_alone(to)
    source = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    with closing(source), closing(sqlite3.connect(to)) as target:
        source.backup(target)
    return to


def migrations_folder() -> Path:
    """Return where the migrations are: inside this package in a wheel, beside it otherwise."""
    shipped = Path(__file__).parent / "migrations"
    return shipped if shipped.is_dir() else Path(__file__).parent.parent / "migrations"


def alembic_config(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration for these migrations."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _run(action: Callable[[Config, str], None], revision: str, connection: Connection) -> None:
    """Migrate, one process after the other where several start at once."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    action(alembic_config(connection), revision)


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(alembic_config())


def _revision_of(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _for_its_owner_alone(path: Path) -> None:
    """Make a file that is not there yet, empty; what SQLite lays beside it is as it is."""
    path.touch(mode=0o600, exist_ok=True)


def _backup_place(path: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    return path.with_name(f"{path.name}.before-migration-{stamp}")
