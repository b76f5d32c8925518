"""The quotas page: how far each limit is used, and one member's account with what can be done."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.bot.stage import rows, staged
from tests.bot.test_admin import admin
from tests.bot.test_admin_page import base, csrf_of, log_in, start, status, visitor
from tests.browser import DESKTOP, PHONE, opened
from tests.sandbox.fixtures import RunningSandbox

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_limits_say_how_far_they_are_used_and_members_what_they_have(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    async with staged(sandbox, tmp_path) as stage, stage.stack:
        bot = await start(stage)
        await stage.settled(bot)
        guild = bot.client.get_guild(int(stage.guild_id))
        assert guild is not None
        role = next(each.id for each in guild.roles if not each.is_default())
        await admin(stage.cleo, "quota set", period="day", minutes=90, together=True)
        await stage.cleo.text("The whole server together: 1.5 h")
        await admin(stage.cleo, "quota set", period="hour", minutes=30, role=str(role))
        await stage.cleo.text("30 min an hour")
        rows(bot, "UPDATE accounts SET used_ms = 600000, reserved_ms = 60000 WHERE scope = 'guild'")
        quotas = f"{base(bot)}/admin/{stage.guild_id}/quotas"
        async with visitor() as cleo, visitor() as ada:
            await log_in(cleo, bot, stage.cleo.id)
            await log_in(ada, bot, stage.ada.id)
            async with cleo.get(quotas) as reply:
                html = await reply.text()
            assert "The whole server together" in html
            assert "Every member, as nothing else is set" in html
            assert "whoever used most, of 2" in html
            assert "nobody used any yet" in html
            async with cleo.get(quotas, params={"member": stage.cleo.id}) as reply:
                account = (await reply.text()).partition("What Cleo has")[2]
            assert "30 min an hour" in account, "it is a role of Cleo's"
            async with cleo.get(quotas, params={"listed": stage.ada.id}) as reply:
                account = (await reply.text()).partition("What Ada has")[2]
            assert "30 min an hour" not in account
            assert "1.5 h a day" in account
            csrf = await csrf_of(cleo, quotas)
            more = {"member": stage.ada.id, "minutes": "12.5", "csrf": csrf}
            for wrong in ({"csrf": "x"}, {"minutes": "-1"}, {"minutes": "much"}, {"member": "x"}):
                async with cleo.post(f"{quotas}/grant", data={**more, **wrong}) as reply:
                    said = re.sub(r"\s+", " ", await reply.text())
                assert "Nothing was changed" in said or "That is no amount" in said, wrong
            for path in ("grant", "reset"):
                async with ada.post(f"{quotas}/{path}", data=more) as reply:
                    assert reply.status == 404
            assert await status(ada, quotas) == 404
            assert rows(bot, "SELECT count(*) FROM audit WHERE act IN ('top_up', 'grant')") == [
                (0,)
            ]
            async with cleo.post(f"{quotas}/grant", data={**more, "lasting": "on"}) as reply:
                html = await reply.text()
            assert "It is given." in html
            assert "Given, until it is used" in html
            async with cleo.post(f"{quotas}/grant", data=more) as reply:
                assert "22 min a day" in re.sub(r"\s+", " ", await reply.text())
            own = f"scope = 'member' AND member_id = {stage.ada.id} AND period = 'day'"
            rows(bot, f"UPDATE accounts SET used_ms = 5 WHERE {own}")
            async with cleo.post(f"{quotas}/reset", data={**more, "member": "x"}) as reply:
                assert reply.status == 404
            async with cleo.post(f"{quotas}/reset", data=more) as reply:
                assert "is taken for not used" in await reply.text()
            assert rows(bot, f"SELECT used_ms FROM accounts WHERE {own}") == [(0,)]
        acts = "SELECT act, subject, actor_id FROM audit WHERE act NOT IN ('quota') ORDER BY id"
        cleo_id, ada_id = int(stage.cleo.id), stage.ada.id
        assert rows(bot, acts) == [
            ("top_up", f"member {ada_id} ever", cleo_id),
            ("grant", f"member {ada_id} day", cleo_id),
            ("reset", f"member {ada_id} day", cleo_id),
        ]


@pytest.mark.slow
async def test_an_admin_looks_a_member_up_and_gives_more_by_keyboard_alone(
    chromium: Browser, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    async with staged(sandbox, tmp_path) as stage, stage.stack:
        bot = await start(stage)
        assert bot.admin_page.address is not None
        home = f"{base(bot)}/admin/{stage.guild_id}"
        for size in (DESKTOP, PHONE):
            async with opened(chromium, bot.admin_page.address, size=size) as page:
                await page.goto(f"{home}/quotas")
                await page.keyboard.press("Tab")
                await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
                account = page.locator("#account")
                await account.get_by_label("Or a member's number").focus()
                await page.keyboard.type(stage.ben.id)
                await page.keyboard.press("Enter")
                await expect(page.get_by_role("heading", name="What Ben has")).to_be_visible()
                await page.get_by_label("More device minutes").focus()
                await page.keyboard.type("10")
                await page.keyboard.press("Tab")
                await page.keyboard.press("Space")
                await page.keyboard.press("Enter")
                await expect(page.get_by_role("status")).to_have_text("It is given.")
        given = "SELECT act, after FROM audit ORDER BY id"
        assert rows(bot, given) == [("grant", '"600 s"'), ("grant", '"600 s"')]
