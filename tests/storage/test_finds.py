"""Two processes over one PostgreSQL and one folder: what one stores, the other does not remove."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.errors import FileMissingError
from storage.files import FileStore, Place, StoredFile
from storage.finds import CLAIMED, FindsEverywhere
from storage.folder import Folder
from storage.records import Job
from storage.references import forget_unused, remember_files
from storage.tables import FileRow
from tests.storage.stores import Stores, open_stores

DATA = b"the bytes of a picture"
DIGEST = hashlib.sha256(DATA).hexdigest()
PNG = "image/png"


def over(stores: Stores, place: Path | Place) -> FileStore:
    """Return the files as another process has them."""
    return FileStore(place).shared(FindsEverywhere(stores.database, clock=stores.clock))


@pytest.fixture
async def two(postgres_url: str, tmp_path: Path) -> AsyncIterator[tuple[Stores, Stores]]:
    """Return the stores of two processes."""
    pair = []
    for _ in range(2):
        stores = open_stores(postgres_url, tmp_path)
        stores.files = over(stores, tmp_path / "files")
        pair.append(stores)
    pair[1].clock = pair[0].clock
    pair[1].files = over(pair[1], tmp_path / "files")
    yield pair[0], pair[1]
    for stores in pair:
        await stores.database.close()


async def test_what_one_is_about_to_use_another_leaves_for_an_hour(
    two: tuple[Stores, Stores],
) -> None:
    one, other = two
    await one.files.put(DATA, media_type=PNG)
    await one.files.put(DATA, media_type=PNG)
    assert await other.files.remove(DIGEST) == 0
    assert await one.files.read(DIGEST) == DATA
    one.clock.advance(seconds=CLAIMED.total_seconds() + 1)
    assert await other.files.remove(DIGEST) == len(DATA)
    with pytest.raises(FileMissingError):
        await one.files.read(DIGEST)


async def test_what_a_row_keeps_nobody_removes_and_what_none_keeps_goes_at_once(
    two: tuple[Stores, Stores],
) -> None:
    one, other = two
    job = await one.done()
    [output] = job.outputs.values()
    assert await other.files.remove(output.sha256) == 0
    await other.jobs.delete_output(job.id, guild_id=job.guild_id, member_id=job.member_id)
    with pytest.raises(FileMissingError):
        await one.files.read(output.sha256)


class SlowFolder(Folder):
    """A folder that takes its time to remove a file."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.removing, self.may = asyncio.Event(), asyncio.Event()

    async def remove(self, name: str) -> None:
        """Remove a file as soon as that is let."""
        self.removing.set()
        await self.may.wait()
        await super().remove(name)


async def test_whoever_comes_amid_a_removal_waits_and_stores_anew(
    two: tuple[Stores, Stores], tmp_path: Path
) -> None:
    one, other = two
    await one.files.put(DATA, media_type=PNG)
    one.clock.advance(seconds=CLAIMED.total_seconds() + 1)
    slow = SlowFolder(tmp_path / "files")
    removing = asyncio.create_task(over(other, slow).remove(DIGEST))
    await slow.removing.wait()
    putting = asyncio.create_task(one.files.put(DATA, media_type=PNG))
    await asyncio.sleep(0.2)
    assert not putting.done()
    slow.may.set()
    assert await removing == len(DATA)
    await putting
    assert await one.files.read(DIGEST) == DATA


async def test_of_many_that_come_while_others_purge_every_job_keeps_its_picture(
    two: tuple[Stores, Stores],
) -> None:
    one, other = replace(two[0], default_ms=10**6), two[1]
    purging = asyncio.Event()

    async def purge() -> None:
        while not purging.is_set():
            await other.files.remove(DIGEST)

    async def use() -> None:
        for _ in range(40):
            file = await one.files.put(DATA, media_type=PNG)
            job = await one.accept(inputs={"image": file})
            assert await one.files.read(DIGEST) == DATA
            await one.jobs.fail(job.id, owner=None, attempt=0, error="X")
            await one.retention.leave(job.guild_id or 0)

    removing = asyncio.create_task(purge())
    try:
        await use()
    finally:
        purging.set()
        await removing


@pytest.fixture
async def left(two: tuple[Stores, Stores]) -> StoredFile:
    """Return a file whose row nothing refers to."""
    file = await two[0].files.put(DATA, media_type=PNG)
    await two[0].database.write(partial(remember_files, files=[file], now=two[0].clock()))
    return file


async def test_a_row_that_one_is_about_to_refer_to_another_leaves(
    two: tuple[Stores, Stores], left: StoredFile
) -> None:
    one, other = two

    async def accept(session: AsyncSession) -> set[str]:
        await session.run_sync(remember_files, [left], now=one.clock())
        return await other.database.write(lambda held: forget_unused(held, {left.sha256}))

    assert await one.database.write_awaiting(accept) == set()
    assert await other.database.write(lambda held: forget_unused(held, {left.sha256})) == {DIGEST}


async def test_whoever_is_about_to_refer_to_a_row_that_goes_makes_it_anew(
    two: tuple[Stores, Stores], left: StoredFile
) -> None:
    one, other = two
    going: list[asyncio.Task[Job]] = []

    async def purge(session: AsyncSession) -> set[str]:
        await session.execute(select(FileRow).with_for_update())  # as it does before it looks
        going.append(asyncio.create_task(one.accept(inputs={"image": left})))
        await asyncio.sleep(0.3)
        assert not going[0].done()
        return await session.run_sync(forget_unused, {left.sha256})

    assert await other.database.write_awaiting(purge) == {left.sha256}
    job = await going[0]
    assert job.inputs["image"].sha256 == left.sha256
