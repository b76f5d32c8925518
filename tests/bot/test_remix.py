"""/remix from the command to the picture, with the real client against the sandbox."""

from io import BytesIO
from itertools import pairwise

import pytest
from PIL import Image

from bot.presets import presets
from tests.bot.members import job_of, labels, text_of
from tests.bot.pictures import photo
from tests.bot.pipelines import STEPS
from tests.bot.stage import Stage


async def test_a_remix_comes_with_its_parameters_and_buttons(stage: Stage) -> None:
    await stage.start()
    answer = await stage.ada.remix("night", seed=42, strength=0.5)
    assert answer["status"] == 200, answer
    assert answer["acknowledged_ms"] < 3000
    message = await stage.ada.result()
    assert "seed 42" in text_of(message)
    assert "strength 0.5" in text_of(message)
    assert "**Remix** · night" in text_of(message)
    assert labels(message) == ["Again", "Vary", "Edit", "Details", "Delete"]
    data = await stage.ada.picture(message)
    with Image.open(BytesIO(data)) as result:
        assert result.size == (96, 64)
        assert result.getpixel((0, 0)) == (42, len("night"), 127)


async def test_the_message_lives_from_the_queue_over_previews_to_the_result(stage: Stage) -> None:
    await stage.start(progress_interval_s=2.0)
    await stage.ada.remix("steady night")
    await stage.ada.result()
    edits = stage.requests("PATCH", "/messages/@original")
    bodies = [str(edit.request) for edit in edits]
    assert "Yours is next" in bodies[0]
    assert any("step" in body and "preview-" in body for body in bodies[1:-1])
    assert "Again" in bodies[-1]
    gaps = [(b.at - a.at).total_seconds() for a, b in pairwise(edits)]
    assert min(gaps) >= 2.0


async def test_same_words_picture_and_seed_give_the_same_bytes(stage: Stage) -> None:
    await stage.start()
    for _ in range(2):
        await stage.ada.remix("night", seed=7)
    results = await stage.ada.results(2)
    first, second = [await stage.ada.picture(message) for message in results]
    assert first == second


async def test_a_preset_brings_its_words_and_its_strength(stage: Stage) -> None:
    await stage.start()
    await stage.ada.remix("", preset="night")
    message = await stage.ada.result()
    assert "**Remix** · Night" in text_of(message)
    assert f"strength {presets()['night'].strength:g}" in text_of(message)


@pytest.mark.slow
async def test_words_that_the_model_does_not_know_are_said_back(stage: Stage) -> None:
    await stage.start()
    await stage.ada.remix("zebra at night")
    assert "I could not do anything with: zebra." in text_of(await stage.ada.result())


async def test_neither_words_nor_a_preset_is_refused_without_a_job(stage: Stage) -> None:
    bot = await stage.start()
    await stage.ada.remix("")
    await stage.ada.text("write a prompt, or choose a preset")
    assert await bot.stores.jobs.unfinished() == []


async def test_b4_what_is_no_picture_gets_a_sentence(stage: Stage) -> None:
    await stage.start()
    image = await stage.ada.upload(b"<html><script>alert(1)</script></html>", "cat.png")
    await stage.ada.remix("night", image=image)
    await stage.ada.text("that file is something else")


async def test_what_the_pipeline_settled_on_is_kept_with_the_job(stage: Stage) -> None:
    bot = await stage.start()
    await stage.ada.remix("night")
    message = await stage.ada.result()
    job = await bot.stores.jobs.get(job_of(message))
    assert job.notes["parameters"] == {"steps": str(STEPS)}


async def test_q3_a_failed_job_says_so_and_costs_nothing(stage: Stage) -> None:
    bot = await stage.start()
    await stage.ada.remix("refuse")
    message = await stage.ada.text("Nothing was charged")
    assert labels(message) == ["Try again"]
    balance = await bot.stores.quotas.balance(
        guild_id=int(stage.guild_id), member_id=int(stage.ada.id)
    )
    assert (balance.used_ms, balance.reserved_ms) == (0, 0)
    assert await bot.stores.quotas.audit() == []


async def test_a_quota_that_is_used_up_is_refused_with_its_renewal(stage: Stage) -> None:
    await stage.start(quota_device_s=0.001)
    await stage.ada.remix("night")
    message = await stage.ada.text("Your device time is used up")
    assert "<t:" in text_of(message)


async def test_the_executor_hears_whose_job_it_is(stage: Stage) -> None:
    bot = await stage.start()
    await stage.ada.remix("endless night")
    message = await stage.ada.text("step")
    [station] = bot.workers.executor._router.stations
    [job] = station.jobs.values()
    assert (job.guild, job.member) == (int(stage.guild_id), int(stage.ada.id))
    await stage.ada.press(message, "Stop")
    await stage.ada.text("Stopped.")


async def test_a_member_stops_a_job_that_runs(stage: Stage) -> None:
    bot = await stage.start()
    await stage.ada.remix("endless night")
    message = await stage.ada.text("step")
    await stage.ada.press(message, "Stop")
    await stage.ada.text("Stopped.")
    assert await bot.stores.jobs.unfinished() == []
    assert await bot.stores.quotas.audit() == []


async def test_a_member_stops_a_job_that_waits(stage: Stage) -> None:
    bot = await stage.start(parallel_jobs=1)
    await stage.ada.remix("endless night")
    await stage.ada.text("step")
    await stage.ben.remix("night")
    await stage.ben.press(await stage.ben.text("place 1"), "Stop")
    await stage.ben.text("Stopped.")
    assert len(await bot.stores.jobs.unfinished()) == 1


async def test_a_queue_that_is_too_long_is_refused_with_the_estimate(stage: Stage) -> None:
    await stage.start(max_wait_s=0.01)
    await stage.ada.remix("night")
    await stage.ada.text("The queue is too long right now: about 1 s")


async def test_the_menu_of_a_message_remixes_its_picture(stage: Stage) -> None:
    await stage.start()
    sent = await stage.ada.say("look", attachments=(await stage.ada.upload(),))
    await stage.ben.interact(kind="message", name="Remix", target_id=sent["id"])
    await stage.ben.fill(prompt="rain", preset=["snow"], strength="0,4")
    message = await stage.ben.result()
    assert "**Remix** · Snow · rain" in text_of(message)
    assert "strength 0.4" in text_of(message)


async def test_the_menu_says_when_a_message_has_no_picture(stage: Stage) -> None:
    await stage.start()
    sent = await stage.ada.say("no picture here")
    await stage.ben.interact(kind="message", name="Remix", target_id=sent["id"])
    await stage.ben.text("I find no picture in that message")


async def test_a_wrong_number_in_a_form_is_refused_with_its_range(stage: Stage) -> None:
    await stage.start()
    sent = await stage.ada.say("look", attachments=(await stage.ada.upload(),))
    await stage.ada.interact(kind="message", name="Remix", target_id=sent["id"])
    await stage.ada.fill(prompt="rain", strength="much")
    await stage.ada.text("please write a number from 0 to 1")


async def test_b6_nothing_of_the_upload_but_pixels_is_in_the_result(stage: Stage) -> None:
    await stage.start()
    buffer = BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    with Image.open(BytesIO(photo())) as picture:
        picture.save(buffer, "JPEG", exif=exif, comment=b"secret comment")
    image = await stage.ada.upload(buffer.getvalue(), "holiday.jpg")
    await stage.ada.remix("night", image=image)
    data = await stage.ada.picture(await stage.ada.result())
    assert b"secret" not in data


async def test_the_answer_in_direct_messages_works_too(stage: Stage) -> None:
    await stage.start()
    await stage.ada.go_direct()
    await stage.ada.remix("night")
    assert labels(await stage.ada.result()) == ["Again", "Vary", "Edit", "Details", "Delete"]
