"""Take the README's pictures of the demo: `python -m tests.screenshots docs/images`."""

import argparse
import asyncio
import tempfile
from pathlib import Path

from PIL import Image
from playwright.async_api import Page, expect

from tests.browser import PHONE, launched, opened
from tests.demo import ROOT, running_demo

SIZE = (1280, 900)
PATIENCE_MS = 120_000
SAMPLES = ROOT / "generation" / "starter" / "samples"


async def become(page: Page, name: str) -> None:
    """Act as a member."""
    await page.get_by_role("radio", name=f"Act as {name}").click()
    await expect(page.locator(".message").first).to_be_visible()


async def send(page: Page, text: str, *, sample: str | None = None) -> None:
    """Attach a sample, write a command and send it."""
    await page.locator("#composer-text").click()
    await page.keyboard.type(f"{text} ")
    await expect(page.locator(".command-form")).to_be_visible()
    if sample is not None:
        await page.get_by_role("button", name=f"Attach sample {sample}").click()
        await expect(page.locator(".chip-filename")).to_contain_text(sample)
    await page.keyboard.press("Enter")
    await expect(page.locator(".command-form")).to_have_count(0)


async def result(page: Page) -> None:
    """Wait until the newest message is a finished picture that has been loaded."""
    newest = page.locator(".message").last
    await expect(newest.get_by_role("button", name="Again")).to_be_visible(timeout=PATIENCE_MS)
    await page.wait_for_function("[...document.images].every((image) => image.complete)")
    await page.wait_for_timeout(500)


async def picture(page: Page, path: Path) -> None:
    """Take a screenshot, and keep it small."""
    raw = await page.screenshot()
    await asyncio.to_thread(path.write_bytes, raw)
    await asyncio.to_thread(shrink, path)


def shrink(path: Path) -> None:
    """Save a screenshot as a JPEG beside it, and remove it."""
    with Image.open(path) as image:
        image.convert("RGB").save(path.with_suffix(".jpg"), quality=88, optimize=True)
    path.unlink()


async def take(folder: Path) -> None:
    """Use the demo as a newcomer does, and take a picture at each station."""
    with tempfile.TemporaryDirectory() as data:
        async with running_demo(Path(data)) as demo, launched() as chromium:
            async with opened(chromium, demo.page, size=SIZE) as page:
                await become(page, "Ada")
                await page.wait_for_timeout(500)
                await picture(page, folder / "welcome.png")
                await send(page, "/remix preset:snow", sample="lake")
                await result(page)
                await picture(page, folder / "remix.png")
                await send(page, "/remix prompt:night", sample="street")
                await result(page)
                await picture(page, folder / "night.png")
                await become(page, "Ben")
                await send(page, "/style preset:wave", sample="lake")
                await result(page)
                await picture(page, folder / "style.png")
                await become(page, "Cleo")
                await send(page, "/usage report")
                newest = page.locator(".message").last
                await expect(newest.locator("img").first).to_be_visible(timeout=PATIENCE_MS)
                await page.wait_for_timeout(800)
                await picture(page, folder / "report.png")
            async with opened(chromium, demo.page, size=PHONE, touch=True) as page:
                await page.wait_for_timeout(1000)
                await picture(page, folder / "phone.png")


def main() -> None:
    """Read the folder's name and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(take(folder))


if __name__ == "__main__":
    main()
