"""Between pixels, PIL and tensors: value ranges change only here.

Outside a pipeline a picture is NCHW float32 in [0, 1]; on the border it is 8-bit sRGB.
"""

import torch
from PIL import Image
from torch import Tensor

from generation.errors import GenerationError
from generation.request import Pixels


def to_tensor(picture: Pixels | Image.Image, *, device: torch.device | str = "cpu") -> Tensor:
    """Return a picture as a batch of one.

    Shape:
        - returns: ``(1, 3, H, W)``, float32 in [0, 1].
    """
    pixels = picture if isinstance(picture, Pixels) else to_pixels(picture)
    # A bytearray is writable, which torch asks of a buffer that it shares.
    flat = torch.frombuffer(bytearray(pixels.data), dtype=torch.uint8)
    there = _uploaded(flat, torch.device(device))
    image = there.view(1, pixels.height, pixels.width, 3).permute(0, 3, 1, 2)
    return image.to(torch.float32).div(255).contiguous()


def to_pixels(picture: Tensor | Image.Image) -> Pixels:
    """Return a picture as plain bytes; values beyond [0, 1] are clamped, as a screen would.

    Shape:
        - picture: ``(1, 3, H, W)`` or ``(3, H, W)`` in [0, 1], or any PIL picture.

    Raises:
        GenerationError: the tensor holds values that are not finite, so there is no picture.
    """
    if isinstance(picture, Image.Image):
        rgb = picture.convert("RGB")
        return Pixels(width=rgb.width, height=rgb.height, data=rgb.tobytes())
    image = picture.detach().reshape(picture.shape[-3:]).to(torch.float32)
    if image.shape[0] != 3:
        raise ValueError(f"a picture has 3 channels, not {image.shape[0]}")
    if not bool(torch.isfinite(image).all()):
        raise GenerationError("the model returned values that are not numbers")
    rounded = image.clamp(0, 1).mul(255).round().to(torch.uint8)
    data = _downloaded(rounded.permute(1, 2, 0).contiguous()).numpy().tobytes()
    return Pixels(width=image.shape[2], height=image.shape[1], data=data)


def _uploaded(flat: Tensor, device: torch.device) -> Tensor:
    """Move bytes to a device; to a GPU from pinned memory, so that nobody waits for them here.

    Torch keeps the pinned memory until the copy is done, whoever lets go of it.
    """
    if device.type != "cuda":
        return flat.to(device)
    return flat.pin_memory().to(device, non_blocking=True)


def _downloaded(values: Tensor) -> Tensor:
    """Move bytes to this side; from a GPU into pinned memory, which its copy engine can reach."""
    if values.device.type != "cuda":
        return values.cpu()
    here = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    here.copy_(values, non_blocking=True)
    torch.cuda.current_stream(values.device).synchronize()
    return here


def to_pil(picture: Tensor | Pixels) -> Image.Image:
    """Return a picture as PIL, in RGB."""
    pixels = picture if isinstance(picture, Pixels) else to_pixels(picture)
    return Image.frombytes("RGB", (pixels.width, pixels.height), pixels.data)
