"""Pictures in and out of the bot's process: decoding and encoding happen in limited children.

Uploads and results have pools of their own, so that an evil upload delays no delivery.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from generation import comparing, encoding, intake, traits
from generation.children import ChildPool, Limits
from generation.comparing import Comparison, Pair
from generation.encoding import EncodedImage, ImageFormat
from generation.intake import PreparedImage, PreparedMask
from generation.request import Pixels
from generation.traits import Choice

__all__ = [
    "CodecPool",
    "EncodedImage",
    "ImageFormat",
    "IntakePool",
    "PreparedImage",
    "PreparedMask",
]

INTAKE_LIMITS = Limits(address_space=2**30, cpu_s=10, wall_s=30.0)
# Children for files of our own alone; a new one costs as much as a hundred small pictures.
CODEC_LIMITS = Limits(address_space=2**31, cpu_s=60, wall_s=120.0, max_calls=1_000)
MAX_METADATA_CHARACTERS = 8_000


def finish(pixels: Pixels, layers: Sequence[str], seed: int) -> Pixels:
    """Draw finishing layers; in a child, which alone imports what draws."""
    from generation.postprocess.finishing import under_layers

    return under_layers(pixels, layers, seed)


class IntakePool(ChildPool):
    """Makes uploads safe.

    Args:
        max_side: the longest side that a prepared picture has.
        workers: how many uploads are decoded at once.
    """

    def __init__(self, *, max_side: int = 1024, workers: int = 1) -> None:
        super().__init__(workers=workers, limits=INTAKE_LIMITS)
        self._max_side = max_side

    async def prepare(self, data: bytes) -> PreparedImage:
        """Decode an upload in a limited child and encode it anew.

        Raises:
            IntakeError: the upload cannot be used; its subclasses say why.
        """
        return await self.call(intake.prepare, data, self._max_side)

    async def prepare_mask(self, data: bytes) -> PreparedMask:
        """Decode a mask in a limited child and encode it anew.

        Raises:
            IntakeError: the upload cannot be used; its subclasses say why.
        """
        return await self.call(intake.prepare_mask, data, self._max_side)


class CodecPool(ChildPool):
    """Decodes our own files and encodes results.

    Args:
        workers: how many do so at once.
        nice: how far they step back behind the bot's loop.
    """

    def __init__(self, *, workers: int = 1, nice: int = CODEC_LIMITS.nice) -> None:
        super().__init__(workers=workers, limits=replace(CODEC_LIMITS, nice=nice))

    async def decode(self, png: bytes) -> Pixels:
        """Decode a stored PNG.

        Raises:
            BrokenPictureError: the stored file is damaged.
        """
        return await self.call(encoding.decode_png, png)

    async def encode(
        self,
        pixels: Pixels,
        *,
        max_bytes: int,
        metadata: Mapping[str, str],
        image_format: ImageFormat | None = None,
    ) -> EncodedImage:
        """Encode a result: PNG when it fits into ``max_bytes``, else JPEG, smaller until it does.

        Args:
            pixels: the result.
            max_bytes: what the file may weigh.
            metadata: texts that are written into the file, beside "Software: Atelier".
            image_format: insists on one format.

        Raises:
            PictureTooLargeError: not even a tiny version fits.
        """
        texts = {key: text[:MAX_METADATA_CHARACTERS] for key, text in metadata.items()}
        return await self.call(encoding.encode, pixels, max_bytes, texts, image_format)

    async def encode_frames(
        self, pixels: Pixels, *, frames: int, max_bytes: int, metadata: Mapping[str, str]
    ) -> EncodedImage:
        """Encode frames that stand one below the other as an animation, smaller until it fits.

        Raises:
            PictureTooLargeError: not even a tiny version fits.
        """
        texts = {key: text[:MAX_METADATA_CHARACTERS] for key, text in metadata.items()}
        return await self.call(encoding.encode_frames, pixels, frames, max_bytes, texts)

    async def smaller_animation(self, gif: bytes, *, max_bytes: int) -> EncodedImage:
        """Encode a stored animation anew, so small that it fits.

        Raises:
            BrokenPictureError: the stored file is damaged.
            PictureTooLargeError: not even a tiny version fits.
        """
        return await self.call(encoding.smaller_animation, gif, max_bytes)

    async def under_layers(self, pixels: Pixels, layers: Sequence[str], *, seed: int) -> Pixels:
        """Draw finishing layers over a result."""
        return await self.call(finish, pixels, layers, seed)

    async def compare(self, pair: Pair) -> Comparison:
        """Return how much a result differs from what it was made from."""
        return await self.call(comparing.compare, pair)

    async def style_choice(
        self, content: Pixels, artwork: Pixels, *, able: Collection[str]
    ) -> Choice:
        """Return the method of style that suits a picture and an artwork, of those that are able.

        Raises:
            InvalidRequestError: none is.
        """
        return await self.call(traits.chosen, content, artwork, able)

    async def thumbnail(self, pixels: Pixels, *, max_side: int = 256) -> EncodedImage:
        """Encode a small JPEG, for previews."""
        return await self.call(encoding.thumbnail, pixels, max_side)
