"""A process that is killed while it writes loses nothing that it had acknowledged."""

import asyncio
import random
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from contextlib import closing
from pathlib import Path

import pytest

from storage.lock import holder
from tests.storage.stores import GUILD, MEMBER, open_stores

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


if __name__ == "__main__":
    asyncio.run(write_for_ever(sys.argv[1], Path(sys.argv[2])))
