"""Back up a database together with its files, and restore both; the bot may run meanwhile.

Files are never changed, only added and removed, and a row that refers to a file is written after
it and deleted before it. So a snapshot of the database is taken first and the files that it refers
to are read afterwards; if some of them have gone by then, their rows have too, and the next
snapshot knows. A file that is missing twice running is lost, and the archive says so.
"""

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from storage.archives import ArchiveWriter, Manifest, contents, read_manifest, written
from storage.clock import utc_now
from storage.database import Database, sqlite_path
from storage.errors import (
    AlreadyThereError,
    ArchiveError,
    FileDamagedError,
    FileMissingError,
    UnsupportedDatabaseError,
)
from storage.files import FileStore
from storage.keybook import KeyBook, require_keys
from storage.lock import hold
from storage.migrating import refuse_newer
from storage.policies import Ceilings
from storage.quotas import Quotas
from storage.snapshots import check_sqlite, load_snapshot, require_empty, take_snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was restored, and how many accounts are not the sum of their ledger: none should be."""

    manifest: Manifest
    discrepancies: int


async def back_up(url: str, *, files: FileStore, beside: Mapping[str, Path], to: Path) -> Manifest:
    """Write the database, its files and small files beside it into one archive.

    Args:
        url: the database; it is only read.
        files: where its files are.
        beside: small files by the names they get, which end in ``.json``; absent ones are left out.
        to: the archive's place.

    Raises:
        AlreadyThereError: something is at that place.
        DatabaseError: there is no database, or it cannot be used.
        DumpError: ``pg_dump`` is missing or failed.
        OSError: a file cannot be read, or the archive not be written.
    """
    with (
        written(to) as archive,
        tempfile.TemporaryDirectory(dir=to.parent, prefix=".backup-") as folder,
    ):
        dump = Path(folder) / "database"
        there: set[str] = set()
        sealed: dict[str, str] = {}
        gone: set[str] | None = None
        while True:
            snapshot = await take_snapshot(url, to=dump)
            wanted = snapshot.files.keys() - there
            lost = await _add_files(archive, files, wanted, sealed=sealed)
            there |= snapshot.files.keys() - lost
            if not lost or lost == gone:
                break
            gone = lost
        manifest = Manifest(
            made_at=utc_now().isoformat(timespec="seconds"),
            snapshot=snapshot,
            database=await asyncio.to_thread(archive.add_database, dump),
            beside=await asyncio.to_thread(_add_beside, archive, beside),
            lost=sorted(lost),
            forgotten=sorted(there - snapshot.files.keys()),
            sealed=sealed,
            keys=await _keys_of(url),
        )
        await asyncio.to_thread(archive.close_with, manifest)
    return manifest


async def restore(
    url: str, *, files: FileStore, beside: Mapping[str, Path], archive: Path
) -> Restored:
    """Make a database, its files and the small files beside it of an archive, and check them.

    What is there stays there: the database must not exist, or be empty. Everything is checked
    before anything is written, and the database comes last, so that a restore that was broken off
    can be repeated. An older schema is brought to this program's.

    Raises:
        AlreadyThereError: something is there that would be overwritten or orphaned.
        ArchiveError: the archive is damaged, or holds what a backup does not.
        SchemaTooNewError: a newer program has made it.
        UnsupportedDatabaseError: it holds another kind of database than ``url`` names.
        DatabaseHeldError: a bot holds the database.
        KeyMissingError: it is encrypted, and a key for it is not there.
        DumpError: ``pg_restore`` is missing or failed.
        OSError: something cannot be read or written.
    """
    place = sqlite_path(url)
    with hold(url), _staging(place) as dump:
        await asyncio.to_thread(require_empty, url)
        manifest = await asyncio.to_thread(read_manifest, archive, database_to=dump)
        await asyncio.to_thread(_require_fit, manifest, dump=dump, on_sqlite=place is not None)
        require_keys(list(manifest.keys), files.ring)
        await _require_no_others(files, manifest)
        await _put_files(files, archive, wanted=manifest.snapshot.files.keys())
        await asyncio.to_thread(_put_beside, archive, beside)
        await asyncio.to_thread(load_snapshot, url, dump=dump)
    database = Database.open(url, read_only=True)
    try:
        odd = await Quotas(database, ceilings=Ceilings(member_ms=0)).audit()
        return Restored(manifest=manifest, discrepancies=len(odd))
    finally:
        await database.close()


async def _keys_of(url: str) -> list[str]:
    """Return the fingerprints of the keys that a database and its files need."""
    database = Database.open(url, read_only=True)
    try:
        return await KeyBook(database).needed()
    finally:
        await database.close()


async def _add_files(
    archive: ArchiveWriter, files: FileStore, digests: Iterable[str], *, sealed: dict[str, str]
) -> set[str]:
    """Add files as they lie in the store, and return those that are not there or damaged.

    What encrypted ones are in the archive is written down in ``sealed``.
    """
    lost = set()
    for sha256 in sorted(digests):
        try:
            data = await files.read_sealed(sha256)
        except (FileMissingError, FileDamagedError):
            lost.add(sha256)
            continue
        found = await asyncio.to_thread(_add_file, archive, sha256, data)
        if found != sha256:
            sealed[sha256] = found
    return lost


def _add_file(archive: ArchiveWriter, name: str, data: bytes) -> str:
    archive.add(f"files/{name}", data)
    return hashlib.sha256(data).hexdigest()


def _add_beside(archive: ArchiveWriter, beside: Mapping[str, Path]) -> dict[str, str]:
    digests = {}
    for name, path in beside.items():
        if path.is_file():
            data = path.read_bytes()
            archive.add(f"beside/{name}", data)
            digests[name] = hashlib.sha256(data).hexdigest()
    return digests


@contextmanager
def _staging(place: Path | None) -> Iterator[Path]:
    """Yield where a snapshot is written first: beside an SQLite database, so that it is moved."""
    folder = place.parent if place is not None else None
    with tempfile.TemporaryDirectory(dir=folder, prefix=".restoring-") as staging:
        yield Path(staging) / "database"


def _require_fit(manifest: Manifest, *, dump: Path, on_sqlite: bool) -> None:
    kind = manifest.snapshot.kind
    if (kind == "sqlite") != on_sqlite:
        wanted = "SQLite" if on_sqlite else "PostgreSQL"
        raise UnsupportedDatabaseError(
            f"the backup holds a database of {kind}, and the settings name one of {wanted}"
        )
    refuse_newer(manifest.snapshot.revision)
    if on_sqlite:
        check_sqlite(dump, snapshot=manifest.snapshot)


async def _require_no_others(files: FileStore, manifest: Manifest) -> None:
    """Refuse where files lie that the restored database would not know, and the purge remove."""
    others = set(await files.older_than(0)) - manifest.snapshot.files.keys()
    if others:
        raise AlreadyThereError(
            f"{files} holds {len(others)} files that are not in the backup; restore elsewhere, "
            "or move them away"
        )


async def _put_files(files: FileStore, archive: Path, *, wanted: Collection[str]) -> None:
    for sha256, data in contents(archive, "files"):
        if sha256 not in wanted:
            continue
        try:
            await files.put_sealed(sha256, data)
        except FileDamagedError as err:
            raise ArchiveError(f"{archive} has changed while it was restored") from err


def _put_beside(archive: Path, beside: Mapping[str, Path]) -> None:
    """Write the small files where there are none."""
    for name, data in contents(archive, "beside"):
        path = beside.get(name)
        if path is not None and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
