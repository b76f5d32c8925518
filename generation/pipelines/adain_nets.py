"""Adaptive instance normalisation and its decoder (Huang & Belongie, ICCV 2017).

Differs from the paper: the encoder is our own of four levels instead of VGG, and the decoder has a
residual block at the smallest level.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from generation.pipelines.encoder import LEVELS, WIDTHS

DECODER = "style/decoder"
"""Where its folder is among the models."""
EPS = 1e-5
LAST = LEVELS[-1]
Statistics = tuple[Tensor, Tensor]


def statistics(features: Tensor) -> Statistics:
    """Return the mean and the deviation of every channel (equations 5 and 6).

    Shape:
        - features: ``(N, C, H, W)``.
        - returns: ``(N, C, 1, 1)`` each.
    """
    variance, mean = torch.var_mean(features, (2, 3), correction=0, keepdim=True)
    return mean, (variance + EPS).sqrt()


def adain(content: Tensor, style: Statistics) -> Tensor:
    """Return the content with the statistics of a style (equation 8).

    With its own statistics it is the content itself.

    Shape:
        - content: ``(N, C, H, W)``; returns the same.
        - style: ``(N, C, 1, 1)`` or ``(1, C, 1, 1)`` each.
    """
    mean, deviation = statistics(content)
    return (content - mean) / deviation * style[1] + style[0]


def mixed_styles(content: Tensor, styles: Sequence[tuple[Statistics, float]]) -> Tensor:
    """Return the content between several styles, by weights that sum to 1 (equation 15).

    Shape:
        - content: ``(N, C, H, W)``; returns the same.
    """
    return torch.stack([weight * adain(content, style) for style, weight in styles]).sum(0)


def style_loss(answers: Mapping[str, Tensor], styles: Mapping[str, Statistics]) -> Tensor:
    """Return how far channels' means and deviations are from a style's (equation 13).

    Mean squares stand for the norms, so that levels of any width weigh the same.

    Shape:
        - answers: ``(N, C, h, w)`` each, by level; styles likewise.
        - returns: ``()``.
    """
    parts = []
    for level, (mean, deviation) in styles.items():
        own_mean, own_deviation = statistics(answers[level])
        parts.append(functional.mse_loss(own_mean, mean))
        parts.append(functional.mse_loss(own_deviation, deviation))
    return torch.stack(parts).sum()


class _Block(nn.Module):
    """Two convolutions whose answer is added to what went in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _convolution(width, width)
        self.second = _convolution(width, width)

    def forward(self, value: Tensor) -> Tensor:
        inner: Tensor = self.second(self.first(value).relu())
        return value + inner


class StyleDecoder(nn.Module):
    """Makes pictures of what a :class:`StyleEncoder` answers at its last level."""

    def __init__(self, *, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.widths = tuple(widths)
        layers: list[nn.Module] = [_Block(widths[-1])]
        inward = [*reversed(widths)]
        for wide, narrow in pairwise(inward):
            layers += [_convolution(wide, narrow), nn.ReLU(), nn.Upsample(scale_factor=2)]
            layers += [_convolution(narrow, narrow), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        self.last = _convolution(widths[0], 3)

    def forward(self, answers: Tensor) -> Tensor:
        """Return pictures, about [0, 1].

        Shape:
            - answers: ``(N, C, h, w)``, of the encoder's ``level4``, h and w at least 2.
            - returns: ``(N, 3, 8 h, 8 w)``.
        """
        picture: Tensor = self.last(self.layers(answers))
        return picture + 0.5


def _convolution(inner: int, outer: int) -> nn.Conv2d:
    return nn.Conv2d(inner, outer, 3, padding=1, padding_mode="reflect")
