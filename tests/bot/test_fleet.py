"""A bot without engines knows its workers by what they write down, while they write."""

import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

import pytest
import pytest_asyncio

from bot.fleet import GONE_S, PREFIX, Fleet
from generation.errors import InvalidRequestError
from generation.executor.config import StationStats
from generation.executor.costs import Costs
from generation.executor.figures import Counters
from generation.request import Canvas, ImageRequest
from storage.database import Database
from storage.migrating import upgrade
from storage.settings import KeyValues
from tests.bot.pipelines import PIPELINES
from tests.storage.servers import in_a_thread

ASKED = ImageRequest(job_id="probe", pipeline="remix", image=Canvas(width=512, height=512))
UNKNOWN = ImageRequest(job_id="probe", pipeline="nothing", image=Canvas(width=64, height=64))


@pytest_asyncio.fixture
async def kept(tmp_path: Path) -> AsyncIterator[KeyValues]:
    """Return what workers write into."""
    url = f"sqlite:///{tmp_path / 'atelier.sqlite3'}"
    in_a_thread(upgrade, url)
    database = Database.open(url)
    yield KeyValues(database)
    await database.close()


class Worker:
    """Reports as a worker does."""

    def __init__(self, kept: KeyValues, name: str) -> None:
        self._kept, self._name, self._number = kept, name, 0
        self.costs = Costs(PIPELINES)

    async def report(self, *, busy_ms: float = 0.0, up: bool = True) -> None:
        self._number += 1
        station = StationStats(
            device="cpu", up=up, pid=1, running=1, capacity=2, ready=(("remix", "shade"),),
            loading=None, busy_ms=busy_ms, restarts=0, template=False, counters=Counters(),
        )  # fmt: skip
        said = {
            "number": self._number,
            "stations": [asdict(station)],
            "finished": 3,
            "queued_ms": 500.0,
            "costs": self.costs.learned(),
        }
        await self._kept.set(f"{PREFIX}{self._name}", json.dumps(said))


async def test_a_fleet_is_as_large_as_those_who_report_now(kept: KeyValues) -> None:
    now_s = 0.0
    fleet = Fleet(kept=kept, pipelines=PIPELINES, clock=lambda: now_s)
    one, two = Worker(kept, "here:1:aa"), Worker(kept, "there:2:bb")
    await one.report(busy_ms=1000)
    await two.report(busy_ms=3000)
    await fleet.refresh()
    stats = fleet.stats()
    assert sorted(station.device for station in stats.stations) == ["here:1 cpu", "there:2 cpu"]
    assert (stats.finished, stats.queued_ms, stats.engine_up) == (6, 1000.0, True)
    assert fleet.estimate_s(ASKED) == pytest.approx((1000 + 4000) / 2 / 1000 + 0.2)
    now_s = GONE_S - 1
    await one.report(up=False)
    await fleet.refresh()
    now_s = GONE_S
    # The second one's report is old by now, though it is still there.
    await fleet.refresh()
    assert [station.device for station in fleet.stats().stations] == ["here:1 cpu"]
    assert not fleet.stats().engine_up


async def test_prices_are_what_workers_have_learned_and_hold_when_they_are_gone(
    kept: KeyValues,
) -> None:
    now_s = 0.0
    fleet = Fleet(kept=kept, pipelines=PIPELINES, clock=lambda: now_s)
    assert fleet.cost_ms(ASKED) == 200
    worker = Worker(kept, "here:1:aa")
    worker.costs.learn(ASKED, device_ms=70)
    await worker.report()
    await fleet.refresh()
    now_s = 10 * GONE_S
    assert fleet.cost_ms(ASKED) == 70
    assert fleet.model_of(ASKED) == "shade"
    for ask in (fleet.cost_ms, fleet.model_of, fleet.estimate_s):
        with pytest.raises(InvalidRequestError, match="known: remix"):
            ask(UNKNOWN)


async def test_a_report_that_cannot_be_read_hides_no_other(kept: KeyValues) -> None:
    fleet = Fleet(kept=kept, pipelines=PIPELINES)
    for number, text in enumerate(("no JSON", "{}", '{"costs": 1}', "[]")):
        await kept.set(f"{PREFIX}odd:{number}:cc", text)
    await Worker(kept, "here:1:aa").report()
    await fleet.refresh()
    assert [station.device for station in fleet.stats().stations] == ["here:1 cpu"]
