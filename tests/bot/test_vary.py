"""/vary, and the button that varies a result."""

import json
import shutil

import pytest

from generation.weights import STARTER
from tests.bot.members import job_of, text_of
from tests.bot.stage import Stage


@pytest.mark.slow
async def test_an_upload_is_varied_by_an_amount_and_so_is_a_styled_picture(stage: Stage) -> None:
    bot = await stage.start()
    image = await stage.ada.upload()
    await stage.ada.command("vary", None, image=image)
    await stage.ada.command("vary", None, image=image, amount="strong")
    first, second = await stage.ada.results(2)
    assert "**Vary** \u00b7 Subtle" in text_of(first)
    assert "strength 0.35" in text_of(first)
    assert "**Vary** \u00b7 Strong" in text_of(second)
    assert "strength 0.7" in text_of(second)
    seeds = [(await bot.stores.jobs.get(job_of(message))).seed for message in (first, second)]
    assert seeds[0] != seeds[1]
    await stage.ada.command("style", None, image=image, preset="wave")
    await stage.ada.press((await stage.ada.results(3))[2], "Vary")
    await stage.ada.press((await stage.ada.results(4))[3], "Edit")
    await stage.ada.fill(prompt="fog", strength="0.5")
    assert "**Vary** \u00b7 fog" in text_of((await stage.ada.results(5))[4])


@pytest.mark.slow
async def test_a_model_of_few_words_is_given_one_that_it_knows_and_another_the_old_ones(
    stage: Stage,
) -> None:
    models = stage.folder / "data" / "models"
    shutil.copytree(STARTER / "remix", models / "mine")
    (models / "mine" / "atelier.json").write_text(json.dumps({"title": "Any words"}))
    bot = await stage.start()
    for number, model in enumerate(("remix", "mine")):
        await stage.ada.remix("night and fog", model=model)
        message = (await stage.ada.results(2 * number + 1))[-1]
        await stage.ada.press(message, "Vary")
        varied = await bot.stores.jobs.get(job_of((await stage.ada.results(2 * number + 2))[-1]))
        assert (varied.command, varied.model, varied.parent_id) == ("vary", model, job_of(message))
        words = next(entry.words for entry in bot.models.usable if entry.name == model)
        assert varied.prompt in (words or ("night and fog",))
        made = await bot.stores.jobs.get(job_of(message))
        assert varied.image == made.output
