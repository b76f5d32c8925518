"""The admin page: who gets in, what they see and may do there, and what nobody gets at."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookies import SimpleCookie
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser, Page, expect

from bot.admin_site.doors import LOOPBACK
from bot.admin_site.sessions import LIFE_S, Sessions
from bot.composition import Bot
from bot.settings import Settings
from tests.bot.members import text_of
from tests.bot.stage import Stage, rows, settled, staged
from tests.bot.test_admin import admin
from tests.browser import DESKTOP, PHONE, opened
from tests.sandbox.fixtures import RunningSandbox

pytestmark = pytest.mark.asyncio(loop_scope="session")
SECRET = "client_secret"
OTHER_JOB = "0" * 32


def base(bot: Bot) -> str:
    return f"http://127.0.0.1:{bot.web_port}"


@asynccontextmanager
async def visitor() -> AsyncIterator[aiohttp.ClientSession]:
    """A browser without eyes: it keeps cookies, and takes the sandbox's own certificate."""
    jar = aiohttp.CookieJar(unsafe=True)
    connector = aiohttp.TCPConnector(ssl=False)
    async with aiohttp.ClientSession(cookie_jar=jar, connector=connector) as session:
        yield session


async def to_discord(session: aiohttp.ClientSession, bot: Bot) -> str:
    """Begin a login, and return where Discord is asked."""
    async with session.get(f"{base(bot)}/admin/login/discord", allow_redirects=False) as reply:
        assert reply.status == 303
        return reply.headers["Location"]


async def decided(session: aiohttp.ClientSession, address: str, member_id: str) -> str:
    """Let a member agree, and return where the browser is sent back to."""
    asked = address.replace("/oauth2/authorize?", f"/oauth2/authorize/{member_id}?")
    async with session.get(asked, allow_redirects=False) as reply:
        assert reply.status == 302, await reply.text()
        return reply.headers["Location"]


async def log_in(session: aiohttp.ClientSession, bot: Bot, member_id: str) -> None:
    back = await decided(session, await to_discord(session, bot), member_id)
    async with session.get(back, allow_redirects=False) as reply:
        assert (reply.status, reply.headers["Location"]) == (303, "/admin/")


async def status(session: aiohttp.ClientSession, address: str, **given: object) -> int:
    async with session.get(address, allow_redirects=False, **given) as reply:  # type: ignore[arg-type]
        return reply.status


async def start(stage: Stage, *, hour_price: float | None = None) -> Bot:
    """Start a bot with a client secret, and have two pictures made."""
    secret = stage.sandbox.details[SECRET]
    bot = await stage.start(web_client_secret=secret, hour_price=hour_price)
    await stage.ada.remix("a cat")
    await stage.ben.remix("a <b>hen</b>")
    await stage.ada.results(2)
    await settled(bot)
    return bot


async def csrf_of(session: aiohttp.ClientSession, address: str) -> str:
    async with session.get(address) as reply:
        found = re.search(r'name="csrf" value="([^"]+)"', await reply.text())
    assert found is not None
    return found[1]


async def test_s4_only_who_manages_a_server_sees_it_and_nothing_of_another(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    async with staged(sandbox, tmp_path) as stage, stage.stack:
        bot = await start(stage)
        job_id = str(rows(bot, "SELECT id FROM jobs")[0][0])
        home = f"{base(bot)}/admin/{stage.guild_id}"
        pages = (
            "/",
            "/usage.csv",
            "/jobs",
            f"/jobs/{job_id}/thumbnail",
            "/quotas",
            "/approvals",
            "/audit",
        )
        async with visitor() as nobody, visitor() as ada, visitor() as cleo:
            for page in pages:
                async with nobody.get(home + page) as reply:
                    assert "Log in with Discord" in await reply.text()
            await log_in(ada, bot, stage.ada.id)
            assert {await status(ada, home + page) for page in pages} == {404}
            await log_in(cleo, bot, stage.cleo.id)
            assert {await status(cleo, home + page) for page in pages} == {200}
            other = f"{base(bot)}/admin/{int(stage.guild_id) + 1}"
            assert {await status(cleo, other + page) for page in pages} == {404}
            rows(bot, "INSERT INTO guilds (id, first_seen_at) VALUES (5, '2026-01-01')")
            rows(bot, "INSERT INTO members VALUES (5, 6, '2026-01-01')")
            rows(bot, f"UPDATE jobs SET guild_id = 5, member_id = 6 WHERE id = '{job_id}'")
            assert await status(cleo, f"{home}/jobs/{job_id}/thumbnail") == 404
            assert await status(cleo, f"{home}/jobs/{OTHER_JOB}/thumbnail") == 404
            assert await status(cleo, f"{base(bot)}/admin/nowhere") == 404
            async with cleo.get(f"{home}/jobs") as reply:
                html = await reply.text()
            assert job_id not in html
            assert "a cat" not in html
            assert "hen" not in html
            chinese = {"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}
            for page, said in (
                ("/", "概览"),
                ("/quotas", "没有另设时"),
                ("/jobs", "已完成"),
            ):
                async with cleo.get(home + page, headers=chinese) as reply:
                    html = await reply.text()
                assert 'lang="zh-CN"' in html
                assert said in html
            spam = f"({stage.guild_id}, 6, 'word', '<i>x</i>', '\"<b>y</b>\"', '2026-01-01')"
            rows(bot, "INSERT INTO audit (guild_id, actor_id, act, subject, after, created_at)"
                      f" VALUES {spam}")  # fmt: skip
            async with cleo.get(f"{home}/audit") as reply:
                html = await reply.text()
            assert "&lt;i&gt;x" in html
            assert "&lt;b&gt;y" in html
            assert "<i>" not in html


async def test_s4_the_page_is_on_loopback_unless_the_settings_say_otherwise() -> None:
    assert Settings.model_fields["web_host"].default in LOOPBACK


async def test_s4_forms_cookies_headers_and_logins_keep_strangers_out(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    async with staged(sandbox, tmp_path) as stage, stage.stack:
        bot = await start(stage)
        quotas = f"{base(bot)}/admin/{stage.guild_id}/quotas"
        limit = {"whose": "guild", "minutes": "5", "period": "day"}
        async with visitor() as cleo, visitor() as thief:
            address = await to_discord(cleo, bot)
            back = await decided(cleo, address, stage.cleo.id)
            assert await status(thief, back) == 403
            assert await status(cleo, back.replace("state=", "state=x")) == 403
            planted = {"Cookie": "atelier_admin=planted"}
            async with thief.get(f"{base(bot)}/admin/login/discord", allow_redirects=False) as it:
                jar = SimpleCookie(it.headers.getall("Set-Cookie")[0])
            again = await decided(thief, it.headers["Location"], stage.cleo.id)
            cookie = f"{planted['Cookie']}; atelier_login={jar['atelier_login'].value}"
            async with aiohttp.request(
                "GET", again, headers={"Cookie": cookie}, allow_redirects=False
            ) as reply:
                assert "planted" not in str(reply.headers.getall("Set-Cookie"))
                set_cookie = reply.headers.getall("Set-Cookie")[0]
            assert {"HttpOnly", "SameSite=Lax", "Path=/admin"} <= set(set_cookie.split("; "))
            assert "Log in" in await (await thief.get(quotas, headers=planted)).text()
            await log_in(cleo, bot, stage.cleo.id)
            assert await status(cleo, back) == 403
            csrf = await csrf_of(cleo, quotas)
            for fields, headers in (
                (limit, {}),
                ({**limit, "csrf": "x"}, {}),
                ({**limit, "csrf": csrf}, {"Origin": "https://evil.example"}),
            ):
                async with cleo.post(quotas, data=fields, headers=headers) as reply:
                    assert reply.status == 403
                    assert "Nothing was changed" in await reply.text()
            async with aiohttp.request("POST", quotas, data={**limit, "csrf": csrf}) as reply:
                assert reply.status == 403
            assert rows(bot, "SELECT count(*) FROM quota_policies") == [(0,)]
            async with cleo.post(quotas, data={**limit, "csrf": csrf}) as reply:
                assert "The limit is set." in await reply.text()
            assert rows(bot, "SELECT actor_id, act FROM audit") == [(int(stage.cleo.id), "quota")]
            nobody = [{"whose": "role x"}, {"whose": "all 5"}, {"member": "-"}]
            for wrong in ({"minutes": "nan"}, *nobody):
                async with cleo.post(quotas, data={**limit, **wrong, "csrf": csrf}) as reply:
                    assert "That is no limit" in await reply.text()
            assert await status(cleo, quotas, headers={"Host": "evil.example"}) == 403
            async with cleo.get(f"{base(bot)}/admin/login?next=https://evil.example") as reply:
                assert reply.url.host == "127.0.0.1"
                policy = reply.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "frame-ancestors 'none'" in policy
                assert reply.headers["Cache-Control"] == "no-store"
            assert await status(thief, f"{base(bot)}/admin/login?token=x") == 403
            assert bot.admin_page.address is not None
            evil = {"Host": "evil.example"}
            assert await status(thief, bot.admin_page.address, headers=evil) == 403
            assert await status(thief, bot.admin_page.address) == 303
            async with cleo.post(f"{base(bot)}/admin/logout", data={"csrf": csrf}) as reply:
                assert "Log in with Discord" in await reply.text()


@pytest.mark.slow
async def test_an_admin_decides_on_the_page_what_is_shown_and_no_form_from_elsewhere_does(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    async with staged(sandbox, tmp_path) as stage, stage.stack:
        bot = await stage.start(web_client_secret=stage.sandbox.details[SECRET])
        review = str(stage.sandbox.details["channels"][1]["id"])
        await admin(stage.cleo, "approval on", review=review)
        await stage.cleo.text("once somebody has approved them")
        await stage.ada.remix("a <b>hen</b>")
        await stage.ada.text("Somebody who moderates")
        await stage.ben.remix("a cat")
        await stage.ben.until(lambda it: "Somebody who moderates" in text_of(it), count=2)
        approvals = f"{base(bot)}/admin/{stage.guild_id}/approvals"
        hen, cat = (str(row[0]) for row in rows(bot, "SELECT id FROM jobs ORDER BY created_at"))
        async with visitor() as ada, visitor() as cleo:
            await log_in(ada, bot, stage.ada.id)
            assert await status(ada, f"{approvals}/{hen}/0") == 404
            await log_in(cleo, bot, stage.cleo.id)
            async with cleo.get(approvals) as reply:
                html = await reply.text()
            assert "a &lt;b&gt;hen&lt;/b&gt;" in html
            assert f"{hen}/0" in html
            assert await status(cleo, f"{approvals}/{hen}/0") == 200
            assert await status(cleo, f"{approvals}/{hen}/1") == 404
            csrf = await csrf_of(cleo, approvals)
            verdict = {"job": hen, "verdict": "approve", "csrf": csrf}
            for session, fields in ((cleo, {**verdict, "csrf": "x"}), (ada, verdict)):
                assert await status(session, approvals) in (200, 404)
                async with session.post(approvals, data=fields) as reply:
                    assert reply.status in (403, 404)
            assert rows(bot, "SELECT count(*) FROM jobs WHERE state = 'held'") == [(2,)]
            async with cleo.post(approvals, data=verdict) as reply:
                assert "Approved: the member gets" in await reply.text()
            async with cleo.post(approvals, data=verdict) as reply:
                assert "does not wait for a decision" in await reply.text()
            refusal = {**verdict, "job": cat, "verdict": "refuse", "reason": "no cats"}
            async with cleo.post(approvals, data=refusal) as reply:
                assert "Nothing waits for approval." in await reply.text()
            assert await status(cleo, f"{approvals}/{cat}/0") == 404
        await stage.ada.result()
        assert "Their reason: no cats" in text_of(await stage.ben.text("refused the picture"))
        await settled(bot)
        decided_by = "SELECT actor_id, after FROM audit WHERE act = 'decision' ORDER BY id"
        cleo_id = int(stage.cleo.id)
        assert rows(bot, decided_by) == [(cleo_id, '"approved"'), (cleo_id, '"refused"')]


async def test_a_database_that_is_away_is_said_to_be(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    async with staged(sandbox, tmp_path) as stage, stage.stack, visitor() as operator:
        bot = await stage.start()
        assert bot.admin_page.address is not None
        assert await status(operator, bot.admin_page.address) == 303
        rows(bot, "ALTER TABLE jobs RENAME TO elsewhere")
        async with operator.get(f"{base(bot)}/admin/{stage.guild_id}/jobs") as reply:
            assert (reply.status, reply.headers["X-Frame-Options"]) == (503, "DENY")
            assert "The database does not answer" in await reply.text()
        rows(bot, "ALTER TABLE elsewhere RENAME TO jobs")


async def test_a_name_is_asked_of_discord_once(sandbox: RunningSandbox, tmp_path: Path) -> None:
    async with staged(sandbox, tmp_path) as stage, stage.stack, visitor() as operator:
        bot = await start(stage)
        act = f"({stage.guild_id}, 77, 'safety', '', '2026-01-01')"
        rows(bot, f"INSERT INTO audit (guild_id, actor_id, act, subject, created_at) VALUES {act}")
        assert bot.admin_page.address is not None
        assert await status(operator, bot.admin_page.address) == 303
        for _ in range(3):
            async with operator.get(f"{base(bot)}/admin/{stage.guild_id}/audit") as reply:
                assert "<strong>77</strong>" in await reply.text()
        assert len([it for it in stage.requests("GET") if it.path.endswith("/users/77")]) == 1


async def test_a_login_ends_by_itself() -> None:
    now = [100.0]
    sessions = Sessions(clock=lambda: now[0])
    key = sessions.begin(actor_id=1, name="Cleo", guild_ids=frozenset({5}))
    assert sessions.find(key) is not None
    assert sessions.find("x") is None
    now[0] += LIFE_S
    assert sessions.find(key) is None


UNNAMED = """
[...document.querySelectorAll("details")].forEach((it) => { it.open = true; });
[...document.querySelectorAll("main input:not([type=hidden]), select, button, a, img, meter, svg")]
  .filter((it) => !(it.ariaLabel || it.alt || it.textContent.trim() && it.tagName != "SELECT"
    || [...(it.labels || [])].some((label) => label.innerText.trim())))
  .map((it) => it.outerHTML)
"""
"""Whatever a screen reader would have no name for."""


async def seen(page: Page, path: str, words: str) -> None:
    """Open a page, and make sure that it fits the window and that all in it has a name."""
    await page.goto(path)
    await expect(page.locator("main")).to_contain_text(words)
    wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not await page.evaluate(wide), path
    assert await page.evaluate(UNNAMED) == [], path
    assert await page.locator("h1").count() == 1


@pytest.mark.slow
async def test_an_admin_looks_around_and_sets_a_limit_in_a_browser(
    chromium: Browser, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    async with staged(sandbox, tmp_path) as stage, stage.stack:
        bot = await start(stage)
        assert bot.admin_page.address is not None
        home = f"{base(bot)}/admin/{stage.guild_id}"
        for size in (DESKTOP, PHONE):
            async with opened(chromium, bot.admin_page.address, size=size) as page:
                assert page.url == f"{home}/"
                await seen(page, f"{home}/?period=week", "Device time")
                await seen(page, f"{home}/jobs?state=done", "done")
                await expect(page.locator("img")).to_have_count(2)
                for picture in await page.locator("img").all():
                    await picture.scroll_into_view_if_needed()
                    # The page's own policy keeps Playwright from waiting for a condition there.
                    await picture.evaluate("it => it.decode()")
                await seen(page, f"{home}/jobs?state=failed", "There are no such jobs.")
                await seen(page, f"{home}/approvals", "Nothing waits")
                await seen(page, f"{home}/quotas?member={stage.ben.id}", "What Ben has")
                await seen(page, f"{home}/quotas", "Set a limit")
                await page.get_by_label("Device minutes").fill("7")
                await page.get_by_role("button", name="Set", exact=True).click()
                await expect(page.get_by_role("status")).to_have_text("The limit is set.")
                await page.get_by_role("button", name="Take away the limit of Every member").click()
                await expect(page.get_by_role("status")).to_have_text("The limit is taken away.")
                await page.get_by_label("Whose").select_option(label="@Admin")
                await page.get_by_label("Device minutes").fill("90")
                await page.get_by_role("button", name="Set", exact=True).click()
                await expect(page.locator("tbody")).to_contain_text("@Admin")
                await page.get_by_label("Or a member's number").first.fill(stage.ada.id)
                await page.get_by_label("Device minutes").fill("0.5")
                await page.get_by_role("button", name="Set", exact=True).click()
                await expect(page.locator("tbody")).to_contain_text("Ada")
                await seen(page, f"{home}/audit", "limit Ada, day")
                await seen(page, f"{home}/audit", "limit @Admin, day")
                await seen(page, f"{home}/audit", "limit every member, day")
                await page.get_by_role("button", name="Log out").click()
                await expect(page.get_by_role("heading")).to_have_text("Atelier")


@pytest.mark.slow
async def test_an_admin_has_dead_letters_made_anew_or_drops_them_on_the_page(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    async with staged(sandbox, tmp_path) as stage, stage.stack:
        bot = await start(stage)
        died = "UPDATE jobs SET dead_at = '2026-01-01 00:00:00', error = 'EngineLostError'"
        [(first,), (second,)] = rows(bot, died, "SELECT id FROM jobs ORDER BY created_at")
        jobs = f"{base(bot)}/admin/{stage.guild_id}/jobs"
        async with visitor() as cleo:
            await log_in(cleo, bot, stage.cleo.id)
            async with cleo.get(f"{jobs}?state=dead") as reply:
                assert (await reply.text()).count("formaction=") == 2
            csrf = {"csrf": await csrf_of(cleo, jobs)}
            for act in ("requeue", "drop"):
                async with cleo.post(f"{jobs}/{first}/{act}", data={"csrf": "x"}) as reply:
                    assert reply.status == 403
            assert rows(bot, "SELECT count(*) FROM audit") == [(0,)]
            async with cleo.post(f"{jobs}/{first}/requeue", data=csrf) as reply:
                assert "It is made anew" in await reply.text()
            async with cleo.post(f"{jobs}/{second}/drop", data=csrf) as reply:
                assert "lies with the failed ones" in await reply.text()
            async with cleo.post(f"{jobs}/{second}/drop", data=csrf) as reply:
                assert reply.status == 404
        await settled(bot)
        assert rows(bot, "SELECT act, after FROM audit ORDER BY id") == [
            ("job", '"queued"'), ("job", '"dropped"'),
        ]  # fmt: skip
        assert rows(bot, "SELECT count(*) FROM jobs WHERE dead_at IS NULL") == [(3,)]
