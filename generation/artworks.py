"""The built-in artworks: pictures of our own making that /style offers as presets."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from generation.errors import ModelUnavailableError

FOLDER = Path(__file__).parent / "starter" / "artworks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artwork:
    """One built-in artwork.

    Args:
        name: short, lower case; what a member chooses and a job remembers.
        title: for people.
        description: one short sentence about how it looks.
        path: the picture, WebP.
        thumbnail: the same, 192 px, JPEG.
    """

    name: str
    title: str
    description: str
    path: Path
    thumbnail: Path


def load_artworks(folder: Path) -> Mapping[str, Artwork]:
    """Read a folder's artworks.json and check that its pictures are there.

    Raises:
        ModelUnavailableError: the list or a picture is missing or malformed.
    """
    try:
        rows = json.loads((folder / "artworks.json").read_text(encoding="utf-8"))
        found = {row["name"]: _artwork(row, folder) for row in rows}
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise ModelUnavailableError(f"the list of artworks in {folder} cannot be read") from err
    if len(found) != len(rows):
        raise ModelUnavailableError(f"two artworks in {folder} have the same name")
    missing = [
        place.name
        for artwork in found.values()
        for place in (artwork.path, artwork.thumbnail)
        if not place.is_file()
    ]
    if missing:
        raise ModelUnavailableError(f"{folder} lacks {', '.join(missing)}")
    return MappingProxyType(found)


def _artwork(row: Mapping[str, str], folder: Path) -> Artwork:
    name = row["name"]
    if not (name.isascii() and name.isalnum() and name.islower()):
        raise ValueError(f"{name!r} is no name for an artwork: lower-case letters and digits only")
    return Artwork(
        name=name,
        title=row["title"],
        description=row["description"],
        path=folder / f"{name}.webp",
        thumbnail=folder / f"{name}.thumbnail.jpg",
    )


@cache
def artworks() -> Mapping[str, Artwork]:
    """Return the built-in artworks by name, in the order in which they are offered.

    Raises:
        ModelUnavailableError: the installation is incomplete.
    """
    return load_artworks(FOLDER)
