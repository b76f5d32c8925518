"""Counters add up; the client hears of them at most once a second, and of the last ones, too."""

from generation.executor.figures import Counters, Tally


def test_shares_of_nothing_are_nothing() -> None:
    assert (Counters().occupancy, Counters().padding_waste) == (0.0, 0.0)


def test_occupancy_is_of_what_was_on_offer_and_waste_of_what_was_run() -> None:
    counters = Counters(rows_used=6, rows_offered=12, rows_run=8)
    assert (counters.occupancy, counters.padding_waste) == (0.5, 0.25)


def test_two_engines_counters_add_up() -> None:
    one, other = Counters(calls=2, step_ms=1.5), Counters(calls=3, decode_ms=4.0)
    assert one + other == Counters(calls=5, step_ms=1.5, decode_ms=4.0)


def test_news_is_told_at_once_then_at_most_once_a_second() -> None:
    now = 10.0
    tally = Tally(clock=lambda: now)
    assert tally.due_s() is None
    assert tally.news() is None
    tally.add(calls=1)
    assert tally.news() == Counters(calls=1)
    assert tally.due_s() is None
    tally.add(calls=1)
    now = 10.25
    assert tally.news() is None
    assert tally.due_s() == 0.75
    now = 11.0
    assert tally.news() == Counters(calls=2)
