"""Which device networks run on."""

import torch


def torch_device(name: str) -> torch.device:
    """Return a device by its name; "auto" is the GPU when there is one."""
    automatic = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(automatic if name == "auto" else name)
