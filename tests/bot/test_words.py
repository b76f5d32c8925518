# ruff: noqa: RUF001 - letters that look like others are what this is about
"""Word rules: whole words, however they are spelt, and nothing that only resembles them."""

import time

import pytest

from bot.errors import WordUnfitError
from bot.words import Words, plain, rule_of
from storage.guilds import WordAction


def breaks(word: str, text: str) -> bool:
    return Words.of((rule_of(word, "block"),)).found([text]) == "block"


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("nude", "a nude by the sea"),
        ("nude", "NUDE"),
        ("Nude", "a nude, by the sea"),
        ("nude", "ｎｕｄｅ"),
        ("nude", "𝓃𝓊𝒹𝑒 and 𝐧𝐮𝐝𝐞"),
        ("nude", "n\u200bu\u00add\u2060e"),
        ("nude", "n\u034fu\ufe0fd\u3164e"),
        ("nude", "nüdé"),
        ("nüde", "nude"),
        ("nude", "nud\u0435"),
        ("nude", "n\u03c5d\u03b5"),
        ("nude", "nud3"),
        ("naked", "n@k3d"),
        ("kill", "k!11"),
        ("kill", "K1LL"),
        ("nude", "n u d e"),
        ("nude", "n.u.d.e"),
        ("nude", "n - u - d - e"),
        ("nude", "nu_de"),
        ("nude", "nu(de)"),
        ("nude", "nuuuude"),
        ("kill", "killll"),
        ("nude", "<nude_style:0.8>"),
        ("nude", "一个nude女人"),
        ("black square", "a black  square"),
        ("black square", "black-square"),
        ("black square", "blacksquare"),
        ("裸体", "画一个裸体的人"),
        ("裸体", "裸 体"),
        ("裸体", "裸，体"),
        ("血", "血まみれ"),
        ("ヌード", "ぬーど写真"),
        ("ヌード", "ﾇｰﾄﾞ"),
        ("살인", "살인을 그려줘"),
        ("เปลือย", "ภาพเปลือยของ"),
        ("кровь", "КРОВЬ на снегу"),
        ("кровь", "кp\u043eвь"),
        ("straße", "STRASSE"),
        ("1488", "the number 1488"),
    ],
)
def test_a_word_is_found_however_it_is_spelt(word: str, text: str) -> None:
    assert breaks(word, text)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("ass", "a glass on the grass, classic"),
        ("ass", "as soon as"),
        ("nude", "denuded hills"),
        ("nude", "nu de"),
        ("tail", "a tall tree"),
        ("therapist", "the rapist"),
        ("anal", "an album"),
        ("cold", "(old:1.3) house"),
        ("pot", "рот и нос"),
        ("so", "50 cats"),
        ("go", "at 90 degrees"),
        ("hel", "hell"),
        ("black square", "black and square"),
        ("кровь", "кровьюшка"),
        ("裸体", "裸の体"),
        ("nude", ""),
    ],
)
def test_other_words_are_left_alone(word: str, text: str) -> None:
    assert not breaks(word, text)


def test_the_strictest_rule_that_is_broken_decides() -> None:
    def rules(*given: tuple[str, WordAction]) -> Words:
        return Words.of(tuple(rule_of(word, action) for word, action in given))

    both = rules(("gore", "warn"), ("nude", "block"), ("fog", "warn"))
    assert both.found(["gore", "fog"]) == "warn"
    assert both.found(["gore", "", "a nude"]) == "block"
    assert both.found(["snow"]) is None
    assert rules().found(["gore"]) is None


@pytest.mark.parametrize("word", ["", " ", "a", "!!", "c++", "\u200b", "x" * 41, "ﷺ" * 5])
def test_a_rule_is_made_of_a_word(word: str) -> None:
    with pytest.raises(WordUnfitError):
        rule_of(word, "warn")


def test_two_spellings_of_a_word_are_one_rule() -> None:
    spellings = ("Nude", "ＮＵＤＥ", " nüde ", "n\u200bude")
    assert {rule_of(word, "block").plain for word in spellings} == {"nude"}
    assert plain("Großer\u00a0 Bär") == "grosser bar"


@pytest.mark.parametrize(
    "text", ["1l|!i._" * 42, "|" * 300, "k" + "|" * 299, "il" * 150, "k i|l-" * 50, "a" * 300]
)
def test_comparing_takes_no_time_even_where_every_rule_almost_fits(text: str) -> None:
    ready = ("killing", "illicit", "illegal", "military", "il" * 8 + "a", "a" * 39 + "b")
    made = (f"{'il1' * 8}{number}" for number in range(14))
    words = Words.of(tuple(rule_of(word, "block") for word in (*ready, *made)))
    started = time.thread_time()
    assert words.found([text]) is None
    assert time.thread_time() - started < 0.02
