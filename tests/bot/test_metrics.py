"""What is measured of jobs, as Prometheus reads it."""

import asyncio
import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.composition import Bot
from bot.engine_metrics import ABOUT
from generation.executor.figures import Counters
from tests.bot.pipelines import STEPS
from tests.bot.stage import Stage

DASHBOARD = Path(__file__).parents[2] / "bot" / "grafana.json"


async def test_a_job_is_measured_from_its_acceptance_to_its_picture(stage: Stage) -> None:
    bot = await stage.start()
    await stage.ada.remix("night")
    await stage.ada.result()
    await stage.ada.remix("refuse night")
    await stage.ada.text("Nothing was charged")
    await stage.ada.remix("endless night")
    await stage.ada.press(await stage.ada.text("step"), "Stop")
    await stage.settled(bot)
    seen = await samples(stage, bot)
    for state in ("done", "failed", "cancelled"):
        assert seen[f"atelier_jobs_finished_total pipeline=remix state={state}"] == 1
    assert seen["atelier_queue_seconds_count"] == 3
    assert 0 < seen["atelier_queue_seconds_sum"] < 10
    for name in ("job_seconds", "wait_estimate_error_seconds", "png_seconds"):
        assert seen[f"atelier_{name}_count"] == 1
    assert seen["atelier_job_retries_total"] == 0
    assert seen["atelier_loop_tasks"] >= 1


@pytest.mark.slow
async def test_a_job_that_ends_its_engine_counts_as_tried_again(stage: Stage) -> None:
    bot = await stage.start()
    await stage.ada.remix("die")
    await stage.ada.text("The engine stopped while it made the picture, more than once")
    await stage.settled(bot)
    seen = await samples(stage, bot)
    assert seen["atelier_jobs_finished_total pipeline=remix state=failed"] == 1
    assert seen["atelier_engine_restarts"] >= 1


async def test_what_the_engine_counts_is_shown(stage: Stage) -> None:
    bot = await stage.start()
    await stage.ada.remix("night")
    await stage.ada.result()
    # An engine tells its figures once a second.
    async with asyncio.timeout(5):
        while True:
            seen = await samples(stage, bot)
            if seen["atelier_engine_calls_total device=auto"] >= STEPS:
                break
            await asyncio.sleep(0.1)
    assert seen["atelier_engine_rows_used_total device=auto"] == STEPS
    assert ABOUT.keys() == {each.name for each in fields(Counters)}
    for each in fields(Counters):
        name = each.name.replace("_ms", "_seconds")
        assert f"atelier_engine_{name}_total device=auto" in seen


async def samples(stage: Stage, bot: Bot) -> dict[str, float]:
    """Return what /metrics shows, by name and labels."""
    page = await stage.ada.fetch(f"http://127.0.0.1:{bot.web_port}/metrics")
    return {
        " ".join(
            [sample.name, *(f"{key}={value}" for key, value in sorted(sample.labels.items()))]
        ): (sample.value)
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


async def test_the_dashboard_shows_only_what_is_measured(stage: Stage) -> None:
    bot = await stage.start()
    await stage.ada.remix("night")
    await stage.ada.result()
    measured = {name.split()[0] for name in await samples(stage, bot)}
    panels = json.loads(DASHBOARD.read_text())["panels"]
    asked = {
        name
        for panel in panels
        for target in panel["targets"]
        for name in re.findall(r"atelier_\w+", target["expr"])
    }
    assert asked <= measured
    assert {"atelier_queue_seconds_bucket", "atelier_engine_rows_used_total"} <= asked
    assert len({panel["id"] for panel in panels}) == len(panels)
