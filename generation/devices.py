"""Which device networks run on, what they take of it, and how they leave it."""

from collections.abc import Iterable

import torch
from torch import nn


def torch_device(name: str) -> torch.device:
    """Return a device by its name; "auto" is the GPU when there is one."""
    automatic = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(automatic if name == "auto" else name)


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
