"""What is measured of pictures and artworks, and which method of style that suggests."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from generation.artworks import artworks
from generation.errors import InvalidRequestError
from generation.registry import PIPELINES, methods
from generation.request import Manner, Pixels
from generation.traits import (
    FINE_STROKE,
    PREFERENCES,
    Reason,
    Traits,
    choice_of,
    chosen,
    colour_count,
    faces,
    flat_share,
    stroke_scale,
)
from tests.photographs import photograph

Floats = NDArray[np.float32]


def checked(*, side: int, wave: int) -> Floats:
    """Return upright stripes, so many pixels from one to the next."""
    line = (np.arange(side) // (wave // 2)) % 2
    return np.broadcast_to(line[None, :, None], (side, side, 3)).astype(np.float32)


def drawn_face(*, tall: float = 40, wide: float = 30, eyes: bool = True) -> Floats:
    """Return an ellipse of skin before grey, with two eyes or without."""
    rows, columns = np.mgrid[:192, :192] - 96.0
    picture = np.full((192, 192, 3), 0.5, np.float32)
    picture[(rows / tall) ** 2 + (columns / wide) ** 2 <= 1] = (0.85, 0.62, 0.5)
    if eyes:
        for place in (-wide / 2.5, wide / 2.5):
            eye = np.hypot(rows + tall / 4, columns - place) < 4
            picture[eye] = (0.15, 0.1, 0.1)
    return picture


def _artwork(name: str) -> Pixels:
    with Image.open(artworks()[name].path) as opened:
        return _pixels(opened.convert("RGB"))


def _pixels(image: Image.Image) -> Pixels:
    return Pixels(width=image.width, height=image.height, data=image.tobytes())


@pytest.mark.parametrize("count", [1, 2, 4])
def test_as_many_colours_are_counted_as_there_are_if_they_are_equally_common(count: int) -> None:
    colours = np.linspace(0, 1, count).repeat(64 // count)
    picture = np.broadcast_to(colours[None, :, None], (64, 64, 3)).astype(np.float32)
    assert colour_count(picture) == pytest.approx(count)


def test_what_has_no_edges_is_flat_and_noise_is_not() -> None:
    noise = np.random.default_rng(0).random((64, 64, 3), np.float32)
    assert flat_share(np.full((64, 64, 3), 0.3, np.float32)) == 1
    assert flat_share(noise) < 0.01


@pytest.mark.parametrize("wave", [8, 16, 32])
def test_the_stroke_scale_is_the_length_of_a_wave_in_pixels_of_512(wave: int) -> None:
    # Square waves have shorter ones beside the one of their own length.
    found = stroke_scale(checked(side=192, wave=wave)) / (512 / 192)
    assert 0.7 * wave < found < 1.1 * wave


def test_an_ellipse_of_skin_with_eyes_is_taken_for_a_face_and_others_are_not() -> None:
    [share] = faces(drawn_face())
    assert share == pytest.approx(np.pi * 40 * 30 / 192**2, rel=0.05)
    assert not list(faces(drawn_face(eyes=False)))
    assert not list(faces(drawn_face(tall=20, wide=80)))
    assert not list(faces(drawn_face()[..., ::-1]))
    assert not list(faces(drawn_face(tall=8, wide=6)))


def test_one_dark_spot_is_no_pair_of_eyes_and_shining_metal_is_no_face() -> None:
    face = drawn_face()
    face[80:92, 98:120] = face[96, 96]
    assert not list(faces(face))
    spoon = photograph("coffee").crop((100, 0, 500, 400)).resize((192, 192))
    assert not list(faces(np.asarray(spoon, np.float32) / np.float32(255)))


@pytest.mark.parametrize(
    ("name", "artwork", "method", "reason"),
    [
        ("astronaut", "woodcut", "collage", Reason.FACE),
        ("china", "woodcut", "hybrid", Reason.LINES),
        ("coffee", "mosaic", "hybrid", Reason.LINES),
        ("flower", "geometry", "collage", Reason.FLAT),
        ("rocket", "poppies", "collage", Reason.PAINTERLY),
        ("china", "glass", "gatys", Reason.AREAS),
        ("chelsea", "watercolour", "gatys", Reason.AREAS),
    ],
)
def test_photographs_and_artworks_that_ship_are_told_apart(
    name: str, artwork: str, method: str, reason: Reason
) -> None:
    found = chosen(_pixels(photograph(name)), _artwork(artwork), tuple(methods(PIPELINES)))
    assert (found.method, found.reason) == (method, reason)


def test_of_the_methods_that_are_able_the_best_is_chosen() -> None:
    fine = Traits(face=0, colours=80, flat=0, stroke=FINE_STROKE)
    assert choice_of(fine, able=("collage", "gatys")).method == "collage"
    assert choice_of(fine, able=("gatys",)).method == "gatys"
    with pytest.raises(InvalidRequestError, match="no method"):
        choice_of(fine, able=())


def test_every_method_stands_among_the_preferences_of_every_reason() -> None:
    assert set(PREFERENCES) == set(Reason)
    for names in PREFERENCES.values():
        assert set(names) == set(methods(PIPELINES))


def test_methods_are_told_apart_by_what_they_know() -> None:
    assert methods(PIPELINES) == ("collage", "hybrid", "gatys", "adain")
    assert methods(PIPELINES, several=True) == ("gatys", "adain")
    assert methods(PIPELINES, manner=Manner(style_weight=2)) == ("gatys",)
    assert methods(PIPELINES, manner=Manner(keep_colours=True)) == methods(PIPELINES)
