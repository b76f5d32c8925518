"""Parametric edits of light and weather: plain arithmetic on a picture whose contents are known.

They are no model. In training they are the teacher of the remix checkpoint: on painted scenes,
where sky, leaves, ground and distance are known exactly, they say what a picture should become.

Shape of every edit:
    - rgb: ``(H, W, 3)`` float32 in [0, 1], sRGB.
    - place: planes ``(H, W, 1)`` in [0, 1].
    - returns: ``(H, W, 3)``, not yet clipped.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter1d

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


def _grey(rgb: Plane) -> Plane:
    return rgb @ LUMA[:, None]


def _mix(rgb: Plane, other: Plane | Sequence[float], amount: Plane | float) -> Plane:
    """Return the blend of a picture with another or a colour."""
    mixed: Plane = rgb + np.float32(1) * amount * (np.asarray(other, dtype=np.float32) - rgb)
    return mixed


def _tinted(rgb: Plane, colour: Sequence[float], *, saturation: float, gain: float = 1) -> Plane:
    """Return a picture with less or more colour, multiplied by a tint."""
    grey = _grey(rgb)
    tinted: Plane = (grey + (rgb - grey) * saturation) * np.array(colour, np.float32) * gain
    return tinted


def _gradient(place: Place, *colours: Sequence[float]) -> Plane:
    """Return a vertical run of colours, top first, that ends at the sky's lower edge."""
    rows = place.sky[..., 0].mean(axis=1) > 0.08
    end = max(0.25, (np.nonzero(rows)[0].max() + 1) / rows.size if rows.any() else 1.0)
    at = np.clip(place.height[..., 0] / end, 0, 1)
    stops = np.linspace(0, 1, len(colours))
    run = [np.interp(at, stops, [colour[c] for colour in colours]) for c in range(3)]
    return np.stack(run, axis=-1).astype(np.float32)


def _clouds(rgb: Plane, place: Place) -> Plane:
    """Return how the sky's brightness departs from its own mean, so that clouds survive."""
    grey = _grey(rgb)
    weight = place.sky.sum() + 1
    smooth: Plane = (grey - float((grey * place.sky).sum() / weight)) * place.sky
    return smooth


def _new_sky(rgb: Plane, place: Place, *colours: Sequence[float], clouds: float = 0.6) -> Plane:
    """Return the picture with another sky that keeps the clouds of the old."""
    fresh = _gradient(place, *colours)
    fresh = fresh * (1 + clouds * _clouds(rgb, place) * 2)
    return _mix(rgb, fresh, place.sky)


def _glow(mask: Plane, sigma: float) -> Plane:
    """Return a mask's halo."""
    halo: Plane = gaussian_filter(mask, (sigma, sigma, 0))
    return halo


def _pool(place: Place) -> Plane:
    """Return a soft pool of light about the middle, where the subject of a close-up is."""
    rows, columns = place.sky.shape[:2]
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    pool: Plane = np.exp(-(x**2 + (y + 0.1) ** 2) * 1.6)[..., None].astype(np.float32)
    return pool


def night(rgb: Plane, place: Place) -> Plane:
    """Deep blue dark; windows and lamps glow, a close-up is lit by one warm lamp."""
    dark = _tinted(rgb**1.9, (0.5, 0.72, 1.3), saturation=0.6, gain=0.5 / place.amount)
    dark = _new_sky(dark + rgb * 0.03, place, (0.012, 0.02, 0.075), (0.05, 0.09, 0.24), clouds=0.9)
    indoors = 1 - place.outdoors
    warm = _tinted(rgb**1.25, (1.0, 0.74, 0.46), saturation=0.95, gain=0.72)
    lit = _mix(dark, warm, _pool(place) * 0.75 * indoors)
    shine = np.array([1.0, 0.78, 0.38], np.float32) * (0.75 + 0.35 * _grey(rgb))
    lit = _mix(lit, shine, place.light * 0.95)
    size = rgb.shape[0]
    halo = _glow(place.light, size / 40) * 0.35 + _glow(place.light, size / 12) * 0.35
    return lit + halo * np.array([1.0, 0.62, 0.25], np.float32) * 0.7


def sunset(rgb: Plane, place: Place) -> Plane:
    """Violet to orange sky, warm light that comes low, darker land."""
    land = _tinted(rgb, (1.18, 0.78, 0.55), saturation=1.1, gain=0.8 / place.amount)
    land = _mix(land, (1.0, 0.5, 0.22), 0.1 + 0.4 * place.depth * place.outdoors)
    land = (land - 0.4) * 1.12 + 0.4
    sky = ((0.3, 0.2, 0.45), (0.72, 0.32, 0.42), (1.0, 0.5, 0.25), (1.0, 0.78, 0.38))
    side = _pool(place) * 0.16 * place.outdoors
    return _new_sky(land, place, *sky, clouds=1.1) + side * np.array([1, 0.55, 0.2], np.float32)


def snow(rgb: Plane, place: Place) -> Plane:
    """White where snow would stay, frosted leaves, a pale sky, cold light."""
    cold = _tinted(rgb, (0.92, 1.0, 1.1), saturation=0.45, gain=1.0) * 0.86 + 0.1
    texture = (_grey(rgb) - _grey(rgb).mean()) * 0.35
    white = np.array([0.91, 0.95, 1.0], np.float32) * (0.95 + texture)
    rest = np.clip(place.upward * (1.1 + 0.2 * place.mottle), 0, 1) * 0.92
    frost = place.foliage * np.clip(0.62 + 0.35 * place.mottle, 0, 1) * 0.9
    dust = (1 - place.sky) * np.clip(_grey(rgb) - 0.55, 0, 1) * 0.5
    covered = _mix(cold, white, np.maximum(np.maximum(rest, frost), dust) * place.amount)
    return _new_sky(covered, place, (0.74, 0.79, 0.86), (0.9, 0.92, 0.95), clouds=0.4)


def autumn(rgb: Plane, place: Place) -> Plane:
    """Orange, red and gold leaves, straw on the ground, mellow light."""
    mellow = _tinted(rgb, (1.1, 0.96, 0.8), saturation=1.1)
    grey = np.clip(_grey(rgb) * 1.55 + 0.1, 0, 1)
    turn = np.clip(0.5 + 0.45 * place.mottle, 0, 1)
    red, gold = np.array([0.95, 0.3, 0.08]), np.array([1.1, 0.68, 0.12])
    leaves = (red * (1 - turn) + gold * turn).astype(np.float32) * grey
    straw = np.array([1.05, 0.75, 0.36], np.float32) * np.clip(grey, 0, 1)
    mellow = _mix(mellow, straw, place.ground * place.foliage * 0.8)
    return _mix(mellow, leaves, place.foliage * (1 - 0.7 * place.ground) * 0.95 * place.amount)


def fog(rgb: Plane, place: Place) -> Plane:
    """A veil that thickens with distance and hides the sky."""
    veil = np.array([0.8, 0.83, 0.86], np.float32) * (0.97 + 0.06 * (1 - place.height))
    pale = _tinted(rgb, (0.97, 1.0, 1.02), saturation=0.6)
    thick = 1 - np.exp(-place.amount * (0.34 + 1.9 * place.depth))
    return _mix(pale, veil, np.maximum(thick, place.sky * 0.9))


def rain(rgb: Plane, place: Place) -> Plane:
    """Grey, cool and dim, with a wet ground that mirrors what stands on it."""
    dim = _tinted(rgb, (0.86, 0.97, 1.08), saturation=0.5, gain=0.66 / place.amount)
    dim = _mix(dim, (0.45, 0.5, 0.55), 0.55 * place.depth * place.outdoors)
    dim = _new_sky(dim, place, (0.3, 0.34, 0.4), (0.55, 0.59, 0.63), clouds=1.0)
    mirror = uniform_filter1d(dim[::-1], max(3, rgb.shape[0] // 5), axis=0)
    return _mix(dim, mirror * 1.15, place.ground * 0.5)


def spring(rgb: Plane, place: Place) -> Plane:
    """Fresh green, blossom on the trees, a clear sky."""
    bright = _tinted(rgb, (1.0, 1.03, 0.96), saturation=1.2, gain=1.08)
    grey = np.clip(_grey(rgb) * 1.5 + 0.12, 0, 1)
    fresh = _mix(bright, np.array([0.62, 1.02, 0.25], np.float32) * grey, place.foliage * 0.8)
    blossom = place.foliage * (1 - place.ground) * np.clip(place.mottle * 1.2, 0, 1)
    fresh = _mix(fresh, np.array([1.1, 0.68, 0.82], np.float32) * (grey + 0.15), blossom * 0.9)
    return _new_sky(fresh, place, (0.35, 0.62, 0.97), (0.8, 0.92, 1.0), clouds=0.6)


def summer(rgb: Plane, place: Place) -> Plane:
    """Strong sun: deep blue sky, saturated colours, contrast."""
    sunny = _tinted(rgb, (1.08, 1.03, 0.9), saturation=1.4, gain=1.1)
    sunny = (sunny - 0.45) * 1.15 + 0.48
    return _new_sky(sunny, place, (0.1, 0.4, 0.88), (0.5, 0.78, 0.98), clouds=1.2)


def golden(rgb: Plane, place: Place) -> Plane:
    """Golden hour: amber light over everything."""
    warm = _tinted(rgb, (1.2, 0.97, 0.64), saturation=1.0, gain=1.02)
    warm = _mix(warm, (1.0, 0.78, 0.42), 0.1 + 0.3 * place.depth)
    return _new_sky(warm, place, (0.85, 0.7, 0.5), (1.0, 0.85, 0.52), clouds=0.8)


def ice(rgb: Plane, place: Place) -> Plane:
    """Cold: everything in blue and cyan, bright parts frosted."""
    cold = _tinted(rgb, (0.62, 0.92, 1.28), saturation=0.4, gain=0.98)
    cold = _mix(cold, (0.85, 0.96, 1.0), np.clip(_grey(rgb) - 0.35, 0, 1) * 0.9)
    return _new_sky(cold, place, (0.35, 0.62, 0.85), (0.78, 0.92, 0.98), clouds=0.7)


def vintage(rgb: Plane, place: Place) -> Plane:
    """An old print: sepia, faded blacks, darker corners."""
    grey = np.clip(_grey(rgb), 0, 1)
    print_ = grey * np.array([1.0, 0.83, 0.6], np.float32) * 0.85 + np.array([0.13, 0.1, 0.07])
    faded: Plane = _mix(print_.astype(np.float32), rgb, 0.1) * (0.78 + 0.24 * _pool(place))
    return faded


def noir(rgb: Plane, place: Place) -> Plane:
    """Black and white with hard contrast."""
    grey = np.clip(_grey(rgb), 0, 1)
    hard = np.clip((grey - 0.48) * 1.35 + 0.45, 0, 1) * (0.75 + 0.3 * _pool(place))
    return np.repeat(hard, 3, axis=2)


def storm(rgb: Plane, place: Place) -> Plane:
    """Heavy dark clouds, a sick green-blue light, deep shadows."""
    dim = _tinted(rgb**1.25, (0.72, 0.88, 0.92), saturation=0.5, gain=0.62 / place.amount)
    heavy = np.clip(1 + 0.45 * place.mottle, 0.25, 2)
    dim = _mix(dim, dim * heavy, place.sky)
    fresh = _gradient(place, (0.1, 0.13, 0.17), (0.3, 0.36, 0.38), (0.5, 0.55, 0.52)) * heavy
    return _mix(dim, fresh, place.sky * 0.95)


def dawn(rgb: Plane, place: Place) -> Plane:
    """Pink first light under a pale blue, a little haze."""
    soft = _tinted(rgb, (1.08, 0.88, 0.98), saturation=0.8, gain=0.92)
    soft = _mix(soft, (0.98, 0.72, 0.78), 0.15 + 0.4 * place.depth * place.outdoors)
    sky = ((0.5, 0.55, 0.85), (0.85, 0.62, 0.82), (1.0, 0.68, 0.68), (1.0, 0.86, 0.74))
    return _new_sky(soft, place, *sky, clouds=0.7)


def aurora(rgb: Plane, place: Place) -> Plane:
    """A clear night under green and violet curtains of light."""
    dark = _tinted(rgb**1.7, (0.5, 0.95, 0.95), saturation=0.5, gain=0.42 / place.amount)
    dark = _new_sky(dark, place, (0.02, 0.03, 0.1), (0.04, 0.14, 0.2), clouds=0.3)
    columns = np.linspace(0, 1, rgb.shape[1], dtype=np.float32)[None, :, None]
    bend = 0.06 * np.sin(columns * 9) + 0.05 * place.mottle
    green = np.exp(-(((place.height - 0.24 + bend) / 0.1) ** 2))
    violet = np.exp(-(((place.height - 0.08 + bend) / 0.09) ** 2))
    lights = green * np.array([0.15, 0.85, 0.5]) + violet * np.array([0.5, 0.18, 0.65])
    reach = place.sky + (1 - place.sky) * 0.25
    lit: Plane = dark + (lights * reach).astype(np.float32)
    return lit


def neon(rgb: Plane, place: Place) -> Plane:
    """A night of magenta and cyan: dark parts blue-violet, bright parts glowing."""
    grey = np.clip(_grey(rgb), 0, 1)
    side = np.linspace(0, 1, rgb.shape[1], dtype=np.float32)[None, :, None]
    lit = np.array([1.0, 0.12, 0.72]) * (1 - side) + np.array([0.05, 0.85, 1.0]) * side
    glow = np.array([0.06, 0.02, 0.16]) + lit * grey**1.5 * 1.05
    kept = _mix(glow.astype(np.float32), rgb * 0.7, 0.2)
    kept = _new_sky(kept, place, (0.04, 0.01, 0.14), (0.38, 0.06, 0.42), clouds=0.5)
    return kept + _glow(place.light, rgb.shape[0] / 25) * np.array([1.0, 0.3, 0.8], np.float32)


def underwater(rgb: Plane, place: Place) -> Plane:
    """Blue-green water that swallows the distance, light from above."""
    wet = _tinted(rgb, (0.35, 0.88, 0.95), saturation=0.6, gain=0.9)
    deep = _gradient(place, (0.2, 0.72, 0.76), (0.04, 0.36, 0.55), (0.02, 0.2, 0.4))
    swallow = np.clip(0.15 + 0.6 * place.depth + 0.1 * place.height, 0, 0.85)
    return _mix(wet, deep, swallow) + 0.12 * (1 - place.height) * np.array([0.2, 1, 1], np.float32)


def desert(rgb: Plane, place: Place) -> Plane:
    """Hot dust: ochre haze, leaves dried out."""
    dry = _tinted(rgb, (1.12, 0.9, 0.64), saturation=0.75)
    sand = np.array([0.92, 0.7, 0.42], np.float32) * np.clip(_grey(rgb) * 1.2 + 0.25, 0, 1.1)
    dry = _mix(dry, sand, np.maximum(place.foliage, place.ground) * 0.8)
    haze = 1 - np.exp(-place.amount * (0.1 + 0.9 * place.depth))
    return _mix(dry, (0.9, 0.7, 0.45), np.maximum(haze, place.sky * 0.85))


def inferno(rgb: Plane, place: Place) -> Plane:
    """Fire: a black and red sky, embers' light from below."""
    dark = _tinted(rgb**1.5, (1.2, 0.5, 0.3), saturation=0.6, gain=0.65)
    embers = np.array([1.0, 0.33, 0.05], np.float32) * (0.1 + 0.4 * place.height**1.5)
    dark = dark + embers * (0.3 + np.clip(_grey(rgb), 0, 1))
    heavy = np.clip(1 + 0.4 * place.mottle, 0.3, 2)
    sky = _gradient(place, (0.16, 0.02, 0.02), (0.6, 0.1, 0.03), (1.0, 0.45, 0.1)) * heavy
    return _mix(dark, sky, place.sky * 0.95)


def dream(rgb: Plane, place: Place) -> Plane:
    """Pastel: lifted, soft, lilac and mint."""
    soft = _glow(rgb, rgb.shape[0] / 40) * 0.5 + rgb * 0.5
    pale = _tinted(soft, (1.04, 0.96, 1.06), saturation=0.85) * 0.62 + 0.38
    wash = _gradient(place, (0.8, 0.75, 1.0), (1.0, 0.8, 0.9), (0.85, 1.0, 0.92))
    return _mix(pale, wash, 0.22 + 0.55 * place.sky)


def sky_mask(rgb: Plane, place: Place) -> Plane:
    """White where the sky is and black elsewhere: what finishing layers ask the network for."""
    return np.repeat(place.sky, 3, axis=2) * np.float32(1) + rgb * 0


EDITS: dict[str, Edit] = {
    "night": night,
    "sunset": sunset,
    "snow": snow,
    "autumn": autumn,
    "fog": fog,
    "rain": rain,
    "spring": spring,
    "summer": summer,
    "golden": golden,
    "ice": ice,
    "vintage": vintage,
    "noir": noir,
    "storm": storm,
    "dawn": dawn,
    "aurora": aurora,
    "neon": neon,
    "underwater": underwater,
    "desert": desert,
    "inferno": inferno,
    "dream": dream,
    "sky_mask": sky_mask,
}
"""Every edit by name. An edit of the ground (snow, rain ...) goes before one of the light."""


def apply_edits(names: Sequence[str], *, rgb: Plane, place: Place) -> Plane:
    """Return a picture after the named edits, in their order, clipped to [0, 1]."""
    result = rgb
    for name in names:
        result = np.clip(EDITS[name](result, place), 0, 1).astype(np.float32)
    return result
