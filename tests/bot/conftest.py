"""A stage for each test: an empty sandbox and an empty data folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog

from tests.bot.stage import Stage, staged
from tests.sandbox.fixtures import RunningSandbox


@pytest.fixture
async def stage(sandbox: RunningSandbox, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(sandbox, tmp_path) as opened:
        yield opened


@pytest.fixture(scope="session", autouse=True)
def plain_tracebacks() -> None:
    """Log tracebacks as the program does: the pretty ones take a second each, on the loop."""
    *before, _ = structlog.get_config()["processors"]
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*before, plain])
