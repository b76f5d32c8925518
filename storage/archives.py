"""The archive that a backup is: an ordinary tar file whose members are named by their content.

::

    files/<sha256>      a stored picture; if it is encrypted, as it lies in the store
    beside/<name>       a small file of the data folder, such as the operator's presets
    database/<sha256>   the snapshot of the database
    manifest/<sha256>   what there has to be, as JSON; the last member

No name in an archive ever becomes part of a path. Whatever is missing, cut, changed, or there
without being named by the manifest makes the whole archive refused, before anything is restored.
"""

import hashlib
import json
import os
import re
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO

from storage.errors import AlreadyThereError, ArchiveError
from storage.snapshots import Snapshot

FORMAT = 1
LARGEST_MANIFEST = 2**30
_NAME = re.compile(r"(files|database|manifest)/([0-9a-f]{64})|beside/([a-z]{1,32}\.json)", re.ASCII)
NAMED_BY_CONTENT = ("database/", "manifest/")
NEWER = ("sealed", "keys")
"""What is left out where nothing is encrypted, so that older versions restore it, too."""
_CHUNK = 2**20
UNREADABLE = (
    tarfile.TarError, ValueError, KeyError, TypeError, AttributeError, EOFError, OverflowError,
)  # fmt: skip
"""What reading a damaged archive, or a manifest of other fields, raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What is in an archive.

    Args:
        made_at: in ISO 8601.
        snapshot: of the database; of its files those are there that are not ``lost``.
        database: the digest of the snapshot's file.
        beside: digests of small files by their names.
        lost: files that could not be read when the archive was made.
        forgotten: files that are in it though they were deleted while it was made.
        sealed: the digests of encrypted files as they lie in it, by their names.
        keys: fingerprints of the keys that are needed to read it.
    """

    made_at: str
    snapshot: Snapshot
    database: str
    beside: Mapping[str, str]
    lost: Sequence[str]
    forgotten: Sequence[str]
    sealed: Mapping[str, str] = field(default_factory=dict)
    keys: Sequence[str] = ()

    @property
    def members(self) -> dict[str, str]:
        """The digests of the members that there have to be, by their names."""
        kept = self.snapshot.files.keys() - set(self.lost) | set(self.forgotten)
        files = {f"files/{sha256}": self.sealed.get(sha256, sha256) for sha256 in kept}
        beside = {f"beside/{name}": sha256 for name, sha256 in self.beside.items()}
        return {f"database/{self.database}": self.database, **files, **beside}


class ArchiveWriter:
    """Adds members; ``written`` makes one."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar

    def add(self, name: str, data: bytes) -> None:
        """Add bytes under a name."""
        self._add(name, BytesIO(data), size=len(data))

    def add_database(self, path: Path) -> str:
        """Add the file of a snapshot, and return its digest."""
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            self._add(f"database/{sha256}", file, size=path.stat().st_size)
        return sha256

    def close_with(self, manifest: Manifest) -> None:
        """Add what says that the archive is complete."""
        fields = {key: it for key, it in asdict(manifest).items() if it or key not in NEWER}
        told = json.dumps({"format": FORMAT, **fields}, separators=(",", ":")).encode()
        self.add(f"manifest/{hashlib.sha256(told).hexdigest()}", told)

    def _add(self, name: str, file: IO[bytes], *, size: int) -> None:
        member = tarfile.TarInfo(name)
        member.size = size
        self._tar.addfile(member, file)


@contextmanager
def written(path: Path) -> Iterator[ArchiveWriter]:
    """Write an archive beside its place and put it there, durably, when the block ends.

    Raises:
        AlreadyThereError: something is there; it is left alone.
        OSError: it cannot be written; nothing half-written stays behind.
    """
    if path.exists() or path.is_symlink():
        raise AlreadyThereError(f"{path} is there already; a backup overwrites nothing")
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            with tarfile.open(fileobj=file, mode="w") as tar:
                yield ArchiveWriter(tar)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            raise AlreadyThereError(f"{path} has come meanwhile; a backup overwrites nothing")
        Path(name).rename(path)
    finally:
        Path(name).unlink(missing_ok=True)


def read_manifest(path: Path, *, database_to: Path) -> Manifest:
    """Check every byte of an archive, write its database to a file, and say what is in it.

    Raises:
        ArchiveError: something is wrong with it.
        OSError: it cannot be read, or the database not be written.
    """
    found: dict[str, str] = {}
    manifest = None
    with _refusing(path), tarfile.open(path, mode="r:") as tar:
        for name, member in _members(tar):
            if manifest is not None or name in found:
                raise ArchiveError("it holds more than a backup does")
            data = member.read(LARGEST_MANIFEST) if name.startswith("manifest/") else None
            copy = database_to if name.startswith("database/") else None
            found[name] = sha256 = _digest_of(BytesIO(data) if data is not None else member, copy)
            if name.startswith(NAMED_BY_CONTENT) and name.partition("/")[2] != sha256:
                raise ArchiveError(f"{name} is damaged")
            if data is not None:
                manifest = _parsed(data)
                del found[name]
        if manifest is None:
            raise ArchiveError("it is cut, or the backup was broken off")
        for name, sha256 in manifest.members.items():
            if found.get(name, sha256) != sha256:
                raise ArchiveError(f"{name} is damaged")
        if found != manifest.members:
            raise ArchiveError("it does not hold what it says")
    return manifest


def contents(path: Path, kind: str) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of the members of one kind, of an archive that was checked."""
    with _refusing(path), tarfile.open(path, mode="r:") as tar:
        for name, member in _members(tar):
            found, _, rest = name.partition("/")
            if found == kind:
                yield rest, member.read()


def _members(tar: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the members; all have to be ordinary files with names of ours."""
    for member in tar:
        file = tar.extractfile(member) if member.isreg() and not member.issparse() else None
        if file is None or not _NAME.fullmatch(member.name):
            raise ArchiveError(f"{member.name[:80]!a} is nothing that a backup holds")
        yield member.name, file


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Name the archive in whatever is wrong with it."""
    try:
        yield
    except ArchiveError as err:
        raise ArchiveError(f"{path} cannot be restored: {err}") from err
    except UNREADABLE as err:
        raise ArchiveError(f"{path} is no backup, or it is cut or damaged") from err


def _digest_of(member: IO[bytes], copy: Path | None) -> str:
    with copy.open("wb") if copy else nullcontext() as target:
        digest = hashlib.sha256()
        while chunk := member.read(_CHUNK):
            digest.update(chunk)
            if target is not None:
                target.write(chunk)
    return digest.hexdigest()


def _parsed(data: bytes) -> Manifest:
    told = json.loads(data)
    if told.pop("format") != FORMAT:
        raise ArchiveError("a newer version of Atelier has made it")
    told["snapshot"] = Snapshot(**told["snapshot"])
    return Manifest(**told)
