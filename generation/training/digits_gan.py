"""Train the digits' GAN (Goodfellow et al., NeurIPS 2014), with DCGAN's optimiser and networks.

Differs from the papers: the exported generator is an exponential mean of the trained one
(Yazici et al., ICLR 2019), whose digits are steadier.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from generation.errors import InvalidRequestError
from generation.pipelines.gan import (
    LATENTS,
    DigitsDiscriminator,
    DigitsGenerator,
    discriminator_loss,
    generator_loss,
)
from generation.training.cards import Trained, write_model
from generation.training.collapse import diversity_figures
from generation.training.course import Figures, Mixed, require_positive, rng_of
from generation.training.digit_data import DigitData
from generation.training.digits_course import DigitsConfig, DigitsCourse
from generation.training.sheets import sheet

SHOWN, EXAMINED = 16, 256


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitsGanConfig(DigitsConfig):
    """How the digits' GAN is trained; a step sees as many digits of the generator's as of the data.

    Args:
        beta1: of both networks' Adam; DCGAN's.
        channels: of the widest feature map, and half of the deepest layer's.
        ema: share that the mean of the generator keeps at every step.
    """

    epochs: int = 12
    batch: int = 64
    learning_rate: float = 2e-4
    beta1: float = 0.5
    channels: int = 48
    ema: float = 0.995

    def __post_init__(self) -> None:
        """Refuse what nothing can be trained with."""
        DigitsConfig.__post_init__(self)
        require_positive(self, "channels")
        for name in ("beta1", "ema"):
            if not 0 <= getattr(self, name) < 1:
                raise InvalidRequestError(f"{name} is at least 0 and below 1")


class DigitsGanCourse(DigitsCourse[DigitsGanConfig]):
    """The training: a ``Course``."""

    def __init__(self, config: DigitsGanConfig, *, data: DigitData) -> None:
        super().__init__(config, data=data)
        self.generator = DigitsGenerator(channels=config.channels).to(self.device)
        self.discriminator = DigitsDiscriminator(channels=config.channels).to(self.device)
        betas = (config.beta1, 0.999)
        self._optimizers = {
            name: torch.optim.Adam(network.parameters(), config.learning_rate, betas=betas)
            for name, network in (("g", self.generator), ("d", self.discriminator))
        }
        average = get_ema_multi_avg_fn(config.ema)  # type: ignore[no-untyped-call]
        self.mean = AveragedModel(self.generator, multi_avg_fn=average, use_buffers=True)
        self._mixed = {
            name: Mixed(device=self.device, precision=config.precision) for name in ("g", "d")
        }

    def step(self, number: int) -> Figures:
        """Take one step with the discriminator, then one with the generator."""
        config, real = self.config, self.batch(number)
        rng = rng_of(config.seed, number)
        first, second = (torch.randn(config.batch, LATENTS, generator=rng) for _ in range(2))
        losses = {
            "discriminator_loss": self._discriminate(real, first.to(self.device)),
            "generator_loss": self._generate(second.to(self.device)),
        }
        self.mean.update_parameters(self.generator)
        return losses

    def _discriminate(self, real: Tensor, z: Tensor) -> float:
        with self._mixed["d"]():
            fake = self.generator(z).detach()
            verdicts = self.discriminator(real), self.discriminator(fake)
        loss = discriminator_loss(*(verdict.float() for verdict in verdicts))
        self._mixed["d"].minimise(loss, self._optimizers["d"])
        return loss.item()

    def _generate(self, z: Tensor) -> float:
        with self._mixed["g"]():
            verdict = self.discriminator(self.generator(z))
        loss = generator_loss(verdict.float())
        self._mixed["g"].minimise(loss, self._optimizers["g"])
        return loss.item()

    def examine(self) -> Figures:
        """Return the diversity of what is made, beside that of held-out digits; say a collapse."""
        made = self._made(EXAMINED, rng_of(0, 0))
        return diversity_figures(made, self.pictures(self.data.held_out[:EXAMINED]))

    def sheets(self) -> Mapping[str, Image.Image]:
        """Return 4 x 4 samples, always of the same latents."""
        return {"samples": sheet(self._made(SHOWN, rng_of(0, 1)), columns=4, scale=3)}

    def state(self) -> dict[str, Any]:
        """Return the weights, their mean, the optimisers and loss scales."""
        return {
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "mean": self.mean.state_dict(),
            "optimizers": {name: it.state_dict() for name, it in self._optimizers.items()},
            "mixed": {name: it.state() for name, it in self._mixed.items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take a state over."""
        self.generator.load_state_dict(state["generator"])
        self.discriminator.load_state_dict(state["discriminator"])
        self.mean.load_state_dict(state["mean"])
        for name, optimizer in self._optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
            self._mixed[name].restore(state["mixed"][name])

    def export(self, folder: Path, *, history: list[dict[str, Any]]) -> None:
        """Write the mean generator in half precision, what it is, and the card."""
        trained = Trained(
            title="Digits GAN",
            about="A convolutional GAN that paints handwritten digits.",
            network="generation.pipelines.gan:DigitsGenerator",
            arguments={"channels": self.config.channels},
            recipe=asdict(self.config),
            origin=self.data.origin,
            history=history,
            limits="White digits on black, 28 x 28; which digit is left to chance.",
        )
        write_model(folder, self.mean.module, trained=trained)

    @torch.no_grad()
    def _made(self, count: int, rng: torch.Generator) -> Tensor:
        """Return digits of the mean generator."""
        self.mean.eval()
        made: Tensor = self.mean(torch.randn(count, LATENTS, generator=rng).to(self.device))
        return made
