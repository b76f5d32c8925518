"""The page with a real sandbox and a real bot behind it, and the hands of a member."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import Browser, Locator, Page, expect

from sandbox.server import SandboxConfig
from tests.browser import DESKTOP, opened
from tests.sandbox.clients import connected
from tests.sandbox.fixtures import RunningSandbox
from tests.sandbox.page_bot import PageBot

GREETING = "# Hello\nTry </remix:0> with a picture.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What a test of the page plays on."""

    chromium: Browser
    running: RunningSandbox
    bot: PageBot
    photo: Path

    @asynccontextmanager
    async def member(
        self, name: str = "Ada", *, size: tuple[int, int] = DESKTOP, touch: bool = False
    ) -> AsyncIterator[Page]:
        """Open the page as a member."""
        address = self.running.details["page"]
        async with opened(self.chromium, address, size=size, touch=touch) as page:
            await page.get_by_role("radio", name=f"Act as {name}").click()
            await expect(page.locator(".message").first).to_be_visible()
            yield page


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    """One sandbox, one bot and one browser for all tests of a module."""
    folder = tmp_path_factory.mktemp("page")
    samples = folder / "samples"
    samples.mkdir()
    Image.new("RGB", (320, 240), (40, 90, 140)).save(samples / "blue-lake.jpg")
    photo = folder / "photo.png"
    Image.new("RGB", (300, 200), (200, 120, 60)).save(photo)
    welcome = folder / "welcome.md"
    welcome.write_text(GREETING)
    running = RunningSandbox(
        SandboxConfig(samples_folder=samples, welcome=welcome, bot_name="Painter"), oracle=None
    )
    running.start()
    try:
        async with connected(PageBot(), running.details) as bot:
            assert isinstance(bot, PageBot)
            yield Stage(chromium=chromium, running=running, bot=bot, photo=photo)
    finally:
        running.close()


async def write(page: Page, text: str) -> None:
    """Type into the message box, as fingers do."""
    await page.locator("#composer-text").click()
    await page.keyboard.type(text)


async def run(page: Page, command: str) -> None:
    """Type a command and send it once the page has understood it."""
    await write(page, f"{command} ")
    await expect(page.locator(".command-form")).to_be_visible()
    await page.keyboard.press("Enter")
    await expect(page.locator(".command-form")).to_have_count(0)


def newest(page: Page) -> Locator:
    """Return the newest message."""
    return page.locator(".message").last


async def scroll_back(page: Page, *, pixels: int) -> float:
    """Turn the wheel over the messages, and return where they come to rest."""
    log = page.locator("#log-scroll")
    start = await log.evaluate("node => node.scrollTop")
    await page.mouse.move(600, 300)
    await page.mouse.wheel(0, -pixels)
    before, now = start, start
    while now == start or now != before:
        await asyncio.sleep(0.1)
        before, now = now, await log.evaluate("node => node.scrollTop")
    return float(now)
