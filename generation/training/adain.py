"""Train AdaIN's network (Huang & Belongie, ICCV 2017); the style encoder says what is lost.

Differs from the paper: styles are compared by Gram matrices, for the answers of a small encoder
say too little by their means and deviations, and as shares of what there is (Cheng et al.,
"Style-Aware Normalized Loss for Improving Arbitrary Style Transfer", CVPR 2021, equation 5), so
that loud styles count no more than quiet ones; the encoder tells hardly any colours apart, so the
colours of what it is shown are turned at random; coarse colours are held to those of the picture
in the artwork's colours; every sixth picture is painted at alpha 0 and held to itself.
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
from generation.pipelines.adain_nets import AdainNet, noise_of
from generation.pipelines.collage_colours import match_linearly
from generation.pipelines.encoder import ENCODER, LEVELS, WIDTHS, StyleEncoder
from generation.pipelines.style_transfer import gram_matrix, total_variation
from generation.trained import fingerprint, load_trained
from generation.training.bank import Bank, artwork_bank, scene_bank
from generation.training.cards import Trained, write_model
from generation.training.course import Figures, Mixed, Precision, require_positive, rng_of
from generation.training.encoder import one_cycle
from generation.training.sheets import sheet
from generation.weights import STARTER

SHOWN = 8
KEPT_EVERY = 6
LONGEST = 5.0
"""Of a step's gradient."""
COARSE = 8
"""Pixels of a side over which colours are averaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdainConfig:
    """How AdaIN's network is trained.

    Args:
        encoder: folder of a trained style encoder; the one that ships if it is not given.
        steps: of the training.
        batch: pairs of content and style of a step.
        crop: side of a crop in pixels.
        learning_rate: of Adam at its highest; it rises and falls once.
        style_weight: of the style loss; the paper's lambda.
        content_weight: of the content loss.
        colour_weight: of coarse colours.
        pixel_weight: of pixels at alpha 0.
        smooth_weight: of total variation.
        width: channels of the first level; each next one has twice as many.
        scenes: scenes that are painted as content when no folder is given.
        per_family: textures that are painted of each family as styles when no folder is given.
        report: steps after which it is examined.
        seed: of everything that is drawn.
        precision: that the networks calculate in.
        device: "cpu", "cuda:0", or "auto".
    """

    encoder: str = ""
    steps: int = 1600
    batch: int = 6
    crop: int = 96
    learning_rate: float = 2e-3
    style_weight: float = 1.5
    content_weight: float = 0.25
    colour_weight: float = 3.0
    pixel_weight: float = 3.0
    smooth_weight: float = 0.3
    width: int = WIDTHS[0]
    scenes: int = 400
    per_family: int = 48
    report: int = 100
    seed: int = 1
    precision: Precision = "float32"
    device: str = "auto"

    def __post_init__(self) -> None:
        """Refuse what nothing can be trained with."""
        require_positive(self, "steps", "batch", "crop", "learning_rate", "scenes", "per_family")
        require_positive(self, "report", "style_weight", "width")


class AdainCourse:
    """The training: a ``Course``."""

    def __init__(
        self, config: AdainConfig, *, encoder: StyleEncoder, content: Bank, style: Bank
    ) -> None:
        self.config, self.content, self.style = config, content, style
        self.device = torch_device(config.device)
        torch.manual_seed(config.seed)
        self.judge = encoder.to(self.device).eval().requires_grad_(requires_grad=False)
        self.judge.to(memory_format=torch.channels_last)
        widths = tuple(config.width * 2**level for level in range(len(LEVELS)))
        self.network = AdainNet(widths=widths).to(self.device)
        for layer in self.network.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.xavier_normal_(self.network.last.weight, gain=0.1)
        self.network.to(memory_format=torch.channels_last)
        self._optimizer = torch.optim.Adam(self.network.parameters(), config.learning_rate)
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
        """Return contents and styles; every sixth content is to stay as it is."""
        side = self.config.crop
        content, style = (
            bank.crops(count, side=side, rng=rng, held_out=held_out, evenly=True)
            .pictures.to(self.device).contiguous(memory_format=torch.channels_last)
            for bank in (self.content, self.style)
        )  # fmt: skip
        return content, style

    def step(self, number: int) -> Figures:
        """Take one step on random pairs."""
        config = self.config
        for group in self._optimizer.param_groups:
            group["lr"] = config.learning_rate * one_cycle(number / config.steps)
        rng = rng_of(config.seed, number)
        losses = self._losses(*self._pairs(config.batch, rng, held_out=False), rng=rng)
        total = (
            config.style_weight * losses["style_loss"]
            + config.content_weight * losses["content_loss"]
            + config.colour_weight * losses["colour_loss"]
            + config.pixel_weight * losses["pixel_loss"]
            + config.smooth_weight * losses["smooth_loss"]
        )
        self._mixed.minimise(total, self._optimizer, longest=LONGEST)
        return {name: loss.item() for name, loss in losses.items()}

    def _losses(self, content: Tensor, style: Tensor, *, rng: torch.Generator) -> dict[str, Tensor]:
        """Return what is lost of content, style, colours, kept pixels and smoothness."""
        kept = torch.arange(len(content), device=self.device) % KEPT_EVERY == 0
        alpha = (~kept).float().view(-1, 1, 1, 1)
        matched = match_linearly(content, style)
        given = torch.where(kept.view(-1, 1, 1, 1), content, matched)
        noise = {
            level: each.to(self.device)
            for level, each in noise_of((len(content), *content.shape[-2:]), rng=rng).items()
        }
        with self._mixed():
            made = self.network(given, self.network.style(style), alpha=alpha, noise=noise)
        made = made.float()
        painted, wanted = made[~kept], matched[~kept]
        axes = turned_axes(rng).to(self.device)
        with torch.no_grad():
            styles = self.judge(_turned(style[~kept], axes))
            contents = self.judge(wanted)[LEVELS[-1]]
        return {
            "style_loss": style_loss(self.judge(_turned(painted, axes)), styles),
            "content_loss": content_loss(self.judge(painted)[LEVELS[-1]], contents),
            "colour_loss": functional.l1_loss(
                functional.avg_pool2d(painted, COARSE), functional.avg_pool2d(wanted, COARSE)
            ),
            "pixel_loss": functional.l1_loss(made[kept], content[kept]),
            "smooth_loss": total_variation(made),
        }

    @torch.no_grad()
    def examine(self) -> Figures:
        """Return the losses on held-out pairs."""
        losses = self._losses(*self._pairs(32, rng_of(0, 0), held_out=True), rng=rng_of(0, 2))
        return {f"held_out_{name}": loss.item() for name, loss in losses.items()}

    @torch.no_grad()
    def sheets(self) -> Mapping[str, Image.Image]:
        """Return contents, styles, the contents in their styles, and the contents at alpha 0."""
        content, style = self._pairs(SHOWN, rng_of(0, 1), held_out=True)
        noise = noise_of((SHOWN, *content.shape[-2:]), rng=rng_of(0, 3))
        noise = {level: each.to(self.device) for level, each in noise.items()}
        seen, one = self.network.style(style), torch.ones((SHOWN, 1, 1, 1), device=self.device)
        matched = match_linearly(content, style)
        made = self.network(matched, seen, alpha=one, noise=noise)
        rows = [content, style, made, self.network(content, seen, alpha=0 * one, noise=noise)]
        return {"styled": sheet(torch.cat(rows), columns=SHOWN, scale=2)}

    def state(self) -> dict[str, Any]:
        """Return the weights, the optimiser and the loss scale."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "mixed": self._mixed.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take a state over."""
        self.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._mixed.restore(state["mixed"])

    def export(self, folder: Path, *, history: list[dict[str, Any]]) -> None:
        """Write the network, what it is, and the card."""
        trained = Trained(
            title="AdaIN",
            about="Style transfer at once: an encoder and a decoder between which styles are put.",
            network="generation.pipelines.adain_nets:AdainNet",
            arguments={"widths": list(self.network.widths)},
            recipe=asdict(self.config),
            origin=(
                f"content: {self.content.origin}; styles: {self.style.origin}; judged by the style"
                f" encoder {fingerprint(self.judge)}"
            ),
            history=history,
            limits="It gives an artwork's colours and grain rather than its single strokes.",
        )
        write_model(folder, self.network, trained=trained)


def style_loss(answers: Mapping[str, Tensor], styles: Mapping[str, Tensor]) -> Tensor:
    """Return how far Gram matrices are apart, as a share of what there is, summed over levels.

    Shape:
        - answers: ``(N, C, h, w)`` each, by level; styles likewise.
        - returns: ``()``, at most twice the number of levels.
    """
    parts = []
    for level, wanted in styles.items():
        own, other = gram_matrix(answers[level]), gram_matrix(wanted)
        apart = (own - other).square().sum((1, 2))
        parts.append((apart / (own.square() + other.square()).sum((1, 2))).mean())
    return torch.stack(parts).sum()


def content_loss(answers: Tensor, contents: Tensor) -> Tensor:
    """Return how far answers are apart once every channel's mean and deviation are taken away.

    Shape:
        - answers, contents: ``(N, C, h, w)``; returns ``()``.
    """
    return functional.mse_loss(
        functional.instance_norm(answers), functional.instance_norm(contents)
    )


def turned_axes(rng: torch.Generator) -> Tensor:
    """Return three axes of colours at right angles, drawn at random.

    Shape:
        - returns: ``(3, 3)``, orthonormal.
    """
    axes: Tensor = torch.linalg.qr(torch.randn((3, 3), generator=rng))[0]
    return axes


def _turned(pictures: Tensor, axes: Tensor) -> Tensor:
    """Return pictures whose colours are turned about grey."""
    turned: Tensor = torch.einsum("nchw,cd->ndhw", pictures - 0.5, axes) + 0.5
    return turned
