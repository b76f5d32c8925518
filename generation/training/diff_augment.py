"""Differentiable augmentation (Zhao, Liu, Lin, Zhu & Han, NeurIPS 2020), for few data.

Data and what is made are changed alike before the discriminator sees them, by changes that a
gradient passes: colours, places, and a square left out.
"""

import torch
from torch import Tensor

POLICIES = ("none", "translation", "colour+translation+cutout")
SHIFT, CUT = 0.125, 0.5
"""Of the side: the farthest that pictures move, and the square that is left out."""


def augmented(pictures: Tensor, *, policy: str, rng: torch.Generator) -> Tensor:
    """Return pictures changed by a policy, each by chances of its own.

    Shape:
        - pictures: ``(N, 3, H, W)``, about [-1, 1]; returns the same.
    """
    for name in policy.split("+"):
        if name != "none":
            pictures = CHANGES[name](pictures, rng)
    return pictures


def _chances(pictures: Tensor, rng: torch.Generator) -> Tensor:
    return torch.rand(len(pictures), 1, 1, 1, generator=rng).to(pictures.device)


def _colour(pictures: Tensor, rng: torch.Generator) -> Tensor:
    """Change brightness by up to 0.5, saturation up to twice, contrast by up to a half."""
    x = pictures + _chances(pictures, rng) - 0.5
    grey = x.mean(dim=1, keepdim=True)
    x = grey + (x - grey) * (2 * _chances(pictures, rng))
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (x - mean) * (_chances(pictures, rng) + 0.5)


def _translation(pictures: Tensor, rng: torch.Generator) -> Tensor:
    """Move pictures by up to an eighth of their side; what comes in is 0."""
    count, _, height, width = pictures.shape
    farthest = int(height * SHIFT + 0.5)
    moves = torch.randint(-farthest, farthest + 1, (count, 2), generator=rng)
    padded = torch.nn.functional.pad(pictures, (farthest,) * 4)
    return torch.stack(
        [
            each[:, farthest + down : farthest + down + height, farthest + right :][:, :, :width]
            for each, (down, right) in zip(padded, moves.tolist(), strict=True)
        ]
    )


def _cutout(pictures: Tensor, rng: torch.Generator) -> Tensor:
    """Leave a square out, half as wide as the picture, that may reach over its border."""
    count, _, height, width = pictures.shape
    side = int(height * CUT + 0.5)
    centres = torch.rand(count, 2, generator=rng) * torch.tensor([height, width])
    y, x = torch.arange(height), torch.arange(width)
    rows = (y[None] - centres[:, :1]).abs() <= side / 2
    columns = (x[None] - centres[:, 1:]).abs() <= side / 2
    kept = ~(rows[:, :, None] & columns[:, None, :])
    return pictures * kept.unsqueeze(1).to(pictures)


CHANGES = {"colour": _colour, "translation": _translation, "cutout": _cutout}
