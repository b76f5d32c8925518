"""Files by hash: durable, deduplicated, and never anywhere but in their folder."""

import asyncio
import hashlib
import os
from pathlib import Path

import pytest

from storage.errors import (
    FileDamagedError,
    FileMissingError,
    FileRefusedError,
    InvalidDigestError,
)
from storage.files import FileStore

DATA = b"the bytes of a picture"
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def files(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "files")


def names_below(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


async def test_what_was_put_is_read_back(files: FileStore, tmp_path: Path) -> None:
    stored = await files.put(DATA, media_type="image/png")
    assert stored.sha256 == DIGEST
    assert stored.place == f"{DIGEST[:2]}/{DIGEST[2:4]}/{DIGEST}"
    assert (stored.size_bytes, stored.media_type) == (len(DATA), "image/png")
    assert await files.read(DIGEST) == DATA
    assert (tmp_path / "files" / stored.place).read_bytes() == DATA


async def test_the_same_bytes_are_one_file_however_often_they_come(
    files: FileStore, tmp_path: Path
) -> None:
    stored = await asyncio.gather(*(files.put(DATA, media_type="image/png") for _ in range(20)))
    assert len(set(stored)) == 1
    assert names_below(tmp_path) == [DIGEST]


async def test_a_file_of_the_wrong_length_is_written_anew(files: FileStore, tmp_path: Path) -> None:
    stored = await files.put(DATA, media_type="image/png")
    (tmp_path / "files" / stored.place).write_bytes(DATA[:5])
    await files.put(DATA, media_type="image/png")
    assert await files.read(DIGEST) == DATA


async def test_a_damaged_file_is_not_handed_out(files: FileStore, tmp_path: Path) -> None:
    stored = await files.put(DATA, media_type="image/png")
    (tmp_path / "files" / stored.place).write_bytes(DATA[::-1])
    with pytest.raises(FileDamagedError):
        await files.read(DIGEST)


async def test_a_missing_file_is_said_to_be_missing(files: FileStore) -> None:
    with pytest.raises(FileMissingError):
        await files.read(DIGEST)
    assert await files.remove(DIGEST) == 0


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        f"../{DIGEST[3:]}",
        f"{DIGEST}/../x",
        DIGEST.upper(),
        DIGEST[:-1],
        f"{DIGEST}\n",
        f"{DIGEST[:-1]}\x00",
        DIGEST[:-1] + "\N{ARABIC-INDIC DIGIT ONE}",
        "",
    ],
)
async def test_s8_only_digests_name_files(files: FileStore, name: str) -> None:
    with pytest.raises(InvalidDigestError):
        await files.read(name)
    with pytest.raises(InvalidDigestError):
        await files.remove(name)


async def test_s8_a_symbolic_link_is_neither_read_nor_followed_nor_counted(
    files: FileStore, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(DATA)
    place = tmp_path / "files" / DIGEST[:2] / DIGEST[2:4] / DIGEST
    place.parent.mkdir(parents=True)
    place.symlink_to(secret)
    with pytest.raises(FileMissingError):
        await files.read(DIGEST)
    assert await files.remove(DIGEST) == 0
    await files.put(DATA, media_type="image/png")
    assert not place.is_symlink()
    assert await files.read(DIGEST) == DATA
    assert secret.read_bytes() == DATA


async def test_a_file_that_cannot_be_finished_leaves_nothing_half_written(
    files: FileStore, tmp_path: Path
) -> None:
    place = tmp_path / "files" / DIGEST[:2] / DIGEST[2:4] / DIGEST
    place.mkdir(parents=True)
    with pytest.raises(FileRefusedError, match="directory"):
        await files.put(DATA, media_type="image/png")
    assert names_below(tmp_path) == []


async def test_others_on_the_machine_cannot_read_the_files(
    files: FileStore, tmp_path: Path
) -> None:
    stored = await files.put(DATA, media_type="image/png")
    assert (tmp_path / "files" / stored.place).stat().st_mode & 0o077 == 0


async def test_a_removed_file_is_gone(files: FileStore, tmp_path: Path) -> None:
    await files.put(DATA, media_type="image/png")
    assert await files.remove(DIGEST) == len(DATA)
    assert names_below(tmp_path) == []


async def test_a_file_that_was_just_found_again_is_not_removed_under_its_finder(
    tmp_path: Path,
) -> None:
    now = [0.0]
    files = FileStore(tmp_path, monotonic=lambda: now[0])
    await files.put(DATA, media_type="image/png")
    await files.put(DATA, media_type="image/png")
    assert await files.remove(DIGEST) == 0
    now[0] = 61.0
    assert await files.remove(DIGEST) == len(DATA)


async def test_what_a_killed_process_left_unfinished_is_swept_away(
    files: FileStore, tmp_path: Path
) -> None:
    stored = await files.put(DATA, media_type="image/png")
    folder = (tmp_path / "files" / stored.place).parent
    for name in (".new-old", ".new-young"):
        (folder / name).write_bytes(b"half")
    os.utime(folder / ".new-old", (1, 1))
    assert await files.older_than(3600) == []
    assert names_below(tmp_path) == [".new-young", stored.sha256]


async def test_old_files_are_told_from_new_ones(files: FileStore, tmp_path: Path) -> None:
    old = await files.put(b"old", media_type="image/png")
    await files.put(DATA, media_type="image/png")
    os.utime(tmp_path / "files" / old.place, (1, 1))
    assert await files.older_than(60) == [old.sha256]
