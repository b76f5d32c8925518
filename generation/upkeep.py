"""Bringing checkpoints in, looking whether they are whole, and taking them away.

A checkpoint is copied under another name and put in place as a whole; what is found wrong with
one is written on its card, and it is not loaded until a later look finds it right.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from generation.cards import Card, FileSum, card_place, write_card
from generation.catalogue import (
    Entry,
    entry_named,
    folders,
    lack_of,
    network_folders,
    resized,
)
from generation.companions import FOLDERS
from generation.errors import ModelUnavailableError
from generation.estimators import examine
from generation.recognition import CONFIG, architecture_name, is_network, read_config
from generation.stylegan2_files import plan_of, write_network
from generation.sums import recorded
from generation.weights import INDEX, MANIFEST, PICKLES
from generation.wholeness import SUMS, damage_of, is_whole, missing_of, sha256_of

PARTIAL = ".partial"
"""Folder beside the checkpoints for what is not in place yet; nothing in it is ever loaded."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_LICENCE = re.compile(r"^license(?:_name)?:[ \t]*([^\n#]+)", re.MULTILINE)

Said = Callable[[str], None]
"""Told the path of every file before it is read."""


def add(
    path: Path, *, models_dir: Path, name: str | None = None, origin: str = "", licence: str = ""
) -> Entry:
    """Copy a checkpoint into the models folder, and record its sums.

    Args:
        path: a folder in diffusers' layout or of one of our trainings, or one safetensors file;
            that of a published StyleGAN2 becomes a network of ours.
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
        taken = (*folders(models_dir), *network_folders(models_dir))
        if name in {folder.name for folder in taken}:
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
    sums, seen = recorded(folder, _paths(folder))
    licence = card.licence or declared_licence(folder)
    card = replace(card, files=sums, seen=seen, licence=licence)
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

    What ships is compared with the sums that ship with it.

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
    if not (card.files or entry.starter):
        sums, seen = recorded(entry.folder, _paths(entry.folder))
        card = replace(card, files=sums, seen=seen)
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
    if _NAME.fullmatch(name) is None or name in FOLDERS:
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
        if not is_whole(path):
            return "it is cut off or damaged"
        return plan.wrong if (plan := plan_of(path)) else ""
    if is_network(path):
        return _damage_of_estimator(path) or damage_of(path) or ""
    if not (path / INDEX).is_file():
        return _damage_of_estimator(path) or f"it has no {INDEX}"
    try:
        lack = lack_of(path, missing_of(path))
    except ModelUnavailableError as err:
        return str(err)
    return lack or damage_of(path) or ""


def _damage_of_estimator(folder: Path) -> str:
    """Return what is wrong with a network of transformers; nothing of a folder that is none."""
    try:
        if not (folder / CONFIG).is_file() or not architecture_name(read_config(folder, CONFIG)):
            return ""
        examine(folder)
    except ModelUnavailableError as err:
        return str(err)
    return ""


def _difference(folder: Path, recorded: Mapping[str, FileSum], *, said: Said) -> str:
    """Return the first difference between a folder and what was recorded of it."""
    if wrong := resized(folder, recorded):
        return wrong
    for path, before in recorded.items():
        said(path)
        if sha256_of(folder / path) != before.sha256:
            return f"{path} has another SHA-256 than when it came"
    return ""


def _copied(path: Path, *, models_dir: Path, name: str) -> Path:
    """Copy a checkpoint into the folder for partial ones.

    Pickles stay behind; so do sums of its own, which it was compared with: its card has all.
    """
    target = models_dir / PARTIAL / name
    shutil.rmtree(target, ignore_errors=True)
    if path.is_file() and (plan := plan_of(path)):
        write_network(path, target, plan=plan)
        return target
    if path.is_file():
        target.mkdir(parents=True)
        shutil.copy2(path, target / path.name)
        return target
    pickles = (f"*{suffix}" for suffix in PICKLES)
    shutil.copytree(path, target, ignore=shutil.ignore_patterns(*pickles, ".*", SUMS))
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
