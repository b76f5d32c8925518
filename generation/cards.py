"""What is known of a checkpoint, in a small file beside it: origin, licence, sums, memory, state.

The file lies in the operator's models folder as ``NAME.catalogue.json``, for a checkpoint of
theirs and for a starter alike, and is only ever replaced as a whole.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from generation.errors import UNREADABLE, ModelUnavailableError

ENDING = ".catalogue.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSum:
    """What one file of a checkpoint was when it was recorded."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What is known of a checkpoint; every field may be empty.

    Args:
        origin: where it came from: a hub's id, or a path.
        revision: the commit of a hub that it was fetched at.
        licence: as its publisher names it.
        files: the sums of its files, by their path inside the checkpoint.
        memory_bytes: the most that one picture took, by the kind of device it was tried on.
        unusable: why it must not be loaded, a sentence's end; empty if it may.
    """

    origin: str = ""
    revision: str = ""
    licence: str = ""
    files: Mapping[str, FileSum] = field(default_factory=dict)
    memory_bytes: Mapping[str, int] = field(default_factory=dict)
    unusable: str = ""


def card_place(name: str, *, models_dir: Path) -> Path:
    """Return where a checkpoint's card lies."""
    return models_dir / f"{name}{ENDING}"


def read_card(name: str, *, models_dir: Path) -> Card:
    """Return a checkpoint's card, an empty one if it has none.

    Raises:
        ModelUnavailableError: the file is there but not understood.
    """
    place = card_place(name, models_dir=models_dir)
    try:
        return _card(json.loads(place.read_text("utf-8")))
    except FileNotFoundError:
        return Card()
    except UNREADABLE as err:
        raise ModelUnavailableError(
            f"{place.name} is not understood ({err}); `models verify {name}` after removing it"
        ) from err


def write_card(name: str, card: Card, *, models_dir: Path) -> None:
    """Put a card in place as a whole, so that no reader ever sees half of one."""
    place = card_place(name, models_dir=models_dir)
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(asdict(card), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(place)
    finally:
        fresh.unlink(missing_ok=True)


def _card(data: Any) -> Card:  # noqa: ANN401 - whatever the file holds
    fields = dict(data)
    files = {str(path): FileSum(**found) for path, found in fields.pop("files", {}).items()}
    memory = {str(kind): int(most) for kind, most in fields.pop("memory_bytes", {}).items()}
    return Card(files=files, memory_bytes=memory, **fields)
