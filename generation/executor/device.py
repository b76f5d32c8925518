"""What the engine asks of torch, without importing it: only a pipeline may bring it in."""

import os
import sys
from pathlib import Path
from typing import Any

from generation.pipelines.base import EngineConfig

DEVICE_SHARE = 0.75
HOST_SHARE = 0.5
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


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


def model_bytes(config: EngineConfig) -> tuple[int, int]:
    """Return how many bytes models may take on the device, and how many in the host's memory."""
    host = int(host_memory() * HOST_SHARE)
    free = _free_on_gpu(config.device)
    device, waiting = (
        (host, 0) if free is None else (int(free * DEVICE_SHARE), host // max(1, _gpus()))
    )
    return (
        device if config.device_bytes is None else config.device_bytes,
        waiting if config.host_bytes is None else config.host_bytes,
    )


def host_memory() -> int:
    """Return the memory of this machine, or of the container that this process is in, in bytes."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(machine, int(CGROUP_LIMIT.read_text()))
    except (OSError, ValueError):
        return machine


def _gpus() -> int:
    torch = _torch()
    return 0 if torch is None else int(torch.cuda.device_count())


def _free_on_gpu(device: str) -> int | None:
    """Return the GPU's free memory in bytes, None where the device is no GPU."""
    torch = _torch()
    if torch is None or device == "cpu" or not torch.cuda.is_available():
        return None
    free, _ = torch.cuda.mem_get_info(None if device == "auto" else device)
    return int(free)
