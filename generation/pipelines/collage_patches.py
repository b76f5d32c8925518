"""Patches of an artwork: cutting, comparing by thumbnails, painting through torn masks."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

THUMB = 6
TURNS = 12
MASKS = 16
FEATURES = 111


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How patches are compared.

    Args:
        mean_weight: how much mean colours count against shapes.
        texture_weight: how much a patch with texture is preferred to a flat one.
    """

    mean_weight: float
    texture_weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bank:
    """Places of an artwork at one patch size, with what they look like from afar.

    Shape:
        - centres: ``(M, 2)``, y and x.
        - angles: ``(M,)``, radians.
        - features: ``(M, 111)``, what :func:`features` returns.
        - means: ``(M, 3)``, mean colours.
        - bias: ``(M,)``, added to half the squared distance.
    """

    patch: int
    centres: Tensor
    angles: Tensor
    features: Tensor
    means: Tensor
    bias: Tensor


def offsets(count: int, spacing: float, *, device: torch.device) -> Tensor:
    """Return the places of a square grid around 0.

    Shape:
        - returns: ``(count * count, 2)``, y and x.
    """
    line = (torch.arange(count, device=device) - (count - 1) / 2) * spacing
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([y.flatten(), x.flatten()], -1)


def turned(places: Tensor, angles: Tensor) -> Tensor:
    """Return a grid of places turned by each of some angles.

    Shape:
        - places: ``(P, 2)``.
        - angles: ``(K,)``.
        - returns: ``(K, P, 2)``.
    """
    cos, sin = angles.cos()[:, None], angles.sin()[:, None]
    y, x = places[:, 0], places[:, 1]
    return torch.stack([cos * y + sin * x, cos * x - sin * y], -1)


def sample(image: Tensor, places: Tensor) -> Tensor:
    """Return the colours at places between pixels, mirrored at the border.

    Shape:
        - image: ``(1, 3, H, W)``.
        - places: ``(K, P, 2)``, y and x in pixels (0 is the middle of the first).
        - returns: ``(3, K, P)``.
    """
    height, width = image.shape[-2:]
    size = places.new_tensor([width, height])
    grid = places.flip(-1).add_(0.5).mul_(2 / size).sub_(1)
    return functional.grid_sample(
        image, grid[None], mode="bilinear", padding_mode="reflection", align_corners=False
    )[0]


def box_blur(image: Tensor, side: int, *, stride: int = 1) -> Tensor:
    """Return the picture averaged over squares of an odd side, around every ``stride``-th pixel."""
    reach = side // 2
    if reach == 0 and stride == 1:
        return image
    padded = functional.pad(image, (reach, reach, reach, reach), mode="replicate")
    across = _averaged(padded, 2 * reach + 1, stride=stride)
    return _averaged(across.transpose(2, 3), 2 * reach + 1, stride=stride).transpose(2, 3)


def _averaged(image: Tensor, count: int, *, stride: int) -> Tensor:
    """Return means of neighbours along the last axis.

    Sums of shifted pictures take a tenth of the time of ``avg_pool2d`` on a CPU.
    """
    ends = range(image.shape[-1] - count + 1, image.shape[-1] + 1)
    total = image[..., : ends[0] : stride].clone()
    for start, end in enumerate(ends[1:], start=1):
        total += image[..., start:end:stride]
    return total.div_(count)


def thumbnails(image: Tensor, centres: Tensor, *, angles: Tensor, patch: int) -> Tensor:
    """Return thumbnails of patches, 6 x 6.

    Shape:
        - image: ``(1, 3, H, W)``.
        - centres: ``(K, 2)``.
        - angles: ``(K,)``.
        - returns: ``(K, 3, 36)``.
    """
    side = patch // THUMB
    stride = max(1, side // 3)
    grid = offsets(THUMB, patch / THUMB, device=image.device)
    places = centres[:, None] + turned(grid, angles)
    return sample(box_blur(image, side, stride=stride), places / stride).transpose(0, 1)


def features(thumbs: Tensor, *, mean_weight: float) -> tuple[Tensor, Tensor]:
    """Return what patches are compared by, and their mean colours.

    Shape:
        - thumbs: ``(K, 3, 36)``.
        - returns: ``(K, 111)`` and ``(K, 3)``.
    """
    means = thumbs.mean(2)
    shape = (thumbs - means[..., None]).flatten(1)
    return torch.cat([shape, means * (THUMB * mean_weight)], 1), means


def cut_bank(
    style_image: Tensor, *, patch: int, count: int, look: Look, rng: torch.Generator
) -> Bank:
    """Choose places and turns of an artwork at random.

    Turned corners should lie inside; in artworks too small for that the border is a mirror.
    """
    angles = torch.arange(count) % TURNS * (2 * math.pi / TURNS)
    reach = patch / 2 * (angles.cos().abs() + angles.sin().abs())
    size = torch.tensor(style_image.shape[-2:], dtype=torch.float32)
    free = (size - 2 * reach[:, None]).clamp_min(0)
    # An even patch has its middle between pixels, so that quarter turns are exact copies.
    middle = 0.5 if patch % 2 == 0 else 0.0
    inside = (torch.rand((count, 2), generator=rng) * free).floor()
    centres = torch.where(free > 0, inside + reach[:, None].ceil() - middle, (size - 1) / 2)
    centres, angles = centres.to(style_image.device), angles.to(style_image.device)
    thumbs = thumbnails(style_image, centres, angles=angles, patch=patch)
    found, means = features(thumbs, mean_weight=look.mean_weight)
    texture = _contrast(style_image, centres, side=patch // 2)
    bias = found.square().sum(1) / 2 - look.texture_weight * texture
    return Bank(patch=patch, centres=centres, angles=angles, features=found, means=means, bias=bias)


def _contrast(image: Tensor, centres: Tensor, *, side: int) -> Tensor:
    """Return the standard deviation, summed over channels, of the squares around places."""
    stride = max(1, side // 4)
    mean = box_blur(image, side, stride=stride)
    variance = box_blur(image.square(), side, stride=stride) - mean.square()
    deviation = variance.clamp_min(0).sqrt()
    return sample(deviation, centres[:, None] / stride)[..., 0].sum(0)


def nearest(queries: Tensor, features: Tensor, *, bias: Tensor) -> Tensor:
    """Return the index of the nearest row, where a row's bias replaces half its squared norm.

    Shape:
        - queries: ``(K, D)``.
        - features: ``(M, D)``.
        - bias: ``(M,)``.
        - returns: ``(K,)``.
    """
    return torch.addmm(bias, queries, features.T, alpha=-1).argmin(1)


def torn_masks(patch: int, *, device: torch.device) -> Tensor:
    """Return masks with soft, irregular edges.

    Shape:
        - returns: ``(16, P * P)`` in [0, 1].
    """
    rng = torch.Generator().manual_seed(patch)
    grid = offsets(patch, 2 / patch, device=torch.device("cpu"))
    angle, radius = torch.atan2(grid[:, 0], grid[:, 1]), grid.abs().pow(4).sum(1).pow(0.25)
    edge = torch.full((MASKS, patch * patch), 0.86)
    for waves in (2, 3, 5, 7):
        phase = torch.rand((MASKS, 1), generator=rng) * 2 * math.pi
        height = (torch.rand((MASKS, 1), generator=rng) - 0.5) * 0.34 / waves**0.5
        edge += height * torch.cos(waves * angle[None] + phase)
    soft = max(0.14, 2.0 / patch)
    return ((edge.clamp_max(0.98) - radius) / soft + 0.5).clamp(0, 1).to(device)


def paint(canvas: Tensor, colours: Tensor, *, masks: Tensor, corners: Tensor, patch: int) -> None:
    """Lay patches that do not overlap onto a canvas, in place.

    Shape:
        - canvas: ``(3, H, W)``.
        - colours: ``(3, K, P * P)``.
        - masks: ``(K, P * P)``.
        - corners: ``(K, 2)``, whole numbers.
    """
    width = canvas.shape[-1]
    steps = torch.arange(patch, device=canvas.device)
    square = (steps[:, None] * width + steps).flatten()
    index = (corners[:, 0] * width + corners[:, 1])[:, None] + square
    flat = canvas.view(3, -1)
    below = flat.index_select(1, index.flatten())
    flat.index_copy_(1, index.flatten(), below.lerp_(colours.flatten(1), masks.flatten()))
