"""B10: what members type becomes text that can be kept, compared and shown."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import TextTooLongError
from storage.text import MAX_MARKS, JsonValue, clean_json, clean_text


@pytest.mark.parametrize(
    ("given_text", "kept"),
    [
        ("night", "night"),
        ("  night \n", "night"),
        ("a\x00b\x07c\x1b[31m", "abc[31m"),
        ("one\r\ntwo\rthree\tfour", "one\ntwo\nthree\tfour"),
        ("half \ud83d a pair", "half  a pair"),
        ("\u202etxt.exe", "txt.exe"),
        ("\u2066a\u2069", "a"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("cafe\u0301", "caf\u00e9"),
        (
            "\U0001f468\u200d\U0001f469\u200d\U0001f467",
            "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        ),
        ("שלום עולם", "שלום עולם"),
        ("夜 に なる", "夜 に なる"),
    ],
)
def test_b10_a_text_is_cleaned(given_text: str, kept: str) -> None:
    assert clean_text(given_text) == kept


def test_b10_towers_of_marks_are_taken_down() -> None:
    tower = "e" + "\u0335\u0351" * 500
    kept = clean_text(tower + "x")
    assert kept[0] == "e"
    assert kept[-1] == "x"
    assert len(kept) == 2 + MAX_MARKS


def test_b10_the_limit_is_exact_and_nothing_is_cut() -> None:
    assert len(clean_text("x" * 6000)) == 6000
    for length in (6001, 5_000_000):
        with pytest.raises(TextTooLongError, match="6000 are kept"):
            clean_text("x" * length)


@given(st.text(st.characters(codec=None), max_size=200))
def test_b10_any_text_becomes_one_that_every_database_takes(text: str) -> None:
    kept = clean_text(text)
    assert kept.encode("utf-8").decode("utf-8") == kept
    controls = {char for char in kept if unicodedata.category(char) == "Cc"}
    assert controls <= {"\n", "\t"}


@given(st.text(max_size=100))
def test_b10_cleaning_a_clean_text_changes_nothing(text: str) -> None:
    once = clean_text(text)
    assert clean_text(once) == once


def test_b10_texts_inside_parameters_are_cleaned_too() -> None:
    parameters: JsonValue = {"a\x00": ["\ud800x", 1, 2.5, True, None, {"b": ("\u202ec",)}]}
    assert clean_json(parameters) == {"a": ["x", 1, 2.5, True, None, {"b": ["c"]}]}
