"""A stage for each test: an empty sandbox and an empty data folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bot.stage import Stage, staged
from tests.sandbox.fixtures import RunningSandbox


@pytest.fixture
async def stage(sandbox: RunningSandbox, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(sandbox, tmp_path) as opened:
        yield opened
