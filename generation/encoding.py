"""Encode results for delivery, and decode the files that were stored; without torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Literal

from PIL import ExifTags, Image, ImageSequence

from generation.errors import BrokenPictureError, PictureTooLargeError
from generation.png import encode_png
from generation.request import Pixels

SOFTWARE = "Atelier"
MIN_ENCODED_SIDE = 16
ImageFormat = Literal["png", "jpeg", "webp"]
_MEDIA_TYPES: dict[ImageFormat, tuple[str, str]] = {
    "png": ("image/png", "png"),
    "jpeg": ("image/jpeg", "jpg"),
    "webp": ("image/webp", "webp"),
}
IMAGE_FORMATS: tuple[ImageFormat, ...] = tuple(_MEDIA_TYPES)
_QUALITIES = (95, 90, 80)
FRAME_MS, REST_MS = 90, 600
MAX_COMMENT = 8_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedImage:
    """A picture as a file: its bytes, and what to call them."""

    data: bytes
    media_type: str
    extension: str
    width: int
    height: int


def decode_png(png: bytes) -> Pixels:
    """Decode a file of our own, of an animation its first frame.

    Raises:
        BrokenPictureError: the stored file is damaged.
    """
    try:
        with Image.open(BytesIO(png), formats=["PNG", "GIF"]) as opened:
            image = opened.convert("RGB")
    except (OSError, SyntaxError, ValueError) as err:
        raise BrokenPictureError("the stored picture is damaged") from err
    return Pixels(width=image.width, height=image.height, data=image.tobytes())


def encode(
    pixels: Pixels,
    max_bytes: int,
    metadata: Mapping[str, str],
    image_format: ImageFormat | None,
) -> EncodedImage:
    """Encode a picture so that it fits; PNG when it can, else JPEG, smaller until it fits.

    With an ``image_format`` only that one is tried.

    Raises:
        PictureTooLargeError: not even a tiny version fits.
    """
    image = _image(pixels)
    texts = {**metadata, "Software": SOFTWARE}
    lossless: tuple[ImageFormat, ...] = ("png",) if image_format in (None, "png") else ()
    lossy: ImageFormat = "webp" if image_format == "webp" else "jpeg"
    while min(image.size) >= MIN_ENCODED_SIDE:
        for attempt in _attempts(lossless, None if image_format == "png" else lossy):
            encoded = attempt(image, texts)
            if len(encoded.data) <= max_bytes:
                return encoded
        image = image.reduce(2)
    raise PictureTooLargeError(f"the result cannot be made to fit into {max_bytes} bytes")


def encode_frames(
    pixels: Pixels, frames: int, max_bytes: int, metadata: Mapping[str, str]
) -> EncodedImage:
    """Encode frames that stand one below the other as a GIF, which Discord plays.

    It goes there and back again for ever, rests at both ends, and is smaller if need be.

    Raises:
        PictureTooLargeError: not even a tiny version fits.
    """
    strip, high = _image(pixels), pixels.height // frames
    boxes = [(0, high * frame, pixels.width, high * (frame + 1)) for frame in range(frames)]
    texts = {**metadata, "Software": SOFTWARE}
    comment = _clean("\n".join(f"{key}: {text}" for key, text in texts.items())).encode()
    there = [strip.crop(box) for box in boxes]
    return _fitting([*there, *there[-2:0:-1]], comment=comment, max_bytes=max_bytes)


def smaller_animation(gif: bytes, max_bytes: int) -> EncodedImage:
    """Encode an animation of our own anew, so small that it fits.

    Raises:
        BrokenPictureError: the stored file is damaged.
        PictureTooLargeError: not even a tiny version fits.
    """
    try:
        with Image.open(BytesIO(gif), formats=["GIF"]) as opened:
            comment = bytes(opened.info.get("comment", b""))
            frames = [frame.convert("RGB") for frame in ImageSequence.Iterator(opened)]
    except (OSError, SyntaxError, ValueError) as err:
        raise BrokenPictureError("the stored animation is damaged") from err
    return _fitting([frame.reduce(2) for frame in frames], comment=comment, max_bytes=max_bytes)


def _fitting(frames: list[Image.Image], *, comment: bytes, max_bytes: int) -> EncodedImage:
    """Encode the frames of an animation, each half as large until they fit."""
    ends = {0, len(frames) // 2}
    durations = [REST_MS if number in ends else FRAME_MS for number in range(len(frames))]
    while min(frames[0].size) >= MIN_ENCODED_SIDE:
        buffer, (first, *others) = BytesIO(), [frame.quantize(256) for frame in frames]
        first.save(
            buffer, "GIF", save_all=True, append_images=others, duration=durations, loop=0,
            comment=comment[:MAX_COMMENT], optimize=False,
        )  # fmt: skip
        if buffer.tell() <= max_bytes:
            width, height = frames[0].size
            return EncodedImage(
                data=buffer.getvalue(), media_type="image/gif", extension="gif",
                width=width, height=height,
            )  # fmt: skip
        frames = [frame.reduce(2) for frame in frames]
    raise PictureTooLargeError(f"the animation cannot be made to fit into {max_bytes} bytes")


def thumbnail(pixels: Pixels, max_side: int) -> EncodedImage:
    """Encode a small JPEG, for previews."""
    image = _image(pixels)
    image.thumbnail((max_side, max_side), Image.Resampling.BILINEAR)
    return _lossy(image, {}, image_format="jpeg", quality=80)


Attempt = Callable[[Image.Image, Mapping[str, str]], EncodedImage]


def _attempts(lossless: tuple[ImageFormat, ...], lossy: ImageFormat | None) -> list[Attempt]:
    attempts: list[Attempt] = [_png for _ in lossless]
    if lossy:
        attempts += [partial(_lossy, image_format=lossy, quality=q) for q in _QUALITIES]
    return attempts


def _image(pixels: Pixels) -> Image.Image:
    return Image.frombytes("RGB", (pixels.width, pixels.height), pixels.data)


def _png(image: Image.Image, texts: Mapping[str, str]) -> EncodedImage:
    """Encode losslessly."""
    data = encode_png(image, texts={key: _clean(text) for key, text in texts.items()})
    return _encoded(data, image, image_format="png")


def _lossy(
    image: Image.Image, texts: Mapping[str, str], *, image_format: ImageFormat, quality: int
) -> EncodedImage:
    exif = Image.Exif()
    exif[ExifTags.Base.Software] = SOFTWARE
    lines = [f"{key}: {text}" for key, text in texts.items() if key != "Software"]
    if lines:
        exif[ExifTags.Base.ImageDescription] = _clean("\n".join(lines)).encode()
    buffer = BytesIO()
    options = {"subsampling": "4:4:4"} if image_format == "jpeg" else {"method": 2}
    image.save(buffer, image_format.upper(), quality=quality, exif=exif, **options)
    return _encoded(buffer.getvalue(), image, image_format=image_format)


def _clean(text: str) -> str:
    """Drop what no text block may hold: NUL bytes and lone surrogates."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _encoded(data: bytes, image: Image.Image, *, image_format: ImageFormat) -> EncodedImage:
    media_type, extension = _MEDIA_TYPES[image_format]
    return EncodedImage(
        data=data,
        media_type=media_type,
        extension=extension,
        width=image.width,
        height=image.height,
    )
