"""The admin page speaks the language of the browser."""

import re
from pathlib import Path

import pytest

from bot.admin_site.speech import accepted
from bot.texts import load_texts

TEMPLATES = Path("bot/admin_site/templates")
STYLE = Path("bot/admin_site/static/site.css")
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


def luminance(colour: str) -> float:
    """Return how light a colour is (WCAG 2.2, "relative luminance")."""
    full = colour if len(colour) == 7 else "#" + "".join(digit * 2 for digit in colour[1:])
    parts = (int(full[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts
    ]
    return sum(share * each for share, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    "pair",
    ["ink paper", "ink card", "soft paper", "soft card", "accent card", "accent paper",
     "accent tint", "on-accent accent", "bad card", "good card", "warn card"],
)  # fmt: skip
def test_texts_stand_out_from_what_is_behind_them(pair: str, scheme: int) -> None:
    block = re.findall(r":root \{(.*?)\}", STYLE.read_text(), flags=re.S)[scheme]
    colours = dict(re.findall(r"--([\w-]+): (#\w+);", block))
    low, high = sorted(luminance(colours[name]) for name in pair.split())
    assert (high + 0.05) / (low + 0.05) >= 4.5
