"""Train AdaIN's decoder (Huang & Belongie, ICCV 2017) with the style encoder fixed.

Differs from the paper: every fourth picture of a batch is decoded with its own statistics and
compared by pixels as well, so that alpha 0 gives the content back.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from generation.devices import torch_device
from generation.pipelines.adain_nets import (
    LAST,
    StyleDecoder,
    adain,
    statistics,
    style_loss,
)
from generation.pipelines.encoder import ENCODER, StyleEncoder
from generation.trained import fingerprint, load_trained
from generation.training.bank import Bank, artwork_bank, scene_bank
from generation.training.cards import Trained, write_model
from generation.training.course import Figures, Mixed, Precision, require_positive, rng_of
from generation.training.encoder import one_cycle
from generation.training.sheets import sheet
from generation.weights import STARTER

SHOWN = 8
KEPT_EVERY = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class AdainConfig:
    """How AdaIN's decoder is trained.

    Args:
        encoder: folder of a trained style encoder; the one that ships if it is not given.
        steps: of the training.
        batch: pairs of content and style of a step.
        crop: side of a crop in pixels.
        learning_rate: of Adam at its highest; it rises and falls once.
        style_weight: of the style loss beside the content loss; the paper's lambda.
        pixel_weight: of pixels where the content keeps its own statistics.
        smooth_weight: of total variation.
        scenes: scenes that are painted as content when no folder is given.
        per_family: textures that are painted of each family as styles when no folder is given.
        report: steps after which it is examined.
        seed: of everything that is drawn.
        precision: that the networks calculate in.
        device: "cpu", "cuda:0", or "auto".
    """

    encoder: str = ""
    steps: int = 2200
    batch: int = 8
    crop: int = 96
    learning_rate: float = 1.5e-3
    style_weight: float = 2.0
    pixel_weight: float = 10.0
    smooth_weight: float = 1.0
    scenes: int = 400
    per_family: int = 48
    report: int = 200
    seed: int = 1
    precision: Precision = "float32"
    device: str = "auto"

    def __post_init__(self) -> None:
        """Refuse what nothing can be trained with."""
        require_positive(self, "steps", "batch", "crop", "learning_rate", "scenes", "per_family")
        require_positive(self, "report", "style_weight")


class AdainCourse:
    """The training: a ``Course``."""

    def __init__(
        self, config: AdainConfig, *, encoder: StyleEncoder, content: Bank, style: Bank
    ) -> None:
        self.config, self.content, self.style = config, content, style
        self.device = torch_device(config.device)
        torch.manual_seed(config.seed)
        self.encoder = encoder.to(self.device).eval().requires_grad_(requires_grad=False)
        self.decoder = StyleDecoder(widths=encoder.widths).to(self.device)
        for layer in self.decoder.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.xavier_normal_(self.decoder.last.weight)
        self._optimizer = torch.optim.Adam(self.decoder.parameters(), config.learning_rate)
        self._mixed = Mixed(device=self.device, precision=config.precision)

    @classmethod
    def begun(cls, config: AdainConfig, *, data: Path | None, work: Path) -> Self:
        """Return the training on the folders ``content`` and ``style``, or on what we paint."""
        folder = Path(config.encoder) if config.encoder else STARTER / ENCODER
        encoder = load_trained(folder, StyleEncoder)
        content = scene_bank(
            data and data / "content", kept=work, count=config.scenes, seed=config.seed
        )
        style = artwork_bank(
            data and data / "style", kept=work, per_family=config.per_family, seed=config.seed
        )
        return cls(config, encoder=encoder, content=content, style=style)

    @property
    def recipe(self) -> Mapping[str, Any]:
        """Return the configuration and where the pictures are from."""
        origins = {"content": self.content.origin, "style": self.style.origin}
        return {**asdict(self.config), **origins}

    @property
    def total_steps(self) -> int:
        """Steps of the training."""
        return self.config.steps

    @property
    def report_every(self) -> int:
        """Steps between examinations."""
        return self.config.report

    def _pairs(self, count: int, rng: torch.Generator, *, held_out: bool) -> tuple[Tensor, Tensor]:
        side = self.config.crop
        banks = (self.content, self.style)
        content, style = (
            bank.crops(count, side=side, rng=rng, held_out=held_out).pictures for bank in banks
        )
        return content.to(self.device), style.to(self.device)

    def step(self, number: int) -> Figures:
        """Take one step on random pairs."""
        config = self.config
        for group in self._optimizer.param_groups:
            group["lr"] = config.learning_rate * one_cycle(number / config.steps)
        pairs = self._pairs(config.batch, rng_of(config.seed, number), held_out=False)
        losses = self._losses(*pairs)
        total = (
            losses["content_loss"]
            + config.style_weight * losses["style_loss"]
            + config.pixel_weight * losses["pixel_loss"]
            + config.smooth_weight * losses["smooth_loss"]
        )
        self._mixed.minimise(total, self._optimizer)
        return {name: loss.item() for name, loss in losses.items()}

    def _losses(self, content: Tensor, style: Tensor) -> dict[str, Tensor]:
        """Return what is lost of content, style, kept pixels and smoothness (equations 11-13)."""
        with torch.no_grad():
            style = style.clone()
            style[::KEPT_EVERY] = content[::KEPT_EVERY]
            seen = self.encoder(style)
            styles = {level: statistics(answers) for level, answers in seen.items()}
            target = adain(self.encoder(content)[LAST], styles[LAST])
        with self._mixed():
            made = self.decoder(target)
            answers = self.encoder(made)
        answers = {level: each.float() for level, each in answers.items()}
        kept = made.float()[::KEPT_EVERY]
        return {
            "content_loss": functional.mse_loss(answers[LAST], target),
            "style_loss": style_loss(answers, styles),
            "pixel_loss": functional.l1_loss(kept, content[::KEPT_EVERY]),
            "smooth_loss": (made.diff(dim=2).square().mean() + made.diff(dim=3).square().mean()),
        }

    @torch.no_grad()
    def examine(self) -> Figures:
        """Return the losses on held-out pairs."""
        losses = self._losses(*self._pairs(32, rng_of(0, 0), held_out=True))
        return {f"held_out_{name}": loss.item() for name, loss in losses.items()}

    @torch.no_grad()
    def sheets(self) -> Mapping[str, Image.Image]:
        """Return contents, styles, the contents in their styles, and the contents decoded."""
        content, style = self._pairs(SHOWN, rng_of(0, 1), held_out=True)
        seen = self.encoder(content)[LAST]
        made = self.decoder(adain(seen, statistics(self.encoder(style)[LAST])))
        rows = torch.cat([content, style, made, self.decoder(seen)])
        return {"styled": sheet(rows, columns=SHOWN, scale=2)}

    def state(self) -> dict[str, Any]:
        """Return the weights, the optimiser and the loss scale."""
        return {
            "decoder": self.decoder.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "mixed": self._mixed.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take a state over."""
        self.decoder.load_state_dict(state["decoder"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._mixed.restore(state["mixed"])

    def export(self, folder: Path, *, history: list[dict[str, Any]]) -> None:
        """Write the decoder, what it is, whose answers it decodes, and the card."""
        trained = Trained(
            title="AdaIN",
            about="A decoder of the style encoder's answers, for style transfer at once.",
            network="generation.pipelines.adain_nets:StyleDecoder",
            arguments={"widths": list(self.decoder.widths), "encoder": fingerprint(self.encoder)},
            recipe=asdict(self.config),
            origin=f"content: {self.content.origin}; styles: {self.style.origin}",
            history=history,
            limits="It gives an artwork's colours and grain rather than its single strokes.",
        )
        write_model(folder, self.decoder, trained=trained)
