"""Whether a checkpoint is whole, told from its files alone: nothing is loaded."""

import hashlib
import json
from pathlib import Path

from generation.errors import UNREADABLE, ModelUnavailableError
from generation.heads import read_head
from generation.recognition import INDEX, parts_of
from generation.weights import single_file

SUMS = "SHA256SUMS"
"""Digests in the format of ``sha256sum``; a checkpoint may carry them beside its index."""


def damage_of(folder: Path) -> str | None:
    """Return what is wrong with a checkpoint's files, None when they are whole."""
    try:
        missing = missing_of(folder)
    except ModelUnavailableError as err:
        return str(err)
    if missing:
        return f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
    for path in sorted(folder.rglob("*.safetensors")):
        if not is_whole(path):
            return f"{path.relative_to(folder)} is cut off or damaged"
    return _wrong_digest(folder)


def missing_of(folder: Path) -> tuple[str, ...]:
    """Return what a checkpoint lacks of that which its own index names; no weights are read.

    Raises:
        ModelUnavailableError: an index cannot be read, or there are several single files.
    """
    try:
        return _missing_of(folder)
    except (OSError, *UNREADABLE) as err:
        raise ModelUnavailableError(f"{INDEX} cannot be read ({type(err).__name__})") from err


def _missing_of(folder: Path) -> tuple[str, ...]:
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    parts = [folder / name for name, kind in index.items() if _is_part(name, kind)]
    lacking = tuple(lack for part in parts for lack in _missing_of_part(part))
    single = single_file(folder)
    if single is None:
        return lacking
    held = {f"{part}/*.safetensors" for part in (*parts_of(read_head(single)), "safety_checker")}
    return tuple(lack for lack in lacking if lack not in held)


def is_whole(path: Path) -> bool:
    """Tell whether a safetensors file ends where its head says."""
    try:
        read_head(path)
    except ModelUnavailableError:
        return False
    return True


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_part(name: str, kind: object) -> bool:
    """Tell whether an entry of the index is a folder: a library and a class, both named."""
    return not name.startswith("_") and isinstance(kind, list) and all(kind)


def _missing_of_part(part: Path) -> list[str]:
    """Return what a part lacks; of all parts, networks alone have a ``config.json``."""
    if not part.is_dir():
        return [f"{part.name}/"]
    wanted = {
        shard
        for index in part.glob("*.safetensors.index.json")
        for shard in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
    }
    if lost := sorted(shard for shard in wanted if not (part / Path(shard).name).is_file()):
        return [f"{part.name}/{shard}" for shard in lost]
    if (part / "config.json").is_file() and not any(part.glob("*.safetensors")):
        return [f"{part.name}/*.safetensors"]
    return []


def _wrong_digest(folder: Path) -> str | None:
    place = folder / SUMS
    if not place.is_file():
        return None
    try:
        lines = place.read_text(encoding="utf-8").splitlines()
    except ValueError:
        return f"{SUMS} is not understood: it is no text"
    found = (_wrong_line(folder, line) for line in lines if line.strip())
    return next(filter(None, found), None)


def _wrong_line(folder: Path, line: str) -> str | None:
    wanted, _, told = line.partition(" ")
    name = Path(told.strip(" *"))
    if name.is_absolute() or ".." in name.parts:
        return f"{SUMS} names {name}, which is not in the checkpoint"
    if not (folder / name).is_file():
        return f"{name} is missing"
    if sha256_of(folder / name) != wanted:
        return f"{name} is not the file that was shipped"
    return None
