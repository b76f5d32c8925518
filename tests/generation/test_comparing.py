"""What of a picture and its result is compared, and what that costs."""

import numpy as np
import pytest
from PIL import Image

from generation.codecs import CodecPool
from generation.comparing import Compared, Pair, compare, pair_of
from generation.outpainting import outpainted
from generation.postprocess.metrics import luminance, mse, psnr, ssim
from generation.request import Canvas, ImageRequest, Pixels
from tests.generation import child_calls
from tests.photographs import photograph


def pixels_of(image: Image.Image) -> Pixels:
    return Pixels(width=image.width, height=image.height, data=image.tobytes())


def request(image: Pixels | Canvas, **changes: Pixels) -> ImageRequest:
    return ImageRequest(job_id="1", pipeline="remix", image=image, **changes)  # type: ignore[arg-type]


START = photograph("chelsea", max_side=128)
DARK = START.point(lambda value: value // 2)


def test_a_result_of_the_same_size_is_compared_as_a_whole() -> None:
    pair = pair_of(request(pixels_of(START)), pixels_of(DARK))
    assert pair is not None
    found = compare(pair)
    one, other = (np.asarray(each) / 255 for each in (START, DARK))
    assert found.compared is Compared.WHOLE
    assert found.mse == pytest.approx(mse(one, other), rel=1e-5)
    assert found.psnr == pytest.approx(psnr(mse(one, other)), abs=1e-4)
    assert found.ssim == pytest.approx(ssim(luminance(one), luminance(other)), abs=2e-3)


def test_a_result_that_is_the_picture_has_no_end_of_decibels() -> None:
    found = compare(Pair(start=pixels_of(START), result=pixels_of(START)))
    assert (found.mse, found.psnr) == (0.0, None)
    assert found.ssim == pytest.approx(1.0, abs=1e-6)


def test_a_painted_part_is_compared_where_it_is_painted() -> None:
    """The mask is of another size than the picture, as members' may be."""
    mask = Image.new("RGB", (64, 64))
    mask.paste((255, 255, 255), (16, 16, 48, 48))
    over = mask.resize(START.size, Image.Resampling.BILINEAR)
    result = Image.composite(DARK, START, over.convert("L"))
    pair = pair_of(request(pixels_of(START), mask=pixels_of(mask)), pixels_of(result))
    assert pair is not None
    found, whole = compare(pair), compare(Pair(start=pixels_of(START), result=pixels_of(result)))
    assert found.compared is Compared.MASK
    weights = np.asarray(over)[..., 0] / 255
    squares = np.square((np.asarray(START) - np.asarray(result, np.float64)) / 255).mean(axis=-1)
    assert found.mse == pytest.approx((squares * weights).sum() / weights.sum(), rel=1e-4)
    assert found.mse > 2 * whole.mse
    assert whole.ssim is not None
    assert found.ssim is not None
    assert found.ssim < whole.ssim


def test_margins_are_left_out_and_the_picture_found_at_its_place() -> None:
    start = pixels_of(START)
    outer, mask = outpainted(start, ratio=2.5)
    made = Image.frombytes("RGB", (outer.width, outer.height), outer.data)
    left = (outer.width - start.width) // 2
    made.paste((9, 9, 9), (0, 0, left, outer.height))
    inner = (start.width, start.height)
    pair = pair_of(request(outer, mask=mask), pixels_of(made), inner=inner)
    assert pair is not None
    found = compare(pair)
    assert (found.compared, found.mse) == (Compared.PLACE, 0.0)
    made.putpixel((left + 5, 7), tuple(255 - value for value in made.getpixel((left + 5, 7))))  # type: ignore[union-attr]
    found = compare(Pair(start=outer, result=pixels_of(made), inner=inner))
    apart = np.asarray(START, np.float64)[7, 5]
    assert found.mse == pytest.approx(
        np.square((255 - 2 * apart) / 255).sum() / (3 * inner[0] * inner[1]), rel=1e-5
    )


@pytest.mark.parametrize("scale", [2, 0.5])
def test_the_larger_of_two_is_made_as_small_as_the_other(scale: float) -> None:
    size = round(START.width * scale), round(START.height * scale)
    result = START.resize(size, Image.Resampling.BICUBIC)
    pair = pair_of(request(pixels_of(START)), pixels_of(result))
    assert pair is not None
    found = compare(pair)
    assert found.compared is Compared.REDUCED
    assert found.mse < 1e-3


def test_what_has_no_picture_or_another_shape_is_not_compared() -> None:
    start = pixels_of(START)
    assert pair_of(request(Canvas(width=64, height=64)), start) is None
    assert pair_of(request(start), pixels_of(START.resize((64, 64)))) is None
    assert pair_of(request(start), start, inner=(10, 10)) is None
    bar = pixels_of(START.resize((200, 10)))
    assert pair_of(request(bar), bar) is None


def test_where_only_the_edge_was_painted_there_is_no_window_to_compare() -> None:
    mask = np.zeros((*START.size[::-1], 3), np.uint8)
    mask[:2] = 255
    found = compare(
        Pair(
            start=pixels_of(START),
            result=pixels_of(DARK),
            mask=Pixels(width=START.width, height=START.height, data=mask.tobytes()),
        )
    )
    assert found.ssim is None
    assert found.mse > 0


async def test_a_child_compares_and_imports_no_torch() -> None:
    pair = Pair(start=pixels_of(START), result=pixels_of(DARK))
    async with CodecPool() as codecs:
        assert await codecs.compare(pair) == compare(pair)


@pytest.mark.timed
async def test_comparing_512_pixels_costs_less_than_10_milliseconds() -> None:
    """Of a child's processor time, which is what it takes of the machine."""
    picture = photograph("astronaut").resize((512, 512))
    pair = Pair(start=pixels_of(picture), result=pixels_of(picture.point(lambda it: it // 2)))
    async with CodecPool() as codecs:
        assert await codecs.call(child_calls.spent_s, pair, 31) < 0.010
