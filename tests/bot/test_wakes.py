"""Signals between processes are hints: what is lost is looked up, and listening resumes."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from bot.line import Line
from bot.metrics import Metrics
from bot.wakes import Kind, Signal, Wakes
from generation.request import Pixels, Progress, Stage
from storage.migrating import upgrade
from storage.signals import CHANNEL
from tests.storage.servers import in_a_thread
from tests.storage.stores import Stores, open_stores

WAIT_S = 30.0
NOBODY = "postgresql://nobody@127.0.0.1:1/nothing"
END_ALL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


class Ear:
    """What one process is told, to be waited for."""

    def __init__(self, url: str, name: str, *, interval_s: float = 0.0) -> None:
        self.wakes = Wakes(owner=name, database=url, interval_s=interval_s)
        self._heard: asyncio.Queue[Signal] = asyncio.Queue()
        self.wakes.listen(self._heard.put_nowait)

    async def hears(self, kind: Kind) -> Signal:
        """Return the next signal, which is to be of a kind."""
        async with asyncio.timeout(WAIT_S):
            signal = await self._heard.get()
        assert signal.kind is kind, signal
        return signal


@pytest_asyncio.fixture
async def ears(fresh_postgres_url: str) -> AsyncIterator[tuple[Ear, Ear]]:
    """Return two processes that hear each other; what one says of progress is said seldom."""
    one, two = Ear(fresh_postgres_url, "one", interval_s=600), Ear(fresh_postgres_url, "two")
    for ear in (one, two):
        ear.wakes.start()
        await ear.hears(Kind.MISSED)
    yield one, two
    for ear in (one, two):
        await ear.wakes.close()


@pytest.fixture(params=["sqlite", "postgres"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Stores:
    """Return what is remembered, on each database."""
    url = f"sqlite:///{tmp_path / 'atelier.sqlite3'}"
    if request.param == "postgres":
        url = request.getfixturevalue("fresh_postgres_url")
    else:
        in_a_thread(upgrade, url)
    return open_stores(url, tmp_path)


async def run(url: str, statement: str, *values: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement, *values)
    finally:
        await connection.close()


def line_of(stores: Stores, wakes: Wakes, *, owner: str = "worker") -> Line:
    return Line(owner=owner, jobs=stores.jobs, wakes=wakes, metrics=Metrics(), every_s=0.05)


async def test_a_signal_is_told_here_at_once_and_elsewhere_once(ears: tuple[Ear, Ear]) -> None:
    one, two = ears
    for job_id in ("a", "b"):
        one.wakes.send(Signal(kind=Kind.STOP, job_id=job_id))
        assert await one.hears(Kind.STOP) == Signal(kind=Kind.STOP, job_id=job_id)
        assert await two.hears(Kind.STOP) == Signal(kind=Kind.STOP, job_id=job_id, here=False)


@pytest.mark.slow
async def test_listening_resumes_after_its_connection_was_lost(
    ears: tuple[Ear, Ear], fresh_postgres_url: str
) -> None:
    one, two = ears
    await run(fresh_postgres_url, END_ALL)
    for ear in (one, two):
        # Whoever listens again is told that signals may have been lost, and looks.
        await ear.hears(Kind.MISSED)
    two.wakes.send(Signal(kind=Kind.WAITS, job_id="a"))
    await two.hears(Kind.WAITS)
    assert (await one.hears(Kind.WAITS)).job_id == "a"


async def test_what_another_version_says_is_passed_over(
    ears: tuple[Ear, Ear], fresh_postgres_url: str
) -> None:
    one, two = ears
    for text in ("no JSON", "{}", '{"from": "x", "kind": "unheard of", "job": "a"}', "[]"):
        await run(fresh_postgres_url, "SELECT pg_notify($1, $2)", CHANNEL, text)
    one.wakes.send(Signal(kind=Kind.ENDED, job_id="a"))
    assert (await two.hears(Kind.ENDED)).job_id == "a"


async def test_progress_is_told_elsewhere_seldom_and_without_its_picture(
    ears: tuple[Ear, Ear],
) -> None:
    one, two = ears
    preview = Pixels(width=1, height=1, data=bytes(3))
    for stage, step in ((Stage.RUNNING, 1), (Stage.RUNNING, 2), (Stage.FINISHING, 3)):
        progress = Progress(job_id="a", stage=stage, step=step, total_steps=3, preview=preview)
        one.wakes.send(Signal(kind=Kind.MOVED, job_id="a", progress=progress))
        assert (await one.hears(Kind.MOVED)).progress == progress
    told = [(await two.hears(Kind.MOVED)).progress for _ in range(2)]
    assert [(it.step, it.stage, it.preview) for it in told if it is not None] == [
        (1, Stage.RUNNING, None), (3, Stage.FINISHING, None),
    ]  # fmt: skip


async def test_without_any_signal_the_tables_are_looked_at_all_the_same(stores: Stores) -> None:
    deaf = Wakes(owner="worker", database=NOBODY, interval_s=0)
    deaf.start()
    line = line_of(stores, deaf)
    job = await stores.accept()
    await line.look()
    assert [each.id for each in line.waiting] == [job.id]
    other = await stores.claimed()
    await line.look()
    assert [each.id for each in line.running] == [other.id]
    await deaf.close()
    await stores.database.close()


async def test_two_workers_claim_every_job_once_between_them(stores: Stores) -> None:
    accepted = {(await stores.accept(reserve_ms=50)).id for _ in range(12)}
    lines = [
        line_of(stores, Wakes(owner=name, database=NOBODY, interval_s=0), owner=name)
        for name in ("one", "two")
    ]
    await asyncio.gather(*(line.look() for line in lines))

    async def take_all(line: Line) -> set[str]:
        taken = set()
        while found := await line.take(lease_s=60):
            taken.add(found[1].id)
            await asyncio.sleep(0)
        return taken

    one, two = await asyncio.gather(*map(take_all, lines))
    assert one | two == accepted
    assert not one & two
    for line, theirs in zip(lines, (one, two), strict=True):
        assert line.own.keys() == theirs
        assert line.elsewhere.keys() == accepted - theirs
    await stores.database.close()


async def test_a_worker_that_lost_its_lease_is_fenced_out_by_the_next(stores: Stores) -> None:
    job = await stores.accept()
    slow, quick = (
        line_of(stores, Wakes(owner=name, database=NOBODY, interval_s=0), owner=name)
        for name in ("slow", "quick")
    )
    await slow.look()
    assert await slow.take(lease_s=10) is not None
    await quick.look()
    assert await quick.take(lease_s=10) is None
    stores.clock.advance(seconds=11)
    await quick.look()
    taken = await quick.take(lease_s=10)
    assert taken is not None
    assert (taken[1].id, taken[1].attempt) == (job.id, 2)
    late = {"owner": "slow", "attempt": 1}
    assert not await stores.jobs.heartbeat(job.id, **late, lease_s=10)  # type: ignore[arg-type]
    assert not await stores.jobs.retry(job.id, **late, error="x", after_s=1)  # type: ignore[arg-type]
    assert not await stores.jobs.fail(job.id, **late, error="x")  # type: ignore[arg-type]
    await stores.database.close()
