"""Train the rooms' VAE (Kingma & Welling, ICLR 2014), and then a prior over its latents.

The first steps minimise the VAE's negative ELBO. The later ones leave it as it is and learn the
prior by flow matching, from the means of the latents and the captions' attributes.
"""

import copy
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from generation.devices import torch_device
from generation.errors import InvalidRequestError
from generation.pipelines.gan import diversity
from generation.pipelines.latent_prior import (
    GUIDANCE,
    LatentPrior,
    between,
    carried,
    flow_loss,
    slerp,
)
from generation.pipelines.picture_vae import FACTOR, PictureVae, laplace_error, picture_elbo_loss
from generation.pipelines.vae import Posterior, kl_divergence
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
from generation.training.picture_data import (
    PictureData,
    attributes_in,
    attributes_of,
    picture_data,
)
from generation.training.sheets import sheet

PRIOR = "prior"
"""The folder of the prior in the VAE's."""
SHOWN = 16
ENCODED = 64
EXAMINED = 64
FITTED = 400
"""Pictures whose principal components the VAE begins with."""
KEPT_OF_AVERAGE = 0.997
WARM_UP = 0.04


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomsVaeConfig:
    """How a VAE of pictures and its prior are trained.

    Args:
        steps: of the VAE.
        prior_steps: of the prior, after them.
        batch: pictures of a step of the VAE.
        crop: sides of what a step of the VAE sees of each, a multiple of 16.
        prior_batch: latents of a step of the prior.
        learning_rate: of Adam for the VAE, at its highest.
        prior_rate: of Adam for the prior, at its highest.
        size: sides of the pictures in pixels, a multiple of 16 from 64 to 256.
        latents: channels of the latents.
        width: channels of the prior.
        blocks: depth of the prior.
        painted: rooms that are painted when no folder is given.
        seed: of everything that is drawn.
        precision: that the networks calculate in.
        device: "cpu", "cuda:0", or "auto".
    """

    steps: int = 2400
    prior_steps: int = 1600
    batch: int = 16
    crop: int = 64
    prior_batch: int = 32
    learning_rate: float = 2e-3
    prior_rate: float = 1.5e-3
    size: int = 128
    latents: int = 24
    width: int = 96
    blocks: int = 4
    painted: int = 6000
    seed: int = 1
    precision: Precision = "float32"
    device: str = "auto"

    def __post_init__(self) -> None:
        """Refuse what nothing can be trained with."""
        require_positive(self, "steps", "prior_steps", "batch", "prior_batch", "learning_rate")
        require_positive(self, "prior_rate", "size", "latents", "width", "blocks", "painted")
        if self.size % FACTOR or not 64 <= self.size <= 256:
            raise InvalidRequestError(f"size is a multiple of {FACTOR} from 64 to 256")
        if self.crop % FACTOR or not FACTOR <= self.crop <= self.size:
            raise InvalidRequestError(f"crop is a multiple of {FACTOR}, at most size")
        if self.width % 8:
            raise InvalidRequestError("width is a multiple of 8")


class RoomsVaeCourse:
    """The training: a ``Course``."""

    def __init__(self, config: RoomsVaeConfig, *, data: PictureData) -> None:
        require_batch(len(data.train), size=max(config.batch, config.prior_batch))
        self.config, self.data = config, data
        self.device = torch_device(config.device)
        torch.manual_seed(config.seed)
        self.vae = PictureVae(latents=config.latents).to(self.device)
        self.vae.begin(self._pictures(data.train[:FITTED]))
        self.vae.to(memory_format=torch.channels_last)
        self.prior = LatentPrior(
            latents=config.latents,
            size=config.size // FACTOR,
            words=attributes_of(data.captions),
            width=config.width,
            blocks=config.blocks,
        ).to(self.device)
        self.average = copy.deepcopy(self.prior)
        self._optimizers = {
            "vae": torch.optim.Adam(self.vae.parameters(), config.learning_rate),
            "prior": torch.optim.Adam(self.prior.parameters(), config.prior_rate),
        }
        self._mixed = Mixed(device=self.device, precision=config.precision)
        self._steps_done = 0
        self._latents: Tensor | None = None
        self._said = self._words_of(data.captions)

    @classmethod
    def begun(cls, config: RoomsVaeConfig, *, data: Path | None, work: Path) -> Self:
        """Return the training on a folder's pictures, or on painted rooms."""
        size, count = config.size, config.painted
        found = picture_data(data, kept=work, size=size, count=count, seed=config.seed)
        return cls(config, data=found)

    @property
    def recipe(self) -> Mapping[str, Any]:
        """Return the configuration and where the pictures are from."""
        return {**asdict(self.config), "data": self.data.origin}

    @property
    def report_every(self) -> int:
        """Steps between examinations: ten in all, about."""
        return max(1, self.total_steps // 10)

    @property
    def total_steps(self) -> int:
        """Steps of the VAE and of the prior."""
        return self.config.steps + self.config.prior_steps

    def step(self, number: int) -> Figures:
        """Take one step of the VAE, or of the prior when those are done."""
        self._steps_done = number + 1
        if number < self.config.steps:
            return self._vae_step(number)
        return self._prior_step(number - self.config.steps)

    def _vae_step(self, number: int) -> Figures:
        config, rng = self.config, rng_of(self.config.seed, number)
        count = len(self.data.train)
        chosen = batch_of(count, size=config.batch, seed=config.seed, number=number)
        side = config.crop // FACTOR
        places = torch.randint(config.size // FACTOR - side + 1, (config.batch, 2), generator=rng)
        crops = [
            self.data.train[index, y : y + config.crop, x : x + config.crop]
            for index, (y, x) in zip(chosen.tolist(), (FACTOR * places).tolist(), strict=True)
        ]
        pictures = self._pictures(np.stack(crops))
        noise = torch.randn(config.batch, config.latents, side, side, generator=rng)
        with self._mixed():
            decoded, found = self.vae(pictures, noise.to(self.device))
        posterior = Posterior(mu=found.mu.float(), logvar=found.logvar.float())
        log_scale = self.vae.log_scale
        loss = picture_elbo_loss(decoded.float(), pictures, posterior, log_scale=log_scale)
        self._lower("vae", loss / pictures[0].numel(), done=number / config.steps)
        return {"negative_elbo": loss.item(), "kl": kl_divergence(posterior).mean().item()}

    def _prior_step(self, number: int) -> Figures:
        config, rng = self.config, rng_of(self.config.seed + 1, number)
        latents = self._encoded()
        size = config.prior_batch
        chosen = batch_of(len(latents), size=size, seed=config.seed + 2, number=number)
        wanted = self.prior.normal(latents[chosen])
        noise = torch.randn(wanted.shape, generator=rng).to(self.device)
        # Words are left out at random, each picture's at a rate of its own, so that any number
        # of them may be said later, and none.
        heard = torch.rand(size, 1, generator=rng) * 1.15 - 0.15
        left = torch.rand(size, len(self.prior.words), generator=rng) < heard
        words = (self._said[chosen] * left).to(self.device)
        t = torch.sigmoid(torch.randn(size, generator=rng)).to(self.device)
        with self._mixed():
            velocity = self.prior(between(noise, wanted, t=t), t, words)
        loss = flow_loss(velocity, noise, wanted)
        self._lower("prior", loss, done=number / config.prior_steps)
        kept = min(KEPT_OF_AVERAGE, (1 + number) / (10 + number))
        _follow(self.average, self.prior, kept=kept)
        return {"flow_loss": loss.item()}

    def _lower(self, name: str, loss: Tensor, *, done: float) -> None:
        """Take an optimiser's step; its rate rises for a while and then falls as a cosine."""
        rates = {"vae": self.config.learning_rate, "prior": self.config.prior_rate}
        factor = min(1.0, done / WARM_UP + 0.01) * (0.02 + 0.49 * (1 + math.cos(math.pi * done)))
        for group in self._optimizers[name].param_groups:
            group["lr"] = rates[name] * factor
        self._mixed.minimise(loss, self._optimizers[name])

    @torch.no_grad()
    def _encoded(self) -> Tensor:
        """Return the means of the training pictures' latents; the prior then knows their scale.

        Shape:
            - returns: ``(N, latents, size / 16, size / 16)``.
        """
        if self._latents is None:
            parts = [self._means(part) for part in _chunks(self.data.train)]
            latents = torch.cat(parts)
            for prior in (self.prior, self.average):
                prior.mean.copy_(latents.mean(dim=(0, 2, 3), keepdim=True))
                prior.deviation.copy_(latents.std(dim=(0, 2, 3), keepdim=True))
                prior.directions.copy_(directions_of(prior.normal(latents), self._said))
            self._latents = latents
        return self._latents

    @torch.no_grad()
    def examine(self) -> Figures:
        """Return figures of held-out pictures: the ELBO in nats, PSNR, and the prior's loss."""
        pictures = self._pictures(self.data.held_out[:EXAMINED])
        found = self.vae.encode(pictures)
        noise = torch.randn(found.mu.shape, generator=rng_of(0, 0)).to(self.device)
        decoded = self.vae.decode(found.sample(noise))
        missed = laplace_error(decoded, pictures, log_scale=self.vae.log_scale).mean().item()
        kl = kl_divergence(found).mean().item()
        told = {
            "held_out_negative_elbo": missed + kl,
            "held_out_kl": kl,
            "held_out_psnr": psnr(self.vae.decode(found.mu).clamp(0, 1), pictures),
        }
        if self._steps_done <= self.config.steps:
            return told
        return {**told, **self._examined_prior(found.mu, pictures)}

    def _examined_prior(self, mu: Tensor, pictures: Tensor) -> Figures:
        rng = rng_of(0, 1)
        wanted = self.average.normal(mu)
        noise = torch.randn(mu.shape, generator=rng).to(self.device)
        t = torch.rand(len(mu), generator=rng).to(self.device)
        words = self._words_of(self.data.held_out_captions[:EXAMINED]).to(self.device)
        velocity = self.average(between(noise, wanted, t=t), t, words)
        return {
            "held_out_flow_loss": flow_loss(velocity, noise, wanted).item(),
            "diversity_of_samples": diversity(self._samples(SHOWN)).item(),
            "diversity_of_data": diversity(pictures[:SHOWN]).item(),
        }

    @torch.no_grad()
    def sheets(self) -> Mapping[str, Image.Image]:
        """Return samples, held-out pictures above their reconstructions, and a latent walk."""
        pictures = self._pictures(self.data.held_out[: SHOWN // 2])
        again = self.vae.decode(self.vae.encode(pictures).mu)
        return {
            "samples": sheet(self._samples(SHOWN), columns=4),
            "reconstructions": sheet(torch.cat([pictures, again]), columns=SHOWN // 2),
            "walk": sheet(self._walk(), columns=SHOWN // 2),
        }

    def _samples(self, count: int) -> Tensor:
        """Return pictures that held-out captions are given for, or of N(0, 1) before the prior."""
        noise = self._noise(count, number=2)
        if self._steps_done <= self.config.steps:
            return self.vae.decode(noise)
        captions = [self.data.held_out_captions[n % len(self.data.held_out)] for n in range(count)]
        return self._designed(noise, self._words_of(captions))

    def _walk(self) -> Tensor:
        """Return what lies between two noises, one row without words and one with a caption's."""
        first, second = self._noise(2, number=3)[:1], self._noise(2, number=3)[1:]
        rows = (torch.zeros(len(self.prior.words)), self._words_of(self.data.held_out_captions)[0])
        ratios = torch.linspace(0, 1, SHOWN // 2).tolist()
        noise = torch.cat([slerp(first, second, ratio) for ratio in ratios]).repeat(2, 1, 1, 1)
        if self._steps_done <= self.config.steps:
            return self.vae.decode(noise)
        return self._designed(noise, torch.stack(rows).repeat_interleave(len(ratios), dim=0))

    def _designed(self, noise: Tensor, words: Tensor) -> Tensor:
        velocity = self.average.guided(words.to(self.device), guidance=GUIDANCE)
        return self.vae.decode(self.average.unscaled(carried(velocity, noise)))

    def _noise(self, count: int, *, number: int) -> Tensor:
        side = self.config.size // FACTOR
        shape = (count, self.config.latents, side, side)
        return torch.randn(shape, generator=rng_of(0, number)).to(self.device)

    def state(self) -> dict[str, Any]:
        """Return weights, optimisers and loss scale."""
        return {
            "vae": self.vae.state_dict(),
            "prior": self.prior.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": {name: it.state_dict() for name, it in self._optimizers.items()},
            "mixed": self._mixed.state(),
            "steps_done": self._steps_done,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take a state over."""
        self.vae.load_state_dict(state["vae"])
        self.prior.load_state_dict(state["prior"])
        self.average.load_state_dict(state["average"])
        for name, optimizer in self._optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self._mixed.restore(state["mixed"])
        self._steps_done = state["steps_done"]

    def export(self, folder: Path, *, history: list[dict[str, Any]]) -> None:
        """Write VAE and prior in half precision, what they are, and their cards."""
        trained = Trained(
            title="Rooms VAE",
            about="A convolutional VAE of colour pictures, with a prior over its latents.",
            network="generation.pipelines.picture_vae:PictureVae",
            arguments={"latents": self.config.latents, "widths": self.vae.widths},
            recipe=asdict(self.config),
            origin=self.data.origin,
            history=history,
            limits="Pictures like those that it was trained on; others come back blurred.",
        )
        write_model(folder, self.vae, trained=trained)
        of_prior = Trained(
            title="Prior of the rooms VAE",
            about="Carries noise to latents of the VAE beside, led by words of captions.",
            network="generation.pipelines.latent_prior:LatentPrior",
            arguments=self.average.arguments,
            recipe=asdict(self.config),
            origin=self.data.origin,
            history=history,
            limits="Only the words in config.json are heard.",
        )
        write_model(folder / PRIOR, self.average, trained=of_prior)

    def _words_of(self, captions: Any) -> Tensor:  # noqa: ANN401 - captions
        """Return which attributes captions name.

        Shape:
            - returns: ``(N, words)``.
        """
        return torch.stack([self.prior.said(list(attributes_in(each))) for each in captions])

    def _means(self, values: NDArray[np.uint8]) -> Tensor:
        return self.vae.encode(self._pictures(values)).mu.contiguous()

    def _pictures(self, values: NDArray[np.uint8]) -> Tensor:
        """Return pictures as the networks take them, channels last."""
        batch = torch.from_numpy(values).to(self.device).permute(0, 3, 1, 2)
        return batch.float().div(255).contiguous(memory_format=torch.channels_last)


def directions_of(latents: Tensor, said: Tensor) -> Tensor:
    """Return, for each attribute, the mean of latents that have it less that of the others.

    Shape:
        - latents: ``(N, C, h, w)``; said: ``(N, words)``, 1 where a caption names it.
        - returns: ``(words, C, h, w)``.
    """
    has = said.to(latents)
    lacks = 1 - has
    flat = latents.flatten(1)
    means = [each.T @ flat / each.sum(dim=0).clamp(min=1)[:, None] for each in (has, lacks)]
    return (means[0] - means[1]).view(-1, *latents.shape[1:])


def psnr(found: Tensor, wanted: Tensor) -> float:
    """Return the mean over pictures of ``-10 log10(mean square error)``, in decibels."""
    error = (found - wanted).square().flatten(1).mean(dim=1).clamp(min=1e-10)
    return float((-10 * torch.log10(error)).mean())


@torch.no_grad()
def _follow(average: nn.Module, module: nn.Module, *, kept: float) -> None:
    """Move averaged weights towards a module's (Polyak & Juditsky, 1992)."""
    for mine, theirs in zip(average.parameters(), module.parameters(), strict=True):
        mine.lerp_(theirs, 1 - kept)


def _chunks(values: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    return [values[start : start + ENCODED] for start in range(0, len(values), ENCODED)]
