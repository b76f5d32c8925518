"""A station: one engine after another on one device, as the client's loop sees it."""

import asyncio
import logging
from collections.abc import Sequence
from time import monotonic

from generation.executor.arena import Arena
from generation.executor.cluster.keeper import ClusterKeeper
from generation.executor.config import StationStats
from generation.executor.control import Phase, Sight
from generation.executor.costs import Costs, Model
from generation.executor.figures import Counters
from generation.executor.jobs import Job
from generation.executor.keeper import Keeper
from generation.executor.messages import (
    Cancel,
    Capacity,
    Figures,
    Message,
    Models,
    Preload,
    Release,
    Submit,
)
from generation.executor.policy import finds_place, may_join

AnyKeeper = Keeper | ClusterKeeper

logger = logging.getLogger(__name__)


class Station:
    """The requests that an engine has, what it holds ready, and who keeps it.

    Args:
        name: of its device, or of its place in a cluster.
        costs: what loading takes; it learns from what it did take.
        max_rows: so many requests it has at once, even if they share no calls.
        preload: pipelines whose models an idle engine loads before it is asked for.
    """

    def __init__(self, name: str, *, costs: Costs, max_rows: int, preload: Sequence[str]) -> None:
        self.name = name
        self.jobs: dict[int, Job] = {}
        self.ready: frozenset[Model] = frozenset()
        self.loading: Model | None = None
        self.hopeless = False
        self._costs = costs
        self._max_rows = max_rows
        self._preload = preload
        self._sharing = 0
        self._stuffed = False
        self._loading_since_s = 0.0
        self._foreseen: Model | None = None
        self._counted = self._earlier = Counters()
        self._arena: Arena | None = None
        self._keeper: AnyKeeper | None = None
        self._keeping: asyncio.Task[None] | None = None

    def employ(self, keeper: AnyKeeper, *, arena: Arena | None) -> None:
        """Have engines from now on; an arena is closed with the station."""
        self._keeper, self._arena = keeper, arena
        self._keeping = asyncio.create_task(keeper.run(), name=f"engine keeper of {self.name}")

    async def close(self) -> None:
        """End the engine and give its memory back."""
        if self._keeper is not None and self._keeping is not None:
            keeper, self._keeper = self._keeper, None
            await keeper.stop()
            await self._keeping
        if self._arena is not None:
            self._arena.close()
            self._arena = None

    @property
    def up(self) -> bool:
        """Whether there is an engine that is ready."""
        return self._keeper is not None and self._keeper.up

    @property
    def used(self) -> bool:
        """Whether an engine was started here; a cluster may have fewer places than seats."""
        return self._keeper is not None and self._keeper.starts > 0

    @property
    def pid(self) -> int | None:
        """The engine's process id, None while there is none."""
        engine = self._keeper.engine if self._keeper is not None else None
        return engine.pid if engine is not None else None

    @property
    def capacity(self) -> int:
        """How many requests it has at once: one more than share a call, so that none is waited for.

        That is what the newest kind of request shares.
        """
        return max(self._max_rows, self._sharing + 1)

    @property
    def busy_ms(self) -> float:
        """Device time that what it has still needs, loading included."""
        at_hand = {*self.ready, self.loading}
        cold = {job.model: job.load_ms for job in self.jobs.values() if job.model not in at_hand}
        remaining_ms = sum(job.remaining_ms for job in self.jobs.values())
        return self.loading_ms + sum(cold.values()) + remaining_ms

    @property
    def loading_ms(self) -> float:
        """Time that the model which is being loaded still needs; nothing moves meanwhile."""
        if self.loading is None:
            return 0.0
        passed_ms = (monotonic() - self._loading_since_s) * 1000
        return max(0.0, self._costs.load_ms(self.loading) - passed_ms)

    @property
    def room(self) -> bool:
        """Whether there is an engine that could have one more request."""
        return self.up and not self._stuffed and len(self.jobs) < self.capacity

    def takes(self, job: Job) -> bool:
        """Return whether a request may start here now."""
        here = self.jobs.values()
        place = finds_place(job.owner, [it.owner for it in here], capacity=self.capacity)
        return self.up and not self._stuffed and place and may_join(job, here)

    def start(self, job: Job) -> bool:
        """Hand the engine a request, unless there is no room for its pictures now."""
        try:
            self._send(Submit(serial=job.serial, request=job.request))
        except BufferError:
            self._stuffed = True
            return False
        self.jobs[job.serial] = job
        job.held = self.loading is not None
        return True

    def foresee(self, job: Job) -> None:
        """Tell the engine of the model that a request will need here, unless it has it."""
        at_hand = {*self.ready, self.loading, self._foreseen}
        if self.up and job.model not in at_hand:
            self._foreseen = job.model
            pipeline, model = job.model
            self._send(Preload(pipeline=pipeline, model=model))

    def cancel(self, job: Job) -> None:
        """Have the engine drop a request before its next step."""
        self._send(Cancel(serial=job.serial))

    def hear(self, message: Message) -> None:
        """Take in what the engine says of itself."""
        match message:
            case Release():
                self._stuffed = False
            case Capacity(requests=requests):
                self._sharing = requests
            case Models():
                self._take_models(message)
            case Figures(counters=counters):
                self._counted = counters

    def came_up(self) -> None:
        """Begin with an engine that is ready."""
        self.hopeless = False
        for pipeline in self._preload:
            self._send(Preload(pipeline=pipeline))

    def went_down(self, sight: Sight) -> list[Job]:
        """Forget what the engine held, and return the requests that it had; they are still here."""
        if sight.phase is Phase.LOAD and not sight.serials:
            logger.error(
                "loading in advance ended an engine on %s; models are loaded when asked for",
                self.name,
            )
            self._preload = ()
        self._earlier, self._counted = self._earlier + self._counted, Counters()
        self.ready, self.loading, self._foreseen = frozenset(), None, None
        self._stuffed = False
        return list(self.jobs.values())

    def stats(self) -> StationStats:
        """Return what is going on here now."""
        return StationStats(
            device=self.name,
            up=self.up,
            pid=self.pid,
            running=len(self.jobs),
            capacity=self.capacity,
            ready=tuple(sorted(self.ready)),
            loading=self.loading,
            busy_ms=self.busy_ms,
            restarts=max(0, self._keeper.starts - 1) if self._keeper is not None else 0,
            template=self._keeper is not None and self._keeper.has_template,
            counters=self._earlier + self._counted,
        )

    def _take_models(self, models: Models) -> None:
        finished = self.loading
        if finished is not None and models.loading != finished and finished in models.ready:
            took_ms = (monotonic() - self._loading_since_s) * 1000
            self._costs.learn_load(finished, took_ms=took_ms)
        if models.loading != finished:
            self._loading_since_s = monotonic()
        self.ready, self.loading = models.ready, models.loading
        for job in self.jobs.values() if self.loading is not None else ():
            self._hold(job)

    @staticmethod
    def _hold(job: Job) -> None:
        """Tell who waits for a model to be loaded, be it another's, that this is what it does."""
        if job.moved is None and not job.held:
            job.held = True
            job.ticket.touch()

    def _send(self, message: Message) -> None:
        if self._keeper is not None and self._keeper.engine is not None:
            self._keeper.engine.send(message)
