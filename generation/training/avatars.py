"""Painted avatars: people, animals and robots, each a function of a seed.

They are data for the portraits' StyleGAN2, and what ``/portrait`` shows where no such model is.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from generation.errors import InvalidRequestError
from generation.training import avatars_animals, avatars_people, avatars_robots
from generation.training.avatars_tools import Pen, hsv, lighter
from generation.training.avatars_traits import Kind, Traits, traits_of

Bytes = NDArray[np.uint8]

LEAST_SIDE = 16


def painted(traits: Traits, *, side: int) -> Image.Image:
    """Return an avatar's picture.

    Raises:
        InvalidRequestError: the side is below ``LEAST_SIDE`` pixels.
    """
    if side < LEAST_SIDE:
        raise InvalidRequestError(f"an avatar has at least {LEAST_SIDE} pixels a side")
    ground = hsv(traits.ground_hue, traits.ground_saturation, 0.92)
    pen = Pen(side, ground=ground)
    pen.shape([(0, 0), (1, 0), (1, 1), (0, 1)], ground, shade=0.12)
    pen.oval(0.5, 0.54, 0.43, 0.43, lighter(ground, 0.4), shade=0.04)
    _painter(traits.kind)(pen, traits)
    return pen.picture()


def avatars(count: int, *, seed: int, side: int) -> Bytes:
    """Return painted avatars.

    Shape:
        - returns: ``(count, side, side, 3)``.
    """
    seeds = np.random.SeedSequence([seed, 11]).generate_state(count)
    return np.stack([np.asarray(painted(traits_of(int(each)), side=side)) for each in seeds])


def _painter(kind: Kind) -> Callable[[Pen, Traits], None]:
    if kind == "person":
        return avatars_people.paint
    return avatars_robots.paint if kind == "robot" else avatars_animals.paint
