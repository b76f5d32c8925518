"""The checkpoints that are there, and what is known of each: the operator's and the starters."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from generation.cards import Card, FileSum, read_card
from generation.companions import FOLDERS
from generation.errors import UNREADABLE, ModelUnavailableError
from generation.estimators import TITLES as ESTIMATOR_TITLES
from generation.estimators import examine
from generation.families import OTHER, Family
from generation.portraits import TITLES
from generation.prompts import read_prompt
from generation.recognition import (
    CONFIG,
    Config,
    architecture_name,
    estimator_kind,
    family_of,
    is_network,
    plainest,
    read_config,
)
from generation.weights import (
    INDEX,
    PICKLES,
    STARTER,
    Manifest,
    known_architecture,
    needs_configuration,
    paints_anew,
    plain_words,
    read_manifest,
    single_file,
)
from generation.wholeness import missing_of

EMPTY, UNDECLARED = Card(), Manifest()
OURS = Card(origin="ships with Atelier", licence="Apache-2.0")


Fault = Literal["unread", "bare", "marked", "lacks", "changed", "refused"]
"""What keeps a checkpoint from being loaded: its files are not understood; a single file lacks the
configuration beside it; a look at it found something wrong; parts are missing, or only pickles; a
file is not what was recorded; it found no room a short while ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One checkpoint that is there.

    Args:
        starter: whether it ships with the program.
        manifest: what its ``atelier.json`` declares.
        family: told from its files; OTHER where they do not tell.
        size_bytes: of all its files.
        missing: what it lacks of that which its index names.
        unusable: why it is not loaded, a sentence's end; empty if it may be.
        fault: the same in short; where it may be loaded it means nothing.
    """

    name: str
    folder: Path
    starter: bool
    manifest: Manifest = UNDECLARED
    family: Family = OTHER
    size_bytes: int = 0
    card: Card = EMPTY
    missing: tuple[str, ...] = ()
    unusable: str = ""
    fault: Fault = "unread"

    @property
    def title(self) -> str:
        """What it calls itself, else what its family is called."""
        return self.manifest.title or self.family.title

    @property
    def words(self) -> tuple[str, ...]:
        """The plainest word of every edit it knows; empty if any words will do."""
        return plain_words(self.manifest.words)

    def understands(self, prompt: str) -> bool:
        """Return whether it can do all that a prompt says; of any words that is not known."""
        words, fillers = self.manifest.words, self.manifest.fillers
        return not words or not read_prompt(prompt, words=words, fillers=fillers).unknown

    @property
    def paints(self) -> bool:
        """Whether it makes pictures from words alone, and new parts of pictures besides."""
        return paints_anew(self.family, self.manifest)

    @property
    def usable(self) -> bool:
        """Whether it may be loaded."""
        return not self.unusable


@dataclass(frozen=True, slots=True, kw_only=True)
class Public:
    """One line of the curated list: a checkpoint that anybody may fetch, if they accept its terms.

    Args:
        id: its name on the Hugging Face hub.
        gated: whether the hub asks for an account that has accepted the licence.
        about: one sentence.
    """

    id: str
    licence: str
    about: str
    gated: bool = False


@cache
def public_checkpoints() -> tuple[Public, ...]:
    """Return the curated list of public checkpoints."""
    table = json.loads((files("generation") / "public_checkpoints.json").read_text("utf-8"))
    return tuple(Public(**row) for row in table)


def entries(*, models_dir: Path) -> tuple[Entry, ...]:
    """Return all checkpoints by name; no weights are read.

    One of the operator's takes the place of a starter of its name.
    """
    found = {folder.name: folder for base in (STARTER, models_dir) for folder in folders(base)}
    return tuple(_entry(folder, models_dir=models_dir) for _, folder in sorted(found.items()))


def networks(*, models_dir: Path) -> tuple[Entry, ...]:
    """Return the networks alone by name, ours and the operator's: no checkpoints, nor parts.

    One of the operator's takes the place of a starter of its name.
    """
    found = {it.name: it for base in (STARTER, models_dir) for it in network_folders(base)}
    return tuple(_network(folder, models_dir=models_dir) for _, folder in sorted(found.items()))


def entry_named(name: str, *, models_dir: Path) -> Entry:
    """Return one checkpoint, or one network alone.

    Raises:
        ModelUnavailableError: there is none of that name; the message lists those there are.
    """
    found = (*entries(models_dir=models_dir), *networks(models_dir=models_dir))
    there = {entry.name: entry for entry in found}
    try:
        return there[name]
    except KeyError:
        known = ", ".join(there)
        raise ModelUnavailableError(f"there is no checkpoint {name!r}; known: {known}") from None


def folders(base: Path) -> Iterator[Path]:
    """Yield the folders of checkpoints, those with an index or at least with weights."""
    for folder in _plain(base):
        if not is_network(folder) and (
            (folder / INDEX).is_file() or any(folder.glob("*.safetensors"))
        ):
            yield folder


def network_folders(base: Path) -> Iterator[Path]:
    """Yield the folders of networks alone: of a training of ours, or a codec."""
    yield from (folder for folder in _plain(base) if is_network(folder))


def _plain(base: Path) -> Iterator[Path]:
    for folder in sorted(base.iterdir()) if base.is_dir() else ():
        if folder.is_dir() and not folder.name.startswith(".") and folder.name not in FOLDERS:
            yield folder


def _network(folder: Path, *, models_dir: Path) -> Entry:
    entry = Entry(name=folder.name, folder=folder, starter=folder.parent == STARTER)
    try:
        told = read_config(folder, CONFIG)
        family = replace(OTHER, title=_title_of(told))
        entry = replace(entry, family=family, size_bytes=_size(folder))
        card = _card_of(entry, models_dir=models_dir)
        if estimator_kind(told):
            examine(folder)
        fault, unusable = _fault(folder, card)
        return replace(entry, card=card, unusable=unusable, fault=fault)
    except ModelUnavailableError as err:
        return replace(entry, unusable=str(err))
    except (OSError, *UNREADABLE) as err:
        return replace(entry, unusable=f"its files cannot be read ({type(err).__name__})")


def _title_of(told: Config) -> str:
    """Return what a network alone is called, by its configuration."""
    if kind := estimator_kind(told):
        return f"{ESTIMATOR_TITLES[kind]} ({architecture_name(told)})"
    named = str(told.get("network") or told.get("_class_name"))
    return TITLES.get(named, named.rpartition(":")[2])


def _card_of(entry: Entry, *, models_dir: Path) -> Card:
    """Return what is known of a checkpoint; of ours its own folder says which files it came with.

    An earlier version of the program may have recorded others.
    """
    card = read_card(entry.name, models_dir=models_dir)
    if not entry.starter:
        return card
    return replace(card, origin=OURS.origin, licence=OURS.licence, files={}, seen={})


def _entry(folder: Path, *, models_dir: Path) -> Entry:
    entry = Entry(name=folder.name, folder=folder, starter=folder.parent == STARTER)
    try:
        entry = replace(entry, size_bytes=_size(folder))
        return _read(replace(entry, card=_card_of(entry, models_dir=models_dir)))
    except ModelUnavailableError as err:
        return replace(entry, unusable=str(err))
    except (OSError, *UNREADABLE) as err:
        return replace(entry, unusable=f"its files cannot be read ({type(err).__name__})")


def _read(entry: Entry) -> Entry:
    """Return an entry with what the checkpoint's own files say of it.

    Raises:
        ModelUnavailableError: they say nothing that is understood.
        OSError, or one of UNREADABLE: a file is out of reach, or a configuration odd.
    """
    folder, card = entry.folder, entry.card
    single = single_file(folder)
    if single is not None and not (folder / INDEX).is_file():
        wanting = needs_configuration(single, name=folder.name)
        family = plainest(known_architecture(single))
        return replace(entry, family=family, unusable=wanting, fault="bare")
    missing = missing_of(folder)
    fault, unusable = _fault(folder, card, missing=missing)
    return replace(
        entry,
        manifest=read_manifest(folder),
        family=family_of(folder),
        missing=missing,
        unusable=unusable,
        fault=fault,
    )


def _fault(folder: Path, card: Card, *, missing: tuple[str, ...] = ()) -> tuple[Fault, str]:
    """Return what keeps a checkpoint from being loaded, in short and as a sentence's end."""
    if card.unusable:
        return "marked", card.unusable
    if lack := lack_of(folder, missing):
        return "lacks", lack
    if other := resized(folder, card.files):
        return "changed", other
    return "refused", card.refused


def lack_of(folder: Path, missing: tuple[str, ...]) -> str:
    """Return why a checkpoint cannot be loaded as it is: for want of parts, or a pickle."""
    if not missing:
        return ""
    pickles = sorted(path.name for path in folder.rglob("*") if path.suffix in PICKLES)
    if pickles:
        return f"it holds {pickles[0]}, a pickle; `models convert` makes safetensors of it"
    return f"it lacks {', '.join(missing)}"


def resized(folder: Path, recorded: Mapping[str, FileSum]) -> str:
    """Return which recorded file is gone or has another size, which shows without reading it."""
    for path, before in recorded.items():
        place = folder / path
        if not place.is_file():
            return f"{path} is missing"
        if (size := place.stat().st_size) != before.size_bytes:
            return f"{path} has {size} bytes instead of {before.size_bytes}"
    return ""


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
