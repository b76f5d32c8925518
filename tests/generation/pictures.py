"""Builders of odd and evil pictures, as bytes; the tests of intake and of the bot share them."""

import struct
import zlib
from collections.abc import Iterable
from io import BytesIO

from PIL import Image, ImageCms

Chunk = tuple[bytes, bytes]
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
CORNERS = ((220, 30, 30), (30, 200, 30), (30, 60, 220), (240, 220, 40))
"""Red, green, blue, yellow: top left, top right, bottom left, bottom right of ``corners``."""


def corners(width: int = 96, height: int = 64) -> Image.Image:
    """Return a picture with a colour in each corner, so that every turn shows."""
    image = Image.new("RGB", (2, 2))
    image.putdata(CORNERS)
    return image.resize((width, height), Image.Resampling.NEAREST)


def encoded(image: Image.Image, image_format: str, **options: object) -> bytes:
    """Encode with Pillow."""
    buffer = BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def exif_with_orientation(orientation: int) -> bytes:
    """Return an Exif block with an orientation, a place, a camera and a comment."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "SecretCamera"
    exif[0x9286] = b"ASCII\0\0\0SecretComment"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 12.0, 7.0)})
    return exif.tobytes()


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """Return what a camera stores that writes this orientation: upright only once it is read."""
    stored = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    return image.transpose(stored[orientation]) if orientation in stored else image


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """Return a chunk with its right checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def ihdr(width: int, height: int, *, bits: int = 8, colour: int = 2) -> Chunk:
    """Return the header chunk; colour 0 is grey, 2 RGB, 3 palette, 4 LA, 6 RGBA."""
    return b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)


def png_of(chunks: Iterable[Chunk]) -> bytes:
    """Return a PNG of exactly these chunks and an end."""
    body = b"".join(png_chunk(kind, data) for kind, data in chunks)
    return PNG_SIGNATURE + body + png_chunk(b"IEND", b"")


def flat_png(width: int, height: int, *, bits: int = 8, colour: int = 2) -> bytes:
    """Return a black PNG of any size, made row by row without ever holding its pixels."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = bytes(1 + (width * channels * bits + 7) // 8)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    palette = [(b"PLTE", bytes(768))] if colour == 3 else []
    return png_of([ihdr(width, height, bits=bits, colour=colour), *palette, (b"IDAT", packed)])


def png_with(*chunks: Chunk, size: int = 64) -> bytes:
    """Return a small valid PNG with more chunks before its pixels."""
    rows = zlib.compress((b"\0" + b"\x40\x80\xc0" * size) * size)
    return png_of([ihdr(size, size), *chunks, (b"IDAT", rows)])


def zeros_packed(megabytes: int = 200) -> bytes:
    """Return deflated zeros: a thousandth of what they unpack to."""
    packer = zlib.compressobj(9)
    block = bytes(1_000_000)
    return b"".join(packer.compress(block) for _ in range(megabytes)) + packer.flush()


def text_bomb(kind: str) -> bytes:
    """Return a PNG whose zTXt, iTXt or iCCP chunk unpacks to 200 MB."""
    packed = zeros_packed()
    body = {
        "zTXt": b"Comment\0\0" + packed,
        "iTXt": b"Comment\0\1\0\0\0" + packed,
        "iCCP": b"profile\0\0" + packed,
    }[kind]
    return png_with((kind.encode(), body))


def many_chunks(count: int = 300_000) -> bytes:
    """Return a PNG with hundreds of thousands of chunks before its pixels."""
    return png_with(*[(b"tEXt", b"a\0b")] * count)


def many_pixel_chunks(count: int = 60_000) -> bytes:
    """Return a PNG whose pixels come in very many chunks, most of them empty."""
    rows = zlib.compress((b"\0" + b"\x40\x80\xc0" * 64) * 64)
    return png_of([ihdr(64, 64), (b"IDAT", rows), *[(b"IDAT", b"")] * count])


def jpeg_with_segments(count: int = 300_000) -> bytes:
    """Return a JPEG with hundreds of thousands of comments."""
    jpeg = encoded(corners(), "JPEG")
    return jpeg[:2] + b"\xff\xfe\x00\x03a" * count + jpeg[2:]


def gif_with_comments(count: int = 4_000_000) -> bytes:
    """Return a GIF with a comment of millions of one-byte blocks."""
    gif = encoded(corners().quantize(8), "GIF")
    head = 13 + (3 << ((gif[10] & 7) + 1))
    return gif[:head] + b"!\xfe" + b"\1a" * count + b"\0" + gif[head:]


def gif_with_many_comments(count: int = 30) -> bytes:
    """Return a GIF with comments that are each just long enough to look honest."""
    gif = encoded(corners().quantize(8), "GIF")
    head = 13 + (3 << ((gif[10] & 7) + 1))
    return gif[:head] + (b"!\xfe" + b"\1a" * 390_000 + b"\0") * count + gif[head:]


def animation(image_format: str, *, frames: int = 3_000, side: int = 16) -> bytes:
    """Return an animation of small frames, each of its own colour."""
    colours = [((i * 7) % 256, (i * 13) % 256, (i * 29) % 256) for i in range(frames)]
    first, *rest = [Image.new("RGB", (side, side), colour) for colour in colours]
    return encoded(first, image_format, save_all=True, append_images=rest, duration=20)


def sixteen_bit_grey(width: int = 64, height: int = 64) -> bytes:
    """Return a 16-bit ramp from black to white."""
    row = b"\0" + b"".join(struct.pack(">H", 65535 * x // (width - 1)) for x in range(width))
    packed = zlib.compress(row * height)
    return png_of([ihdr(width, height, bits=16, colour=0), (b"IDAT", packed)])


def sixteen_bit_rgb(width: int = 64, height: int = 64) -> bytes:
    """Return a 16-bit ramp in colour: red rises, green falls, blue stays in the middle."""
    ramp = [65535 * x // (width - 1) for x in range(width)]
    row = b"\0" + b"".join(struct.pack(">HHH", v, 65535 - v, 32768) for v in ramp)
    packed = zlib.compress(row * height)
    return png_of([ihdr(width, height, bits=16, colour=2), (b"IDAT", packed)])


def swapped_profile() -> bytes:
    """Return an sRGB profile whose red and green are exchanged: it cannot be overlooked."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = struct.unpack_from(">I", profile, 128)[0]
    places = {bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * tags, 12)}
    red, green = places[b"rXYZ"] + 4, places[b"gXYZ"] + 4
    profile[red : red + 8], profile[green : green + 8] = (
        profile[green : green + 8],
        profile[red : red + 8],
    )
    return bytes(profile)


def not_pictures() -> dict[str, bytes]:
    """Return things that are not pictures but may be named like one."""
    return {
        "html": b"<!DOCTYPE html><html><script>alert(1)</script></html>",
        "svg": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script/></svg>',
        "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n(%pipe%id) (w) file\n",
        "pdf": b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n",
        "zip": b"PK\x03\x04\x14\x00\x00\x00\x00\x00" + bytes(64),
        "tiff": encoded(corners(), "TIFF"),
        "bmp": encoded(corners(), "BMP"),
        "ico": encoded(corners(64, 64), "ICO"),
        "mp4": b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + bytes(64),
        "gif with script": b"GIF89a/*" + b"\x00" * 8 + b"*/=1;alert(1)//" + bytes(32),
        "png signature, then html": PNG_SIGNATURE + b"<html><script>alert(1)</script></html>",
        "nothing": b"",
    }


def polyglots() -> dict[str, bytes]:
    """Return real pictures that are something else as well."""
    secret = b"PK\x03\x04<script>alert('polyglot')</script>%PDF-1.7"
    png, jpeg = encoded(corners(), "PNG"), encoded(corners(), "JPEG")
    return {
        "png with an archive behind it": png + secret,
        "jpeg with an archive behind it": jpeg + secret,
        "jpeg with a script in its comment": encoded(corners(), "JPEG", comment=secret),
        "gif with a script behind it": encoded(corners().quantize(8), "GIF") + secret,
        "webp with an archive behind it": encoded(corners(), "WEBP") + secret,
        "png with a script in its text": png_with((b"tEXt", b"Comment\0" + secret)),
    }


def wide_gamut_profile() -> bytes:
    """Return an sRGB profile with the red and green primaries of Display P3 (adapted to D50)."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = struct.unpack_from(">I", profile, 128)[0]
    places = {bytes(profile[at : at + 4]): at + 4 for at in range(132, 132 + 12 * tags, 12)}
    primaries = {
        b"rXYZ": (0.51512, 0.2412, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.1571, 0.06657, 0.78407),
    }
    for tag, values in primaries.items():
        (at,) = struct.unpack_from(">I", profile, places[tag])
        struct.pack_into(">3i", profile, at + 8, *(round(value * 65536) for value in values))
    return bytes(profile)
