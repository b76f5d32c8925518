"""A process that is killed while it writes loses nothing that it had acknowledged."""

import asyncio
import random
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from storage.errors import DatabaseGoneError
from storage.lock import holder
from storage.migrating import upgrade
from storage.records import JobState
from tests.requirements import require
from tests.storage.postgres import CURE, served, server_programs
from tests.storage.stores import GUILD, MEMBER, RESULT, Stores, new_job, open_stores

T = TypeVar("T")

ROOT = Path(__file__).parents[2]


async def write_for_ever(url: str, folder: Path) -> None:
    """Accept and finish jobs, naming each on the standard output once that is committed."""
    stores = open_stores(url, folder)
    stores.default_ms = 10**9

    async def work() -> None:
        while True:
            number = uuid.uuid4()
            job = await stores.accept(interaction_id=number.int >> 66, nonce=number.hex)
            print("accepted", job.id, flush=True)  # noqa: T201
            claimed = await stores.jobs.claim_job(job.id, owner="bot", lease_s=60)
            assert claimed is not None
            output = await stores.files.put(job.id.encode(), media_type="image/png")
            await stores.jobs.settle(
                job.id, owner="bot", attempt=claimed.attempt, outputs={0: output}, device_ms=7
            )
            print("settled", job.id, flush=True)  # noqa: T201

    await asyncio.gather(*(work() for _ in range(4)))


def killed_writer(url: str, folder: Path, *, after_s: float) -> list[tuple[str, str]]:
    """Run a writer, kill it a while after its first picture, and return what it acknowledged."""
    command = [sys.executable, "-m", "tests.storage.test_kills", url, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while not (lines and lines[-1].startswith("settled")):
            lines.append(process.stdout.readline())
            assert lines[-1], "the writer ended by itself"
        time.sleep(after_s)
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    complete = [line.split() for line in lines if line.endswith("\n")]
    return [(what, job_id) for what, job_id in complete]


@pytest.mark.parametrize(
    "kills", [1, pytest.param(20, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
async def test_r12_no_acknowledged_job_is_lost_to_kill_minus_nine(
    sqlite_url: str, tmp_path: Path, kills: int
) -> None:
    rng = random.Random(kills)
    acknowledged: list[tuple[str, str]] = []
    for _ in range(kills):
        acknowledged += await asyncio.to_thread(
            killed_writer, sqlite_url, tmp_path, after_s=rng.uniform(0.0, 1.0)
        )
        assert holder(sqlite_url) is None
    with closing(sqlite3.connect(tmp_path / "atelier.sqlite3")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    stores = open_stores(sqlite_url, tmp_path)
    stores.default_ms = 10**9
    for what, job_id in acknowledged:
        job = await stores.jobs.get(job_id)
        if what == "settled":
            assert job.output is not None
            assert await stores.files.read(job.output.sha256) == job_id.encode()
    assert await stores.quotas.audit() == []
    await stores.jobs.release("bot")
    for job in await stores.jobs.unfinished():
        assert await stores.jobs.fail(job.id, owner=None, attempt=job.attempt, error="x")
    settled = sum(1 for job in await stores.jobs.undelivered() if job.output is not None)
    balance = await stores.quotas.balance(guild_id=GUILD, member_id=MEMBER)
    assert (balance.reserved_ms, balance.used_ms) == (0, 7 * settled)
    assert settled >= sum(1 for what, _ in acknowledged if what == "settled") > 0
    await stores.database.close()


class Outage:
    """Writers that go on while a database is killed and started again, and what they were told."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        self.accepted: dict[str, int] = {}
        self.settled: set[str] = set()
        self.ended = asyncio.Event()

    async def work(self) -> None:
        """Take one job after another to its end, asking again whenever the database is away."""
        jobs = self.stores.jobs
        while not self.ended.is_set():
            number = uuid.uuid4()
            new = new_job(id=number.hex, interaction_id=number.int >> 66, nonce=number.hex)
            job = (await self.again(partial(jobs.accept, new))).job
            self.accepted[job.id] = job.interaction_id
            claim = partial(jobs.claim_job, job.id, owner="bot", lease_s=600)
            if await self.again(claim) is None:
                # It was claimed by an attempt whose answer was lost.
                continue
            settle = partial(
                jobs.settle, job.id, owner="bot", attempt=1, outputs={0: RESULT}, device_ms=7
            )
            await self.again(settle)
            self.settled.add(job.id)

    async def again(self, act: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await act()
            except DatabaseGoneError:
                await asyncio.sleep(0.05)


async def until(count: Callable[[], int], *, more_than: int) -> None:
    async with asyncio.timeout(60):
        while True:
            if count() > more_than:
                return
            await asyncio.sleep(0.02)


@pytest.mark.slow
async def test_r12_no_acknowledged_job_is_lost_when_postgresql_is_killed_three_times(
    tmp_path: Path,
) -> None:
    programs = server_programs()
    require("postgres", available=programs is not None, cure=CURE)
    assert programs is not None
    with served(programs) as server:
        url = server.address.format("postgres")
        await asyncio.to_thread(upgrade, url)
        stores = open_stores(url, tmp_path)
        stores.default_ms = 10**9
        outage = Outage(stores)
        writers = [asyncio.create_task(outage.work()) for _ in range(20)]
        for kills in range(1, 4):
            await until(outage.accepted.__len__, more_than=40 * kills)
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
        await until(outage.accepted.__len__, more_than=160)
        outage.ended.set()
        await asyncio.gather(*writers)
        await all_is_there(outage)
        await stores.database.close()


async def all_is_there(outage: Outage) -> None:
    """Hold the database against what was acknowledged, and the balance against the ledger."""
    stores = outage.stores
    kept = {job.id: job for job in await stores.jobs.several(list(outage.accepted))}
    assert {job.id: job.interaction_id for job in kept.values()} == outage.accepted
    assert {kept[job_id].state for job_id in outage.settled} == {JobState.DONE}
    assert await stores.quotas.audit() == []
    unfinished = await stores.jobs.unfinished()
    undelivered = await stores.jobs.undelivered()
    assert len(unfinished) + len(undelivered) == len(outage.accepted)
    balance = await stores.quotas.balance(guild_id=GUILD, member_id=MEMBER)
    assert (balance.reserved_ms, balance.used_ms) == (
        100 * len(unfinished),
        7 * sum(1 for job in undelivered if job.outputs),
    )
    assert len(outage.settled) > 60


if __name__ == "__main__":
    asyncio.run(write_for_ever(sys.argv[1], Path(sys.argv[2])))
