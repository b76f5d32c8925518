"""`python -m tests.soak --seconds N`: the demo under load, faults and killed engines.

Ends with an audit of what was acknowledged: nothing missing, nothing delivered twice, the
ledger's sums equal to the balances, and the process no bigger than it was.
"""

import argparse
import asyncio
import os
import random
import signal
import socket
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from functools import partial
from io import BytesIO
from pathlib import Path

import aiohttp
from PIL import Image
from sqlalchemy import select

from benchmarks.figures import percentile
from storage.database import Database
from storage.policies import Ceilings
from storage.quotas import Quotas
from storage.tables import JobRow
from tests.soak.members import Crowd, Json
from tests.soak.watch import Held, Sample, held, slope_mb, watch

PROMPTS = ["night", "sunset", "snow", "autumn", "fog", "rain"]
FAULTS: list[Json] = [
    {"kind": "reconnect"},
    {"kind": "disconnect"},
    {"kind": "duplicate"},
    {"kind": "status", "status": 502, "times": 2, "route": "/webhooks/"},
    {"kind": "rate_limit", "times": 2, "route": "/webhooks/"},
    {"kind": "delay", "delay_s": 1.0, "times": 3},
]
# What a process has not used for long is still cold in a short run: a leak shows in a long one.
LONG_S, MAX_GROWTH_MB, MAX_SHORT_GROWTH_MB = 600.0, 5.0, 40.0
# Connections that are kept for the next request, and what looks after them.
MAX_MORE_DESCRIPTORS, MAX_MORE_TASKS = 16, 6
IDLE_S = 3.0
MAX_WAL_MB = 16.0
DRAIN_S = 240.0


def picture() -> bytes:
    """Return a small JPEG with some texture."""
    image = Image.effect_noise((256, 192), 60).convert("RGB")
    out = BytesIO()
    image.save(out, "JPEG")
    return out.getvalue()


def free_port() -> int:
    """Return a port that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


async def start_demo(folder: Path, *, web_port: int) -> tuple[Process, str]:
    """Start the demo in a folder of its own; return it and its address."""
    environment = {name: value for name, value in os.environ.items() if name != "DISCORD_TOKEN"} | {
        "ATELIER_DATA_DIR": str(folder),
        "ATELIER_QUOTA_DEVICE_S": "1000000",
        "ATELIER_WEB_PORT": str(web_port),
        "ATELIER_LOG_LEVEL": "ERROR",
    }
    demo = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "demo", "--port", "0", env=environment, stdout=PIPE
    )
    assert demo.stdout is not None
    async with asyncio.timeout(60):
        while line := (await demo.stdout.readline()).decode():
            if "http://" in line:
                return demo, "http://" + line.split("http://")[1].split()[0]
    raise OSError("the demo did not start")


def holds_more(before: Held, after: Held) -> bool:
    """Return whether an idle process holds more than it did, beyond what it keeps open."""
    descriptors = after.descriptors - before.descriptors
    return descriptors > MAX_MORE_DESCRIPTORS or after.tasks - before.tasks > MAX_MORE_TASKS


def engines(demo: int) -> list[int]:
    """Return the process ids of the demo's engines."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
            parent = int((path.parent / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == demo and b"generation.executor" in words:
            found.append(int(path.parent.name))
    return found


async def load(crowd: Crowd, *, demo: int, seconds: float, rng: random.Random) -> None:
    """Send commands, order faults and kill engines until the time is over."""
    photo = await asyncio.to_thread(picture)
    end = time.monotonic() + seconds
    next_fault, next_kill = time.monotonic() + 5, time.monotonic() + 12
    while time.monotonic() < end:
        await crowd.send(photo, presets=PROMPTS)
        if time.monotonic() > next_fault:
            await crowd.fault(rng.choice(FAULTS))
            next_fault = time.monotonic() + 10
        if time.monotonic() > next_kill:
            for pid in engines(demo):
                os.kill(pid, signal.SIGKILL)
            next_kill = time.monotonic() + 30
        await asyncio.sleep(rng.uniform(0.5, 3.0))


async def audit(folder: Path) -> tuple[Counter[str], list[str]]:
    """Audit the SQLite database in a folder."""
    path = await asyncio.to_thread(lambda: next(folder.rglob("*.sqlite3")))
    return await audit_of(f"sqlite:///{path}")


async def audit_of(url: str) -> tuple[Counter[str], list[str]]:
    """Return how many jobs ended how, and everything that is wrong in the books."""
    database = Database.open(url)
    try:
        wanted = select(JobRow.id, JobRow.state, JobRow.delivered_at, JobRow.message_id)
        rows = await database.read(lambda session: session.execute(wanted).all())
        wrong = [
            f"ledger: {found}"
            for found in await Quotas(database, ceilings=Ceilings(member_ms=1)).audit()
        ]
    finally:
        await database.close()
    states = Counter(str(row.state) for row in rows)
    wrong += [f"job {row.id} is {row.state}" for row in rows if row.state in ("queued", "running")]
    wrong += [f"job {row.id} was not delivered" for row in rows if row.delivered_at is None]
    messages = Counter(row.message_id for row in rows if row.message_id is not None)
    wrong += [f"message {number} stands for {n} jobs" for number, n in messages.items() if n > 1]
    return states, wrong


async def drained(folder: Path) -> None:
    """Wait until no job is left, or the patience is over."""
    end = time.monotonic() + DRAIN_S
    while time.monotonic() < end:
        _, wrong = await audit(folder)
        if not wrong:
            return
        await asyncio.sleep(2)


async def soak(*, seconds: float, seed: int, folder: Path) -> list[str]:
    """Run the load; return what went wrong."""
    rng = random.Random(seed)
    samples: list[Sample] = []
    web_port = free_port()
    demo, page = await start_demo(folder, web_port=web_port)
    looking = partial(held, demo.pid, folder=folder, metrics=f"http://127.0.0.1:{web_port}/metrics")
    async with aiohttp.ClientSession() as session:
        crowd = Crowd(session, page=page, rng=rng)
        await crowd.arrive()
        await asyncio.sleep(IDLE_S)
        before = await looking()
        watching = asyncio.create_task(watch(demo.pid, folder=folder, samples=samples))
        await load(crowd, demo=demo.pid, seconds=seconds, rng=rng)
        await drained(folder)
        watching.cancel()
        await asyncio.sleep(IDLE_S)
        after = await looking()
        invalid = await crowd.invalid_requests()
    start = time.monotonic()
    demo.send_signal(signal.SIGTERM)
    async with asyncio.timeout(60):
        status = await demo.wait()
    stopped_s = time.monotonic() - start
    states, wrong = await audit(folder)
    seen = crowd.seen
    growth, wal = slope_mb(samples), max(sample.wal_mb for sample in samples)
    p99 = percentile(seen.acknowledged_s, 0.99) if seen.acknowledged_s else float("nan")
    print(f"commands: {len(seen.acknowledged_s)} acknowledged (p99 {p99:.2f} s), {seen.failed} not")
    print(f"jobs: {dict(states)}; stopped in {stopped_s:.1f} s with status {status}")
    print(f"memory grew {growth:.1f} MB in the second half; log of the database {wal:.1f} MB")
    print(f"idle before: {before}; idle after: {after}; {invalid=}")
    if sum(states.values()) < len(seen.acknowledged_s):
        wrong.append(f"{len(seen.acknowledged_s)} acknowledged, {sum(states.values())} kept")
    most_mb = MAX_GROWTH_MB if seconds >= LONG_S else MAX_SHORT_GROWTH_MB
    if p99 > 3 or growth > most_mb or wal > MAX_WAL_MB or stopped_s > 30 or status:
        wrong.append("a bound was passed; see above")
    if holds_more(before, after):
        wrong.append("something is held on to; see above")
    if invalid >= 100:
        wrong.append(f"{invalid} invalid requests")
    return wrong


def main() -> int:
    """Read the arguments, soak, and say what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    with tempfile.TemporaryDirectory() as folder:
        wrong = asyncio.run(
            soak(seconds=arguments.seconds, seed=arguments.seed, folder=Path(folder))
        )
    for line in wrong:
        print(f"WRONG: {line}")
    print("0 lost, 0 doubled, the ledger is right" if not wrong else f"{len(wrong)} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
