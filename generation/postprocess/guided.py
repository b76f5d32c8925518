"""Carrying a small edit over to a full-size picture: the guided filter.

He, Sun & Tang ("Guided Image Filtering", TPAMI 2013) with a colour guide; coefficients are found
at low resolution and applied at high resolution, as in He & Sun ("Fast Guided Filter", 2015).
"""

import torch
from torch import Tensor
from torch.nn import functional


def box_mean(planes: Tensor, radius: int) -> Tensor:
    """Return the mean over square windows, cut off at the borders.

    Shape:
        - planes: ``(N, C, H, W)``; returns the same.
    """
    side = 2 * radius + 1
    return functional.avg_pool2d(planes, side, stride=1, padding=radius, count_include_pad=False)


def affine_model(
    guide: Tensor, target: Tensor, *, radius: int, eps: float
) -> tuple[Tensor, Tensor]:
    """Return the affine colour model that best maps guide to target about every pixel.

    The equations 19 and 20 of the paper, averaged over windows (21).

    Shape:
        - guide: ``(1, 3, h, w)`` in [0, 1].
        - target: ``(1, C, h, w)``.
        - returns: slopes ``(1, C * 3, h, w)`` and offsets ``(1, C, h, w)``.
    """
    _, channels, height, width = target.shape
    mean_guide, mean_target = box_mean(guide, radius), box_mean(target, radius)
    outer = (guide.unsqueeze(2) * guide.unsqueeze(1)).flatten(1, 2)
    cross = (target.unsqueeze(2) * guide.unsqueeze(1)).flatten(1, 2)
    squared = (mean_guide.unsqueeze(2) * mean_guide.unsqueeze(1)).flatten(1, 2)
    product = (mean_target.unsqueeze(2) * mean_guide.unsqueeze(1)).flatten(1, 2)
    covariance = (box_mean(outer, radius) - squared).view(3, 3, -1).permute(2, 0, 1)
    shared = (box_mean(cross, radius) - product).view(channels, 3, -1).permute(2, 1, 0)
    ridge = eps * torch.eye(3, dtype=guide.dtype, device=guide.device)
    slopes = torch.linalg.solve(covariance + ridge, shared).permute(2, 1, 0)
    slopes = slopes.reshape(1, channels * 3, height, width)
    explained = (slopes.view(1, channels, 3, height, width) * mean_guide.unsqueeze(1)).sum(dim=2)
    return box_mean(slopes, radius), box_mean(mean_target - explained, radius)


def apply_model(slopes: Tensor, offsets: Tensor, picture: Tensor) -> Tensor:
    """Return a full-size picture mapped by a model found at low resolution.

    Shape:
        - picture: ``(1, 3, H, W)``.
        - returns: ``(1, C, H, W)``.
    """
    size = picture.shape[-2:]
    result = functional.interpolate(offsets, size=size, mode="bilinear", align_corners=False)
    for channel in range(offsets.shape[1]):
        part = slopes[:, 3 * channel : 3 * channel + 3]
        large = functional.interpolate(part, size=size, mode="bilinear", align_corners=False)
        result[:, channel] += (large * picture).sum(dim=1)
    return result


def transfer(picture: Tensor, *, guide: Tensor, target: Tensor, radius: int, eps: float) -> Tensor:
    """Return the full-size picture, changed as ``guide`` was changed to ``target``.

    Shape:
        - picture: ``(1, 3, H, W)``; guide: ``(1, 3, h, w)``; target: ``(1, C, h, w)``.
        - returns: ``(1, C, H, W)``, clamped to [0, 1].
    """
    slopes, offsets = affine_model(guide, target, radius=radius, eps=eps)
    return apply_model(slopes, offsets, picture).clamp(0, 1)
