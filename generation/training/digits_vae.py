"""Train the digits' VAE (Kingma & Welling, ICLR 2014) by Adam on the negative ELBO."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from generation.devices import torch_device
from generation.pipelines.vae import (
    DigitsVae,
    Posterior,
    elbo_loss,
    kl_divergence,
    reconstruction_error,
)
from generation.training.cards import Trained, write_model
from generation.training.course import (
    Figures,
    Mixed,
    Precision,
    batch_of,
    require_batch,
    require_positive,
    rng_of,
)
from generation.training.digit_data import PAINTED, DigitData, digit_data
from generation.training.sheets import sheet

SHOWN = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitsVaeConfig:
    """How the digits' VAE is trained.

    Args:
        epochs: times that every digit is seen.
        batch: digits of a step.
        learning_rate: of Adam.
        hidden: units of the hidden layers.
        latents: of a digit.
        painted: digits that are painted when no folder is given.
        seed: of everything that is drawn.
        precision: that the networks calculate in.
        device: "cpu", "cuda:0", or "auto".
    """

    epochs: int = 20
    batch: int = 128
    learning_rate: float = 1e-3
    hidden: int = 400
    latents: int = 20
    painted: int = PAINTED
    seed: int = 1
    precision: Precision = "float32"
    device: str = "auto"

    def __post_init__(self) -> None:
        """Refuse what nothing can be trained with."""
        require_positive(self, "epochs", "batch", "learning_rate", "hidden", "latents", "painted")


class DigitsVaeCourse:
    """The training: a ``Course``."""

    def __init__(self, config: DigitsVaeConfig, *, data: DigitData) -> None:
        self._config = config
        self._data = data
        require_batch(len(data.train), size=config.batch)
        self._device = torch_device(config.device)
        torch.manual_seed(config.seed)
        self.vae = DigitsVae(hidden=config.hidden, latents=config.latents).to(self._device)
        self._optimizer = torch.optim.Adam(self.vae.parameters(), config.learning_rate)
        self._mixed = Mixed(device=self._device, precision=config.precision)

    @classmethod
    def begun(cls, config: DigitsVaeConfig, *, data: Path | None, work: Path) -> "DigitsVaeCourse":
        """Return the training on a folder's digits, or on painted ones."""
        found = digit_data(data, kept=work, count=config.painted, seed=config.seed)
        return cls(config, data=found)

    @property
    def recipe(self) -> Mapping[str, Any]:
        """Return the configuration and where the digits are from."""
        return {**asdict(self._config), "data": self._data.origin}

    @property
    def report_every(self) -> int:
        """Steps of an epoch."""
        return len(self._data.train) // self._config.batch

    @property
    def total_steps(self) -> int:
        """Steps of all epochs."""
        return self._config.epochs * self.report_every

    def step(self, number: int) -> Figures:
        """Take one step down the negative ELBO of a batch."""
        config = self._config
        chosen = batch_of(len(self._data.train), size=config.batch, seed=config.seed, number=number)
        pictures = self._pictures(self._data.train[chosen.numpy()])
        noise = torch.randn(config.batch, config.latents, generator=rng_of(config.seed, number))
        with self._mixed():
            logits, found = self.vae(pictures, noise.to(self._device))
        posterior = Posterior(mu=found.mu.float(), logvar=found.logvar.float())
        loss = elbo_loss(logits.float(), pictures, posterior)
        self._mixed.minimise(loss, self._optimizer)
        return {"negative_elbo": loss.item(), "kl": kl_divergence(posterior).mean().item()}

    @torch.no_grad()
    def examine(self) -> Figures:
        """Return the parts of the negative ELBO of held-out digits, in nats a digit."""
        pictures = self._pictures(self._data.held_out)
        noise = torch.randn(len(pictures), self._config.latents, generator=rng_of(0, 0))
        logits, posterior = self.vae(pictures, noise.to(self._device))
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
        z = torch.randn(SHOWN, self._config.latents, generator=rng).to(self._device)
        pictures = self._pictures(self._data.held_out[: SHOWN // 2])
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
            arguments={"hidden": self._config.hidden, "latents": self._config.latents},
            recipe=asdict(self._config),
            origin=self._data.origin,
            history=history,
            limits="White digits on black, 28 x 28, and nothing else; samples are soft.",
        )
        write_model(folder, self.vae, trained=trained)

    def _pictures(self, values: Any) -> Tensor:  # noqa: ANN401 - an array of bytes
        return torch.from_numpy(values).to(self._device).float().div(255).unsqueeze(1)
