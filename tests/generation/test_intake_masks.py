"""Masks out of uploads: their lightness, or what they leave transparent; in a limited child."""

from io import BytesIO

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw

from generation.codecs import IntakePool
from generation.errors import PictureTooLargeError, UnsupportedFormatError
from generation.intake import PreparedMask, prepare, prepare_mask
from tests.generation import pictures

BOX = (20, 10, 51, 40)
"""Where the picture is open: columns 20 to 51 and rows 10 to 40, of 96 x 64."""
SHARE = 32 * 31 / (96 * 64)


def values(mask: PreparedMask) -> npt.NDArray[np.uint8]:
    with Image.open(BytesIO(mask.png)) as opened:
        assert (opened.mode, opened.size) == ("RGB", (mask.width, mask.height))
        return np.asarray(opened)[..., 0]


def in_the_box(mask: PreparedMask) -> bool:
    """Return whether a mask is white in the box and black around it."""
    expected = np.zeros((64, 96), np.uint8)
    expected[BOX[1] : BOX[3] + 1, BOX[0] : BOX[2] + 1] = 255
    return mask.share == pytest.approx(SHARE) and bool(np.array_equal(values(mask), expected))


def opened(*, colour: tuple[int, int, int] = (10, 120, 30), alpha: int = 0) -> Image.Image:
    """Return a picture with a transparent box."""
    image = Image.new("RGBA", (96, 64), (*colour, 255))
    ImageDraw.Draw(image).rectangle(BOX, fill=(*colour, alpha))
    return image


def boxed(*, box: int = 255, rest: int = 0, mode: str = "L") -> Image.Image:
    image = Image.new("L", (96, 64), rest)
    ImageDraw.Draw(image).rectangle(BOX, fill=box)
    return image.convert(mode)


@pytest.mark.parametrize("image_format", ["PNG", "WEBP"])
def test_what_is_transparent_is_the_hole_and_lies_on_white(image_format: str) -> None:
    prepared = prepare(pictures.encoded(opened(), image_format, lossless=True), 1024)
    assert prepared.hole is not None
    assert in_the_box(prepared.hole)
    with Image.open(BytesIO(prepared.png)) as flat:
        assert (flat.getpixel((30, 20)), flat.getpixel((2, 2))) == ((255,) * 3, (10, 120, 30))


def test_transparent_palettes_turned_pictures_and_large_ones_have_their_holes_too() -> None:
    palette = Image.new("P", (96, 64), 1)
    palette.putpalette([0, 0, 0, 200, 30, 30])
    ImageDraw.Draw(palette).rectangle(BOX, fill=0)
    hole = prepare(pictures.encoded(palette, "GIF", transparency=0), 1024).hole
    assert hole is not None
    assert in_the_box(hole)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = prepare(pictures.encoded(opened(), "PNG", exif=exif), 1024)
    assert turned.hole is not None
    assert (turned.width, turned.hole.width, turned.hole.height) == (64, 64, 96)
    assert values(turned.hole)[30, 64 - 1 - 20] == 255
    large = prepare(pictures.encoded(opened().resize((1920, 1280)), "PNG"), 480)
    assert large.hole is not None
    assert (large.hole.width, large.hole.height) == (large.width, large.height) == (480, 320)
    assert large.hole.share == pytest.approx(SHARE, abs=0.01)


def test_pictures_without_anything_transparent_have_no_hole() -> None:
    for image in (opened(alpha=255), opened().convert("RGB"), boxed()):
        assert prepare(pictures.encoded(image, "PNG"), 1024).hole is None


def test_half_transparent_is_half_a_mask() -> None:
    hole = prepare(pictures.encoded(opened(alpha=155), "PNG"), 1024).hole
    assert hole is not None
    assert set(np.unique(values(hole))) == {0, 100}
    assert hole.share == 0


@pytest.mark.parametrize("mode", ["L", "1", "RGB", "RGBA", "P"])
def test_a_mask_says_it_by_its_lightness_in_any_mode(mode: str) -> None:
    assert in_the_box(prepare_mask(pictures.encoded(boxed(mode=mode), "PNG"), 1024))


def test_a_transparent_mask_is_what_was_erased_or_what_was_painted_white() -> None:
    erased = opened(colour=(0, 0, 0))
    assert in_the_box(prepare_mask(pictures.encoded(erased, "PNG"), 1024))
    photograph = opened(colour=(250, 250, 90))
    ImageDraw.Draw(photograph).point((0, 0), fill=(9, 9, 9, 255))
    assert in_the_box(prepare_mask(pictures.encoded(photograph, "PNG"), 1024))
    strokes = Image.new("RGBA", (96, 64), (0, 0, 0, 0))
    ImageDraw.Draw(strokes).rectangle(BOX, fill=(255, 255, 255, 255))
    assert in_the_box(prepare_mask(pictures.encoded(strokes, "PNG"), 1024))


def test_empty_and_full_masks_are_told_by_their_share() -> None:
    assert prepare_mask(pictures.encoded(boxed(box=0), "PNG"), 1024).share == 0
    assert prepare_mask(pictures.encoded(boxed(rest=255), "PNG"), 1024).share == 1


async def test_masks_are_read_in_the_limited_child_under_the_limits_of_pictures() -> None:
    async with IntakePool(max_side=48) as intake:
        mask = await intake.prepare_mask(pictures.encoded(boxed(), "JPEG", quality=95))
        assert (mask.width, mask.height) == (48, 32)
        assert mask.share == pytest.approx(SHARE, abs=0.02)
        with pytest.raises(UnsupportedFormatError):
            await intake.prepare_mask(b"<svg onload=alert(1)>" * 9)
        with pytest.raises(PictureTooLargeError):
            await intake.prepare_mask(pictures.flat_png(12_001, 20, bits=1, colour=0))
