"""Calls into pipelines: announced, timed, and charged to the rows in them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic_ns

from generation.executor.control import ControlPage, Phase
from generation.executor.device import synchronise
from generation.executor.running import Running


class Calls:
    """Where calls are announced, and who counts their time.

    Args:
        count: told the milliseconds of each, by a name of ``figures.Counters``.

    Attributes:
        passed_ns: what all took together.
    """

    def __init__(self, page: ControlPage, *, count: Callable[..., None]) -> None:
        self._page = page
        self._count = count
        self.passed_ns = 0

    @contextmanager
    def charged(self, rows: Sequence[Running], *, into: str) -> Iterator[None]:
        """Say who is in the call that runs inside, time it, and charge everyone their share.

        The share is that of the rows of the model which they take; the counter ``into`` has it all.
        """
        tightest = min(rows, key=lambda running: running.left_ns)
        started_ns = monotonic_ns()
        self._page.enter(
            Phase.CALL,
            [running.serial for running in rows],
            overdue=tightest.serial,
            deadline_ns=started_ns + max(1, tightest.left_ns),
        )
        try:
            yield
            synchronise()
        finally:
            self._page.leave()
            passed_ns = monotonic_ns() - started_ns
            self.passed_ns += passed_ns
            self._count(**{into: passed_ns / 1e6})
            width = sum(running.width for running in rows)
            for running in rows:
                share_ns = passed_ns * running.width // width
                running.called_ns += passed_ns
                running.spent_ns += share_ns
                running.virtual_ns += share_ns
                running.account.charged_ns += share_ns
