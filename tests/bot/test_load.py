"""Many members at once: everybody is answered in time, and the loop stays quick."""

import asyncio
import os
import re
import time
from collections.abc import Awaitable, Iterable
from pathlib import Path

import pytest

from generation.registry import PIPELINES
from tests.bot.members import Member, text_of
from tests.bot.pictures import photo
from tests.bot.stage import Stage, is_asked, rows, running, settings_for
from tests.soak.rate import measured
from tests.soak.watch import look

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.mark.timed
async def test_a_hundred_commands_at_once_are_all_answered_within_three_seconds(
    stage: Stage,
) -> None:
    bot = await stage.start(progress_interval_s=2.0)
    image = await stage.ada.upload()

    async def ask(member: Member, number: int) -> float:
        answer = await member.remix(f"night {number}", image=image)
        assert answer["status"] == 200, answer
        return float(answer["acknowledged_ms"])

    people = (stage.ada, stage.ben, stage.cleo)
    times = await asyncio.gather(*(ask(people[number % 3], number) for number in range(100)))
    assert max(times) < 3000
    await stage.settled(bot, wait_s=120)
    assert rows(bot, "SELECT count(*), count(DISTINCT message_id) FROM jobs") == [(100, 100)]
    assert await bot.stores.quotas.audit() == []
    assert stage.sandbox.invalid_requests < 100


async def test_a_bot_of_its_own_process_acknowledges_all_that_comes_at_a_steady_rate(
    tmp_path: Path,
) -> None:
    found = await measured(tmp_path, count=150, per_s=10)
    assert len(found.acknowledged_ms) == len(found.late_ms) == 150, found
    assert found.wrong == []
    assert found.states == {"done": 16}


@pytest.mark.timed
async def test_r2_a_burst_of_five_hundred_gets_places_with_estimates_or_a_polite_refusal(
    stage: Stage,
) -> None:
    bot = await stage.start(progress_interval_s=2.0, max_wait_s=200, shutdown_s=0.1)
    people = (stage.ada, stage.ben, stage.cleo)
    image = await stage.ada.upload()
    await stage.ada.remix("steady night", image=image)
    await stage.ada.result()
    await stage.settled(bot)
    before_mb = look(os.getpid(), folder=stage.folder).rss_mb
    answers = await asyncio.gather(
        *(people[number % 3].remix("steady night", image=image) for number in range(500))
    )
    assert {answer["status"] for answer in answers} == {200}
    await all_answered()
    accepted = len(rows(bot, "SELECT id FROM jobs")) - 1
    refused = sum(1 for text in shown_to(people) if REFUSAL.search(text))
    assert accepted + refused == 500
    assert min(accepted, refused) > 20
    assert sum(1 for text in shown_to(people) if PLACE.search(text)) > 20
    assert look(os.getpid(), folder=stage.folder).rss_mb - before_mb < 200
    assert await bot.stores.quotas.audit() == []


async def all_answered() -> None:
    async with asyncio.timeout(180):
        while True:
            if not is_asked():
                return
            await asyncio.sleep(0.2)


REFUSAL = re.compile(r"The queue is too long right now: about \d+ \w+")
PLACE = re.compile(r"In the queue: place \d+ · about \d+")


def shown_to(people: Iterable[Member]) -> list[str]:
    """Return what members see, every message as it was shown last."""
    messages = {
        event["data"]["id"]: event["data"]
        for member in people
        for event in member.events
        if event["type"] in ("MESSAGE_CREATE", "MESSAGE_UPDATE")
    }
    return [text_of(message) for message in messages.values()]


@pytest.mark.timed
async def test_r5_the_loop_stays_quick_while_the_real_engine_works(stage: Stage) -> None:
    settings = settings_for(stage.sandbox, stage.folder / "data", progress_interval_s=2.0)
    collage = {"collage": PIPELINES["collage"]}
    async with running(settings, pipelines=collage):
        await style(stage.ada)
        await stage.ada.result(wait_s=120)

        async def both() -> None:
            await asyncio.gather(style(stage.ada), style(stage.ben))
            await stage.ada.results(3, wait_s=120)

        busy = await lag_during(both())
    assert busy < 50, f"{busy:.1f} ms"


async def style(member: Member) -> None:
    image = await member.upload(photo(size=(1024, 768)))
    await member.command("style", None, image=image, preset="wave")


async def lag_during(work: Awaitable[None]) -> float:
    """Return the 99th percentile of the loop's lag, in milliseconds."""
    late_s: list[float] = []

    async def watch() -> None:
        while True:
            due = time.perf_counter() + 0.01
            await asyncio.sleep(0.01)
            late_s.append(time.perf_counter() - due)

    watching = asyncio.create_task(watch())
    await work
    watching.cancel()
    return sorted(late_s)[int(len(late_s) * 0.99)] * 1000
