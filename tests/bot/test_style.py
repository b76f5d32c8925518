"""/style with an artwork of one's own, or with one that ships."""

from tests.bot.members import job_of, text_of
from tests.bot.pictures import photo
from tests.bot.stage import Stage


async def test_a_preset_paints_in_the_manner_of_an_artwork_that_ships(stage: Stage) -> None:
    bot = await stage.start()
    image = await stage.ada.upload()
    await stage.ada.command("style", None, image=image, preset="wave", seed=3)
    message = await stage.ada.result()
    assert "**Style** · Great Waves" in text_of(message)
    job = await bot.stores.jobs.get(job_of(message))
    assert job.inputs.get("style_image") is not None


async def test_an_own_artwork_is_taken_and_both_or_none_are_refused(stage: Stage) -> None:
    await stage.start()
    image = await stage.ada.upload()
    artwork = await stage.ada.upload(photo(colour=(200, 40, 40)), "artwork.png")
    await stage.ada.command("style", None, image=image, artwork=artwork)
    assert "your artwork" in text_of(await stage.ada.result())
    await stage.ada.command("style", None, image=image, artwork=artwork, preset="wave")
    await stage.ada.command("style", None, image=image)
    await stage.ada.until(lambda message: "choose one artwork" in text_of(message), count=2)


async def test_typing_a_preset_offers_the_artworks_that_hold_it(stage: Stage) -> None:
    await stage.start()
    image = await stage.ada.upload()
    answer = await stage.ada.interact(
        kind="autocomplete",
        name="style",
        options={"image": image, "preset": "WAV"},
        focused="preset",
    )
    assert answer["choices"] == [{"name": "Great Waves", "value": "wave"}]


async def test_a_preset_that_was_never_offered_is_refused_with_those_there_are(
    stage: Stage,
) -> None:
    await stage.start()
    image = await stage.ada.upload()
    await stage.ada.command("style", None, image=image, preset="../../etc/passwd")
    await stage.ada.text("There is no such artwork. There are: ")
