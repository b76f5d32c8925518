"""Uploads become safe pictures: limits, disguises, colours, orientation, metadata."""

from io import BytesIO

import pytest
from PIL import Image, ImageChops, ImageStat

from generation.errors import (
    BrokenPictureError,
    IntakeError,
    PictureTooLargeError,
    PictureTooSmallError,
    UnsupportedFormatError,
)
from generation.intake import HEIF_READABLE, PreparedImage, fitted_size, orientation_of, prepare
from generation.request import Note, NoteCode
from tests.generation import pictures
from tests.photographs import photograph

FORMATS = ["PNG", "JPEG", "WEBP", "GIF", "AVIF", *(["HEIF"] if HEIF_READABLE else [])]


def opened(prepared: PreparedImage) -> Image.Image:
    image = Image.open(BytesIO(prepared.png), formats=["PNG"])
    image.load()
    assert image.mode == "RGB"
    assert image.size == (prepared.width, prepared.height)
    return image


def middle(prepared: PreparedImage) -> tuple[int, ...]:
    pixel = opened(prepared).getpixel((prepared.width // 2, prepared.height // 2))
    assert isinstance(pixel, tuple)
    return pixel


def near(actual: object, expected: tuple[int, int, int], *, within: int = 12) -> bool:
    assert isinstance(actual, tuple)
    return all(abs(a - b) <= within for a, b in zip(actual, expected, strict=True))


def corner_colours(image: Image.Image) -> list[object]:
    right, bottom = image.width - 8, image.height - 8
    return [image.getpixel(at) for at in ((8, 8), (right, 8), (8, bottom), (right, bottom))]


def has_corners(prepared: PreparedImage, *, within: int = 40) -> bool:
    pairs = zip(corner_colours(opened(prepared)), pictures.CORNERS, strict=True)
    return all(near(actual, expected, within=within) for actual, expected in pairs)


@pytest.mark.parametrize("image_format", FORMATS)
def test_b1_every_promised_format_is_read(image_format: str) -> None:
    prepared = prepare(pictures.encoded(pictures.corners(), image_format), 1024)
    assert prepared.source_format == image_format
    assert prepared.notes == ()
    assert has_corners(prepared)


def test_b1_heif_is_read_where_its_package_is_installed() -> None:
    pytest.importorskip("pillow_heif", reason="the extra 'heif' is not installed")
    assert HEIF_READABLE


def test_b1_a_file_above_25_mb_is_refused_unseen() -> None:
    with pytest.raises(PictureTooLargeError, match="25 MB"):
        prepare(bytes(25 * 2**20 + 1), 1024)


@pytest.mark.parametrize("size", [(12_001, 16), (16, 12_001)])
def test_b1_a_side_above_12000_pixels_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(PictureTooLargeError, match="12,000"):
        prepare(pictures.flat_png(*size, bits=1, colour=0), 1024)


def test_b1_more_than_24_megapixels_are_refused_unless_it_is_a_photo() -> None:
    with pytest.raises(PictureTooLargeError, match="24 million"):
        prepare(pictures.flat_png(6_000, 4_001, bits=1, colour=0), 1024)
    photo = pictures.encoded(Image.new("L", (6_000, 4_001), 90), "JPEG")
    assert (prepare(photo, 1024).width, prepare(photo, 1024).height) == (1024, 683)


def test_b1_a_photo_above_64_megapixels_is_refused() -> None:
    with pytest.raises(PictureTooLargeError, match="64 million"):
        prepare(pictures.encoded(Image.new("L", (8_001, 8_000)), "JPEG"), 1024)


@pytest.mark.parametrize("size", [(15, 64), (64, 15)])
def test_b1_a_side_below_16_pixels_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(PictureTooSmallError, match="16"):
        prepare(pictures.encoded(pictures.corners(*size), "PNG"), 1024)


def test_b1_a_ribbon_that_fitting_makes_too_narrow_is_refused() -> None:
    with pytest.raises(PictureTooSmallError, match="too narrow"):
        prepare(pictures.encoded(Image.new("L", (4_000, 20)), "PNG"), 1024)


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "AVIF"])
def test_b1_only_the_first_frame_is_taken_and_the_member_is_told(image_format: str) -> None:
    first = Image.new("RGB", (32, 32), (200, 40, 40))
    rest = [Image.new("RGB", (32, 32), (40, 40, 200))]
    data = pictures.encoded(first, image_format, save_all=True, append_images=rest, duration=50)
    prepared = prepare(data, 1024)
    assert prepared.notes == (Note(code=NoteCode.FIRST_FRAME),)
    assert near(opened(prepared).getpixel((16, 16)), (200, 40, 40))


def test_b1_a_phone_jpeg_with_a_second_picture_behind_it_is_its_first() -> None:
    second = Image.new("RGB", (96, 64), (0, 0, 0))
    data = pictures.encoded(pictures.corners(), "MPO", save_all=True, append_images=[second])
    prepared = prepare(data, 1024)
    assert (prepared.source_format, prepared.notes) == ("JPEG", ())
    assert has_corners(prepared)


def test_b1_a_large_picture_is_fitted_and_a_small_one_is_not_enlarged() -> None:
    large = prepare(pictures.encoded(pictures.corners(3_000, 1_500), "PNG"), 1024)
    small = prepare(pictures.encoded(pictures.corners(96, 64), "PNG"), 1024)
    assert (large.width, large.height) == (1024, 512)
    assert (small.width, small.height) == (96, 64)


def test_fitting_keeps_the_shape_and_never_enlarges() -> None:
    assert fitted_size((4_000, 3_000), max_side=1024) == (1024, 768)
    assert fitted_size((3_000, 4_000), max_side=512) == (384, 512)
    assert fitted_size((100, 80), max_side=1024) == (100, 80)


@pytest.mark.parametrize("name", sorted(pictures.not_pictures()))
def test_b4_what_is_not_a_picture_is_refused(name: str) -> None:
    with pytest.raises((UnsupportedFormatError, BrokenPictureError)):
        prepare(pictures.not_pictures()[name], 1024)


@pytest.mark.parametrize("name", sorted(pictures.polyglots()))
def test_b4_a_polyglot_comes_out_as_nothing_but_its_picture(name: str) -> None:
    data = pictures.polyglots()[name]
    assert b"polyglot" in data
    png = prepare(data, 1024).png
    for part in (b"polyglot", b"PK\x03\x04", b"<script>", b"%PDF"):
        assert part not in png


@pytest.mark.parametrize("make", [pictures.sixteen_bit_grey, pictures.sixteen_bit_rgb])
def test_b5_sixteen_bits_keep_their_ramp_instead_of_clipping_to_white(make: object) -> None:
    assert callable(make)
    image = opened(prepare(make(), 1024))
    red = [pixel[0] for x in range(0, 64, 9) if isinstance(pixel := image.getpixel((x, 32)), tuple)]
    assert red == [pytest.approx(255 * x / 63, abs=3) for x in range(0, 64, 9)]


def test_b5_cmyk_keeps_its_colours() -> None:
    data = pictures.encoded(pictures.corners().convert("CMYK"), "JPEG", quality=95)
    assert has_corners(prepare(data, 1024))


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "AVIF"])
def test_b5_transparency_becomes_white(image_format: str) -> None:
    image = Image.new("RGBA", (64, 64), (255, 0, 0, 255))
    image.paste((0, 0, 0, 0), (32, 0, 64, 64))
    result = opened(prepare(pictures.encoded(image, image_format), 1024))
    assert near(result.getpixel((8, 32)), (255, 0, 0))
    assert near(result.getpixel((56, 32)), (255, 255, 255))


def test_b5_grey_with_alpha_half_covers_white() -> None:
    data = pictures.encoded(Image.new("LA", (32, 32), (0, 128)), "PNG")
    assert near(opened(prepare(data, 1024)).getpixel((16, 16)), (127, 127, 127))


def test_b5_a_transparent_palette_entry_becomes_white() -> None:
    image = pictures.corners().quantize(4)
    index = image.getpixel((8, 8))
    result = opened(prepare(pictures.encoded(image, "PNG", transparency=index), 1024))
    assert near(result.getpixel((8, 8)), (255, 255, 255))
    assert near(result.getpixel((88, 56)), pictures.CORNERS[3])


def test_b5_one_bit_is_black_and_white() -> None:
    image = Image.new("1", (32, 32))
    image.paste(1, (16, 0, 32, 32))
    result = opened(prepare(pictures.encoded(image, "PNG"), 1024))
    assert result.getpixel((4, 16)) == (0, 0, 0)
    assert result.getpixel((28, 16)) == (255, 255, 255)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
def test_b5_an_embedded_profile_is_converted_to_srgb(image_format: str) -> None:
    image = Image.new("RGB", (64, 64), (230, 20, 20))
    data = pictures.encoded(image, image_format, icc_profile=pictures.swapped_profile())
    red, green, _ = middle(prepare(data, 1024))
    assert green > red + 80


def test_b5_a_wide_gamut_picture_becomes_more_vivid_in_srgb() -> None:
    image = Image.new("RGB", (64, 64), (200, 100, 100))
    data = pictures.encoded(image, "PNG", icc_profile=pictures.wide_gamut_profile())
    red, green, blue = middle(prepare(data, 1024))
    assert red > 205
    assert green < 100
    assert blue < 100


def test_b5_a_damaged_profile_is_left_aside() -> None:
    data = pictures.encoded(pictures.corners(), "PNG", icc_profile=b"no profile at all" * 20)
    assert has_corners(prepare(data, 1024))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
def test_b5_every_orientation_comes_out_upright(image_format: str, orientation: int) -> None:
    stored = pictures.turned(pictures.corners(), orientation)
    exif = pictures.exif_with_orientation(orientation)
    prepared = prepare(pictures.encoded(stored, image_format, exif=exif), 1024)
    assert (prepared.width, prepared.height) == (96, 64)
    assert has_corners(prepared)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_b5_every_orientation_of_a_heic_comes_out_upright(orientation: int) -> None:
    pytest.importorskip("pillow_heif", reason="the extra 'heif' is not installed")
    stored = pictures.turned(pictures.corners(), orientation)
    exif = pictures.exif_with_orientation(orientation)
    prepared = prepare(pictures.encoded(stored, "HEIF", exif=exif), 1024)
    assert (prepared.width, prepared.height) == (96, 64)
    assert has_corners(prepared)


def test_b5_a_phone_jpeg_of_50_megapixels_is_turned_and_fitted() -> None:
    stored = pictures.turned(pictures.corners(6_120, 8_160), 6)
    exif = pictures.exif_with_orientation(6)
    prepared = prepare(pictures.encoded(stored, "JPEG", exif=exif), 1024)
    assert (prepared.width, prepared.height) == (768, 1024)
    assert has_corners(prepared)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_b6_nothing_of_the_uploads_metadata_survives(image_format: str) -> None:
    data = pictures.encoded(
        photograph("chelsea", max_side=128),
        image_format,
        exif=pictures.exif_with_orientation(1),
        icc_profile=pictures.swapped_profile(),
        xmp=b"<x:xmpmeta>SecretXmp</x:xmpmeta>",
    )
    assert b"SecretCamera" in data
    png = prepare(data, 1024).png
    assert b"Secret" not in png
    assert Image.open(BytesIO(png)).info == {}
    assert png.count(b"IDAT") >= 1
    for chunk in (b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"iCCP"):
        assert chunk not in png


def test_b6_the_comments_of_gif_and_jpeg_do_not_survive() -> None:
    for image_format in ("GIF", "JPEG"):
        image = pictures.corners().quantize(4).convert("RGB" if image_format == "JPEG" else "P")
        data = pictures.encoded(image, image_format, comment=b"SecretComment")
        assert b"SecretComment" in data
        assert b"Secret" not in prepare(data, 1024).png


@pytest.mark.parametrize(
    "exif",
    [None, b"", b"Exif\0\0", b"II*\0", b"II*\0\xff\xff\xff\xff\0\0", b"MM\0*\0\0\0\x08\xff\xff"],
)
def test_an_exif_block_without_sense_means_upright(exif: bytes | None) -> None:
    assert orientation_of(exif) == 1


def test_the_same_upload_becomes_the_same_bytes() -> None:
    data = pictures.encoded(photograph("coffee"), "JPEG")
    assert prepare(data, 512) == prepare(data, 512)


def test_a_refusal_is_one_sentence_for_a_member() -> None:
    for data in (b"", b"GIF89a", pictures.flat_png(20_000, 16, bits=1, colour=0)):
        with pytest.raises(IntakeError) as caught:
            prepare(data, 1024)
        assert "\n" not in str(caught.value)
        assert 20 < len(str(caught.value)) < 120


@pytest.mark.parametrize("shrunk", [4.0, 3.9, 2.6], ids=["as decoded", "from twice", "from 1.3"])
@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_a_photo_decoded_small_looks_like_one_decoded_whole(name: str, shrunk: float) -> None:
    data = pictures.encoded(photograph(name), "JPEG")
    small = opened(prepare(data, int(max(photograph(name).size) / shrunk)))
    with Image.open(BytesIO(data)) as whole:
        expected = whole.resize(small.size, Image.Resampling.LANCZOS)
    assert max(ImageStat.Stat(ImageChops.difference(small, expected)).rms) < 6
