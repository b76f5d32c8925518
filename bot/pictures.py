"""Uploads and artworks, made safe and stored; what the engine is given comes from here."""

import asyncio
from collections.abc import Iterable

import discord

from bot.attachments import Downloader
from bot.errors import NoPictureError, UnknownArtworkError
from bot.orders import Picture
from generation.artworks import Artwork, artworks
from generation.codecs import IntakePool
from storage.files import FileStore

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif", ".heic", ".heif")


class Pictures:
    """Brings pictures from Discord, or from the artworks that ship, into the file store."""

    def __init__(self, *, downloader: Downloader, intake: IntakePool, files: FileStore) -> None:
        self._downloader = downloader
        self._intake = intake
        self._files = files

    async def upload(self, attachment: discord.Attachment) -> Picture:
        """Fetch, check and store an attachment.

        Raises:
            DownloadError: it could not be fetched.
            IntakeError: it cannot be used as a picture.
        """
        data = await self._downloader.fetch(attachment.url, size=attachment.size)
        return await self._keep(data)

    async def artwork(self, name: str) -> Picture:
        """Store an artwork that ships, and return it.

        Raises:
            UnknownArtworkError: there is none of that name.
        """
        artwork = artwork_named(name)
        return await self._keep(await asyncio.to_thread(artwork.path.read_bytes))

    async def _keep(self, data: bytes) -> Picture:
        """Make bytes safe and store them."""
        prepared = await self._intake.prepare(data)
        return Picture(
            file=await self._files.put(prepared.png, media_type="image/png"),
            width=prepared.width,
            height=prepared.height,
            notes=prepared.notes,
        )


def artwork_named(name: str) -> Artwork:
    """Return an artwork that ships.

    Raises:
        UnknownArtworkError: there is none of that name; the sentence lists those there are.
    """
    try:
        return artworks()[name]
    except KeyError:
        known = ", ".join(artworks())
        raise UnknownArtworkError(f"no artwork {name[:40]!r}", known=known) from None


def first_picture(attachments: Iterable[discord.Attachment]) -> discord.Attachment:
    """Return the first attachment that says it is a picture.

    Raises:
        NoPictureError: none does. What it really is shows when it is decoded.
    """
    for attachment in attachments:
        kind = attachment.content_type or ""
        if kind.startswith("image/") or attachment.filename.lower().endswith(PICTURE_ENDINGS):
            return attachment
    raise NoPictureError("no attachment of the message is a picture")
