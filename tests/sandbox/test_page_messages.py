"""What the page shows: text, components, forms, menus, pictures, edits as they happen."""

import asyncio
import re

import pytest
from playwright.async_api import expect

from tests.browser import PHONE, chromium
from tests.sandbox.page_stage import Stage, newest, run, scroll_back, stage, write

__all__ = ["chromium", "stage"]

pytestmark = pytest.mark.asyncio(loop_scope="session")

MARKDOWN = [
    ("**bold** text", "strong", "bold"),
    ("_it_ and *it*", "em:nth-of-type(2)", "it"),
    ("__under__", "u", "under"),
    ("~~gone~~", "s", "gone"),
    ("`**raw**`", "code", "**raw**"),
    ("```py\\nx = 1\\n```", "pre code", "x = 1"),
    ("# Big", ".heading-1", "Big"),
    ("-# small", ".subtext", "small"),
    ("> quoted", "blockquote", "quoted"),
    ("- one\\n  - two", "ul ul li", "two"),
    ("1. first\\n2. second", "ol li:nth-child(2)", "second"),
    ("||secret||", ".spoiler", "secret"),
    ("[words](https://example.org/a_b)", "a[href='https://example.org/a_b']", "words"),
    ("<t:1800000000:D>", "time", "15 January 2027"),
    ("@everyone", ".mention", "@everyone"),
]


async def test_markdown_becomes_the_elements_it_means(stage: Stage) -> None:
    async with stage.member() as page:
        for text, selector, content in MARKDOWN:
            await page.locator("#composer-text").fill(f"/words text:{text}")
            await page.keyboard.press("Enter")
            await expect(newest(page).locator(f".message-body {selector}").first).to_have_text(
                content
            )


async def test_text_of_strangers_is_never_markup(stage: Stage) -> None:
    evil = "<img src=x onerror=alert(1)> [a](javascript:alert(1)) <b>b</b>"
    async with stage.member() as page:
        await page.locator("#composer-text").fill(evil)
        await page.keyboard.press("Enter")
        body = newest(page).locator(".message-body")
        await expect(body).to_have_text(evil)
        await expect(body.locator("img, a, b")).to_have_count(0)


async def test_buttons_edit_their_message_and_whisper_to_one_member(stage: Stage) -> None:
    async with stage.member() as page, stage.member("Ben") as other:
        await run(page, "/press")
        await newest(page).get_by_role("button", name="Count").click()
        await expect(newest(page)).to_contain_text("Pressed 1 times.")
        await expect(newest(other)).to_contain_text("Pressed 1 times.")
        await expect(newest(page).get_by_role("button", name="Off")).to_be_disabled()
        await newest(page).get_by_role("button", name="Whisper").click()
        await expect(newest(page)).to_contain_text("A whisper for you alone.")
        await expect(other.locator(".message", has_text="A whisper")).to_have_count(0)


async def test_a_press_that_nobody_answers_says_so_under_its_message(stage: Stage) -> None:
    async with stage.member() as page:
        await run(page, "/press")
        message = newest(page)
        await message.get_by_role("button", name="Fail").click()
        await asyncio.sleep(0.3)
        stage.running.clock.advance(4)
        await expect(message.locator(".failure")).to_contain_text("This interaction failed")


async def test_a_select_sends_all_choices_when_it_closes(stage: Stage) -> None:
    async with stage.member() as page:
        await run(page, "/press")
        await newest(page).get_by_role("button", name="Choose seasons").press("Enter")
        for key in ("Enter", "ArrowDown", "ArrowDown", "Enter", "Escape"):
            await page.keyboard.press(key)
        await expect(newest(page)).to_contain_text("Seasons: Spring, Autumn")


async def test_components_v2_show_their_pictures_which_open_large(stage: Stage) -> None:
    async with stage.member() as page:
        await run(page, "/layout")
        box = newest(page).locator(".container")
        await expect(box.locator(".gallery .picture")).to_have_count(3)
        await expect(box.get_by_role("link", name="Download notes.csv")).to_be_visible()
        first = box.locator(".gallery .picture").first
        await first.press("Enter")
        await expect(page.get_by_role("dialog").locator("img")).to_be_visible()
        await expect(page.get_by_role("link", name="Download", exact=True)).to_have_attribute(
            "download", "one.png"
        )
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await expect(first).to_be_focused()
        await box.get_by_role("button", name="Somebody").click()
        await page.get_by_role("option", name="Ben").click()
        await expect(newest(page)).to_contain_text("Chosen @Ben")


async def test_a_form_checks_itself_holds_the_focus_and_uploads(stage: Stage) -> None:
    async with stage.member() as page:
        await run(page, "/ask")
        form = page.get_by_role("dialog", name="A few questions")
        await expect(form.get_by_label("Title")).to_be_focused()
        await form.get_by_role("button", name="Submit").click()
        await expect(form).to_contain_text("This is required.")
        await form.get_by_label("Title").fill("Harbour")
        await form.get_by_label("Night").check()
        await form.locator("input[type=file]").set_input_files(stage.photo)
        await page.keyboard.press("Control+Enter")
        await expect(newest(page)).to_contain_text("Got Harbour at night with ['photo.png']")


async def test_the_other_fields_of_a_form_arrive_too(stage: Stage) -> None:
    async with stage.member() as page:
        await run(page, "/ask_more")
        form = page.get_by_role("dialog")
        await form.get_by_role("button", name="Season").press("Enter")
        await page.keyboard.press("Enter")
        await form.get_by_label("Blue").check()
        await form.get_by_label("Loud").check()
        await form.get_by_role("button", name="Submit").click()
        await expect(newest(page)).to_contain_text("More: ['Spring'] ['blue'] True")


async def test_menus_of_messages_and_people_hold_the_apps_commands(stage: Stage) -> None:
    async with stage.member() as page:
        await write(page, "A message with a menu")
        await page.keyboard.press("Enter")
        await expect(newest(page)).to_contain_text("A message with a menu")
        await newest(page).click(button="right")
        await page.get_by_role("menuitem", name="Describe").click()
        await expect(newest(page)).to_contain_text(re.compile(r"Described \d+ with \[\]"))
        await page.locator(".person", has_text="Ben").click(button="right")
        await page.get_by_role("menuitem", name="Greet").press("Enter")
        await expect(newest(page)).to_contain_text("Hello @Ben")


async def test_a_message_menu_opens_by_the_keyboard(stage: Stage) -> None:
    async with stage.member() as page:
        await write(page, "Reached by the arrows")
        await page.keyboard.press("Enter")
        await expect(newest(page)).to_contain_text("Reached by the arrows")
        await expect(page.locator("#composer-text")).to_have_value("")
        await page.keyboard.press("ArrowUp")
        await expect(newest(page)).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("menuitem").first).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(newest(page)).to_contain_text("Described")


async def test_a_deferred_answer_thinks_and_then_changes_in_place(stage: Stage) -> None:
    async with stage.member() as page:
        await run(page, "/slow")
        await expect(newest(page)).to_contain_text("thinking")
        message = page.locator(f"#{await newest(page).get_attribute('id')}")
        await message.evaluate("node => { node.mark = 'the same'; }")
        for step in range(3):
            stage.bot.step.set()
            await expect(message).to_contain_text(f"Step {step + 1} of 3")
            await expect(message.locator("img")).to_have_attribute(
                "data-key", re.compile(f"step{step}.png$")
            )
        assert await message.evaluate("node => node.mark") == "the same"


async def test_edits_do_not_move_somebody_who_reads_back(stage: Stage) -> None:
    async with stage.member() as page:
        for _ in range(3):
            await run(page, "/layout")
        await run(page, "/slow")
        await expect(newest(page)).to_contain_text("thinking")
        before = await scroll_back(page, pixels=900)
        for step in range(3):
            stage.bot.step.set()
            await expect(newest(page)).to_contain_text(f"Step {step + 1} of 3")
        assert await page.locator("#log-scroll").evaluate("node => node.scrollTop") == before


async def test_the_page_reconnects_and_catches_up(stage: Stage) -> None:
    async with stage.member() as page, stage.member("Ben") as other:
        stage.running.run(stage.running.inner.services.audience.close())
        await write(other, "Said while the line was down")
        await other.keyboard.press("Enter")
        await expect(newest(page)).to_contain_text("Said while the line was down")
        await expect(page.locator("#banner")).to_be_hidden()


async def test_members_may_be_switched_before_a_connection_stands(stage: Stage) -> None:
    async with stage.member() as page:
        await page.evaluate(
            """() => {
              const members = [...document.querySelectorAll("[role=radio], input[type=radio]")];
              for (const member of [...members, members[0]]) member.click();
            }"""
        )
        await write(page, "Here I am")
        await page.keyboard.press("Enter")
        await expect(newest(page)).to_contain_text("Here I am")


async def test_a_phone_shows_everything_within_its_width(stage: Stage) -> None:
    async with stage.member(size=PHONE, touch=True) as page:
        for command in ("/layout", "/embed", "/press"):
            await run(page, command)
        await page.locator("#composer-text").fill("/words text:" + "verylongword" * 12)
        await page.keyboard.press("Enter")
        await expect(newest(page)).to_contain_text("verylongword")
        wide = await page.evaluate("document.documentElement.scrollWidth")
        inner = await page.locator("#log-scroll").evaluate("node => node.scrollWidth")
        assert max(wide, inner) <= PHONE[0]
        await page.get_by_role("button", name="Show channels").tap()
        await page.locator(".channel", has_text="pictures").tap()
        await expect(page.locator("#channel-name")).to_have_text("pictures")


async def test_the_newest_message_stays_in_sight_unless_one_reads_back(stage: Stage) -> None:
    async with stage.member() as page, stage.member("Ben") as other:
        await run(page, "/layout")
        await run(page, "/embed")
        await expect(newest(page).locator(".embed-foot")).to_be_in_viewport()
        await scroll_back(page, pixels=700)
        await write(other, "News")
        await other.keyboard.press("Enter")
        await page.get_by_role("button", name="Newest messages").click()
        await expect(newest(page)).to_be_in_viewport()


async def test_a_long_press_opens_the_menu_and_lifting_the_finger_keeps_it(stage: Stage) -> None:
    async with stage.member(size=PHONE, touch=True) as page:
        await write(page, "Press me long")
        await page.keyboard.press("Enter")
        await expect(newest(page)).to_contain_text("Press me long")
        box = await newest(page).bounding_box()
        assert box is not None
        touch = await page.context.new_cdp_session(page)
        point = {"x": box["x"] + 90, "y": box["y"] + 12}
        await touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
        await expect(page.get_by_role("menu")).to_be_visible()
        await touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        await page.get_by_role("menuitem", name="Describe").tap()
        await expect(newest(page)).to_contain_text("Described")


async def test_a_picture_keeps_its_room_before_it_has_loaded(stage: Stage) -> None:
    async with stage.member() as page:
        await page.route("**/chart.png*", lambda route: route.abort())
        await run(page, "/embed")
        await expect(newest(page).locator(".broken-note")).to_be_visible()
        await page.unroute("**/chart.png*")
        before = await page.locator(".message").count()
        await run(page, "/embed")
        await expect(page.locator(".message")).to_have_count(before + 1)
        await expect(newest(page).locator("img")).to_have_js_property("complete", value=True)
        box = await newest(page).locator(".picture").bounding_box()
        assert box is not None
        assert abs(box["width"] / box["height"] - 640 / 426) < 0.02


async def test_an_answer_says_who_used_which_command(stage: Stage) -> None:
    async with stage.member("Cleo") as page:
        await run(page, "/usage report")
        await expect(newest(page).locator(".trigger")).to_have_text("CCleo used /usage report")
