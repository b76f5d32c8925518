"""What a picture shows, and the arithmetic that the parametric edits have in common."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Plane: TypeAlias = NDArray[np.floating[Any]]
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What is where in a picture, and the dice for what an edit leaves open.

    Args:
        mottle: smooth noise of unit order, for leaves and snow that vary.
        amount: how strong an edit comes out, about 0.85 to 1.15.
    """

    sky: Plane
    foliage: Plane
    ground: Plane
    upward: Plane
    light: Plane
    depth: Plane
    mottle: Plane
    amount: float = 1.0

    @property
    def height(self) -> Plane:
        """Return 0 at the top of the picture and 1 at its bottom, for every pixel."""
        rows = np.linspace(0, 1, self.sky.shape[0], dtype=np.float32)
        return np.broadcast_to(rows[:, None, None], self.sky.shape)

    @property
    def outdoors(self) -> float:
        """Return how much of an outdoor picture it is, 0 to 1."""
        return float(np.clip((self.sky + self.foliage + self.ground).mean() * 4, 0, 1))


Edit = Callable[[Plane, Place], Plane]


def luma(rgb: Plane) -> Plane:
    """Return a picture's brightness.

    Shape:
        - returns: ``(H, W, 1)``.
    """
    return rgb @ LUMA[:, None]


def mix(rgb: Plane, other: Plane | Sequence[float], amount: Plane | float) -> Plane:
    """Return the blend of a picture with another or a colour."""
    mixed: Plane = rgb + np.float32(1) * amount * (np.asarray(other, dtype=np.float32) - rgb)
    return mixed


def tinted(rgb: Plane, colour: Sequence[float], *, saturation: float, gain: float = 1) -> Plane:
    """Return a picture with less or more colour, multiplied by a tint."""
    grey = luma(rgb)
    result: Plane = (grey + (rgb - grey) * saturation) * np.array(colour, np.float32) * gain
    return result


def gradient(place: Place, *colours: Sequence[float]) -> Plane:
    """Return a vertical run of colours, top first, that ends at the sky's lower edge."""
    rows = place.sky[..., 0].mean(axis=1) > 0.08
    end = max(0.25, (np.nonzero(rows)[0].max() + 1) / rows.size if rows.any() else 1.0)
    at = np.clip(place.height[..., 0] / end, 0, 1)
    stops = np.linspace(0, 1, len(colours))
    run = [np.interp(at, stops, [colour[c] for colour in colours]) for c in range(3)]
    return np.stack(run, axis=-1).astype(np.float32)


def clouds_of(rgb: Plane, place: Place) -> Plane:
    """Return how the sky's brightness departs from its own mean, so that clouds survive."""
    grey = luma(rgb)
    weight = place.sky.sum() + 1
    smooth: Plane = (grey - float((grey * place.sky).sum() / weight)) * place.sky
    return smooth


def new_sky(rgb: Plane, place: Place, *colours: Sequence[float], clouds: float = 0.6) -> Plane:
    """Return the picture with another sky that keeps the clouds of the old."""
    fresh = gradient(place, *colours)
    fresh = fresh * (1 + clouds * clouds_of(rgb, place) * 2)
    return mix(rgb, fresh, place.sky)


def halo_of(mask: Plane, sigma: float) -> Plane:
    """Return a mask's halo."""
    halo: Plane = gaussian_filter(mask, (sigma, sigma, 0))
    return halo


def pool_of(place: Place) -> Plane:
    """Return a soft pool of light about the middle, where the subject of a close-up is."""
    rows, columns = place.sky.shape[:2]
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    pool: Plane = np.exp(-(x**2 + (y + 0.1) ** 2) * 1.6)[..., None].astype(np.float32)
    return pool


def leaves_of(rgb: Plane, place: Place) -> Plane:
    """Return where leaves and grass are: where they are known to be, and whatever else is green.

    In a photograph nobody knows; that green is for leaves is what can be seen there too.
    """
    red, green, blue = (rgb[..., channel : channel + 1] for channel in range(3))
    greenness = np.clip((green - np.maximum(red * 0.98, blue)) * 7, 0, 1) * np.clip(green * 4, 0, 1)
    leaves: Plane = np.maximum(place.foliage, greenness * (1 - place.sky))
    return leaves


def curve(grey: Plane, *, low: float, high: float) -> Plane:
    """Return a smooth rise from 0 at ``low`` to 1 at ``high``."""
    at = np.clip((grey - low) / (high - low), 0, 1)
    risen: Plane = at * at * (3 - 2 * at)
    return risen
