"""Whether a checkpoint is whole, told from its files alone: nothing is loaded."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from generation.errors import UNREADABLE, ModelUnavailableError
from generation.heads import read_head
from generation.recognition import INDEX, is_network, parts_of
from generation.weights import STARTER, single_file

SUMS = "SHA256SUMS"
"""Digests in the format of ``sha256sum``; a checkpoint may carry them beside its index."""


def damage_of(folder: Path) -> str | None:
    """Return what is wrong with a checkpoint's files, or a network's, None when they are whole."""
    try:
        missing = () if is_network(folder) else missing_of(folder)
    except ModelUnavailableError as err:
        return str(err)
    if missing:
        return f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
    found = sorted(folder.rglob("*.safetensors"))
    if not found:
        return "it holds no weights (*.safetensors)"
    for path in found:
        if not is_whole(path):
            return f"{path.relative_to(folder)} is cut off or damaged"
    return _wrong_digest(folder)


def starters() -> Iterator[tuple[str, Path]]:
    """Yield all that ships with weights, checkpoints and networks, by name and folder."""
    for place in sorted(STARTER.rglob(SUMS)):
        yield place.parent.relative_to(STARTER).as_posix(), place.parent


def shipped(folder: Path) -> Mapping[str, str]:
    """Return the digests that a folder's own ``SHA256SUMS`` names, by path; none without one.

    Raises:
        ModelUnavailableError: it is not understood, or names what is not in the folder.
    """
    place = folder / SUMS
    if not place.is_file():
        return {}
    try:
        lines = place.read_text(encoding="utf-8").splitlines()
    except ValueError as err:
        raise ModelUnavailableError(f"{SUMS} is not understood: it is no text") from err
    told = (line.partition(" ") for line in lines if line.strip())
    found = {name.strip(" *"): digest for digest, _, name in told}
    for name in found:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ModelUnavailableError(f"{SUMS} names {name}, which is not in the checkpoint")
    return found


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
    try:
        digests = shipped(folder)
    except ModelUnavailableError as err:
        return str(err)
    for name, wanted in digests.items():
        if not (folder / name).is_file():
            return f"{name} is missing"
        if sha256_of(folder / name) != wanted:
            return f"{name} is not the file that was shipped"
    return None
