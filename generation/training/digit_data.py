"""Where digits come from: MNIST's files, a folder of pictures, or painted by ourselves."""

import gzip
import struct
import zlib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from generation.errors import InvalidRequestError
from generation.replacing import replaced
from generation.training.digits import SIDE, Bytes, digits

IMAGES = "train-images-idx3-ubyte"
IDX_PICTURES = 0x0803
"""What such a file begins with: unsigned bytes in three dimensions."""
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
PAINTED = 20_000
FEWEST = 20
HELD_OUT = 0.1
"""Share of the pictures that nothing is trained on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitData:
    """Digits to train on, and others to examine by.

    Shape:
        - train, held_out: ``(N, 28, 28)``, white on black.
    """

    origin: str
    train: Bytes
    held_out: Bytes


def digit_data(folder: Path | None, *, kept: Path, count: int = PAINTED, seed: int) -> DigitData:
    """Return digits of a folder, or painted ones without a folder.

    Args:
        folder: with MNIST's ``train-images-idx3-ubyte`` (or ``.gz``), or with pictures.
        kept: a folder that painted digits are kept in.
        count: of digits to paint.
        seed: of their painting, and of which are held out.

    Raises:
        InvalidRequestError: the folder holds neither, or too few, or a file is damaged.
    """
    if folder is None:
        origin, pictures = f"painted digits (seed {seed})", _painted(kept, count, seed)
    elif (place := _idx_place(folder)) is not None:
        origin, pictures = f"pictures of the file {place.name}", read_idx(place)
    else:
        origin, pictures = f"pictures of the folder {folder.resolve().name}", _pictures_of(folder)
    if len(pictures) < FEWEST:
        raise InvalidRequestError(f"{len(pictures)} digits are too few; {FEWEST} will do")
    origin = f"{len(pictures)} {origin}, SHA-256 {sha256(pictures.tobytes()).hexdigest()[:16]}"
    order = np.random.default_rng(seed).permutation(len(pictures))
    held = max(2, round(HELD_OUT * len(pictures)))
    return DigitData(origin=origin, held_out=pictures[order[:held]], train=pictures[order[held:]])


def read_idx(place: Path) -> Bytes:
    """Return the pictures of a file in MNIST's IDX format, compressed or not.

    Raises:
        InvalidRequestError: it is no such file, cut off, or its pictures are not 28 x 28.
    """
    try:
        data = gzip.decompress(place.read_bytes()) if place.suffix == ".gz" else place.read_bytes()
        kind, count, height, width = struct.unpack(">4I", data[:16])
    except (OSError, EOFError, struct.error, zlib.error) as err:
        raise InvalidRequestError(f"{place.name} cannot be read: {err}") from err
    if kind != IDX_PICTURES or (height, width) != (SIDE, SIDE):
        raise InvalidRequestError(f"{place.name} holds no pictures of {SIDE} x {SIDE}")
    if len(data) != 16 + count * height * width:
        raise InvalidRequestError(f"{place.name} does not hold the {count} pictures it names")
    return np.frombuffer(data, np.uint8, offset=16).reshape(count, height, width)


def _idx_place(folder: Path) -> Path | None:
    places = (folder / IMAGES, folder / f"{IMAGES}.gz", folder / f"{IMAGES.replace('-i', '.i')}")
    return next((place for place in places if place.is_file()), None)


def _pictures_of(folder: Path) -> Bytes:
    found = sorted(it for it in folder.rglob("*") if it.suffix.lower() in PICTURES)
    if not found:
        raise InvalidRequestError(
            f"{folder} holds neither MNIST's {IMAGES} nor pictures ({', '.join(PICTURES)})"
        )
    return np.stack([_small(place) for place in found])


def _small(place: Path) -> Bytes:
    try:
        with Image.open(place) as picture:
            grey = picture.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as err:
        raise InvalidRequestError(f"{place.name} is no picture that can be read") from err
    return np.asarray(grey)


def _painted(kept: Path, count: int, seed: int) -> Bytes:
    place = kept / f"digits-{count}-{seed}.npy"
    if place.is_file():
        try:
            before: Bytes = np.load(place, allow_pickle=False)
        except (OSError, ValueError, EOFError) as err:
            raise InvalidRequestError(
                f"{place} is damaged; once it is deleted the digits are painted anew"
            ) from err
        return before
    pictures, _ = digits(count, seed=seed)
    kept.mkdir(parents=True, exist_ok=True)
    with replaced(place) as file:
        np.save(file, pictures)
    return pictures
