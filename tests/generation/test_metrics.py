"""Figures of pictures, against scikit-image, hand calculations and brute force."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from skimage.metrics import structural_similarity

from generation.pipelines.gan import diversity
from generation.postprocess.metrics import (
    Array,
    Moments,
    Spread,
    fid,
    frechet_distance,
    gaussian,
    luminance,
    mean_and_error,
    mse,
    precision_recall,
    psnr,
    ssim,
    ssim_map,
)
from tests.photographs import photograph

RNG = np.random.default_rng(0)


def pair(*shape: int) -> tuple[Array, Array]:
    """Return two pictures that are alike here and there, in float64."""
    one = RNG.random(shape)
    return one, np.clip(one + RNG.normal(0, 0.2, shape) * RNG.random(shape), 0, 1)


def scikit(one: Array, other: Array, *, full: bool = False) -> Array:
    """Return scikit-image's SSIM as Wang et al. define it, with its map where that is wanted."""
    found = structural_similarity(  # type: ignore[no-untyped-call]
        one, other, data_range=1.0, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, full=full,
    )  # fmt: skip
    return np.asarray(found[1][5:-5, 5:-5] if full else found)


def test_a_tenth_of_the_range_is_20_decibels_and_nothing_is_infinitely_many() -> None:
    grey = np.full((12, 14, 3), 0.5)
    assert mse(grey, grey + 0.1) == pytest.approx(0.01, rel=1e-12)
    assert psnr(0.01) == pytest.approx(20.0, rel=1e-12)
    assert (mse(grey, grey), psnr(0.0)) == (0.0, float("inf"))


def test_bytes_have_the_figures_of_their_values_in_float64() -> None:
    one, other = (RNG.integers(0, 256, (70, 45, 3), dtype=np.uint8) for _ in range(2))
    values = one / 255, other / 255
    assert mse(one, other) == pytest.approx(np.square(values[0] - values[1]).mean(), rel=1e-6)
    lumas = luminance(one), luminance(other)
    assert lumas[0].dtype == np.float32
    assert ssim(*lumas) == pytest.approx(ssim(*(luminance(each) for each in values)), abs=1e-6)


def test_luma_of_white_is_1_and_of_green_most() -> None:
    assert luminance(np.eye(3)[None])[0].tolist() == [0.299, 0.587, 0.114]
    assert luminance(np.full((1, 1, 3), 255, np.uint8))[0, 0] == pytest.approx(1)


@pytest.mark.parametrize("shape", [(11, 11), (43, 70), (64, 12), (90, 107)])
def test_structural_similarity_is_scikit_images_window_by_window(shape: tuple[int, int]) -> None:
    one, other = pair(*shape)
    found = ssim_map(one, other)
    np.testing.assert_allclose(found, scikit(one, other, full=True), atol=1e-12)
    assert ssim(one, other) == pytest.approx(float(scikit(one, other)), abs=1e-12)
    small = ssim(one.astype(np.float32), other.astype(np.float32))
    assert small == pytest.approx(float(scikit(one, other)), abs=1e-5)


@pytest.mark.parametrize("step", [2, 3])
def test_windows_further_apart_are_every_nth_of_all_windows(step: int) -> None:
    one, other = pair(75, 61)
    np.testing.assert_allclose(
        ssim_map(one, other, step=step), ssim_map(one, other)[::step, ::step], atol=1e-12
    )


@pytest.mark.parametrize("name", ["chelsea", "rocket", "china"])
def test_photographs_figures_hardly_depend_on_how_many_windows_there_are(name: str) -> None:
    one = luminance(np.asarray(photograph(name, max_side=384)))
    other = np.clip(one**1.3 + RNG.normal(0, 0.05, one.shape).astype(np.float32), 0, 1)
    assert ssim(one, other, step=2) == pytest.approx(ssim(one, other), abs=1e-3)


def test_a_picture_is_alike_to_itself_and_unlike_its_negative() -> None:
    one = luminance(np.asarray(photograph("coffee", max_side=96)))
    assert ssim(one, one) == pytest.approx(1.0, abs=1e-6)
    assert ssim(one, 1 - one) < 0


def test_weights_choose_what_counts() -> None:
    one, other = pair(40, 50)
    colours = np.stack([one] * 3, axis=-1), np.stack([other] * 3, axis=-1)
    place = np.zeros((40, 50))
    place[10:30, 8:25] = 1
    assert mse(*colours, place) == pytest.approx(
        np.square(one - other)[10:30, 8:25].mean(), rel=1e-9
    )
    inside = scikit(one, other, full=True)[5:25, 3:20]
    for step, wanted in ((1, inside), (2, inside[1::2, 1::2])):
        assert ssim(one, other, place, step=step) == pytest.approx(wanted.mean(), abs=1e-9)
    assert ssim(one, other, np.ones((40, 50))) == pytest.approx(ssim(one, other), abs=1e-12)
    edge = np.zeros((40, 50))
    edge[:3] = 1
    assert np.isnan(ssim(one, other, edge))


def test_what_is_smaller_than_a_window_or_of_two_sizes_is_refused() -> None:
    for shapes in (((10, 40), (10, 40)), ((20, 20), (20, 21))):
        with pytest.raises(ValueError, match="no two pictures of 11"):
            ssim_map(*(np.zeros(shape) for shape in shapes))


def test_the_window_is_wangs() -> None:
    assert len(gaussian()) == 11
    assert gaussian().sum() == pytest.approx(1, rel=1e-15)
    assert gaussian()[5] / gaussian()[6] == pytest.approx(np.exp(0.5 / 1.5**2), rel=1e-12)


def test_moments_that_come_in_batches_are_numpys_of_all() -> None:
    points = RNG.normal(1e4, 1.0, (57, 5)) @ RNG.normal(0, 1, (5, 5))
    moments = Moments(5)
    for batch in (points[:1], points[1:1], points[1:40], points[40:]):
        moments.add(batch)
    np.testing.assert_allclose(moments.mean, points.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.covariance, np.cov(points.T), rtol=1e-8)


def test_the_distance_of_two_gaussians_is_that_of_the_formula_by_hand() -> None:
    """Along one axis it is (m - m')^2 + (s - s')^2, and axes that do not mix add up."""
    means, spreads = RNG.normal(size=(2, 6)), RNG.random((2, 6)) + 0.1
    turn = np.linalg.qr(RNG.normal(size=(6, 6)))[0]
    wanted = np.square(means[0] - means[1]).sum() + np.square(spreads[0] - spreads[1]).sum()
    covariances = [turn @ np.diag(np.square(each)) @ turn.T for each in spreads]
    assert frechet_distance(means[0], covariances[0], means[1], covariances[1]) == pytest.approx(
        wanted, rel=1e-10
    )
    assert frechet_distance(means[0], covariances[0], means[0], covariances[0]) < 1e-12


def test_the_distance_of_gaussians_whose_axes_mix_is_that_of_the_matrix_root() -> None:
    one, other = (root @ root.T for root in RNG.normal(size=(2, 7, 7)))
    mean = np.zeros(7)
    wanted = np.trace(one + other - 2 * sqrtm(one @ other)).real
    assert frechet_distance(mean, one, mean, other) == pytest.approx(wanted, rel=1e-8)


def test_sets_drawn_from_gaussians_approach_their_distance() -> None:
    real, made = RNG.normal(0, 1, (20_000, 3)), RNG.normal(0.5, 2, (20_000, 3))
    assert fid(real, made) == pytest.approx(3 * (0.25 + 1.0), rel=0.05)
    assert fid(real, real[::-1]) < 1e-9


def test_fewer_pictures_than_features_have_a_distance_all_the_same() -> None:
    real, made = RNG.normal(size=(8, 40)), RNG.normal(size=(9, 40)) + 1
    assert 20 < fid(real, made) < 200


def brute(real: Array, made: Array, *, k: int) -> float:
    """Return the share of what was made that lies in a sphere of the data, point by point."""
    inside = 0
    for point in made:
        for centre in real:
            reach = sorted(np.linalg.norm(real - centre, axis=1))[k]
            if np.linalg.norm(point - centre) <= reach:
                inside += 1
                break
    return inside / len(made)


def test_precision_and_recall_are_those_of_brute_force() -> None:
    real, made = RNG.normal(size=(60, 4)), RNG.normal(0.8, 0.6, size=(45, 4))
    precision, recall = precision_recall(real, made, k=3)
    assert precision == brute(real, made, k=3)
    assert recall == brute(made, real, k=3)
    assert 0 < recall < precision < 1


def test_sets_that_are_the_same_or_far_apart_have_all_and_nothing() -> None:
    real = RNG.normal(size=(1500, 8))
    assert precision_recall(real, real) == (1.0, 1.0)
    assert precision_recall(real, real + 100) == (0.0, 0.0)


def test_what_repeats_one_picture_of_the_data_is_precise_and_recalls_little() -> None:
    real = RNG.normal(size=(50, 4))
    precision, recall = precision_recall(real, np.repeat(real[:1], 20, axis=0))
    assert precision == 1.0
    assert recall < 0.1


def test_diversity_in_little_memory_is_the_digit_gans() -> None:
    pictures = RNG.random((9, 3, 4, 5)).astype(np.float32)
    spread = Spread()
    for picture in pictures:
        spread.add(picture)
    wanted = diversity(torch.from_numpy(pictures)).item()
    assert spread.diversity == pytest.approx(wanted, rel=1e-5)


def test_a_mean_comes_with_students_interval() -> None:
    """The 97.5 % points of Student's t are 12.706 of one degree of freedom and 2.776 of four."""
    mean, half = mean_and_error(np.array([1.0, 3.0]))
    assert mean == 2.0
    assert half == pytest.approx(12.706, abs=1e-3)
    assert mean_and_error(np.arange(5.0))[1] == pytest.approx(2.7764 * np.sqrt(2.5 / 5), abs=1e-3)
    assert mean_and_error(np.array([7.0])) == (7.0, float("inf"))
