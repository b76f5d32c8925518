"""/imagine: pictures from words alone, one or several, or a sentence that says what is wanting."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from bot import variations
from bot.composition import Bot
from bot.controls import VaryButton
from bot.making import together
from bot.replies import Caption, result_page
from bot.texts import Voice, load_texts
from generation import request
from generation.request import MAX_SEED, Pixels, Progress
from storage.quotas import Balance
from tests.bot.checkpoints import painter
from tests.bot.members import Message, job_of, labels, text_of
from tests.bot.stage import Stage, rows
from tests.bot.test_faults import ORIGINAL
from tests.bot.test_restart import as_if_killed_while_running


@pytest.fixture
def painters(stage: Stage) -> Path:
    """Return the models folder, in which one lies that paints."""
    return painter(stage.folder / "data" / "models" / "mine").parent


async def balance(stage: Stage, bot: Bot) -> Balance:
    assert await bot.stores.quotas.audit() == []
    return await bot.stores.quotas.balance(
        guild_id=int(stage.guild_id), member_id=int(stage.ada.id)
    )


async def colours(stage: Stage, message: Message) -> list[tuple[int, ...]]:
    """Return the colours of a message's pictures, which the shade pipeline gives their seeds."""
    found = []
    for attachment in message["attachments"]:
        with Image.open(BytesIO(await stage.ada.fetch(attachment["url"]))) as picture:
            colour = picture.getpixel((0, 0))
            assert isinstance(colour, tuple)
            found.append(colour)
    return found


async def test_without_a_model_that_paints_it_says_so_and_nothing_is_queued(stage: Stage) -> None:
    bot = await stage.start()
    await stage.ada.command("imagine", None, prompt="a castle")
    said = text_of(await stage.ada.text("No model that is installed here paints anything new"))
    assert "Stable Diffusion 1.x, Stable Diffusion 2.x, SD-Turbo" in said
    assert "FLUX.1 dev" in said
    assert not any(kind in said for kind in ("Kontext", "refiner", "Qwen"))
    assert "`python -m bot models pull stabilityai/sd-turbo`" in said
    answer = await stage.ada.interact(
        kind="autocomplete", name="imagine", focused="model", options={"model": ""}
    )
    assert answer["choices"] == []
    assert rows(bot, "SELECT count(*) FROM jobs") == [(0,)]


async def test_what_a_model_or_the_bot_cannot_do_is_refused_before_it_is_queued(
    stage: Stage, painters: Path
) -> None:
    bot = await stage.start(max_pictures=2)
    for options, said in (
        ({"model": "remix"}, "The model remix changes what is in a picture and paints nothing new"),
        ({"model": "absent"}, "There is no model absent here."),
        ({"size": "9:1"}, "9:1 is no size that I can make"),
        ({"size": "32x512"}, "sides of 64 to 1024 pixels"),
        ({"size": "2048x512"}, "2048x512 is no size"),
        ({"size": "<@1> big"}, r"\<@1> big is no size that I can make"),
        ({"prompt": "\u200b\u200b"}, "Please say in words what is to be seen"),
        ({"count": 3}, "I make 2 pictures at once here at most."),
        ({"prompt": "night (fog:9)"}, "I cannot follow that prompt: words weigh 0 to 2"),
    ):
        await stage.ada.command("imagine", None, **{"prompt": "a castle", **options})
        await stage.ada.text(said)
    assert rows(bot, "SELECT count(*) FROM jobs") == [(0,)]
    assert (await balance(stage, bot)).used_ms == 0
    typing = {"kind": "autocomplete", "name": "imagine"}
    answer = await stage.ada.interact(focused="model", options={"model": ""}, **typing)
    assert [choice["value"] for choice in answer["choices"]] == ["mine"]
    answer = await stage.ada.interact(focused="size", options={"size": "land"}, **typing)
    assert [choice["value"] for choice in answer["choices"]] == ["3:2", "4:3"]


async def test_several_pictures_come_in_one_reply_and_each_can_be_varied(
    stage: Stage, painters: Path
) -> None:
    bot = await stage.start()
    options = {"prompt": "a castle", "negative": "fog", "size": "3:2", "steps": 9, "guidance": 4}
    options["scheduler"] = "euler_ancestral"
    await stage.ada.command("imagine", None, seed=MAX_SEED, count=3, **options)
    message = await stage.ada.result()
    said = text_of(message)
    assert "**Imagine** · a castle" in said
    assert f"mine · seeds {MAX_SEED}, 0, 1 · 96 x 64 · 9 steps · " in said
    assert " · 9 steps · scheduler Euler ancestral · guidance 4 · " in said
    assert "strength" not in said
    assert labels(message) == ["Vary 1", "Vary 2", "Vary 3", "Again", "Edit", "Details", "Delete"]
    assert [colour[0] for colour in await colours(stage, message)] == [255, 0, 1]
    job = await bot.stores.jobs.get(job_of(message))
    assert (job.inputs, job.command, list(job.outputs)) == ({}, "imagine", [0, 1, 2])
    assert job.parameters is not None
    assert job.parameters["negative_prompt"] == "fog"
    spent = await balance(stage, bot)
    assert (spent.used_ms, spent.reserved_ms) == (job.device_ms, 0)
    await stage.ada.press(message, "Vary 3")
    varied = await bot.stores.jobs.get(job_of((await stage.ada.results(2))[1]))
    assert (varied.command, varied.image, varied.model) == ("vary", job.outputs[2], "mine")
    await stage.ada.press(message, "Edit")
    form = await stage.ada.event("MODAL")
    assert "'strength'" not in str(form["components"])
    await stage.ada.fill(prompt="a tower")
    edited = (await stage.ada.results(3))[2]
    assert "**Imagine** · a tower" in text_of(edited)
    assert f"seeds {MAX_SEED}, 0, 1" in text_of(edited)
    await stage.ada.press(message, "Delete")
    await stage.ada.gone(message)
    assert not any(
        (bot.settings.files_folder / job.outputs[number].place).exists() for number in (0, 1)
    )


async def test_as_many_pictures_as_discord_takes_come_in_one_message_smaller_if_they_must(
    stage: Stage, painters: Path
) -> None:
    bot = await stage.start(max_pictures=10)
    stage.order(method="PATCH", route=ORIGINAL, kind="status", status=413, code=40005, times=2)
    await stage.ada.command("imagine", None, prompt="a castle", seed=5, count=10)
    message = await stage.ada.result()
    assert len(message["attachments"]) == 10
    assert len({it["filename"] for it in message["attachments"]}) == 10
    assert "seeds 5 \u2026 14" in text_of(message)
    assert labels(message)[:10] == [f"Vary {number}" for number in range(1, 11)]
    await stage.settled(bot)
    patches = [it for it in stage.requests("PATCH", ORIGINAL) if it.status == 413]
    assert len(patches) == 2


async def test_a_picture_larger_than_its_model_paints_is_said_to_be_enlarged(
    stage: Stage, painters: Path
) -> None:
    await stage.start()
    said = "The model paints at 96 x 64; the picture was enlarged"
    await stage.ada.command("imagine", None, prompt="a castle", size="3:2")
    assert "enlarged" not in text_of(await stage.ada.result())
    await stage.ada.command("imagine", None, prompt="a castle", size="384 x 256")
    message = (await stage.ada.results(2))[1]
    assert said in text_of(message)
    await stage.ada.press(message, "Again")
    assert text_of((await stage.ada.results(3))[2]).count(said) == 1


async def test_of_several_pictures_only_those_that_were_made_are_charged(
    stage: Stage, painters: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = await stage.start()
    # The words come along to the variation, which an odd seed would fail.
    monkeypatch.setattr(variations, "any_seed", lambda: 8)
    await stage.ada.command("imagine", None, prompt="odd castle", seed=4, count=4)
    message = await stage.ada.result()
    assert "seeds 4, 6 · " in text_of(message)
    assert "2 failed: That cannot be done" in text_of(message)
    assert "Nothing was charged for what failed." in text_of(message)
    assert labels(message)[:2] == ["Vary 1", "Vary 3"]
    assert [colour[0] for colour in await colours(stage, message)] == [4, 6]
    job = await bot.stores.jobs.get(job_of(message))
    spent = await balance(stage, bot)
    assert (spent.used_ms, spent.reserved_ms) == (job.device_ms, 0)
    assert spent.used_ms < job.reserve_ms
    await stage.ada.command("imagine", None, prompt="odd castle", seed=5, count=2)
    only = (await stage.ada.results(2))[1]
    assert labels(only) == ["Again", "Vary 2", "Edit", "Details", "Delete"]
    await stage.ada.press(only, "Vary 2")
    varied = await bot.stores.jobs.get(job_of((await stage.ada.results(3))[2]))
    assert varied.image == (await bot.stores.jobs.get(job_of(only))).outputs[1]
    spent = await balance(stage, bot)
    await stage.ada.command("imagine", None, prompt="refuse", count=3)
    assert labels(await stage.ada.text("Nothing was charged.")) == ["Try again"]
    assert (await balance(stage, bot)).used_ms == spent.used_ms


async def test_several_pictures_need_the_quota_of_all_and_stopping_them_costs_nothing(
    stage: Stage, painters: Path
) -> None:
    bot = await stage.start(quota_device_s=0.16)
    await stage.ada.command("imagine", None, prompt="endless castle", count=4)
    await stage.ada.text("Your device time is used up")
    await stage.ada.command("imagine", None, prompt="endless castle", count=2)
    message = await stage.ada.text("of 1200")
    await stage.ada.press(message, "Stop")
    await stage.ada.text("Stopped.")
    spent = await balance(stage, bot)
    assert (spent.used_ms, spent.reserved_ms) == (0, 0)
    assert rows(bot, "SELECT count(*) FROM outputs") == [(0,)]


@pytest.mark.slow
async def test_pictures_from_words_that_a_kill_interrupted_are_made_again_to_the_byte(
    stage: Stage, painters: Path
) -> None:
    async with stage.running() as bot:
        await stage.ada.command("imagine", None, prompt="a castle", seed=4, count=2)
        message = await stage.ada.result()
        await stage.settled(bot)
        before = (await bot.stores.jobs.get(job_of(message))).outputs
        rows(bot, *as_if_killed_while_running(job_of(message)))
    bot = await stage.start()
    await stage.settled(bot)
    job = await bot.stores.jobs.get(job_of(message))
    assert (job.attempt, job.outputs) == (2, before)
    assert len(before) == 2


@pytest.mark.parametrize("count", [1, 2, 5, 6, 10])
async def test_every_one_of_several_pictures_has_its_button(count: int) -> None:
    page = result_page(
        Voice(load_texts()),
        Caption(job_id="0" * 32, title="Imagine", subject="a castle"),
        pictures={number: f"{number}.png" for number in range(count)},
        details="",
    )
    found = [it.custom_id for it in page.walk_children() if isinstance(it, VaryButton)]
    numbers = [""] if count == 1 else [f":{number}" for number in range(count)]
    assert found == [f"atelier:vary:{'0' * 32}{number}" for number in numbers]
    assert page.total_children_count <= 40


def test_the_progress_of_several_pictures_is_told_as_one() -> None:
    running = Progress(job_id="a", stage=request.Stage.RUNNING, step=3, total_steps=4, eta_s=2.0)
    waiting = Progress(job_id="b", stage=request.Stage.QUEUED, position=5, eta_s=9.0)
    ready = Progress(job_id="c", stage=request.Stage.FINISHING, total_steps=4)
    assert together({0: running}, newest=running, count=1) is running
    whole = together({0: running, 1: waiting, 2: ready}, newest=ready, count=3)
    assert (whole.stage, whole.step, whole.total_steps) == (request.Stage.RUNNING, 7, 12)
    assert whole.eta_s == 9.0
    small = [Pixels(width=1, height=1, data=bytes([level] * 3)) for level in (1, 2)]
    seen = {1: replace(running, preview=small[1]), 0: replace(running, preview=small[0])}
    assert together(seen, newest=seen[1], count=2).preview == small[0]
    both = {0: waiting, 1: waiting}
    assert together(both, newest=waiting, count=2).stage is request.Stage.QUEUED
    assert together(both, newest=waiting, count=2).position == 5
    assert together({0: ready, 1: ready}, newest=ready, count=2).stage is request.Stage.FINISHING
