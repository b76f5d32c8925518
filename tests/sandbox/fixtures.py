"""One sandbox for a whole test session, in a thread of its own, made new before each test."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from sandbox.clock import Clock
from sandbox.journal import Exchange
from sandbox.replies import Json, Payload
from sandbox.server import Sandbox, SandboxConfig
from sandbox.state import State
from tests.sandbox.openapi import OpenApi, Violation, open_api, schema_file

Result = TypeVar("Result")


class RunningSandbox:
    """A sandbox in its own thread and loop, used from the tests' threads and loops."""

    def __init__(self, config: SandboxConfig | None = None, *, oracle: OpenApi | None) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sandbox", daemon=True)
        self._oracle = oracle
        self._exchanges: list[Exchange] = []
        self.inner = Sandbox(config)

    @property
    def details(self) -> Payload:
        """The JSON line."""
        return self.inner.details

    @property
    def state(self) -> State:
        """What the sandbox remembers; read it freely, change it within ``run``."""
        return self.inner.state

    @property
    def clock(self) -> Clock:
        """The sandbox's clock, which may be turned from any thread."""
        return self.inner.clock

    @property
    def exchanges(self) -> list[Exchange]:
        """The bot's requests and their replies since the last reset."""
        return list(self.inner.services.journal.exchanges)

    @property
    def invalid_requests(self) -> int:
        """How many requests count towards a ban."""
        return self.inner.services.limits.invalid_requests

    def start(self) -> None:
        """Start the thread and listen."""
        self._thread.start()
        self.run(self.inner.start())
        self.inner.services.journal.observers.append(self._exchanges.append)

    def close(self) -> None:
        """Stop listening and end the thread."""
        self.run(self.inner.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine in the sandbox's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=20)

    def reset(self) -> None:
        """Forget everything since the start."""
        self.run(self.inner.reset())
        self._exchanges.clear()

    def order(self, kind: str, **details: Json) -> None:
        """Order a fault."""
        self.run(self.inner.faults.order(kind, **details))

    def violations(self) -> list[Violation]:
        """Return where the exchanges since the last reset do not fit Discord's document."""
        if self._oracle is None:
            return []
        return [found for seen in self._exchanges for found in self._oracle.violations(seen)]


@pytest.fixture(scope="session")
def sandbox_session() -> Iterator[RunningSandbox]:
    """One sandbox for the session."""
    place = schema_file()
    running = RunningSandbox(oracle=open_api(place) if place else None)
    running.start()
    yield running
    running.close()


@pytest.fixture
def sandbox(sandbox_session: RunningSandbox) -> Iterator[RunningSandbox]:
    """The session's sandbox, as new; afterwards every exchange must fit Discord's document."""
    sandbox_session.reset()
    yield sandbox_session
    found = list(dict.fromkeys(map(str, sandbox_session.violations())))
    if found:
        pytest.fail("\n".join(["exchanges do not fit Discord's document:", *found]), pytrace=False)
