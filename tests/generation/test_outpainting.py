"""Pictures amid new margins."""

import numpy as np
import pytest

from generation.errors import InvalidRequestError
from generation.outpainting import outpainted, parsed_ratio
from generation.request import Pixels


def _picture(width: int, height: int) -> Pixels:
    rng = np.random.default_rng(0)
    data = rng.integers(0, 256, (height, width, 3), dtype=np.uint8).tobytes()
    return Pixels(width=width, height=height, data=data)


@pytest.mark.parametrize(
    ("size", "ratio", "expected", "corner"),
    [
        ((20, 10), 1.0, (20, 20), (0, 5)),
        ((20, 10), 4.0, (40, 10), (10, 0)),
        ((10, 21), 16 / 9, (37, 21), (13, 0)),
    ],
)
def test_a_picture_lies_unchanged_amid_margins_that_draw_its_edges_out(
    size: tuple[int, int], ratio: float, expected: tuple[int, int], corner: tuple[int, int]
) -> None:
    picture = _picture(*size)
    drawn, mask = (
        np.frombuffer(each.data, np.uint8).reshape(each.height, each.width, 3)
        for each in outpainted(picture, ratio=ratio)
    )
    before = np.frombuffer(picture.data, np.uint8).reshape(size[1], size[0], 3)
    assert drawn.shape[:2] == mask.shape[:2] == expected[::-1]
    (left, top), (width, height) = corner, size
    inside = slice(top, top + height), slice(left, left + width)
    assert np.array_equal(drawn[inside], before)
    assert not mask[inside].any()
    assert (mask == 255).sum() == 3 * (expected[0] * expected[1] - width * height)
    if left:
        assert np.array_equal(drawn[:, 0], before[:, 0])
        assert np.array_equal(drawn[:, -1], before[:, -1])
    else:
        assert np.array_equal(drawn[0], before[0])
        assert np.array_equal(drawn[-1], before[-1])


def test_what_needs_no_margins_or_too_wide_ones_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="this shape already"):
        outpainted(_picture(20, 10), ratio=2.0)
    with pytest.raises(InvalidRequestError, match="4096 pixels at most"):
        outpainted(_picture(2, 2000), ratio=4.0)


@pytest.mark.parametrize(("text", "ratio"), [("16:9", 16 / 9), ("1:4", 0.25)])
def test_shapes_are_read(text: str, ratio: float) -> None:
    assert parsed_ratio(text) == ratio


@pytest.mark.parametrize(
    "text",
    [
        "",
        "16",
        "16:0",
        "0:0",
        "5:1",
        "a:b",
        "1:2:3",
        "²:1",
        f"{'9' * 400}:{'9' * 400}",
        "9" * 5000 + ":1",
    ],
)
def test_what_is_no_shape_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError):
        parsed_ratio(text)
