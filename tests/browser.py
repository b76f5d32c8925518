"""Headless Chromium for tests, driven by Playwright's own protocol.

Tests that use these fixtures run on one event loop for the whole session, since a browser
belongs to the loop that started it: ``pytestmark = pytest.mark.asyncio(loop_scope="session")``.
"""

import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright

from tests.requirements import require

ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP = (1280, 800)
PHONE = (390, 844)
# Chromium reports every answer that is not a success; the page shows those to the member.
EXPECTED_NOISE = "Failed to load resource"
WAIT_MS = 15_000


def chromium_path() -> str | None:
    """Return where the machine keeps Chromium, or None."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


def arguments() -> list[str]:
    """Return Chromium's arguments; its sandbox refuses to run as root."""
    return [*ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """Run a headless Chromium.

    Skips the calling test when the machine has none.
    """
    path = chromium_path()
    require("chromium", available=path is not None, cure="apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, args=arguments(), timeout=60_000
        )
        try:
            yield browser
        finally:
            await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """One Chromium for the whole test session."""
    async with launched() as browser:
        yield browser


@asynccontextmanager
async def opened(
    browser: Browser, address: str, *, size: tuple[int, int] = DESKTOP, touch: bool = False
) -> AsyncIterator[Page]:
    """Open an address in a context of its own; any error on its console fails the test."""
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        has_touch=touch,
        is_mobile=touch,
        reduced_motion="reduce",
        locale="en-US",
        timezone_id="UTC",
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(WAIT_MS)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", _listener(complaints))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    # Without a listener Chromium may drop a file dialog before a test begins to expect it.
    page.on("filechooser", lambda _: None)
    try:
        await page.goto(address)
        yield page
    finally:
        await context.close()
    assert not complaints, complaints


def _listener(complaints: list[str]) -> Callable[[ConsoleMessage], None]:
    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and EXPECTED_NOISE not in message.text:
            complaints.append(f"{message.type}: {message.text}")

    return listen


async def paste_file(page: Page, path: Path, *, media_type: str = "image/png") -> None:
    """Paste a file into whatever has the focus, as the clipboard would."""
    await page.evaluate(
        """async ([bytes, name, type]) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], name, { type }));
          const event = new ClipboardEvent("paste",
            { clipboardData: data, bubbles: true, cancelable: true });
          (document.activeElement ?? document.body).dispatchEvent(event);
        }""",
        [list(path.read_bytes()), path.name, media_type],  # noqa: ASYNC240
    )


async def drop_file(page: Page, path: Path, target: str, *, media_type: str = "image/png") -> None:
    """Drop a file onto the element of a CSS selector."""
    await page.evaluate(
        """async ([bytes, name, type, target]) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], name, { type }));
          for (const step of ["dragenter", "dragover", "drop"]) {
            document.querySelector(target).dispatchEvent(
              new DragEvent(step, { dataTransfer: data, bubbles: true, cancelable: true }));
          }
        }""",
        [list(path.read_bytes()), path.name, media_type, target],  # noqa: ASYNC240
    )
