"""R16 on PostgreSQL: its disk is full, of rows or of its log; nothing acknowledged is lost.

The disk is real: a file system in memory that only a child process and its server see.
"""

import asyncio
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import text

from storage.errors import DatabaseFullError, DatabaseGoneError
from storage.records import Job
from tests.requirements import require
from tests.soak.installation import prepared
from tests.storage.postgres import CURE, Server, served, server_programs
from tests.storage.stores import Stores, open_stores

ROOT = Path(__file__).parents[2]
INSIDE = 'mount -t tmpfs -o size=192m,mode=755 tmpfs "$1" && TMPDIR="$1" exec "$2" -m "$3" "$1"'
MB = 2**20
LEFT = MB


def in_small_disk(place: Path) -> list[str]:
    """Return the command that runs this module where ``place`` is a small disk of its own."""
    words = [str(place), sys.executable, "tests.storage.test_full_server"]
    return ["unshare", "--mount", "sh", "-c", INSIDE, "sh", *words]


@cache
def may_mount() -> bool:
    """Tell whether this process may have file systems that a server of another user sees."""
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/tmp"]
    return (
        os.geteuid() == 0 and shutil.which("unshare") is not None and not subprocess.call(command)
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_r16_a_server_whose_disk_is_full_refuses_loses_nothing_and_goes_on_with_room() -> None:
    require("postgres", available=server_programs() is not None, cure=CURE)
    require("disks", available=may_mount(), cure="run the tests as root")
    # PostgreSQL's user has to reach it, which it does not in pytest's own folders.
    with tempfile.TemporaryDirectory(prefix="atelier-disk-") as folder:
        Path(folder).chmod(0o755)
        done = subprocess.run(
            in_small_disk(Path(folder)),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr


def fill(disk: Path, *, left: int) -> Path:
    """Write a file that leaves so many bytes on a disk."""
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(shutil.disk_usage(disk).free - left))
    return ballast


async def accept_until(stores: Stores, error: type[Exception]) -> set[str]:
    """Accept jobs until that fails in one way; return those that were acknowledged."""
    accepted = set[str]()
    try:
        while True:
            accepted.add((await stores.accept(prompt=secrets.token_hex(2500))).id)
    except error:
        return accepted


async def rows_full(stores: Stores, disk: Path) -> None:
    """Have no room for rows: what comes and what is finished is refused, and nothing is lost."""
    running = await stores.claimed()
    output = await stores.files.put(b"a picture", media_type="image/png")
    ballast = await asyncio.to_thread(fill, disk, left=LEFT)
    accepted = await accept_until(stores, DatabaseFullError)
    assert accepted, "some still fit"
    assert {job.id for job in await stores.jobs.unfinished()} == accepted | {running.id}
    ballast.unlink()
    assert await stores.jobs.settle(
        running.id, owner="bot", attempt=1, outputs={0: output}, device_ms=7
    )
    assert (await stores.accept()).id not in accepted
    assert {job.id for job in await stores.jobs.unfinished()} > accepted


async def log_full(stores: Stores, disk: Path) -> None:
    """Have no room for the server's log: it ends, and comes back with all that it said it had."""
    before = {job.id for job in await stores.jobs.unfinished()}
    ballast = await asyncio.to_thread(fill, disk, left=0)
    with pytest.raises(DatabaseGoneError):
        await log(stores, megabytes=150)
    ballast.unlink()
    async with asyncio.timeout(60):
        # A transaction waits for a server that starts, and each fault takes a while.
        while isinstance(await one(stores), BaseException):
            pass
    assert {job.id for job in await stores.jobs.unfinished()} > before


async def log(stores: Stores, *, megabytes: int) -> None:
    """Have the server write into its log and nowhere else."""
    told = text(f"SELECT pg_logical_emit_message(true, 'x', repeat('y', {MB}))")
    for _ in range(megabytes):
        await stores.database.write(lambda session: session.scalar(told))


async def one(stores: Stores) -> Job | BaseException:
    """Accept one job, or return why not."""
    return (await asyncio.gather(stores.accept(), return_exceptions=True))[0]


async def both(server: Server, disk: Path) -> None:
    """Fill a server's disk in both ways, and check the books."""
    stores = open_stores(await prepared(server), disk)
    stores.default_ms = 10**9
    # What the server has once used of its log it uses again, so that rows need no more room.
    await log(stores, megabytes=40)
    await stores.database.write(lambda session: session.execute(text("CHECKPOINT")))
    await rows_full(stores, disk)
    await log_full(stores, disk)
    assert await stores.quotas.audit() == []
    await stores.database.close()


if __name__ == "__main__":
    found = server_programs()
    assert found is not None, CURE
    with served(found) as running_server:
        asyncio.run(both(running_server, Path(sys.argv[1])))
