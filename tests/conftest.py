"""What the whole test session shares, started at the first use: sandbox, Chromium, PostgreSQL."""

from tests.browser import chromium
from tests.sandbox.fixtures import sandbox, sandbox_session
from tests.storage.servers import (
    empty_postgres_url,
    fresh_postgres_url,
    postgres_server,
    postgres_url,
)

__all__ = [
    "chromium",
    "empty_postgres_url",
    "fresh_postgres_url",
    "postgres_server",
    "postgres_url",
    "sandbox",
    "sandbox_session",
]
