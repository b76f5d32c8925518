"""How much memory a device has, and how much of it is free; torch is imported for a GPU alone."""

import os
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

CGROUP = Path("/sys/fs/cgroup")
DRIVERS = tuple(Path("/dev") / name for name in ("nvidiactl", "kfd", "dxg"))
"""Of these one is there where there is a GPU that torch may know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device's memory.

    Args:
        title: what tells it from devices of another make or size.
        free, total: bytes.
        gpu: whether it is another memory than the host's.
        fused: whether attention writes no scores down there.
    """

    name: str
    title: str
    free: int
    total: int
    gpu: bool = False
    fused: bool = True


def device_of(name: str) -> Device:
    """Return a device by its torch name; what is no GPU that is there calculates in the host's."""
    torch = torch_for(name)
    if torch is None:
        return Device(name="cpu", title="cpu", free=host_free(), total=host_memory())
    place = None if name == "auto" else name
    free, total = torch.cuda.mem_get_info(place)
    kind = torch.cuda.get_device_name(place)
    return Device(
        name="cuda" if place is None else name,
        title=f"{kind} of {total} bytes",
        # What this process has cached of it, it can give back.
        free=int(free) + torch.cuda.memory_reserved(place) - torch.cuda.memory_allocated(place),
        total=int(total),
        gpu=True,
        fused=torch.backends.cuda.mem_efficient_sdp_enabled(),
    )


def torch_for(name: str) -> Any | None:  # noqa: ANN401 - a module that may not be needed
    """Return torch if a device is a GPU that is there, else None."""
    if name == "cpu" or not ("torch" in sys.modules or any(it.exists() for it in DRIVERS)):
        return None
    torch = import_module("torch")
    return torch if torch.cuda.is_available() else None


def gpus() -> int:
    """Return how many GPUs this process sees; it is not asked before torch was needed."""
    torch = sys.modules.get("torch")
    return 0 if torch is None else int(torch.cuda.device_count())


def host_memory(*, cgroup: Path = CGROUP) -> int:
    """Return the memory of this machine, or of the container that this process is in, in bytes."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _number(cgroup / "memory.max")
    return machine if limit is None else min(machine, limit)


def host_free(*, cgroup: Path = CGROUP) -> int:
    """Return the bytes that are free on this machine, or in the container; files count as free."""
    limit, taken = _number(cgroup / "memory.max"), _number(cgroup / "memory.current")
    free = _line("MemAvailable:", Path("/proc/meminfo"))
    free = host_memory() if free is None else 1024 * free
    if limit is None or taken is None:
        return free
    files = _line("inactive_file", cgroup / "memory.stat") or 0
    return max(0, min(free, limit - taken + files))


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _line(name: str, path: Path) -> int | None:
    """Return the number behind a name at the beginning of a line."""
    try:
        lines = path.read_text().splitlines()
        return next((int(line.split()[1]) for line in lines if line.split()[0] == name), None)
    except (OSError, ValueError, IndexError):
        return None
