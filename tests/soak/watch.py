"""What a running process costs: memory, descriptors, and the database's log beside it."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look at a process."""

    at_s: float
    rss_mb: float
    descriptors: int
    wal_mb: float


def look(pid: int, *, folder: Path) -> Sample:
    """Return what a process holds now."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    rss_kb = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    wal = sum(path.stat().st_size for path in folder.rglob("*-wal"))
    return Sample(
        at_s=time.monotonic(),
        rss_mb=int(rss_kb) / 1024,
        descriptors=sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()),
        wal_mb=wal / 2**20,
    )


async def watch(pid: int, *, folder: Path, samples: list[Sample], interval_s: float = 2.0) -> None:
    """Look at a process until cancelled."""
    while True:
        samples.append(await asyncio.to_thread(look, pid, folder=folder))
        await asyncio.sleep(interval_s)


def slope_mb(samples: list[Sample]) -> float:
    """Return how many MB the memory grew over the second half, from its quarters' means.

    The first half warms caches and pools up; a leak goes on in the second.
    """
    later = samples[len(samples) // 2 :]
    middle = len(later) // 2
    if not middle:
        return 0.0
    early, late = later[:middle], later[middle:]
    return sum(s.rss_mb for s in late) / len(late) - sum(s.rss_mb for s in early) / len(early)
