"""Procedural scenes with the truth about them: sky, foliage, ground, snow's rest, lights, depth.

They stand in for photographs in the training of the starter models; none of them is a photograph.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from generation.training.canvas import Canvas, Plane, noise
from generation.training.close_ups import CLOSE_UPS
from generation.training.views import VIEWS

Painter = Callable[[Canvas], None]

PAINTERS: dict[str, Painter] = {**VIEWS, **CLOSE_UPS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One painted picture.

    Shape:
        - rgb: ``(size, size, 3)`` in [0, 1].
        - truth: ``(size, size, 6)``, see ``canvas.Truth``.
    """

    kind: str
    rgb: Plane
    truth: Plane


def paint_scene(rng: np.random.Generator, *, size: int, kind: str | None = None) -> Scene:
    """Paint a scene of a kind (a random one by default) and photograph it."""
    name = kind or str(rng.choice(list(PAINTERS)))
    canvas = Canvas(size, rng)
    PAINTERS[name](canvas)
    rgb, truth = canvas.rgb, canvas.truth
    if rng.random() < 0.5:
        rgb, truth = rgb[:, ::-1], truth[:, ::-1]
    return Scene(kind=name, rgb=photographed(rgb, rng), truth=np.ascontiguousarray(truth))


def photographed(rgb: Plane, rng: np.random.Generator) -> Plane:
    """Return a picture as a camera might: uneven light, gamma, colour cast, blur, grain."""
    size = rgb.shape[0]
    picture = np.clip(rgb, 0, 1) * _uneven_light(size, rng)[..., None]
    picture = np.clip(picture, 1e-4, 1) ** np.float32(np.exp(rng.normal(0, 0.25)))
    grey = picture.mean(axis=2, keepdims=True)
    picture = grey + (picture - grey) * np.float32(rng.uniform(0.5, 1.4))
    picture = (picture - 0.5) * np.float32(rng.uniform(0.75, 1.15)) + 0.5
    picture = picture * (1 + rng.normal(0, 0.05, 3)).astype(np.float32)
    if rng.random() < 0.6:
        picture = gaussian_filter(picture, (blur := rng.uniform(0.2, 0.8), blur, 0))
    picture = picture + rng.standard_normal(rgb.shape).astype(np.float32) * rng.uniform(0, 0.025)
    result: Plane = np.clip(picture, 0, 1).astype(np.float32)
    return result


def _uneven_light(size: int, rng: np.random.Generator) -> Plane:
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    slope = np.cos(angle) * axis[None, :] + np.sin(angle) * axis[:, None]
    vignette = 1 - rng.uniform(0, 0.3) * (axis[None, :] ** 2 + axis[:, None] ** 2) / 2
    patches = 0.1 * noise(rng, size, grains=(1, 0.4, 0, 0))
    light: Plane = (vignette * (1 + rng.uniform(0, 0.25) * slope) + patches).astype(np.float32)
    return light
