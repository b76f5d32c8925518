"""The guided finish and the layers: equations, seeds, masks."""

import numpy as np
import pytest
import torch

from generation.postprocess.guided import affine_model, apply_model, box_mean, transfer
from generation.postprocess.layer_tools import grey_of, lifted
from generation.postprocess.layers import LAYERS, draw_layer

torch.set_num_threads(1)


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def test_the_mean_of_a_window_leaves_out_what_lies_beyond_the_border() -> None:
    planes = _random(1, 2, 7, 9)
    assert torch.allclose(
        box_mean(planes, 20), planes.mean(dim=(2, 3), keepdim=True).expand(1, 2, 7, 9)
    )
    corner = planes[..., :2, :2].mean(dim=(2, 3))
    assert torch.allclose(box_mean(planes, 1)[..., 0, 0], corner)


def test_an_affine_change_of_colours_is_found_and_carried_to_full_size() -> None:
    mixing = torch.tensor([[0.5, 0.2, 0.1], [0.0, 0.7, 0.1], [0.1, 0.1, 0.4]])
    offset = torch.tensor([0.05, 0.1, 0.2])[None, :, None, None]

    def changed(picture: torch.Tensor) -> torch.Tensor:
        return torch.einsum("ij,njhw->nihw", mixing, picture) + offset

    small, large = _random(1, 3, 24, 32), _random(1, 3, 96, 128, seed=1)
    slopes, offsets = affine_model(small, changed(small), radius=3, eps=1e-9)
    assert torch.allclose(apply_model(slopes, offsets, large), changed(large), atol=1e-3)


def test_no_change_leaves_every_detail() -> None:
    small, large = _random(1, 3, 16, 16), _random(1, 3, 64, 64, seed=1)
    same = transfer(large, guide=small, target=small, radius=3, eps=1e-7)
    assert torch.allclose(same, large, atol=2e-3)


def test_flat_windows_take_the_targets_mean() -> None:
    small, target = torch.full((1, 3, 12, 12), 0.8), torch.full((1, 3, 12, 12), 0.1)
    dark = transfer(torch.full((1, 3, 48, 48), 0.8), guide=small, target=target, radius=2, eps=1e-3)
    assert torch.allclose(dark, torch.full_like(dark, 0.1), atol=1e-5)


@pytest.mark.parametrize("name", list(LAYERS))
@pytest.mark.parametrize("shape", [(90, 160), (33, 20)])
def test_a_layer_is_seeded_bounded_and_fades_out(name: str, shape: tuple[int, int]) -> None:
    rgb = np.full((*shape, 3), 0.3, dtype=np.float32)
    drawn = draw_layer(name, rgb=rgb, source=rgb, mask=None, amount=1.0, seed=4)
    again = draw_layer(name, rgb=rgb, source=rgb, mask=None, amount=1.0, seed=4)
    assert drawn.dtype == np.float32
    assert drawn.shape == rgb.shape
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    assert np.array_equal(drawn, again)
    assert draw_layer(name, rgb=rgb, source=rgb, mask=None, amount=0.0, seed=4) is rgb


def test_stars_stay_inside_their_mask() -> None:
    rgb, mask = np.zeros((128, 128, 3), np.float32), np.zeros((128, 128), np.float32)
    mask[:64] = 1
    drawn = draw_layer("stars", rgb=rgb, source=rgb, mask=mask, amount=1.0, seed=1)
    assert drawn[:60].max() > 0.3
    assert drawn[68:].max() < 0.02


def test_without_open_sky_there_is_no_moon_and_no_star() -> None:
    rgb = np.full((96, 96, 3), 0.2, np.float32)
    drawn = draw_layer(
        "stars", rgb=rgb, source=rgb, mask=np.zeros((96, 96), np.float32), amount=1.0, seed=1
    )
    assert np.allclose(drawn, rgb)


def test_bright_spots_of_the_source_shine_again_in_the_dark() -> None:
    source = np.full((96, 96, 3), 0.1, np.float32)
    source[40:44, 60:64] = 1.0
    dark = source * 0.05
    lit = draw_layer("lights", rgb=dark, source=source, mask=None, amount=1.0, seed=0)
    assert lit[41, 61].mean() > 0.5
    assert lit[41, 61, 0] > lit[41, 61, 2]
    assert lit[52, 61].mean() > 1.5 * dark[52, 61].mean()
    assert np.allclose(lit[5, 5], dark[5, 5], atol=0.01)


def test_a_dark_picture_is_lifted_to_a_brightness_and_a_bright_one_stays() -> None:
    bright = np.full((8, 8, 3), 0.5, np.float32)
    assert lifted(bright, least=0.3) is bright
    dark = np.random.default_rng(0).uniform(0.02, 0.12, (32, 32, 3)).astype(np.float32)
    made = lifted(dark, least=0.3)
    assert grey_of(made).mean() == pytest.approx(0.3, abs=0.01)
    before, after = (grey_of(it).ravel().argsort() for it in (dark, made))
    assert np.array_equal(before, after), "what was darker stays darker"
    assert not lifted(np.zeros((4, 4, 3), np.float32), least=0.3).any(), "black has nothing to lift"
