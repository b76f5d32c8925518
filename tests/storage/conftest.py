"""Databases for tests: migrated once, copied for each test, on both kinds."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from storage.migrating import upgrade
from tests.storage.servers import in_a_thread
from tests.storage.stores import Stores, open_stores


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an SQLite file with all migrations applied, to be copied."""
    path = tmp_path_factory.mktemp("template") / "atelier.sqlite3"
    in_a_thread(upgrade, f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """Return a fresh SQLite database with all migrations applied."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'atelier.sqlite3')}"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Return a fresh database of each kind."""
    url = request.getfixturevalue(f"{request.param}_url")
    assert isinstance(url, str)
    return url


@pytest_asyncio.fixture
async def stores(database_url: str, tmp_path: Path) -> AsyncIterator[Stores]:
    """Return everything that remembers, over a fresh database of each kind."""
    opened = open_stores(database_url, tmp_path)
    yield opened
    assert await opened.quotas.audit() == []
    await opened.database.close()
