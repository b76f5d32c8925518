"""Pictures that StyleGAN2 is trained on: a folder's, cut square, or painted avatars."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from generation.errors import InvalidRequestError
from generation.training.avatars import Bytes, avatars
from generation.training.digit_data import FEWEST, HELD_OUT, PICTURES
from generation.training.picture_data import square

MOST_HELD_OUT = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class AvatarData:
    """Pictures to train on, and others to examine by.

    Shape:
        - train, held_out: ``(N, side, side, 3)``.
    """

    origin: str
    train: Bytes
    held_out: Bytes


def avatar_data(folder: Path | None, *, kept: Path, side: int, count: int, seed: int) -> AvatarData:
    """Return the pictures of a folder and of its folders, or painted avatars without one.

    Args:
        folder: with pictures, in folders of its own too.
        side: of the pictures, in pixels.
        kept: a folder that painted avatars are kept in.
        count: of avatars to paint.
        seed: of their painting, and of which are held out.

    Raises:
        InvalidRequestError: there are too few, or one cannot be read.
    """
    if folder is None:
        origin, pictures = f"painted avatars (seed {seed})", _painted(kept, side, count, seed)
    else:
        origin, pictures = f"pictures of the folder {folder.resolve().name}", _of(folder, side)
    if len(pictures) < FEWEST:
        raise InvalidRequestError(f"{len(pictures)} pictures are too few; {FEWEST} will do")
    origin = f"{len(pictures)} {origin}, SHA-256 {sha256(pictures.tobytes()).hexdigest()[:16]}"
    order = np.random.default_rng(seed).permutation(len(pictures))
    held = min(MOST_HELD_OUT, max(2, round(HELD_OUT * len(pictures))))
    return AvatarData(origin=origin, held_out=pictures[order[:held]], train=pictures[order[held:]])


def _of(folder: Path, side: int) -> Bytes:
    found = sorted(it for it in folder.rglob("*") if it.suffix.lower() in PICTURES)
    if not found:
        raise InvalidRequestError(f"{folder} holds no pictures ({', '.join(PICTURES)})")
    return np.stack([square(place, side) for place in found])


def _painted(kept: Path, side: int, count: int, seed: int) -> Bytes:
    place = kept / f"avatars-{side}-{count}-{seed}.npy"
    if place.is_file():
        before: Bytes = np.load(place, allow_pickle=False)
        return before
    pictures = avatars(count, seed=seed, side=side)
    kept.mkdir(parents=True, exist_ok=True)
    fresh = place.with_suffix(".new.npy")
    np.save(fresh, pictures)
    fresh.replace(place)
    return pictures
