"""The workers as a bot without engines knows them: what each reports of itself in SQL.

A worker writes down what its engines do and what pictures have cost there, every other second. It
counts as long as its reports change; what it has learned of costs holds beyond that.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

import structlog

from bot.keepers import Keepers
from generation.executor.client import Executor
from generation.executor.config import ExecutorStats, StationStats
from generation.executor.costs import Costs
from generation.executor.figures import Counters
from generation.registry import PipelineSpec
from generation.request import ImageRequest
from storage.settings import KeyValues

PREFIX = "worker "
REPORT_S = 2.0
GONE_S = 10.0
"""After so long without a new report a worker is taken for gone."""

FORGOTTEN = timedelta(days=7)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A worker's newest report, and when it came on this process's clock."""

    text: str
    at_s: float
    stations: tuple[StationStats, ...]
    finished: int
    queued_ms: float


class Reporter:
    """Writes down what this worker's executor does."""

    def __init__(self, *, owner: str, executor: Executor, kept: KeyValues) -> None:
        self._key = f"{PREFIX}{owner}"
        self._executor = executor
        self._kept = kept
        self._number = 0

    async def report(self) -> None:
        """Report, then rest."""
        if self._number == 0:
            await self._kept.forget(PREFIX, older_than=FORGOTTEN)
        self._number += 1
        stats = self._executor.stats()
        said = {
            "number": self._number,
            "stations": [asdict(station) for station in stats.stations],
            "finished": stats.finished,
            "queued_ms": stats.queued_ms,
            "costs": self._executor.learned(),
        }
        await self._kept.set(self._key, json.dumps(said))
        await asyncio.sleep(REPORT_S)

    async def close(self) -> None:
        """Say that there is nobody any more; what was learned stays."""
        await self._kept.set(self._key, json.dumps({"costs": self._executor.learned()}))


class Fleet:
    """Prices and estimates for a bot without engines of its own.

    Args:
        pipelines: what is offered here.
        clock: seconds that only ever grow.
    """

    def __init__(
        self,
        *,
        kept: KeyValues,
        pipelines: Mapping[str, PipelineSpec],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kept = kept
        self._clock = clock
        self._costs = Costs(pipelines)
        self._seen: dict[str, Seen] = {}
        self._keepers = Keepers()

    async def start(self) -> None:
        """Read what is there, and look again now and then."""
        await self.refresh()
        self._keepers.start(self._look)

    async def close(self) -> None:
        """Look no more."""
        await self._keepers.close()

    async def refresh(self) -> None:
        """Read what workers report."""
        for key, text in (await self._kept.beginning(PREFIX)).items():
            seen = self._seen.get(key)
            if seen is not None and seen.text == text:
                continue
            try:
                self._take(key, text)
            except (ValueError, KeyError, TypeError) as err:
                log.warning("a report cannot be read", worker=key, reason=str(err))

    def cost_ms(self, request: ImageRequest) -> int:
        """Return the device milliseconds that a request is expected to cost by itself."""
        return self._costs.price_ms(request)

    def estimate_s(self, request: ImageRequest) -> float:
        """Return in how many seconds a request would be finished if it were submitted now."""
        cost_ms, stats = self.cost_ms(request), self.stats()
        model = self._costs.model_of(request)
        up = [station for station in stats.stations if station.up]
        ready = any(model in station.ready for station in up)
        load_ms = 0.0 if ready else self._costs.load_ms(model)
        work_ms = stats.queued_ms + sum(station.busy_ms for station in up)
        return (work_ms / max(1, len(up)) + load_ms + cost_ms) / 1000

    def model_of(self, request: ImageRequest) -> str:
        """Return the checkpoint or method that a request runs on."""
        return self._costs.model_of(request)[1]

    def stats(self) -> ExecutorStats:
        """Return what the workers do that are there now."""
        there = [it for it in self._seen.values() if self._clock() - it.at_s < GONE_S]
        return ExecutorStats(
            stations=tuple(station for it in there for station in it.stations),
            queued=0,
            queued_ms=sum(it.queued_ms for it in there),
            finished=sum(it.finished for it in there),
            served_ms={},
            served_others_ms=0.0,
        )

    async def _look(self) -> None:
        await asyncio.sleep(REPORT_S)
        await self.refresh()

    def _take(self, key: str, text: str) -> None:
        """Take a report in.

        Raises:
            ValueError, KeyError, TypeError: another version wrote it.
        """
        said: dict[str, Any] = json.loads(text)
        self._costs.recall(said["costs"])
        worker = key.removeprefix(PREFIX)
        self._seen[key] = Seen(
            text=text,
            at_s=self._clock(),
            stations=tuple(_station(worker, it) for it in said.get("stations", ())),
            finished=int(said.get("finished", 0)),
            queued_ms=float(said.get("queued_ms", 0.0)),
        )


def _station(worker: str, said: dict[str, Any]) -> StationStats:
    """Read a station; no two devices of several workers have the same name."""
    loading = said["loading"]
    station = StationStats(
        **{
            **said,
            "ready": tuple(_model(it) for it in said["ready"]),
            "loading": None if loading is None else _model(loading),
            "counters": Counters(**said["counters"]),
        }
    )
    return replace(station, device=f"{worker.rpartition(':')[0]} {station.device}")


def _model(said: list[str]) -> tuple[str, str]:
    pipeline, model = said
    return pipeline, model
