"""Finishing layers: what a small edit cannot carry, drawn at full size by arithmetic.

They are no model. Those here follow no paper: stars, flakes, drops, embers ... scattered by a seed;
those of a medium (pencil, brush ...) are in ``drawing``. A checkpoint's ``atelier.json`` says which
of them go with which edit.
"""

from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter, shift, uniform_filter, zoom

from generation.postprocess import drawing
from generation.postprocess.layer_tools import Canvas, Plane, screen, tinted

Painter = Callable[[Canvas], Plane]


def _scatter(canvas: Canvas, *, density: float) -> Plane:
    """Return single points of random brightness, ``density`` of them per 512 x 512."""
    height, width = canvas.mask.shape
    points = np.zeros((height, width), dtype=np.float32)
    count = int(density * height * width / (512 * canvas.unit) ** 2)
    rows = canvas.rng.integers(0, height, count)
    columns = canvas.rng.integers(0, width, count)
    points[rows, columns] = canvas.rng.uniform(0.2, 1, count) ** 2
    return points


def _discs(canvas: Canvas, *, density: float, radius: float) -> Plane:
    """Return soft discs, 1 in the middle of the brightest."""
    spread = max(0.5, radius * canvas.unit)
    points = gaussian_filter(_scatter(canvas, density=density), spread)
    discs: Plane = np.clip(points * (2 * np.pi * spread**2), 0, 1)
    return discs


def stars(canvas: Canvas) -> Plane:
    """Stars of several sizes, and a moon where the mask leaves room for one."""
    small = _discs(canvas, density=420, radius=0.45)
    large = _discs(canvas, density=26, radius=1.0)
    light = np.clip(small * 0.8 + large, 0, 1) * canvas.mask**2
    moon, halo = _moon(canvas)
    light = light * (1 - np.clip(halo * 1.4, 0, 1))
    glow = tinted(light, 0.95, 0.97, 1.0) + tinted(halo * 0.28, 0.7, 0.82, 1.0)
    lit = screen(canvas.rgb, glow * canvas.amount)
    face = np.array([0.97, 0.95, 0.86], dtype=np.float32)
    return lit + (moon * canvas.amount)[..., None] * (face - lit)


def _moon(canvas: Canvas) -> tuple[Plane, Plane]:
    """Return the moon's disc and its halo, both 0 if there is no open sky."""
    height, width = canvas.mask.shape
    radius = 0.035 * float(np.sqrt(height * width))
    room = uniform_filter(canvas.mask, int(radius * 4), mode="constant")
    rows = np.arange(height, dtype=np.float32)[:, None] / height
    choice = (
        room
        * (1 - rows)
        * canvas.rng.uniform(0.7, 1, 2)[(np.arange(width) > width / 2).astype(int)][None, :].astype(
            np.float32
        )
    )
    choice[room < 0.97] = 0
    if not choice.any():
        return np.zeros_like(choice), np.zeros_like(choice)
    best = np.flatnonzero(choice > choice.max() * 0.9)
    y, x = np.unravel_index(int(canvas.rng.choice(best)), choice.shape)
    distance = np.hypot(*np.mgrid[-y : height - y, -x : width - x]).astype(np.float32)
    disc = np.clip(radius - distance + 0.5, 0, 1)
    craters = gaussian_filter(canvas.rng.standard_normal((12, 12)), 0.7)
    grain = np.clip(zoom(craters, (height / 12, width / 12), order=1)[:height, :width], -1, 1)
    halo = np.exp(-((distance / (radius * 3.2)) ** 2)) * canvas.mask
    return (disc * (0.97 - 0.08 * np.abs(grain))).astype(np.float32), halo.astype(np.float32)


def lights(canvas: Canvas) -> Plane:
    """Lamps, windows and glints of the source shine again, warm and with a halo."""
    grey = canvas.source.mean(axis=2)
    rise = grey - gaussian_filter(grey, 20 * canvas.unit)
    spots = np.clip((rise - 0.2) * 4, 0, 1) * np.clip((grey - 0.5) * 3.5, 0, 1) * canvas.mask
    halo = gaussian_filter(spots, 3 * canvas.unit) + 1.5 * gaussian_filter(spots, 14 * canvas.unit)
    warm = np.array([1.0, 0.8, 0.48], dtype=np.float32)
    shine = canvas.source * warm * spots[..., None] * 0.8 + tinted(halo * 0.55, 1.0, 0.62, 0.25)
    return screen(canvas.rgb, shine * canvas.amount)


def flakes(canvas: Canvas) -> Plane:
    """Falling snow: many small flakes, some larger, a few near and out of focus."""
    far = _discs(canvas, density=650, radius=0.9)
    near = _discs(canvas, density=130, radius=1.9)
    close = _discs(canvas, density=14, radius=5.0) * 0.5
    cover = np.clip(far * 0.75 + near * 0.95 + close, 0, 0.95) * canvas.mask * canvas.amount
    white = np.array([0.97, 0.98, 1.0], dtype=np.float32)
    snowed: Plane = canvas.rgb + cover[..., None] * (white - canvas.rgb)
    return snowed


def drops(canvas: Canvas) -> Plane:
    """Falling rain: slanted streaks, and the haze they make."""
    streaks = _streaks(canvas, density=900, length=20)
    streaks += 1.4 * _streaks(canvas, density=90, length=46)
    light = np.clip(streaks, 0, 1) * canvas.mask * canvas.amount
    pale = np.array([0.78, 0.83, 0.88], dtype=np.float32)
    rained: Plane = canvas.rgb + (0.5 * light)[..., None] * (pale - canvas.rgb)
    return rained


def _streaks(canvas: Canvas, *, density: float, length: float) -> Plane:
    points = _scatter(canvas, density=density)
    points = gaussian_filter(points, 0.5 * canvas.unit)
    total, steps = np.zeros_like(points), max(4, int(length * canvas.unit))
    # Doubling shifts draws a line of n points in log n additions.
    line, done = points, 1
    while done < steps:
        line = line + shift(line, (done, -0.18 * done), order=1)
        done *= 2
    total += line
    streaks: Plane = np.clip(total * 2.2, 0, 1)
    return streaks


def embers(canvas: Canvas) -> Plane:
    """Glowing sparks that rise."""
    sparks = _discs(canvas, density=140, radius=0.8) + 0.5 * _discs(canvas, density=30, radius=2.2)
    return screen(canvas.rgb, tinted(sparks * canvas.mask * canvas.amount, 1.0, 0.55, 0.15))


def petals(canvas: Canvas) -> Plane:
    """Blossom petals in the air."""
    cover = np.clip(
        _discs(canvas, density=60, radius=1.8) + 0.6 * _discs(canvas, density=10, radius=4), 0, 0.9
    )
    pink = np.array([1.0, 0.8, 0.87], dtype=np.float32)
    mixed: Plane = canvas.rgb + (cover * canvas.mask * canvas.amount)[..., None] * (
        pink - canvas.rgb
    )
    return mixed


def bubbles(canvas: Canvas) -> Plane:
    """Air bubbles: bright rings."""
    disc = _discs(canvas, density=40, radius=2.6)
    ring = np.clip(disc * (1 - disc) * 4, 0, 1) ** 2
    return screen(canvas.rgb, tinted(ring * canvas.mask * canvas.amount * 0.55, 0.8, 1.0, 1.0))


def grain(canvas: Canvas) -> Plane:
    """Film grain, strongest in the middle tones."""
    height, width = canvas.mask.shape
    noise = canvas.rng.standard_normal((height, width), dtype=np.float32)
    noise = gaussian_filter(noise, 0.6 * canvas.unit) * canvas.unit
    middle = 1 - np.abs(canvas.rgb.mean(axis=2) * 2 - 1)
    grained: Plane = canvas.rgb + (0.09 * canvas.amount * noise * (0.3 + middle))[..., None]
    return grained


def lightning(canvas: Canvas) -> Plane:
    """A bolt that forks down the sky, and the clouds that it lights; none without a sky."""
    if canvas.mask.mean() < LEAST_SKY:
        return canvas.rgb
    height, width = canvas.mask.shape
    columns = canvas.mask[: height // 2].mean(axis=0) + 0.05
    start = int(canvas.rng.choice(width, p=columns / columns.sum()))
    paper = Image.new("F", (width, height))
    _fork(ImageDraw.Draw(paper), canvas, at=(float(start), 0.0), reach=0.75 * height, bright=1.0)
    bolt = np.asarray(paper, dtype=np.float32) * canvas.mask
    core = gaussian_filter(bolt, 0.6 * canvas.unit)
    shine = gaussian_filter(bolt, 5 * canvas.unit) * 3 + gaussian_filter(bolt, 40 * canvas.unit) * 9
    light = tinted(np.clip(core * 1.5, 0, 1), 0.95, 0.95, 1.0)
    light += tinted(np.clip(shine, 0, 0.6) * (0.25 + 0.75 * canvas.mask), 0.62, 0.66, 0.95)
    return screen(canvas.rgb, light * canvas.amount)


def _fork(
    draw: ImageDraw.ImageDraw,
    canvas: Canvas,
    *,
    at: tuple[float, float],
    reach: float,
    bright: float,
) -> None:
    """Draw a jagged line downwards, from which thinner ones part."""
    x, y = at
    ends, lean = y + reach, canvas.rng.normal(0, 0.25)
    while y < ends:
        step = canvas.rng.uniform(5, 13) * canvas.unit
        x2, y2 = x + step * (lean + canvas.rng.normal(0, 0.75)), y + step
        draw.line([(x, y), (x2, y2)], fill=bright, width=max(1, round(2.2 * bright * canvas.unit)))
        x, y = x2, y2
        if bright > 0.4 and canvas.rng.random() < 0.09:
            _fork(draw, canvas, at=(x, y), reach=(ends - y) * 0.5, bright=bright * 0.55)


def rays(canvas: Canvas) -> Plane:
    """Shafts of light from above, as under water."""
    height, width = canvas.mask.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / np.float32(max(height, width))
    angle = np.arctan2(x - canvas.rng.uniform(0.3, 0.7), y + 0.45)
    shafts = np.zeros_like(x)
    for waves in (9, 17, 31):
        shafts += np.sin(angle * waves * 2 + canvas.rng.uniform(0, 6)) / waves**0.35
    fade = np.clip(1 - y / (0.85 * height / max(height, width)), 0, 1) ** 1.3
    light = np.clip(shafts, 0, 1.6) * fade * canvas.mask
    return screen(canvas.rgb, tinted(light * 0.3 * canvas.amount, 0.7, 1.0, 0.95))


LEAST_SKY = 0.06
"""Share of the picture that is sky, below which nothing is drawn in it."""

LAYERS: Mapping[str, Painter] = {
    "stars": stars,
    "lights": lights,
    "flakes": flakes,
    "drops": drops,
    "embers": embers,
    "petals": petals,
    "bubbles": bubbles,
    "grain": grain,
    "lightning": lightning,
    "rays": rays,
    "glow": drawing.glow,
    "pencil": drawing.pencil,
    "brush": drawing.brush,
    "wash": drawing.wash,
    "flat": drawing.flat,
    "relief": drawing.relief,
}
"""Every layer by the name that an ``atelier.json`` uses."""


def draw_layer(
    name: str, *, rgb: Plane, source: Plane, mask: Plane | None, amount: float, seed: int
) -> Plane:
    """Return a picture under one layer, clipped to [0, 1]; amount 0 returns it unchanged.

    Args:
        name: one of ``LAYERS``.
        rgb: the edited picture.
        source: the picture before the edit.
        mask: where the layer may show; None is everywhere.
        amount: 1 draws it in full.
        seed: of what is scattered.

    Raises:
        KeyError: there is no layer of that name.
    """
    if amount <= 0:
        return rgb
    place = np.ones(rgb.shape[:2], dtype=np.float32) if mask is None else mask
    rng = np.random.default_rng((seed, *name.encode()))
    drawn = LAYERS[name](Canvas(rgb=rgb, source=source, mask=place, amount=amount, rng=rng))
    result: Plane = np.clip(drawn, 0, 1).astype(np.float32)
    return result
