"""Finishing layers of a medium: the lines, strokes and grain that a small edit cannot carry.

They are no model: arithmetic at full size on the picture before the edit (its lines) and on the
edited one (its colours). Lines are the extended difference of Gaussians (Winnemoeller, Kyprianidis
& Olsen, Computers & Graphics 2012); flat patches are the mean of the calmest neighbouring quarter
(Kuwahara et al. 1976), here weighed softly between the quarters.
"""

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates, sobel, uniform_filter, zoom

from generation.postprocess.layer_tools import Canvas, Plane, grey_of, lifted, screen, tinted

LIT = 0.3
"""Mean brightness below which neither paint on paper nor plasticine is seen."""
NARROW = 288
"""The shorter side in pixels below which the margin gets narrower."""
CALM = 8.0
"""How strongly the calmest quarter wins."""


def pencil(canvas: Canvas) -> Plane:
    """Pencil: contours, and hatching that gets denser where it is darker."""
    grey = _smooth(grey_of(canvas.source), 0.7 * canvas.unit)
    near = _ratio(grey, 2.5 * canvas.unit) * _ratio(grey, 9 * canvas.unit) ** 0.6
    contours = np.clip(near, 0, 1) ** 2.6 * _lines(grey, width=0.9 * canvas.unit, keen=18)
    tone = _stretched(_smooth(grey, 1.5 * canvas.unit))
    hatched = np.ones_like(grey)
    for angle, start, depth in ((0.8, 0.75, 0.3), (2.3, 0.45, 0.35), (0.1, 0.2, 0.3)):
        dark = np.clip((start - tone) / 0.45, 0, 1)
        hatched *= 1 - depth * dark * _strokes(canvas, angle=angle)
    paper = _smooth(canvas.rgb, 2.5 * canvas.unit) * _paper(canvas, depth=0.035)[..., None]
    drawn = np.clip(contours * hatched, 0, 1)[..., None]
    lead = np.array([0.17, 0.17, 0.19], dtype=np.float32)
    return _faded(canvas, lead + drawn * (paper - lead))


def brush(canvas: Canvas) -> Plane:
    """Ink on rice paper: brush lines that swell, and washes that bleed and dry with an edge."""
    grey = _calm(grey_of(canvas.source)[..., None], 1.5 * canvas.unit)[..., 0]
    wide = _lines(_smooth(grey, 0.8 * canvas.unit), width=1.9 * canvas.unit, keen=16)
    fine = _lines(grey_of(canvas.source), width=0.9 * canvas.unit, keen=26)
    pressure = np.clip(0.8 + 0.25 * _mottle(canvas, cells=9), 0.4, 1)
    contours = 1 - (1 - wide * (0.3 + 0.7 * fine)) * pressure
    wash = _smooth(_calm(canvas.rgb, 2.2 * canvas.unit), 1.0 * canvas.unit)
    dried = 1 - np.clip(_steepness(grey_of(wash), 1.5 * canvas.unit) * 1.6, 0, 0.25)
    bled = 1 + 0.035 * _mottle(canvas, cells=6) + 0.02 * _mottle(canvas, cells=45)
    black = np.array([0.07, 0.07, 0.08], dtype=np.float32)
    painted = wash * (dried * bled * _paper(canvas, depth=0.03))[..., None]
    return _faded(canvas, black + np.clip(contours, 0, 1)[..., None] * (painted - black))


def wash(canvas: Canvas) -> Plane:
    """Watercolour: patches with dark rims and wavering edges over a drawing, a bare margin."""
    lit = lifted(canvas.rgb, least=LIT)
    moved = _wavered(canvas, _calm(lit, 2.2 * canvas.unit), far=1.6 * canvas.unit)
    soft = 0.7 * moved + 0.3 * _smooth(moved, 2.5 * canvas.unit)
    rims = np.clip(_steepness(grey_of(soft), 1.1 * canvas.unit) * 2.2, 0, 0.4)
    pools = 1.12 + 0.09 * _mottle(canvas, cells=7) + 0.05 * _mottle(canvas, cells=40)
    pigment = np.clip(1 - np.clip(1 - soft, 0, 1) * pools[..., None], 0, 1)
    pigment = pigment ** (1 + 1.2 * rims)[..., None] * (1 - 0.3 * rims)[..., None]
    drawn = _lines(grey_of(canvas.source), width=0.9 * canvas.unit, keen=18)
    pigment = pigment * (0.62 + 0.38 * drawn)[..., None]
    paper = np.array([0.985, 0.975, 0.95], dtype=np.float32)
    painted = paper + _margin(canvas)[..., None] * (pigment - paper)
    return _faded(canvas, painted * _paper(canvas, depth=0.028)[..., None])


def flat(canvas: Canvas) -> Plane:
    """A cartoon: flat patches in few tones, held by black outlines."""
    calm = _calm(_calm(canvas.rgb, 3 * canvas.unit), 3 * canvas.unit)
    grey = grey_of(calm)
    steps = grey * 7
    near = np.round(steps)
    tones = (near + 0.5 * np.tanh((steps - near) * 5) / np.tanh(2.5)) / 7
    flattened = np.clip(calm + 0.75 * (tones - grey)[..., None], 0, 1)
    inked = _lines(
        _calm(grey_of(canvas.source)[..., None], 1.5 * canvas.unit)[..., 0],
        width=1.15 * canvas.unit, keen=30,
    )  # fmt: skip
    black = np.array([0.06, 0.05, 0.08], dtype=np.float32)
    return _faded(canvas, black + inked[..., None] * (flattened - black))


def relief(canvas: Canvas) -> Plane:
    """Plasticine: rounded lumps of strong colours under a lamp, with thumb marks."""
    lumps = _calm(_calm(canvas.rgb, 3.5 * canvas.unit), 4.5 * canvas.unit)
    lumps = _vivid(lifted(lumps, least=LIT), by=1.3)
    form = grey_of(_calm(_calm(canvas.source, 2.0 * canvas.unit), 2.5 * canvas.unit))
    form = form / max(float(form.max() - form.min()), 0.3)
    marks = 0.012 * _mottle(canvas, cells=22) + 0.005 * _mottle(canvas, cells=80)
    height = _smooth(form, 1.8 * canvas.unit) + 1.6 * _smooth(form, 4.5 * canvas.unit) + marks
    slope = (sobel(height, axis=0) + 0.8 * sobel(height, axis=1)) * canvas.unit
    light = np.tanh(slope * 1.5)
    seams = np.clip(_steepness(form, 1.2 * canvas.unit) * 1.4, 0, 0.22)
    lit = lumps * (1 + 0.42 * light - seams)[..., None]
    shine = np.clip(light - 0.3, 0, 1) ** 2 * 0.8
    return _faded(canvas, screen(np.clip(lit, 0, 1), tinted(shine, 1.0, 0.97, 0.92)))


def glow(canvas: Canvas) -> Plane:
    """Neon tubes along the contours, magenta to cyan, with the light they shed."""
    grey = _calm(grey_of(canvas.source)[..., None], 1.5 * canvas.unit)[..., 0]
    steep = _steepness(grey, 1.1 * canvas.unit)
    floor, full = np.percentile(steep, (72, 98.5))
    tubes = np.clip((steep - floor) / max(float(full - floor), 0.02), 0, 1) ** 1.3
    across = np.linspace(0, 1, grey.shape[1], dtype=np.float32)[None, :]
    side = np.clip(across + 0.22 * _mottle(canvas, cells=4), 0, 1)[..., None]
    pink, cyan = (np.array(it, dtype=np.float32) for it in ((1.0, 0.16, 0.72), (0.1, 0.86, 1.0)))
    colour = pink * (1 - side) + cyan * side
    shed = _smooth(tubes, 2.2 * canvas.unit) * 0.9 + _smooth(tubes, 9 * canvas.unit) * 0.9
    light = colour * (tubes * 0.85 + shed)[..., None] + (tubes**2.5)[..., None] * 0.35
    return screen(canvas.rgb * (1 - 0.35 * canvas.amount), light * canvas.amount)


def _faded(canvas: Canvas, drawn: Plane) -> Plane:
    """Return what is drawn, as far as the amount and the mask let it show."""
    share = (canvas.mask * min(canvas.amount, 1.0))[..., None]
    faded: Plane = canvas.rgb + share * (np.clip(drawn, 0, 1) - canvas.rgb)
    return faded


def _vivid(rgb: Plane, *, by: float) -> Plane:
    """Return a picture whose colours are farther from grey."""
    grey = grey_of(rgb)[..., None]
    vivid: Plane = np.clip(grey + by * (rgb - grey), 0, 1)
    return vivid


def _smooth(plane: Plane, sigma: float) -> Plane:
    sigmas = (sigma, sigma, 0)[: plane.ndim]
    smooth: Plane = gaussian_filter(plane, sigmas, truncate=3.0)
    return smooth


def _stretched(grey: Plane) -> Plane:
    """Return brightness with its darkest places at 0 and its brightest at 1."""
    low, high = np.percentile(grey[::4, ::4], (2, 97))
    stretched: Plane = np.clip((grey - low) / max(float(high - low), 0.1), 0, 1)
    return stretched


def _ratio(grey: Plane, sigma: float) -> Plane:
    """Return brightness against that of the surroundings: below 1 where a line would be."""
    ratio: Plane = (grey + 0.08) / (_smooth(grey, sigma) + 0.08)
    return ratio


def _lines(grey: Plane, *, width: float, keen: float) -> Plane:
    """Return 0 on contours and 1 elsewhere, by the extended difference of Gaussians.

    Its equations 1 and 7, with the threshold set by the picture's own contrast.
    """
    sharp = _smooth(grey, width) - 0.985 * _smooth(grey, 1.6 * width)
    contrast = max(float(np.abs(sharp[::4, ::4] - sharp.mean()).mean()), 0.004)
    below = np.minimum(sharp / contrast + 0.9, 0)
    lines: Plane = 1 + np.tanh(below * keen / 18)
    return lines


def _calm(planes: Plane, radius: float) -> Plane:
    """Return the mean of the calmer quarters about every place, edges kept.

    Shape:
        - planes: ``(H, W, C)``; returns the same.
    """
    side = max(2, round(radius))
    size = side + 1
    grey = planes.mean(axis=2)
    mean = uniform_filter(planes, (size, size, 0))
    middle = uniform_filter(grey, size)
    spread = np.sqrt(np.clip(uniform_filter(grey * grey, size) - middle * middle, 0, None)) + 2e-3
    total, weights = np.zeros_like(planes), np.zeros_like(grey)
    weight = (spread / spread.mean()).astype(np.float32) ** -CALM
    half = (side + 1) // 2
    for down in (-half, half):
        for right in (-half, half):
            moved = np.clip(_moved(weight, down, right), 1e-12, 1e12)
            total += moved[..., None] * _moved(mean, down, right)
            weights += moved
    calm: Plane = total / weights[..., None]
    return calm


def _moved(plane: Plane, down: int, right: int) -> Plane:
    """Return a plane moved by whole pixels, its border repeated."""
    rows = np.clip(np.arange(plane.shape[0]) - down, 0, plane.shape[0] - 1)
    columns = np.clip(np.arange(plane.shape[1]) - right, 0, plane.shape[1] - 1)
    return plane[rows][:, columns]


def _steepness(grey: Plane, sigma: float) -> Plane:
    """Return how fast brightness changes, in its own units over about one such line's width."""
    smooth = _smooth(grey, sigma)
    steep: Plane = np.hypot(sobel(smooth, axis=0), sobel(smooth, axis=1)) * (sigma / 3)
    return steep


def _mottle(canvas: Canvas, *, cells: int) -> Plane:
    """Return smooth noise of deviation 1, so many cells across."""
    height, width = canvas.mask.shape
    rows = max(4, round(cells * height / max(height, width)))
    columns = max(4, round(cells * width / max(height, width)))
    small = canvas.rng.standard_normal((rows, columns)).astype(np.float32)
    large: Plane = zoom(small, (height / rows, width / columns), order=3 if cells < 32 else 1)
    return np.resize(large, (height, width)) if large.shape != (height, width) else large


def _strokes(canvas: Canvas, *, angle: float) -> Plane:
    """Return pencil strokes of one direction, between 0 and 1."""
    height, width = canvas.mask.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / np.float32(canvas.unit)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    sway = canvas.rng.standard_normal((64, 64)).astype(np.float32)
    bend = map_coordinates(sway, [across / 40 % 63, along / 90 % 63], order=1)
    strokes: Plane = np.clip(0.5 + 0.75 * np.sin(across * 1.75 + 2.2 * bend), 0, 1)
    return strokes


def _paper(canvas: Canvas, *, depth: float) -> Plane:
    """Return the shade of paper's grain, about 1."""
    grain = canvas.rng.standard_normal(canvas.mask.shape).astype(np.float32)
    tooth = _smooth(grain, 0.8 * canvas.unit) * canvas.unit
    paper: Plane = 1 + depth * np.clip(tooth * 1.6, -1.5, 1)
    return paper


def _wavered(canvas: Canvas, planes: Plane, *, far: float) -> Plane:
    """Return a picture whose places are displaced a little, as a wet brush would."""
    height, width = canvas.mask.shape
    rows = np.arange(height, dtype=np.float32)[:, None] + far * 0.6 * _mottle(canvas, cells=26)
    columns = np.arange(width, dtype=np.float32)[None, :] + far * 0.6 * _mottle(canvas, cells=26)
    moved = [
        map_coordinates(planes[..., channel], [rows, columns], order=1, mode="nearest")
        for channel in range(3)
    ]
    return np.stack(moved, axis=2)


def _margin(canvas: Canvas) -> Plane:
    """Return where the paper is painted: all but an uneven margin."""
    height, width = canvas.mask.shape
    y, x = (
        np.minimum(np.arange(n), np.arange(n)[::-1]).astype(np.float32) for n in (height, width)
    )
    # On small and narrow pictures a margin of so many pixels would leave nothing.
    unit = min(canvas.unit, min(height, width) / NARROW)
    inward = np.minimum(y[:, None], x[None, :]) / np.float32(unit)
    uneven = 12 + 5 * _mottle(canvas, cells=10) + 2.5 * _mottle(canvas, cells=60)
    painted: Plane = np.clip((inward - uneven) / 3, 0, 1).astype(np.float32)
    return painted
