"""What the executor tells of itself: promises and what became of them, and who was served."""

import pytest

from generation.executor.client import Executor, Served
from generation.executor.records import MOST_ACCOUNTS, Records
from tests.generation.executor.conftest import Begin
from tests.generation.executor.requests import progress_of, request


async def test_every_picture_is_reported_with_its_promise_and_what_it_took(
    executor: Executor,
) -> None:
    seen: list[Served] = []
    executor.follow(seen.append)
    warm = request("slow", steps=10)
    await executor.submit(warm).result()
    tickets = [executor.submit(request("slow", steps=10, guild=1, member=2)) for _ in range(3)]
    await progress_of(tickets[-1])
    assert (seen[0].promised_s, seen[0].guild) == (None, 0)
    last = seen[-1]
    assert (last.guild, last.member) == (1, 2)
    assert last.promised_s == pytest.approx(last.took_s, rel=0.5)
    assert 0.1 < last.queue_s < last.took_s
    assert seen[0].queue_s < 0.1
    stats = executor.stats()
    assert stats.finished == 4
    assert stats.queue_s == pytest.approx(sum(each.queue_s for each in seen))
    charged = sum(each.device_ms for each in seen[1:])
    assert stats.served_ms == {(1, 2): charged, (0, 0): seen[0].device_ms}


async def test_what_was_learned_outlives_the_executor(begin: Begin) -> None:
    executor = await begin()
    wanted = request("slow", steps=10)
    result = await executor.submit(wanted).result()
    await executor.close()
    assert (await begin()).cost_ms(wanted) == result.device_ms


def test_of_many_members_the_most_served_are_told_and_the_others_together() -> None:
    records = Records()
    for number in range(3 * MOST_ACCOUNTS):
        records.spend((1, number), float(number))
    served_ms, others_ms = records.shares()
    assert len(served_ms) == MOST_ACCOUNTS
    assert next(iter(served_ms)) == (1, 3 * MOST_ACCOUNTS - 1)
    assert sum(served_ms.values()) + others_ms == sum(range(3 * MOST_ACCOUNTS))
