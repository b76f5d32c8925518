"""Backups under writes, and what restoring one refuses."""

import asyncio
import hashlib
import io
import json
import random
import shutil
import sqlite3
import tarfile
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, select

from storage.archives import Manifest
from storage.backup import Restored, back_up, restore
from storage.database import sqlite_path
from storage.errors import (
    AlreadyThereError,
    ArchiveError,
    DatabaseHeldError,
    DatabaseMissingError,
    DumpError,
    SchemaTooNewError,
    UnsupportedDatabaseError,
)
from storage.files import FileStore
from storage.lock import hold
from storage.migrating import check, downgrade, head_of, upgrade
from storage.records import Job, JobState
from storage.snapshots import require_empty
from storage.tables import JobRow
from tests.storage.stores import GUILD, MEMBER, Stores, open_stores
from tests.storage.test_migrations import newer_program


@pytest.fixture(params=["sqlite", "postgres"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """Return a database with its tables, and the place of one that does not exist or is empty."""
    if request.param == "sqlite":
        return request.getfixturevalue("sqlite_url"), f"sqlite:///{tmp_path}/restored/a.sqlite3"
    return request.getfixturevalue("postgres_url"), request.getfixturevalue("empty_postgres_url")


def backed_up(url: str, folder: Path, *, name: str = "backup.tar") -> Manifest:
    """Back up in a loop of its own, as the command does."""
    kept = {"presets.json": folder / "presets.json", "plans.json": folder / "plans.json"}
    files = FileStore(folder / "files")
    return asyncio.run(back_up(url, files=files, beside=kept, to=folder / name))


def restored(url: str, folder: Path, archive: Path) -> Restored:
    kept = {"presets.json": folder / "presets.json", "plans.json": folder / "plans.json"}
    files = FileStore(folder / "files")
    return asyncio.run(restore(url, files=files, beside=kept, archive=archive))


async def work(stores: Stores, *, ended: asyncio.Event) -> None:
    """Accept and settle, fail or delete jobs, one after another, until it has ended."""
    rng = random.Random(uuid.uuid4().int)
    while not ended.is_set():
        number = uuid.uuid4()
        image = await stores.files.put(number.bytes * 500, media_type="image/png")
        job = await stores.accept(
            interaction_id=number.int >> 66, nonce=number.hex, inputs={"image": image}
        )
        claimed = await stores.jobs.claim_job(job.id, owner="bot", lease_s=60)
        assert claimed is not None
        output = await stores.files.put(job.id.encode() * 500, media_type="image/png")
        end = rng.random()
        if end < 0.1:
            continue
        if end < 0.3:
            await stores.jobs.fail(job.id, owner="bot", attempt=1, error="x")
            continue
        await stores.jobs.settle(
            job.id, owner="bot", attempt=1, outputs={0: output}, device_ms=rng.randrange(1, 300)
        )
        if end > 0.6:
            await stores.jobs.delete_output(job.id, guild_id=GUILD, member_id=MEMBER)


async def test_r23_a_backup_under_writes_restores_to_right_books_and_every_file(
    urls: tuple[str, str], tmp_path: Path
) -> None:
    source, target = urls
    stores = open_stores(source, tmp_path)
    stores.default_ms = 10**9
    (tmp_path / "presets.json").write_text("{}")
    ended = asyncio.Event()
    workers = [asyncio.create_task(work(stores, ended=ended)) for _ in range(4)]
    while (before := await count(stores)) < 25:
        pass
    made = await asyncio.to_thread(backed_up, source, tmp_path)
    # Whoever works goes on, however short the backup was.
    while (after := await count(stores)) == before:
        pass
    ended.set()
    await asyncio.gather(*workers)
    await stores.database.close()
    assert made.lost == []

    place = tmp_path / "restored"
    done = await asyncio.to_thread(restored, target, place, tmp_path / "backup.tar")
    assert done.discrepancies == 0
    again = open_stores(target, place)
    assert before <= await count(again) <= after
    states = set()
    for job in await all_jobs(again):
        states.add(job.state)
        for file in [*job.inputs.values(), *job.outputs.values()]:
            assert len(await again.files.read(file.sha256)) == file.size_bytes
    assert {JobState.DONE, JobState.FAILED} <= states
    assert set(await again.files.older_than(-60)) == made.snapshot.files.keys()
    assert (place / "presets.json").read_text() == "{}"
    assert not (place / "plans.json").exists()
    again.default_ms = 10**9
    await again.done(reserve_ms=5)
    assert await again.quotas.audit() == []
    await again.database.close()


async def count(stores: Stores) -> int:
    found = select(func.count()).select_from(JobRow)
    return await stores.database.read(lambda session: session.scalar(found)) or 0


async def all_jobs(stores: Stores) -> list[Job]:
    ids = await stores.database.read(lambda session: session.scalars(select(JobRow.id)).all())
    return await stores.jobs.several(ids)


@pytest.fixture
def archive(sqlite_url: str, tmp_path: Path) -> Path:
    """Return a backup of a few jobs."""

    async def fill() -> None:
        stores = open_stores(sqlite_url, tmp_path)
        image = await stores.files.put(b"photo", media_type="image/png")
        for _ in range(3):
            await stores.done(inputs={"image": image})
        await stores.database.close()

    asyncio.run(fill())
    backed_up(sqlite_url, tmp_path)
    return tmp_path / "backup.tar"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a folder where nothing is yet."""
    return tmp_path / "place"


def url_in(place: Path) -> str:
    return f"sqlite:///{place / 'atelier.sqlite3'}"


def left_in(place: Path) -> list[str]:
    """Return what a refusal has left; the lock's file is no data."""
    found = sorted(path.name for path in place.rglob("*")) if place.exists() else []
    return [name for name in found if not name.endswith(".lock")]


def test_a_backup_is_readable_by_its_owner_alone_and_overwrites_nothing(
    archive: Path, sqlite_url: str, tmp_path: Path
) -> None:
    assert archive.stat().st_mode & 0o077 == 0
    before = archive.read_bytes()
    with pytest.raises(AlreadyThereError, match="overwrites nothing"):
        backed_up(sqlite_url, tmp_path)
    assert archive.read_bytes() == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_backup_needs_a_database_with_tables(tmp_path: Path) -> None:
    with pytest.raises(DatabaseMissingError):
        backed_up(f"sqlite:///{tmp_path / 'none.sqlite3'}", tmp_path)
    sqlite3.connect(tmp_path / "empty.sqlite3").close()
    with pytest.raises(DatabaseMissingError, match="no tables"):
        backed_up(f"sqlite:///{tmp_path / 'empty.sqlite3'}", tmp_path)
    assert not list(tmp_path.glob("*.tar"))


def test_a_picture_that_is_lost_is_told_and_the_others_are_kept(
    sqlite_url: str, tmp_path: Path, archive: Path, place: Path
) -> None:
    photo = hashlib.sha256(b"photo").hexdigest()
    next((tmp_path / "files").rglob(photo)).write_bytes(b"photx")
    made = backed_up(sqlite_url, tmp_path, name="second.tar")
    assert list(made.lost) == [photo]
    assert len(made.snapshot.files) == 4
    done = restored(url_in(place), place, tmp_path / "second.tar")
    assert list(done.manifest.lost) == [photo]
    assert len(list((place / "files").glob("??/??/*"))) == 3


def test_the_lock_of_a_running_bot_stops_a_restore_but_no_backup(
    archive: Path, sqlite_url: str, tmp_path: Path
) -> None:
    with hold(sqlite_url):
        backed_up(sqlite_url, tmp_path, name="second.tar")
        with pytest.raises(DatabaseHeldError, match="stop the bot"):
            restored(sqlite_url, tmp_path, archive)


def test_nothing_that_is_there_is_overwritten(
    archive: Path, sqlite_url: str, tmp_path: Path, place: Path
) -> None:
    with pytest.raises(AlreadyThereError, match="is there already"):
        restored(sqlite_url, tmp_path, archive)
    foreign = place / "files" / "ab" / "cd" / f"abcd{'0' * 60}"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(b"of another bot")
    with pytest.raises(AlreadyThereError, match="1 files that are not in the backup"):
        restored(url_in(place), place, archive)
    foreign.unlink()
    (place / "presets.json").write_text("mine")
    restored(url_in(place), place, archive)
    assert (place / "presets.json").read_text() == "mine"


async def test_a_database_with_tables_is_not_restored_over(
    postgres_url: str, tmp_path: Path
) -> None:
    await asyncio.to_thread(backed_up, postgres_url, tmp_path)
    with pytest.raises(AlreadyThereError, match="tables already"):
        await asyncio.to_thread(restored, postgres_url, tmp_path, tmp_path / "backup.tar")


def test_what_was_broken_off_can_be_repeated(archive: Path, place: Path) -> None:
    (place / "files").mkdir(parents=True)
    asyncio.run(FileStore(place / "files").put(b"photo", media_type="image/png"))
    assert restored(url_in(place), place, archive).discrepancies == 0
    assert len(list((place / "files").glob("??/??/*"))) == 4


@pytest.fixture(params=["sqlite", "postgres"])
def changing(request: pytest.FixtureRequest, place: Path) -> tuple[str, str]:
    """Return a database whose schema the test may change, and where it is to be restored to."""
    if request.param == "sqlite":
        return request.getfixturevalue("sqlite_url"), url_in(place)
    return (
        request.getfixturevalue("fresh_postgres_url"),
        request.getfixturevalue("empty_postgres_url"),
    )


def test_a_backup_of_an_older_schema_is_brought_to_ours(
    changing: tuple[str, str], tmp_path: Path, place: Path
) -> None:
    source, target = changing
    downgrade(source, revision="f65dab0e01c9")
    made = backed_up(source, tmp_path, name="older.tar")
    assert made.snapshot.revision == "f65dab0e01c9"
    restored(target, place, tmp_path / "older.tar")
    check(target)
    path = sqlite_path(target)
    assert path is None or path.stat().st_mode & 0o077 == 0


def test_a_backup_of_a_newer_schema_is_refused(
    changing: tuple[str, str], tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = changing
    with monkeypatch.context() as patched:
        newer_program(tmp_path, patched)
        upgrade(source)
        backed_up(source, tmp_path, name="newer.tar")
    with pytest.raises(SchemaTooNewError, match="abcdef012345"):
        restored(target, place, tmp_path / "newer.tar")
    assert left_in(place) == []
    require_empty(target)


async def test_a_backup_is_restored_to_its_own_kind_of_database(
    archive: Path, empty_postgres_url: str, tmp_path: Path
) -> None:
    with pytest.raises(UnsupportedDatabaseError, match="of sqlite"):
        await asyncio.to_thread(restored, empty_postgres_url, tmp_path / "p", archive)


def test_without_postgresqls_programs_it_says_what_to_install(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DumpError, match="apt-get install postgresql-client"):
        backed_up(postgres_url, tmp_path)
    assert list(tmp_path.glob("*")) == []


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9, 0.99])
def test_a_cut_archive_is_refused(archive: Path, place: Path, share: float) -> None:
    data = archive.read_bytes().rstrip(b"\0")
    archive.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ArchiveError, match=r"cut"):
        restored(url_in(place), place, archive)
    assert left_in(place) == []


def test_no_damage_to_an_archive_goes_unseen(archive: Path, place: Path) -> None:
    whole = archive.read_bytes()
    wanted = hashlib.sha256(b"photo").hexdigest()
    rng = random.Random(5)
    refused = 0
    for _ in range(60):
        data = bytearray(whole)
        data[rng.randrange(len(whole.rstrip(b"\0")))] ^= 1 << rng.randrange(8)
        archive.write_bytes(data)
        shutil.rmtree(place, ignore_errors=True)
        try:
            restored(url_in(place), place, archive)
        except ArchiveError:
            refused += 1
            assert left_in(place) == []
        else:
            # The padding of a tar file and the dates in its heads carry nothing.
            assert asyncio.run(FileStore(place / "files").read(wanted)) == b"photo"
            assert len(list((place / "files").glob("??/??/*"))) == 4
    assert refused > 40


def with_member(archive: Path, change: Callable[[tarfile.TarInfo], bytes]) -> None:
    """Put one more member before the others."""
    with tarfile.open(archive) as old:
        members = [(each, (old.extractfile(each) or io.BytesIO()).read()) for each in old]
    extra = tarfile.TarInfo()
    data = change(extra)
    with tarfile.open(archive, "w") as new:
        for member, content in [(extra, data), *members]:
            member.size = len(content) if member.isreg() else 0
            new.addfile(member, io.BytesIO(content))


def link(member: tarfile.TarInfo) -> bytes:
    member.name, member.type = f"files/{'a' * 64}", tarfile.SYMTYPE
    member.linkname = "/etc/passwd"
    return b""


def hard_link(member: tarfile.TarInfo) -> bytes:
    member.name, member.type = f"files/{'a' * 64}", tarfile.LNKTYPE
    member.linkname = "../../etc/passwd"
    return b""


def named(name: str) -> Callable[[tarfile.TarInfo], bytes]:
    def change(member: tarfile.TarInfo) -> bytes:
        member.name = name
        return b"x"

    return change


@pytest.mark.parametrize(
    "change",
    [
        named("../../outside"),
        named("/tmp/outside"),
        named("files/../../outside"),
        named("beside/../outside.json"),
        named("beside/.env"),
        named(f"files/{'a' * 64}/x"),
        named(f"files/{'A' * 64}"),
        named(f"files/{hashlib.sha256(b'x').hexdigest()}"),
        named("beside/more.json"),
        link,
        hard_link,
    ],
)
def test_s8_an_archive_that_leads_outside_or_holds_more_is_refused(
    archive: Path, place: Path, change: Callable[[tarfile.TarInfo], bytes]
) -> None:
    with_member(archive, change)
    with pytest.raises(ArchiveError, match="cannot be restored"):
        restored(url_in(place), place, archive)
    assert left_in(place) == []


@pytest.mark.parametrize("told", [b"[]", b"{}", b'{"format":1}', b'{"format":2}', b"\xff"])
def test_a_manifest_of_another_form_is_refused(place: Path, tmp_path: Path, told: bytes) -> None:
    archive = tmp_path / "odd.tar"
    with tarfile.open(archive, "w") as tar:
        member = tarfile.TarInfo(f"manifest/{hashlib.sha256(told).hexdigest()}")
        member.size = len(told)
        tar.addfile(member, io.BytesIO(told))
    with pytest.raises(ArchiveError):
        restored(url_in(place), place, archive)


def test_a_database_swapped_for_another_is_refused(
    archive: Path, sqlite_template: Path, place: Path
) -> None:
    with tarfile.open(archive) as old:
        members = {each.name: (old.extractfile(each) or io.BytesIO()).read() for each in old}
    (manifest,) = (name for name in members if name.startswith("manifest/"))
    told = json.loads(members.pop(manifest))
    del members[f"database/{told['database']}"]
    with closing(sqlite3.connect(sqlite_template)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = sqlite_template.read_bytes()
    told["database"] = hashlib.sha256(data).hexdigest()
    members[f"database/{told['database']}"] = data
    text = json.dumps(told).encode()
    members[f"manifest/{hashlib.sha256(text).hexdigest()}"] = text
    with tarfile.open(archive, "w") as new:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))
    with pytest.raises(ArchiveError, match="not the one that was archived"):
        restored(url_in(place), place, archive)
    assert left_in(place) == []
    assert head_of(url_in(place))[0] is None
