"""``python -m bot top``: what a running bot does, on one page."""

import asyncio
import io
import re
import sys
from asyncio.subprocess import PIPE

import pytest
from rich.console import Console

from bot.composition import Bot
from bot.overview import Engine, Overview, Share
from bot.top import draw
from tests.bot.stage import Stage


@pytest.mark.slow
async def test_top_shows_the_queue_the_engine_and_each_members_share(stage: Stage) -> None:
    bot = await stage.start(parallel_jobs=1)
    await stage.ben.remix("night")
    await stage.ben.result()
    await stage.ada.remix("endless night")
    first = await stage.ada.text("step")
    await stage.ada.remix("night")
    await stage.ada.text("place 1")
    status, page = await top(bot)
    assert status == 0, page
    assert "1 waiting   1 running   1 pictures" in page
    [ada] = [line for line in page.splitlines() if stage.ada.id in line]
    [ben] = [line for line in page.splitlines() if stage.ben.id in line]
    assert re.search(rf"{stage.ada.id} +1 +1 ", ada)
    assert re.search(rf"{stage.ben.id} +0 +0 ", ben)
    assert re.search(r"auto +up +1 of \d", page)
    await stage.ada.press(first, "Stop")


async def test_without_a_bot_top_says_so() -> None:
    status, page = await run("--address", "127.0.0.1:1", "--once")
    assert (status, page) == (1, "atelier: no Atelier bot answers at 127.0.0.1:1; is it running?\n")


@pytest.mark.parametrize("address", ["nonsense", "host:0", "host:port"])
async def test_what_is_no_address_is_refused(address: str) -> None:
    status, page = await run("--address", address, "--once")
    assert status == 1
    assert "host:port" in page


def test_rates_are_those_since_the_last_look() -> None:
    before, seen = overview(0.0, calls=100, used=100), overview(2.0, calls=110, used=150)
    page = drawn(seen, before)
    assert "62% of 8" in page
    assert "20 ms" in page
    assert "60 a minute" in page
    assert "12% of 8" not in page
    assert "and 2 more" in page


def overview(at_s: float, *, calls: int, used: int) -> Overview:
    return Overview(
        at_s=at_s,
        waiting=3,
        running=2,
        finished=int(at_s),
        engines=[
            Engine(
                device="cuda:0",
                up=True,
                requests=2,
                capacity=9,
                models=["sd-turbo"],
                loading=None,
                busy_s=1.5,
                restarts=1,
                calls=calls,
                rows_used=used,
                rows_offered=8 * calls,
                step_ms=20.0 * calls,
            )
        ],
        members=[
            Share(guild="Guild", member=f"member {n}", waiting=0, running=0, served_ms=1000.0 - n)
            for n in range(22)
        ],
        others_ms=0.0,
    )


def drawn(seen: Overview, before: Overview | None) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(draw(seen, before=before))
    return console.export_text()


async def top(bot: Bot) -> tuple[int, str]:
    return await run("--address", f"127.0.0.1:{bot.web_port}", "--once")


async def run(*arguments: str) -> tuple[int, str]:
    """Run the command as an operator does; return its status and what it said."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "top", *arguments),
        stdout=PIPE,
        stderr=PIPE,
        env={"COLUMNS": "120", "PATH": ""},
    )
    out, err = await child.communicate()
    assert child.returncode is not None
    return child.returncode, (out + err).decode()
