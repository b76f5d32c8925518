"""Whether a checkpoint is whole, told from its files alone: nothing is loaded."""

import hashlib
import json
from pathlib import Path

from generation.weights import INDEX

SUMS = "SHA256SUMS"
"""Digests in the format of ``sha256sum``; a checkpoint may carry them beside its index."""
MAX_HEADER_BYTES = 100_000_000


def damage_of(folder: Path) -> str | None:
    """Return what is wrong with a checkpoint's files, None when they are whole."""
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        parts = [name for name, kind in index.items() if _is_part(name, kind)]
    except (OSError, ValueError, AttributeError) as err:
        return f"{INDEX} cannot be read ({type(err).__name__})"
    for name in parts:
        if not (folder / name).is_dir():
            return f"{name}/ is missing"
    for path in sorted(folder.rglob("*.safetensors")):
        if not is_whole(path):
            return f"{path.relative_to(folder)} is cut off or damaged"
    return _wrong_digest(folder)


def is_whole(path: Path) -> bool:
    """Tell whether a safetensors file ends where its header says.

    The format: eight bytes with the header's length, the header as JSON with the offsets of
    every tensor, then the tensors without gaps (huggingface.co/docs/safetensors).
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
            return False
        header = file.read(length)
    try:
        tensors = json.loads(header)
        ends = [row["data_offsets"][1] for key, row in tensors.items() if key != "__metadata__"]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return False
    return 8 + length + max(ends, default=0) == size


def _is_part(name: str, kind: object) -> bool:
    """Tell whether an entry of the index is a folder: a library and a class, both named."""
    return not name.startswith("_") and isinstance(kind, list) and all(kind)


def _wrong_digest(folder: Path) -> str | None:
    place = folder / SUMS
    if not place.is_file():
        return None
    for line in place.read_text(encoding="utf-8").splitlines():
        wanted, _, name = line.partition(" ")
        path = folder / name.strip(" *")
        if not path.is_file():
            return f"{path.relative_to(folder)} is missing"
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != wanted:
                return f"{path.relative_to(folder)} is not the file that was shipped"
    return None
