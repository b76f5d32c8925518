"""Uploads and artworks, made safe and stored; what the engine is given comes from here."""

import asyncio
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

import discord

from bot.attachments import Downloader
from bot.errors import MaskEmptyError, MaskMissingError, NoPictureError, UnknownArtworkError
from bot.orders import Picture
from generation.artworks import Artwork, artworks
from generation.codecs import CodecPool, IntakePool, PreparedImage, PreparedMask
from generation.request import Note, NoteCode
from generation.traits import Choice
from storage.files import FileStore, StoredFile

SAME_SHAPE = 1.03
"""How far the shapes of a mask and of its picture may differ by rounding and cropping alone."""
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif", ".heic", ".heif")


class Pictures:
    """Brings pictures from Discord, or from the artworks that ship, into the file store."""

    def __init__(
        self, *, downloader: Downloader, intake: IntakePool, codecs: CodecPool, files: FileStore
    ) -> None:
        self._downloader = downloader
        self._intake = intake
        self._codecs = codecs
        self._files = files

    async def upload(self, attachment: discord.Attachment) -> Picture:
        """Fetch, check and store an attachment.

        Raises:
            DownloadError: it could not be fetched.
            IntakeError: it cannot be used as a picture.
        """
        return await self._keep(await self._intake.prepare(await self._fetch(attachment)))

    async def beside(self, **given: discord.Attachment | None) -> dict[str, StoredFile]:
        """Fetch, check and store attachments by the names that requests give them; None is none.

        Raises:
            DownloadError: one could not be fetched.
            IntakeError: one cannot be used as a picture.
        """
        return {name: (await self.upload(each)).file for name, each in given.items() if each}

    async def masked(
        self, attachment: discord.Attachment, mask: discord.Attachment | None
    ) -> tuple[Picture, StoredFile]:
        """Fetch, check and store a picture, and the mask of where it is made anew.

        Without a mask that is where the picture is transparent. A mask of another size is laid
        over the whole of it; the picture's notes say what the member should know of that.

        Raises:
            DownloadError: one could not be fetched.
            IntakeError: one cannot be used as a picture.
            MaskMissingError: there is no mask, and nothing of the picture is transparent.
            MaskEmptyError: nothing would be made anew.
        """
        prepared = await self._intake.prepare(await self._fetch(attachment))
        hole = prepared.hole
        if mask is not None:
            hole = await self._intake.prepare_mask(await self._fetch(mask))
        if hole is None:
            raise MaskMissingError("neither a mask nor alpha")
        if not hole.share:
            raise MaskEmptyError("nothing of the mask is white")
        picture = await self._keep(prepared)
        notes = (*picture.notes, *_mask_notes(hole, prepared))
        file = await self._files.put(hole.png, media_type="image/png")
        return replace(picture, notes=notes), file

    async def artwork(self, name: str) -> Picture:
        """Store an artwork that ships, and return it.

        Raises:
            UnknownArtworkError: there is none of that name.
        """
        artwork = artwork_named(name)
        data = await asyncio.to_thread(artwork.path.read_bytes)
        return await self._keep(await self._intake.prepare(data))

    async def style_choice(
        self, content: Picture, artwork: Picture, *, able: Collection[str]
    ) -> Choice:
        """Return the method of style that suits a picture and an artwork, of those that are able.

        Raises:
            InvalidRequestError: none is.
            FileMissingError: one was swept away.
        """
        pixels = [
            await self._codecs.decode(await self._files.read(each.file.sha256))
            for each in (content, artwork)
        ]
        return await self._codecs.style_choice(*pixels, able=able)

    async def _fetch(self, attachment: discord.Attachment) -> bytes:
        return await self._downloader.fetch(attachment.url, size=attachment.size)

    async def _keep(self, prepared: PreparedImage) -> Picture:
        """Store a picture that was made safe."""
        return Picture(
            file=await self._files.put(prepared.png, media_type="image/png"),
            width=prepared.width,
            height=prepared.height,
            notes=prepared.notes,
        )


def _mask_notes(mask: PreparedMask, picture: PreparedImage) -> Iterator[Note]:
    """Yield what a member should know of a mask that may not be what they meant."""
    if mask.share == 1:
        yield Note(code=NoteCode.MASK_WHOLE)
    shapes = mask.width * picture.height, picture.width * mask.height
    if max(shapes) > SAME_SHAPE * min(shapes):
        yield Note(code=NoteCode.MASK_STRETCHED)


def artwork_named(name: str) -> Artwork:
    """Return an artwork that ships.

    Raises:
        UnknownArtworkError: there is none of that name; the sentence lists those there are.
    """
    try:
        return artworks()[name]
    except KeyError:
        raise UnknownArtworkError(f"no artwork {name[:40]!r}", known=(*artworks(),)) from None


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
