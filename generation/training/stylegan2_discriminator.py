"""StyleGAN2's residual discriminator (Karras et al., CVPR 2020, section 4.1)."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from generation.pipelines.stylegan2 import FullyConnected, activated, filtered, resolutions

GROUP = 4
"""Pictures whose spread is told to the last layers, at most."""


class Conv(nn.Module):
    """A convolution whose learning rate is equalised, smoothed before it is thinned out."""

    def __init__(
        self, inputs: int, outputs: int, *, kernel: int, down: int = 1, bias: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self._gain, self._down = 1 / math.sqrt(inputs * kernel**2), down

    def forward(self, x: Tensor) -> Tensor:
        """Return the next feature map; active if the layer has a bias.

        Shape:
            - x: ``(N, I, H, W)``; returns ``(N, O, H / down, W / down)``.
        """
        weight, around = self.weight * self._gain, self.weight.shape[-1] // 2
        if self._down == 1:
            x = functional.conv2d(x, weight, padding=around)
        elif around:
            x = filtered(x, padding=(around + 1, around + 1), gain=1.0)
            x = functional.conv2d(x, weight, stride=2)
        else:
            x = functional.conv2d(filtered(x, down=2, padding=(1, 1), gain=1.0), weight)
        return x if self.bias is None else activated(x, self.bias)


class Block(nn.Module):
    """Two convolutions and a way around them, to half the resolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv0 = Conv(inputs, inputs, kernel=3)
        self.conv1 = Conv(inputs, outputs, kernel=3, down=2)
        self.skip = Conv(inputs, outputs, kernel=1, down=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean of both ways, scaled so that the variance stays."""
        straight: Tensor = self.conv1(self.conv0(x)) + self.skip(x)
        return straight * math.sqrt(0.5)


class Discriminator(nn.Module):
    """Tells data from what a generator made."""

    def __init__(self, *, resolution: int, channels: Mapping[int, int]) -> None:
        super().__init__()
        sizes = resolutions(resolution)
        last = channels[sizes[0]]
        self.fromrgb = Conv(3, channels[resolution], kernel=1)
        self.blocks = nn.Sequential(
            *(Block(channels[size], channels[size // 2]) for size in reversed(sizes[1:]))
        )
        self.conv = Conv(last + 1, last, kernel=3)
        self.fc = FullyConnected(last * sizes[0] ** 2, last, active=True)
        self.out = FullyConnected(last, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the logit of each picture's being data.

        Shape:
            - pictures: ``(N, 3, resolution, resolution)``, about [-1, 1].
            - returns: ``(N,)``.
        """
        x = self.blocks(self.fromrgb(pictures))
        x = self.conv(torch.cat([x, spread(x)], dim=1))
        logits: Tensor = self.out(self.fc(x.flatten(1)))
        return logits[:, 0]


def spread(x: Tensor) -> Tensor:
    """Return how much pictures of a group differ (Karras et al., ICLR 2018, section 3).

    Shape:
        - x: ``(N, C, H, W)``; returns ``(N, 1, H, W)``, the same for a whole group.
    """
    count, _, height, width = x.shape
    group = math.gcd(GROUP, count)
    grouped = x.view(group, count // group, *x.shape[1:])
    deviation = torch.sqrt((grouped - grouped.mean(dim=0)).square().mean(dim=0) + 1e-8)
    figure = deviation.mean(dim=(1, 2, 3)).repeat(group)
    return figure.view(count, 1, 1, 1).expand(-1, 1, height, width)
