"""A PostgreSQL server for a whole test session, and databases in it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import asyncpg
import pytest
import pytest_asyncio

from storage.migrating import upgrade
from storage.tables import Base
from tests.requirements import require
from tests.storage.postgres import CURE, running_server, server_programs

_TEMPLATE, _SHARED = "atelier_template", "atelier_shared"
_numbers = count(1)


def in_a_thread(function: Callable[..., object], *args: str) -> None:
    """Call what runs an event loop of its own without disturbing the tests' loop."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(function, *args).result()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Return the address of a server whose template database has all migrations applied."""
    programs = server_programs()
    require("postgres", available=programs is not None, cure=CURE)
    assert programs is not None
    with running_server(programs) as address:
        in_a_thread(_create, address, _TEMPLATE)
        in_a_thread(upgrade, address.format(_TEMPLATE))
        in_a_thread(_create, address, f"{_SHARED} TEMPLATE {_TEMPLATE}")
        yield address


def _create(address: str, name: str) -> None:
    asyncio.run(_administer(address, f"CREATE DATABASE {name}"))


async def _administer(address: str, statement: str, *, to: str = "postgres") -> None:
    connection = await asyncpg.connect(address.format(to))
    await connection.execute(statement)
    await connection.close()


@pytest_asyncio.fixture
async def fresh_postgres_url(postgres_server: str) -> AsyncIterator[str]:
    """Return a PostgreSQL database of the test's own, for tests that change the schema."""
    name = f"test_{next(_numbers)}"
    await _administer(postgres_server, f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
    yield postgres_server.format(name)
    await _administer(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest_asyncio.fixture
async def empty_postgres_url(postgres_server: str) -> AsyncIterator[str]:
    """Return a PostgreSQL database without any tables."""
    name = f"empty_{next(_numbers)}"
    await _administer(postgres_server, f"CREATE DATABASE {name}")
    yield postgres_server.format(name)
    await _administer(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest_asyncio.fixture
async def postgres_url(postgres_server: str) -> str:
    """Return a PostgreSQL database with all migrations applied and no rows.

    It is emptied instead of made anew, which is five times as fast.
    """
    tables = reversed(Base.metadata.sorted_tables)
    await _administer(
        postgres_server, ";".join(f"DELETE FROM {table.name}" for table in tables), to=_SHARED
    )
    return postgres_server.format(_SHARED)
