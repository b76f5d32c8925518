"""The GAN's losses, held against what they must be by hand, and its networks."""

import math

import pytest
import torch

from generation.pipelines.gan import (
    LATENTS,
    DigitsDiscriminator,
    DigitsGenerator,
    discriminator_loss,
    diversity,
    generator_loss,
)

torch.set_num_threads(1)


def test_a_discriminator_of_one_half_everywhere_loses_2_ln_2() -> None:
    flat = torch.zeros(8)
    assert discriminator_loss(flat, flat).item() == pytest.approx(2 * math.log(2), rel=1e-6)


def test_the_losses_are_the_papers_logarithms() -> None:
    rng = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(9, generator=rng, dtype=torch.float64) for _ in range(2))
    d_real, d_fake = torch.sigmoid(real), torch.sigmoid(fake)
    expected = -d_real.log().mean() - (1 - d_fake).log().mean()
    torch.testing.assert_close(discriminator_loss(real, fake), expected)
    torch.testing.assert_close(generator_loss(fake), -d_fake.log().mean())


def test_a_discriminator_that_is_sure_still_teaches_the_generator() -> None:
    sure = torch.tensor([-30.0], requires_grad=True)
    generator_loss(sure).backward()  # type: ignore[no-untyped-call]
    assert sure.grad is not None
    assert sure.grad.item() == pytest.approx(-1.0)


def test_the_generators_gradient_does_not_depend_on_the_data() -> None:
    gradients = []
    for level in (0.0, 1.0):
        torch.manual_seed(0)
        generator, discriminator = DigitsGenerator(channels=4), DigitsDiscriminator(channels=4)
        data = torch.full((4, 1, 28, 28), level)
        fake = generator(torch.randn(4, LATENTS))
        discriminator.eval()
        whole = discriminator_loss(discriminator(data), discriminator(fake.detach()))
        assert torch.isfinite(whole)
        generator_loss(discriminator(fake)).backward()  # type: ignore[no-untyped-call]
        gradients.append([weight.grad for weight in generator.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert one is not None
        assert other is not None
        assert torch.equal(one, other)


def test_digits_come_out_as_28_by_28_between_0_and_1() -> None:
    torch.manual_seed(0)
    pictures = DigitsGenerator(channels=4)(torch.randn(3, LATENTS))
    assert pictures.shape == (3, 1, 28, 28)
    assert 0 <= pictures.min() <= pictures.max() <= 1
    assert DigitsDiscriminator(channels=4)(pictures).shape == (3,)


def test_diversity_is_the_distance_between_any_two() -> None:
    pictures = torch.rand(6, 1, 5, 5, generator=torch.Generator().manual_seed(1))
    pairs = [
        (one - other).square().mean()
        for number, one in enumerate(pictures)
        for other in pictures[:number]
    ]
    torch.testing.assert_close(diversity(pictures), torch.stack(pairs).mean().sqrt())
    assert diversity(pictures[:1].expand(4, -1, -1, -1)).item() == 0.0
