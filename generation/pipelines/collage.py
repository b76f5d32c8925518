"""Style transfer by patch collage: a picture painted with pieces of an artwork, without weights.

It follows no single paper. Patches chosen by what they look like at the place where they go are
the texture transfer of Efros & Freeman ("Image Quilting for Texture Synthesis and Transfer",
SIGGRAPH 2001); layers from coarse to fine, painting over only where the canvas does not fit yet,
are those of Hertzmann ("Painterly Rendering with Curved Brush Strokes of Multiple Sizes",
SIGGRAPH 1998); colours are matched as in ``collage_colours``.

Differs from these: patches are compared by thumbnails, turned, moved in colour, and laid through
torn masks instead of being cut along a seam; pieces of an artwork take the place of strokes.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from generation.devices import torch_device
from generation.errors import InvalidRequestError
from generation.imaging import to_pixels, to_tensor
from generation.pipelines.base import EngineConfig, Finished, OneByOne
from generation.pipelines.collage_colours import match_colours, with_colours
from generation.pipelines.collage_patches import (
    FEATURES,
    MASKS,
    Bank,
    Look,
    cut_bank,
    features,
    nearest,
    offsets,
    paint,
    sample,
    thumbnails,
    torn_masks,
    turned,
)
from generation.pipelines.kept import Kept, digest
from generation.request import ImageRequest, Pixels

PASSES = 4
NATIVE_SIDE = 640
ARTWORK_SIDE = 768
PREVIEW_SIDE = 256
BYTES_A_PATCH = 4 * (2 + 1 + FEATURES + 3 + 1)
SPACING = 2 / 3
FULL_VARIANCE = 0.05
LOOK = Look(mean_weight=1.6, texture_weight=0.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class CollageConfig:
    """How a collage is made.

    Args:
        patches: sides of the patches in a picture of 640 px, coarse to fine.
        bank_size: patches to choose from in each of the four passes of a level.
        look: how patches are compared.
        mean_shift: how far the mean colour of a patch is moved to the place's.
        thresholds: squared errors from which places are painted over, for strength 1 and a target
            of full contrast.
        variety: noise on the comparison, so that neighbours do not all choose the same patch.
        kept_bytes: of artworks that are kept ready, patches included.
    """

    patches: tuple[int, ...] = (64, 40, 24, 14, 9)
    bank_size: int = 3072
    look: Look = LOOK
    mean_shift: float = 0.35
    thresholds: tuple[float, ...] = (-1.0, 0.008, 0.008, 0.008, 0.024)
    variety: float = 0.03
    kept_bytes: int = 320 * 2**20


@dataclass(slots=True, kw_only=True)
class Style:
    """An artwork at one scale and its patches, cut when a level first asks for them."""

    image: Tensor
    banks: dict[int, Bank] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class CollageRow:
    """One picture being painted.

    Args:
        before: steps that come before those of the patches.

    Shape:
        - content, target, canvas: ``(1, 3, H, W)`` in [0, 1]; target is the content in the
          artwork's colours.
        - leniency: scales the thresholds.
    """

    request: ImageRequest
    bucket: Hashable
    total_steps: int
    patches: tuple[int, ...]
    style: Style
    content: Tensor
    target: Tensor
    canvas: Tensor
    leniency: float
    step: int = 0
    before: int = 0
    width: int = 1

    @property
    def level(self) -> int:
        """Which size of patches is next."""
        return self.step - self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Where a level is painted.

    Shape:
        - centres: ``(K, 2)``, half or whole numbers, on the padded canvas.
        - passes: ``(K,)``, -1 where the canvas fits already.
        - queries: ``(K, 111)``.
        - means: ``(K, 3)``, mean colours of the target.
        - masks: ``(K,)``, which mask to paint through.
    """

    centres: Tensor
    passes: Tensor
    queries: Tensor
    means: Tensor
    masks: Tensor


class CollagePipeline(OneByOne):
    """Paints pictures with pieces of artworks; one step is one size of patches."""

    def __init__(self, *, device: torch.device, config: CollageConfig | None = None) -> None:
        """Set the method up on a device."""
        self._device = device
        self._config = config or CollageConfig()
        self._styles: Kept[Style] = Kept(max_bytes=self._config.kept_bytes, size_of=self._size)

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Self:
        """Set the method up; there is nothing to load, whatever the name."""
        del model
        return cls(device=torch_device(config.device))

    @torch.inference_mode()
    def admit(self, request: ImageRequest) -> CollageRow:
        """Match the colours and make a row.

        Raises:
            InvalidRequestError: there is no artwork.
        """
        if request.style_image is None:
            raise InvalidRequestError("a collage needs an artwork (style_image)")
        content = to_tensor(request.picture, device=self._device)
        scale = min(max(max(content.shape[-2:]) / NATIVE_SIDE, 0.6), 1.6)
        style = self._style(request.style_image, side=round(ARTWORK_SIDE * scale))
        patches = tuple(round(patch * scale) for patch in self._config.patches)
        matched = match_colours(content, style.image)
        target = torch.lerp(content, matched, min(1.0, request.strength / 0.6))
        return CollageRow(
            request=request,
            bucket="collage",
            total_steps=len(patches) if request.strength > 0 else 0,
            patches=patches,
            style=style,
            content=content,
            target=target,
            canvas=target,
            leniency=request.strength * _contrast(target),
        )

    @torch.inference_mode()
    def advance(self, rows: Sequence[CollageRow]) -> None:
        """Paint one level of every row."""
        painted = [self._level(row) for row in rows]
        for row, canvas in zip(rows, painted, strict=True):
            row.canvas = canvas
            row.step += 1

    @torch.inference_mode()
    def preview(self, row: CollageRow) -> Pixels:
        """Return the canvas as it is, at most 256 px a side."""
        height, width = row.canvas.shape[-2:]
        shrink = min(1.0, PREVIEW_SIDE / max(height, width))
        size = (max(1, round(height * shrink)), max(1, round(width * shrink)))
        return to_pixels(functional.interpolate(self._blended(row), size=size, mode="area"))

    @torch.inference_mode()
    def retire(self, row: CollageRow) -> Finished:
        """Return the finished picture; at strength 0 that is the input itself."""
        sizes = ",".join(map(str, row.patches)) if row.total_steps else "none"
        image = to_pixels(self._blended(row)) if row.total_steps else row.request.picture
        return Finished(image=image, parameters=(("patches", sizes),))

    def _blended(self, row: CollageRow) -> Tensor:
        """Return the canvas laid over the content, nearly opaque from strength 0.7 on."""
        canvas = torch.lerp(row.content, row.canvas, 1 - (1 - row.request.strength) ** 3)
        manner = row.request.manner
        return with_colours(canvas, row.content) if manner and manner.keep_colours else canvas

    @property
    def counted(self) -> Mapping[str, int]:
        """Artworks that were kept ready, and artworks that were not."""
        return {"artwork_hits": self._styles.hits, "artwork_misses": self._styles.misses}

    def _size(self, style: Style) -> int:
        """Return the bytes of an artwork once the patches of every size are cut."""
        patches = len(self._config.patches) * PASSES * self._config.bank_size
        return style.image.nbytes + patches * BYTES_A_PATCH

    def _style(self, artwork: Pixels, *, side: int) -> Style:
        key = (digest(artwork), side)
        style = self._styles.get(key)
        if style is None:
            image = to_tensor(artwork, device=self._device)
            shrink = side / max(artwork.width, artwork.height)
            size = [max(1, round(edge * shrink)) for edge in image.shape[-2:]]
            image = functional.interpolate(image, size=size, mode="bilinear", antialias=True)
            style = Style(image=image)
            self._styles.put(key, style)
        return style

    def _bank(self, style: Style, patch: int) -> Bank:
        if patch not in style.banks:
            style.banks[patch] = cut_bank(
                style.image,
                patch=patch,
                count=PASSES * self._config.bank_size,
                look=self._config.look,
                rng=torch.Generator().manual_seed(patch),
            )
        return style.banks[patch]

    def _level(self, row: CollageRow) -> Tensor:
        """Return the canvas painted over with one size of patches, wherever it does not fit."""
        patch = row.patches[row.level]
        rng = torch.Generator().manual_seed(row.request.seed * len(row.patches) + row.level)
        margin = 2 * patch
        canvas, target = (
            functional.pad(image, (margin, margin, margin, margin), mode="replicate")
            for image in (row.canvas, row.target)
        )
        threshold = self._config.thresholds[row.level] * row.leniency
        plan = self._plan(canvas, target, patch=patch, threshold=threshold, rng=rng)
        bank = self._bank(row.style, patch)
        for turn, part in enumerate(torch.randperm(PASSES, generator=rng).tolist()):
            here = (plan.passes == turn).nonzero()[:, 0]
            some = slice(part * self._config.bank_size, (part + 1) * self._config.bank_size)
            self._paint(canvas, row.style.image, plan=plan, bank=bank, here=here, some=some)
        return canvas[..., margin:-margin, margin:-margin].clamp(0, 1)

    def _plan(
        self,
        canvas: Tensor,
        target: Tensor,
        *,
        patch: int,
        threshold: float,
        rng: torch.Generator,
    ) -> Plan:
        centres, passes = _places(canvas, patch=patch, rng=rng)
        masks = torch.randint(MASKS, (len(centres),), generator=rng)
        noise = self._config.variety * torch.randn((len(centres), FEATURES), generator=rng)
        centres, passes, masks, noise = (
            values.to(canvas.device) for values in (centres, passes, masks, noise)
        )
        straight = torch.zeros(len(centres), device=canvas.device)
        wanted = thumbnails(target, centres, angles=straight, patch=patch)
        there = thumbnails(canvas, centres, angles=straight, patch=patch)
        queries, means = features(wanted, mean_weight=self._config.look.mean_weight)
        return Plan(
            centres=centres,
            passes=torch.where(_misfit(wanted, there) >= threshold, passes, -1),
            queries=queries + noise,
            means=means,
            masks=masks,
        )

    def _paint(
        self,
        canvas: Tensor,
        style_image: Tensor,
        *,
        plan: Plan,
        bank: Bank,
        here: Tensor,
        some: slice,
    ) -> None:
        """Paint the places ``here`` with the nearest of ``some`` patches of the bank, in place."""
        if len(here) == 0:
            return
        found = nearest(plan.queries[here], bank.features[some], bias=bank.bias[some]) + some.start
        grid = offsets(bank.patch, 1.0, device=canvas.device)
        places = bank.centres[found][:, None] + turned(grid, bank.angles[found])
        shift = self._config.mean_shift * (plan.means[here] - bank.means[found])
        paint(
            canvas[0],
            sample(style_image, places) + shift.T[..., None],
            masks=torn_masks(bank.patch, device=canvas.device)[plan.masks[here]],
            corners=(plan.centres[here] - (bank.patch - 1) / 2).round().long(),
            patch=bank.patch,
        )


def _contrast(target: Tensor) -> float:
    """Return the variance of a picture's colours as a share of a contrasty picture's."""
    return min(1.0, float(target.flatten(2).var(2, correction=0).mean()) / FULL_VARIANCE)


def _misfit(wanted: Tensor, there: Tensor) -> Tensor:
    """Return how wrong a place is: the squared error of its mean colour, and of its shape.

    Where the target is flat, strokes on the canvas are style and no error: the error of the shape
    counts no more than the target has shape itself. Thumbnails are compared at 3 x 3.
    """
    wanted, there = (thumbs.view(-1, 3, 3, 2, 3, 2).mean((3, 5)) for thumbs in (wanted, there))
    means = wanted.mean((2, 3), keepdim=True), there.mean((2, 3), keepdim=True)
    shapes = wanted - means[0], there - means[1]
    error = (shapes[0] - shapes[1]).square().mean((1, 2, 3))
    shape = shapes[0].square().mean((1, 2, 3))
    return (means[0] - means[1]).square().mean((1, 2, 3)) + torch.minimum(error, 2 * shape)


def _places(canvas: Tensor, *, patch: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return jittered places and the pass, 0 to 3, in which each is painted.

    Places of one pass are so far apart that their patches never overlap.
    """
    height, width = canvas.shape[-2:]
    spacing = math.ceil(patch * SPACING)
    rows = torch.arange(2 * patch - spacing, height - 2 * patch + 1, spacing)
    columns = torch.arange(2 * patch - spacing, width - 2 * patch + 1, spacing)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    reach = (2 * spacing - patch) // 4
    corners = torch.stack([y.flatten(), x.flatten()], -1)
    corners = corners + torch.randint(-reach, reach + 1, corners.shape, generator=rng)
    odd = (torch.arange(len(rows)) % 2)[:, None] * 2 + (torch.arange(len(columns)) % 2)
    passes = odd.flatten()
    return corners + (patch - 1) / 2, passes
