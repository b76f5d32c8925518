"""What evaluations ask of networks of our trainings, at the networks' own sizes.

A VAE repeats a picture, by the middle of what its latents may be; the parameters of the result are
its negative evidence lower bound in two parts, with one sample of the latents (Kingma & Welling,
ICLR 2014, equation 10). The digits' GAN makes a digit of the seed, whatever picture is given.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from generation.devices import move, torch_device, weight_bytes
from generation.heads import elements, read_head
from generation.imaging import to_pixels, to_tensor
from generation.pipelines.base import EngineConfig, Finished, OneByOne
from generation.pipelines.gan import LATENTS, DigitsGenerator
from generation.pipelines.picture_vae import PictureVae, laplace_error
from generation.pipelines.vae import DigitsVae, Posterior, kl_divergence, reconstruction_error
from generation.portraits import WEIGHTS
from generation.request import ImageRequest, Pixels
from generation.sums import require_recorded
from generation.trained import load_trained

Repeating = DigitsVae | PictureVae | DigitsGenerator


@dataclass(slots=True, kw_only=True)
class RepeatingRow:
    """A picture to be repeated, or made, in one step."""

    request: ImageRequest
    finished: Finished | None = None
    total_steps: int = 1
    step: int = 0
    width: int = 1
    bucket: Hashable = "repeating"


class RepeatingPipeline(OneByOne):
    """Repeats pictures by a VAE, or makes digits."""

    def __init__(self, network: Repeating, *, device: torch.device) -> None:
        self._network = network.to(device)
        self._device = device

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Self:
        """Load the network in a folder of the models folder.

        Raises:
            ModelUnavailableError: it is missing, damaged, or of another network.
        """
        folder = config.models_dir / model
        require_recorded(model, folder, models_dir=config.models_dir)
        network: Repeating = load_trained(folder, DigitsVae, PictureVae, DigitsGenerator)  # type: ignore[assignment]
        return cls(network, device=torch_device(config.device))

    @classmethod
    def weigh(cls, *, model: str, config: EngineConfig) -> int:
        """Return the bytes of the weights in float32, whatever they are in the file."""
        return 4 * sum(elements(read_head(it)) for it in cls.files(model=model, config=config))

    @classmethod
    def files(cls, *, model: str, config: EngineConfig) -> Sequence[Path]:
        """Return the file of the weights."""
        return (config.models_dir / model / WEIGHTS,)

    @property
    def weight_bytes(self) -> int:
        """Bytes of the network."""
        return weight_bytes([self._network])

    def put_away(self) -> None:
        """Move the network to the host's memory."""
        move([self._network], "cpu")

    def bring(self) -> None:
        """Move the network back to the device."""
        move([self._network], self._device)

    def admit(self, request: ImageRequest) -> RepeatingRow:
        """Take a picture, at a size that the network takes."""
        return RepeatingRow(request=request)

    @torch.inference_mode()
    def advance(self, rows: Sequence[RepeatingRow]) -> None:
        """Make the pictures."""
        for row in rows:
            rng = torch.Generator().manual_seed(row.request.seed)
            if isinstance(self._network, DigitsGenerator):
                z = torch.randn(1, LATENTS, generator=rng).to(self._device)
                row.finished = Finished(image=_pixels(self._network(z)))
            else:
                row.finished = self._repeated(self._network, row.request.picture, rng=rng)
            row.step += 1

    def _repeated(
        self, vae: DigitsVae | PictureVae, picture: Pixels, *, rng: torch.Generator
    ) -> Finished:
        start = to_tensor(picture, device=self._device)
        start = start[:, :1] if isinstance(vae, DigitsVae) else start
        posterior = vae.encode(start)
        again = vae.decode(posterior.mu)
        shown = again.sigmoid() if isinstance(vae, DigitsVae) else again
        noise = torch.randn(posterior.mu.shape, generator=rng).to(self._device)
        nats = bound(vae, start, posterior, noise=noise)
        told = (
            *((name, repr(value)) for name, value in nats.items()),
            ("values", str(start.numel())),
        )
        return Finished(image=_pixels(shown), parameters=told)

    def preview(self, row: RepeatingRow) -> Pixels | None:
        """Return None: it is done at once."""
        del row
        return None

    def retire(self, row: RepeatingRow) -> Finished:
        """Return the finished picture."""
        assert row.finished is not None
        return row.finished


def bound(
    vae: DigitsVae | PictureVae, picture: Tensor, posterior: Posterior, *, noise: Tensor
) -> Mapping[str, float]:
    """Return the two parts of a picture's negative evidence lower bound, in nats.

    Digits' pixels are Bernoulli, those of colour pictures Laplacian, as each was trained.

    Shape:
        - picture: ``(1, C, H, W)``, in [0, 1]; noise: as the posterior's ``mu``, of N(0, 1).
    """
    decoded = vae.decode(posterior.sample(noise))
    if isinstance(vae, DigitsVae):
        missed = reconstruction_error(decoded, picture)
    else:
        missed = laplace_error(decoded, picture, log_scale=vae.log_scale)
    return {"missed": missed.item(), "beyond": kl_divergence(posterior).item()}


def _pixels(made: Tensor) -> Pixels:
    """Return a picture in colour or grey as plain bytes."""
    return to_pixels(made.expand(-1, 3, -1, -1))
