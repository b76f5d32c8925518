"""Which device networks run on, in which numbers, and how they come there and leave it."""

from collections.abc import Iterable
from typing import TypeVar

import torch
from torch import nn

from generation.pipelines.base import Dtype

ModuleT = TypeVar("ModuleT", bound=nn.Module)

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def torch_device(name: str) -> torch.device:
    """Return a device by its name; "auto" is the GPU when there is one."""
    automatic = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(automatic if name == "auto" else name)


def torch_dtype(name: Dtype, *, device: torch.device, half: torch.dtype) -> torch.dtype:
    """Return what networks calculate in, by its name; "auto" is ``half`` on a GPU."""
    if name != "auto":
        return DTYPES[name]
    return torch.float32 if device.type == "cpu" else half


def ready(module: ModuleT, device: torch.device) -> ModuleT:
    """Move a network to its device, for inference only."""
    if device.type == "cuda":
        lay_channels_last(module)
    return module.to(device).eval().requires_grad_(requires_grad=False)


def lay_channels_last(module: nn.Module) -> None:
    """Lay the weights of plane convolutions channels last, as a GPU's matrix units read them.

    Whatever passes through them then lies so too. Convolutions over time are left as they are.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            layer.to(memory_format=torch.channels_last)


def weight_bytes(modules: Iterable[nn.Module]) -> int:
    """Return the bytes of networks' parameters and buffers; what they share counts once."""
    found = {
        id(tensor): tensor.nbytes
        for module in modules
        for tensors in (module.parameters(), module.buffers())
        for tensor in tensors
    }
    return sum(found.values())


def move(modules: Iterable[nn.Module], device: torch.device | str) -> None:
    """Move networks, as they are, to a device."""
    for module in modules:
        module.to(device)
