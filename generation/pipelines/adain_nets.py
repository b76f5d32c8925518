"""Adaptive instance normalisation and its network (Huang & Belongie, ICCV 2017).

Differs from the paper: the encoder is small and learns along with the decoder; the answers of
three levels, not of the last alone, take on the style's statistics and go to the decoder; noise as
strong as the style's own deviation lets it paint where the picture is flat. Colours are matched
before (Gatys et al., CVPR 2017, section 5.2), so that the network need only learn how is painted.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from generation.pipelines.encoder import LEVELS, WIDTHS, StyleEncoder

ADAIN = "style/adain"
"""Where its folder is among the models."""
EPS = 1e-5
STYLED = LEVELS[1:]
"""The levels that are given a style and decoded."""
COARSE = 4
"""Pixels of a side over which the colours are averaged that go straight to the result."""
Statistics = tuple[Tensor, Tensor]
StyleStatistics = Mapping[str, Statistics]
"""Of an artwork, by level."""


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


def mixed(styles: Sequence[tuple[StyleStatistics, float]]) -> StyleStatistics:
    """Return the style between several, by weights that sum to 1.

    Statistics enter equation 8 linearly, so this is the paper's mixture of answers (equation 15).
    """
    return {
        level: (
            torch.stack([weight * style[level][0] for style, weight in styles]).sum(0),
            torch.stack([weight * style[level][1] for style, weight in styles]).sum(0),
        )
        for level in STYLED
    }


class AdainNet(nn.Module):
    """Looks at pictures and artworks, and paints the ones in the style of the others."""

    def __init__(self, *, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.encoder = StyleEncoder(widths=widths)
        first, *outer, last = self.widths
        self.deepest = nn.ModuleList([_convolution(last, last), _convolution(last, last)])
        self.noise = nn.ParameterDict(
            {
                level: nn.Parameter(torch.full((1, width, 1, 1), 0.3))
                for level, width in zip(STYLED, self.widths[1:], strict=True)
            }
        )
        self.narrowing, self.joining = nn.ModuleList(), nn.ModuleList()
        wide = last
        for narrow in reversed(outer):
            self.narrowing.append(_convolution(wide, narrow))
            self.joining.append(
                nn.Sequential(
                    _convolution(2 * narrow, narrow), nn.ReLU(), _convolution(narrow, narrow)
                )
            )
            wide = narrow
        self.fine = nn.Sequential(
            _convolution(wide, first), nn.ReLU(), _convolution(first, first), nn.ReLU()
        )
        self.last = _convolution(first, 3)

    def style(self, artwork: Tensor) -> StyleStatistics:
        """Return the statistics of artworks.

        Shape:
            - artwork: ``(N, 3, H, W)``, sides multiples of 8, in [0, 1].
            - returns: ``(N, C, 1, 1)`` each.
        """
        answers = self.encoder(artwork)
        return {level: statistics(answers[level]) for level in STYLED}

    def forward(
        self, picture: Tensor, style: StyleStatistics, *, alpha: Tensor, noise: Mapping[str, Tensor]
    ) -> Tensor:
        """Return pictures as far towards a style as alpha says (equation 14).

        Shape:
            - picture: ``(N, 3, H, W)``, sides multiples of 8, in [0, 1]; returns about the same.
            - style: ``(N, C, 1, 1)`` or ``(1, C, 1, 1)`` each.
            - alpha: ``(N, 1, 1, 1)`` or ``()``, in [0, 1].
            - noise: ``(N, 1, H / 2^level, W / 2^level)`` each, as ``noise_of`` gives it.
        """
        answers = self.encoder(picture)
        seen = {
            level: answers[level].lerp(
                adain(answers[level], style[level])
                + self.noise[level] * style[level][1] * noise[level],
                alpha,
            )
            for level in STYLED
        }
        *outer, last = STYLED
        first, second = self.deepest
        value = seen[last] + second(first(seen[last]).relu())
        for level, narrowing, joining in zip(
            reversed(outer), self.narrowing, self.joining, strict=True
        ):
            value = functional.interpolate(narrowing(value).relu(), scale_factor=2.0)
            value = value + joining(torch.cat([value, seen[level]], 1))
        made: Tensor = self.last(self.fine(functional.interpolate(value, scale_factor=2.0)))
        colours = functional.avg_pool2d(picture, COARSE)
        return made + functional.interpolate(colours, scale_factor=float(COARSE), mode="bilinear")


def noise_of(size: Sequence[int], *, rng: torch.Generator) -> dict[str, Tensor]:
    """Return noise for pictures of a size, by level.

    Args:
        size: N, H and W; the sides are multiples of 8.
        rng: draws it, on the CPU.
    """
    count, height, width = size
    return {
        level: torch.randn((count, 1, height >> depth, width >> depth), generator=rng)
        for depth, level in enumerate(STYLED, start=1)
    }


def _convolution(inner: int, outer: int) -> nn.Conv2d:
    return nn.Conv2d(inner, outer, 3, padding=1)
