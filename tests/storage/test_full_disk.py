"""A disk that is full loses nothing that was acknowledged, and is said to be full.

The disk is real: a file system of a few megabytes in memory, which only a child process sees.
"""

import asyncio
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from storage.errors import DatabaseFullError, FileRefusedError, StoreFullError
from storage.files import FileStore
from storage.jobs import JobStore
from storage.migrating import upgrade
from storage.room import Room
from tests.requirements import require
from tests.storage.stores import Stores, new_job, open_stores

ROOT = Path(__file__).parents[2]
INSIDE = 'mount -t tmpfs -o size="$1" tmpfs "$2" && shift 2 && exec "$@"'


def in_small_disk(place: Path, *, size: str, words: list[str]) -> list[str]:
    """Return the command that runs another one where ``place`` is a small disk of its own."""
    mapped = ["unshare", "--user", "--map-root-user", "--mount"]
    return [*mapped, "sh", "-c", INSIDE, "sh", size, str(place), *words]


@cache
def small_disks() -> bool:
    command = in_small_disk(Path("/tmp"), size="1m", words=["true"])
    return shutil.which("unshare") is not None and not subprocess.call(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


@pytest.mark.slow
def test_r16_a_disk_that_is_full_of_pictures_or_under_the_database_loses_nothing(
    tmp_path: Path,
) -> None:
    require("disks", available=small_disks(), cure="allow unprivileged user namespaces")
    (tmp_path / "disk").mkdir()
    words = [sys.executable, "-m", "tests.storage.test_full_disk", str(tmp_path)]
    command = in_small_disk(tmp_path / "disk", size="2m", words=words)
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr


async def put_for_ever(stores: Stores, numbers: list[int]) -> None:
    for number in range(100):
        await stores.files.put(number.to_bytes() * 100_000, media_type="image/png")
        numbers.append(number)


async def pictures(folder: Path) -> None:
    """Store pictures on the full disk, with the database on another."""
    url = f"sqlite:///{folder / 'atelier.sqlite3'}"
    stores = open_stores(url, folder / "disk")
    job = await stores.claimed()
    numbers = list[int]()
    with pytest.raises(StoreFullError, match="full"):
        await put_for_ever(stores, numbers)
    assert 10 < len(numbers) < 25
    left = sum(path.stat().st_size for path in (folder / "disk").rglob("*") if path.is_file())
    assert left == 100_000 * len(numbers), "nothing half-written is left"
    await stores.jobs.fail(job.id, owner="bot", attempt=1, error="StoreFullError")
    (balance,) = await stores.quotas.balances(guild_id=job.guild_id, member_id=job.member_id)
    assert (balance.used_ms, balance.reserved_ms) == (0, 0)
    room = Room([folder / "disk" / "files"], least_bytes=1_000_000)
    careful = JobStore(stores.database, quotas=stores.quotas, files=stores.files, room=room)
    with pytest.raises(StoreFullError, match="stay free"):
        await careful.accept(new_job())
    assert await stores.jobs.unfinished() == []
    shutil.rmtree(folder / "disk" / "files")
    assert (await careful.accept(new_job())).created
    (folder / "disk" / "files").mkdir()
    await stores.database.close()


async def database(folder: Path) -> None:
    """Accept jobs until the database's own disk is full, then make room."""
    ballast = folder / "disk" / "ballast"
    ballast.write_bytes(bytes(900_000))
    stores = open_stores(f"sqlite:///{folder / 'disk' / 'atelier.sqlite3'}", folder)
    stores.default_ms = 10**9
    accepted = await until_full(stores)
    assert {job.id for job in await stores.jobs.unfinished()} == accepted
    ballast.unlink()
    job = await stores.done()
    assert {each.id for each in await stores.jobs.unfinished()} == accepted
    assert (await stores.jobs.get(job.id)).output is not None
    assert await stores.quotas.audit() == []
    await stores.database.close()


async def accept_for_ever(stores: Stores, accepted: set[str]) -> None:
    while True:
        accepted.add((await stores.accept(prompt="x" * 5000)).id)


async def until_full(stores: Stores) -> set[str]:
    accepted = set[str]()
    with pytest.raises(DatabaseFullError):
        await accept_for_ever(stores, accepted)
    assert accepted
    return accepted


async def test_a_place_that_is_no_folder_refuses_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("no folder")
    with pytest.raises(FileRefusedError, match="disk refuses a file"):
        await FileStore(tmp_path / "files").put(b"x", media_type="image/png")


async def test_room_is_measured_on_the_fullest_disk_of_folders_that_need_not_exist(
    tmp_path: Path,
) -> None:
    folders = [tmp_path / "not" / "yet", Path("/proc/self")]
    assert Room(folders, least_bytes=1).free_bytes() == 0
    with pytest.raises(StoreFullError):
        await Room(folders, least_bytes=1).require()
    await Room(folders, least_bytes=0).require()


if __name__ == "__main__":
    below = Path(sys.argv[1])
    upgrade(f"sqlite:///{below}/atelier.sqlite3")
    asyncio.run(pictures(below))
    shutil.rmtree(below / "disk" / "files")
    upgrade(f"sqlite:///{below}/disk/atelier.sqlite3")
    asyncio.run(database(below))
