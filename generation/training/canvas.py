"""The paper that procedural scenes are painted on: colours together with the truth about them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import zoom

Plane: TypeAlias = NDArray[np.float32]
Point: TypeAlias = tuple[float, float]
Colour: TypeAlias = Sequence[float] | NDArray[np.floating[Any]]

SUPERSAMPLING = 2
TILE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What a painted place is, each between 0 and 1.

    Args:
        sky: open sky.
        foliage: leaves, needles, grass.
        ground: what lies flat under the open sky.
        upward: where falling snow would stay.
        light: windows and lamps, which shine when it gets dark.
        depth: distance, 0 near and 1 far away.
    """

    sky: float = 0.0
    foliage: float = 0.0
    ground: float = 0.0
    upward: float = 0.0
    light: float = 0.0
    depth: float = 0.2

    def values(self) -> Plane:
        """Return the fields in their order, as the last axis of ``Canvas.truth``."""
        fields = (self.sky, self.foliage, self.ground, self.upward, self.light, self.depth)
        return np.array(fields, dtype=np.float32)


@cache
def _noise_bank() -> NDArray[np.float32]:
    """Return 12 noise tiles for each of four grains, coarse to fine, all periodic enough."""
    rng = np.random.default_rng(7)
    bank = np.zeros((4, 12, TILE, TILE), dtype=np.float32)
    for grain, cells in enumerate((4, 16, 48, 128)):
        for tile in range(12):
            small = rng.standard_normal((cells, cells)).astype(np.float32)
            large = zoom(small, TILE / cells, order=3 if cells < TILE else 0)
            bank[grain, tile] = (large - large.mean()) / large.std()
    return bank


def noise(rng: np.random.Generator, size: int, *, grains: Colour) -> Plane:
    """Return noise of unit order: a weighted sum of grains, coarse to fine.

    Shape:
        - returns: ``(size, size)``, about normal, scaled to the weights' norm of 1.
    """
    total = np.zeros((size, size), dtype=np.float32)
    for grain, weight in enumerate(grains):
        if weight:
            tile = _noise_bank()[grain, rng.integers(12)]
            y, x = rng.integers(0, TILE - size, 2)
            total += weight * tile[y : y + size, x : x + size]
    return total / np.float32(np.linalg.norm(grains))


class Canvas:
    """An RGB picture with its truth, painted back to front.

    Shape:
        - rgb: ``(size, size, 3)`` in [0, 1].
        - truth: ``(size, size, 6)``, the fields of ``Truth``.
    """

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self.size = size
        self.rng = rng
        self.rgb = np.full((size, size, 3), 0.5, dtype=np.float32)
        self.truth = np.zeros((size, size, 6), dtype=np.float32)
        axis = (np.arange(size, dtype=np.float32) + 0.5) / size
        self.x, self.y = np.meshgrid(axis, axis)

    def polygon(self, *shapes: Iterable[Point]) -> Plane:
        """Return the smooth-edged mask of polygons, in units of the canvas's side."""
        return self._drawn(polygons=shapes)

    def ellipse(self, *boxes: tuple[float, float, float, float]) -> Plane:
        """Return the smooth-edged mask of ellipses, each (left, top, right, bottom)."""
        return self._drawn(ellipses=boxes)

    def box(self, *boxes: tuple[float, float, float, float]) -> Plane:
        """Return the smooth-edged mask of rectangles, each (left, top, right, bottom)."""
        return self._drawn(boxes=boxes)

    def _drawn(
        self,
        *,
        polygons: Iterable[Iterable[Point]] = (),
        ellipses: Iterable[tuple[float, float, float, float]] = (),
        boxes: Iterable[tuple[float, float, float, float]] = (),
    ) -> Plane:
        side = self.size * SUPERSAMPLING
        paper = Image.new("L", (side, side))
        draw = ImageDraw.Draw(paper)
        for shape in polygons:
            draw.polygon([(x * side, y * side) for x, y in shape], fill=255)
        for left, top, right, bottom in ellipses:
            draw.ellipse((left * side, top * side, right * side, bottom * side), fill=255)
        for left, top, right, bottom in boxes:
            draw.rectangle((left * side, top * side, right * side, bottom * side), fill=255)
        small = np.asarray(paper.reduce(SUPERSAMPLING), dtype=np.float32)
        return small / np.float32(255)

    def below(self, height: NDArray[np.floating[Any]] | float) -> Plane:
        """Return the soft mask of what lies under a skyline (y grows downwards)."""
        soft = (self.y - height) * self.size + 0.5
        mask: Plane = np.clip(soft, 0, 1).astype(np.float32)
        return mask

    def paint(
        self,
        mask: Plane,
        colour: Colour,
        *,
        truth: Truth,
        texture: float = 0.08,
        grains: Colour = (0.6, 0.6, 0.5, 0.5),
    ) -> None:
        """Cover a mask with a colour whose brightness varies, and with its truth."""
        paint = np.asarray(colour, dtype=np.float32)
        if texture:
            shade = 1 + texture * noise(self.rng, self.size, grains=grains)
            paint = paint * shade[..., None]
        cover = mask[..., None]
        self.rgb += cover * (paint - self.rgb)
        self.truth += cover * (truth.values() - self.truth)
