"""Prompts are read by declared words, in English and Chinese."""

import pytest

from generation.prompts import read_prompt, words_like
from generation.training.captions import FILLERS, WORDS


@pytest.mark.parametrize(
    ("prompt", "edits", "unknown"),
    [
        ("night", ("night",), ()),
        ("Make it MIDNIGHT, please!", ("night",), ()),
        ("a snowy night", ("snow", "night"), ()),
        ("night, nighttime and midnight", ("night",), ()),
        ("a dragon at night, a dragon", ("night",), ("dragon",)),
        ("a dragon", (), ("dragon",)),
        ("", (), ()),
        ("black and white", ("noir",), ()),
        ("at golden hour", ("golden",), ()),
        ("happy hour at the golden gate", ("golden",), ("happy", "gate")),
        ("ink", ("ink",), ()),
        ("a black cat in ink wash", ("ink",), ("black", "cat")),
        ("northern lights over my house", ("aurora",), ("house",)),
        ("cartoonish sketches of autumn's storms", ("cartoon", "sketch", "autumn", "storm"), ()),
        ("winter in watercolours, underwater", ("winter", "watercolour", "underwater"), ()),
        ("inky springs", ("spring",), ("inky",)),
        ("变成夜晚", ("night",), ()),
        ("画成水墨画风格的雪夜", ("ink", "snow", "night"), ("画",)),
        ("把这张照片变成黄昏的水彩画", ("sunset", "watercolour"), ()),
        ("赛博朋克 and 海底", ("neon", "underwater"), ()),
        ("把它变成下雪的黑夜", ("snow", "night"), ()),
        ("龙 at sunset", ("sunset",), ("龙",)),
        ("雪夜里的斑马和长颈鹿", ("snow", "night"), ("斑马", "长颈鹿")),
        ("nightmare", (), ("nightmare",)),
        ("night-time <b>fog</b> 2x", ("night", "fog"), ("b", "x")),
    ],
)
def test_a_prompt_is_read_by_the_declared_words(
    prompt: str, edits: tuple[str, ...], unknown: tuple[str, ...]
) -> None:
    reading = read_prompt(prompt, words=WORDS, fillers=FILLERS)
    assert (reading.edits, reading.unknown) == (edits, unknown)


def test_known_words_are_told_in_the_script_of_a_text() -> None:
    english, chinese = (words_like(text, words=WORDS) for text in ("a zebra", "斑马"))
    assert len(english) == len(chinese) == len(WORDS)
    assert {"night", "sunset"} <= set(english)
    assert {"夜晚", "日落"} <= set(chinese)
    assert words_like("斑马", words={"fog": ("fog", "mist")}) == ("fog",)


def test_the_words_that_name_edits_are_kept_as_they_were_written() -> None:
    reading = read_prompt("my dragon, MIDNIGHT and 下雪", words=WORDS, fillers=FILLERS)
    assert reading.words == ("midnight", "下雪")


def test_no_word_stands_for_two_edits() -> None:
    words = [word for group in WORDS.values() for word in group]
    assert len(words) == len(set(words))
    assert not set(words) & set(FILLERS)
