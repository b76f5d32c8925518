"""Turns inside an engine: by device time, and sparing those who have few requests."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from generation.executor.turns import (
    AHEAD_NS,
    BETWEEN,
    FEWEST,
    LONGER,
    Account,
    CallTimes,
    Turns,
    next_batch,
    spared,
)

ONE = Account(requests=1)


@dataclass(eq=False)
class Stepping:
    virtual_ns: int = 0
    bucket: str = "a"
    width: int = 1
    account: Account = field(default=ONE)


def holding(rows: int) -> Callable[[Stepping], int]:
    return lambda _: rows


def rows_of(account: Account, count: int) -> list[Stepping]:
    return [Stepping(account=account) for _ in range(count)]


def with_nine(turns: Turns) -> Account:
    *_, account = (turns.arrived("heavy") for _ in range(9))
    return account


def a_tenth_each(few: Sequence[Stepping], more: Sequence[Stepping]) -> float:
    """A call of n rows takes 9 + n."""
    return (9 + len(more)) / (9 + len(few))


def test_the_row_furthest_behind_goes_first_and_takes_its_bucket_along() -> None:
    ahead, behind, between, foreign = (
        Stepping(30),
        Stepping(10),
        Stepping(20),
        Stepping(15, bucket="b"),
    )
    rows = [ahead, behind, between, foreign]
    assert next_batch(rows, capacity=holding(1)) == [behind]
    assert next_batch(rows, capacity=holding(2)) == [behind, between]
    assert next_batch(rows, capacity=holding(9)) == [behind, between, ahead]


def test_a_call_is_filled_by_widths_and_who_does_not_fit_goes_first_the_next_time() -> None:
    guided, wide, plain = Stepping(10, width=3), Stepping(20, width=2), Stepping(30, width=1)
    assert next_batch([plain, wide, guided], capacity=holding(4)) == [guided, plain]
    assert next_batch([plain, wide, guided], capacity=holding(6)) == [guided, wide, plain]
    guided.virtual_ns += 25
    plain.virtual_ns += 25
    assert next_batch([plain, wide, guided], capacity=holding(4))[0] is wide


def test_a_row_wider_than_the_call_goes_alone() -> None:
    wide, plain = Stepping(10, width=3), Stepping(20)
    assert next_batch([wide, plain], capacity=holding(2)) == [wide]


def test_the_capacity_is_that_of_the_bucket_that_goes() -> None:
    rows = [
        Stepping(10, "small"),
        Stepping(11, "small"),
        Stepping(5, "large"),
        Stepping(6, "large"),
    ]
    capacities = {"small": 2, "large": 1}
    assert next_batch(rows, capacity=lambda row: capacities[row.bucket]) == [rows[2]]


def test_newcomers_one_after_another_do_not_starve_who_is_there() -> None:
    turns = Turns()
    old = Stepping(account=turns.arrived("old"))
    turns_of_old = 0
    for number in range(50):
        newcomer = Stepping(account=turns.arrived(f"newcomer {number}"))
        for _ in range(4):
            (turn,) = next_batch([old, newcomer], capacity=holding(1))
            turn.account.charged_ns += 1
            turns_of_old += turn is old
        turns.left(newcomer.account)
    assert turns_of_old >= 80


def test_members_take_turns_whatever_the_number_of_their_rows() -> None:
    one, other = Account(requests=2), Account(requests=2)
    rows = [*rows_of(one, 2), Stepping(account=other)]
    charged = {id(one): 0, id(other): 0}
    for _ in range(100):
        (row,) = next_batch(rows, capacity=holding(1))
        row.virtual_ns += 1
        row.account.charged_ns += 1
        charged[id(row.account)] += 1
    assert set(charged.values()) == {50}
    assert [row.virtual_ns for row in rows] == [25, 25, 50]


def test_a_member_with_many_requests_fills_a_call_alone_and_among_those_alike() -> None:
    many, too = Account(requests=9), Account(requests=9)
    assert len(next_batch(rows_of(many, 9), capacity=holding(8), longer=a_tenth_each)) == 8
    rows = [*rows_of(many, 7), *rows_of(too, 7)]
    assert len(next_batch(rows, capacity=holding(8), longer=a_tenth_each)) == 8


def test_a_member_with_many_makes_a_call_longer_by_a_quarter_at_most_for_who_has_few() -> None:
    many, few = Account(requests=9), Account(requests=1, charged_ns=5)
    light = Stepping(account=few)
    batch = next_batch([*rows_of(many, 8), light], capacity=holding(8), longer=a_tenth_each)
    assert batch[0] is light
    assert len(batch) == 3
    longest = a_tenth_each([light], batch)
    assert longest <= LONGER < a_tenth_each([light], [*batch, light])


def test_each_of_many_members_may_ride_along() -> None:
    members = [Account(requests=3) for _ in range(6)]
    rows = [Stepping(account=ONE), *(row for member in members for row in rows_of(member, 1))]
    assert len(next_batch(rows, capacity=holding(8), longer=a_tenth_each)) == 7


def test_who_has_few_is_spared_until_far_ahead() -> None:
    many, few = Account(requests=9), Account(requests=1)
    light, heavy = Stepping(account=few), Stepping(account=many)
    alone = holding(1)
    few.charged_ns = AHEAD_NS - 1
    assert spared(many, [light]) == [light]
    assert next_batch([heavy, light], capacity=alone) == [light]
    few.charged_ns = AHEAD_NS
    assert spared(many, [light]) == []
    assert next_batch([heavy, light], capacity=alone) == [heavy]


def test_whoever_asks_without_end_gets_no_more_than_an_equal_share() -> None:
    many, few = Account(requests=9), Account(requests=1)
    heavy, light = Stepping(account=many), Stepping(account=few)
    for _ in range(100):
        (row,) = next_batch([heavy, light], capacity=holding(1))
        row.account.charged_ns += AHEAD_NS // 4
    assert few.charged_ns - many.charged_ns <= AHEAD_NS + AHEAD_NS // 4


def test_pictures_of_who_has_many_wait_until_the_steps_of_who_has_few_have_earned_them() -> None:
    turns = Turns()
    light = Stepping(account=turns.arrived("light"))
    many = with_nine(turns)
    turns.worked(many, rows=[light], took_ns=100)
    earned = 0
    while turns.held(many, rows=[light]):
        assert not turns.held(light.account, rows=[light])
        turns.stepped([light], took_ns=50)
        earned += 50
    assert earned == pytest.approx(200 / BETWEEN, abs=50)
    turns.worked(many, rows=[light], took_ns=100)
    assert turns.held(many, rows=[light])
    assert not turns.held(many, rows=rows_of(many, 3))


def test_nothing_is_saved_up_for_pictures_while_nobody_is_spared() -> None:
    turns = Turns()
    many = with_nine(turns)
    turns.worked(many, rows=(), took_ns=100)
    turns.stepped(rows_of(many, 8), took_ns=10**6)
    light = Stepping(account=turns.arrived("light"))
    assert turns.held(many, rows=[light])


def test_who_comes_back_starts_level_and_an_idle_engine_forgets() -> None:
    turns = Turns()
    stayed, left = turns.arrived("stayed"), turns.arrived("left")
    turns.left(left)
    stayed.charged_ns = 70
    left = turns.arrived("left")
    assert left.charged_ns == turns.arrived("new").charged_ns == 70
    left.charged_ns = 90
    turns.left(left)
    assert turns.arrived("left").charged_ns == 90
    for account in list(turns.accounts.values()):
        turns.left(account)
    assert turns.arrived("stayed").charged_ns == 0


def test_strangers_who_have_left_are_forgotten_while_others_stay() -> None:
    turns = Turns()
    turns.arrived("stayed").charged_ns = 10
    for number in range(100):
        turns.left(turns.arrived(number))
    assert list(turns.accounts) == ["stayed"]


def test_what_a_call_takes_is_the_median_of_the_last_few() -> None:
    times = CallTimes()
    for took_ns in (900, *[100] * FEWEST):
        times.learn("one", took_ns=took_ns)
    for took_ns in [150] * (FEWEST - 1):
        times.learn("two", took_ns=took_ns)
    assert times.longer("one", "two") == 1.0
    times.learn("two", took_ns=150)
    assert times.longer("one", "two") == 1.5
    assert times.longer("one", "one") == times.longer("unknown", "one") == 1.0
