"""Generative adversarial nets (Goodfellow et al., NeurIPS 2014), convolutional, for digits.

The networks follow DCGAN (Radford, Metz & Chintala, ICLR 2016). Differs from it: two levels for
28 x 28 pixels, one channel, the generator's last layer is a sigmoid.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

LATENTS = 100


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return what the discriminator minimises: ``-E[log D(x)] - E[log(1 - D(G(z)))]``.

    The negative of equation 1, so 2 ln 2 where D is 1/2 everywhere (theorem 1: the generator's
    distribution is the data's).

    Shape:
        - real, fake: ``(N,)``, logits of D on data and on what the generator made.
        - returns: ``()``, nats.
    """
    # log D = -softplus(-logit) and log(1 - D) = -softplus(logit), without a logarithm of 0.
    return functional.softplus(-real).mean() + functional.softplus(fake).mean()


def generator_loss(fake: Tensor) -> Tensor:
    """Return what the generator minimises: ``-E[log D(G(z))]``, the non-saturating loss.

    Section 3: it has the fixed point of ``E[log(1 - D(G(z)))]`` and a gradient where D is sure.
    The data have no part in it.

    Shape:
        - fake: ``(N,)``, logits of D on what the generator made.
        - returns: ``()``, nats.
    """
    return functional.softplus(-fake).mean()


class DigitsGenerator(nn.Module):
    """Makes digits of latents."""

    def __init__(self, *, channels: int = 64) -> None:
        super().__init__()
        self.channels = channels
        self.begin = nn.Linear(LATENTS, 2 * channels * 7 * 7, bias=False)
        self.layers = nn.Sequential(
            nn.BatchNorm2d(2 * channels),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * channels, channels, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.ConvTranspose2d(channels, 1, 4, stride=2, padding=1),
            nn.Sigmoid(),
        )
        self.apply(_initialise)

    def forward(self, z: Tensor) -> Tensor:
        """Return pictures.

        Shape:
            - z: ``(N, 100)``, of N(0, 1).
            - returns: ``(N, 1, 28, 28)``, in [0, 1].
        """
        pictures: Tensor = self.layers(self.begin(z).view(-1, 2 * self.channels, 7, 7))
        return pictures


class DigitsDiscriminator(nn.Module):
    """Tells data from what a generator made."""

    def __init__(self, *, channels: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, channels, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(channels, 2 * channels, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(2 * channels),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(2 * channels * 7 * 7, 1),
        )
        self.apply(_initialise)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the logit of each picture's being data.

        Shape:
            - pictures: ``(N, 1, 28, 28)``, in [0, 1].
            - returns: ``(N,)``.
        """
        logits: Tensor = self.layers(pictures)
        return logits[:, 0]


def diversity(pictures: Tensor) -> Tensor:
    """Return the root mean square distance between any two pictures, per pixel.

    A generator that makes one picture of all latents has 0; beside the same figure of the data it
    shows a collapse.

    Shape:
        - pictures: ``(N, ...)``, two at least.
        - returns: ``()``.
    """
    # The mean of |x - y|^2 over all pairs is 2 N / (N - 1) times the variance around the mean.
    count = len(pictures)
    flat = pictures.flatten(1)
    spread = (flat - flat.mean(dim=0)).square().mean()
    return torch.sqrt(2 * count / (count - 1) * spread)


def _initialise(module: nn.Module) -> None:
    """Draw weights of N(0, 0.02), as DCGAN does (its section 4), and gains of N(1, 0.02)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
