"""The pictures that a model is evaluated on: a folder of them, made safe as uploads are."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from generation.codecs import CodecPool, IntakePool
from generation.errors import IntakeError, InvalidRequestError
from generation.request import Pixels
from generation.training.digit_data import read_idx

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif", ".heic", ".heif")
IDX = "*-images*idx3-ubyte*"
"""MNIST's files, compressed or not."""


@dataclass(slots=True, kw_only=True)
class Data:
    """Pictures in the order of their names.

    Args:
        folder: where they are, and in its folders.
        places: the files; of MNIST's one, whose pictures count one by one.
        digits: the pictures of MNIST's file, ``(N, 28, 28)``.
        limit: at most so many; None is all.

    Attributes:
        skipped: files that could not be read, and why.
    """

    folder: Path
    places: tuple[Path, ...]
    digits: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]] | None" = None
    limit: int | None = None
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def found(self) -> int:
        """How many there are."""
        return len(self.places) if self.digits is None else len(self.digits)

    @property
    def count(self) -> int:
        """How many are looked at."""
        return self.found if self.limit is None else min(self.limit, self.found)

    async def pictures(self, *, max_side: int) -> AsyncIterator[tuple[str, Pixels]]:
        """Yield names and pictures, one at a time; what cannot be read is skipped.

        Raises:
            InvalidRequestError: none could be read.
        """
        if self.digits is not None:
            for number, grey in enumerate(self.digits[: self.count]):
                data = np.repeat(grey[..., None], 3, 2).tobytes()
                yield f"{number:05}", Pixels(width=grey.shape[1], height=grey.shape[0], data=data)
            return
        async with IntakePool(max_side=max_side) as intake, CodecPool() as codecs:
            for place in self.places[: self.count]:
                name = place.relative_to(self.folder).as_posix()
                try:
                    prepared = await intake.prepare(await asyncio.to_thread(place.read_bytes))
                except (IntakeError, OSError) as err:
                    self.skipped[name] = str(err)
                    continue
                yield name, await codecs.decode(prepared.png)
        if len(self.skipped) == self.count:
            name, why = next(iter(self.skipped.items()))
            raise InvalidRequestError(f"no picture of {self.folder} can be read; {name}: {why}")


def data_of(folder: Path, *, limit: int | None = None) -> Data:
    """Return the pictures of a folder, or those of MNIST's file in it.

    Raises:
        InvalidRequestError: there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise InvalidRequestError(f"{folder}: there is no such folder")
    idx = next(iter(sorted(folder.glob(IDX))), None)
    if idx is not None:
        return Data(folder=folder, places=(idx,), digits=read_idx(idx), limit=limit)
    found = (place for place in folder.rglob("*") if place.suffix.lower() in ENDINGS)
    places = tuple(sorted(place for place in found if place.is_file()))
    if not places:
        raise InvalidRequestError(f"{folder} holds no pictures ({', '.join(ENDINGS)})")
    return Data(folder=folder, places=places, limit=limit)
