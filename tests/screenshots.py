"""Take the README's pictures of the demo: `python -m tests.screenshots docs/images`."""

import argparse
import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path
from random import Random

from PIL import Image
from playwright.async_api import Page, expect
from sqlalchemy import select

from storage.clock import utc_now
from storage.tables import JobRow
from tests.browser import PHONE, launched, opened
from tests.demo import ROOT, running_demo
from tests.storage.stores import Stores, open_stores

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


async def result(page: Page, number: int) -> None:
    """Wait until there are so many finished pictures, and all have been loaded."""
    again = page.get_by_role("button", name="Again")
    await expect(again).to_have_count(number, timeout=PATIENCE_MS)
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
                await result(page, 1)
                await picture(page, folder / "remix.png")
                await send(page, "/remix prompt:night", sample="street")
                await result(page, 2)
                await picture(page, folder / "night.png")
                await become(page, "Ben")
                await send(page, "/style preset:wave", sample="lake")
                await result(page, 3)
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
        await live_through(Path(data) / "demo")
        async with (
            running_demo(Path(data), ATELIER_HOUR_PRICE="2.4") as demo,
            launched() as chromium,
            opened(chromium, demo.admin_page, size=(1280, 985)) as page,
        ):
            await page.get_by_role("link", name="30 days").click()
            await page.wait_for_timeout(500)
            await picture(page, folder / "admin.png")


async def live_through(folder: Path) -> None:
    """Have the members of the demo, which does not run, ask for pictures for two months."""
    rng = Random(7)
    stores = open_stores(f"sqlite:///{folder / 'atelier.sqlite3'}", folder)
    stores.default_ms = 10**7
    people = select(JobRow.guild_id, JobRow.channel_id, JobRow.member_id).distinct()
    asking = await stores.database.read(lambda session: session.execute(people).all())
    begun = utc_now().replace(hour=9, minute=0) - timedelta(days=60)
    for day in range(60):
        for number in range(rng.randint(4, 8) + day // 6):
            stores.clock.now = begun + timedelta(days=day, minutes=10 * number)
            guild_id, channel_id, member_id = rng.choices(asking, range(1, len(asking) + 1))[0]
            await ask(stores, rng, guild_id=guild_id, channel_id=channel_id, member_id=member_id)
    await stores.database.close()


async def ask(stores: Stores, rng: Random, **who: int) -> None:
    """Have a picture made, or try to, with a wait and a run."""
    pipeline = rng.choices(("remix", "collage", "hybrid", "watercolour"), (8, 4, 2, 1))[0]
    job = await stores.accept(**who, pipeline=pipeline, model=pipeline, inputs={}, reserve_ms=9_000)
    stores.clock.advance(seconds=rng.expovariate(2))
    claimed = await stores.jobs.claim_job(job.id, owner="demo", lease_s=60)
    assert claimed is not None
    taken_s = rng.uniform(0.5, 4)
    stores.clock.advance(seconds=taken_s)
    if rng.random() < 0.06:
        await stores.jobs.fail(
            job.id, owner="demo", attempt=claimed.attempt, error="OutOfMemoryError"
        )
        return
    output = await stores.files.put(rng.randbytes(200_000), media_type="image/png")
    await stores.jobs.settle(
        job.id,
        owner="demo",
        attempt=claimed.attempt,
        outputs={0: output},
        device_ms=int(taken_s * 1000),
    )


def main() -> None:
    """Read the folder's name and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(take(folder))


if __name__ == "__main__":
    main()
