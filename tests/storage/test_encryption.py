"""With keys nothing that is kept can be read without them, by its names either."""

import asyncio
import hashlib
import shutil
import threading
from pathlib import Path

import pytest

from storage.backup import back_up, restore
from storage.errors import FileDamagedError, KeyMissingError
from storage.files import FileStore
from storage.guilds import GuildStore
from storage.keybook import KeyBook
from storage.privacy import Privacy
from storage.records import Job
from storage.resealing import Resealed, Resealer
from storage.sealing import KeyRing, Seals, new_key
from tests.storage.stores import GUILD, MEMBER, Stores, open_stores
from tests.storage.test_sealing import Watched, column

OLD, NEW = new_key(), new_key()
PHOTO = b"\x89PNG a photograph of the old lighthouse" * 30
WORDS = "the old lighthouse"


def opened(url: str, folder: Path, *keys: str) -> Stores:
    ring = KeyRing(keys)
    return open_stores(url, folder, seals=Seals(contents=ring, tokens=ring))


async def asked(stores: Stores, data: bytes = PHOTO) -> Job:
    """Have a job made of a picture, with words in every place that there is for them."""
    photo = await stores.files.put(data, media_type="image/png")
    job = await stores.claimed(inputs={"image": photo}, prompt=WORDS, parameters={"subject": WORDS})
    output = await stores.files.put(data[::-1], media_type="image/png")
    assert await stores.jobs.settle(
        job.id, owner="bot", attempt=1, outputs={0: output}, device_ms=1, notes={"said": WORDS}
    )
    return await stores.jobs.get(job.id)


async def right(stores: Stores, job_id: str, data: bytes = PHOTO) -> bool:
    """Return whether a job reads as it was asked for."""
    job = await stores.jobs.get(job_id)
    assert job.image is not None
    assert job.output is not None
    words = (job.prompt, job.parameters, job.notes)
    pictures = [await stores.files.read(file.sha256) for file in (job.image, job.output)]
    expected = (WORDS, {"subject": WORDS}, {"said": WORDS})
    return words == expected and pictures == [data, data[::-1]]


def stored(folder: Path) -> dict[str, bytes]:
    files = (path for path in (folder / "files").rglob("*") if path.is_file())
    return {path.name: path.read_bytes() for path in files}


async def everything(stores: Stores) -> str:
    columns = ("prompt", "parameters", "notes", "interaction_token")
    return repr([await column(stores, name) for name in columns])


async def test_words_and_pictures_are_encrypted_and_names_tell_nothing(
    database_url: str, tmp_path: Path
) -> None:
    stores = opened(database_url, tmp_path, NEW)
    job = await asked(stores)
    assert await right(stores, job.id)
    assert "lighthouse" not in await everything(stores)
    files = await asyncio.to_thread(stored, tmp_path)
    assert len(files) == 2
    assert all(b"lighthouse" not in data and b"PNG" not in data for data in files.values())
    assert hashlib.sha256(PHOTO).hexdigest() not in files
    assert job.image is not None
    assert job.image.size_bytes == len(PHOTO)
    assert await stores.files.put(PHOTO, media_type="image/png") == job.image
    assert len(await asyncio.to_thread(stored, tmp_path)) == 2
    await GuildStore(stores.database).set_preset(GUILD, "a", {"prompt": WORDS}, actor_id=1)
    assert (await GuildStore(stores.database).choices(GUILD)).presets == {"a": {"prompt": WORDS}}
    await stores.database.close()


async def test_nothing_is_encrypted_or_decrypted_on_the_event_loop(
    database_url: str, tmp_path: Path
) -> None:
    ring = Watched([NEW])
    stores = open_stores(database_url, tmp_path, seals=Seals(contents=ring, tokens=ring))
    job = await asked(stores)
    assert await right(stores, job.id)
    assert ring.threads
    assert threading.get_ident() not in ring.threads
    await stores.database.close()


async def test_what_was_kept_before_is_read_and_then_encrypted_with_the_rest(
    database_url: str, tmp_path: Path
) -> None:
    plain = opened(database_url, tmp_path)
    before = await asked(plain)
    await GuildStore(plain.database).set_preset(GUILD, "a", {"prompt": WORDS}, actor_id=1)
    await plain.database.close()
    stores = opened(database_url, tmp_path, NEW)
    await KeyBook(stores.database).admit(stores.files.ring)
    after = await asked(stores, PHOTO + b"2")
    assert await right(stores, before.id)
    done = await Resealer(stores.database, files=stores.files).run()
    assert done == Resealed(jobs=2, files=2, lost=0)
    assert await right(stores, before.id)
    assert await right(stores, after.id, PHOTO + b"2")
    assert "lighthouse" not in await everything(stores)
    files = await asyncio.to_thread(stored, tmp_path)
    assert len(files) == 4
    assert all(b"lighthouse" not in data for data in files.values())
    assert (await GuildStore(stores.database).choices(GUILD)).presets == {"a": {"prompt": WORDS}}
    await stores.database.close()


async def test_a_key_is_changed_for_another_and_then_not_needed_any_more(
    database_url: str, tmp_path: Path
) -> None:
    stores = opened(database_url, tmp_path, OLD)
    await KeyBook(stores.database).admit(stores.files.ring)
    first = await asked(stores)
    await stores.database.close()
    stores = opened(database_url, tmp_path, NEW, OLD)
    await KeyBook(stores.database).admit(stores.files.ring)
    second = await asked(stores, PHOTO + b"2")
    assert await right(stores, first.id)
    with pytest.raises(KeyMissingError, match=KeyRing([OLD]).fingerprints[0]):
        await KeyBook(stores.database).admit(KeyRing([NEW]))
    assert (await Resealer(stores.database, files=stores.files).run()).lost == 0
    await stores.database.close()
    stores = opened(database_url, tmp_path, NEW)
    await KeyBook(stores.database).admit(stores.files.ring)
    assert await right(stores, first.id)
    assert await right(stores, second.id, PHOTO + b"2")
    assert (await Privacy(stores.database, files=stores.files).erase(MEMBER)).files == 4
    assert await asyncio.to_thread(stored, tmp_path) == {}
    await stores.database.close()


async def test_a_file_that_cannot_be_read_keeps_the_older_key_needed(
    database_url: str, tmp_path: Path
) -> None:
    stores = opened(database_url, tmp_path, OLD)
    await KeyBook(stores.database).admit(stores.files.ring)
    job = await asked(stores)
    assert job.image is not None
    path = tmp_path / "files" / job.image.place
    whole = await asyncio.to_thread(path.read_bytes)
    await asyncio.to_thread(path.write_bytes, whole[:-1])
    with pytest.raises(FileDamagedError):
        await stores.files.read(job.image.sha256)
    await stores.database.close()
    stores = opened(database_url, tmp_path, NEW, OLD)
    assert (await Resealer(stores.database, files=stores.files).run()).lost == 1
    await asyncio.to_thread(path.write_bytes, whole)
    assert await right(stores, job.id)
    with pytest.raises(KeyMissingError):
        await KeyBook(stores.database).admit(KeyRing([NEW]))
    await stores.database.close()


@pytest.mark.parametrize("keys", [[], [NEW]], ids=["none", "another"])
async def test_nobody_starts_without_the_key_that_is_needed(
    database_url: str, tmp_path: Path, keys: list[str]
) -> None:
    stores = opened(database_url, tmp_path, OLD)
    await KeyBook(stores.database).admit(stores.files.ring)
    job = await asked(stores)
    await stores.database.close()
    stores = opened(database_url, tmp_path, *keys)
    with pytest.raises(KeyMissingError, match="ATELIER_KEYS"):
        await KeyBook(stores.database).admit(stores.files.ring)
    assert len(await KeyBook(stores.database).needed()) == 1
    with pytest.raises(KeyMissingError):
        await stores.jobs.get(job.id)
    await stores.database.close()


async def test_one_file_in_the_place_of_another_is_told(tmp_path: Path) -> None:
    files = FileStore(tmp_path, ring=KeyRing([NEW]))
    one, two = [await files.put(data, media_type="image/png") for data in (b"one", b"two")]
    await asyncio.to_thread(shutil.copy, tmp_path / two.place, tmp_path / one.place)
    with pytest.raises(FileDamagedError):
        await files.read(one.sha256)


def backed_up(url: str, folder: Path, files: FileStore) -> Path:
    target = folder / "backup.tar"
    asyncio.run(back_up(url, files=files, beside={}, to=target))
    return target


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_backup_stays_encrypted_and_is_restored_with_its_keys_alone(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = request.getfixturevalue(f"{kind}_url")
    place = tmp_path / "restored"
    target = f"sqlite:///{place}/a.sqlite3"
    if kind == "postgres":
        target = request.getfixturevalue("empty_postgres_url")

    async def fill() -> str:
        plain = opened(url, tmp_path)
        await asked(plain, b"of before")
        await plain.database.close()
        stores = opened(url, tmp_path, OLD)
        await KeyBook(stores.database).admit(stores.files.ring)
        job = await asked(stores)
        await stores.database.close()
        return job.id

    job_id = asyncio.run(fill())
    archive = backed_up(url, tmp_path, FileStore(tmp_path / "files", ring=KeyRing([OLD])))
    assert PHOTO not in archive.read_bytes()
    place.mkdir()
    for keys in ([], [NEW]):
        files = FileStore(place / "files", ring=KeyRing(keys))
        with pytest.raises(KeyMissingError, match="ATELIER_KEYS"):
            asyncio.run(restore(target, files=files, beside={}, archive=archive))
        assert not (place / "files").exists()
        assert not (place / "a.sqlite3").exists()
    files = FileStore(place / "files", ring=KeyRing([NEW, OLD]))
    asyncio.run(restore(target, files=files, beside={}, archive=archive))

    async def look() -> bool:
        stores = opened(target, place, NEW, OLD)
        found = await right(stores, job_id)
        await stores.database.close()
        return found

    assert asyncio.run(look())


def test_a_backup_without_encryption_is_restored_where_keys_are_set(
    sqlite_url: str, tmp_path: Path
) -> None:
    async def fill() -> Job:
        plain = opened(sqlite_url, tmp_path)
        job = await asked(plain)
        await plain.database.close()
        return job

    job = asyncio.run(fill())
    archive = backed_up(sqlite_url, tmp_path, FileStore(tmp_path / "files"))
    place = tmp_path / "restored"
    place.mkdir()
    target, files = f"sqlite:///{place}/a.sqlite3", FileStore(place / "files", ring=KeyRing([NEW]))
    asyncio.run(restore(target, files=files, beside={}, archive=archive))

    async def look() -> bool:
        stores = opened(target, place, NEW)
        found = await right(stores, job.id)
        await stores.database.close()
        return found

    assert asyncio.run(look())
