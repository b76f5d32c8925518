"""What the engine asks of torch, without importing it: only a pipeline may bring it in."""

import sys
from typing import Any


def _torch() -> Any | None:  # noqa: ANN401 - a module that may not be there
    return sys.modules.get("torch")


def settle_threads(threads: int) -> None:
    """Fix torch's threads, once a pipeline has brought torch in.

    Bytes may differ across thread counts, so that the count is part of the engine's set-up.
    """
    torch = _torch()
    if torch is not None and torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


def synchronise() -> None:
    """Wait until the device has done what it was given, so that a clock means something."""
    torch = _torch()
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def release_memory() -> None:
    """Give the device's cached memory back."""
    torch = _torch()
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory did not suffice."""
    torch = _torch()
    if isinstance(error, MemoryError):
        return True
    return torch is not None and isinstance(error, torch.OutOfMemoryError)
