"""The parts of the collage: colours, thumbnails, banks, masks and painting."""

import math

import pytest
import torch
from torch import Tensor

from generation.pipelines.collage_colours import (
    MAX_GAIN,
    match_colours,
    match_distribution,
    monge_kantorovitch,
)
from generation.pipelines.collage_patches import (
    Look,
    box_blur,
    cut_bank,
    features,
    nearest,
    offsets,
    paint,
    sample,
    thumbnails,
    torn_masks,
    turned,
)

LOOK = Look(mean_weight=1.0, texture_weight=0.0)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def picture(height: int = 40, width: int = 50, *, seed: int = 0) -> Tensor:
    return torch.rand((1, 3, height, width), generator=rng(seed))


def covariance(seed: int) -> Tensor:
    root = torch.randn((3, 3), generator=rng(seed), dtype=torch.float64)
    return root @ root.T / 9 + 0.1 * torch.eye(3, dtype=torch.float64)


def test_the_linear_map_carries_one_covariance_into_the_other() -> None:
    source, target = covariance(1), covariance(2)
    gain = monge_kantorovitch(source, target).to(torch.float64)
    torch.testing.assert_close(gain @ source @ gain.T, target, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gain, gain.T)


def test_the_linear_map_between_equals_is_the_identity() -> None:
    gain = monge_kantorovitch(covariance(3), covariance(3))
    torch.testing.assert_close(gain, torch.eye(3), rtol=1e-4, atol=1e-4)


def test_gains_are_bounded_for_flat_pictures() -> None:
    tiny = 1e-6 * torch.eye(3, dtype=torch.float64)
    gain = monge_kantorovitch(tiny, covariance(1))
    assert float(torch.linalg.eigvalsh(gain).max()) <= MAX_GAIN + 1e-4


def test_matching_distributions_comes_nearer_to_the_target() -> None:
    colours, target = torch.rand((500, 3), generator=rng(1)), picture()[0].flatten(1).T[:500] ** 3
    moved = match_distribution(colours, target)
    before = (colours.sort(0).values - target.sort(0).values).abs().mean()
    after = (moved.sort(0).values - target.sort(0).values).abs().mean()
    assert after < 0.4 * before


def test_matched_colours_have_nearly_the_artworks_mean_and_keep_their_order() -> None:
    content = picture() * 0.3 + torch.linspace(0, 0.6, 50)
    style = picture(seed=2) ** 2 * torch.tensor([0.9, 0.5, 0.2]).view(1, 3, 1, 1)
    matched = match_colours(content, style)
    torch.testing.assert_close(matched.mean((0, 2, 3)), style.mean((0, 2, 3)), rtol=0, atol=0.05)
    stacked = torch.stack([content.mean(1).flatten(), matched.mean(1).flatten()])
    assert float(torch.corrcoef(stacked)[0, 1]) > 0.8


def test_matching_to_itself_changes_little() -> None:
    content = picture()
    assert float((match_colours(content, content) - content).abs().mean()) < 0.03


def test_sampling_at_pixels_returns_them() -> None:
    image = picture()
    places = torch.tensor([[[0.0, 0.0], [39.0, 49.0], [7.0, 31.0]]])
    expected = torch.stack([image[0, :, 0, 0], image[0, :, 39, 49], image[0, :, 7, 31]], -1)
    torch.testing.assert_close(sample(image, places)[:, 0], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("quarter", [0, 1, 2, 3])
def test_a_patch_turned_by_quarters_is_an_exact_copy(quarter: int) -> None:
    image = picture(30, 30)
    angle = torch.tensor([quarter * math.pi / 2])
    places = torch.tensor([14.5, 14.5]) + turned(offsets(8, 1.0, device=image.device), angle)
    found = sample(image, places)[:, 0].view(3, 8, 8)
    straight = image[0, :, 11:19, 11:19]
    torch.testing.assert_close(found, torch.rot90(straight, quarter, (1, 2)), rtol=0, atol=1e-4)


def test_a_box_blur_is_the_mean_of_its_square_also_at_a_stride() -> None:
    image = picture()
    blurred = box_blur(image, 5)
    torch.testing.assert_close(blurred[0, :, 10, 20], image[0, :, 8:13, 18:23].mean((1, 2)))
    torch.testing.assert_close(box_blur(image, 5, stride=4), blurred[..., ::4, ::4])
    assert box_blur(image, 1) is not None


def test_a_thumbnail_is_what_a_patch_looks_like_from_afar() -> None:
    image = picture(60, 60)
    found = thumbnails(image, torch.tensor([[29.5, 29.5]]), angles=torch.zeros(1), patch=18)
    expected = torch.nn.functional.avg_pool2d(image[..., 21:39, 21:39], 3)
    torch.testing.assert_close(found[0].view(3, 6, 6), expected[0], rtol=0, atol=1e-4)


def test_features_compare_shapes_and_weigh_mean_colours() -> None:
    thumbs = torch.rand((4, 3, 36), generator=rng())
    found, means = features(thumbs, mean_weight=1.0)
    plain = (thumbs[0] - thumbs[1]).square().sum()
    torch.testing.assert_close((found[0] - found[1]).square().sum(), plain)
    torch.testing.assert_close(means, thumbs.mean(2))


def test_the_nearest_patch_is_the_one_a_search_by_hand_finds() -> None:
    queries, rows = (torch.randn((n, 111), generator=rng(n)) for n in (20, 50))
    found = nearest(queries, rows, bias=rows.square().sum(1) / 2)
    assert torch.equal(found, torch.cdist(queries, rows).argmin(1))


def test_a_patch_of_the_artwork_finds_itself_in_its_bank() -> None:
    image = picture(80, 90)
    bank = cut_bank(image, patch=12, count=60, look=LOOK, rng=rng())
    thumbs = thumbnails(image, bank.centres, angles=bank.angles, patch=12)
    queries, _ = features(thumbs, mean_weight=1.0)
    assert torch.equal(nearest(queries, bank.features, bias=bank.bias), torch.arange(60))


def test_patches_lie_inside_the_artwork_with_all_their_corners() -> None:
    bank = cut_bank(picture(80, 90), patch=12, count=600, look=LOOK, rng=rng())
    places = bank.centres[:, None] + turned(
        offsets(12, 1.0, device=torch.device("cpu")), bank.angles
    )
    assert float(places.min()) >= -0.5
    assert bool((places.amax((0, 1)) <= torch.tensor([79.5, 89.5])).all())


def test_texture_is_preferred_when_it_costs_no_likeness() -> None:
    image = torch.full((1, 3, 64, 64), 0.5)
    image[..., 32:, ::2] = 0.9
    image[..., 32:, 1::2] = 0.1
    bank = cut_bank(
        image, patch=12, count=200, look=Look(mean_weight=1.0, texture_weight=4.0), rng=rng()
    )
    flat, _ = features(torch.full((1, 3, 36), 0.5), mean_weight=1.0)
    assert float(bank.centres[nearest(flat, bank.features, bias=bank.bias)[0], 0]) > 32


def test_masks_are_opaque_in_the_middle_and_clear_at_the_corners() -> None:
    masks = torn_masks(24, device=torch.device("cpu")).view(16, 24, 24)
    assert float(masks[:, 11:13, 11:13].min()) == 1
    assert float(masks[:, [0, 0, -1, -1], [0, -1, 0, -1]].max()) < 0.25
    assert not torch.equal(masks[0], masks[1])


def test_painting_lays_patches_through_their_masks() -> None:
    canvas = torch.zeros((3, 20, 30))
    colours = torch.stack([torch.full((3, 16), 0.8), torch.full((3, 16), 0.4)], 1)
    masks = torch.stack([torch.ones(16), torch.full((16,), 0.5)])
    paint(canvas, colours, masks=masks, corners=torch.tensor([[2, 3], [10, 20]]), patch=4)
    assert float(canvas[:, 2:6, 3:7].min()) == pytest.approx(0.8)
    assert float(canvas[:, 10:14, 20:24].max()) == pytest.approx(0.2)
    assert float(canvas.sum()) == pytest.approx(3 * 16 * (0.8 + 0.2), rel=1e-4)
