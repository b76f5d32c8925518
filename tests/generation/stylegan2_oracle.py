"""StyleGAN2's generator written plainly in numpy and float64, by its paper's equations.

Nothing of ours is used but the names of the weights: weights are modulated and demodulated for
each picture (equations 1 to 3), not feature maps; every sum is written out.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate2d

Array = NDArray[np.float64]
TAPS = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


def dense(x: Array, weight: Array, bias: Array, *, rate: float = 1.0) -> Array:
    scaled = weight * rate / np.sqrt(weight.shape[1])
    return np.asarray(scaled @ x + bias * rate)


def leaky(x: Array) -> Array:
    return np.asarray(np.where(x < 0, 0.2 * x, x) * np.sqrt(2))


def mapped(z: Array, weights: Mapping[str, Array], *, layers: int) -> Array:
    w: Array = z / np.sqrt(np.mean(z**2) + 1e-8)
    for number in range(layers):
        names = (f"mapping.fc{number}.weight", f"mapping.fc{number}.bias")
        w = leaky(dense(w, *(weights[name] for name in names), rate=0.01))
    return np.asarray(w)


def correlated(x: Array, weight: Array, *, mode: str) -> Array:
    """Return sums over channels of correlations; x is (I, H, W), weight (O, I, k, k)."""
    return np.stack(
        [sum(correlate2d(x[i], kernel[i], mode=mode) for i in range(len(x))) for kernel in weight]
    )


def spread_out(x: Array) -> Array:
    """Return a feature map with a row and a column of zeros after every one."""
    large = np.zeros((len(x), 2 * x.shape[1], 2 * x.shape[2]))
    large[:, ::2, ::2] = x
    return large


def enlarged(x: Array) -> Array:
    """Return pictures twice as large: zeros put between, and smoothed to the same brightness."""
    large = np.pad(spread_out(x), ((0, 0), (2, 1), (2, 1)))
    return np.stack([correlate2d(each, 4 * TAPS, mode="valid") for each in large])


def layer(x: Array, w: Array, weights: Mapping[str, Array], name: str, *, up: bool) -> Array:
    style = dense(w, weights[f"{name}.affine.weight"], weights[f"{name}.affine.bias"])
    kernel = weights[f"{name}.weight"] * style[None, :, None, None]
    kernel = kernel / np.sqrt((kernel**2).sum(axis=(1, 2, 3), keepdims=True) + 1e-8)
    if up:
        # A transposed convolution: zeros between, then a true convolution, without its last line.
        turned = kernel[:, :, ::-1, ::-1]
        full = correlated(spread_out(x)[:, :-1, :-1], turned, mode="full")
        full = np.pad(full, ((0, 0), (1, 1), (1, 1)))
        x = np.stack([correlate2d(each, 4 * TAPS, mode="valid") for each in full])
    else:
        x = correlated(x, kernel, mode="same")
    x = x + weights[f"{name}.noise_const"] * weights[f"{name}.noise_strength"]
    return leaky(x + weights[f"{name}.bias"][:, None, None])


def coloured(x: Array, w: Array, weights: Mapping[str, Array], name: str) -> Array:
    style = dense(w, weights[f"{name}.affine.weight"], weights[f"{name}.affine.bias"])
    kernel = weights[f"{name}.weight"][:, :, 0, 0] * style / np.sqrt(len(style))
    colours = np.einsum("oi,ihw->ohw", kernel, x)
    return np.asarray(colours + weights[f"{name}.bias"][:, None, None])


def synthesised(ws: Array, weights: Mapping[str, Array], *, resolution: int) -> Array:
    """Return a picture, ``(3, resolution, resolution)``, of one style for each layer."""
    x = weights["synthesis.b4.const"]
    x = layer(x, ws[0], weights, "synthesis.b4.conv1", up=False)
    picture = coloured(x, ws[1], weights, "synthesis.b4.torgb")
    size, place = 8, 1
    while size <= resolution:
        x = layer(x, ws[place], weights, f"synthesis.b{size}.conv0", up=True)
        x = layer(x, ws[place + 1], weights, f"synthesis.b{size}.conv1", up=False)
        colours = coloured(x, ws[place + 2], weights, f"synthesis.b{size}.torgb")
        picture = enlarged(picture) + colours
        size, place = 2 * size, place + 2
    return picture
