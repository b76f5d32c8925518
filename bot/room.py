"""Whether an order's pictures can be handed to an engine together, told before it is queued.

Uploads are made to fit; what was kept with an earlier job may be from a time when pictures were
larger (``ATELIER_MAX_SIDE``).
"""

import struct

from bot.errors import PicturesUnfitError
from bot.orders import Order, Picture
from generation.executor.arena import Geometry
from storage.files import FileStore

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SIZE_AT = 16
"""Where a PNG file says its width and height, in four bytes each (PNG, third edition, 11.2.2)."""


class Room:
    """What an engine takes with one request.

    Args:
        geometry: how the memory between the processes is cut.
        files: where the pictures are kept.
    """

    def __init__(self, geometry: Geometry, *, files: FileStore) -> None:
        self._geometry = geometry
        self._files = files

    async def require(self, order: Order) -> None:
        """Refuse pictures that are too large together, or whose result would be.

        Raises:
            PicturesUnfitError: they are.
            FileStoreError: one that was kept is gone, or cannot be read.
        """
        width, height = order.size
        sizes = [(width, height)] if isinstance(order.image, Picture) else []
        if order.ratio is not None:
            # The mask of the margins is made with them.
            sizes.append((width, height))
        if order.parent_id is not None:
            sizes += [await self._size_of(file.sha256) for file in order.beside.values()]
        lengths = [3 * across * down for across, down in sizes]
        if not (self._geometry.holds(lengths) and self._geometry.holds([3 * width * height])):
            raise PicturesUnfitError("the pictures are too large together")

    async def _size_of(self, sha256: str) -> tuple[int, int]:
        return png_size(await self._files.read(sha256))


def png_size(data: bytes) -> tuple[int, int]:
    """Return the width and height that a PNG file says; all that is kept of uploads is such a file.

    Raises:
        PicturesUnfitError: it is none.
    """
    if not data.startswith(SIGNATURE) or len(data) < SIZE_AT + 8:
        raise PicturesUnfitError("a picture that was kept is no PNG file")
    width, height = struct.unpack_from(">II", data, SIZE_AT)
    return int(width), int(height)
