"""Again, Vary, Edit and Delete: for the owner, on the right server, in any process."""

import discord
import pytest

from bot.choices import NAME_LENGTH
from bot.composition import Bot
from bot.forms import Filled, PictureForm
from bot.presets import Preset
from bot.prompts import MAX_PROMPT
from bot.texts import Voice, load_texts
from tests.bot.members import job_of, labels, text_of
from tests.bot.stage import Stage, rows


async def test_again_makes_the_picture_anew_with_another_seed(stage: Stage) -> None:
    bot = await stage.start()
    await stage.ada.remix("night", seed=5, strength=0.3)
    first = await stage.ada.result()
    await stage.ada.press(first, "Again")
    second = (await stage.ada.results(2))[1]
    job = await bot.stores.jobs.get(job_of(second))
    assert job.parent_id == job_of(first)
    assert job.seed != 5
    assert "strength 0.3" in text_of(second)
    assert "seed 5" in text_of((await stage.ada.results(2))[0])


async def test_edit_opens_a_form_with_the_words_and_orders_others(stage: Stage) -> None:
    await stage.start()
    await stage.ada.remix("night", seed=5, strength=0.3)
    await stage.ada.press(await stage.ada.result(), "Edit")
    form = str(await stage.ada.event("MODAL"))
    assert "night" in form
    assert "0.3" in form
    await stage.ada.fill(prompt="fog", strength="0.9")
    second = (await stage.ada.results(2))[1]
    assert "**Remix** · fog" in text_of(second)
    assert "seed 5 · strength 0.9" in text_of(second)


async def test_edit_of_a_styled_picture_asks_for_the_strength_alone(stage: Stage) -> None:
    await stage.start()
    image = await stage.ada.upload()
    await stage.ada.command("style", None, image=image, preset="wave")
    await stage.ada.press(await stage.ada.result(), "Edit")
    assert "'prompt'" not in str((await stage.ada.event("MODAL"))["components"])
    await stage.ada.fill(strength="1")
    assert "strength 1" in text_of((await stage.ada.results(2))[1])


@pytest.mark.parametrize("length", [5, MAX_PROMPT + 90])
async def test_a_form_opens_with_words_of_any_length(length: int) -> None:
    form = PictureForm(
        Voice(load_texts()), title="Edit", custom_id="edit", submit=no_submit,
        prompt="x" * length, strength=0.5,
    )  # fmt: skip
    [field] = [
        part for part in form.walk_children() if getattr(part, "default", "") == "x" * length
    ]
    assert isinstance(field, discord.ui.TextInput)
    assert field.max_length == max(MAX_PROMPT, length)


async def test_delete_removes_the_message_and_the_file(stage: Stage) -> None:
    bot = await stage.start()
    await stage.ada.remix("night")
    message = await stage.ada.result()
    job = await bot.stores.jobs.get(job_of(message))
    assert job.output is not None
    path = bot.settings.files_folder / job.output.place
    assert path.exists()
    await stage.ada.press(message, "Delete")
    await stage.ada.gone(message)
    assert not path.exists()
    assert (await bot.stores.jobs.get(job.id)).deleted_at is not None


@pytest.mark.parametrize("label", ["Again", "Vary", "Edit", "Details", "Delete"])
async def test_s2_another_member_is_refused_and_nobody_else_sees_it(
    stage: Stage, label: str
) -> None:
    bot = await stage.start()
    await stage.ada.remix("night")
    message = await stage.ada.result()
    await stage.ben.press(message, label)
    refusal = await stage.ben.text("That picture is somebody else's")
    assert refusal["ephemeral_for"] == stage.ben.id
    assert all("somebody else" not in text_of(seen) for seen in await stage.ada.messages())
    assert len(await stage.ada.results(1)) == 1
    assert rows(bot, "SELECT count(*) FROM jobs") == [(1,)]


async def test_s2_another_member_cannot_stop_a_job(stage: Stage) -> None:
    bot = await stage.start()
    await stage.ada.remix("endless night")
    await stage.ben.press(await stage.ben.text("step"), "Stop")
    await stage.ben.text("That picture is somebody else's")
    assert len(await bot.stores.jobs.unfinished()) == 1


async def test_whoever_may_manage_messages_deletes_but_does_not_order(stage: Stage) -> None:
    await stage.start()
    await stage.ada.remix("night")
    message = await stage.ada.result()
    await stage.cleo.press(message, "Again")
    await stage.cleo.text("That picture is somebody else's")
    await stage.cleo.press(message, "Delete")
    await stage.ada.gone(message)


async def test_the_buttons_work_after_a_restart(stage: Stage) -> None:
    async with stage.running():
        await stage.ada.remix("night", seed=9)
        message = await stage.ada.result()
    async with stage.running():
        await stage.ada.press(message, "Again")
        await stage.ada.results(2)
        await stage.ben.press(message, "Delete")
        await stage.ben.text("That picture is somebody else's")
        await stage.ada.press(message, "Edit")
        await stage.ada.fill(prompt="fog", strength="0.5")
        third = (await stage.ada.results(3))[2]
        assert "seed 9 · strength 0.5" in text_of(third)
        await stage.ada.press(message, "Vary")
        await stage.ada.results(4)
        await stage.ada.press(message, "Delete")
        await stage.ada.gone(message)


@pytest.mark.slow
async def test_a_form_of_an_earlier_process_is_answered_too(stage: Stage) -> None:
    async with stage.running():
        await stage.ada.remix("night")
        await stage.ada.press(await stage.ada.result(), "Edit")
        await stage.ada.event("MODAL")
    async with stage.running():
        answer = await stage.ada.fill(prompt="fog", strength="0.5")
        assert answer["status"] == 200
        await stage.ada.text("This form was opened before I was restarted")


async def test_s3_a_job_of_another_server_is_not_known_here(stage: Stage) -> None:
    bot = await stage.start()
    await stage.ada.remix("night")
    message = await stage.ada.result()
    move_to_another_guild(bot, job_of(message))
    for label in ("Again", "Vary", "Edit", "Details", "Delete"):
        await stage.ada.press(message, label)
    await stage.ada.until(lambda seen: "I don't know that picture here" in text_of(seen), count=5)
    assert labels(message) == ["Again", "Vary", "Edit", "Details", "Delete"]


@pytest.mark.slow
async def test_again_after_the_quota_is_used_up_is_refused(stage: Stage) -> None:
    async with stage.running():
        await stage.ada.remix("night")
        message = await stage.ada.result()
    async with stage.running(quota_device_s=0.001):
        await stage.ada.press(message, "Again")
        await stage.ada.text("Your device time is used up")


@pytest.mark.slow
async def test_again_makes_no_more_pictures_than_are_allowed_by_now(stage: Stage) -> None:
    async with stage.running():
        await stage.ada.remix("night", count=2)
        message = await stage.ada.result()
    async with stage.running(max_pictures=1) as bot:
        await stage.ada.press(message, "Again")
        await stage.ada.press(message, "Edit")
        refused = await stage.ada.until(lambda it: "pictures at once" in text_of(it), count=2)
        assert {it["ephemeral_for"] for it in refused} == {stage.ada.id}
        assert rows(bot, "SELECT count(*) FROM jobs") == [(1,)]


async def test_a_preset_of_any_name_can_be_chosen_in_a_form() -> None:
    named = [Preset(name=name, prompt="ink") for name in ("-", "-" * NAME_LENGTH)]
    form = PictureForm(
        Voice(load_texts()), title="Remix", custom_id="remix", submit=no_submit,
        prompt="", strength=0.5, presets=named,
    )  # fmt: skip
    [options] = [
        part.options for part in form.walk_children() if isinstance(part, discord.ui.Select)
    ]
    assert len({option.value for option in options}) == 3
    assert all(len(option.value) <= 100 for option in options)


async def no_submit(interaction: discord.Interaction, filled: Filled) -> None:
    """Do nothing with a form."""


def move_to_another_guild(bot: Bot, job_id: str) -> None:
    """Pretend that a job was asked for on another server."""
    rows(
        bot,
        "INSERT INTO guilds (id, first_seen_at) SELECT 99, first_seen_at FROM guilds LIMIT 1",
        "INSERT INTO members SELECT 99, member_id, first_seen_at FROM members",
        f"UPDATE jobs SET guild_id = 99 WHERE id = '{job_id}'",
    )
