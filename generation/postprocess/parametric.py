"""Parametric edits of light and weather: plain arithmetic on a picture whose contents are known.

They are no model. In training they are the teacher of the remix checkpoint: on painted scenes,
where sky, leaves, ground and distance are known exactly, they say what a picture should become.

Shape of every edit:
    - rgb: ``(H, W, 3)`` float32 in [0, 1], sRGB.
    - place: planes ``(H, W, 1)`` in [0, 1].
    - returns: ``(H, W, 3)``, not yet clipped.
"""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import uniform_filter1d

from generation.postprocess.media import MEDIA
from generation.postprocess.place import (
    Edit,
    Place,
    Plane,
    curve,
    gradient,
    halo_of,
    leaves_of,
    luma,
    mix,
    new_sky,
    pool_of,
    tinted,
)


def night(rgb: Plane, place: Place) -> Plane:
    """Deep blue dark; windows and lamps glow, a close-up is lit by one warm lamp."""
    dark = tinted(rgb**1.9, (0.5, 0.72, 1.3), saturation=0.6, gain=0.5 / place.amount)
    dark = new_sky(dark + rgb * 0.03, place, (0.012, 0.02, 0.075), (0.05, 0.09, 0.24), clouds=0.9)
    indoors = 1 - place.outdoors
    warm = tinted(rgb**1.25, (1.0, 0.74, 0.46), saturation=0.95, gain=0.72)
    lit = mix(dark, warm, pool_of(place) * 0.75 * indoors)
    shine = np.array([1.0, 0.78, 0.38], np.float32) * (0.75 + 0.35 * luma(rgb))
    lit = mix(lit, shine, place.light * 0.95)
    size = rgb.shape[0]
    halo = halo_of(place.light, size / 40) * 0.35 + halo_of(place.light, size / 12) * 0.35
    return lit + halo * np.array([1.0, 0.62, 0.25], np.float32) * 0.7


def sunset(rgb: Plane, place: Place) -> Plane:
    """Violet to orange sky; what is lit glows warm, shadows turn violet and deep."""
    grey = np.clip(luma(rgb), 0, 1)
    lit = tinted(rgb, (1.22, 0.84, 0.56), saturation=1.1, gain=1.0)
    shade = tinted(rgb, (0.78, 0.58, 0.78), saturation=0.8, gain=0.72)
    land = mix(shade, lit, curve(grey, low=0.15, high=0.75)) / place.amount
    land = mix(land, (1.0, 0.5, 0.24), (0.06 + 0.42 * place.depth) * place.outdoors)
    sky = ((0.3, 0.2, 0.45), (0.72, 0.32, 0.42), (1.0, 0.5, 0.25), (1.0, 0.78, 0.38))
    side = pool_of(place) * (0.06 + 0.1 * place.outdoors)
    return new_sky(land, place, *sky, clouds=1.1) + side * np.array([1, 0.5, 0.2], np.float32)


def snow(rgb: Plane, place: Place) -> Plane:
    """White where snow would stay, frosted leaves, a pale sky, cold light."""
    cold = tinted(rgb, (0.92, 1.0, 1.1), saturation=0.45, gain=1.0) * 0.86 + 0.1
    texture = (luma(rgb) - luma(rgb).mean()) * 0.35
    white = np.array([0.91, 0.95, 1.0], np.float32) * (0.95 + texture)
    rest = np.clip(place.upward * (1.1 + 0.2 * place.mottle), 0, 1) * 0.92
    frost = leaves_of(rgb, place) * np.clip(0.66 + 0.35 * place.mottle, 0, 1) * 0.9
    dust = (1 - place.sky) * np.clip(luma(rgb) - 0.55, 0, 1) * 0.5
    covered = mix(cold, white, np.maximum(np.maximum(rest, frost), dust) * place.amount)
    return new_sky(covered, place, (0.74, 0.79, 0.86), (0.9, 0.92, 0.95), clouds=0.4)


def winter(rgb: Plane, place: Place) -> Plane:
    """Frost on leaves and ground, blue shadows, a low pale sun in a clear sky."""
    grey = np.clip(luma(rgb), 0, 1)
    shade = tinted(rgb, (0.72, 0.88, 1.15), saturation=0.4, gain=0.85)
    lit = tinted(rgb, (1.06, 1.0, 0.95), saturation=0.55, gain=1.12)
    cold = mix(shade, lit, curve(grey, low=0.2, high=0.8))
    rest = np.clip(np.maximum(place.upward, place.ground * 0.9) * (1 + 0.25 * place.mottle), 0, 1)
    frost = leaves_of(rgb, place) * np.clip(0.6 + 0.3 * place.mottle, 0, 1)
    white = np.array([0.86, 0.92, 1.0], np.float32) * (0.72 + 0.4 * grey)
    rime = (1 - place.sky) * curve(grey, low=0.4, high=0.9) * 0.5
    covered = np.maximum(np.maximum(rest * 0.9, frost * 0.88), rime) * place.amount
    covered = mix(cold, white, covered)
    return new_sky(covered, place, (0.5, 0.68, 0.88), (0.96, 0.9, 0.84), clouds=0.5)


def autumn(rgb: Plane, place: Place) -> Plane:
    """Orange, red and gold leaves, straw on the ground, mellow light."""
    mellow = tinted(rgb, (1.12, 0.95, 0.76), saturation=1.1)
    green = leaves_of(rgb, place)
    grey = np.clip(luma(rgb) * 1.7 + 0.1, 0, 1)
    turn = np.clip(0.5 + 0.45 * place.mottle, 0, 1)
    red, gold = np.array([1.0, 0.3, 0.06]), np.array([1.15, 0.66, 0.1])
    leaves = (red * (1 - turn) + gold * turn).astype(np.float32) * grey
    straw = np.array([1.05, 0.75, 0.36], np.float32) * np.clip(grey, 0, 1)
    mellow = mix(mellow, straw, place.ground * place.foliage * 0.8)
    return mix(mellow, leaves, green * (1 - 0.7 * place.ground) * 0.97 * place.amount)


def fog(rgb: Plane, place: Place) -> Plane:
    """A veil that thickens with distance and hides the sky."""
    veil = np.array([0.8, 0.83, 0.86], np.float32) * (0.97 + 0.06 * (1 - place.height))
    pale = tinted(rgb, (0.97, 1.0, 1.02), saturation=0.6)
    thick = 1 - np.exp(-place.amount * (0.34 + 1.9 * place.depth))
    return mix(pale, veil, np.maximum(thick, place.sky * 0.9))


def rain(rgb: Plane, place: Place) -> Plane:
    """Grey, cool and dim, with a wet ground that mirrors what stands on it."""
    dim = tinted(rgb, (0.86, 0.97, 1.08), saturation=0.5, gain=0.66 / place.amount)
    dim = mix(dim, (0.45, 0.5, 0.55), 0.55 * place.depth * place.outdoors)
    dim = new_sky(dim, place, (0.3, 0.34, 0.4), (0.55, 0.59, 0.63), clouds=1.0)
    mirror = uniform_filter1d(dim[::-1], max(3, rgb.shape[0] // 5), axis=0)
    return mix(dim, mirror * 1.15, place.ground * 0.5)


def spring(rgb: Plane, place: Place) -> Plane:
    """Fresh green, blossom on the trees, a clear sky."""
    bright = tinted(rgb, (1.02, 1.04, 0.97), saturation=1.2, gain=1.06)
    bright = mix(bright, (1.0, 0.88, 0.92), 0.14)
    grey = np.clip(luma(rgb) * 1.6 + 0.14, 0, 1)
    green = leaves_of(rgb, place)
    fresh = mix(bright, np.array([0.62, 1.02, 0.25], np.float32) * grey, green * 0.8)
    blossom = green * (1 - place.ground) * np.clip(place.mottle * 1.5 + 0.1, 0, 1)
    fresh = mix(fresh, np.array([1.1, 0.66, 0.82], np.float32) * (grey + 0.15), blossom * 0.95)
    return new_sky(fresh, place, (0.35, 0.62, 0.97), (0.8, 0.92, 1.0), clouds=0.6)


def summer(rgb: Plane, place: Place) -> Plane:
    """Strong sun: deep blue sky, saturated colours, contrast."""
    sunny = tinted(rgb, (1.08, 1.03, 0.9), saturation=1.4, gain=1.1)
    sunny = (sunny - 0.45) * 1.15 + 0.48
    return new_sky(sunny, place, (0.1, 0.4, 0.88), (0.5, 0.78, 0.98), clouds=1.2)


def golden(rgb: Plane, place: Place) -> Plane:
    """Golden hour: low amber light on all that is bright, long soft shadows, a glowing distance."""
    grey = np.clip(luma(rgb), 0, 1)
    lit = tinted(rgb, (1.26, 0.95, 0.58), saturation=1.05, gain=1.06)
    shade = tinted(rgb, (1.02, 0.78, 0.6), saturation=0.9, gain=0.82)
    warm = mix(shade, lit, curve(grey, low=0.1, high=0.6))
    warm = mix(warm, (1.0, 0.74, 0.4), 0.04 + 0.36 * place.depth * place.outdoors)
    glow = pool_of(place) * 0.12 * np.array([1.0, 0.68, 0.26], np.float32)
    return new_sky(warm, place, (0.8, 0.66, 0.5), (1.0, 0.8, 0.46), clouds=0.9) + glow


def ice(rgb: Plane, place: Place) -> Plane:
    """Cold: everything in blue and cyan, bright parts frosted."""
    cold = tinted(rgb, (0.62, 0.92, 1.28), saturation=0.4, gain=0.98)
    cold = mix(cold, (0.85, 0.96, 1.0), np.clip(luma(rgb) - 0.35, 0, 1) * 0.9)
    return new_sky(cold, place, (0.35, 0.62, 0.85), (0.78, 0.92, 0.98), clouds=0.7)


def vintage(rgb: Plane, place: Place) -> Plane:
    """An old print: sepia, faded blacks, darker corners."""
    grey = np.clip(luma(rgb), 0, 1)
    print_ = grey * np.array([1.0, 0.83, 0.6], np.float32) * 0.85 + np.array([0.13, 0.1, 0.07])
    faded: Plane = mix(print_.astype(np.float32), rgb, 0.1) * (0.78 + 0.24 * pool_of(place))
    return faded


def noir(rgb: Plane, place: Place) -> Plane:
    """Black and white with hard contrast."""
    grey = np.clip(luma(rgb), 0, 1)
    hard = np.clip((grey - 0.48) * 1.35 + 0.45, 0, 1) * (0.75 + 0.3 * pool_of(place))
    return np.repeat(hard, 3, axis=2)


def storm(rgb: Plane, place: Place) -> Plane:
    """Torn black clouds with a pale rift, a sick green light, hard and deep shadows."""
    dim = tinted(np.clip(rgb, 0, 1) ** 1.3, (0.78, 0.95, 0.86), saturation=0.5, gain=0.8)
    dim = (dim - 0.3) * 1.2 / place.amount + 0.27
    heavy = np.clip(1 + 0.6 * place.mottle, 0.2, 2)
    fresh = gradient(place, (0.07, 0.09, 0.12), (0.2, 0.25, 0.27), (0.62, 0.66, 0.56)) * heavy
    dim = mix(dim, (0.3, 0.36, 0.34), 0.35 * place.depth * place.outdoors)
    return mix(dim, fresh, place.sky * 0.96)


def dawn(rgb: Plane, place: Place) -> Plane:
    """Pink first light under a pale blue, a little haze."""
    soft = tinted(rgb, (1.08, 0.88, 0.98), saturation=0.8, gain=0.92)
    soft = mix(soft, (0.98, 0.72, 0.78), 0.15 + 0.4 * place.depth * place.outdoors)
    sky = ((0.5, 0.55, 0.85), (0.85, 0.62, 0.82), (1.0, 0.68, 0.68), (1.0, 0.86, 0.74))
    return new_sky(soft, place, *sky, clouds=0.7)


def aurora(rgb: Plane, place: Place) -> Plane:
    """A clear night under green and violet curtains of light."""
    dark = tinted(rgb**1.7, (0.5, 0.95, 0.95), saturation=0.5, gain=0.42 / place.amount)
    dark = new_sky(dark, place, (0.02, 0.03, 0.1), (0.04, 0.14, 0.2), clouds=0.3)
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
    grey = np.clip(luma(rgb), 0, 1)
    side = np.linspace(0, 1, rgb.shape[1], dtype=np.float32)[None, :, None]
    lit = np.array([1.0, 0.12, 0.72]) * (1 - side) + np.array([0.05, 0.85, 1.0]) * side
    glow = np.array([0.05, 0.02, 0.14]) + lit * grey**1.8 * 0.95
    kept = mix(glow.astype(np.float32), rgb * 0.6, 0.15)
    kept = new_sky(kept, place, (0.03, 0.01, 0.12), (0.34, 0.05, 0.4), clouds=0.5)
    return kept + halo_of(place.light, rgb.shape[0] / 25) * np.array([1.0, 0.3, 0.8], np.float32)


def underwater(rgb: Plane, place: Place) -> Plane:
    """Blue-green water that swallows the distance, light from above."""
    wet = tinted(rgb, (0.35, 0.88, 0.95), saturation=0.6, gain=0.9)
    deep = gradient(place, (0.2, 0.72, 0.76), (0.04, 0.36, 0.55), (0.02, 0.2, 0.4))
    swallow = np.clip(0.15 + 0.6 * place.depth + 0.1 * place.height, 0, 0.85)
    return mix(wet, deep, swallow) + 0.12 * (1 - place.height) * np.array([0.2, 1, 1], np.float32)


def desert(rgb: Plane, place: Place) -> Plane:
    """Hot dust: ochre haze, leaves dried out."""
    dry = tinted(rgb, (1.12, 0.9, 0.64), saturation=0.75)
    sand = np.array([0.92, 0.7, 0.42], np.float32) * np.clip(luma(rgb) * 1.2 + 0.25, 0, 1.1)
    dry = mix(dry, sand, np.maximum(leaves_of(rgb, place), place.ground) * 0.8)
    haze = 1 - np.exp(-place.amount * (0.1 + 0.9 * place.depth))
    return mix(dry, (0.9, 0.7, 0.45), np.maximum(haze, place.sky * 0.85))


def inferno(rgb: Plane, place: Place) -> Plane:
    """Fire: a black and red sky, embers' light from below."""
    dark = tinted(rgb**1.5, (1.2, 0.5, 0.3), saturation=0.6, gain=0.65)
    embers = np.array([1.0, 0.33, 0.05], np.float32) * (0.1 + 0.4 * place.height**1.5)
    dark = dark + embers * (0.3 + np.clip(luma(rgb), 0, 1))
    heavy = np.clip(1 + 0.4 * place.mottle, 0.3, 2)
    sky = gradient(place, (0.16, 0.02, 0.02), (0.6, 0.1, 0.03), (1.0, 0.45, 0.1)) * heavy
    return mix(dark, sky, place.sky * 0.95)


def dream(rgb: Plane, place: Place) -> Plane:
    """Pastel: lifted, soft, lilac and mint."""
    soft = halo_of(rgb, rgb.shape[0] / 40) * 0.5 + rgb * 0.5
    pale = tinted(soft, (1.04, 0.96, 1.06), saturation=0.85) * 0.62 + 0.38
    wash = gradient(place, (0.8, 0.75, 1.0), (1.0, 0.8, 0.9), (0.85, 1.0, 0.92))
    return mix(pale, wash, 0.22 + 0.55 * place.sky)


def sky_mask(rgb: Plane, place: Place) -> Plane:
    """White where the sky is and black elsewhere: what finishing layers ask the network for.

    A sky out of focus behind something near is none: who cannot tell it from a wall draws no bolt.
    """
    clear = place.sky * curve(place.depth, low=0.6, high=0.9)
    return np.repeat(clear, 3, axis=2) * np.float32(1) + rgb * 0


EDITS: dict[str, Edit] = {
    "night": night,
    "sunset": sunset,
    "snow": snow,
    "winter": winter,
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
    **MEDIA,
    "sky_mask": sky_mask,
}
"""Every edit by name. One of the ground goes before one of the light, and that before a medium."""


def apply_edits(names: Sequence[str], *, rgb: Plane, place: Place) -> Plane:
    """Return a picture after the named edits, in their order, clipped to [0, 1]."""
    result = rgb
    for name in names:
        result = np.clip(EDITS[name](result, place), 0, 1).astype(np.float32)
    return result
