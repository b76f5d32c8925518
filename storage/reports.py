"""What admins read: who asked for what, what it took and how it ended, in which period.

A job belongs to the period in which it was accepted. Purged and deleted jobs count like all
others: their numbers stay when their contents go. What a report says is what a count of all jobs
would say, always: sums that were made before are read where they are up to date, and the jobs
themselves everywhere else. ``Reports.recount`` is that count.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from storage.cuts import Dimension
from storage.database import Database, reads
from storage.histogram import Spread, spread_of
from storage.questions import Question
from storage.records import JobState
from storage.recounting import all_jobs, recounted
from storage.summing import TIMED_LINES, Lines, Tallies, ordered, summed
from storage.tables import JobRow
from storage.tallies import SUMS, Tally
from storage.types import away


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What some jobs amounted to.

    Args:
        jobs: all that were accepted, however they ended.
        done: those that gave a picture.
        failures: those that failed; cancelled ones are no failures.
        pictures: how many came out.
        device_ms: what their quotas were charged.
        refunded_ms: what was set aside for them and went back, all of it for failed ones.
        stored_bytes: of the pictures that went in and came out, those included that are gone.
        kept_bytes: of those that are still there; one that several jobs have counts for each.
        mean_wait_s: from acceptance to the first start, None when none has started.
        mean_run_s: from the first start to the end of those that gave a picture, or None.
    """

    jobs: int = 0
    done: int = 0
    failures: int = 0
    cancelled: int = 0
    pictures: int = 0
    device_ms: int = 0
    refunded_ms: int = 0
    stored_bytes: int = 0
    kept_bytes: int = 0
    mean_wait_s: float | None = None
    mean_run_s: float | None = None

    @property
    def refunds(self) -> int:
        """How many jobs got back all that was set aside for them."""
        return self.failures + self.cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one member, channel, role, pipeline, model or guild amounted to.

    Args:
        key: its id, or its name; an empty model is that of jobs that name none.
        waits: as in a report; unknown of lines after the first ``TIMED_LINES``.
        runs: likewise.
    """

    key: int | str
    usage: Usage
    waits: Spread = field(default_factory=Spread)
    runs: Spread = field(default_factory=Spread)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What one part of the period amounted to; ``start`` belongs to it."""

    start: datetime
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was asked, and the answer.

    Args:
        waits: from acceptance to the first start.
        runs: from the first start to the end, of jobs that gave a picture.
        causes: how many jobs failed for which cause, the most frequent first.
        groups: lines by what they are told apart by, most device time first.
        parts: the parts of the period, in order.
        before: what the other period amounted to.
    """

    question: Question
    total: Usage = field(default_factory=Usage)
    waits: Spread = field(default_factory=Spread)
    runs: Spread = field(default_factory=Spread)
    causes: Mapping[str, int] = field(default_factory=dict)
    groups: Mapping[Dimension, tuple[Line, ...]] = field(default_factory=dict)
    parts: tuple[Point, ...] = ()
    before: Usage | None = None

    def lines(self, dimension: Dimension) -> tuple[Line, ...]:
        """Return the lines by one dimension; none where it was not asked for."""
        return self.groups.get(dimension, ())

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON takes it: moments as ISO 8601, ids as texts, for they are long."""
        asked = self.question
        return {
            "since": asked.since.isoformat(),
            "until": asked.until.isoformat(),
            "guild": None if asked.guild_id is None else str(asked.guild_id),
            "filters": {name.value: str(value) for name, value in asked.filters.items()},
            "total": asdict(self.total),
            "waits": asdict(self.waits),
            "runs": asdict(self.runs),
            "causes": dict(self.causes),
            "groups": {
                name.value: [
                    {
                        "key": str(line.key),
                        **asdict(line.usage),
                        "waits": asdict(line.waits),
                        "runs": asdict(line.runs),
                    }
                    for line in lines
                ]
                for name, lines in self.groups.items()
            },
            "parts": [
                {"start": part.start.isoformat(), **asdict(part.usage)} for part in self.parts
            ],
            "before": None if self.before is None else asdict(self.before),
        }


class Reports:
    """Reports on the jobs of one database; they never write."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @reads
    def report(self, session: Session, question: Question) -> Report:
        """Return what a period amounted to."""
        found = summed(session, question)
        earlier = _earlier(question)
        before = None if earlier is None else summed(session, earlier)
        return away(_reported, question, found, before)

    @reads
    def each_ms(
        self, session: Session, *, guild_id: int, member_id: int, since: datetime
    ) -> float | None:
        """Return what a member's pictures have cost each, failures included; None without any.

        A report on the member knows it, too, but reads and counts every job by itself.
        """
        spent_ms = func.sum(func.coalesce(JobRow.device_ms, 0))
        done = func.count().filter(JobRow.state == JobState.DONE)
        asked = select(spent_ms, done).where(
            JobRow.guild_id == guild_id, JobRow.member_id == member_id, JobRow.created_at >= since
        )
        total_ms, count = session.execute(asked).one()
        return float(total_ms) / count if count else None

    async def recount(self, question: Question) -> Report:
        """Return the same from all jobs one by one; it takes as long as that takes."""
        earlier = _earlier(question)
        asked = [each for each in (question, earlier) if each is not None]
        rows = await self._all_jobs(asked)
        # A transaction that waited for this would be ended as idle.
        return await asyncio.to_thread(_recounted, asked, rows)

    @reads
    def _all_jobs(
        self, session: Session, questions: Sequence[Question]
    ) -> list[Sequence[Row[Any]]]:
        return [all_jobs(session, each) for each in questions]


def _recounted(questions: Sequence[Question], rows: Sequence[Sequence[Row[Any]]]) -> Report:
    found, *before = map(recounted, questions, rows)
    return _reported(questions[0], found, before[0] if before else None)


def _earlier(question: Question) -> Question | None:
    """Return what the period before is asked, None if nothing."""
    if question.before is None:
        return None
    since, until = question.before
    return replace(question, since=since, until=until, by=(), parts=(), before=None)


def _reported(question: Question, found: Tallies, before: Tallies | None) -> Report:
    total = found.total
    return Report(
        question=question,
        total=usage_of(total),
        waits=spread_of(total.waits),
        runs=spread_of(total.runs),
        causes=dict(sorted(total.causes.items(), key=lambda each: (-each[1], each[0]))),
        groups={by: tuple(_lines(lines)) for by, lines in found.groups.items()},
        parts=tuple(
            Point(start=start, usage=usage_of(tally))
            for start, tally in zip(question.parts, found.parts, strict=True)
        ),
        before=None if before is None else usage_of(before.total),
    )


def _lines(lines: Lines) -> Iterator[Line]:
    for number, (key, tally) in enumerate(ordered(lines)):
        timed = number < TIMED_LINES
        yield Line(
            key=key,
            usage=usage_of(tally),
            waits=spread_of(tally.waits) if timed else Spread(),
            runs=spread_of(tally.runs) if timed else Spread(),
        )


def usage_of(tally: Tally) -> Usage:
    """Return sums as they are reported."""
    sums = dict(zip(SUMS, tally.sums, strict=True))
    waited, wait_ms, run_ms = (sums.pop(name) for name in ("waited", "wait_ms", "run_ms"))
    done = sums["done"]
    return Usage(
        **sums,
        mean_wait_s=round(wait_ms / waited / 1000, 6) if waited else None,
        mean_run_s=round(run_ms / done / 1000, 6) if done else None,
    )
