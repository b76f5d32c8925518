"""Resizing comes out as Pillow's Lanczos filter does, which is slower."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from generation import intake
from generation.executor.forking import threads
from generation.resizing import MODES, resized
from tests import photographs


def decibels(one: Image.Image, other: Image.Image) -> float:
    difference = np.asarray(one, np.float64) - np.asarray(other, np.float64)
    return float(10 * np.log10(255**2 / np.mean(difference**2)))


@pytest.mark.parametrize("shrunk", [1.3, 2.6, 4.2, 7.3])
@pytest.mark.parametrize("mode", sorted(MODES))
def test_a_photograph_comes_out_as_by_pillow(mode: str, shrunk: float) -> None:
    image = photographs.photograph("chelsea").convert(mode)
    size = round(image.width / shrunk), round(image.height / shrunk)
    expected = image.resize(size, Image.Resampling.LANCZOS)
    assert decibels(resized(image, size), expected) > 47


def test_a_picture_of_the_right_size_is_copied() -> None:
    image = photographs.photograph("chelsea")
    same = resized(image, image.size)
    assert same is not image
    assert same.tobytes() == image.tobytes()


def test_colours_under_transparency_do_not_bleed() -> None:
    image = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 31, 64))
    pixels = np.asarray(resized(image, (16, 16)))
    assert pixels[..., 0].max() == 0
    assert pixels[0, 0].tolist() == [0, 0, 255, 255]


def test_a_limited_child_gets_no_threads_of_it() -> None:
    before = threads()
    resized(Image.new("RGB", (2_000, 2_000)), (500, 500))
    assert threads() == before


def test_a_picture_that_is_closed_stays_with_who_has_resized_it() -> None:
    file = BytesIO()
    photographs.photograph("chelsea").save(file, "PNG")
    assert intake.prepare(file.getvalue(), 2_000).width == photographs.photograph("chelsea").width
