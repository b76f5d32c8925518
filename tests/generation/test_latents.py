"""What a VAE of pictures and the prior over its latents must be by hand."""

import math

import pytest
import torch

from generation.pipelines.latent_prior import LatentPrior, between, carried, flow_loss, slerp
from generation.pipelines.picture_vae import PictureVae, laplace_error, picture_elbo_loss
from generation.pipelines.vae import Posterior, kl_divergence
from generation.training.rooms_vae import directions_of, psnr

torch.set_num_threads(1)

SHAPE = (1, 4, 3, 5)


def drawn(seed: int, shape: tuple[int, ...] = SHAPE) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def prior() -> LatentPrior:
    torch.manual_seed(0)
    prior = LatentPrior(latents=4, size=4, words=("bed", "blue"), width=16, blocks=1).eval()
    torch.nn.init.normal_(prior.end[2].weight, std=0.1)  # type: ignore[arg-type]
    return prior.requires_grad_(requires_grad=False)


def test_latents_with_rows_and_columns_say_nothing_where_they_are_the_prior() -> None:
    flat = Posterior(mu=torch.zeros(2, 4, 3, 5), logvar=torch.zeros(2, 4, 3, 5))
    assert kl_divergence(flat).tolist() == [0.0, 0.0]
    moved = Posterior(mu=torch.ones(2, 4, 3, 5), logvar=torch.zeros(2, 4, 3, 5))
    assert kl_divergence(moved).tolist() == [30.0, 30.0]


def test_a_flat_posterior_and_an_exact_decoder_cost_the_laplacians_peak() -> None:
    pictures = torch.rand(2, 3, 16, 16)
    flat = Posterior(mu=torch.zeros(2, 4, 1, 1), logvar=torch.zeros(2, 4, 1, 1))
    loss = picture_elbo_loss(pictures, pictures, flat, log_scale=torch.tensor(math.log(0.05)))
    assert loss.item() == pytest.approx(768 * math.log(0.1), rel=1e-5)


def test_the_best_scale_is_the_mean_absolute_error() -> None:
    pictures, decoded = torch.rand(4, 3, 8, 8), torch.rand(4, 3, 8, 8)
    best = (pictures - decoded).abs().mean().log()
    missed = [
        laplace_error(decoded, pictures, log_scale=best + moved).sum().item()
        for moved in (-0.1, 0.0, 0.1)
    ]
    assert missed[1] < min(missed[0], missed[2])


def test_the_networks_sides_are_sixteenths_and_a_step_lowers_the_loss() -> None:
    torch.manual_seed(0)
    vae = PictureVae(latents=4, widths=(8, 8, 16))
    pictures = torch.rand(2, 3, 32, 48)
    noise = torch.randn(2, 4, 2, 3)
    optimizer = torch.optim.Adam(vae.parameters(), 1e-3)
    losses = []
    for _ in range(3):
        decoded, posterior = vae(pictures, noise)
        assert decoded.shape == pictures.shape
        loss = picture_elbo_loss(decoded, pictures, posterior, log_scale=vae.log_scale)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[2] < losses[0]


def test_a_vae_that_has_begun_repeats_what_its_principal_components_hold() -> None:
    torch.manual_seed(0)
    vae = PictureVae(latents=6, widths=(8, 8, 8))
    patterns = torch.rand(6, 3, 16, 16)
    pictures = (torch.rand(40, 6) @ patterns.flatten(1)).view(40, 3, 16, 16) / 6
    pictures = pictures - pictures.mean(dim=(0, 2, 3), keepdim=True) + 0.5
    vae.begin(pictures)
    with torch.no_grad():
        posterior = vae.encode(pictures)
        again = vae.decode(posterior.mu)
    centred = pictures - pictures.mean(dim=0)
    assert psnr(again - again.mean(dim=0), centred) > 60
    torch.testing.assert_close(posterior.mu.std(dim=0, correction=0).flatten(), torch.ones(6))


def test_slerps_ends_are_the_two_to_the_bit() -> None:
    first, second = drawn(1), drawn(2)
    assert torch.equal(slerp(first, second, 0), first)
    assert torch.equal(slerp(first, second, 1), second)


@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.9])
def test_slerp_keeps_the_length_of_two_that_have_one_length(ratio: float) -> None:
    first, second = drawn(1), drawn(2)
    second = second * first.norm() / second.norm()
    assert slerp(first, second, ratio).norm().item() == pytest.approx(first.norm().item(), rel=1e-5)


def test_slerp_turns_evenly_and_takes_the_straight_line_where_there_is_no_angle() -> None:
    first, second = torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([[[[0.0, 1.0]]]])
    third = slerp(first, second, 1 / 3).flatten()
    torch.testing.assert_close(third, torch.tensor([math.cos(math.pi / 6), 0.5]))
    torch.testing.assert_close(slerp(first, 3 * first, 0.5), 2 * first)
    torch.testing.assert_close(slerp(0 * first, first, 0.5), 0.5 * first)


def test_the_flows_lines_run_from_noise_to_latents_at_one_speed() -> None:
    noise, latents = drawn(1), drawn(2)
    assert torch.equal(between(noise, latents, t=torch.zeros(1)), noise)
    assert torch.equal(between(noise, latents, t=torch.ones(1)), latents)
    assert flow_loss(latents - noise, noise, latents).item() == 0
    assert flow_loss(latents - noise + 1, noise, latents).item() == pytest.approx(1)


@pytest.mark.parametrize("steps", [1, 7])
def test_the_true_velocity_carries_noise_to_its_latents(steps: int) -> None:
    noise, latents = drawn(1), drawn(2)
    found = carried(lambda _x, _t: latents - noise, noise, steps=steps)
    torch.testing.assert_close(found, latents)
    half = between(noise, latents, t=torch.full((1,), 0.5))
    torch.testing.assert_close(
        carried(lambda _x, _t: latents - noise, half, begin=0.5, steps=steps), latents
    )


def test_without_guidance_words_are_not_heard_and_with_it_they_are(prior: LatentPrior) -> None:
    noise, bed = drawn(1, (1, 4, 4, 4)), prior.said(["bed"])[None]
    time = torch.full((1,), 0.3)
    unled = prior.guided(torch.zeros(1, 2), guidance=2.0)(noise, time)
    assert torch.equal(prior.guided(bed, guidance=0)(noise, time), unled)
    assert not torch.equal(prior.guided(bed, guidance=1)(noise, time), unled)
    torch.testing.assert_close(prior.guided(bed, guidance=1)(noise, time), prior(noise, time, bed))


def test_words_are_said_or_not(prior: LatentPrior) -> None:
    assert prior.said(["blue", "unheard of"]).tolist() == [0.0, 1.0]


def test_a_direction_is_the_difference_of_means_and_one_of_everybodys_stays_finite() -> None:
    latents = drawn(3, (4, 2, 1, 1))
    said = torch.tensor([[1.0, 1.0], [1.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    found = directions_of(latents, said)
    torch.testing.assert_close(found[0], latents[:2].mean(dim=0) - latents[2:].mean(dim=0))
    assert found.isfinite().all()


def test_the_peak_signal_to_noise_ratio_of_a_tenth_is_20_decibels() -> None:
    pictures = torch.full((3, 3, 4, 4), 0.5)
    assert psnr(pictures + 0.1, pictures) == pytest.approx(20, abs=1e-4)
