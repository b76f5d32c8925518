"""Fair shares: nobody starves, nobody gets ahead by more than the bound, short ones first."""

import time
from dataclasses import dataclass
from itertools import combinations, count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generation.executor.shares import (
    AGEING,
    FEW_ACCOUNTS,
    MemberAccount,
    SharedAccount,
    Shares,
    Step,
)
from generation.executor.shares import place_of as placed

LONGEST_MS = 1000.0
costs = st.floats(1, LONGEST_MS)


@dataclass(eq=False)
class Asked:
    serial: int
    guild: int = 0
    member: int = 0
    cost_ms: float = 100.0
    arrival_ms: float = 0.0
    weights: tuple[float, float] = (1.0, 1.0)


arrivals = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), costs, st.floats(0, 10_000)), max_size=40
)


def asked(given_arrivals: list[tuple[int, int, float, float]]) -> list[Asked]:
    return [Asked(serial, *each) for serial, each in enumerate(given_arrivals)]


def shares_of(*waiting: Asked) -> Shares[Asked]:
    shares: Shares[Asked] = Shares()
    for each in waiting:
        shares.add(each)
    return shares


def start(shares: Shares[Asked]) -> Asked:
    head = shares.head()
    assert head is not None
    shares.start(head)
    return head


@settings(deadline=None)
@given(arrivals)
def test_as_long_as_anybody_waits_somebody_starts_and_everybody_once(
    given_arrivals: list[tuple[int, int, float, float]],
) -> None:
    waiting = asked(given_arrivals)
    shares = shares_of(*waiting)
    started = [start(shares) for _ in waiting]
    assert shares.head() is None
    assert {each.serial for each in started} == {each.serial for each in waiting}


@settings(deadline=None)
@given(arrivals)
def test_the_order_that_is_told_is_the_order_in_which_they_start(
    given_arrivals: list[tuple[int, int, float, float]],
) -> None:
    waiting = asked(given_arrivals)
    shares = shares_of(*waiting)
    for _ in range(len(waiting) // 3):
        start(shares)
    told = shares.order()
    assert [start(shares) for _ in told] == told


@settings(deadline=None)
@given(arrivals)
def test_inside_a_member_the_smallest_of_cost_and_a_tenth_of_arrival_starts(
    given_arrivals: list[tuple[int, int, float, float]],
) -> None:
    waiting = asked(given_arrivals)
    shares = shares_of(*waiting)
    started = [start(shares) for _ in waiting]
    for account in {(each.guild, each.member) for each in waiting}:
        keys = [
            each.cost_ms + AGEING * each.arrival_ms
            for each in started
            if (each.guild, each.member) == account
        ]
        assert keys == sorted(keys)


@settings(deadline=None)
@given(st.lists(costs, min_size=2, max_size=8), st.booleans(), st.data())
def test_those_who_always_have_something_waiting_get_the_same_within_two_longest(
    sizes: list[float], as_guilds: bool, data: st.DataObject
) -> None:
    """The bound of virtual token counters, at both levels, over intervals of the whole run."""
    serials = count()

    def ask(account: int, cost_ms: float) -> Asked:
        guild, member = (account, 0) if as_guilds else (0, account)
        return Asked(next(serials), guild=guild, member=member, cost_ms=cost_ms)

    shares = shares_of(*(ask(account, size) for account, size in enumerate(sizes)))
    served = dict.fromkeys(range(len(sizes)), 0.0)
    history = [dict(served)]
    drawn = data.draw(st.lists(costs, min_size=60, max_size=60))
    for cost_ms in drawn:
        account = shares.head()
        assert account is not None
        number = account.guild if as_guilds else account.member
        shares.add(ask(number, LONGEST_MS))
        shares.start(account)
        spent_ms = min(cost_ms, account.cost_ms)
        shares.settle(account, spent_ms=spent_ms)
        served[number] += spent_ms
        history.append(dict(served))
    for earlier, later in combinations(history[::5], 2):
        gained = [later[number] - earlier[number] for number in served]
        assert max(gained) - min(gained) <= 2 * LONGEST_MS + 1e-6


@pytest.mark.slow
@settings(deadline=None)
@given(st.floats(1, 3_000), st.integers(2, 4))
def test_nobody_starves_behind_newcomers_however_short(long_ms: float, rate: int) -> None:
    """New guilds with tiny requests come faster than they can be served, all on one level."""
    long = Asked(0, guild=0, cost_ms=long_ms)
    shares = shares_of(long)
    serials = count(1)
    for turn in count():
        for _ in range(rate):
            number = next(serials)
            shares.add(Asked(number, guild=number, cost_ms=1.0, arrival_ms=100.0 * turn))
        if start(shares) is long:
            break
        assert turn <= rate * (1 + long_ms / AGEING / 100.0)


def test_a_pause_banks_nothing() -> None:
    worker = [Asked(serial, member=1) for serial in range(10)]
    shares = shares_of(*worker)
    for _ in range(5):
        shares.settle(start(shares), spent_ms=100.0)
    back = [Asked(serial, member=2, arrival_ms=1.0) for serial in range(10, 20)]
    for each in back:
        shares.add(each)
    started = [start(shares).member for _ in range(6)]
    assert started.count(1) == started.count(2) == 3


def test_who_comes_while_nobody_waits_begins_where_the_last_left() -> None:
    shares = shares_of(*(Asked(serial, member=1) for serial in range(5)))
    while shares.head() is not None:
        shares.settle(start(shares), spent_ms=100.0)
    for serial in range(5, 15):
        shares.add(Asked(serial, member=1 + serial % 2))
    started = [start(shares).member for _ in range(6)]
    assert started.count(1) == started.count(2) == 3


def test_a_newcomer_is_served_as_much_as_what_is_under_way_when_it_comes() -> None:
    shares = shares_of(*(Asked(serial, member=1) for serial in range(10)))
    for _ in range(2):
        start(shares)
    for serial in range(10, 20):
        shares.add(Asked(serial, member=2, arrival_ms=1.0))
    assert [start(shares).member for _ in range(6)] == [2, 2, 1, 2, 1, 2]


def test_what_cost_more_than_expected_is_charged_in_the_end() -> None:
    one = [Asked(serial, member=1) for serial in (1, 2)]
    two = [Asked(serial, member=2) for serial in (3, 4, 5, 6)]
    shares = shares_of(*one, *two)
    shares.settle(start(shares), spent_ms=350.0)
    assert [each.serial for each in shares.order()] == [3, 4, 5, 6, 2]


def test_between_equal_counters_the_shorter_goes_first() -> None:
    long, short = Asked(1, member=1, cost_ms=300), Asked(2, member=2, cost_ms=30)
    assert shares_of(long, short).order() == [short, long]


def test_a_guild_with_many_members_gets_no_more_than_one_with_a_single_member() -> None:
    crowd = [Asked(serial, guild=1, member=serial) for serial in range(20)]
    single = [Asked(serial, guild=2, member=1) for serial in range(20, 40)]
    shares = shares_of(*crowd, *single)
    started = [start(shares).guild for _ in range(20)]
    assert started.count(1) == started.count(2) == 10


def test_accounts_that_would_begin_like_newcomers_are_forgotten() -> None:
    account: SharedAccount[Asked] = SharedAccount(MemberAccount[Asked], depth=0)
    for serial in range(100 * FEW_ACCOUNTS):
        once = Asked(serial, member=serial)
        account.add(placed(once), path=[Step(serial, 1.0)])
        account.remove(placed(once), path=[Step(serial, 1.0)])
        account.charge(100.0, path=[Step(serial, 1.0)])
        account.settle(100.0, spent_ms=100.0, path=[Step(serial, 1.0)])
    assert len(account) <= 2 * FEW_ACCOUNTS


@pytest.mark.parametrize(("guilds", "members"), [(1, 1), (1, 2000), (2000, 1), (40, 50)])
def test_two_thousand_who_wait_cost_little(guilds: int, members: int) -> None:
    """Per request well below what the least picture costs, whatever the tree looks like."""
    waiting = [
        Asked(
            serial,
            guild=serial % guilds,
            member=serial // guilds % members,
            cost_ms=1 + serial * 7919 % 1000,
        )
        for serial in range(2000)
    ]
    began = time.process_time()
    shares = shares_of(*waiting)
    told = shares.order()
    ordered = time.process_time()
    assert [start(shares) for _ in waiting] == told
    assert (time.process_time() - began) / 2000 < 0.5e-3
    assert ordered - began < 0.5


def test_a_weight_of_two_has_two_turns_while_another_has_one() -> None:
    for weights, of in (((2.0, 1.0), "guild"), ((1.0, 2.0), "member")):
        waiting = [
            Asked(serial, **{of: serial % 2}, weights=weights if serial % 2 else (1.0, 1.0))
            for serial in range(60)
        ]
        shares = shares_of(*waiting)
        assert [it.serial for it in shares.order()[:9]] == [
            it.serial for it in (start(shares) for _ in range(9))
        ]
        others = [getattr(start(shares), of) for _ in range(30)]
        assert others.count(1) == 20


def test_a_members_weight_moves_nobody_outside_their_guild() -> None:
    waiting = [
        Asked(serial, guild=serial % 2, weights=(1.0, 10.0) if serial % 2 else (1.0, 1.0))
        for serial in range(40)
    ]
    shares = shares_of(*waiting)
    assert [start(shares).guild for _ in range(20)].count(1) == 10


def test_what_was_charged_too_much_comes_back_by_the_same_weight() -> None:
    heavy, light = Asked(1, member=1, weights=(1.0, 4.0)), Asked(2, member=2)
    shares = shares_of(heavy, light)
    first = start(shares)
    shares.settle(first, spent_ms=0.0)
    second = start(shares)
    shares.settle(second, spent_ms=0.0)
    for each in (Asked(3, member=1, weights=(1.0, 4.0)), Asked(4, member=2)):
        shares.add(each)
    assert start(shares).serial == 3
