"""The VAE's losses, held against what they must be by hand, and its networks."""

import math

import pytest
import torch
from torch.distributions import Normal
from torch.distributions import kl_divergence as torch_kl_divergence

from generation.pipelines.vae import (
    DigitsVae,
    Posterior,
    elbo_loss,
    kl_divergence,
    reconstruction_error,
)

torch.set_num_threads(1)


def test_the_posterior_that_is_the_prior_says_nothing() -> None:
    flat = Posterior(mu=torch.zeros(3, 20), logvar=torch.zeros(3, 20))
    assert kl_divergence(flat).tolist() == [0.0, 0.0, 0.0]


def test_the_divergence_is_that_of_two_normal_distributions() -> None:
    rng = torch.Generator().manual_seed(0)
    mu, logvar = (torch.randn(5, 7, generator=rng, dtype=torch.float64) for _ in range(2))
    expected = torch_kl_divergence(Normal(mu, torch.exp(logvar / 2)), Normal(0.0, 1.0)).sum(dim=1)
    torch.testing.assert_close(kl_divergence(Posterior(mu=mu, logvar=logvar)), expected)


def test_a_flat_posterior_and_a_decoder_without_opinion_cost_784_ln_2() -> None:
    flat = Posterior(mu=torch.zeros(4, 20), logvar=torch.zeros(4, 20))
    pictures = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    loss = elbo_loss(torch.zeros(4, 1, 28, 28), pictures, flat)
    assert loss.item() == pytest.approx(784 * math.log(2), rel=1e-6)


def test_a_picture_that_is_met_costs_its_own_entropy() -> None:
    pictures = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(2)) * 0.9 + 0.05
    entropy = -(pictures * pictures.log() + (1 - pictures) * (1 - pictures).log()).sum((1, 2, 3))
    torch.testing.assert_close(reconstruction_error(torch.logit(pictures), pictures), entropy)
    beside = reconstruction_error(torch.logit(pictures) + 0.1, pictures)
    assert (beside > entropy).all()


def test_samples_have_the_posteriors_mean_and_spread() -> None:
    posterior = Posterior(mu=torch.full((1, 1), 3.0), logvar=torch.full((1, 1), math.log(4.0)))
    drawn = posterior.sample(torch.randn(20_000, 1, generator=torch.Generator().manual_seed(3)))
    assert drawn.mean().item() == pytest.approx(3.0, abs=0.05)
    assert drawn.std().item() == pytest.approx(2.0, abs=0.05)


def test_the_digits_network_is_784_400_20_and_learns() -> None:
    torch.manual_seed(0)
    vae = DigitsVae()
    assert sum(weight.numel() for weight in vae.parameters()) == 652_824
    pictures = (torch.rand(16, 1, 28, 28) > 0.8).float()
    noise = torch.randn(16, vae.latents)
    optimizer = torch.optim.Adam(vae.parameters(), 1e-3)
    losses = []
    for _ in range(10):
        loss = elbo_loss(*_logits_first(vae, pictures, noise))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def _logits_first(
    vae: DigitsVae, pictures: torch.Tensor, noise: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, Posterior]:
    logits, posterior = vae(pictures, noise)
    return logits, pictures, posterior
