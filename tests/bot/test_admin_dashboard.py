"""The overview of the admin page: the report that `/usage report` gives, filtered, and as files."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Browser, expect

from bot.admin_site.dashboard import question_of
from bot.errors import BadDateError
from bot.periods import PERIODS
from storage.clock import utc_now
from storage.cuts import Dimension
from storage.questions import BY_ALL
from tests.bot.stage import staged
from tests.bot.test_admin import admin
from tests.bot.test_admin_page import base, log_in, seen, start, status, visitor
from tests.browser import DESKTOP, PHONE, opened
from tests.sandbox.fixtures import RunningSandbox

pytestmark = pytest.mark.asyncio(loop_scope="session")
NOW = datetime(2026, 3, 30, 22, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


async def test_an_address_asks_what_the_command_asks() -> None:
    def asked(**address: str) -> object:
        return question_of(address, guild_id=5, zone=BERLIN, now=NOW)

    week = question_of({}, guild_id=5, zone=BERLIN, now=NOW)
    assert week.before is not None
    assert (week.by, week.until - week.since) == (BY_ALL, week.since - week.before[0])
    assert asked(period="never", by="guild", member="x", role="-1", model="") == week
    lengths = [question_of({"period": it}, guild_id=5, zone=BERLIN, now=NOW) for it in PERIODS]
    assert [(it.until - it.since).days for it in lengths] == [1, 7, 30, 90, 365]
    some = question_of(
        {"first": "2026-03-29", "last": "2026-03-29", "role": "7", "by": "role", "period": "year"},
        guild_id=5, zone=BERLIN, now=NOW,
    )  # fmt: skip
    assert (some.since, some.until) == (
        datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC)
    )  # fmt: skip
    assert (some.by, some.filters) == ((Dimension.ROLE,), {Dimension.ROLE: 7})
    with pytest.raises(BadDateError):
        asked(first="soon")


async def test_the_page_and_the_command_give_the_same_files_for_the_same_question(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    async with staged(sandbox, tmp_path) as stage, stage.stack:
        bot = await start(stage, hour_price=2.5)
        await stage.ben.remix("refuse")
        await stage.settled(bot)
        await admin(stage.cleo, "quota timezone", name="Asia/Shanghai")
        await stage.cleo.text("Asia/Shanghai")
        home = f"{base(bot)}/admin/{stage.guild_id}"
        today = f"{utc_now().astimezone(ZoneInfo('Asia/Shanghai')):%Y-%m-%d}"
        async with visitor() as cleo, visitor() as ada:
            await log_in(cleo, bot, stage.cleo.id)
            await log_in(ada, bot, stage.ada.id)
            for number, narrower in enumerate(({}, {"member": stage.ben.id, "pipeline": "remix"})):
                asked = {"first": today, "last": today, **narrower}
                await stage.cleo.command("usage", "report", **asked)
                told = await stage.cleo.until(
                    lambda it: len(it["attachments"]) == 3, count=number + 1
                )
                files = {it["filename"]: it["url"] for it in told[-1]["attachments"]}
                for kind in ("csv", "json"):
                    address = f"{home}/usage.{kind}"
                    async with cleo.get(address, params=asked) as reply:
                        assert reply.headers["Content-Disposition"].startswith("attachment")
                        assert await reply.read() == await stage.cleo.fetch(files[f"usage.{kind}"])
                    assert await status(ada, address) == 404
                total = json.loads(await stage.cleo.fetch(files["usage.json"]))["total"]
                assert (total["jobs"], total["failures"]) == ((3, 1), (2, 1))[number]
                async with cleo.get(f"{home}/", params=asked) as reply:
                    html = await reply.text()
                [jobs] = re.findall(r"<dt>Jobs</dt><dd>(\d+)</dd>", html)
                assert int(jobs) == total["jobs"]
                assert "a setting was out of range" in html
                assert "at 2.50 USD an hour" in html
            assert await status(cleo, f"{home}/usage.csv?first=soon") == 404
            assert await status(cleo, f"{home}/usage.xml") == 404
            async with cleo.get(f"{home}/?first=soon") as reply:
                assert "Write dates as 2026-03-01" in await reply.text()


@pytest.mark.slow
async def test_an_admin_filters_and_groups_the_report_in_a_browser(
    chromium: Browser, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    async with staged(sandbox, tmp_path) as stage, stage.stack:
        bot = await start(stage)
        await stage.ben.remix("refuse")
        await stage.settled(bot)
        assert bot.admin_page.address is not None
        home = f"{base(bot)}/admin/{stage.guild_id}"
        for size in (DESKTOP, PHONE):
            async with opened(chromium, bot.admin_page.address, size=size) as page:
                await seen(page, f"{home}/", "By member")
                await page.reload()
                await page.get_by_text("Filter and group").click()
                await page.locator("select[name=member]").select_option(label="Ben")
                await page.get_by_label("Told apart by").select_option(label="Pipeline")
                await page.get_by_role("button", name="Show", exact=True).click()
                jobs = page.locator("dl.main .card").filter(has_text="Jobs")
                await expect(jobs.locator("dd").first).to_have_text("2")
                await expect(page.locator("summary")).to_contain_text("Ben")
                await expect(page.get_by_role("heading", name="By pipeline")).to_be_visible()
                await expect(page.get_by_role("heading", name="By member")).to_have_count(0)
                await page.get_by_role("link", name="30 days").click()
                assert "period=month" in page.url
                assert f"member={stage.ben.id}" in page.url
                await expect(page.locator("select[name=member]")).to_have_value(stage.ben.id)
                async with page.expect_download() as started:
                    await page.get_by_role("link", name="As JSON").click()
                told = json.loads(Path(await (await started.value).path()).read_text())  # noqa: ASYNC240
                assert told["filters"] == {"member": stage.ben.id}
                assert (told["total"]["jobs"], list(told["groups"])) == (2, ["pipeline"])
                await page.get_by_role("link", name="Clear the filters").click()
                await page.get_by_role("link", name="Show Ada alone").click()
                await expect(jobs.locator("dd").first).to_have_text("1")
