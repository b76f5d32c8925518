"""The page's message box: commands, options, files, plain messages."""

import pytest
from playwright.async_api import expect

from tests.browser import chromium, drop_file, paste_file
from tests.sandbox.page_stage import Stage, newest, run, stage, write

__all__ = ["chromium", "stage"]

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_command_is_written_and_sent_with_the_keyboard_alone(stage: Stage) -> None:
    async with stage.member() as page:
        await page.keyboard.type("/rem")
        await expect(page.get_by_role("option", name="/remix")).to_be_visible()
        await page.keyboard.press("Tab")
        async with page.expect_file_chooser() as chooser:
            await page.keyboard.press("Enter")
        await (await chooser.value).set_files(stage.photo)
        await page.keyboard.type("prompt:a quiet night style:oil")
        await page.keyboard.press("Enter")
        await page.keyboard.press("Enter")
        await expect(newest(page)).to_contain_text("'a quiet night' Oil on canvas 0.5")
        await expect(newest(page)).to_contain_text(f"{stage.photo.stat().st_size} bytes")
        await expect(page.locator("#composer-text")).to_be_focused()


async def test_option_text_is_understood_in_one_go(stage: Stage) -> None:
    async with stage.member() as page:
        await page.locator("#composer-text").fill("/grow plant:rose bush loud:true")
        await page.keyboard.press("Enter")
        await expect(newest(page)).to_contain_text("Planted rose bush, loud True")


async def test_autocomplete_asks_the_bot_and_the_arrows_choose(stage: Stage) -> None:
    async with stage.member() as page:
        await write(page, "/grow wi")
        options = page.locator(".suggestion")
        await expect(options).to_have_text(["Willow", "Wisteria"])
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")
        await page.keyboard.press("Enter")
        await expect(newest(page)).to_contain_text("Planted wisteria")


async def test_words_that_come_with_the_command_go_where_typing_would_have_put_them(
    stage: Stage,
) -> None:
    """They are pasted, or were typed before the page had heard of the command."""
    async with stage.member() as page:
        await page.locator("#composer-text").fill("/grow wi")
        await expect(page.locator(".chip-input")).to_have_value("wi")
        await expect(page.locator(".suggestion")).to_have_text(["Willow", "Wisteria"])


async def test_a_subcommand_is_one_entry_and_its_answer_a_whisper(stage: Stage) -> None:
    async with stage.member() as page:
        await run(page, "/usage report period:30d")
        await expect(newest(page)).to_contain_text("Report over 30d")
        await expect(newest(page)).to_contain_text("Only you can see this")
        await newest(page).get_by_role("button", name="Dismiss message").click()
        await expect(page.locator(".message", has_text="Report over 30d")).to_have_count(0)


async def test_a_missing_option_is_named_and_focused(stage: Stage) -> None:
    async with stage.member() as page:
        await write(page, "/remix prompt:night")
        await page.keyboard.press("Enter")
        await expect(page.locator(".composer-problem")).to_contain_text("image is required")
        await expect(page.locator(".chip-file")).to_be_focused()


async def test_a_value_outside_its_limits_is_refused_before_it_is_sent(stage: Stage) -> None:
    async with stage.member() as page:
        await write(page, "/remix strength:7")
        await paste_file(page, stage.photo)
        await page.keyboard.press("Enter")
        await expect(page.locator(".composer-problem")).to_contain_text("at most 1")


async def test_a_pasted_picture_is_offered_to_the_commands_that_take_one(stage: Stage) -> None:
    async with stage.member() as page:
        await page.locator("#composer-text").click()
        await paste_file(page, stage.photo)
        await page.get_by_role("button", name="/remix").last.click()
        await expect(page.locator(".chip-filename")).to_have_text("photo.png")
        await page.keyboard.press("Enter")
        await expect(newest(page)).to_contain_text("Remixed photo.png")


async def test_two_pictures_fill_two_options_and_neither_is_offered_again(stage: Stage) -> None:
    async with stage.member() as page:
        await write(page, "/remix ")
        for count in (1, 2):
            await paste_file(page, stage.photo)
            await expect(page.locator(".chip-filename")).to_have_count(count)
        await expect(page.locator(".suggestion", has_text="strength")).to_be_visible()
        await expect(page.locator(".suggestion", has_text="mask")).to_have_count(0)
        await page.keyboard.press("Enter")
        await expect(newest(page)).to_contain_text("through photo.png")


async def test_a_dropped_picture_fills_the_option_of_the_open_command(stage: Stage) -> None:
    async with stage.member() as page:
        await write(page, "/remix ")
        await drop_file(page, stage.photo, "#log-scroll")
        await expect(page.locator(".chip-filename")).to_have_text("photo.png")


async def test_a_sample_is_attached_by_one_press(stage: Stage) -> None:
    async with stage.member() as page:
        await page.get_by_role("button", name="Attach sample blue lake").click()
        await expect(page.locator(".staged .file-name")).to_have_text("blue-lake.jpg")
        await page.keyboard.type("Look at **this**")
        await page.keyboard.press("Enter")
        await expect(newest(page).locator("strong")).to_have_text("this")
        await expect(newest(page).locator(".picture img")).to_be_visible()


async def test_the_greeting_starts_its_command_by_a_press(stage: Stage) -> None:
    async with stage.member() as page:
        await page.locator(".message").first.get_by_role("button", name="/remix").click()
        await expect(page.locator(".command-name")).to_have_text("/remix")
        await page.keyboard.press("Escape")
        await page.keyboard.press("Escape")
        await expect(page.locator("#composer-text")).to_be_focused()


async def test_an_unknown_command_is_not_sent_as_text(stage: Stage) -> None:
    async with stage.member() as page:
        await write(page, "/nothing at all")
        await page.keyboard.press("Enter")
        await expect(page.locator(".composer-problem")).to_contain_text("no command /nothing")


async def test_a_member_chooses_a_language_and_reads_commands_in_it(stage: Stage) -> None:
    registered = stage.running.state.memory.commands[0].values()
    grow = next(command for command in registered if command["name"] == "grow")
    grow["description_localizations"] = {"zh-CN": "种点什么"}
    grow["options"][0]["name_localizations"] = {"zh-CN": "植物"}
    async with stage.member("Ben") as page:
        await page.get_by_label("Ben's language").select_option("zh-CN")
        await write(page, "/grow")
        await expect(page.get_by_role("option", name="/grow 种点什么")).to_be_visible()
        await page.keyboard.press("Tab")
        await expect(page.get_by_label("植物")).to_be_focused()
        await page.keyboard.type("fern")
        await page.keyboard.press("Enter")
        await expect(newest(page)).to_contain_text("Planted fern, loud False")
        await page.locator("#composer-text").fill("/grow 植物:moss loud:true")
        await page.keyboard.press("Enter")
        await expect(newest(page)).to_contain_text("Planted moss, loud True")
        await page.reload()
        await expect(page.get_by_label("Ben's language")).to_have_value("zh-CN")
        await page.get_by_label("Ben's language").select_option("en-US")
    async with stage.member("Ada") as page:
        await expect(page.get_by_label("Ada's language")).to_have_value("en-US")
        await write(page, "/grow")
        await expect(page.get_by_role("option", name="/grow Plant something")).to_be_visible()
