"""Train StyleGAN2 (Karras et al., CVPR 2020) on avatars, or on a folder of pictures.

Differs from the paper: few steps, so the moving average of the generator is shorter; data can be
augmented differentiably (Zhao et al., NeurIPS 2020).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import torch
from PIL import Image
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from generation.devices import torch_device
from generation.errors import InvalidRequestError
from generation.pipelines.gan import discriminator_loss, generator_loss
from generation.pipelines.stylegan2 import StyleGan2, resolutions, style_mixed
from generation.training.avatar_data import AvatarData, avatar_data
from generation.training.avatars import Bytes
from generation.training.cards import Trained, write_model
from generation.training.collapse import diversity_figures
from generation.training.course import (
    Figures,
    Mixed,
    Precision,
    batch_of,
    require_batch,
    require_positive,
    rng_of,
)
from generation.training.diff_augment import POLICIES, augmented
from generation.training.sheets import sheet
from generation.training.stylegan2_discriminator import Discriminator
from generation.training.stylegan2_losses import (
    LAZY_PATH,
    LAZY_R1,
    path_lengths,
    path_penalty,
    r1_penalty,
)

SHOWN, EXAMINED = 24, 128
MIXING = 0.9
"""Share of the training's pictures that are made of two latents."""
SHOWN_PSI = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Stylegan2Config:
    """How StyleGAN2 is trained; a step sees as many pictures of the generator's as of the data.

    Args:
        resolution: of the pictures, a power of 2.
        thousands: of the data's pictures that are seen, in thousands.
        batch: pictures of a step.
        learning_rate: of both networks' Adam.
        narrowest: channels at the resolution of the pictures; twice as many at each below.
        widest: channels at most.
        latents: of z, and of w.
        layers: of the mapping.
        gamma: weight of R1.
        path_weight: of the path lengths' penalty.
        ema: share that the mean of the generator keeps at every step.
        augment: changes before the discriminator; few data need the last.
        painted: avatars that are painted when no folder is given.
        report_steps: steps between two reports.
        seed: of everything that is drawn.
        precision: that the networks calculate in.
        device: "cpu", "cuda:0", or "auto".
    """

    resolution: int = 64
    thousands: int = 100
    batch: int = 16
    learning_rate: float = 2.5e-3
    narrowest: int = 24
    widest: int = 96
    latents: int = 96
    layers: int = 3
    gamma: float = 0.2
    path_weight: float = 2.0
    ema: float = 0.996
    augment: str = "none"
    painted: int = 8000
    report_steps: int = 100
    seed: int = 1
    precision: Precision = "float32"
    device: str = "auto"

    def __post_init__(self) -> None:
        """Refuse what nothing can be trained with."""
        require_positive(
            self, "thousands", "batch", "learning_rate", "narrowest", "widest", "latents",
            "layers", "painted", "report_steps",
        )  # fmt: skip
        if not 0 <= self.ema < 1 or self.gamma < 0 or self.path_weight < 0:
            raise InvalidRequestError("ema is at least 0 and below 1, and no weight below 0")
        if self.augment not in POLICIES:
            raise InvalidRequestError(f"augment is one of {', '.join(POLICIES)}")
        try:
            resolutions(self.resolution)
        except ValueError as err:
            raise InvalidRequestError(str(err)) from err

    @property
    def channels(self) -> dict[int, int]:
        """Channels of the feature maps, by resolution."""
        finest = self.resolution
        return {
            size: min(self.widest, self.narrowest * finest // size) for size in resolutions(finest)
        }


class Stylegan2Course:
    """The training: a ``Course``."""

    def __init__(self, config: Stylegan2Config, *, data: AvatarData) -> None:
        require_batch(len(data.train), size=config.batch)
        self.config, self.data = config, data
        self.device = torch_device(config.device)
        torch.manual_seed(config.seed)
        self.generator = StyleGan2(**self._arguments()).to(self.device)
        self.discriminator = Discriminator(
            resolution=config.resolution, channels=config.channels
        ).to(self.device)
        # Section 2.3: lazily regularised, so the rates are those of as many steps in all.
        self._optimizers = {
            "g": _adam(self.generator, rate=config.learning_rate, lazy=LAZY_PATH),
            "d": _adam(self.discriminator, rate=config.learning_rate, lazy=LAZY_R1),
        }
        self._mixed = {
            name: Mixed(device=self.device, precision=config.precision) for name in ("g", "d")
        }
        average = get_ema_multi_avg_fn(config.ema)  # type: ignore[no-untyped-call]
        self.mean = AveragedModel(self.generator, multi_avg_fn=average)
        self._path_mean = torch.zeros((), device=self.device)

    @classmethod
    def begun(cls, config: Stylegan2Config, *, data: Path | None, work: Path) -> Self:
        """Return the training on a folder's pictures, or on painted avatars."""
        found = avatar_data(
            data, kept=work, side=config.resolution, count=config.painted, seed=config.seed
        )
        return cls(config, data=found)

    def _arguments(self) -> dict[str, Any]:
        config = self.config
        return {
            "z_dim": config.latents,
            "w_dim": config.latents,
            "resolution": config.resolution,
            "channels": config.channels,
            "num_layers": config.layers,
        }

    @property
    def recipe(self) -> Mapping[str, Any]:
        """Return the configuration and where the pictures are from."""
        return {**asdict(self.config), "data": self.data.origin}

    @property
    def report_every(self) -> int:
        """Steps between two reports."""
        return self.config.report_steps

    @property
    def total_steps(self) -> int:
        """Steps in which so many pictures are seen."""
        return max(1, 1000 * self.config.thousands // self.config.batch)

    def step(self, number: int) -> Figures:
        """Take one step with each network, and at some the regularisations."""
        rng, real = rng_of(self.config.seed, number), self._batch(number)
        losses = {"discriminator_loss": self._discriminate(real, rng)}
        if number % LAZY_R1 == 0:
            self._regularise_discriminator(real)
        losses["generator_loss"] = self._generate(rng)
        if number % LAZY_PATH == 0 and self.config.path_weight:
            self._regularise_generator(rng)
        self.mean.update_parameters(self.generator)
        self._averaged().mapping.w_avg.copy_(self.generator.mapping.w_avg)
        return losses

    def _batch(self, number: int) -> Tensor:
        """Return the data of a step, half of them mirrored."""
        config, train = self.config, self.data.train
        chosen = batch_of(len(train), size=config.batch, seed=config.seed, number=number)
        pictures = self._pictures(train[chosen.numpy()])
        mirrored = torch.rand(config.batch, generator=rng_of(config.seed + 1, number)) < 0.5
        return torch.where(mirrored.view(-1, 1, 1, 1).to(self.device), pictures.flip(3), pictures)

    def _pictures(self, values: Bytes) -> Tensor:
        there = torch.from_numpy(values).to(self.device).permute(0, 3, 1, 2)
        return there.float().div(127.5).sub(1).contiguous()

    def _made(self, rng: torch.Generator, *, count: int) -> tuple[Tensor, Tensor]:
        """Return pictures in training, of mixed styles and fresh noise, and their styles."""
        generator, config = self.generator, self.config
        z = torch.randn(2, count, config.latents, generator=rng).to(self.device)
        crossover = int(torch.randint(1, generator.num_ws, (), generator=rng))
        mixes = bool(torch.rand((), generator=rng) < MIXING)
        with self._mixed["g"]():
            w = generator.mapping(z[0])
            generator.mapping.follow(w)
            ws = w.unsqueeze(1).expand(-1, generator.num_ws, -1)
            if mixes:
                other = generator.mapping(z[1]).unsqueeze(1).expand(-1, generator.num_ws, -1)
                ws = style_mixed(ws, other, crossover=crossover)
            noises = [
                torch.randn(count, 1, size, size, generator=rng).to(self.device)
                for size in generator.synthesis.noise_sizes
            ]
            return generator.synthesis(ws, noises), ws

    def _verdict(self, pictures: Tensor, rng: torch.Generator) -> Tensor:
        changed = augmented(pictures, policy=self.config.augment, rng=rng)
        with self._mixed["d"]():
            logits: Tensor = self.discriminator(changed)
        return logits.float()

    def _discriminate(self, real: Tensor, rng: torch.Generator) -> float:
        with torch.no_grad():
            fake, _ = self._made(rng, count=len(real))
        loss = discriminator_loss(self._verdict(real, rng), self._verdict(fake.float(), rng))
        self._mixed["d"].minimise(loss, self._optimizers["d"])
        return loss.item()

    def _generate(self, rng: torch.Generator) -> float:
        self.discriminator.requires_grad_(False)
        fake, _ = self._made(rng, count=self.config.batch)
        loss = generator_loss(self._verdict(fake.float(), rng))
        self._mixed["g"].minimise(loss, self._optimizers["g"])
        self.discriminator.requires_grad_(True)
        return loss.item()

    def _regularise_discriminator(self, real: Tensor) -> None:
        """Take a step down R1, as many times as strongly as it is seldom."""
        pictures = real.detach().requires_grad_(True)
        penalty = r1_penalty(self.discriminator(pictures), pictures)
        loss = self.config.gamma / 2 * LAZY_R1 * penalty
        self._mixed["d"].minimise(loss, self._optimizers["d"])

    def _regularise_generator(self, rng: torch.Generator) -> None:
        """Take a step towards equal path lengths, with half as many pictures."""
        count = max(1, self.config.batch // 2)
        fake, ws = self._made(rng, count=count)
        noise = torch.randn(fake.shape, generator=rng).to(self.device)
        penalty, self._path_mean = path_penalty(
            path_lengths(fake.float(), ws, noise), self._path_mean
        )
        loss = self.config.path_weight * LAZY_PATH * penalty
        self._mixed["g"].minimise(loss, self._optimizers["g"])

    def examine(self) -> Figures:
        """Return the diversity of what is made beside that of held-out pictures; say a collapse."""
        data = self._pictures(self.data.held_out[:EXAMINED])
        figures = diversity_figures(self._shown(EXAMINED, seed=0, psi=1.0), data)
        return {**figures, "path_length": self._path_mean.item()}

    def sheets(self) -> Mapping[str, Image.Image]:
        """Return samples at a truncation of 0.7 and at 1, always of the same latents."""
        near, far = (self._shown(SHOWN, seed=1, psi=psi) for psi in (SHOWN_PSI, 1.0))
        return {
            "samples": sheet((near + 1) / 2, columns=8, scale=2),
            "untruncated": sheet((far + 1) / 2, columns=8, scale=2),
        }

    @torch.no_grad()
    def _shown(self, count: int, *, seed: int, psi: float) -> Tensor:
        z = torch.randn(count, self.config.latents, generator=rng_of(0, seed)).to(self.device)
        parts = [self._averaged()(part, truncation_psi=psi) for part in torch.split(z, 32)]
        return torch.cat(parts).clamp(-1, 1)

    def _averaged(self) -> StyleGan2:
        averaged = self.mean.module
        assert isinstance(averaged, StyleGan2)
        return averaged

    def state(self) -> dict[str, Any]:
        """Return the weights, their mean, the optimisers and loss scales."""
        return {
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "mean": self.mean.state_dict(),
            "optimizers": {name: it.state_dict() for name, it in self._optimizers.items()},
            "mixed": {name: it.state() for name, it in self._mixed.items()},
            "path_mean": self._path_mean,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take a state over."""
        self.generator.load_state_dict(state["generator"])
        self.discriminator.load_state_dict(state["discriminator"])
        self.mean.load_state_dict(state["mean"])
        self._path_mean = state["path_mean"].to(self.device)
        for name, optimizer in self._optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
            self._mixed[name].restore(state["mixed"][name])

    def export(self, folder: Path, *, history: list[dict[str, Any]]) -> None:
        """Write the mean generator in half precision, what it is, and the card."""
        trained = Trained(
            title="StyleGAN2",
            about="A StyleGAN2 that paints square pictures like those it was trained on.",
            network="generation.pipelines.stylegan2:StyleGan2",
            arguments=self._arguments(),
            recipe=asdict(self.config),
            origin=self.data.origin,
            history=history,
            limits=f"{self.config.resolution} px; nothing but what the data show.",
        )
        write_model(folder, self.mean.module, trained=trained)


def _adam(network: torch.nn.Module, *, rate: float, lazy: int) -> torch.optim.Adam:
    """Return Adam with its rates scaled for a regularisation every so many steps."""
    share = lazy / (lazy + 1)
    return torch.optim.Adam(network.parameters(), rate * share, betas=(0.0, 0.99**share))
