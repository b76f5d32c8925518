"""Procedural textures by family: what the style encoder learns to tell apart.

A texture paints an underpainting (a scene or clouds of colour, in colours drawn anew) in one
family's manner. Its grain (the size of a stroke, dot or stone) and its direction are known.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from generation.training.artworks_tools import (
    Array,
    Canvas,
    coordinates,
    lit,
    mix,
    noise,
    ramp,
    smoothstep,
)
from generation.training.scenes import paint_scene


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a texture is painted over.

    Args:
        grain: size of a stroke, dot or stone, in pixels.
        angle: direction in radians; families without one take no notice.

    Shape:
        - under: ``(S, S, 3)``, in [0, 1].
        - tone: ``(S, S)``, its brightness.
    """

    rng: np.random.Generator
    under: Array
    tone: Array
    palette: Array
    grain: float
    angle: float

    @property
    def size(self) -> int:
        """Side in pixels."""
        return len(self.tone)

    def noise(self, scale: float, *, octaves: int = 3) -> Array:
        """Return smooth noise around 0."""
        return noise(self.rng, scale, octaves=octaves, shape=self.tone.shape)

    def axes(self, *, turn: float = 0.0, wave: float = 0.0) -> tuple[Array, Array]:
        """Return the place of every pixel along and across the direction, in grains."""
        y, x = coordinates(self.size, self.size)
        y, x = y + wave * self.noise(self.size / 2), x + wave * self.noise(self.size / 2)
        cos, sin = math.cos(self.angle + turn), math.sin(self.angle + turn)
        return (x * cos + y * sin) / self.grain, (y * cos - x * sin) / self.grain


@dataclass(frozen=True, slots=True, kw_only=True)
class Texture:
    """A painted texture and what is known of it.

    Args:
        directed: whether the family has a direction.

    Shape:
        - colour: ``(S, S, 3)``, in [0, 1].
    """

    colour: Array
    grain: float
    angle: float
    directed: bool


Paint = Callable[[Ground], Array]


def strokes(ground: Ground) -> Array:
    """Lay strokes of a bristle brush along a direction that wanders."""
    canvas = Canvas(ground.under, ground.rng)
    angles = ground.angle + 0.5 * ground.noise(ground.size / 2, octaves=2)
    length = ground.grain * ground.rng.uniform(2.5, 5)
    for scale, density in ((1.0, 2.2), (0.6, 1.6)):
        canvas.cover(
            ground.under, angles=angles, length=length * scale, width=ground.grain * scale,
            density=density, tint=0.06,
        )  # fmt: skip
    return lit(canvas.colour, canvas.height, strength=ground.rng.uniform(0.3, 1.8), gloss=0.3)


def whirls(ground: Ground) -> Array:
    """Lay strokes around vortices."""
    y, x = coordinates(ground.size, ground.size)
    turn = np.zeros_like(x)
    for _ in range(4):
        cy, cx = ground.rng.uniform(0, ground.size, 2)
        turn = turn + np.arctan2(y - cy, x - cx) * (np.hypot(y - cy, x - cx) < ground.size / 2.5)
    canvas = Canvas(ground.under, ground.rng)
    canvas.cover(
        ground.under, angles=turn + math.pi / 2, length=ground.grain * 4, width=ground.grain,
        density=3.0, tint=0.07, bend=0.3,
    )  # fmt: skip
    return lit(canvas.colour, canvas.height, strength=0.9, gloss=0.2)


def dots(ground: Ground) -> Array:
    """Set dots of divided colour."""
    paper = np.broadcast_to(ground.palette[-1], ground.under.shape)
    canvas = Canvas(paper, ground.rng)
    for scale in (1.0, 0.7):
        canvas.dots(
            ground.under, radius=ground.grain * scale / 2, density=1.4, tint=0.08, stray=0.06
        )
    return lit(canvas.colour, canvas.height, strength=0.4)


def hatching(ground: Ground) -> Array:
    """Carve lines that swell with the shade."""
    _, across = ground.axes(wave=ground.grain)
    return mix(ground.palette[-1], ground.palette[0], _carved(across, 1 - ground.tone))


def crossed(ground: Ground) -> Array:
    """Cross lines of a pen, more of them where it is darker."""
    ink = np.zeros_like(ground.tone)
    for turn, limit in ((0.0, 0.75), (math.pi / 2, 0.5), (math.pi / 4, 0.3)):
        _, across = ground.axes(turn=turn, wave=ground.grain / 2)
        line = _carved(across, np.full_like(ink, 0.25))
        ink = np.maximum(ink, line * (ground.tone < limit + 0.05 * ground.noise(12)))
    return mix(ground.palette[-1], ground.palette[0], 0.9 * ink)


def glass(ground: Ground) -> Array:
    """Set panes of one colour each in dark lead."""
    cell, edge, places = _cells(ground, spacing=2.2 * ground.grain)
    colour = ground.under[places[:, 0], places[:, 1]][cell]
    light = 1 + 0.15 * ground.noise(ground.grain * 2) + 0.1 * np.tanh(edge / ground.grain)
    lead = smoothstep(1, -1, edge - ground.grain * 0.16)
    return mix(np.clip(colour * light[..., None], 0, 1), ground.palette[0] * 0.3, lead)


def facets(ground: Ground) -> Array:
    """Fold paper: cells of one colour each, shaded by their tilt."""
    cell, _, places = _cells(ground, spacing=2.5 * ground.grain)
    y, x = coordinates(ground.size, ground.size)
    tilt = ground.rng.normal(0, 0.12, (2, len(places))) / ground.grain
    shade = (x - places[cell, 1]) * tilt[0, cell] + (y - places[cell, 0]) * tilt[1, cell]
    colour = ground.under[places[:, 0], places[:, 1]][cell]
    folded: Array = np.clip(colour * (1 + shade)[..., None], 0, 1)
    return folded


def stones(ground: Ground) -> Array:
    """Lay small stones in bent rows, with grout between them."""
    along, across = ground.axes(wave=3 * ground.grain)
    row = np.floor(across).astype(np.intp)
    along = along + ground.rng.uniform(0, 1, 997)[row % 997]
    column = np.floor(along).astype(np.intp)
    key = (row * 7919 + column * 104729) % 65536
    gap = 0.5 - np.maximum(np.abs(along - column - 0.5), np.abs(across - row - 0.5))
    chance = ground.rng.random((65536, 3)).astype(np.float32)[key]
    smooth = ndimage.uniform_filter(ground.under, (ground.grain, ground.grain, 0))
    stone = smoothstep(0.05, 0.14, gap + 0.02 * ground.noise(7))
    colour = np.clip(smooth * (0.8 + 0.4 * chance[..., :1]) + 0.1 * (chance - 0.5), 0, 1)
    return lit(mix(ground.palette[-1] * 0.8, colour, stone), stone, strength=0.6)


def washes(ground: Ground) -> Array:
    """Lay transparent washes that pool at their edges, on rough paper."""
    paper = np.full_like(ground.under, 0.97)
    for level in (0.85, 0.65, 0.45, 0.25):
        mask = smoothstep(0.04, -0.04, ground.tone - level + 0.08 * ground.noise(ground.grain * 4))
        wide = ndimage.gaussian_filter(mask, ground.grain / 2)
        depth = mask * (0.55 + 0.25 * ground.noise(30)) + 1.2 * np.clip(mask - wide, 0, 1) * mask
        density = -np.log(np.clip(ground.under, 0.06, 0.99)) * 0.5
        paper = paper * np.exp(-density * np.clip(depth, 0, 2)[..., None])
    grain = ndimage.gaussian_filter(ground.rng.standard_normal(ground.tone.shape), 0.9)
    washed: Array = np.clip(paper + 0.05 * grain[..., None], 0, 1)
    return washed


def chalk(ground: Ground) -> Array:
    """Rub chalk over dark, rough paper."""
    canvas = Canvas(np.broadcast_to(ground.palette[0] * 0.6, ground.under.shape), ground.rng)
    canvas.cover(
        ground.under, angles=np.full_like(ground.tone, ground.angle), length=ground.grain * 4,
        width=ground.grain * 1.3, density=2.5, tint=0.05, wander=0.1,
    )  # fmt: skip
    tooth = ndimage.gaussian_filter(ground.rng.standard_normal(ground.tone.shape), 1.1) * 3.2
    return mix(canvas.colour, ground.palette[0] * 0.6, 0.75 * smoothstep(0.2, 1.3, tooth))


def halftone(ground: Ground) -> Array:
    """Print a screen of dots whose size is the shade."""
    along, across = ground.axes()
    wave = 0.5 + 0.25 * (np.cos(2 * math.pi * along) + np.cos(2 * math.pi * across))
    dark = smoothstep(-0.12, 0.12, wave - 0.15 - 0.8 * ground.tone)
    return mix(ground.palette[-1], ground.palette[0], dark)


def shapes(ground: Ground) -> Array:
    """Lay discs, bars and rings of flat colour over each other."""
    y, x = coordinates(ground.size, ground.size)
    colour = np.broadcast_to(ground.palette[-1], ground.under.shape).copy()
    for _ in range(round((ground.size / ground.grain / 2) ** 2)):
        cy, cx = ground.rng.uniform(0, ground.size, 2)
        tint, reach = ground.rng.choice(ground.palette), ground.grain * ground.rng.uniform(0.7, 3)
        away = np.hypot(y - cy, x - cx)
        kind = ground.rng.integers(3)
        if kind == 0:
            mask = np.clip(reach - away + 0.5, 0, 1)
        elif kind == 1:
            mask = np.clip(reach / 5 - np.abs(away - reach) + 0.5, 0, 1)
        else:
            across = np.abs((y - cy) * math.cos(cx) - (x - cx) * math.sin(cx))
            mask = np.clip(reach / 6 - across + 0.5, 0, 1) * (away < reach * 3)
        colour = mix(colour, tint, mask)
    return colour


def scales(ground: Ground) -> Array:
    """Set fans of rings row over row, as in a wave print."""
    along, across = (part / 2.4 for part in ground.axes())
    row = np.floor(across * 2)
    rings = np.full_like(along, np.inf)
    for back in (0, 1, 2):
        line = row + back
        shift = 0.5 * (line % 2)
        away = np.hypot(along - np.round(along - shift) - shift, across - (line + 1) / 2)
        rings = np.where((rings > 0.72) & (away < 0.72), away, rings)
    rings = np.where(np.isfinite(rings), rings, 0.72)
    bands = 0.5 + 0.5 * np.cos(rings * 2 * math.pi * 4)
    flat = np.clip(0.6 * bands + 0.5 * ground.tone, 0, 1)
    return ramp(flat, ground.palette)


def marble(ground: Ground) -> Array:
    """Draw colours through each other, as marbled paper has them."""
    along, across = ground.axes(wave=6 * ground.grain)
    phase = across / 2 + 1.5 * ground.noise(ground.grain * 6) + 0.2 * np.sin(along)
    return ramp(0.5 + 0.5 * np.sin(phase * 2 * math.pi * 0.5), ground.palette)


def weave(ground: Ground) -> Array:
    """Weave threads over and under each other."""
    along, across = ground.axes()
    over = ((np.floor(along) + np.floor(across)) % 2).astype(np.float32)
    bulge = np.where(over > 0, np.sin(math.pi * (across % 1)), np.sin(math.pi * (along % 1)))
    return np.clip(ground.under * (0.5 + 0.6 * np.abs(bulge))[..., None], 0, 1)


def poster(ground: Ground) -> Array:
    """Flatten to a few colours and draw around them."""
    smooth = ndimage.gaussian_filter(ground.tone, ground.grain / 3)
    count = len(ground.palette)
    level = np.clip(smooth * count, 0, count - 1e-3).astype(np.intp)
    line = np.hypot(*(ndimage.sobel(level.astype(np.float32), axis) for axis in (0, 1))) > 0.5
    ink = ndimage.gaussian_filter(line.astype(np.float32), ground.grain / 12)
    return mix(ground.palette[level], ground.palette[0] * 0.3, np.clip(1.5 * ink, 0, 1))


def grained(ground: Ground) -> Array:
    """Expose film: the picture as it is, and grain."""
    grain = ndimage.gaussian_filter(ground.rng.standard_normal(ground.tone.shape), 0.7)
    blurred = ndimage.gaussian_filter(ground.under, (1, 1, 0))
    exposed: Array = np.clip(blurred + ground.rng.uniform(0.02, 0.12) * grain[..., None], 0, 1)
    return exposed


FAMILIES: dict[str, tuple[Paint, bool]] = {
    "strokes": (strokes, True),
    "whirls": (whirls, False),
    "dots": (dots, False),
    "hatching": (hatching, True),
    "crossed": (crossed, True),
    "glass": (glass, False),
    "facets": (facets, False),
    "stones": (stones, True),
    "washes": (washes, False),
    "chalk": (chalk, True),
    "halftone": (halftone, False),
    "shapes": (shapes, False),
    "scales": (scales, True),
    "marble": (marble, True),
    "weave": (weave, False),
    "poster": (poster, False),
    "grained": (grained, False),
}
"""Families by name: how they are painted, and whether they have a direction."""


def paint_texture(rng: np.random.Generator, *, family: str, size: int) -> Texture:
    """Paint a texture of a family; all else is drawn."""
    paint, directed = FAMILIES[family]
    palette = _palette(rng)
    under = _under(rng, palette, size=size)
    ground = Ground(
        rng=rng,
        under=under,
        tone=under.mean(-1),
        palette=palette,
        grain=float(np.exp(rng.uniform(math.log(4), math.log(20)))),
        angle=float(rng.uniform(0, math.pi)),
    )
    colour = np.clip(paint(ground), 0, 1).astype(np.float32)
    return Texture(colour=colour, grain=ground.grain, angle=ground.angle, directed=directed)


def _palette(rng: np.random.Generator) -> Array:
    """Return three to six colours, dark to light, whose hues are near or opposite."""
    count = int(rng.integers(3, 7))
    turns = rng.choice([0, 0.1, 0.5, 0.33, 0.7], count)
    hues = rng.uniform(0, 1) + turns + rng.normal(0, 0.03, count)
    light = np.linspace(rng.uniform(0.02, 0.25), rng.uniform(0.75, 1), count)
    strength = rng.uniform(0.3, 1.6) * rng.uniform(0.5, 1.2, count)
    tint = 0.5 + 0.5 * np.cos(2 * math.pi * (hues[:, None] - np.array([0, 1 / 3, 2 / 3])))
    grey = light[:, None]
    reach = np.minimum(grey, 1 - grey) * 1.6 + 0.1
    colours: Array = np.clip(grey + (tint - 0.5) * strength[:, None] * reach, 0, 1)
    return colours.astype(np.float32)


def _under(rng: np.random.Generator, palette: Array, *, size: int) -> Array:
    """Return a scene or clouds, as a rule in the palette's colours."""
    if rng.random() < 0.55:
        scene = paint_scene(rng, size=size).rgb
        if rng.random() < 0.4:
            return scene
        tone = scene.mean(-1)
    else:
        tone = 0.5 + 0.5 * noise(rng, size * rng.uniform(0.2, 0.6), octaves=3, shape=(size, size))
    low, high = np.quantile(tone, (0.02, 0.98))
    return ramp(np.clip((tone - low) / (high - low + 1e-3), 0, 1), palette)


def _carved(phase: Array, tone: Array) -> Array:
    """Return lines at whole numbers of the phase, as wide as the tone is dark."""
    slope = np.hypot(*np.gradient(phase)) * 2 * math.pi + 0.02
    wave = 0.5 + 0.5 * np.cos(phase * 2 * math.pi)
    lines: Array = np.clip((wave - 1 + np.clip(tone, 0.06, 0.94)) / slope * 1.6 + 0.5, 0, 1)
    return lines


def _cells(ground: Ground, *, spacing: float) -> tuple[Array, Array, Array]:
    """Return every pixel's cell, how far it is to its border, and the cells' places (y, x)."""
    count = max(4, round((ground.size / spacing) ** 2))
    points = ground.rng.uniform(0, ground.size - 1, (count, 2))
    y, x = coordinates(ground.size, ground.size)
    distance, nearest = cKDTree(points).query(np.stack([y.ravel(), x.ravel()], 1), k=2)
    between = np.linalg.norm(points[nearest[:, 0]] - points[nearest[:, 1]], axis=1) + 1e-6
    edge = (distance[:, 1] ** 2 - distance[:, 0] ** 2) / (2 * between)
    shape = (ground.size, ground.size)
    return nearest[:, 0].reshape(shape), edge.reshape(shape), points.astype(np.intp)
