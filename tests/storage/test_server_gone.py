"""A PostgreSQL server that is killed, a host that is cut off: what is waited for, and repeated."""

import os
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from storage.database import SILENCE_S, Database
from storage.errors import DatabaseGoneError, UnsureError
from tests.requirements import require
from tests.storage.postgres import CURE, Server, served, server_programs

HOST = f"127.84.{os.getpid() // 250 % 250}.{os.getpid() % 250 + 1}"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server of this file's own, which may be killed."""
    programs = server_programs()
    require("postgres", available=programs is not None, cure=CURE)
    assert programs is not None
    with served(programs, host=HOST) as running:
        yield running


@pytest.fixture
async def database(server: Server) -> AsyncIterator[Database]:
    """A database with one empty table."""
    opened = Database.open(f"postgresql://atelier@{HOST}/postgres")
    await opened.write(_begin_anew)
    yield opened
    await opened.close()


def _begin_anew(session: Session) -> None:
    session.execute(text("DROP TABLE IF EXISTS kept"))
    session.execute(text("CREATE TABLE kept (run int)"))


def _keep(session: Session, run: int) -> None:
    session.execute(text("INSERT INTO kept VALUES (:run)"), {"run": run})


def _kept(session: Session) -> list[int]:
    return list(session.scalars(text("SELECT run FROM kept")))


async def test_a_transaction_that_lost_its_server_is_run_again_when_there_is_one(
    server: Server, database: Database
) -> None:
    runs: list[int] = []

    def work(session: Session) -> int:
        runs.append(len(runs) + 1)
        _keep(session, runs[-1])
        if runs[-1] == 1:
            server.kill()
            server.start()
            _keep(session, runs[-1])
        return runs[-1]

    assert await database.write(work) == 2
    assert runs == [1, 2]
    assert await database.read(_kept) == [2]


async def test_what_was_lost_amid_its_commit_is_told_and_never_repeated(
    server: Server, database: Database
) -> None:
    runs: list[int] = []

    def work(session: Session) -> None:
        runs.append(1)
        _keep(session, 1)
        server.kill()

    with pytest.raises(UnsureError):
        await database.write(work)
    server.start()
    assert runs == [1]
    assert await database.read(_kept) == []


async def test_who_only_looks_is_told_at_once_that_nobody_is_there(server: Server) -> None:
    looking = Database.open(server.address.format("postgres"), read_only=True)
    server.kill()
    try:
        with pytest.raises(DatabaseGoneError):
            await looking.read(_kept)
    finally:
        server.start()
        await looking.close()


async def test_both_ends_notice_that_a_host_is_cut_off(database: Database) -> None:
    def ours(session: Session) -> int:
        driver = session.connection().connection.driver_connection
        assert driver is not None
        end: socket.socket = driver._transport.get_extra_info("socket")
        return end.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)

    def theirs(session: Session) -> list[str]:
        names = ("tcp_user_timeout", "tcp_keepalives_idle", "idle_in_transaction_session_timeout")
        return [session.scalars(text(f"SHOW {name}")).one() for name in names]

    assert await database.write(ours) == SILENCE_S * 1000
    assert await database.write(theirs) == ["20000", "10", "20s"]
