"""Colours of one picture given to another: a linear map, then the whole distribution.

The map is the linear Monge-Kantorovitch one (Pitié & Kokaram, "The Linear Monge-Kantorovitch
Linear Colour Mapping for Example-Based Colour Transfer", 2007): of all whitening-colouring maps
between two Gaussians it is the one that moves colours least. What it leaves is done by matching
one-dimensional distributions along turned axes, again and again (Pitié, Kokaram & Dahyot,
"Automated colour grading using colour distribution transfer", 2007).

Differs from the papers: both work on a sample of the colours; the picture is mapped through a
smooth table made from it, which keeps its grain quiet. Gains are bounded for flat pictures.
"""

import torch
from torch import Tensor
from torch.nn import functional

MAX_GAIN = 3.0
SAMPLES = 2048
NODES = 13
ROUNDS = 5
SMOOTHNESS = 0.06
LUMA = (0.299, 0.587, 0.114)


def match_colours(content_image: Tensor, style_image: Tensor) -> Tensor:
    """Return the content in the colours of the artwork.

    Shape:
        - content_image: ``(1, 3, H, W)`` in [0, 1].
        - style_image: ``(1, 3, h, w)`` in [0, 1].
        - returns: ``(1, 3, H, W)`` in [0, 1].
    """
    table = colour_table(_sampled(content_image), _sampled(style_image))
    places = content_image.permute(0, 2, 3, 1)[:, None] * 2 - 1
    mapped = functional.grid_sample(table, places, padding_mode="border", align_corners=True)
    matched: Tensor = mapped.squeeze(2)
    return matched


def match_linearly(contents: Tensor, styles: Tensor) -> Tensor:
    """Return contents in the colours of styles as far as one linear map for each takes them.

    Shape:
        - contents, styles: ``(N, 3, H, W)`` in [0, 1], of any sizes; returns contents' shape.
    """
    matched = []
    for content, style in zip(contents, styles, strict=True):
        flat, wanted = content.flatten(1).T, style.flatten(1).T
        gain = monge_kantorovitch(_covariance(flat), _covariance(wanted))
        moved = (flat - flat.mean(0)) @ gain + wanted.mean(0)
        matched.append(moved.T.reshape(content.shape))
    return torch.stack(matched).clamp(0, 1)


def with_colours(painted: Tensor, picture: Tensor) -> Tensor:
    """Return the brightness of what was painted in the colours of the picture (Gatys 2017, 5.1).

    Shape:
        - painted, picture: ``(N, 3, H, W)`` in [0, 1]; returns the same.
    """
    weights = torch.tensor(LUMA, device=picture.device).view(1, 3, 1, 1)
    shift = ((painted - picture) * weights).sum(1, keepdim=True)
    return (picture + shift).clamp(0, 1)


def colour_table(content: Tensor, style: Tensor) -> Tensor:
    """Return new colours for a grid of colours, which give the content those of the artwork.

    Shape:
        - content: ``(K, 3)`` colours.
        - style: ``(K, 3)`` colours.
        - returns: ``(1, 3, B, G, R)``, for ``grid_sample`` at (r, g, b).
    """
    gain = monge_kantorovitch(_covariance(content), _covariance(style))
    moved = (content - content.mean(0)) @ gain + style.mean(0)
    shift = match_distribution(moved, style) - content
    line = torch.linspace(0, 1, NODES, device=content.device)
    nodes = torch.cartesian_prod(line, line, line)
    weights = torch.softmax(torch.cdist(nodes, content).square() / (-2 * SMOOTHNESS**2), 1)
    table = (nodes + weights @ shift).clamp(0, 1)
    return table.view(NODES, NODES, NODES, 3).permute(3, 2, 1, 0)[None]


def match_distribution(colours: Tensor, target: Tensor) -> Tensor:
    """Return the colours moved until, along any axis, they are distributed like the target's.

    Shape:
        - colours: ``(K, 3)``.
        - target: ``(K, 3)``.
        - returns: ``(K, 3)``.
    """
    rng = torch.Generator().manual_seed(0)
    for _ in range(ROUNDS):
        axes = torch.linalg.qr(torch.randn((3, 3), generator=rng))[0].to(colours.device)
        along = colours @ axes
        wanted = (target @ axes).sort(0).values
        ranked = torch.empty_like(along).scatter_(0, along.sort(dim=0, stable=True).indices, wanted)
        colours = colours + 0.3 * (ranked - along) @ axes.T
    return colours


def _sampled(image: Tensor) -> Tensor:
    rng = torch.Generator().manual_seed(0)
    flat = image.flatten(2)[0].T
    return flat[torch.randint(len(flat), (SAMPLES,), generator=rng).to(flat.device)]


def _covariance(colours: Tensor) -> Tensor:
    centred = (colours - colours.mean(0)).to(torch.float64)
    noise = 1e-5 * torch.eye(3, dtype=torch.float64, device=colours.device)
    covariance: Tensor = centred.T @ centred / len(colours) + noise
    return covariance


def monge_kantorovitch(source: Tensor, target: Tensor) -> Tensor:
    r"""Return :math:`A^{-1/2}(A^{1/2} B A^{1/2})^{1/2} A^{-1/2}`, the optimal linear map.

    Gains beyond ``MAX_GAIN`` are cut.

    Shape:
        - source, target: ``(3, 3)`` covariances A and B.
        - returns: ``(3, 3)``, symmetric.
    """
    values, vectors = torch.linalg.eigh(source)
    root = values.clamp_min(1e-6).sqrt()
    half = vectors @ torch.diag(root) @ vectors.T
    inverse = vectors @ torch.diag(1 / root) @ vectors.T
    middle_values, middle_vectors = torch.linalg.eigh(half @ target @ half)
    middle = middle_vectors @ torch.diag(middle_values.clamp_min(0).sqrt()) @ middle_vectors.T
    gains, axes = torch.linalg.eigh(inverse @ middle @ inverse)
    gain: Tensor = axes @ torch.diag(gains.clamp(0, MAX_GAIN)) @ axes.T
    return gain.to(torch.float32)
