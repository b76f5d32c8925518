"""StyleGAN2's networks and losses against plain formulas."""

import math

import numpy as np
import pytest
import torch

from generation.pipelines.stylegan2 import (
    StyleGan2,
    SynthesisLayer,
    filtered,
    normalised,
    resolutions,
    style_mixed,
)
from generation.training.diff_augment import augmented
from generation.training.stylegan2_discriminator import Discriminator, spread
from generation.training.stylegan2_losses import path_lengths, path_penalty, r1_penalty
from tests.generation.stylegan2_oracle import mapped, synthesised

torch.set_num_threads(1)

CHANNELS: dict[int, int] = {4: 6, 8: 5, 16: 3}


@pytest.fixture(scope="module")
def network() -> StyleGan2:
    torch.manual_seed(0)
    made = StyleGan2(z_dim=7, w_dim=8, resolution=16, channels=CHANNELS, num_layers=3)
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if name.endswith(("noise_strength", "bias")):
                weight.add_(torch.randn(weight.shape) * 0.3)
        made.mapping.w_avg.copy_(torch.randn(8))
    return made.double().eval()


def test_the_forward_pass_is_that_of_the_paper(network: StyleGan2) -> None:
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    z = torch.randn(2, 7, dtype=torch.float64)
    with torch.no_grad():
        found = network(z).numpy()
    for number in range(2):
        w = mapped(z[number].numpy(), weights, layers=3)
        picture = synthesised(np.stack([w] * network.num_ws), weights, resolution=16)
        np.testing.assert_allclose(found[number], picture, rtol=1e-9, atol=1e-9)


def test_every_layer_takes_its_own_style(network: StyleGan2) -> None:
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    ws = torch.randn(1, network.num_ws, 8, dtype=torch.float64)
    with torch.no_grad():
        found = network.synthesis(ws)[0].numpy()
    picture = synthesised(ws[0].numpy(), weights, resolution=16)
    np.testing.assert_allclose(found, picture, rtol=1e-9, atol=1e-9)
    assert network.num_ws == 6


def test_no_truncation_is_the_mapping_and_full_truncation_the_average(network: StyleGan2) -> None:
    z = torch.randn(3, 7, dtype=torch.float64)
    with torch.no_grad():
        average = network.synthesis(network.mapping.w_avg.expand(3, network.num_ws, -1))
        assert torch.equal(network(z, truncation_psi=0.0), average)
        torch.testing.assert_close(average[0], average[1])
        half = network.styles(z, truncation_psi=0.5)
        w = network.mapping(z)
    torch.testing.assert_close(half[:, 0], (w + network.mapping.w_avg) / 2)
    cut = network.styles(z, truncation_psi=0.0, truncation_cutoff=2)
    torch.testing.assert_close(cut[:, 1], network.mapping.w_avg.expand(3, -1))
    torch.testing.assert_close(cut[:, 2], w)


def test_demodulated_outputs_have_unit_variance_whatever_the_style() -> None:
    torch.manual_seed(0)
    layer = SynthesisLayer(32, 24, w_dim=4, resolution=32)
    with torch.no_grad():
        layer.affine.weight.mul_(5)
        x, w = torch.randn(2, 32, 32, 32), 3 * torch.randn(2, 4)
        # Without activation, bias and noise: what the convolution itself gives.
        linear = layer(x, w) / math.sqrt(2)
        linear = torch.where(linear < 0, linear / 0.2, linear)
    assert linear[..., 1:-1, 1:-1].var(dim=(2, 3)).mean().item() == pytest.approx(1, abs=0.05)


def test_latents_are_normalised_and_the_filter_keeps_brightness() -> None:
    z = normalised(5 * torch.randn(4, 16))
    torch.testing.assert_close(z.square().mean(dim=1), torch.ones(4), rtol=1e-5, atol=1e-5)
    flat = torch.full((1, 2, 8, 8), 0.7)
    up = filtered(flat, up=2, padding=(2, 1), gain=4.0)
    down = filtered(flat, down=2, padding=(1, 1), gain=1.0)
    assert up.shape[-1] == 16
    assert down.shape[-1] == 4
    torch.testing.assert_close(up[..., 3:-3, 3:-3], torch.full((1, 2, 10, 10), 0.7))
    torch.testing.assert_close(down[..., 1:-1, 1:-1], torch.full((1, 2, 2, 2), 0.7))


def test_mixed_styles_are_coarse_of_one_and_fine_of_the_other() -> None:
    coarse, fine = torch.zeros(1, 6, 2), torch.ones(1, 6, 2)
    assert style_mixed(coarse, fine, crossover=2)[0, :, 0].tolist() == [0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize("side", [0, 2, 12, 100])
def test_a_resolution_is_a_power_of_two(side: int) -> None:
    with pytest.raises(ValueError, match="power of 2"):
        resolutions(side)


def test_r1_of_a_linear_discriminator_is_the_square_of_its_slope() -> None:
    slope = torch.randn(3, 4, 4)
    pictures = torch.randn(5, 3, 4, 4, requires_grad=True)
    penalty = r1_penalty((pictures * slope).sum(dim=(1, 2, 3)), pictures)
    assert penalty.item() == pytest.approx(slope.square().sum().item(), rel=1e-5)


def test_path_lengths_of_a_linear_generator_are_those_of_its_matrix() -> None:
    torch.manual_seed(1)
    matrix = torch.randn(2 * 3, 3 * 4 * 4)
    ws, noise = torch.randn(5, 2, 3, requires_grad=True), torch.randn(5, 3, 4, 4)
    pictures = (ws.flatten(1) @ matrix).view(5, 3, 4, 4)
    lengths = path_lengths(pictures, ws, noise)
    slopes = (noise.flatten(1) @ matrix.T / 4).view(5, 2, 3)
    torch.testing.assert_close(lengths, slopes.square().sum(dim=2).mean(dim=1).sqrt())
    penalty, mean = path_penalty(torch.tensor([2.0, 4.0]), torch.tensor(3.0))
    assert penalty.item() == pytest.approx(1.0)
    assert mean.item() == pytest.approx(3.0)


def test_the_discriminator_sees_how_much_a_group_differs() -> None:
    torch.manual_seed(0)
    one = torch.randn(1, 3, 4, 4)
    assert spread(one.expand(4, -1, -1, -1)).max().item() < 1e-3
    apart = spread(torch.cat([one, -one]))
    expected = one.abs().mean().item()
    assert apart.mean().item() == pytest.approx(expected, rel=1e-4)
    network = Discriminator(resolution=16, channels=CHANNELS)
    logits = network(torch.randn(8, 3, 16, 16))
    assert logits.shape == (8,)
    # As wide as N(0, 1) through equalised layers: neither vanished nor exploded.
    assert 0.05 < logits.std().item() < 20


def test_augmentation_changes_every_picture_for_itself_and_passes_gradients() -> None:
    pictures = torch.rand(6, 3, 16, 16).mul(2).sub(1).requires_grad_()
    policy = "colour+translation+cutout"
    first, again = (
        augmented(pictures, policy=policy, rng=torch.Generator().manual_seed(4)) for _ in range(2)
    )
    assert torch.equal(first, again)
    assert (first == 0).float().mean().item() > 0.1
    (slope,) = torch.autograd.grad(first.sum(), pictures)
    assert (slope != 0).any(dim=(1, 2, 3)).all()
    rng = torch.Generator().manual_seed(4)
    assert torch.equal(augmented(pictures, policy="none", rng=rng), pictures)


def test_a_translated_picture_is_the_picture_moved() -> None:
    pictures = torch.zeros(4, 3, 16, 16)
    pictures[:, :, 8, 8] = 1
    moved = augmented(pictures, policy="translation", rng=torch.Generator().manual_seed(2))
    places = [each[0].nonzero()[0].tolist() for each in moved]
    assert moved.sum().item() == 12
    assert len({tuple(place) for place in places}) > 1
    assert all(abs(y - 8) <= 2 and abs(x - 8) <= 2 for y, x in places)
