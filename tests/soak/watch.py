"""What a running process costs: memory, descriptors, tasks, and the database's log beside it."""

import asyncio
import re
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a process holds while nobody asks it for anything."""

    descriptors: int
    tasks: int


async def held(pid: int, *, folder: Path, metrics: str) -> Held:
    """Return what an idle process holds; its metrics count its tasks."""
    async with aiohttp.ClientSession() as session, session.get(metrics) as answer:
        told = re.search(r"^atelier_loop_tasks (\S+)$", await answer.text(), re.MULTILINE)
    assert told is not None
    sample = await asyncio.to_thread(look, pid, folder=folder)
    return Held(descriptors=sample.descriptors, tasks=int(float(told[1])))
