"""Loads and what is counted of them, with a contender whose time is known."""

import asyncio
import random

import pytest

from benchmarks.figures import alternate, alternating, order, percentile, ratios
from benchmarks.jobs import Job, jobs
from benchmarks.load import all_at_once, as_they_come, closed_loop, mean, p95, short


class Sleeper:
    """Takes a fixed time for every picture, many at once."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.most = self.inside = 0

    async def make(self, job: Job) -> bytes:
        self.inside += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(self.seconds)
        self.inside -= 1
        return job.png


def wanted(count: int) -> list[Job]:
    drawn = jobs(1)
    return [next(drawn) for _ in range(count)]


async def test_a_closed_loop_counts_what_was_done_in_its_time() -> None:
    sleeper = Sleeper(0.08)
    rate, done = await closed_loop(sleeper, clients=4, seconds=0.4, seed=0)
    assert sleeper.most == 4
    assert rate <= 4 / 0.08
    assert rate == pytest.approx(len(done) / 0.4, rel=0.35)


async def test_everybody_at_once_is_everybody_at_once() -> None:
    sleeper = Sleeper(0.05)
    done = await all_at_once(sleeper, wanted(12))
    assert sleeper.most == len(done) == 12
    assert 0.05 <= mean(done) <= p95(done)


async def test_who_comes_at_random_moments_does_not_wait_for_the_others() -> None:
    sleeper = Sleeper(0.1)
    done = await as_they_come(sleeper, wanted(8), per_second=200, seed=3)
    assert len(done) == 8
    assert sleeper.most > 1
    assert all(one.job.short for one in short(done))


def test_the_same_seed_asks_for_the_same() -> None:
    first, second = jobs(7), jobs(7)
    for _ in range(20):
        one, other = next(first), next(second)
        assert (one.png, one.prompt, one.steps, one.seed) == (
            other.png, other.prompt, other.steps, other.seed,
        )  # fmt: skip
        assert one.job_id != other.job_id


def test_contenders_take_turns_and_every_other_round_goes_backwards() -> None:
    seen: list[str] = []

    def contender(name: str) -> float:
        seen.append(name)
        return float(len(seen))

    runs = alternate([lambda: contender("a"), lambda: contender("b")], rounds=3)
    assert seen == ["a", "b", "b", "a", "a", "b"]
    assert runs == ((1.0, 4.0, 5.0), (2.0, 3.0, 6.0))
    assert list(order(3, turn=1)) == [2, 1, 0]


async def test_a_contender_may_measure_several_values_in_its_turn() -> None:
    async def turn_of(turn: int) -> dict[str, float]:
        return {"turn": turn, "square": turn**2}

    taken = await alternating({"one": turn_of}, rounds=3)
    assert taken == {"one": {"turn": [0, 1, 2], "square": [0, 1, 4]}}


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(value) for value in range(100)]
    random.Random(0).shuffle(values)
    assert percentile(values, 0.95) == 95
    assert percentile([3.0], 0.99) == 3
    assert ratios([6, 9], [2, 3]) == [3, 3]
