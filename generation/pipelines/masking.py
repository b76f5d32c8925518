"""Masks: where a picture is made anew, in its pixels and in its latents.

Differs from diffusers: a latent is made anew if any of its pixels is, so that thin strokes are
not lost; and what is made fades into the picture by the mask's greys, in pixels.
"""

import torch
from torch import Tensor
from torch.nn import functional

from generation.imaging import to_tensor
from generation.pipelines.img2img_finish import resized
from generation.request import Pixels

EVERYWHERE = Pixels(width=1, height=1, data=bytes([255] * 3))
"""The mask of a picture that is made anew as a whole."""


def laid(mask: Pixels, *, height: int, width: int, device: torch.device) -> Tensor:
    """Return a mask laid over a picture of that size.

    Shape:
        - returns: ``(1, 1, height, width)`` in [0, 1], 1 where the picture is made anew.
    """
    grey = to_tensor(mask, device=device).mean(dim=1, keepdim=True)
    return resized(grey, height=height, width=width)


def hidden(picture: Tensor, *, mask: Pixels) -> Tensor:
    """Return a picture that is grey where it is made anew.

    Shape:
        - picture: ``(1, 3, h, w)`` in [0, 1]; returns likewise.
    """
    height, width = picture.shape[-2:]
    over = laid(mask, height=height, width=width, device=picture.device)
    return torch.where(over < 0.5, picture, torch.full_like(picture, 0.5))


def fresh_latents(mask: Pixels, *, source: Tensor, factor: int) -> Tensor:
    """Return which latents of a picture are made anew, at ``factor`` pixels per latent.

    Shape:
        - source: ``(1, 3, h, w)``; returns bool, ``(1, 1, h/factor, w/factor)``.
    """
    height, width = source.shape[-2:]
    over = laid(mask, height=height, width=width, device=source.device)
    return functional.max_pool2d((over >= 0.5).float(), factor) > 0


def kept_outside(picture: Tensor, made: Tensor, *, mask: Pixels) -> Tensor:
    """Return what was made where the mask says so, and elsewhere the picture as it was.

    Shape:
        - picture, made: ``(1, 3, H, W)`` in [0, 1]; returns likewise.
    """
    height, width = picture.shape[-2:]
    over = laid(mask, height=height, width=width, device=picture.device)
    return picture + over * (made - picture)
