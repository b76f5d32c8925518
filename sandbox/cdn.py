"""Files by their signed addresses, and the round pictures of accounts."""

import struct
import zlib

from aiohttp import web

from sandbox.cdn_faults import serve_badly
from sandbox.faults import Faults
from sandbox.links import Links, file_path
from sandbox.uploads import FileStore

AVATAR_COLOURS = (0x5865F2, 0x747F8D, 0x3BA55C, 0xFAA61A, 0xED4245, 0xEB459E)
GONE = "This content is no longer available."


class Cdn:
    """Serves what was uploaded to whoever holds an address that has not expired."""

    def __init__(self, *, files: FileStore, links: Links, faults: Faults) -> None:
        self._files = files
        self._faults = faults
        self._links = links

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Return a file; a wrong, missing or expired signature gives 404."""
        attachment = self._files.get(int(request.match_info["attachment_id"]))
        if attachment is None:
            return web.Response(status=404, text=GONE)
        kind = attachment.content_type or "application/octet-stream"
        order = self._faults.take(request, "cdn")
        if order is not None:
            data = self._files.read(attachment.id)
            return await serve_badly(request, order, data=data, content_type=kind)
        path = file_path(attachment)
        if not request.path.endswith(path) or not self._links.is_valid(path, request.query):
            return web.Response(status=404, text=GONE)
        return web.Response(
            body=self._files.read(attachment.id),
            headers={
                "Content-Type": kind,
                "Cache-Control": "private, max-age=86400",
                "Access-Control-Allow-Origin": "*",
            },
        )

    async def avatar(self, request: web.Request) -> web.Response:
        """Return one of the default avatars: a plain colour."""
        index = int(request.match_info["index"]) % len(AVATAR_COLOURS)
        return web.Response(body=plain_png(AVATAR_COLOURS[index]), content_type="image/png")


def plain_png(colour: int, *, side: int = 32) -> bytes:
    """Return a square PNG of one colour, given as 0xRRGGBB."""
    row = b"\0" + colour.to_bytes(3, "big") * side
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(row * side)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
