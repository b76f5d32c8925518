"""A small convolutional encoder of styles: four levels, trained on procedural textures.

It stands where style transfer has VGG19 (Gatys, Ecker & Bethge, CVPR 2016): what it answers at
four sizes says what a picture shows and how it is painted. A training adds heads that name the
texture; they are not kept.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

ENCODER = "style/encoder"
"""Where its folder is among the models."""
WIDTHS = (16, 32, 64, 128)
LEVELS = ("level1", "level2", "level3", "level4")
FAINT = 0.25
"""Of the mean strength of a layer's channels; fainter ones are taken for so strong."""
REACH = 8
"""Pixels of a side that one place of the last level stands for."""


class StyleEncoder(nn.Module):
    """Answers at four levels, each half as large as the one before; plain convolutions."""

    def __init__(self, *, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.widths = tuple(widths)
        inner = (3, *self.widths)
        self.levels = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(inner[level], width, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(width, width, 3, padding=1),
                nn.ReLU(),
            )
            for level, width in enumerate(self.widths)
        )

    def forward(self, picture: Tensor) -> dict[str, Tensor]:
        """Return the answers of all levels.

        Shape:
            - picture: ``(N, 3, H, W)``, H and W at least 8, in [0, 1].
            - returns: ``(N, C, H / 2^level, W / 2^level)`` each, not negative.
        """
        answers: dict[str, Tensor] = {}
        value = picture * 4 - 2
        for name, level in zip(LEVELS, self.levels, strict=True):
            value = functional.avg_pool2d(value, 2) if answers else value
            answers[name] = value = level(value)
        return answers

    @torch.no_grad()
    def normalise(self, pictures: Tensor) -> None:
        """Scale every channel so that its mean square over some pictures is 1, at every layer.

        Gatys et al. (section 2) scale VGG's by their means: rectified answers can be scaled from
        layer to layer without changing what the network tells apart. Channels that hardly ever
        answer are scaled no further than others' strength allows.

        Shape:
            - pictures: ``(N, 3, H, W)``, in [0, 1].
        """
        value, before = pictures * 4 - 2, torch.ones(3, device=pictures.device)
        for number, level in enumerate(self.levels):
            value = functional.avg_pool2d(value, 2) if number else value
            assert isinstance(level, nn.Sequential)
            for layer in level:
                if isinstance(layer, nn.Conv2d):
                    assert layer.bias is not None
                    # What comes in has been divided by this.
                    layer.weight.mul_(before.view(1, -1, 1, 1))
                    strength = layer(value).relu().square().mean((0, 2, 3)).sqrt()
                    strength = strength.clamp_min(FAINT * float(strength.mean()) + 1e-6)
                    layer.weight.div_(strength.view(-1, 1, 1, 1))
                    layer.bias.div_(strength)
                    before = strength
                value = layer(value)
