"""Several Ray nodes on this machine, and executors whose engines are on them."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
import pytest_asyncio

from generation.executor.client import Executor
from generation.executor.cluster.config import CURE, ClusterConfig
from generation.registry import PIPELINES as REGISTRY
from tests.generation.cluster.nodes import Handle
from tests.generation.executor.conftest import config_for
from tests.generation.executor.pipelines import PIPELINES
from tests.generation.executor.requests import until
from tests.requirements import require

SECRET = "not to be seen"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def handle() -> Iterator[Handle]:
    """A Ray cluster for the tests of one file: starting one takes half a minute."""
    require("cluster", available=find_spec("ray") is not None, cure=CURE)
    handle = Handle(port=free_port())
    with pytest.MonkeyPatch.context() as machine:
        machine.setenv("DISCORD_TOKEN", SECRET)
        for name, value in handle.environment.items():
            machine.setenv(name, value)
        try:
            yield handle
        finally:
            handle.close()


@pytest.fixture
def nodes(handle: Handle) -> Handle:
    """A head and two nodes with a processor each, all alive."""
    handle.heal(2)
    return handle


@asynccontextmanager
async def joined(
    handle: Handle, folder: Path, *, engines: int, **changes: object
) -> AsyncIterator[Executor]:
    """An executor on the nodes, all of its engines up."""
    cluster = ClusterConfig(address=handle.address, engines=engines, silence_s=3.0)
    pipelines = {**PIPELINES, "remix": REGISTRY["remix"]}
    executor = Executor(config_for(folder, cluster=cluster, pipelines=pipelines, **changes))
    await executor.start()
    try:
        await until(lambda: len(executor.stats().stations) == engines, timeout_s=60)
        await all_up(executor)
        yield executor
    finally:
        await executor.close()


async def all_up(executor: Executor) -> None:
    await until(lambda: all(it.up for it in executor.stats().stations), timeout_s=60)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shared(
    handle: Handle, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Executor]:
    """An executor for the tests of one file, on two nodes: to join takes seconds."""
    handle.heal(2)
    folder = tmp_path_factory.mktemp("shared")
    async with joined(handle, folder, engines=2, hang_timeout_s=2.0) as executor:
        yield executor
