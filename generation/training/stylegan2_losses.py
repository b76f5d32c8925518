"""What StyleGAN2 is trained by besides the logistic losses, which are those of ``pipelines.gan``.

Karras et al., CVPR 2020: R1 and path lengths are weighed in at some steps only, and then as many
times more strongly (section 2.3, "lazy regularisation").
"""

import math

import torch
from torch import Tensor

LAZY_R1, LAZY_PATH = 16, 8
"""Steps between two regularisations of the discriminator, and of the generator."""
PATH_KEEP = 0.99
"""Share of the mean path length that stays at every regularisation."""


def r1_penalty(logits: Tensor, pictures: Tensor) -> Tensor:
    """Return ``E[|grad_x D(x)|^2]`` on data (Mescheder, Geiger & Nowozin, ICML 2018, equation 9).

    The loss has it ``gamma / 2`` times.

    Shape:
        - logits: ``(N,)``, of ``pictures``, which need a gradient.
        - returns: ``()``.
    """
    (slope,) = torch.autograd.grad(logits.sum(), pictures, create_graph=True)
    return slope.square().flatten(1).sum(dim=1).mean()


def path_lengths(pictures: Tensor, ws: Tensor, noise: Tensor) -> Tensor:
    """Return ``|J_w^T y|`` of every picture (equation 4), y of N(0, 1) over the root of pixels.

    Shape:
        - pictures: ``(N, 3, H, W)``, made of ``ws``, which need a gradient.
        - ws: ``(N, num_ws, w_dim)``.
        - noise: like pictures, of N(0, 1).
        - returns: ``(N,)``.
    """
    scaled = noise / math.sqrt(pictures.shape[2] * pictures.shape[3])
    (slope,) = torch.autograd.grad((pictures * scaled).sum(), ws, create_graph=True)
    return slope.square().sum(dim=2).mean(dim=1).sqrt()


def path_penalty(lengths: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``E[(length - a)^2]`` (equation 4) and the new mean ``a`` that it was held to.

    Shape:
        - lengths: ``(N,)``; mean: ``()``, of earlier lengths.
    """
    moved = mean.lerp(lengths.mean().detach(), 1 - PATH_KEEP)
    return (lengths - moved).square().mean(), moved
