"""/style with an artwork of one's own, or with one that ships."""

from dataclasses import replace

import pytest

from bot.actions import order_of
from bot.job_pictures import JobPictures
from bot.orders import Parameters
from generation.registry import PipelineSpec
from generation.request import Manner
from tests.bot.members import job_of, text_of
from tests.bot.pictures import photo
from tests.bot.pipelines import PIPELINES
from tests.bot.stage import Stage, rows


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


def gatys() -> dict[str, PipelineSpec]:
    """Return a tiny pipeline beside the usual ones that knows all that is asked of styles."""
    return {"gatys": replace(PIPELINES["collage"], mixes=True, weighs=True)}


async def test_the_pictures_decide_unless_a_method_is_named_and_details_name_it(
    stage: Stage,
) -> None:
    bot = await stage.start(beside=gatys())
    image = await stage.ada.upload()
    await stage.ada.command("style", None, image=image, preset="woodcut")
    message = await stage.ada.result()
    job = await bot.stores.jobs.get(job_of(message))
    assert (job.pipeline, Parameters.of_job(job).chosen) == ("collage", "lines")
    await stage.ada.press(message, "Details")
    await stage.ada.text("chosen for the artwork's fine lines")
    await stage.ada.press(message, "Again")
    await stage.ada.until(lambda it: "**Style**" in text_of(it) and it["attachments"], count=2)
    jobs = [await bot.stores.jobs.get(str(each)) for (each,) in rows(bot, "SELECT id FROM jobs")]
    assert {each.pipeline for each in jobs} == {"collage"}


@pytest.mark.slow
async def test_artworks_are_mixed_and_weighed_by_a_method_that_can(stage: Stage) -> None:
    bot = await stage.start(beside=gatys())
    image, second = await stage.ada.upload(), await stage.ada.upload(photo(colour=(200, 40, 40)))
    given = {"preset": "wave", "artwork2": second, "mix": 0.3, "keep_colours": True}
    await stage.ada.command("style", None, image=image, **given, style_weight=2.5)
    message = await stage.ada.result()
    job = await bot.stores.jobs.get(job_of(message))
    assert job.pipeline == "gatys"
    assert {"image", "style_image", "style_image2"} == set(job.inputs)
    assert order_of(job).manner == Manner(style_weight=2.5, keep_colours=True, weight=0.7)
    pictures = JobPictures(files=bot.stores.files, codecs=bot.workers.codecs, metrics=bot.metrics)
    [request] = await pictures.requests(job)
    assert [weight for _, weight in request.artworks] == pytest.approx([0.7, 0.3])
    await stage.ada.press(message, "Details")
    await stage.ada.text("second artwork 0.3 · style weight 2.5 · own colours")


async def test_methods_are_refused_that_are_not_there_or_cannot_do_it(stage: Stage) -> None:
    await stage.start()
    image = await stage.ada.upload()
    given = {"image": image, "preset": "wave"}
    await stage.ada.command("style", None, **given, method="adain")
    await stage.ada.text("That method is not there. There are: auto, collage.")
    await stage.ada.command("style", None, **given, method="collage", style_weight=2.0)
    await stage.ada.text("No method here can do all of this.")
    await stage.ada.command("style", None, **given, mix=0.5)
    await stage.ada.text("attach a second one as well")


async def test_typing_a_method_offers_those_whose_weights_are_there(stage: Stage) -> None:
    await stage.start(beside=gatys())
    image = await stage.ada.upload()
    answer = await stage.ada.interact(
        kind="autocomplete", name="style", options={"image": image}, focused="method"
    )
    assert [each["value"] for each in answer["choices"]] == ["auto", "collage", "gatys"]
