"""The admin page speaks the language of the browser."""

import re
from pathlib import Path

import pytest

from bot.admin_site.speech import accepted
from bot.texts import load_texts

TEMPLATES = Path("bot/admin_site/templates")
LOCALES = ("en-US", "zh-CN")


@pytest.mark.parametrize(
    ("header", "spoken"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("zh", "zh-CN"),
        ("en-GB,en;q=0.5", "en-US"),
        ("fr, zh;q=0.3, en;q=0.7", "en-US"),
        ("zh;q=0, en;q=0.1", "en-US"),
        ("fr,*;q=0.1", None),
        ("", None),
        (";;q=x,,\x00", None),
    ],
)
def test_a_browser_is_answered_in_what_it_likes_best(header: str, spoken: str | None) -> None:
    assert accepted(header, LOCALES) == spoken


def test_the_templates_have_no_words_of_their_own() -> None:
    for place in TEMPLATES.glob("*.html"):
        text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", "", place.read_text(), flags=re.S)
        words = re.sub(r"<[^>]*>", "\n", text)
        named = re.findall(r'(?:aria-label|alt|placeholder)="([^"]+)"', text)
        left = {*words.split(), *named} - {"Atelier", "UTC", "·", "→", "#", ",", "–"}  # noqa: RUF001
        assert left == set(), place.name


def test_what_templates_say_is_there() -> None:
    keys = [key for place in TEMPLATES.glob("*.html")
            for key in re.findall(r'say\("([\w.]+)"[,)]', place.read_text())]  # fmt: skip
    assert len(keys) > 80
    assert [key for key in keys if key not in load_texts()] == []
