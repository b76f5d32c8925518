"""Layers over a finished picture; for a codec's child, which knows no torch."""

from collections.abc import Sequence

import numpy as np

from generation.postprocess.layer_tools import Plane
from generation.postprocess.layers import draw_layer
from generation.request import Pixels


def under_layers(pixels: Pixels, layers: Sequence[str], seed: int) -> Pixels:
    """Return a picture under layers, one after another.

    Raises:
        KeyError: there is no layer of a name.
    """
    shape = (pixels.height, pixels.width, 3)
    scaled = np.frombuffer(pixels.data, np.uint8).reshape(shape) / np.float32(255)
    source: Plane = scaled.astype(np.float32)
    rgb = source
    for layer in layers:
        rgb = draw_layer(layer, rgb=rgb, source=source, mask=None, amount=1.0, seed=seed)
    data = (rgb * 255).round().astype(np.uint8).tobytes()
    return Pixels(width=pixels.width, height=pixels.height, data=data)
