"""The checkpoints that are there, and what is known of each: the operator's and the starters.

A checkpoint is copied under another name and put in place as a whole; what is found wrong with
one is written on its card, and it is not loaded until a later look finds it right.
"""

import fcntl
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path

from generation.cards import Card, FileSum, card_place, read_card, write_card
from generation.errors import UNREADABLE, ModelUnavailableError
from generation.families import OTHER, Family
from generation.loras import FOLDER as LORAS
from generation.prompts import read_prompt
from generation.recognition import family_of, plainest
from generation.weights import (
    INDEX,
    MANIFEST,
    PICKLES,
    STARTER,
    Manifest,
    known_architecture,
    needs_configuration,
    plain_words,
    read_manifest,
    single_file,
)
from generation.wholeness import damage_of, is_whole, missing_of, sha256_of

PARTIAL = ".partial"
"""Folder beside the checkpoints for what is not in place yet; nothing in it is ever loaded."""
EMPTY, UNDECLARED = Card(), Manifest()
OURS = Card(origin="ships with Atelier", licence="Apache-2.0")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_LICENCE = re.compile(r"^license(?:_name)?:[ \t]*([^\n#]+)", re.MULTILINE)

Said = Callable[[str], None]
"""Told the path of every file before it is read."""


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
    found = {folder.name: folder for base in (STARTER, models_dir) for folder in _folders(base)}
    return tuple(_entry(folder, models_dir=models_dir) for _, folder in sorted(found.items()))


def entry_named(name: str, *, models_dir: Path) -> Entry:
    """Return one checkpoint.

    Raises:
        ModelUnavailableError: there is none of that name; the message lists those there are.
    """
    there = {entry.name: entry for entry in entries(models_dir=models_dir)}
    try:
        return there[name]
    except KeyError:
        known = ", ".join(there)
        raise ModelUnavailableError(f"there is no checkpoint {name!r}; known: {known}") from None


def add(
    path: Path, *, models_dir: Path, name: str | None = None, origin: str = "", licence: str = ""
) -> Entry:
    """Copy a checkpoint into the models folder, and record its sums.

    Args:
        path: a folder in diffusers' layout, or one safetensors file.
        models_dir: where the checkpoints are.
        name: what it will be called; the path's own name if None.
        origin: where it came from; the path if empty.
        licence: as its publisher names it; what its README.md declares if empty.

    Raises:
        ModelUnavailableError: it is incomplete, damaged or a pickle, or the name is taken;
            nothing was left in the models folder.
        OSError: a file cannot be read or written.
    """
    name = checked_name(name or path.stem if path.is_file() else name or path.name)
    _refuse_damage(path)
    with alone(name, models_dir=models_dir):
        if name in {folder.name for folder in _folders(models_dir)}:
            raise ModelUnavailableError(
                f"there is a checkpoint {name!r} already; give another --name"
            )
        card = Card(origin=origin or str(path.resolve()), licence=licence)
        return put(_copied(path, models_dir=models_dir, name=name), card, models_dir=models_dir)


@contextmanager
def alone(name: str, *, models_dir: Path) -> Iterator[None]:
    """Keep other commands from a checkpoint's name while one brings it in or deletes it.

    Raises:
        ModelUnavailableError: another command has it.
    """
    place = models_dir / PARTIAL / f".{name}.lock"
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Who was here before deletes the file, which somebody else may have made anew.
            free = os.path.samestat(os.fstat(file.fileno()), place.stat())
        except (BlockingIOError, FileNotFoundError):
            free = False
        if not free:
            raise ModelUnavailableError(f"another command is at work on {name} now")
        try:
            yield
        finally:
            place.unlink()


def put(folder: Path, card: Card, *, models_dir: Path) -> Entry:
    """Record the sums of a checkpoint in the folder for partial ones, and put it in place.

    Whatever has its name is deleted, and not before it is there. The caller is ``alone``.
    """
    name, place = folder.name, models_dir / folder.name
    sums = {path: _sum(folder / path) for path in _paths(folder)}
    card = replace(card, files=sums, licence=card.licence or declared_licence(folder))
    before = _aside(place, models_dir=models_dir) if place.exists() else None
    folder.rename(place)
    write_card(name, card, models_dir=models_dir)
    if before is not None:
        _delete(before)
    return entry_named(name, models_dir=models_dir)


def remove(name: str, *, models_dir: Path) -> Entry:
    """Delete a checkpoint of the operator's, and its card.

    Raises:
        ModelUnavailableError: there is none of that name, or it is a starter.
    """
    entry = entry_named(name, models_dir=models_dir)
    if entry.starter:
        raise ModelUnavailableError(f"{name} ships with Atelier and stays")
    with alone(name, models_dir=models_dir):
        _delete(_aside(entry.folder, models_dir=models_dir))
        card_place(name, models_dir=models_dir).unlink(missing_ok=True)
    return entry


def verify(name: str, *, models_dir: Path, said: Said = lambda _: None) -> Entry:
    """Compare every file of a checkpoint with what was recorded; record it if nothing was.

    What is wrong is written on the card, so that the checkpoint is not loaded, until a later
    look finds nothing.

    Raises:
        ModelUnavailableError: there is no such checkpoint, or something is wrong with it.
    """
    entry = entry_named(name, models_dir=models_dir)
    card = entry.card
    wrong = _damage(entry.folder) or _difference(entry.folder, card.files, said=said)
    if wrong:
        mark(name, unusable=wrong, models_dir=models_dir)
        raise ModelUnavailableError(f"{name} is not loaded: {wrong}")
    if not card.files:
        card = replace(
            card, files={path: _sum(entry.folder / path) for path in _paths(entry.folder)}
        )
    write_card(name, replace(card, unusable=""), models_dir=models_dir)
    return entry_named(name, models_dir=models_dir)


def mark(
    name: str,
    *,
    models_dir: Path,
    unusable: str = "",
    memory_bytes: Mapping[str, int] | None = None,
) -> None:
    """Write on a checkpoint's card whether it may be loaded, and what it was measured to take."""
    card = entry_named(name, models_dir=models_dir).card
    measured = {**card.memory_bytes, **(memory_bytes or {})}
    card = replace(card, unusable=unusable, memory_bytes=measured)
    write_card(name, card, models_dir=models_dir)


def checked_name(name: str) -> str:
    """Return a name that a checkpoint may have.

    Raises:
        ModelUnavailableError: it is none; a name is also a folder's, and part of commands.
    """
    if _NAME.fullmatch(name) is None or name == LORAS:
        raise ModelUnavailableError(
            f"{name!r} is no name for a checkpoint; letters, digits, '.', '_' and '-' will do"
        )
    return name


def declared_licence(folder: Path) -> str:
    """Return the licence that a hub's README.md declares, empty if there is none."""
    try:
        text = (folder / "README.md").read_text("utf-8", errors="replace")
    except OSError:
        return ""
    front = _FRONT_MATTER.match(text)
    named = _LICENCE.findall(front[1]) if front else []
    return named[-1].strip(" \"'") if named else ""


def _folders(base: Path) -> Iterator[Path]:
    """Yield the folders of checkpoints, those with an index or at least with weights."""
    for folder in sorted(base.iterdir()) if base.is_dir() else ():
        plain = folder.is_dir() and not folder.name.startswith(".") and folder.name != LORAS
        if plain and ((folder / INDEX).is_file() or any(folder.glob("*.safetensors"))):
            yield folder


def _entry(folder: Path, *, models_dir: Path) -> Entry:
    starter = folder.parent == STARTER
    entry = Entry(name=folder.name, folder=folder, starter=starter)
    try:
        entry = replace(entry, size_bytes=_size(folder))
        card = read_card(folder.name, models_dir=models_dir)
        if starter:
            card = replace(card, origin=OURS.origin, licence=OURS.licence)
        entry = replace(entry, card=card)
        return _read(entry)
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
        return replace(entry, family=plainest(known_architecture(single)), unusable=wanting)
    missing = missing_of(folder)
    return replace(
        entry,
        manifest=read_manifest(folder),
        family=family_of(folder),
        missing=missing,
        unusable=card.unusable or _lack(folder, missing) or _resized(folder, card.files),
    )


def _lack(folder: Path, missing: tuple[str, ...]) -> str:
    """Return why a checkpoint cannot be loaded as it is: for want of parts, or a pickle."""
    if not missing:
        return ""
    pickles = sorted(path.name for path in folder.rglob("*") if path.suffix in PICKLES)
    if pickles:
        return f"it holds {pickles[0]}, a pickle; `models convert` makes safetensors of it"
    return f"it lacks {', '.join(missing)}"


def _refuse_damage(path: Path) -> None:
    """Refuse what could not be loaded, before anything is copied.

    Raises:
        ModelUnavailableError: the sentence says what is wrong.
    """
    if not path.exists():
        raise ModelUnavailableError(f"{path}: there is no such file or folder")
    if path.suffix in PICKLES:
        raise ModelUnavailableError(
            f"{path.name} is a pickle, which may hold programs; `models convert` it first"
        )
    if path.is_file() and path.suffix != ".safetensors":
        raise ModelUnavailableError(f"{path.name} is neither a folder nor a safetensors file")
    if wrong := _damage(path):
        raise ModelUnavailableError(f"{path.name} is not taken: {wrong}")


def _damage(path: Path) -> str:
    """Return what is wrong with a folder or a file without comparing it with anything."""
    if path.is_file():
        return "" if is_whole(path) else "it is cut off or damaged"
    if not (path / INDEX).is_file():
        return f"it has no {INDEX}"
    try:
        lack = _lack(path, missing_of(path))
    except ModelUnavailableError as err:
        return str(err)
    return lack or damage_of(path) or ""


def _difference(folder: Path, recorded: Mapping[str, FileSum], *, said: Said) -> str:
    """Return the first difference between a folder and what was recorded of it."""
    if wrong := _resized(folder, recorded):
        return wrong
    for path, before in recorded.items():
        said(path)
        if sha256_of(folder / path) != before.sha256:
            return f"{path} has another SHA-256 than when it came"
    return ""


def _resized(folder: Path, recorded: Mapping[str, FileSum]) -> str:
    """Return which recorded file is gone or has another size, which shows without reading it."""
    for path, before in recorded.items():
        place = folder / path
        if not place.is_file():
            return f"{path} is missing"
        if (size := place.stat().st_size) != before.size_bytes:
            return f"{path} has {size} bytes instead of {before.size_bytes}"
    return ""


def _copied(path: Path, *, models_dir: Path, name: str) -> Path:
    """Copy a checkpoint into the folder for partial ones; pickles stay behind."""
    target = models_dir / PARTIAL / name
    shutil.rmtree(target, ignore_errors=True)
    if path.is_file():
        target.mkdir(parents=True)
        shutil.copy2(path, target / path.name)
        return target
    pickles = (f"*{suffix}" for suffix in PICKLES)
    shutil.copytree(path, target, ignore=shutil.ignore_patterns(*pickles, ".*"))
    return target


def _aside(folder: Path, *, models_dir: Path) -> Path:
    """Put a folder where it is no checkpoint any more, and return that place."""
    aside = models_dir / PARTIAL / f".{folder.name}.removed"
    _delete(aside)
    return folder.rename(aside)


def _delete(folder: Path) -> None:
    """Delete a folder; of a link to one, the link alone."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def _paths(folder: Path) -> list[str]:
    """Return the files whose sums are kept; the operator's own declaration may change."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return sorted(path.relative_to(folder).as_posix() for path in found)


def _sum(path: Path) -> FileSum:
    return FileSum(size_bytes=path.stat().st_size, sha256=sha256_of(path))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
