"""A request under way: the ticket that its owner holds, and what the client knows of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from generation.errors import GenerationError, JobCancelledError, ModelTooLargeError
from generation.executor.costs import Model
from generation.executor.messages import Moved
from generation.request import ImageRequest, Progress, Result


class Ticket:
    """What ``Executor.submit`` returns: the way to follow a request, to await it or to stop it."""

    def __init__(
        self, *, job_id: str, describe: Callable[[], Progress], withdraw: Callable[[], None]
    ) -> None:
        self.job_id = job_id
        self._describe = describe
        self._withdraw = withdraw
        self._changes = 1
        self._changed = asyncio.Event()
        self._outcome: Result | GenerationError | None = None

    @property
    def finished(self) -> bool:
        """Whether there is a result or an error."""
        return self._outcome is not None

    async def events(self) -> AsyncIterator[Progress]:
        """Yield the newest progress whenever it has changed, until the request is finished.

        A slow reader misses what lies between, never the newest; several may read.
        """
        seen = 0
        while not self.finished:
            if seen != self._changes:
                seen = self._changes
                yield self._describe()
            else:
                await self._changed.wait()

    async def result(self) -> Result:
        """Wait for the picture; abandoning the wait does not stop the request.

        Raises:
            GenerationError: the request failed; ``JobCancelledError`` after ``cancel``, another
                ``EngineError`` when the engine is at fault, else what the pipeline raised.
        """
        while self._outcome is None:
            await self._changed.wait()
        if isinstance(self._outcome, GenerationError):
            raise self._outcome
        return self._outcome

    def cancel(self) -> None:
        """Stop the request: at once for its owner, before its next step for the engine."""
        if not self.finished:
            self._withdraw()
            self.finish(JobCancelledError("the request was cancelled"))

    def touch(self) -> None:
        """Tell the readers that there is something new."""
        self._changes += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def finish(self, outcome: Result | GenerationError) -> None:
        """Settle the request; only the first outcome counts.

        What the ticket held of its request is let go: the two would keep each other, and the
        picture, until the garbage collector comes by.
        """
        if self._outcome is None:
            self._outcome = outcome
            del self._describe, self._withdraw
            self.touch()


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """What the client knows of a request.

    Args:
        model: what has to be loaded for it, within the expected ``load_ms``.
        cost_ms: what it was expected to cost when it came, at ``arrival_ms`` of the loop's clock.
        attempts: the engines that have begun it.
        deaths: the engines that died while it was in their call.
        moved: the newest word from the engine, None while it waits.
        held: whether the engine has it but loads a model first.
        refused: the stations that have no room for its model, and their words for that.
        expiry: what fails it if its deadline passes while it waits.
    """

    serial: int
    request: ImageRequest
    model: Model
    load_ms: float
    cost_ms: float
    arrival_ms: float
    attempts: int = 0
    deaths: int = 0
    moved: Moved | None = None
    held: bool = False
    refused: dict[str, ModelTooLargeError] = field(default_factory=dict)
    expiry: asyncio.TimerHandle | None = None
    ticket: Ticket = field(init=False)

    @property
    def guild(self) -> int:
        """Whose share of the device it takes."""
        return self.request.guild

    @property
    def member(self) -> int:
        """Whose share of the guild's it takes."""
        return self.request.member

    @property
    def weights(self) -> tuple[float, float]:
        """How many times a usual share the guild has for it, and the member of that."""
        return self.request.weights

    @property
    def owner(self) -> tuple[int, int]:
        """The guild and the member."""
        return self.guild, self.member

    @property
    def suspect(self) -> bool:
        """Whether an engine died while this request was in its call."""
        return self.deaths > 0

    @property
    def spent_ms(self) -> float:
        """What it has cost this time, as far as the engine has told."""
        return self.moved.spent_ms if self.moved is not None else 0.0

    @property
    def remaining_ms(self) -> float:
        """What it will still cost."""
        moved = self.moved
        if moved is None or not moved.step:
            return self.cost_ms
        return moved.spent_ms / moved.step * (moved.total_steps - moved.step)
