"""Edges: one pixel wide where something ends, and those that OpenCV finds."""

import hashlib

import numpy as np
import numpy.typing as npt
import pytest

from generation.edges import edges

Array = npt.NDArray[np.uint8]


def _grey(values: npt.NDArray[np.generic]) -> Array:
    return np.repeat(values.astype(np.uint8)[..., None], 3, axis=2)


def _step(*, by: int) -> Array:
    """Return a picture whose right half is lighter."""
    values = np.full((20, 30), 60)
    values[:, 15:] += by
    return _grey(values)


def test_the_end_of_a_shade_is_one_line() -> None:
    found = edges(_step(by=100))
    assert found.sum(axis=1).tolist() == [1] * 20
    assert set(np.nonzero(found)[1]) <= {14, 15}
    assert np.array_equal(edges(_step(by=100).swapaxes(0, 1)), found.T)


@pytest.mark.parametrize("colour", [0, 1, 2])
def test_one_colour_is_enough_for_an_edge(colour: int) -> None:
    picture = np.full((20, 30, 3), 60, np.uint8)
    picture[:, 15:, colour] = 160
    assert np.array_equal(edges(picture), edges(_step(by=100)))


def test_what_is_flat_or_rises_gently_has_no_edges() -> None:
    assert not edges(_step(by=0)).any()
    assert not edges(_step(by=25)).any()
    assert not edges(_grey(np.tile(np.arange(30) * 8, (20, 1)))).any()


def test_a_faint_edge_counts_where_it_goes_on_from_a_strong_one() -> None:
    values = np.full((40, 30), 60)
    values[:20, 15:] = 160
    values[20:, 15:] = 100
    going_on = edges(_grey(values))
    assert going_on[:38, 13:17].sum(axis=1).min() > 0
    assert not edges(_step(by=40)).any()


def test_a_disk_has_one_closed_edge() -> None:
    down, across = np.mgrid[:60, :60]
    distance: npt.NDArray[np.float64] = np.hypot(down - 30, across - 30)
    found = edges(_grey(np.where(distance < 20, 255, 0)))
    assert np.abs(distance[found] - 20).max() < 1.5
    angles = np.degrees(np.arctan2(down[found] - 30, across[found] - 30))
    assert np.diff(np.sort(angles)).max() < 5


def test_the_edges_are_those_of_opencv() -> None:
    blocks = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    noise = np.random.default_rng(1).integers(0, 64, (48, 64, 3), dtype=np.uint8)
    found = edges(blocks.repeat(4, 0).repeat(4, 1) // 2 + noise)
    # cv2.Canny(picture, 100, 200) of OpenCV 5.0.0 finds these, too.
    assert hashlib.sha256(np.packbits(found).tobytes()).hexdigest()[:16] == "36ed4b783872cc79"
