"""How long usage reports take with very many jobs: ``python -m benchmarks.reports``.

A history (``benchmarks.history``) is loaded into a new SQLite file, or into the empty database that
is named, added up as ``python -m bot recount`` does, and asked for reports as admins do. Each is
made some times; the median counts, and the shortest tells what a machine without other work takes.
"""

import argparse
import asyncio
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, text

from benchmarks.history import BEGUN, DAYS, ENDED, LARGEST, load
from storage.cuts import Dimension
from storage.database import Database
from storage.migrating import upgrade
from storage.questions import BY_ALL, Question
from storage.reports import Reports
from storage.tables import UsageRow
from storage.usage import UsageSums

JOBS, TIMES = 10_000_000, 5
GOAL_S = 1.0
ZONE = ZoneInfo("Asia/Shanghai")
EVERYBODY = (Dimension.GUILD, Dimension.MEMBER, Dimension.PIPELINE, Dimension.MODEL)


def questions() -> dict[str, Question]:
    """Return what is measured, by what it is called."""

    def back(days: int, **about: object) -> Question:
        since = ENDED - timedelta(days=days)
        usual: dict[str, object] = {"guild_id": LARGEST, "by": BY_ALL}
        parts = tuple(since + timedelta(days=each) for each in range(0, days, max(1, days // 30)))
        before = (since - timedelta(days=days), since)
        asked = Question(since=since, until=ENDED, parts=parts, before=before)
        return replace(asked, **{**usual, **about})  # type: ignore[arg-type]

    midnight = (ENDED - timedelta(days=40)).astimezone(ZONE).replace(hour=0)
    month = replace(
        back(30),
        since=midnight,
        until=midnight + timedelta(days=30),
        parts=tuple(midnight + timedelta(days=each) for each in range(30)),
        before=(midnight - timedelta(days=30), midnight),
    )
    return {
        "largest server, a week and the one before": back(7),
        "largest server, a month and the one before": back(30),
        "largest server, 30 days by the clocks of UTC+8": month,
        "largest server, a year and the one before": back(365),
        "largest server, a year, one channel": back(365, channel_id=LARGEST * 100 + 3),
        "largest server, a year, one role": back(365, role_id=LARGEST * 100 + 1),
        "largest server, a year, one pipeline": back(365, pipeline="collage"),
        "largest server, a year, one pipeline and model": back(
            365, pipeline="collage", model="starter"
        ),
        "largest server, a year, one member": back(365, member_id=1007),
        "a small server, a year and the one before": back(365, guild_id=150),
        "whole installation, a month and the one before": back(30, guild_id=None, by=EVERYBODY),
        "whole installation, a year and the one before": back(365, guild_id=None, by=EVERYBODY),
        "whole installation, all of it": replace(
            back(DAYS, guild_id=None, by=EVERYBODY), since=BEGUN, before=None
        ),
        "whole installation, a year, one pipeline": back(
            365, guild_id=None, by=EVERYBODY, pipeline="collage"
        ),
    }


async def seconds_of(work: Callable[[], Awaitable[object]]) -> float:
    """Return how long something takes."""
    begun = time.perf_counter()
    await work()
    return time.perf_counter() - begun


async def measure(url: str, *, jobs: int, times: int, ready: bool) -> float:
    """Fill, add up, measure and print; return how long the slowest report takes, in seconds."""
    database = Database.open(url)
    sums, reports = UsageSums(database, clock=lambda: ENDED), Reports(database)
    if not ready:
        await asyncio.to_thread(upgrade, url)
        told = await seconds_of(lambda: asyncio.to_thread(load, url, jobs=jobs))
        say(f"{jobs:,} jobs loaded in {told:,.0f} s")
        say(f"added up in {await seconds_of(sums.add_up_anew):,.0f} s")
        await database.write(lambda session: session.execute(text("ANALYZE")).close())
    rows = select(func.count()).select_from(UsageRow)
    say(f"{await database.read(lambda session: session.scalar(rows)):,} sums")
    slowest = 0.0
    for name, question in questions().items():
        taken = [await seconds_of(lambda: reports.report(question)) for _ in range(times)]  # noqa: B023
        slowest = max(slowest, statistics.median(taken))
        say(
            f"{statistics.median(taken) * 1000:6,.0f} ms (at best {min(taken) * 1000:,.0f})  {name}"
        )
    await database.close()
    return slowest


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@contextmanager
def place(url: str | None) -> Iterator[str]:
    """Yield the address of the database, of a new file if none is given."""
    if url is not None:
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="atelier-reports-") as folder:
        yield f"sqlite:///{Path(folder) / 'atelier.sqlite3'}"


def main() -> int:
    """Measure; return 1 when a report takes longer than it should."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="of an empty database; a new SQLite file by default")
    parser.add_argument("--jobs", type=int, default=JOBS)
    parser.add_argument("--times", type=int, default=TIMES, help="how often each report is made")
    parser.add_argument("--ready", action="store_true", help="the database is filled already")
    given = parser.parse_args()
    gc.freeze()  # as the bot does
    with place(given.url) as url:
        slowest = asyncio.run(measure(url, jobs=given.jobs, times=given.times, ready=given.ready))
    say(f"slowest {slowest * 1000:,.0f} ms, wanted below {GOAL_S * 1000:,.0f} ms")
    return int(slowest > GOAL_S)


if __name__ == "__main__":
    sys.exit(main())
