"""Whether a checkpoint's files are those that were recorded, told before they are loaded.

Every version of a file is read for that once: what was found is remembered on the checkpoint's
card, and as long as the process lives where that cannot be written. A version is told by size,
time and inode. What ships is compared with the sums that ship with it.
"""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from generation.cards import FileSum, Stamp, note_seen, read_card
from generation.errors import ModelDamagedError
from generation.weights import STARTER
from generation.wholeness import sha256_of, shipped


def recorded(folder: Path, paths: Iterable[str]) -> tuple[dict[str, FileSum], dict[str, Stamp]]:
    """Return the sums of a folder's files, and the versions that they are of."""
    seen = {path: stamp_of(folder / path) for path in paths}
    sums = {path: sha256_of(folder / path) for path in seen}
    return {path: FileSum(size_bytes=seen[path][0], sha256=sums[path]) for path in seen}, seen


def require_recorded(name: str, folder: Path, *, models_dir: Path) -> None:
    """Refuse a checkpoint of whose files one is another than when it was recorded.

    It takes as long as reading them, the first time; of a checkpoint of the operator's without a
    card nothing is known, and nothing is read.

    Raises:
        ModelDamagedError: a file is gone, cut off, or has another SHA-256.
        ModelUnavailableError: its card, or what ships with it, is not understood.
    """
    if folder.is_relative_to(STARTER):
        require_shipped(folder)
        return
    card = read_card(name, models_dir=models_dir)
    seen = {}
    for path, before in card.files.items():
        try:
            seen[path] = _same(folder / path, before, seen=card.seen.get(path))
        except FileNotFoundError as err:
            raise ModelDamagedError(f"{name} lacks {path}, which it came with") from err
        except ValueError as err:
            raise ModelDamagedError(f"{name}: {path} {err} that it came with") from err
    if seen != card.seen:
        note_seen(name, seen, sums=card.files, models_dir=models_dir)


def require_shipped(folder: Path) -> None:
    """Refuse a folder of which one file is another than its own ``SHA256SUMS`` says.

    Raises:
        ModelDamagedError: a file is gone, or has another SHA-256.
        ModelUnavailableError: the sums are not understood.
    """
    for path, wanted in shipped(folder).items():
        place = folder / path
        if not place.is_file():
            raise ModelDamagedError(f"{folder.name} lacks {path}, which ships with it")
        if _sum_of(place, stamp_of(place)) != wanted:
            raise ModelDamagedError(f"{folder.name}: {path} is not the file that was shipped")


def stamp_of(path: Path) -> Stamp:
    """Return what tells versions of a file apart: its size, its time and its inode."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ino


def _same(path: Path, before: FileSum, *, seen: Stamp | None) -> Stamp:
    """Return the version of a file that is as it was recorded.

    Raises:
        ValueError: it is not; half a sentence.
    """
    now = stamp_of(path)
    if now[0] != before.size_bytes:
        raise ValueError(f"has {now[0]} bytes, not the {before.size_bytes}")
    if now != seen and _sum_of(path, now) != before.sha256:
        raise ValueError("has another SHA-256 than the one")
    return now


@lru_cache(maxsize=1024)
def _sum_of(path: Path, version: Stamp) -> str:
    """Return a file's sum, read once for each of its versions."""
    del version
    return sha256_of(path)
