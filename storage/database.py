"""One database, SQLite or PostgreSQL, with reading and writing kept apart.

A transaction is a plain function of a session. On SQLite it runs as a whole in a thread: one
thread and one connection for writing, whose transactions start with BEGIN IMMEDIATE, and a few
threads for reading that never wait for it. With several writers, a WAL database of the versions
before 3.51.3 can be damaged, and readers that turn into writers fail with "database is locked".
On PostgreSQL it runs on asyncpg, and readers are marked read-only.

A caller may be cancelled at any moment. A transaction that has begun then comes to its end by
itself, because a driver that is interrupted half-way leaves its locks behind.
"""

import asyncio
import json
import socket
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, Self, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from storage.errors import (
    DatabaseFullError,
    DatabaseGoneError,
    DatabaseMissingError,
    ReadOnlyError,
    UnsupportedDatabaseError,
    UnsureError,
)
from storage.sealing import Seals
from storage.types import give_seals

P = ParamSpec("P")
S = TypeVar("S", bound="UsesDatabase")
T = TypeVar("T")
_DRIVERS = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+asyncpg"}
WITHOUT_SEALS = Seals()
_BUSY_TIMEOUT_MS = 15_000
_READERS = 4
PATIENCE_S = 15.0
"""So long a transaction waits for a server that does not answer."""
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_GOING = frozenset({"57P01", "57P02", "57P03", "53300"})
"""PostgreSQL's codes for a shutdown, a crash, a start under way, and too many connections."""
_FULL = "53100"
_CONNECTION = "08"
"""What the codes of connections that broke begin with."""
SILENCE_S = 20
"""A host that is cut off for so long has lost its connection, and the locks that it held."""
_SERVED = {"jit": "off"}
"""Compiling a report's statements takes longer than to run them."""
_WATCHFUL = {
    **_SERVED,
    "idle_in_transaction_session_timeout": f"{SILENCE_S}s",
    "tcp_keepalives_idle": f"{SILENCE_S // 2}",
    "tcp_keepalives_interval": f"{SILENCE_S // 4}",
    "tcp_keepalives_count": "2",
    "tcp_user_timeout": f"{SILENCE_S}s",
}


class Runner(Protocol):
    """What runs transactions; there is one for each kind of database."""

    async def run(self, work: Callable[[Session], T]) -> T:
        """Run a function in a transaction, which is undone when it raises."""

    async def drain(self) -> None:
        """Wait until all that has begun has come to its end."""

    async def close(self) -> None:
        """Close the connections; another runner may share them, so all are drained before."""


class ThreadRunner:
    """Transactions in threads of their own, one connection each, for SQLite."""

    def __init__(self, engine: Engine, *, threads: int) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="atelier-sqlite")

    async def run(self, work: Callable[[Session], T]) -> T:
        """Run a function in a transaction; one that waits for its turn can still be cancelled."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._run, work)

    async def drain(self) -> None:
        """Wait for the threads; nothing can be run after that."""
        await asyncio.to_thread(self._threads.shutdown)

    async def close(self) -> None:
        """Close the threads' connections."""
        await asyncio.to_thread(self._engine.dispose)

    def _run(self, work: Callable[[Session], T]) -> T:
        try:
            with Session(self._engine, expire_on_commit=False) as session, session.begin():
                return work(session)
        except DBAPIError as err:
            if getattr(err.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                raise DatabaseFullError("the database's disk is full") from err
            raise


class LoopRunner:
    """Transactions on the event loop, for PostgreSQL.

    A server that is killed or restarted is waited for: a transaction whose connection breaks
    before the commit has changed nothing, and is run again.

    Args:
        keeps: whether a commit keeps something, so that it must not be repeated.
        patience_s: so long a server that does not answer is waited for.
    """

    def __init__(self, engine: AsyncEngine, *, keeps: bool, patience_s: float) -> None:
        self._engine = engine
        self._keeps = keeps
        self._patience_s = patience_s
        self._under_way: set[asyncio.Task[Any]] = set()

    async def run(self, work: Callable[[Session], T]) -> T:
        """Run a function in a transaction, to its end even when the caller is cancelled."""
        return await self.run_awaiting(lambda session: session.run_sync(work))

    async def run_awaiting(self, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Run a transaction that waits for other things, too, likewise."""
        task = asyncio.create_task(self._run(work))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def drain(self) -> None:
        """Wait for what is under way, the work of cancelled callers included."""
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def close(self) -> None:
        """Close the connections of the pool."""
        await self._engine.dispose()

    async def _run(self, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Run a function to its commit, waiting for a server that is away for a moment."""
        clock = asyncio.get_running_loop().time
        end, pause_s = clock() + self._patience_s, _FIRST_PAUSE_S
        while True:
            try:
                return await self._once(work)
            except UnsureError:
                raise
            except DatabaseGoneError:
                if clock() + pause_s > end:
                    raise
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _once(self, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
        async with AsyncSession(self._engine, expire_on_commit=False) as session:
            try:
                await session.connection()
            except OSError as err:
                raise DatabaseGoneError("the database does not answer") from err
            except DBAPIError as err:
                if _has_gone(err):
                    raise DatabaseGoneError("the database takes nobody in") from err
                raise
            kept = False
            try:
                result = await work(session)
                kept = self._keeps
                await session.commit()
            except DBAPIError as err:
                if _has_gone(err):
                    kind = UnsureError if kept else DatabaseGoneError
                    raise kind("the database has ended the connection") from err
                if getattr(err.orig, "sqlstate", None) == _FULL:
                    raise DatabaseFullError("the database's disk is full") from err
                raise
            return result


def _has_gone(error: DBAPIError) -> bool:
    """Tell whether an error means that the server has ended, or is about to."""
    code = getattr(error.orig, "sqlstate", None) or ""
    return error.connection_invalidated or code in _GOING or code.startswith(_CONNECTION)


class Database:
    """Transactions for reading and for writing; ``open`` makes one and connects to nothing."""

    def __init__(self, *, reader: Runner, writer: Runner | None) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    def open(cls, url: str, *, read_only: bool = False, seals: Seals = WITHOUT_SEALS) -> Self:
        """Return the database at an address such as ``sqlite:///data/atelier.sqlite3``.

        Args:
            url: its address.
            read_only: whether it is to be read alone.
            seals: the keys of what is encrypted in it.

        Raises:
            UnsupportedDatabaseError: the address names another kind of database.
            DatabaseMissingError: it is to be read only, and there is no such SQLite file.
        """
        path = sqlite_path(url)
        if path is None:
            return cls._open_postgres(address_of(url), read_only=read_only, seals=seals)
        if read_only and not path.is_file():
            raise DatabaseMissingError(f"there is no database at {path} yet")
        reader = _sqlite_engine(path, read_only=True, pool_size=_READERS)
        writer = _sqlite_engine(path, read_only=False, pool_size=1)
        for engine in (reader, writer):
            give_seals(engine.dialect, seals)
        return cls(
            reader=ThreadRunner(reader, threads=_READERS),
            writer=None if read_only else ThreadRunner(writer, threads=1),
        )

    @classmethod
    def _open_postgres(cls, address: URL, *, read_only: bool, seals: Seals) -> Self:
        serving = {"server_settings": _SERVED if read_only else _WATCHFUL}
        engine = create_async_engine(address, pool_pre_ping=True, connect_args=serving, **_DISCREET)
        give_seals(engine.dialect, seals)
        event.listen(engine.sync_engine, "connect", _notice_silence)
        steady = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        reading, patience_s = engine.execution_options(**steady), 0.0 if read_only else PATIENCE_S
        return cls(
            reader=LoopRunner(reading, keeps=False, patience_s=patience_s),
            writer=None if read_only else LoopRunner(engine, keeps=True, patience_s=patience_s),
        )

    async def read(self, work: Callable[[Session], T]) -> T:
        """Run a function that sees one moment of the database and cannot change it."""
        return await self._reader.run(work)

    async def write(self, work: Callable[[Session], T]) -> T:
        """Run a function whose changes are committed when it returns, undone when it raises.

        Raises:
            ReadOnlyError: the database was opened for reading.
        """
        if self._writer is None:
            raise ReadOnlyError("this database was opened for reading only")
        return await self._writer.run(work)

    async def write_awaiting(self, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Run a transaction that waits for other things, too, such as files; on PostgreSQL alone.

        It may be run again, if the server goes before its commit.
        """
        assert isinstance(self._writer, LoopRunner), "SQLite's one writer waits for nothing else"
        return await self._writer.run_awaiting(work)

    async def close(self) -> None:
        """Let what has begun come to its end, then close all connections."""
        runners = [self._reader, *([self._writer] if self._writer else [])]
        for runner in runners:
            await runner.drain()
        for runner in runners:
            await runner.close()


class UsesDatabase(Protocol):
    """A store: something with a database."""

    _database: Database


def reads(
    method: Callable[Concatenate[S, Session, P], T],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """Make a store's method a reading transaction; the session is handed to it."""

    @wraps(method)
    async def run(store: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await store._database.read(lambda session: method(store, session, *args, **kwargs))

    return run


def writes(
    method: Callable[Concatenate[S, Session, P], T],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """Make a store's method a writing transaction; the session is handed to it."""

    @wraps(method)
    async def run(store: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await store._database.write(lambda session: method(store, session, *args, **kwargs))

    return run


def address_of(url: str) -> URL:
    """Return a database address with the driver that is used for it.

    Raises:
        UnsupportedDatabaseError: it names neither an SQLite file nor PostgreSQL.
    """
    try:
        address = make_url(url)
    except ArgumentError as err:
        raise UnsupportedDatabaseError("the database address cannot be read") from err
    backend = address.get_backend_name()
    if backend not in _DRIVERS:
        raise UnsupportedDatabaseError(f"{backend} is not one of: {', '.join(_DRIVERS)}")
    if backend == "sqlite" and address.database in (None, "", ":memory:"):
        raise UnsupportedDatabaseError("an SQLite database has to be a file")
    return address.set(drivername=_DRIVERS[backend])


def sqlite_path(url: str) -> Path | None:
    """Return the file of an SQLite database, None for PostgreSQL.

    Raises:
        UnsupportedDatabaseError: the address names neither of them.
    """
    address = address_of(url)
    if address.get_backend_name() != "sqlite":
        return None
    assert address.database is not None
    return Path(address.database)


def connect_once(url: str, action: Callable[[Connection], T], *, read_only: bool) -> T:
    """Run one action in one transaction on a connection of its own, for migrations.

    On PostgreSQL this runs an event loop of its own.

    Raises:
        UnsupportedDatabaseError: the address names neither an SQLite file nor PostgreSQL.
        DatabaseGoneError: PostgreSQL does not answer, or takes nobody in; the message says why.
    """
    path = sqlite_path(url)
    if path is None:
        return asyncio.run(_connect_once(address_of(url), action))
    engine = _sqlite_engine(path, read_only=read_only, foreign_keys=False, poolclass=NullPool)
    with engine.begin() as connection:
        return action(connection)


async def _connect_once(address: URL, action: Callable[[Connection], T]) -> T:
    engine = create_async_engine(address, poolclass=NullPool, **_DISCREET)
    try:
        connection = await engine.connect()
    except OSError as err:
        raise DatabaseGoneError(f"the database does not answer: {err.strerror or err}") from err
    except DBAPIError as err:
        why = err.orig and err.orig.__cause__
        raise DatabaseGoneError(f"the database takes nobody in: {why or err.orig}") from err
    try:
        async with connection.begin():
            return await connection.run_sync(action)
    except DBAPIError as err:
        if _has_gone(err):
            raise DatabaseGoneError("the database has ended the connection") from err
        raise
    finally:
        await connection.close()


def _sqlite_engine(
    path: Path,
    *,
    read_only: bool,
    foreign_keys: bool = True,
    **pool: Any,  # noqa: ANN401 (SQLAlchemy's own options)
) -> Engine:
    address = URL.create(_DRIVERS["sqlite"], database=str(path))
    if read_only:
        query = {"mode": "ro", "uri": "true"}
        address = URL.create(address.drivername, database=path.resolve().as_uri(), query=query)
    engine = create_engine(address, connect_args={"check_same_thread": False}, **pool, **_DISCREET)
    event.listen(engine, "connect", _prepare(read_only=read_only, foreign_keys=foreign_keys))
    event.listen(engine, "begin", _begin("DEFERRED" if read_only else "IMMEDIATE"))
    return engine


def _prepare(*, read_only: bool, foreign_keys: bool) -> Callable[[DBAPIConnection, object], None]:
    """Return what sets a new SQLite connection up.

    The driver's own transaction control is switched off because it starts transactions late,
    as readers, and leaves schema changes outside of them. Migrations run without foreign keys,
    since SQLite alters a table by building another one and dropping the first.
    """

    def prepare(connection: DBAPIConnection, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        if read_only:
            cursor.execute("PRAGMA query_only = ON")
        else:
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = FULL")
            # What is deleted is overwritten, for it may be words that somebody wants gone.
            cursor.execute("PRAGMA secure_delete = ON")
        cursor.close()

    return prepare


def _notice_silence(connection: DBAPIConnection, _record: object) -> None:
    """Have our end of a new connection to PostgreSQL notice that the other is cut off."""
    # asyncpg offers no other way to its socket.
    transport = connection.driver_connection._transport
    end = transport.get_extra_info("socket")
    if end.family in (socket.AF_INET, socket.AF_INET6):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, SILENCE_S // 2)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, SILENCE_S // 4)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_S * 1000)


def _begin(kind: str) -> Callable[[Connection], None]:
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(f"BEGIN {kind}")

    return begin


def _to_json(value: object) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


# Errors of SQLAlchemy quote a statement's parameters, and those hold prompts and tokens.
_DISCREET: dict[str, Any] = {"hide_parameters": True, "json_serializer": _to_json}
