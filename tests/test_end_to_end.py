"""The main job as a newcomer sees it: the demo's page in a browser, nothing pretended behind it.

Chromium, the sandbox, the unmodified client, the engine with the starter's weights and SQLite are
all real; a photograph goes in, and pictures come out.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urljoin

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser import opened, paste_file
from tests.demo import Demo, running_demo
from tests.photographs import photographs

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

PATIENCE_MS = 120_000


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    async with running_demo(tmp_path_factory.mktemp("demo")) as started:
        yield started


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "holiday.jpg"
    picture = photographs()["china"]
    picture.thumbnail((512, 512))
    picture.save(path, quality=92)
    return path


def newest(page: Page) -> Locator:
    return page.locator(".message").last


async def become(page: Page, name: str) -> None:
    await page.get_by_role("radio", name=f"Act as {name}").click()
    await expect(page.locator(".message").first).to_be_visible()


async def command(page: Page, text: str, *, photo: Path | None = None) -> None:
    """Write a command, paste the photo, and send it."""
    await page.locator("#composer-text").click()
    await page.keyboard.type(f"{text} ")
    await expect(page.locator(".command-form")).to_be_visible()
    if photo is not None:
        await paste_file(page, photo, media_type="image/jpeg")
        await expect(page.locator(".chip-filename")).to_have_text(photo.name)
    await page.keyboard.press("Enter")
    await expect(page.locator(".command-form")).to_have_count(0)


async def result(page: Page) -> Locator:
    """Wait until the newest message shows a finished picture."""
    await expect(newest(page).get_by_role("button", name="Again")).to_be_visible(
        timeout=PATIENCE_MS
    )
    await expect(newest(page).locator(".picture img, .gallery img").first).to_be_visible()
    return newest(page)


async def shown_picture(page: Page, message: Locator, folder: Path) -> Image.Image:
    """Fetch the picture that a message shows."""
    address = await message.locator("img[src*='atelier-']").first.get_attribute("src")
    assert address is not None
    answer = await page.request.get(urljoin(page.url, address))
    path = folder / "shown.png"
    path.write_bytes(await answer.body())
    return Image.open(path).convert("RGB")


async def test_a_newcomer_remixes_styles_and_an_admin_reads_the_report(
    demo: Demo, chromium: Browser, photo: Path, tmp_path: Path
) -> None:
    async with opened(chromium, demo.page) as page:
        await become(page, "Ada")
        await expect(newest(page)).to_contain_text("Welcome")

        await command(page, "/remix prompt:night", photo=photo)
        await expect(newest(page).get_by_role("button", name="Stop")).to_be_visible()
        night = await result(page)
        await expect(night).to_contain_text("night")
        picture = await shown_picture(page, night, tmp_path)
        with Image.open(photo) as before:
            assert picture.size == before.size
            assert np.asarray(picture).mean() < 0.7 * np.asarray(before).mean()

        await command(page, "/style preset:woodcut", photo=photo)
        await result(page)

        await newest(page).get_by_role("button", name="Again").click()
        await expect(page.locator(".message", has_text="Woodcut")).to_have_count(
            2, timeout=PATIENCE_MS
        )
        await result(page)

        await become(page, "Ben")
        await newest(page).get_by_role("button", name="Delete").click()
        await expect(newest(page)).to_contain_text("somebody else's")

        await become(page, "Ada")
        await newest(page).get_by_role("button", name="Delete").click()
        await expect(page.locator(".message", has_text="Woodcut")).to_have_count(1)

        await become(page, "Cleo")
        await command(page, "/usage report")
        await expect(newest(page)).to_contain_text("Jobs 3", timeout=PATIENCE_MS)
        await expect(newest(page)).to_contain_text("failed 0")
        await expect(newest(page).locator("img").first).to_be_visible()
        await expect(newest(page)).to_contain_text(".csv")
