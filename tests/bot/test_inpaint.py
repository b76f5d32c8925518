"""/inpaint: masks from an attachment or from what is transparent, kept with the job."""

from datetime import timedelta
from io import BytesIO

import pytest
from PIL import Image, ImageDraw

from storage.files import StoredFile
from tests.bot.members import job_of, text_of
from tests.bot.pictures import photo
from tests.bot.stage import Stage, rows

WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def holed(*, size: tuple[int, int] = (96, 64)) -> bytes:
    """Return a PNG that is transparent in its middle."""
    image = Image.new("RGBA", size, (90, 140, 200, 255))
    ImageDraw.Draw(image).rectangle((30, 20, 60, 40), fill=(0, 0, 0, 0))
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


async def test_what_cannot_be_a_mask_is_refused_with_a_sentence_and_nothing_is_queued(
    stage: Stage,
) -> None:
    bot = await stage.start(max_pictures=2)
    whole = await stage.ada.upload()
    for options, said in (
        ({}, "Please say where to paint: attach a mask"),
        ({"mask": await stage.ada.upload(photo(colour=BLACK))}, "no part of the mask is white"),
        ({"mask": await stage.ada.upload(b"not a picture")}, "that file is something else"),
        ({"mask": whole, "count": 5}, "I make 2 pictures at once here at most."),
        ({"mask": whole, "model": "absent"}, "There is no model absent here."),
        ({"mask": whole, "model": "remix", "prompt": "(night:9)"}, "words weigh 0 to 2"),
    ):
        filled = {"image": whole, "prompt": "night", **options}
        await stage.ada.command("inpaint", None, **filled)
        await stage.ada.text(said)
    assert rows(bot, "SELECT count(*) FROM jobs") == [(0,)]


@pytest.mark.slow
async def test_masks_are_kept_with_the_job_and_members_hear_of_odd_ones(stage: Stage) -> None:
    bot = await stage.start()
    image = await stage.ada.upload()
    masks = [
        await stage.ada.upload(photo(size=size, colour=WHITE)) for size in ((96, 64), (64, 64))
    ]
    await stage.ada.command("inpaint", None, image=image, mask=masks[0], prompt="night", seed=4)
    message = await stage.ada.result()
    assert "**Inpaint** · night" in text_of(message)
    assert "seed 4 · strength 1 · " in text_of(message)
    assert "The mask covers the whole picture" in text_of(message)
    assert "another shape" not in text_of(message)
    job = await bot.stores.jobs.get(job_of(message))
    assert list(job.inputs) == ["image", "mask"]
    await stage.ada.press(message, "Edit")
    await stage.ada.fill(prompt="fog", strength="0.5")
    edited = await bot.stores.jobs.get(job_of((await stage.ada.results(2))[1]))
    assert (edited.inputs, edited.prompt, edited.command) == (job.inputs, "fog", "inpaint")
    await stage.ada.command("inpaint", None, image=image, mask=masks[1], prompt="night")
    assert "another shape than the picture" in text_of((await stage.ada.results(3))[2])
    await stage.ada.command(
        "inpaint", None, image=await stage.ada.upload(holed()), prompt="night", count=2, seed=0
    )
    message = (await stage.ada.results(4))[3]
    assert len(message["attachments"]) == 2
    assert "mask" not in text_of(message)
    for seed, attachment in enumerate(message["attachments"]):
        with Image.open(BytesIO(await stage.ada.fetch(attachment["url"]))) as picture:
            assert picture.getpixel((5, 5)) == (90, 140, 200)
            assert picture.getpixel((45, 30)) == (seed, len("night"), 255)
    open_job = await bot.stores.jobs.get(job_of(message))
    await stage.ada.press(message, "Delete")
    await stage.ada.gone(message)
    mask = open_job.inputs["mask"]
    assert kept(stage, mask)
    rows(bot, "UPDATE jobs SET finished_at = datetime(finished_at, '-40 days')")
    await bot.stores.retention.purge(older_than=timedelta(days=30))
    assert rows(bot, "SELECT count(*) FROM inputs") == [(0,)]


def kept(stage: Stage, file: StoredFile) -> bool:
    return (stage.folder / "data" / "files" / file.place).exists()
