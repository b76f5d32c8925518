"""What is known of a checkpoint, in a small file beside it: origin, licence, sums, memory, state.

The file lies in the operator's models folder as ``NAME.catalogue.json``, for a checkpoint of
theirs and for a starter alike, and is only ever replaced as a whole.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import time
from typing import Any

from generation.errors import UNREADABLE, ModelUnavailableError
from generation.replacing import replaced

ENDING = ".catalogue.json"
REFUSAL_S = 600.0
"""A checkpoint that found no room is not offered for so long; then it may be tried again."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSum:
    """What one file of a checkpoint was when it was recorded."""

    size_bytes: int
    sha256: str


Stamp = tuple[int, int, int]
"""A file's size, the time it was last written in nanoseconds, and its inode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What is known of a checkpoint; every field may be empty.

    Args:
        origin: where it came from: a hub's id, or a path.
        revision: the commit of a hub that it was fetched at.
        licence: as its publisher names it.
        files: the sums of its files, by their path inside the checkpoint.
        seen: the versions of them that had those sums; they are not read again for that.
        memory_bytes: the most that one picture took, by the kind of device it was tried on.
        unusable: why it must not be loaded, a sentence's end; empty if it may.
        too_large: why it found no room when it was last loaded; empty if it did, or if another
            device may have some.
        too_large_at: when that was, in seconds since 1970.
        refusals: when it found no room last, by device; those of all devices are its ``too_large``.
    """

    origin: str = ""
    revision: str = ""
    licence: str = ""
    files: Mapping[str, FileSum] = field(default_factory=dict)
    seen: Mapping[str, Stamp] = field(default_factory=dict)
    memory_bytes: Mapping[str, int] = field(default_factory=dict)
    unusable: str = ""
    too_large: str = ""
    too_large_at: float = 0.0
    refusals: Mapping[str, float] = field(default_factory=dict)

    @property
    def refused(self) -> str:
        """Why it is not tried now: it found no room a short while ago. Else empty."""
        return self.too_large if _lately(self.too_large_at) else ""


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
    with replaced(place) as file:
        file.write(json.dumps(asdict(card), indent=2).encode())


def note_refusal(
    name: str, why: str, *, models_dir: Path, device: str = "", devices: int = 1
) -> None:
    """Write on a checkpoint's card that it found no room, so that it is not offered for a while.

    Where that cannot be written it is only logged.

    Args:
        name: the checkpoint's.
        why: a sentence.
        models_dir: where the card lies.
        device: which one has no room.
        devices: how many there are; as long as one has not refused it, it is offered.
    """
    logger.warning("%s", why)

    def noted(card: Card) -> Card:
        known = {each: at for each, at in card.refusals.items() if _lately(at)}
        refusals = {**known, device: time()}
        if len(refusals) < devices:
            return replace(card, refusals=refusals)
        return replace(card, refusals=refusals, too_large=why, too_large_at=time())

    _settle(name, noted, models_dir=models_dir)


def forget_refusal(name: str, *, models_dir: Path) -> None:
    """Take from a checkpoint's card that it found no room, if that is there."""

    def forgotten(card: Card) -> Card:
        return replace(card, too_large="", too_large_at=0.0, refusals={})

    _settle(name, forgotten, models_dir=models_dir)


def note_damage(name: str, why: str, *, models_dir: Path) -> None:
    """Write on a checkpoint's card that it must not be loaded, unless something is written there.

    Where that cannot be written it is only logged.

    Args:
        name: the checkpoint's.
        why: a sentence.
        models_dir: where the card lies.
    """
    logger.warning("%s", why)

    def noted(card: Card) -> Card:
        return card if card.unusable else replace(card, unusable=why.removeprefix(f"{name}: "))

    _settle(name, noted, models_dir=models_dir)


def note_seen(
    name: str, seen: Mapping[str, Stamp], *, sums: Mapping[str, FileSum], models_dir: Path
) -> None:
    """Write on a checkpoint's card which versions of its files have the sums that are there."""

    def noted(card: Card) -> Card:
        return replace(card, seen=seen) if card.files == sums else card

    _settle(name, noted, models_dir=models_dir)


def _lately(at: float) -> bool:
    return 0 <= time() - at < REFUSAL_S


def _settle(name: str, change: Callable[[Card], Card], *, models_dir: Path) -> None:
    """Write a card anew if that changes it."""
    try:
        card = read_card(name, models_dir=models_dir)
        if (changed := change(card)) != card:
            write_card(name, changed, models_dir=models_dir)
    except (OSError, ModelUnavailableError) as err:
        logger.warning("the card of %s cannot be written: %s", name, err)


def _card(data: Any) -> Card:  # noqa: ANN401 - whatever the file holds
    fields = dict(data)
    files = {str(path): FileSum(**found) for path, found in fields.pop("files", {}).items()}
    seen = {str(path): _stamp(*told) for path, told in fields.pop("seen", {}).items()}
    memory = {str(kind): int(most) for kind, most in fields.pop("memory_bytes", {}).items()}
    refusals = {str(device): float(at) for device, at in fields.pop("refusals", {}).items()}
    return Card(files=files, seen=seen, memory_bytes=memory, refusals=refusals, **fields)


def _stamp(size: int, time_ns: int, inode: int) -> Stamp:
    return int(size), int(time_ns), int(inode)
