"""A convolutional VAE for colour pictures (Kingma & Welling, ICLR 2014).

Differs from the paper: latents keep rows and columns, one for each 16 x 16 pixels; pixels are
Laplacian around what is decoded, of one learned scale (the calibrated decoder of Rybkin, Daniilidis
& Levine, ICML 2021, with the absolute error), so that no weight balances the two parts of the
bound. Both networks add to linear maps, which begin as the principal components of 16 x 16 blocks:
those are the best linear VAE (Lucas et al., NeurIPS 2019), and spare hours of training. A prior
over the latents is learned afterwards (``latent_prior``).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from generation.pipelines.vae import Posterior, kl_divergence

FACTOR = 16
"""Pixels in each direction that share a place of the latents."""
GROUPS = 8
WIDTHS = (48, 64, 88)


def laplace_error(decoded: Tensor, pictures: Tensor, *, log_scale: Tensor) -> Tensor:
    """Return each picture's ``-log p(x|z)`` in nats, pixels taken as Laplacian.

    It is ``sum(|x - decoded| / b + log 2b)``, least where b is the mean absolute error.

    Shape:
        - decoded, pictures: ``(N, ...)``; log_scale: ``()``, the logarithm of b.
        - returns: ``(N,)``.
    """
    away = (pictures - decoded).abs() * torch.exp(-log_scale)
    return (away + log_scale + torch.log(torch.tensor(2.0))).flatten(1).sum(dim=1)


def picture_elbo_loss(
    decoded: Tensor, pictures: Tensor, posterior: Posterior, *, log_scale: Tensor
) -> Tensor:
    """Return the negative evidence lower bound in nats, the mean over pictures.

    Shape:
        - returns: ``()``.
    """
    missed = laplace_error(decoded, pictures, log_scale=log_scale)
    return (missed + kl_divergence(posterior)).mean()


class PictureVae(nn.Module):
    """Encodes pictures of any sides that are multiples of 16, and decodes them again.

    Args:
        latents: channels of the latents.
        widths: channels at a quarter, an eighth and a sixteenth of the sides.
    """

    def __init__(self, *, latents: int = 24, widths: tuple[int, int, int] = WIDTHS) -> None:
        super().__init__()
        self.latents, self.widths = latents, tuple(widths)
        fine, middle, coarse = self.widths
        self.encoder = nn.Sequential(
            nn.Conv2d(3, fine, 6, stride=4, padding=1),
            _Block(fine),
            nn.Conv2d(fine, middle, 3, stride=2, padding=1),
            _Block(middle),
            nn.Conv2d(middle, coarse, 3, stride=2, padding=1),
            _Block(coarse),
            nn.GroupNorm(GROUPS, coarse),
            nn.SiLU(),
            nn.Conv2d(coarse, 2 * latents, 3, padding=1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(latents, coarse, 3, padding=1),
            _Block(coarse),
            _Larger(coarse, middle),
            _Block(middle),
            _Block(middle),
            _Larger(middle, fine),
            _Block(fine),
            _Block(fine),
            nn.GroupNorm(GROUPS, fine),
            nn.SiLU(),
            nn.Conv2d(fine, 2 * fine, 3, padding=1),
            nn.PixelShuffle(2),
            nn.SiLU(),
            nn.Conv2d(fine // 2, 12, 3, padding=1),
            nn.PixelShuffle(2),
        )
        self.analysis = nn.Conv2d(3, latents, FACTOR, stride=FACTOR)
        self.synthesis = nn.ConvTranspose2d(latents, 3, FACTOR, stride=FACTOR)
        self.log_scale = nn.Parameter(torch.tensor(-2.0))

    def encode(self, pictures: Tensor) -> Posterior:
        """Return what the latents of pictures may be.

        Shape:
            - pictures: ``(N, 3, H, W)``, in [0, 1]; mu, logvar: ``(N, latents, H/16, W/16)``.
        """
        seen = 2 * pictures - 1
        mu, logvar = self.encoder(seen).chunk(2, dim=1)
        return Posterior(mu=mu + self.analysis(seen), logvar=(logvar - 4).clamp(-12, 4))

    def decode(self, z: Tensor) -> Tensor:
        """Return the pictures of latents, ``(N, 3, H, W)``, about in [0, 1]."""
        decoded: Tensor = self.decoder(z) + self.synthesis(z)
        return decoded / 2 + 0.5

    @torch.no_grad()
    def begin(self, pictures: Tensor) -> None:
        """Let the linear maps be the whitened principal components of pictures' blocks.

        Shape:
            - pictures: ``(N, 3, H, W)``, in [0, 1].
        """
        blocks = functional.unfold(2 * pictures - 1, FACTOR, stride=FACTOR)
        rows = blocks.transpose(1, 2).flatten(0, 1).double()
        mean = rows.mean(dim=0)
        spread = (rows - mean).T @ (rows - mean) / len(rows)
        variances, vectors = torch.linalg.eigh(spread)
        best = vectors[:, -self.latents :].flip(1)
        scale = variances[-self.latents :].flip(0).clamp(min=1e-6).sqrt()
        shape = self.analysis.weight.shape
        self.analysis.weight.copy_((best / scale).T.view(shape))
        self.synthesis.weight.copy_((best * scale).T.view(shape))
        self.analysis.bias.copy_(-(mean @ best) / scale)  # type: ignore[union-attr]
        rest = mean.view(3, -1).mean(dim=1)
        self.synthesis.bias.copy_(rest)  # type: ignore[union-attr]
        for last in (self.encoder[-1], self.decoder[-2]):
            nn.init.zeros_(last.weight)  # type: ignore[arg-type]
            nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    def forward(self, pictures: Tensor, noise: Tensor) -> tuple[Tensor, Posterior]:
        """Return a sample's reconstruction, and the posterior it is from."""
        posterior = self.encode(pictures)
        return self.decode(posterior.sample(noise)), posterior


class _Block(nn.Module):
    """A residual block (He et al., ECCV 2016: normalisation and activation first)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.GroupNorm(GROUPS, channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        whole: Tensor = x + self.layers(x)
        return whole


class _Larger(nn.Module):
    """Doubles the sides: nearest neighbours and a convolution, which leaves no checkerboard."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        whole: Tensor = functional.interpolate(self.conv(x), scale_factor=2.0, mode="nearest")
        return whole
