"""The audit log in words: names instead of numbers, and the reader's language throughout."""

# ruff: noqa: RUF001

from datetime import UTC, datetime
from typing import Any

import pytest

from bot.acts import MENTIONS, WORDS, act_about, act_change
from bot.texts import Voice, load_texts
from storage.acts import Act

ENGLISH, CHINESE = (Voice(load_texts(), locale) for locale in ("en-US", "zh-CN"))


def act(name: str, subject: str = "", *, before: Any = None, after: Any = None) -> Act:  # noqa: ANN401
    return Act(
        id=1,
        guild_id=5,
        actor_id=6,
        act=name,
        subject=subject,
        before=before,
        after=after,
        created_at=datetime(2026, 3, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("name", "subject", "english", "chinese"),
    [
        ("block", "77", "block of <@77>", "禁止 <@77>"),
        ("quota", "member 77 day", "limit <@77>, day", "限制 <@77>，天"),
        ("quota", "role 8 month", "limit <@&8>, month", "限制 <@&8>，月"),
        ("quota", "channel 9 hour", "limit <#9>, hour", "限制 <#9>，小时"),
        ("quota", "member day", "limit every member, day", "限制 每位成员，天"),
        ("reset", "guild day", "reset, the whole server together, day", "重置，整个服务器合计，天"),
        ("top_up", "member 77 ever", "top-up, <@77>", "补充额度，<@77>"),
        ("priority", "role 8", "shares of the turns, <@&8>", "轮次份额，<@&8>"),
        ("priority", "member 77", "shares of the turns, <@77>", "轮次份额，<@77>"),
        ("approval", "#9", "approval, <#9>", "先批准，<#9>"),
        ("approval", "everywhere", "approval, everywhere", "先批准，所有地方"),
        ("word", "everywhere", "word everywhere", "词语 everywhere"),
        ("word", "*77*", r"word \*77\*", r"词语 \*77\*"),
    ],
)
def test_what_an_act_is_about_is_named(name: str, subject: str, english: str, chinese: str) -> None:
    assert act_about(ENGLISH, act(name, subject), names=MENTIONS) == english
    assert act_about(CHINESE, act(name, subject), names=MENTIONS) == chinese


@pytest.mark.parametrize(
    ("name", "before", "after", "english", "chinese"),
    [
        ("quota", None, "300 s", ("not set", "5 min"), ("未设置", "5 分钟")),
        ("preset", "on in #9", "off in #9", ("on in <#9>", "off in <#9>"),
         ("在 <#9> 开启", "在 <#9> 关闭")),
        ("digest", "#9", None, ("<#9>", "not set"), ("<#9>", "未设置")),
        ("language", None, "zh-CN", ("not set", "简体中文"), ("未设置", "简体中文")),
        ("retention", 30, 5, ("30", "5"), ("30", "5")),
        ("strength", None, 0.5, ("not set", "0.5"), ("未设置", "0.5")),
        ("decision", "held", "approved", ("held", "approved"), ("等待批准", "已批准")),
        ("block", None, {"blocked": "for good", "reason": "off"},
         ("not set", "blocked until lifted, reason off"),
         ("未设置", "禁止至 解除、原因 off")),
        ("preset", {"strength": 0.8, "prompt": "x"}, {"strength": 0.5, "prompt": "x"},
         ("strength 0.8", "strength 0.5"), ("强度 0.8", "强度 0.5")),
    ],
)  # fmt: skip
def test_what_changed_is_said_in_the_readers_language(
    name: str, before: object, after: object, english: tuple[str, str], chinese: tuple[str, str]
) -> None:
    changed = act(name, before=before, after=after)
    assert act_change(ENGLISH, changed, names=MENTIONS) == english
    assert act_change(CHINESE, changed, names=MENTIONS) == chinese


def test_every_word_of_the_log_is_said_in_chinese() -> None:
    for word in WORDS:
        (_, said) = act_change(CHINESE, act("word", after=word), names=MENTIONS)
        assert not said.isascii(), word
