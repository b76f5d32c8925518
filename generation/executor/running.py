"""A row in the engine's loop, and what was spent on it."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from generation.executor.turns import Account
from generation.pipelines.base import Pipeline, Row
from generation.request import ImageRequest


@dataclass(slots=True, kw_only=True, eq=False)
class Running:
    """A row and what was spent on it.

    Args:
        account: its member's.
        called_ns: wall time of the calls it took part in, which its deadline counts.
        spent_ns: its share of them, which it is charged.
        virtual_ns: the same, from where it started level with the rows that it joined.
        starved: whether memory did not suffice for it even alone; it waits until a row leaves.
    """

    serial: int
    request: ImageRequest
    model: str
    pipeline: Pipeline[Any]
    account: Account
    row: Row | None = None
    called_ns: int = 0
    spent_ns: int = 0
    virtual_ns: int = 0
    reported_at: float = 0.0
    previewed_at: float = 0.0
    previews: bool = True
    starved: bool = False

    @property
    def bucket(self) -> Hashable:
        """Rows of equal buckets may advance together: a pipeline and what it says itself."""
        assert self.row is not None
        return id(self.pipeline), self.row.bucket

    @property
    def kind(self) -> tuple[str, str]:
        """The names of its pipeline and its model."""
        return self.request.pipeline, self.model

    @property
    def ready(self) -> bool:
        """Whether it can take a step."""
        return not (self.done or self.starved)

    @property
    def done(self) -> bool:
        """Whether its steps are taken."""
        assert self.row is not None
        return self.row.step >= self.row.total_steps

    @property
    def width(self) -> int:
        """Rows of one call that it takes; 1 while it is being admitted."""
        return 1 if self.row is None else self.row.width

    @property
    def capacity(self) -> int:
        """Rows that one call of its bucket holds."""
        return self.pipeline.capacity(self.row)

    @property
    def left_ns(self) -> int:
        """What is left of the seconds that the request may run."""
        return int(self.request.timeout_s * 1e9) - self.called_ns


def took_step(running: Running, step: int) -> bool:
    """Advance a row alone from a step, unless a call that failed has done so already.

    Returns True, for what fails raises.
    """
    assert running.row is not None
    if running.row.step == step:
        running.pipeline.advance([running.row])
    return True
