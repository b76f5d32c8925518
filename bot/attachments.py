"""Attachments as bounded bytes, fetched from Discord's own hosts and nowhere else.

``Attachment.read`` neither bounds nor verifies what it reads, and inflates what was compressed.
Here the address is checked before a socket is opened, redirects are not followed, bytes are taken
as they are sent, and size and time are capped while they arrive.
"""

import asyncio
from types import TracebackType
from typing import Self

import aiohttp
import structlog
from yarl import URL

from bot.errors import (
    AttachmentGoneError,
    AttachmentStalledError,
    AttachmentTooLargeError,
    DownloadError,
    ForeignAddressError,
)

ATTACHMENT_HOSTS = frozenset({"cdn.discordapp.com", "media.discordapp.net"})
ATTACHMENT_FOLDERS = ("/attachments/", "/ephemeral-attachments/")
CHUNK_BYTES = 64 * 1024
ATTEMPTS = 3

log = structlog.get_logger()


def checked_address(address: str) -> URL:
    """Return the address of an attachment.

    Hosts are compared whole, so an address literal, a user name or a look-alike never passes.

    Raises:
        ForeignAddressError: it is not https, not one of Discord's hosts, or not an attachment.
    """
    try:
        url = URL(address)
        port = url.explicit_port
    except ValueError as err:
        raise ForeignAddressError("not an address") from err
    if url.scheme != "https" or url.raw_host not in ATTACHMENT_HOSTS:
        raise ForeignAddressError("not an address of Discord's attachments")
    if port not in (None, 443) or url.raw_user is not None or url.raw_password is not None:
        raise ForeignAddressError("an attachment's address names no port and no user")
    if not url.path.startswith(ATTACHMENT_FOLDERS) or ".." in url.parts:
        raise ForeignAddressError("not a folder of attachments")
    return url


class Downloader:
    """Fetches attachments; one session for all, closed with the bot."""

    def __init__(
        self,
        connector: aiohttp.BaseConnector,
        *,
        max_bytes: int,
        stall_s: float = 8.0,
        total_s: float = 40.0,
    ) -> None:
        self._max_bytes = max_bytes
        self._session = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity", "User-Agent": "Atelier"},
            timeout=aiohttp.ClientTimeout(total=total_s, connect=stall_s, sock_read=stall_s),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, err: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the session and its connector."""
        await self._session.close()

    async def fetch(self, address: str, *, size: int | None = None) -> bytes:
        """Return an attachment's bytes as they were sent.

        Args:
            address: the signed address that came with the interaction.
            size: the bytes that Discord announced, if known.

        Raises:
            ForeignAddressError: the address is not one of Discord's; nothing was opened.
            AttachmentTooLargeError: there are more bytes than are read.
            AttachmentGoneError: Discord answers 403, 404 or 410.
            AttachmentStalledError: it broke off or was too slow, every time it was tried.
        """
        url = checked_address(address)
        if size is not None and size > self._max_bytes:
            raise self._too_large()
        for attempt in range(1, ATTEMPTS):
            try:
                return await self._read(url, size=size)
            except AttachmentStalledError as err:
                log.info("an attachment is fetched again", attempt=attempt, reason=str(err))
                await asyncio.sleep(0.2 * attempt)
        return await self._read(url, size=size)

    async def _read(self, url: URL, *, size: int | None) -> bytes:
        """Fetch once."""
        try:
            async with self._session.get(url, allow_redirects=False) as response:
                _check_status(response.status)
                data = await self._drain(response.content)
        except (TimeoutError, aiohttp.ClientError) as err:
            raise AttachmentStalledError(type(err).__name__) from err
        if size is not None and len(data) != size:
            raise AttachmentStalledError(f"{len(data)} bytes came instead of {size}")
        return data

    async def _drain(self, stream: aiohttp.StreamReader) -> bytes:
        """Read to the end, or to the cap."""
        data = bytearray()
        async for chunk in stream.iter_chunked(CHUNK_BYTES):
            data += chunk
            if len(data) > self._max_bytes:
                raise self._too_large()
        return bytes(data)

    def _too_large(self) -> AttachmentTooLargeError:
        return AttachmentTooLargeError("too many bytes", limit_mb=self._max_bytes // 2**20)


def _check_status(status: int) -> None:
    """Raise what a status other than 200 means."""
    if status in (403, 404, 410):
        raise AttachmentGoneError(f"status {status}")
    if 300 <= status < 400:
        raise ForeignAddressError("Discord's hosts do not send attachments elsewhere")
    if status == 429 or status >= 500:
        raise AttachmentStalledError(f"status {status}")
    if status != 200:
        raise DownloadError(f"status {status}")
