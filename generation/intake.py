"""Turn untrusted bytes into a picture; runs in a limited child process, which decodes with Pillow.

Everything that can be known before decoding is checked before decoding. What comes out is
encoded anew from pixels: upright, sRGB, 8 bits, alpha on white, without any metadata. Masks, of
which white is made anew, come out of pictures' lightness, or of what they leave transparent.
"""

import struct
import warnings
from dataclasses import dataclass
from io import BytesIO

from PIL import AvifImagePlugin, Image, ImageChops, ImageCms

from generation.containers import sniff, trim
from generation.errors import (
    BrokenPictureError,
    IntakeLimitError,
    PictureTooLargeError,
    PictureTooSmallError,
    UnsupportedFormatError,
)
from generation.png import encode_png
from generation.request import Note, NoteCode
from generation.resizing import resized

try:
    import pillow_heif
except ImportError:
    HEIF_READABLE = False
else:
    HEIF_READABLE = True
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, decode_threads=1)
# Threads reserve address space, of which the child has little.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

MAX_BYTES = 25 * 1024 * 1024
MAX_PIXELS = 24_000_000
MAX_PHOTO_PIXELS = 64_000_000
MIN_SIDE, MAX_SIDE = 16, 12_000
# What phones write: these may be larger, since JPEG is decoded small and HEIC is bounded by AS.
PHOTO_FORMATS = frozenset({"JPEG", "HEIF"})

# Decoders of damaged data raise all of these; anything else is a fault of ours and is not hidden.
_DECODING_ERRORS = (
    OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, AttributeError,
    EOFError, OverflowError, RuntimeError, ZeroDivisionError, struct.error,
)  # fmt: skip
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION_TAG = 0x0112
_RATHER_WHITE = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedMask:
    """A mask made safe.

    Args:
        png: grey in RGB: white is made anew, black stays.
        share: of its pixels that are rather white, from 0 to 1.
    """

    png: bytes
    width: int
    height: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedImage:
    """An upload made safe: what is stored, and what pipelines start from.

    Args:
        png: upright, sRGB, alpha on white, free of metadata, fitted to the longest side allowed.
        source_format: the format of the upload, by its bytes ("JPEG", "PNG", ...).
        hole: what of it was transparent, as a mask; None if nothing was.
        notes: what was left out of the upload, for the member.
    """

    png: bytes
    width: int
    height: int
    source_format: str
    hole: PreparedMask | None = None
    notes: tuple[Note, ...] = ()


def prepare(data: bytes, max_side: int) -> PreparedImage:
    """Decode an upload and encode it anew.

    Raises:
        PictureTooLargeError: more than 25 MB, 24 megapixels (64 for photos) or 12,000 px a side.
        PictureTooSmallError: a side below 16 px, before or after fitting.
        UnsupportedFormatError: not a picture in a format that is read.
        BrokenPictureError: damaged or cut off.
        IntakeLimitError: decoding ran out of memory.
    """
    image, source_format, animated = _opened(data, max_side=max_side)
    return PreparedImage(
        png=encode_png(_on_white(image)),
        width=image.width,
        height=image.height,
        source_format=source_format,
        hole=_mask(ImageChops.invert(image.getchannel("A"))) if _is_open(image) else None,
        notes=(Note(code=NoteCode.FIRST_FRAME),) if animated else (),
    )


def prepare_mask(data: bytes, max_side: int) -> PreparedMask:
    """Decode an upload that says by its lightness where a picture is made anew.

    Where it is transparent the picture is made anew, as if somebody had erased that; but if all
    that is left is white, that is what somebody has painted over the picture.

    Raises:
        IntakeError: as of ``prepare``.
    """
    image, _, _ = _opened(data, max_side=max_side)
    light = _on_white(image).convert("L")
    if not _is_open(image):
        return _mask(light)
    alpha = image.getchannel("A")
    dark = any(light.histogram()[:_RATHER_WHITE])
    return _mask(ImageChops.invert(alpha) if dark else alpha)


def _is_open(image: Image.Image) -> bool:
    """Return whether any of a picture is transparent."""
    return image.mode == "RGBA" and image.getchannel("A").getextrema() != (255, 255)


def _mask(light: Image.Image) -> PreparedMask:
    white = sum(light.histogram()[_RATHER_WHITE:])
    return PreparedMask(
        png=encode_png(light.convert("RGB")),
        width=light.width,
        height=light.height,
        share=white / (light.width * light.height),
    )


def _opened(data: bytes, *, max_side: int) -> tuple[Image.Image, str, bool]:
    """Return an upload as an RGB or RGBA picture, its format, and whether it has more frames.

    Raises:
        IntakeError: as of ``prepare``.
    """
    if len(data) > MAX_BYTES:
        raise PictureTooLargeError(f"this file is larger than {MAX_BYTES // 2**20} MB")
    source_format = sniff(data)
    if source_format == "HEIF" and not HEIF_READABLE:
        raise UnsupportedFormatError("HEIC pictures are not read here; please send it as JPEG")
    trimmed = trim(data, source_format=source_format)
    try:
        image, animated = _decode(trimmed.data, source_format=source_format, max_side=max_side)
    except MemoryError as err:
        raise IntakeLimitError("decoding this picture takes more memory than is allowed") from err
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as err:
        raise _too_many_pixels(source_format) from err
    except _DECODING_ERRORS as err:
        raise BrokenPictureError("this picture is damaged and cannot be decoded") from err
    return image, source_format, trimmed.animated or animated


def _decode(data: bytes, *, source_format: str, max_side: int) -> tuple[Image.Image, bool]:
    """Return the fitted, upright sRGB picture, and whether the file has more frames."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(BytesIO(data), formats=[source_format]) as opened:
            _check_size(opened.size, source_format=source_format)
            size = fitted_size(opened.size, max_side=max_side)
            animated = bool(getattr(opened, "is_animated", False))
            if source_format == "JPEG":
                opened.draft(None, size)
                # All of it lies in memory: handed over in parts it would only be copied.
                opened.decodermaxblock = len(data)
            opened.load()
            icc_profile = opened.info.get("icc_profile")
            orientation = orientation_of(opened.info.get("exif"))
            image = resized(_convert(opened, _working_mode(opened)), size)
    image = _to_srgb(image, icc_profile)
    if orientation in _UPRIGHT:
        image = image.transpose(_UPRIGHT[orientation])
    return image, animated


def _check_size(size: tuple[int, int], *, source_format: str) -> None:
    width, height = size
    if max(size) > MAX_SIDE:
        raise PictureTooLargeError(
            f"this picture is {width} x {height} pixels; a side may have {MAX_SIDE:,} at most"
        )
    if width * height > (MAX_PHOTO_PIXELS if source_format in PHOTO_FORMATS else MAX_PIXELS):
        raise _too_many_pixels(source_format)
    if min(size) < MIN_SIDE:
        raise PictureTooSmallError(
            f"this picture is {width} x {height} pixels; a side needs {MIN_SIDE} at least"
        )


def _too_many_pixels(source_format: str) -> PictureTooLargeError:
    limit = MAX_PHOTO_PIXELS if source_format in PHOTO_FORMATS else MAX_PIXELS
    return PictureTooLargeError(
        f"this {source_format} has more than {limit // 1_000_000} million pixels"
    )


def fitted_size(size: tuple[int, int], *, max_side: int) -> tuple[int, int]:
    """Return the size that fits into a square of ``max_side``; nothing is enlarged.

    Raises:
        PictureTooSmallError: the picture is so narrow that a side would fall below 16 px.
    """
    scale = min(1.0, max_side / max(size))
    width, height = round(size[0] * scale), round(size[1] * scale)
    if min(width, height) < MIN_SIDE:
        raise PictureTooSmallError(
            f"this picture is too narrow; fitted to {max_side} pixels it is {width} x {height}"
        )
    return width, height


def orientation_of(exif: object) -> int:
    """Read the orientation from an Exif block (TIFF 6.0, section 2); 1 when there is none."""
    if not isinstance(exif, bytes):
        return 1
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 10:
        return 1
    (at,) = struct.unpack_from(f"{order}I", tiff, 4)
    if at + 2 > len(tiff):
        return 1
    (count,) = struct.unpack_from(f"{order}H", tiff, at)
    for entry in range(at + 2, min(at + 2 + 12 * count, len(tiff) - 11), 12):
        tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
        if tag == _ORIENTATION_TAG and kind == 3:
            return value if value in _UPRIGHT else 1
    return 1


def _working_mode(image: Image.Image) -> str:
    """Return L, RGB, RGBA or CMYK, which hold any mode at 8 bits."""
    transparent = "transparency" in image.info
    match image.mode:
        case "RGB" | "CMYK":
            return "RGBA" if transparent else image.mode
        case "1" | "L" | "I" | "F" | "I;16" | "I;16B" | "I;16L" | "I;16N":
            return "RGBA" if transparent and image.mode in ("1", "L") else "L"
        case "RGBA" | "LA" | "PA" | "La" | "RGBa":
            return "RGBA"
        case "P":
            return "RGBA" if transparent else "RGB"
        case _:
            return "RGB"


def _convert(image: Image.Image, mode: str) -> Image.Image:
    if image.mode == mode:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        # Converting 16 bits to 8 clips to white, so the values are scaled first.
        return image.point(lambda value: value * (1 / 257)).convert("L")
    return image.convert(mode)


def _to_srgb(image: Image.Image, icc_profile: object) -> Image.Image:
    """Convert from the embedded profile; one that does not fit or is damaged is left aside."""
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    colours = image.convert("RGB") if alpha else image
    if isinstance(icc_profile, bytes) and icc_profile:
        colours = _through_profile(colours, icc_profile)
    colours = colours.convert("RGB")
    if alpha:
        colours.putalpha(alpha)
    return colours


def _through_profile(image: Image.Image, icc_profile: bytes) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(icc_profile))
        space = source.profile.xcolor_space.strip()
        if space == "RGB":
            image = image.convert("RGB")
        elif (space, image.mode) not in {("GRAY", "L"), ("CMYK", "CMYK")}:
            return image
        target = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return converted if converted is not None else image


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image
    white = Image.new("RGB", image.size, (255, 255, 255))
    white.paste(image, mask=image.getchannel("A"))
    return white
