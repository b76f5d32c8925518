"""An executor for each test; its engine starts in a fraction of a second without torch."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from generation.executor.arena import Arena, Geometry, create_arena
from generation.executor.client import Executor, ExecutorConfig
from generation.pipelines.base import EngineConfig
from tests.generation.executor.pipelines import PIPELINES

Begin = Callable[..., Awaitable[Executor]]


def config_for(folder: Path, **changes: object) -> ExecutorConfig:
    values: dict[str, Any] = {
        "engine": EngineConfig(device="cpu"),
        "data_dir": folder / "data",
        "pipelines": PIPELINES,
        "preview_interval_s": 0.1,
        "deadline_grace_s": 0.2,
        "nice": 0,
        "template_after_s": None,
    }
    return ExecutorConfig(**{**values, **changes})


@pytest.fixture
async def begin(tmp_path: Path) -> AsyncIterator[Begin]:
    """Return a function that starts an executor with some settings; all are closed in the end."""
    started: list[Executor] = []

    async def begin_one(**changes: object) -> Executor:
        executor = Executor(config_for(tmp_path, **changes))
        await executor.start()
        started.append(executor)
        return executor

    yield begin_one
    for executor in started:
        await executor.close()


@pytest.fixture
async def executor(begin: Begin) -> Executor:
    return await begin()


@pytest.fixture
def arena(tmp_path: Path) -> Iterator[Arena]:
    """Yield a small arena: four slots of a kilobyte in each direction."""
    made = create_arena(
        geometry=Geometry(slots=4, slot_bytes=1024), data_dir=tmp_path, shm_dir=tmp_path
    )
    yield made
    made.close()
