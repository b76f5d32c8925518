"""Nearest-patch synthesis, then a collage over it: the picture is built as the artwork is.

The synthesis follows Kwatra et al. ("Texture Optimization for Example-based Synthesis", SIGGRAPH
2005) and, for a picture that it is to look like, Elad & Milanfar ("Style-Transfer via
Texture-Synthesis", TIP 2017): expectation-maximisation of nearest patches, coarse to fine.

Differs from these: patches are compared by their principal components; a patch that is used too
often is made less near; patches are averaged with fixed weights; the finest size is the collage's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from generation.pipelines.collage import CollagePipeline, CollageRow
from generation.pipelines.collage_patches import nearest
from generation.pipelines.img2img_finish import resized
from generation.request import ImageRequest

SIDE, STRIDE = 9, 3
"""Of patches in pixels, and between two of them."""
SCALES = (64, 128, 256)
ROUNDS = 3
"""At each scale."""
ARTWORK = 1.2
"""How much larger than the picture the artwork is, at every scale."""
PATCHES = 4096
COMPONENTS = 32
CHUNK = 2048
CONTENT_SHARES = (0.55, 0.35, 0.2)
"""Of the picture beside the patches, after each round of a scale."""
OVERUSE = 0.08
"""How much farther away a patch seems for each time above the mean that it was used."""
MOST_OVERUSE = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """Patches of an artwork at one scale.

    Shape:
        - patches: ``(M, 243)``.
        - mean: ``(243,)``; axes: ``(243, 32)``, orthonormal.
        - features: ``(M, 32)``.
        - bias: ``(M,)``, half of the squared norms.
    """

    patches: Tensor
    mean: Tensor
    axes: Tensor
    features: Tensor
    bias: Tensor


@dataclass(slots=True, kw_only=True)
class HybridRow(CollageRow):
    """One picture being built, then painted.

    Args:
        palettes: of the scales so far.
        overuse: of the patches of this scale.

    Shape:
        - built: ``(1, 3, h, w)``, the synthesis at the scale it is at.
    """

    built: Tensor
    palettes: dict[int, Palette] = field(default_factory=dict)
    overuse: Tensor | None = None


class HybridPipeline(CollagePipeline):
    """Builds pictures of an artwork's patches, then paints over them as the collage does."""

    @torch.inference_mode()
    def admit(self, request: ImageRequest) -> HybridRow:
        """Match the colours and make a row.

        Raises:
            InvalidRequestError: there is no artwork.
        """
        plain = CollagePipeline.admit(self, request)
        before = len(SCALES) * ROUNDS
        row = HybridRow(
            **{name: getattr(plain, name) for name in CollageRow.__dataclass_fields__},
            built=_sized(plain.target, SCALES[0]),
        )
        if row.total_steps:
            row.before, row.total_steps = before, before + row.total_steps
        row.bucket = "hybrid"
        return row

    @torch.inference_mode()
    def advance(self, rows: Sequence[CollageRow]) -> None:
        """Take one round of the synthesis, or paint one level, of every row."""
        for row in rows:
            if isinstance(row, HybridRow) and row.step < row.before:
                self._build(row)
                row.step += 1
            else:
                CollagePipeline.advance(self, [row])

    def _build(self, row: HybridRow) -> None:
        """Replace the synthesis by its nearest patches; after the last round paint on it."""
        scale, turn = divmod(row.step, ROUNDS)
        side = SCALES[scale]
        target = _sized(row.target, side)
        palette = row.palettes.get(side) or _palette(
            _sized(row.style.image, round(side * ARTWORK)), seed=row.request.seed + scale
        )
        height, width = target.shape[-2:]
        built = resized(row.built, height=height, width=width)
        used = row.overuse if turn else None
        made, overuse = synthesised(built, palette, overuse=used)
        made = made.lerp(target, CONTENT_SHARES[turn])
        row.palettes = {side: palette}
        row.built, row.overuse = made, overuse
        height, width = row.target.shape[-2:]
        large = resized(made, height=height, width=width)
        row.canvas = large
        if row.step == row.before - 1:
            row.target = large


def synthesised(
    built: Tensor, palette: Palette, *, overuse: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the average of every place's nearest patches, and how far each was overused.

    Shape:
        - built: ``(1, 3, H, W)``, a side at least 9; the result is the same.
        - overuse: ``(M,)``, of the round before.
    """
    height, width = built.shape[-2:]
    padded = functional.pad(
        built, (SIDE, SIDE + -(width - SIDE) % STRIDE, SIDE, SIDE + -(height - SIDE) % STRIDE),
        mode="replicate",
    )  # fmt: skip
    queries = (_patches(padded) - palette.mean) @ palette.axes
    bias = palette.bias
    if overuse is not None:
        bias = bias + OVERUSE * bias.mean() * overuse
    chunks = torch.split(queries, CHUNK)
    found = torch.cat([nearest(chunk, palette.features, bias=bias) for chunk in chunks])
    counts = torch.bincount(found, minlength=len(bias)).to(built)
    expected = max(1.0, len(found) / len(bias))
    overused = (counts / expected - 1).clamp(0, MOST_OVERUSE)
    averaged = _averaged(palette.patches[found], size=padded.shape[-2:])
    return averaged[..., SIDE : SIDE + height, SIDE : SIDE + width], overused


def _patches(image: Tensor) -> Tensor:
    """Return all patches of a picture, each ``STRIDE`` pixels from the next.

    Shape:
        - image: ``(1, 3, H, W)``; returns ``(K, 243)``.
    """
    return functional.unfold(image, SIDE, stride=STRIDE)[0].T


def _averaged(patches: Tensor, *, size: torch.Size) -> Tensor:
    """Return the picture that patches make together, each counting most in its middle.

    Shape:
        - patches: ``(K, 243)``, in the order of ``_patches``.
        - returns: ``(1, 3, H, W)``.
    """
    line = torch.arange(SIDE, device=patches.device) - (SIDE - 1) / 2
    bell = torch.exp(-(line[:, None].square() + line.square()) / (2 * (SIDE / 4) ** 2))
    weights = bell.flatten().repeat(3)
    total = (patches * weights).T[None]
    share = weights[:, None].expand(-1, len(patches))[None]
    laid, counted = (
        functional.fold(values, tuple(size), SIDE, stride=STRIDE) for values in (total, share)
    )
    return laid / counted.clamp_min(1e-6)


def _palette(artwork: Tensor, *, seed: int) -> Palette:
    """Cut patches of an artwork at random, upright, mirrored and lying, and find their axes."""
    rng = torch.Generator().manual_seed(seed)
    height, width = artwork.shape[-2:]
    draws = torch.rand((2, PATCHES), generator=rng).to(artwork.device)
    top = (draws[0] * (height - SIDE + 1)).long().clamp_max(height - SIDE)
    left = (draws[1] * (width - SIDE + 1)).long().clamp_max(width - SIDE)
    steps = torch.arange(SIDE, device=artwork.device)
    places = (top * width + left)[:, None, None] + (steps[:, None] * width + steps)
    cut = artwork.flatten(2)[0][:, places].transpose(0, 1)
    parts = cut.chunk(4)
    turned = (parts[0], parts[1].flip(3), parts[2].transpose(2, 3), parts[3].flip(2))
    patches = torch.cat(turned).flatten(1)
    mean = patches.mean(0)
    centred = patches - mean
    covariance = (centred.T @ centred / len(patches)).to(torch.float64)
    axes = torch.linalg.eigh(covariance).eigenvectors[:, -COMPONENTS:].to(patches.dtype)
    features = centred @ axes
    bias = features.square().sum(1) / 2
    return Palette(patches=patches, mean=mean, axes=axes, features=features, bias=bias)


def _sized(image: Tensor, side: int) -> Tensor:
    """Return a picture whose longer side is so long, and no side below a patch's."""
    scale = side / max(image.shape[-2:])
    height, width = (max(SIDE, round(edge * scale)) for edge in image.shape[-2:])
    return resized(image, height=height, width=width)
