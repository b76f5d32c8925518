"""Fixtures of the sandbox's own tests."""

from collections.abc import AsyncIterator

import pytest

from tests.sandbox.fixtures import RunningSandbox
from tests.sandbox.people import Person
from tests.sandbox.raw import RawBot


@pytest.fixture
async def ada(sandbox: RunningSandbox) -> AsyncIterator[Person]:
    """A plain member."""
    async with Person(sandbox.details, "Ada") as person:
        yield person


@pytest.fixture
async def ben(sandbox: RunningSandbox) -> AsyncIterator[Person]:
    """Another plain member."""
    async with Person(sandbox.details, "Ben") as person:
        yield person


@pytest.fixture
async def cleo(sandbox: RunningSandbox) -> AsyncIterator[Person]:
    """An admin."""
    async with Person(sandbox.details, "Cleo") as person:
        yield person


@pytest.fixture
async def raw(sandbox: RunningSandbox) -> AsyncIterator[RawBot]:
    """A bot without any library: bare HTTP and a bare websocket."""
    async with RawBot(sandbox.details) as bot:
        yield bot
