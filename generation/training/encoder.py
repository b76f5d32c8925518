"""Train the style encoder to tell textures apart by family, grain, direction and colours.

The heads beside the family are what makes its answers fit for style transfer: a network that only
names families may forget colours and places. One head repeats each place's pixels at half size.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from generation.devices import torch_device
from generation.pipelines.encoder import LEVELS, REACH, WIDTHS, StyleEncoder
from generation.training.bank import Bank, texture_bank
from generation.training.cards import Trained, write_model
from generation.training.course import Figures, Mixed, Precision, require_positive, rng_of
from generation.training.sheets import sheet

THUMB = REACH // 2
KNOWN = 3
"""Numbers that are known of a texture: log2 of its grain, and its direction twice turned."""
NORMALISED_BY = 48
SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """How the style encoder is trained.

    Args:
        steps: of the training.
        batch: crops of a step.
        crop: side of a crop in pixels.
        learning_rate: of AdamW at its highest; it rises and falls once.
        known_weight: of grain and direction beside the family.
        pixel_weight: of the places' pixels beside the family.
        width: channels of the first level; each next one has twice as many.
        per_family: textures that are painted of each family when no folder is given.
        report: steps after which it is examined.
        seed: of everything that is drawn.
        precision: that the networks calculate in.
        device: "cpu", "cuda:0", or "auto".
    """

    steps: int = 2600
    batch: int = 16
    crop: int = 96
    learning_rate: float = 2e-3
    known_weight: float = 0.5
    pixel_weight: float = 4.0
    width: int = WIDTHS[0]
    per_family: int = 48
    report: int = 200
    seed: int = 1
    precision: Precision = "float32"
    device: str = "auto"

    def __post_init__(self) -> None:
        """Refuse what nothing can be trained with."""
        require_positive(self, "steps", "batch", "crop", "learning_rate", "width", "per_family")
        require_positive(self, "report")


class Heads(nn.Module):
    """Names a texture from an encoder's last level, and repeats its places at half size."""

    def __init__(self, *, width: int, families: int) -> None:
        super().__init__()
        self.families = nn.Linear(2 * width, families)
        self.known = nn.Linear(2 * width, KNOWN)
        self.pixels = nn.Conv2d(width, 3 * THUMB**2, 1)

    def forward(self, answers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the families' logits, what is known, and the picture at half size.

        Shape:
            - answers: ``(N, C, h, w)``.
            - returns: ``(N, families)``, ``(N, 3)`` and ``(N, 3, 4 h, 4 w)``.
        """
        seen = torch.cat([answers.mean((2, 3)), answers.square().mean((2, 3)).sqrt()], 1)
        pixels = functional.pixel_shuffle(self.pixels(answers), THUMB)
        return self.families(seen), self.known(seen), pixels


class EncoderCourse:
    """The training: a ``Course``."""

    def __init__(self, config: EncoderConfig, *, bank: Bank) -> None:
        self.config, self.bank = config, bank
        self.device = torch_device(config.device)
        torch.manual_seed(config.seed)
        widths = tuple(config.width * 2**level for level in range(len(LEVELS)))
        self.encoder = StyleEncoder(widths=widths).to(self.device)
        self.heads = Heads(width=widths[-1], families=len(bank.families)).to(self.device)
        for layer in self.encoder.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        weights = [*self.encoder.parameters(), *self.heads.parameters()]
        self._optimizer = torch.optim.AdamW(weights, config.learning_rate, weight_decay=1e-4)
        self._mixed = Mixed(device=self.device, precision=config.precision)

    @classmethod
    def begun(cls, config: EncoderConfig, *, data: Path | None, work: Path) -> Self:
        """Return the training on a folder's pictures (a subfolder a family), or painted ones."""
        count, seed = config.per_family, config.seed
        return cls(config, bank=texture_bank(data, kept=work, per_family=count, seed=seed))

    @property
    def recipe(self) -> Mapping[str, Any]:
        """Return the configuration and where the textures are from."""
        return {**asdict(self.config), "data": self.bank.origin}

    @property
    def total_steps(self) -> int:
        """Steps of the training."""
        return self.config.steps

    @property
    def report_every(self) -> int:
        """Steps between examinations."""
        return self.config.report

    def step(self, number: int) -> Figures:
        """Take one step on random crops."""
        config = self.config
        for group in self._optimizer.param_groups:
            group["lr"] = config.learning_rate * one_cycle(number / config.steps)
        crops = self.bank.crops(
            config.batch, side=config.crop, rng=rng_of(config.seed, number), held_out=False
        )
        pictures = crops.pictures.to(self.device)
        with self._mixed():
            families, known, pixels = self.heads(self.encoder(pictures)[LEVELS[-1]])
        losses = {
            "family_loss": functional.cross_entropy(
                families.float(), crops.families.to(self.device), label_smoothing=0.05
            ),
            "known_loss": _known_loss(known.float(), crops.known.to(self.device)),
            "pixel_loss": _pixel_loss(pixels.float(), pictures),
        }
        total = (
            losses["family_loss"]
            + config.known_weight * losses["known_loss"]
            + config.pixel_weight * losses["pixel_loss"]
        )
        self._mixed.minimise(total, self._optimizer)
        return {name: loss.item() for name, loss in losses.items()}

    @torch.no_grad()
    def examine(self) -> Figures:
        """Return the share of held-out crops whose family is named, and how pixels are kept."""
        crops = self.bank.crops(256, side=self.config.crop, rng=rng_of(0, 0), held_out=True)
        named, pixels = [], []
        for pictures, families in zip(
            torch.split(crops.pictures, 32), torch.split(crops.families, 32), strict=True
        ):
            shown = pictures.to(self.device)
            guess, _, half = self.heads(self.encoder(shown)[LEVELS[-1]])
            named.append((guess.argmax(1).cpu() == families).float())
            pixels.append(_pixel_loss(half, shown).item())
        return {
            "held_out_accuracy": torch.cat(named).mean().item(),
            "held_out_pixel_loss": sum(pixels) / len(pixels),
        }

    @torch.no_grad()
    def sheets(self) -> Mapping[str, Image.Image]:
        """Return held-out crops at half size, and below each row what the last level keeps."""
        crops = self.bank.crops(SHOWN, side=self.config.crop, rng=rng_of(0, 1), held_out=True)
        shown = crops.pictures.to(self.device)
        _, _, half = self.heads(self.encoder(shown)[LEVELS[-1]])
        rows = torch.cat([functional.avg_pool2d(shown, 2), half])
        return {"kept": sheet(rows, columns=SHOWN, scale=2)}

    def state(self) -> dict[str, Any]:
        """Return the weights, the optimiser and the loss scale."""
        return {
            "encoder": self.encoder.state_dict(),
            "heads": self.heads.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "mixed": self._mixed.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take a state over."""
        self.encoder.load_state_dict(state["encoder"])
        self.heads.load_state_dict(state["heads"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._mixed.restore(state["mixed"])

    def export(self, folder: Path, *, history: list[dict[str, Any]]) -> None:
        """Write the encoder, its channels normalised, what it is, and the card."""
        crops = self.bank.crops(NORMALISED_BY, side=128, rng=rng_of(0, 2), held_out=False)
        encoder = StyleEncoder(widths=self.encoder.widths).to(self.device)
        encoder.load_state_dict(self.encoder.state_dict())
        encoder.normalise(crops.pictures.to(self.device))
        trained = Trained(
            title="Style encoder",
            about="A convolutional encoder of four levels that tells textures apart.",
            network="generation.pipelines.encoder:StyleEncoder",
            arguments={"widths": list(encoder.widths)},
            recipe=asdict(self.config),
            origin=self.bank.origin,
            history=history,
            limits="It has seen painted textures and scenes alone, and never a photograph.",
        )
        write_model(folder, encoder, trained=trained)


def one_cycle(progress: float) -> float:
    """Return the learning rate's factor: 5 % warm-up, then half a cosine down."""
    return min(progress / 0.05 + 0.01, 0.5 + 0.5 * math.cos(math.pi * progress))


def _known_loss(guess: Tensor, known: Tensor) -> Tensor:
    """Return the mean squared error of what is known; NaN stands for what is not."""
    there = ~known.isnan()
    error = (guess - known.nan_to_num()).square() * there
    return error.sum() / there.sum().clamp_min(1)


def _pixel_loss(half: Tensor, pictures: Tensor) -> Tensor:
    """Return the mean absolute error of the picture at half size."""
    return functional.l1_loss(half, functional.avg_pool2d(pictures, 2))
