"""One moment of a database as a file, and a database made of such a file.

SQLite copies itself through its online backup, PostgreSQL through ``pg_dump``; both inside a
transaction that reads which files the rows of that same moment refer to. Writers go on meanwhile.
"""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, select
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from storage.database import Database, address_of, connect_once, sqlite_path
from storage.errors import AlreadyThereError, ArchiveError, DatabaseMissingError, DumpError
from storage.migrating import refuse_newer, upgrade
from storage.tables import FileRow

CURE = "install PostgreSQL's client programs (apt-get install postgresql-client)"
_ALL_OR_NOTHING = ("--single-transaction", "--exit-on-error")
_PLAIN = ("--no-owner", "--no-privileges")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a database was at one moment.

    Args:
        kind: ``sqlite`` or ``postgresql``.
        revision: of its schema.
        files: the sizes in bytes of the files that its rows refer to, by digest.
    """

    kind: str
    revision: str
    files: Mapping[str, int]


async def take_snapshot(url: str, *, to: Path) -> Snapshot:
    """Write one moment of a database to a file, in place of what that file was.

    Raises:
        DatabaseMissingError: there is no database, or it has no tables.
        SchemaTooNewError: a newer program has migrated it.
        DumpError: ``pg_dump`` is missing or failed.
    """
    database = Database.open(url, read_only=True)
    try:
        return await database.read(partial(_write_out, url=url, to=to))
    finally:
        await database.close()


def require_empty(url: str) -> None:
    """Make sure that nothing would be overwritten; on PostgreSQL it runs a loop of its own.

    Raises:
        AlreadyThereError: there is a database already.
    """
    path = sqlite_path(url)
    if path is None:
        tables = connect_once(url, lambda each: inspect(each).get_table_names(), read_only=True)
        if tables:
            raise AlreadyThereError(f"the database has {len(tables)} tables already")
        return
    left = [path.with_name(path.name + end) for end in ("", "-wal", "-journal")]
    for each in left:
        if each.exists() or each.is_symlink():
            raise AlreadyThereError(f"{each} is there already")


def check_sqlite(path: Path, *, snapshot: Snapshot) -> None:
    """Make sure that an SQLite file is whole and the one that was described.

    Raises:
        ArchiveError: it is neither.
    """
    try:
        found = connect_once(f"sqlite:///{path}", _look, read_only=True)
    except DatabaseError as err:
        raise ArchiveError("the database in the archive is damaged") from err
    if found != ("ok", snapshot.revision, snapshot.files):
        raise ArchiveError("the database in the archive is not the one that was archived")


def load_snapshot(url: str, *, dump: Path) -> None:
    """Make a database of a snapshot of its kind, and bring it to this program's schema.

    The dump of an SQLite database is moved, so it has to lie on the same file system.

    Raises:
        DumpError: ``pg_restore`` is missing or failed; nothing was made.
    """
    path = sqlite_path(url)
    if path is None:
        run_program("pg_restore", url, *_ALL_OR_NOTHING, *_PLAIN, str(dump))
        upgrade(url)
        return
    upgrade(f"sqlite:///{dump}", backup=False)
    with closing(sqlite3.connect(dump)) as connection:
        # What the migrations left beside the file is moved into it.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    dump.chmod(0o600)
    dump.replace(path)


def run_program(name: str, url: str, *words: str) -> None:
    """Run one of PostgreSQL's programs on a database; the password is not among its words.

    Raises:
        DumpError: it is missing, or failed.
    """
    program = shutil.which(name)
    if program is None:
        raise DumpError(f"{name} is missing; {CURE}")
    address = address_of(url).set(drivername="postgresql")
    query = {("sslmode" if key == "ssl" else key): each for key, each in address.query.items()}
    secret = {"PGPASSWORD": str(address.password)} if address.password else {}
    plain = address._replace(password=None).set(query=query).render_as_string(hide_password=False)
    done = subprocess.run(  # noqa: S603 -- PostgreSQL's own program, our own words
        [program, "--dbname", plain, *words],
        env={**os.environ, **secret},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        raise DumpError(f"{name} failed: {said[0].removeprefix(f'{name}: ')}")


def _write_out(session: Session, *, url: str, to: Path) -> Snapshot:
    connection = session.connection()
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is None:
        raise DatabaseMissingError("the database has no tables yet")
    refuse_newer(revision)
    snapshot = Snapshot(kind=connection.dialect.name, revision=revision, files=_files(connection))
    if snapshot.kind == "sqlite":
        _copy(connection, to=to)
    else:
        # The dump sees what this transaction sees, as long as it is open.
        moment = session.connection().exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()
        words = ("--format=custom", f"--snapshot={moment}", f"--file={to}")
        run_program("pg_dump", url, *words, *_PLAIN)
    return snapshot


def _copy(connection: Connection, *, to: Path) -> None:
    source = connection.connection.driver_connection
    assert isinstance(source, sqlite3.Connection)
    to.unlink(missing_ok=True)
    with closing(sqlite3.connect(to)) as target:
        source.backup(target)


def _look(connection: Connection) -> tuple[object, str | None, Mapping[str, int]]:
    whole = connection.exec_driver_sql("PRAGMA integrity_check").scalars().first()
    revision = MigrationContext.configure(connection).get_current_revision()
    return whole, revision, _files(connection)


def _files(connection: Connection) -> dict[str, int]:
    rows = connection.execute(select(FileRow.sha256, FileRow.size_bytes))
    return {row.sha256: row.size_bytes for row in rows}
