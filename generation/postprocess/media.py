"""Parametric edits of medium: how light and dark come out in pencil, ink, paint, print and clay.

They are the part of a medium that a small picture carries: paper, pigment and tone. Its lines and
grain are finishing layers (``generation.postprocess.drawing``), drawn at full size.
"""

import numpy as np
from scipy.ndimage import gaussian_filter

from generation.postprocess.place import (
    Edit,
    Place,
    Plane,
    curve,
    halo_of,
    luma,
    mix,
    pool_of,
    tinted,
)


def stretched(rgb: Plane) -> Plane:
    """Return a picture's brightness, its darkest places at 0 and its brightest at 1.

    Shape:
        - returns: ``(H, W, 1)``.
    """
    grey = gaussian_filter(luma(rgb), (0.7, 0.7, 0))
    low, high = np.percentile(grey, (2, 97))
    tone: Plane = np.clip((grey - low) / max(float(high - low), 0.08), 0, 1)
    return tone


def sketch(rgb: Plane, place: Place) -> Plane:
    """Pencil on paper: tones of graphite, the light left as bare paper."""
    tone = curve(stretched(rgb), low=-0.35, high=0.75)
    paper = np.array([0.965, 0.955, 0.925], np.float32)
    graphite = np.array([0.3, 0.3, 0.32], np.float32)
    shaded = 0.35 + 0.65 * tone
    return mix(graphite + np.zeros_like(rgb), paper, np.maximum(shaded, place.sky * 0.97))


def ink(rgb: Plane, place: Place) -> Plane:
    """Ink wash on rice paper: few tones of black, distance lost in the paper."""
    tone = curve(stretched(rgb), low=-0.12, high=0.78)
    paper = np.array([0.945, 0.92, 0.86], np.float32)
    black = np.array([0.09, 0.09, 0.1], np.float32)
    wash = np.clip(tone + 0.55 * place.depth * place.outdoors + 0.06 * place.mottle, 0, 1)
    wash = np.maximum(wash, place.sky * np.clip(0.93 + 0.05 * place.mottle, 0, 1))
    return mix(black + np.zeros_like(rgb), paper, wash)


def watercolour(rgb: Plane, place: Place) -> Plane:
    """Watercolour: thin, bright pigment that lets the paper through and pools unevenly."""
    soft = gaussian_filter(rgb, (0.8, 0.8, 0))
    pigment = np.clip(tinted(soft, (1.03, 1.0, 0.97), saturation=1.9), 0, 1) ** 0.75
    thin = 0.2 + 0.8 * pigment
    pools = np.clip(0.94 + 0.14 * place.mottle, 0.55, 1) * place.amount
    paper = np.array([0.985, 0.975, 0.945], np.float32)
    dried = curve(luma(pigment), low=0.55, high=1.0) * 0.6
    return mix(paper + np.zeros_like(rgb), thin, np.clip(pools * (1 - 0.7 * dried), 0, 1))


def cartoon(rgb: Plane, place: Place) -> Plane:
    """A cartoon: few bright tones, full colours, a clean sky."""
    soft = gaussian_filter(rgb, (0.9, 0.9, 0))
    grey = luma(soft)
    tone = stretched(rgb)
    levels = sum(curve(tone, low=edge - 0.07, high=edge + 0.07) for edge in (0.12, 0.35, 0.6, 0.85))
    flat = 0.16 + 0.2 * np.asarray(levels)
    colour = (soft - grey) * 1.75 + flat
    sky = np.array([0.42, 0.76, 1.0], np.float32) * (0.85 + 0.15 * flat)
    return mix(colour, sky, place.sky * 0.45)


def clay(rgb: Plane, place: Place) -> Plane:
    """Plasticine: matt, full, slightly warm colours under one soft lamp."""
    soft = gaussian_filter(rgb, (1.1, 1.1, 0))
    lifted = np.clip(tinted(soft, (1.04, 1.0, 0.93), saturation=1.9), 0, 1) ** 0.75
    matt = lifted * 0.84 + 0.1
    lamp = 0.86 + 0.22 * pool_of(place) + 0.06 * (1 - place.height)
    return matt * lamp + 0.04 * halo_of(luma(rgb), rgb.shape[0] / 10)


MEDIA: dict[str, Edit] = {
    "sketch": sketch,
    "ink": ink,
    "watercolour": watercolour,
    "cartoon": cartoon,
    "clay": clay,
}
"""Every edit of medium by name."""
