"""Auto-encoding variational Bayes (Kingma & Welling, ICLR 2014): the losses, and digits by an MLP.

Differs from the paper: ReLU instead of tanh, 400 hidden units and 20 latents, trained by Adam.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

PIXELS = 28 * 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """A diagonal normal distribution over latents, one for each picture.

    Shape:
        - mu, logvar: ``(N, latents)``, or with rows and columns; ``logvar`` is the logarithm of
          the variance.
    """

    mu: Tensor
    logvar: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """Return ``z = mu + sigma * noise`` (section 2.4, the reparameterisation trick).

        Shape:
            - noise: as ``mu``, of N(0, 1).
            - returns: as ``mu``.
        """
        return self.mu + torch.exp(0.5 * self.logvar) * noise


def kl_divergence(posterior: Posterior) -> Tensor:
    """Return each picture's KL(q(z|x) || N(0, 1)) in nats (appendix B).

    It is ``-1/2 sum(1 + logvar - mu^2 - exp(logvar))``, never negative, and 0 for N(0, 1) itself.

    Shape:
        - returns: ``(N,)``.
    """
    mu, logvar = posterior.mu, posterior.logvar
    return -0.5 * (1 + logvar - mu.square() - logvar.exp()).flatten(1).sum(dim=1)


def reconstruction_error(logits: Tensor, pictures: Tensor) -> Tensor:
    """Return each picture's ``-log p(x|z)`` in nats, pixels taken as Bernoulli (appendix C.1).

    Shape:
        - logits: ``(N, ...)``, of the decoder, before the sigmoid.
        - pictures: of the same shape, in [0, 1].
        - returns: ``(N,)``.
    """
    error = functional.binary_cross_entropy_with_logits(logits, pictures, reduction="none")
    return error.flatten(1).sum(dim=1)


def elbo_loss(logits: Tensor, pictures: Tensor, posterior: Posterior) -> Tensor:
    """Return the negative evidence lower bound in nats, the mean over pictures.

    The bound of equation 10 with one sample: what the decoder misses, summed over pixels, plus
    what the posterior says beyond the prior. There is no discriminator in it.

    Shape:
        - returns: ``()``.
    """
    return (reconstruction_error(logits, pictures) + kl_divergence(posterior)).mean()


class DigitsVae(nn.Module):
    """An MLP 784-400-20 that encodes digits, and one 20-400-784 that decodes them."""

    def __init__(self, *, hidden: int = 400, latents: int = 20) -> None:
        super().__init__()
        self.latents = latents
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, hidden), nn.ReLU())
        self.mu = nn.Linear(hidden, latents)
        self.logvar = nn.Linear(hidden, latents)
        self.decoder = nn.Sequential(
            nn.Linear(latents, hidden), nn.ReLU(), nn.Linear(hidden, PIXELS)
        )

    def encode(self, pictures: Tensor) -> Posterior:
        """Return what a picture's latents may be.

        Shape:
            - pictures: ``(N, 1, 28, 28)``, in [0, 1].
        """
        hidden = self.encoder(pictures)
        return Posterior(mu=self.mu(hidden), logvar=self.logvar(hidden))

    def decode(self, z: Tensor) -> Tensor:
        """Return the logits of the pixels.

        Shape:
            - z: ``(N, latents)``.
            - returns: ``(N, 1, 28, 28)``; their sigmoid is the picture, in [0, 1].
        """
        logits: Tensor = self.decoder(z)
        return logits.view(-1, 1, 28, 28)

    def forward(self, pictures: Tensor, noise: Tensor) -> tuple[Tensor, Posterior]:
        """Return the logits of a sample's reconstruction, and the posterior it is from."""
        posterior = self.encode(pictures)
        return self.decode(posterior.sample(noise)), posterior
