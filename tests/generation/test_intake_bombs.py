"""Bombs and damage: short, small and typed, whatever the bytes are."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from generation.children import ChildPool, Limits
from generation.intake import HEIF_READABLE
from tests.generation import child_calls, pictures
from tests.photographs import photograph

BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "30,000 squared, one bit": (
        lambda: pictures.flat_png(30_000, 30_000, bits=1, colour=0),
        "PictureTooLargeError",
    ),
    "89 megapixels": (lambda: pictures.flat_png(9_434, 9_434), "PictureTooLargeError"),
    "a header of 2^31-1": (
        lambda: pictures.png_of([pictures.ihdr(2**31 - 1, 2**31 - 1), (b"IDAT", b"")]),
        "PictureTooLargeError",
    ),
    "zTXt": (lambda: pictures.text_bomb("zTXt"), "PNG"),
    "iTXt": (lambda: pictures.text_bomb("iTXt"), "PNG"),
    "iCCP": (lambda: pictures.text_bomb("iCCP"), "PNG"),
    "300,000 chunks": (pictures.many_chunks, "BrokenPictureError"),
    "60,000 pixel chunks": (pictures.many_pixel_chunks, "PNG"),
    "300,000 segments": (pictures.jpeg_with_segments, "BrokenPictureError"),
    "4,000,000 comment blocks": (pictures.gif_with_comments, "BrokenPictureError"),
    "30 comments of 390,000 blocks": (pictures.gif_with_many_comments, "BrokenPictureError"),
    "3,000 frames of GIF": (lambda: pictures.animation("GIF"), "GIF"),
    "3,000 frames of PNG": (lambda: pictures.animation("PNG"), "PNG"),
    "3,000 frames of WEBP": (lambda: pictures.animation("WEBP"), "WEBP"),
    "300 frames of AVIF": (lambda: pictures.animation("AVIF", frames=300), "AVIF"),
}
LARGEST: dict[str, Callable[[], bytes]] = {
    "RGBA": lambda: pictures.flat_png(6_000, 4_000, colour=6),
    "16 bits RGBA": lambda: pictures.flat_png(6_000, 4_000, colour=6, bits=16),
    "palette": lambda: pictures.flat_png(6_000, 4_000, colour=3),
    "grey with alpha": lambda: pictures.flat_png(6_000, 4_000, colour=4),
}


@pytest.fixture(scope="module")
def fresh_children() -> Iterator[ChildPool]:
    """Return a pool with the bot's own limits whose every call finds a fresh child."""
    pool = ChildPool(limits=Limits(max_calls=1))
    asyncio.run(pool.start())
    yield pool
    asyncio.run(pool.close())


@pytest.fixture(scope="module")
def patient_child() -> Iterator[ChildPool]:
    """Return a pool whose child has time for thousands of pictures in one call."""
    pool = ChildPool(limits=Limits(cpu_s=200, wall_s=300))
    asyncio.run(pool.start())
    yield pool
    asyncio.run(pool.close())


@pytest.mark.parametrize("name", BOMBS)
async def test_b2_a_bomb_does_not_go_off(fresh_children: ChildPool, name: str) -> None:
    make, expected = BOMBS[name]
    outcome, seconds, peak_mb = await fresh_children.call(child_calls.measured, make())
    assert outcome == expected
    assert seconds < 2
    assert peak_mb < 300


@pytest.mark.parametrize("name", LARGEST)
async def test_b1_the_largest_picture_fits_into_the_child(
    fresh_children: ChildPool, name: str
) -> None:
    outcome, _, peak_mb = await fresh_children.call(child_calls.measured, LARGEST[name]())
    assert outcome == "PNG"
    assert peak_mb < 400


def small_file(image_format: str) -> bytes:
    """Return a picture of about 2 KB, whose every byte can be flipped in reasonable time."""
    image = photograph("chelsea", max_side=40 if image_format in ("PNG", "GIF") else 96)
    image.info.clear()
    exif = pictures.exif_with_orientation(6)
    match image_format:
        case "PNG":
            return pictures.encoded(image.resize((24, 24)), "PNG", exif=exif)
        case "GIF":
            return pictures.encoded(image.quantize(64), "GIF")
        case _:
            return pictures.encoded(image, image_format, quality=30, exif=exif)


def flips(data: bytes, *, mask: int = 0xFF) -> list[bytes]:
    """Return the file once for every byte, with that byte changed."""
    return [data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :] for at in range(len(data))]


FORMATS = ["PNG", "JPEG", "GIF", "WEBP", "AVIF", *(["HEIF"] if HEIF_READABLE else [])]


@pytest.mark.parametrize("image_format", FORMATS)
async def test_b3_a_truncated_file_is_a_typed_error(
    patient_child: ChildPool, image_format: str
) -> None:
    options = {} if image_format in ("PNG", "GIF") else {"quality": 80}
    data = pictures.encoded(photograph("coffee", max_side=200), image_format, **options)
    cut = [data[: len(data) * tenth // 10] for tenth in range(10)]
    counts = await patient_child.call(child_calls.outcomes, cut)
    assert counts.total() == 10
    assert counts["BrokenPictureError"] + counts["UnsupportedFormatError"] == 10


@pytest.mark.parametrize("image_format", FORMATS)
async def test_b3_a_flipped_byte_is_a_picture_or_a_typed_error(
    patient_child: ChildPool, image_format: str
) -> None:
    data = small_file(image_format)
    assert 800 < len(data) < 4_000
    damaged = flips(data)
    counts = await patient_child.call(child_calls.outcomes, damaged)
    assert counts.total() == len(damaged)
    assert counts["IntakeLimitError"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize("bit", range(8))
async def test_b3_every_flipped_bit_is_a_picture_or_a_typed_error(
    patient_child: ChildPool, image_format: str, bit: int
) -> None:
    data = small_file(image_format)
    counts = await patient_child.call(child_calls.outcomes, flips(data, mask=1 << bit))
    assert counts.total() == len(data)


@pytest.mark.slow
async def test_b5_a_phone_heic_of_48_megapixels_is_turned_and_fitted(
    fresh_children: ChildPool,
) -> None:
    pytest.importorskip("pillow_heif", reason="the extra 'heif' is not installed")
    stored = pictures.turned(photograph("flower").resize((6_048, 8_064)), 6)
    exif = pictures.exif_with_orientation(6)
    fast = {"preset": "ultrafast"}
    data = pictures.encoded(stored, "HEIF", exif=exif, quality=50, enc_params=fast)
    outcome, seconds, _ = await fresh_children.call(child_calls.measured, data)
    assert outcome == "HEIF"
    assert seconds < 10
