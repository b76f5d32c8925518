"""What the client is told of rows while they are under way, and when they are finished."""

import logging
from math import ceil
from time import monotonic

from generation.executor.calls import Calls
from generation.executor.link import Link
from generation.executor.messages import Capacity, Moved
from generation.executor.running import Running
from generation.pipelines.base import Finished
from generation.request import Pixels, Result, Stage

REPORT_INTERVAL_S = 0.1

logger = logging.getLogger(__name__)


class Reports:
    """Tells the client how far rows are.

    Args:
        preview_interval_s: at least so long lies between two previews of one row.
    """

    def __init__(self, link: Link, calls: Calls, *, preview_interval_s: float) -> None:
        self._link = link
        self._calls = calls
        self._preview_interval_s = preview_interval_s
        self._told_capacity = 0

    def begin(self, running: Running) -> None:
        """Take note of a row that has been admitted; its first preview comes sooner."""
        running.reported_at = monotonic()
        running.previewed_at = monotonic() - self._preview_interval_s / 2
        running.previews = running.request.previews

    def capacity(self, running: Running) -> None:
        """Tell the client how many requests of the newest kind share a call, when that is news."""
        requests = max(1, running.capacity // running.width)
        if self._told_capacity != requests:
            self._told_capacity = requests
            self._link.send(Capacity(requests=requests))

    def report(self, running: Running) -> None:
        """Tell the client how far a row is, not more often than somebody could look."""
        row, now = running.row, monotonic()
        assert row is not None
        unfinished = row.step < row.total_steps
        if unfinished and now - running.reported_at < REPORT_INTERVAL_S:
            return
        running.reported_at = now
        moved = Moved(
            serial=running.serial,
            stage=Stage.RUNNING if unfinished else Stage.FINISHING,
            step=row.step,
            total_steps=row.total_steps,
            spent_ms=running.spent_ns / 1e6,
            preview=self._preview(running) if unfinished else None,
        )
        if not self._link.try_send(moved):
            logger.debug("no room for a preview")

    def _preview(self, running: Running) -> Pixels | None:
        now = monotonic()
        if not running.previews or now - running.previewed_at < self._preview_interval_s:
            return None
        running.previewed_at = now
        try:
            with self._calls.charged([running], into="preview_ms"):
                return running.pipeline.preview(running.row)
        except Exception:
            logger.exception("no more previews of this row; its picture goes on")
            running.previews = False
            return None


def result_of(running: Running, finished: Finished) -> Result:
    """Return a finished picture as the client gets it."""
    return Result(
        job_id=running.request.job_id,
        image=finished.image,
        seed=running.request.seed,
        model=running.model,
        device_ms=max(1, ceil(running.spent_ns / 1e6)),
        notes=finished.notes,
        parameters=finished.parameters,
    )
