"""What jobs amount to: the numbers of one job, and their sums over many.

Every number of a sum is the sum of the jobs' numbers, also those of histograms and causes. So
sums can be added up in any order and grouping, and what was added up before is never wrong.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, select

from storage.histogram import bin_of
from storage.records import JobState
from storage.tables import JobRow

SUMS = (
    "jobs",
    "done",
    "failures",
    "cancelled",
    "pictures",
    "device_ms",
    "refunded_ms",
    "waited",
    "wait_ms",
    "run_ms",
    "stored_bytes",
    "kept_bytes",
)
"""The numbers that are kept as columns, in this order."""

Details = Mapping[str, Mapping[str, int]]
"""``waits`` and ``runs``, both histograms, and ``causes``: how many jobs failed for which."""

_MILLISECOND = timedelta(milliseconds=1)


class Counted(NamedTuple):
    """One job's numbers.

    Args:
        numbers: in the order of ``SUMS``.
        wait: the bin of its wait, None when it has not begun.
        run: the bin of the time from its first start until its picture was made, None when it gave
            none. How long somebody took to approve it does not count.
        cause: why it failed, None when it did not.
    """

    numbers: tuple[int, ...]
    wait: str | None
    run: str | None
    cause: str | None


class Tally:
    """Sums over jobs."""

    __slots__ = ("causes", "runs", "sums", "waits")

    def __init__(self) -> None:
        self.sums = [0] * len(SUMS)
        self.waits: dict[str, int] = {}
        self.runs: dict[str, int] = {}
        self.causes: dict[str, int] = {}

    def add(self, job: Counted) -> None:
        """Count one job more."""
        self.sums = [a + b for a, b in zip(self.sums, job.numbers, strict=True)]
        for kept, name in ((self.waits, job.wait), (self.runs, job.run), (self.causes, job.cause)):
            if name is not None:
                kept[name] = kept.get(name, 0) + 1

    def of(self, name: str) -> int:
        """Return one of the sums."""
        return self.sums[SUMS.index(name)]

    def merge(self, sums: Sequence[int], details: Details | None = None) -> None:
        """Count what was counted before; without sums, only what is no single number of it."""
        if sums:
            self.sums = [a + int(b) for a, b in zip(self.sums, sums, strict=True)]
        if details:
            for name, kept in self.details.items():
                for each, count in details[name].items():
                    kept[each] = kept.get(each, 0) + count

    @property
    def details(self) -> dict[str, dict[str, int]]:
        """What is no single number, as it is kept."""
        return {"waits": self.waits, "runs": self.runs, "causes": self.causes}


def job_numbers() -> Select[Any]:
    """Return what is read of every job that is counted."""
    columns: tuple[Any, ...] = (
        JobRow.guild_id,
        JobRow.created_at,
        JobRow.member_id,
        JobRow.channel_id,
        JobRow.role_ids,
        JobRow.pipeline,
        JobRow.model,
        JobRow.state,
        JobRow.error,
        JobRow.reserve_ms,
        JobRow.device_ms,
        JobRow.wait_ms,
        JobRow.started_at,
        JobRow.finished_at,
        JobRow.held_at,
        JobRow.deleted_at.is_not(None).label("deleted"),
        JobRow.purged_at.is_not(None).label("purged"),
        JobRow.pictures,
        JobRow.input_bytes,
        JobRow.output_bytes,
    )
    return select(*columns)


def counted(row: Row[Any]) -> Counted:
    """Return one job's numbers.

    Of jobs that were done before pictures were counted, each counts as one; a job that ended in
    no other way has failed. What was reserved and not used went back.
    """
    done, cancelled = row.state == JobState.DONE, row.state == JobState.CANCELLED
    ended = row.finished_at is not None
    failed = ended and not done and not cancelled
    device_ms, wait_ms, run_ms = row.device_ms or 0, row.wait_ms, None
    if done and row.started_at is not None and ended:
        made_at = row.held_at or row.finished_at
        run_ms = max(0, round((made_at - row.started_at) / _MILLISECOND))
    inputs, outputs = row.input_bytes or 0, row.output_bytes or 0
    kept = 0 if row.purged else inputs + (0 if row.deleted else outputs)
    return Counted(
        numbers=(
            1,
            int(done),
            int(failed),
            int(cancelled),
            int(done) if row.pictures is None else row.pictures,
            device_ms,
            max(0, row.reserve_ms - device_ms) if ended else 0,
            int(wait_ms is not None),
            wait_ms or 0,
            run_ms or 0,
            inputs + outputs,
            kept,
        ),
        wait=None if wait_ms is None else bin_of(wait_ms),
        run=None if run_ms is None else bin_of(run_ms),
        cause=(row.error or "") if failed else None,
    )
