"""Members of one server are answered in the languages that their clients speak."""

from typing import Any

import pytest

from bot.cogs.design import called, in_english
from bot.texts import Voice, load_texts
from generation.training.rooms_words import ROOM_WORDS
from generation.vaes import heard
from tests.bot.members import Member, button, labels, text_of
from tests.bot.stage import Stage

CHINESE = "zh-CN"


async def test_a_member_reads_chinese_and_another_in_the_same_channel_english(
    stage: Stage,
) -> None:
    guild_id = int(stage.guild_id)
    stage.sandbox.state.guilds[guild_id].locale = CHINESE
    bot = await stage.start()
    everybodys = await bot.client.services.review_pages.voice(guild_id)
    assert everybodys.say("button.approve") == "批准"
    await stage.ada.speak(CHINESE)
    assert (await told(stage.ada, "remix"))["name_localized"] == "图片"
    assert "name_localized" not in await told(stage.ben, "remix")
    image = await stage.ada.upload()
    asked = {"image": image, "preset": "夜"}
    typed = {"kind": "autocomplete", "name": "remix", "options": asked, "focused": "preset"}
    offered = await stage.ada.interact(**typed)
    assert {"name": "夜晚", "value": "night"} in offered["choices"]
    await stage.ada.remix("night", preset="夜晚")
    (done,) = await stage.ada.until(lambda message: "删除" in labels(message))
    assert labels(done) == ["再来一张", "变体", "编辑", "详情", "删除"]
    assert "**重绘** · 夜晚 · night" in text_of(done)
    assert " 秒" in text_of(done)
    await stage.ada.interact(
        kind="component", message_id=done["id"], custom_id=button(done, "详情")
    )
    assert "**详情**" in text_of(await stage.ada.text("**详情**"))
    await stage.ada.remix("night", preset="zebra")
    await stage.ada.text("没有这个预设。现有")
    await stage.ben.remix("night", preset="night")
    assert "**Remix** · Night" in text_of(await stage.ben.result())
    await stage.settled(bot)
    await stage.cleo.speak(CHINESE)
    await stage.cleo.command("usage", "report", period="day")
    report = text_of(await stage.cleo.text("最近 24 小时"))
    assert "任务 **2** · 成员 **2** · 失败 **0** · 设备用时 **" in report


async def test_a_servers_language_holds_for_all_from_the_first_answer_on(stage: Stage) -> None:
    async with stage.running():
        chosen = {"name": CHINESE}
        await stage.cleo.interact(
            kind="command", name="admin", subcommand="language", options=chosen
        )
        await stage.cleo.text("简体中文")
    await stage.start()
    await stage.ben.command("usage", "me")
    await stage.ben.text("你的设备用时")
    await stage.cleo.command("admin", "retention", days=5)
    await stage.cleo.text("任务结束 5 天后删除")
    await stage.ben.command("usage", "report")
    await stage.ben.text("这只供能管理本服务器的人使用。")


async def told(member: Member, command: str) -> dict[str, Any]:
    """Return the first option of a command as a member is told of it."""
    commands = await member.commands()
    options: list[dict[str, Any]] = next(it for it in commands if it["name"] == command)["options"]
    return options[0]


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("a bedroom with blue walls", "a bedroom with blue walls"),
        ("蓝色墙面的卧室", "blue walls 的 bedroom"),
        ("客厅, 小地毯", "living room , rug"),
        ("zebras", "zebras"),
    ],
)
def test_rooms_are_asked_for_in_any_language(typed: str, read: str) -> None:
    assert in_english(typed, ROOM_WORDS) == read
    assert heard(read, words=ROOM_WORDS)[1] == (("zebras",) if typed == "zebras" else ())


def test_rooms_are_called_in_english_what_their_model_calls_them() -> None:
    texts = load_texts()
    assert [word for word in ROOM_WORDS if called(Voice(texts), word) != word] == []
    assert [word for word in ROOM_WORDS if called(Voice(texts, CHINESE), word) == word] == []
