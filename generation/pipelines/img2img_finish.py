"""From a small decoded result to the full-size picture, as a checkpoint's manifest declares."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from generation.postprocess.guided import transfer
from generation.postprocess.layer_tools import lifted
from generation.postprocess.layers import draw_layer
from generation.weights import Finish, Manifest

LEAST_LIGHT = 0.1
"""Mean brightness below which no edit darkens a picture: what is night already would be black."""


def resized(picture: Tensor, *, height: int, width: int) -> Tensor:
    """Return a picture at another size, smoothed before it shrinks.

    Shape:
        - picture: ``(1, C, H, W)``; returns ``(1, C, height, width)``, clamped to [0, 1].
    """
    if picture.shape[-2:] == (height, width):
        return picture
    size = (height, width)
    result = functional.interpolate(picture, size=size, mode="bicubic", antialias=True)
    return result.clamp(0, 1)


def finished(
    picture: Tensor,
    *,
    before: Tensor,
    after: Tensor,
    masks: Mapping[str, Tensor],
    manifest: Manifest,
    edits: Sequence[str],
    blend: float,
    seed: int,
) -> Tensor:
    """Return the full-size result.

    Args:
        picture: the member's picture.
        before: the small source as the codec returns it, so that the codec's errors cancel.
        after: the small result.
        masks: small masks by name, for the layers.
        manifest: says which finish and which layers there are.
        edits: what the prompt asks for; layers of other edits are not drawn.
        blend: share of the result against the source; layers fade along.
        seed: of the layers' particles.

    Shape:
        - picture: ``(1, 3, H, W)``; before, after: ``(1, 3, h, w)``; masks: ``(1, 1, h, w)``.
        - returns: ``(1, 3, H, W)`` in [0, 1].
    """
    height, width = picture.shape[-2:]
    if manifest.finish is None:
        large = resized(after, height=height, width=width)
        return picture + blend * (large - picture)
    target = before + blend * (after - before)
    result = _carried(picture, before=before, target=target, finish=manifest.finish)
    drawn = _layered(
        result, picture=picture, before=before, masks=masks,
        manifest=manifest, edits=edits, blend=blend, seed=seed,
    )  # fmt: skip
    return _visible(drawn, least=min(LEAST_LIGHT, float(picture.mean())))


def _visible(result: Tensor, *, least: float) -> Tensor:
    """Return a picture that is not darker than ``least`` in the mean."""
    if float(result.mean()) >= least or least <= 0.01:
        return result
    rgb = lifted(_values(result), least=least)
    return torch.from_numpy(rgb).permute(2, 0, 1)[None].to(result.device)


def _values(picture: Tensor) -> NDArray[np.float32]:
    """Return a picture as finishing layers take it, ``(H, W, 3)``."""
    values: NDArray[np.float32] = picture[0].permute(1, 2, 0).contiguous().cpu().numpy()
    return values


def _carried(picture: Tensor, *, before: Tensor, target: Tensor, finish: Finish) -> Tensor:
    return transfer(picture, guide=before, target=target, radius=finish.radius, eps=finish.eps)


def _layered(
    result: Tensor,
    *,
    picture: Tensor,
    before: Tensor,
    masks: Mapping[str, Tensor],
    manifest: Manifest,
    edits: Sequence[str],
    blend: float,
    seed: int,
) -> Tensor:
    """Return the result under the layers that the edits call for."""
    wanted = [layer for layer in manifest.layers if set(layer.edits) & set(edits)]
    if not wanted or manifest.finish is None:
        return result
    rgb, source = _values(result), _values(picture)
    for layer in wanted:
        place = None
        if layer.mask is not None:
            small = _carried(
                picture, before=before, target=masks[layer.mask], finish=manifest.finish
            )
            # The network answers in shades; only what it is sure of counts.
            place = ((small[0, 0] - 0.35) / 0.4).clamp(0, 1).cpu().numpy()
            place = 1 - place if layer.outside else place
        amount = layer.amount * blend
        rgb = draw_layer(layer.layer, rgb=rgb, source=source, mask=place, amount=amount, seed=seed)
    return torch.from_numpy(rgb).permute(2, 0, 1)[None].to(result.device)
