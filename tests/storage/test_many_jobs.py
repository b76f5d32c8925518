"""Reports on many jobs are read from their sums, and say what a count of all jobs says."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Row

from benchmarks.history import BEGUN, LARGEST, load
from storage.columns import JobReader
from storage.cuts import Dimension
from storage.database import Database
from storage.questions import BY_ALL, Question
from storage.reports import Reports
from storage.usage import UsageSums

JOBS, DAYS = 200_000, 120
ENDED = BEGUN + timedelta(days=DAYS)
EVERYBODY = (Dimension.GUILD, Dimension.MEMBER, Dimension.PIPELINE, Dimension.MODEL)
ALL = Question(
    since=BEGUN + timedelta(days=10),
    until=ENDED,
    guild_id=LARGEST,
    by=BY_ALL,
    parts=tuple(BEGUN + timedelta(days=day) for day in range(10, DAYS, 5)),
    before=(BEGUN, BEGUN + timedelta(days=10)),
)
QUESTIONS = {
    "everything": (replace(ALL, guild_id=None, by=EVERYBODY), 5_000),
    "everything of a pipeline": (
        replace(ALL, guild_id=None, by=EVERYBODY, pipeline="collage"), 20_000
    ),
    "the largest server": (ALL, 1_500),
    "one channel of it": (replace(ALL, channel_id=LARGEST * 100 + 3), 6_000),
    "one role of it": (replace(ALL, role_id=LARGEST * 100 + 1), 15_000),
    "one pipeline of it": (replace(ALL, pipeline="collage"), 6_000),
    "one member of it": (replace(ALL, member_id=1007), 1_000),
    "a small server": (replace(ALL, guild_id=150), 1_000),
}  # fmt: skip
"""What is asked, and at most how many of the 200,000 jobs are read one by one for it.

Months are whole in little more than half of the period, and filters need whole ones.
"""


@pytest.fixture(params=["sqlite", "fresh_postgres"])
def own_url(request: pytest.FixtureRequest) -> str:
    """Return a database of each kind that nobody else uses."""
    url = request.getfixturevalue(f"{request.param}_url")
    assert isinstance(url, str)
    return url


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_reports_on_many_jobs_read_their_sums_and_say_what_a_count_says(
    own_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = list[int]()

    take = JobReader.take

    def seen(reader: JobReader, rows: Sequence[Row[tuple[object, ...]]]) -> None:
        read.append(len(rows))
        take(reader, rows)

    await asyncio.to_thread(load, own_url, jobs=JOBS, days=DAYS)
    database = Database.open(own_url)
    sums, reports = UsageSums(database, clock=lambda: ENDED), Reports(database)
    await sums.add_up_anew()
    assert await sums.audit() == []
    monkeypatch.setattr(JobReader, "take", seen)
    for name, (question, most) in QUESTIONS.items():
        read.clear()
        told = await reports.report(question)
        assert sum(read) <= most, name
        assert told == await reports.recount(question), name
        assert told.total.jobs > 0, name
    await database.close()
