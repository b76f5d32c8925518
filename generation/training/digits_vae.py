"""Train the digits' VAE (Kingma & Welling, ICLR 2014) by Adam on the negative ELBO."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from generation.pipelines.vae import (
    DigitsVae,
    Posterior,
    elbo_loss,
    kl_divergence,
    reconstruction_error,
)
from generation.training.cards import Trained, write_model
from generation.training.course import Figures, Mixed, require_positive, rng_of
from generation.training.digit_data import DigitData
from generation.training.digits_course import DigitsConfig, DigitsCourse
from generation.training.sheets import sheet

SHOWN = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitsVaeConfig(DigitsConfig):
    """How the digits' VAE is trained.

    Args:
        hidden: units of the hidden layers.
        latents: of a digit.
    """

    epochs: int = 20
    batch: int = 128
    learning_rate: float = 1e-3
    hidden: int = 400
    latents: int = 20

    def __post_init__(self) -> None:
        """Refuse what nothing can be trained with."""
        DigitsConfig.__post_init__(self)
        require_positive(self, "hidden", "latents")


class DigitsVaeCourse(DigitsCourse[DigitsVaeConfig]):
    """The training: a ``Course``."""

    def __init__(self, config: DigitsVaeConfig, *, data: DigitData) -> None:
        super().__init__(config, data=data)
        self.vae = DigitsVae(hidden=config.hidden, latents=config.latents).to(self.device)
        self._optimizer = torch.optim.Adam(self.vae.parameters(), config.learning_rate)
        self._mixed = Mixed(device=self.device, precision=config.precision)

    def step(self, number: int) -> Figures:
        """Take one step down the negative ELBO of a batch."""
        config, pictures = self.config, self.batch(number)
        noise = torch.randn(config.batch, config.latents, generator=rng_of(config.seed, number))
        with self._mixed():
            logits, found = self.vae(pictures, noise.to(self.device))
        posterior = Posterior(mu=found.mu.float(), logvar=found.logvar.float())
        loss = elbo_loss(logits.float(), pictures, posterior)
        self._mixed.minimise(loss, self._optimizer)
        return {"negative_elbo": loss.item(), "kl": kl_divergence(posterior).mean().item()}

    @torch.no_grad()
    def examine(self) -> Figures:
        """Return the parts of the negative ELBO of held-out digits, in nats a digit."""
        pictures = self.pictures(self.data.held_out)
        noise = torch.randn(len(pictures), self.config.latents, generator=rng_of(0, 0))
        logits, posterior = self.vae(pictures, noise.to(self.device))
        kl = kl_divergence(posterior).mean().item()
        missed = reconstruction_error(logits, pictures).mean().item()
        return {
            "held_out_negative_elbo": missed + kl,
            "held_out_reconstruction": missed,
            "held_out_kl": kl,
        }

    @torch.no_grad()
    def sheets(self) -> Mapping[str, Image.Image]:
        """Return 4 x 4 samples, and held-out digits above their reconstructions."""
        rng = rng_of(0, 1)
        z = torch.randn(SHOWN, self.config.latents, generator=rng).to(self.device)
        pictures = self.pictures(self.data.held_out[: SHOWN // 2])
        again = torch.sigmoid(self.vae.decode(self.vae.encode(pictures).mu))
        return {
            "samples": sheet(torch.sigmoid(self.vae.decode(z)), columns=4, scale=3),
            "reconstructions": sheet(torch.cat([pictures, again]), columns=SHOWN // 2, scale=3),
        }

    def state(self) -> dict[str, Any]:
        """Return weights, optimiser and loss scale."""
        return {
            "vae": self.vae.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "mixed": self._mixed.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take a state over."""
        self.vae.load_state_dict(state["vae"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._mixed.restore(state["mixed"])

    def export(self, folder: Path, *, history: list[dict[str, Any]]) -> None:
        """Write the weights in half precision, what they are, and the card."""
        trained = Trained(
            title="Digits VAE",
            about="An MLP VAE that paints and repeats handwritten digits.",
            network="generation.pipelines.vae:DigitsVae",
            arguments={"hidden": self.config.hidden, "latents": self.config.latents},
            recipe=asdict(self.config),
            origin=self.data.origin,
            history=history,
            limits="White digits on black, 28 x 28, and nothing else; samples are soft.",
        )
        write_model(folder, self.vae, trained=trained)
