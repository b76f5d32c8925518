"""The outsides of picture files: which format the bytes are, and what of them is worth decoding.

A decoder is handed only the parts that make pixels, colours and orientation. Texts, thumbnails,
later frames and whatever trails the picture never reach it, so bombs hidden there cannot go off.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from generation.errors import BrokenPictureError, UnsupportedFormatError

MAX_PARTS = 65_536
MAX_SUB_BLOCKS = 400_000
MAX_SCANS = 1_000
MAX_ICC_BYTES = 1_000_000
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_PNG_ORDER = (b"IHDR", b"iCCP", b"PLTE", b"tRNS", b"eXIf", b"IDAT")
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIF_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)
# Standalone markers carry no length; start-of-scan ends the walk.
_JPEG_STANDALONE = frozenset({0x01, 0xD8, *range(0xD0, 0xD8)})
_JPEG_STRUCTURE = frozenset({0xDB, 0xDD, *range(0xC0, 0xD0)} - {0xC8})
_JPEG_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trimmed:
    """The parts of a file that a decoder needs, and whether more frames were left out."""

    data: bytes
    animated: bool = False


def sniff(data: bytes) -> str:
    """Return Pillow's name of the format that the bytes begin with; names are never believed.

    Raises:
        UnsupportedFormatError: the bytes begin like no format that is read.
    """
    if data.startswith(_PNG_SIGNATURE):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        brands = _brands(data)
        if brands & _AVIF_BRANDS:
            return "AVIF"
        if brands & _HEIF_BRANDS:
            return "HEIF"
    raise UnsupportedFormatError(
        "this file is not a picture that can be read; PNG, JPEG, WEBP, GIF, AVIF and HEIC can"
    )


def trim(data: bytes, *, source_format: str) -> Trimmed:
    """Cut a file down to the parts that make its first picture.

    Raises:
        BrokenPictureError: the file ends early, is damaged or has absurdly many parts.
    """
    match source_format:
        case "PNG":
            return _trim_png(data)
        case "JPEG":
            return Trimmed(data=_trim_jpeg(data))
        case "GIF":
            return _trim_gif(data)
        case _:
            return Trimmed(data=data)


def _brands(data: bytes) -> frozenset[bytes]:
    """Return the brands of an ISO base media file (ISO/IEC 14496-12, 4.3)."""
    length = min(int.from_bytes(data[:4], "big"), 256, len(data))
    return frozenset({data[8:12], *(data[at : at + 4] for at in range(16, length - 3, 4))})


def _broken(what: str) -> BrokenPictureError:
    return BrokenPictureError(f"this picture is damaged: {what}")


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Walk a PNG's chunks up to IEND; the checksums of the kept ones must be right."""
    view, at = memoryview(data), len(_PNG_SIGNATURE)
    for _ in range(MAX_PARTS):
        if at + 12 > len(data):
            raise _broken("it is cut off")
        (length,) = struct.unpack_from(">I", data, at)
        kind, end = data[at + 4 : at + 8], at + 8 + length
        if end + 4 > len(data):
            raise _broken("it is cut off")
        if kind == b"IEND":
            return
        if kind in _PNG_ORDER or kind == b"acTL":
            if zlib.crc32(view[at + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
                raise _broken("a checksum does not match")
            yield kind, data[at + 8 : end]
        at = end + 4
    raise _broken("it has far too many parts")


def _trim_png(data: bytes) -> Trimmed:
    """Keep header, palette, colours, orientation and pixels (PNG, third edition, clause 11)."""
    parts: dict[bytes, list[bytes]] = {}
    for kind, body in _png_chunks(data):
        parts.setdefault(kind, []).append(body)
    if len(parts.get(b"IHDR", ())) != 1 or b"IDAT" not in parts:
        raise _broken("it has no pixels")
    if not _is_small_profile(parts.get(b"iCCP", [b""])[0]):
        parts.pop(b"iCCP", None)
    pieces = [_PNG_SIGNATURE]
    for kind in _PNG_ORDER:
        if kind in parts:
            body = b"".join(parts[kind]) if kind == b"IDAT" else parts[kind][0]
            crc = zlib.crc32(body, zlib.crc32(kind))
            pieces += [struct.pack(">I", len(body)), kind, body, struct.pack(">I", crc)]
    frames = parts.get(b"acTL", [b""])[0][:4]
    return Trimmed(data=b"".join([*pieces, _PNG_END]), animated=int.from_bytes(frames, "big") > 1)


def _is_small_profile(body: bytes) -> bool:
    """Tell whether an iCCP chunk inflates to a profile of ordinary size."""
    _, _, packed = body.partition(b"\0")
    inflater = zlib.decompressobj()
    try:
        inflater.decompress(packed[1:], MAX_ICC_BYTES)
    except zlib.error:
        return False
    return inflater.eof


def _trim_jpeg(data: bytes) -> bytes:
    """Keep tables, frame header, Exif, ICC and Adobe segments, then the scans."""
    kept, at, progressive = [b"\xff\xd8"], 2, False
    for _ in range(MAX_PARTS):
        while data[at : at + 2] == b"\xff\xff":
            at += 1
        if at + 4 > len(data) or data[at] != 0xFF:
            raise _broken("it is cut off, or its markers are")
        marker = data[at + 1]
        if marker in _JPEG_STANDALONE:
            at += 2
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xDA:
            if progressive and data.count(b"\xff\xda", at) > MAX_SCANS:
                raise _broken("it has far too many parts")
            return b"".join([*kept, memoryview(data)[at:]])
        if _wanted(marker, data[at + 4 : at + 18]):
            kept.append(data[at:end])
        progressive = progressive or marker in _JPEG_PROGRESSIVE
        at = end
    raise _broken("it has far too many parts")


def _wanted(marker: int, beginning: bytes) -> bool:
    """Tell whether a JPEG segment bears on pixels, colour or orientation (ITU-T T.81, B.1)."""
    match marker:
        case 0xE0:
            return beginning.startswith(b"JFIF\0")
        case 0xE1:
            return beginning.startswith(b"Exif\0\0")
        case 0xE2:
            return beginning.startswith(b"ICC_PROFILE\0")
        case 0xEE:
            return beginning.startswith(b"Adobe")
        case _:
            return marker in _JPEG_STRUCTURE


def _trim_gif(data: bytes) -> Trimmed:
    """Keep the screen, the first image and its control block (GIF89a, sections 18 to 26)."""
    at = 13 + _table_bytes(data, 10)
    kept = [data[:at]]
    image_end = 0
    # One budget for the whole file: every sub-block that is walked over takes from it.
    budget = iter(range(MAX_SUB_BLOCKS))
    for _ in range(MAX_PARTS):
        block = data[at : at + 1]
        if block == b",":
            if image_end:
                return Trimmed(data=b"".join([*kept, b";"]), animated=True)
            image_end = _after_sub_blocks(data, at + 11 + _table_bytes(data, at + 9), budget=budget)
            kept.append(data[at:image_end])
            at = image_end
        elif block == b"!":
            end = _after_sub_blocks(data, at + 2, budget=budget)
            if data[at + 1] == 0xF9 and not image_end:
                kept.append(data[at:end])
            at = end
        elif image_end:
            return Trimmed(data=b"".join([*kept, b";"]))
        else:
            raise _broken("it is cut off")
    raise _broken("it has far too many parts")


def _table_bytes(data: bytes, at: int) -> int:
    """Return the length of the colour table that the packed byte at ``at`` announces."""
    if at >= len(data):
        raise _broken("it is cut off")
    flags = data[at]
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_sub_blocks(data: bytes, at: int, *, budget: Iterator[int]) -> int:
    for _ in budget:
        if at >= len(data):
            raise _broken("it is cut off")
        if data[at] == 0:
            return at + 1
        at += 1 + data[at]
    raise _broken("it has far too many parts")
