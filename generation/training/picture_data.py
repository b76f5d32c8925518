"""Pictures with captions to train on: a folder's, or painted rooms."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from generation.errors import InvalidRequestError
from generation.training.digit_data import FEWEST, HELD_OUT, PICTURES
from generation.training.rooms import paint_room
from generation.vaes import EMPTY_WORDS

LONGEST_PHRASE = 3
"""Words of a phrase that counts as one attribute; a longer one counts by its words."""
RAREST, COMMONEST = 0.01, 0.8
"""Shares of the captions between which something tells pictures apart."""
MOST_ATTRIBUTES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureData:
    """Pictures to train on, and others to examine by.

    Shape:
        - train, held_out: ``(N, size, size, 3)``, bytes.
    """

    origin: str
    train: NDArray[np.uint8]
    held_out: NDArray[np.uint8]
    captions: Sequence[str]
    held_out_captions: Sequence[str]


def picture_data(
    folder: Path | None, *, kept: Path, size: int, count: int, seed: int
) -> PictureData:
    """Return a folder's pictures, cut square, or painted rooms without a folder.

    A caption is the text of the file beside a picture that ends in .txt, else its folder's name.

    Args:
        folder: with pictures, in folders of its own or not.
        size: sides of the squares in pixels.
        kept: a folder that painted rooms are kept in.
        count: of rooms to paint.
        seed: of their painting, and of which are held out.

    Raises:
        InvalidRequestError: there are too few, or one cannot be read.
    """
    if folder is None:
        pictures, captions = _painted(kept, size, count, seed)
        origin = f"painted rooms (seed {seed})"
    else:
        pictures, captions = _pictures_of(folder, size)
        origin = f"pictures of the folder {folder.resolve().name}"
    told = sha256(pictures.tobytes() + json.dumps(list(captions)).encode()).hexdigest()[:16]
    order = np.random.default_rng(seed).permutation(len(pictures))
    held = min(256, max(2, round(HELD_OUT * len(pictures))))
    return PictureData(
        origin=f"{len(pictures)} {origin} with captions, SHA-256 {told}",
        train=pictures[order[held:]],
        held_out=pictures[order[:held]],
        captions=[captions[index] for index in order[held:]],
        held_out_captions=[captions[index] for index in order[:held]],
    )


def attributes_in(caption: str) -> set[str]:
    """Return what a caption says: its short phrases between commas, or else their words."""
    found = set()
    for phrase in caption.lower().split(","):
        words = re.findall(r"[^\W_]+", phrase)
        said = [" ".join(words)] if len(words) <= LONGEST_PHRASE else words
        found |= {each for each in said if each and each not in EMPTY_WORDS}
    return found


def attributes_of(captions: Sequence[str]) -> list[str]:
    """Return what tells captions apart, the most frequent first."""
    counts = Counter(word for caption in captions for word in attributes_in(caption))
    least, most = RAREST * len(captions), COMMONEST * len(captions)
    kept = [(-count, word) for word, count in counts.items() if max(2, least) <= count <= most]
    return [word for _, word in sorted(kept)[:MOST_ATTRIBUTES]]


def _pictures_of(folder: Path, size: int) -> tuple[NDArray[np.uint8], list[str]]:
    found = sorted(it for it in folder.rglob("*") if it.suffix.lower() in PICTURES)
    if len(found) < FEWEST:
        raise InvalidRequestError(
            f"{folder} holds {len(found)} pictures ({', '.join(PICTURES)}); {FEWEST} will do"
        )
    pictures = np.stack([square(place, size) for place in found])
    return pictures, [_caption(place, folder) for place in found]


def square(place: Path, size: int) -> NDArray[np.uint8]:
    """Return a file's picture, upright, cut square.

    Raises:
        InvalidRequestError: it cannot be read.
    """
    try:
        with Image.open(place) as picture:
            upright = ImageOps.exif_transpose(picture).convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as err:
        raise InvalidRequestError(f"{place.name} is no picture that can be read") from err
    return np.asarray(ImageOps.fit(upright, (size, size), Image.Resampling.LANCZOS))


def _caption(place: Path, folder: Path) -> str:
    beside = place.with_suffix(".txt")
    if beside.is_file():
        return beside.read_text("utf-8", errors="replace").strip()
    return "" if place.parent == folder else place.parent.name.replace("_", " ")


def _painted(kept: Path, size: int, count: int, seed: int) -> tuple[NDArray[np.uint8], list[str]]:
    place = kept / f"rooms-{size}-{count}-{seed}.npz"
    if not place.is_file():
        rooms = [paint_room(np.random.default_rng((seed, n)), size=size) for n in range(count)]
        pictures = np.stack([np.rint(255 * room.rgb).astype(np.uint8) for room in rooms])
        kept.mkdir(parents=True, exist_ok=True)
        fresh = place.with_suffix(".new.npz")
        np.savez(fresh, pictures=pictures, captions=np.array([room.caption for room in rooms]))
        fresh.replace(place)
    try:
        with np.load(place, allow_pickle=False) as stored:
            return stored["pictures"], [str(caption) for caption in stored["captions"]]
    except (OSError, ValueError, EOFError, KeyError, BadZipFile) as err:
        raise InvalidRequestError(
            f"{place} is damaged; once it is deleted the rooms are painted anew"
        ) from err
