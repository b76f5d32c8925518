"""What the executor tells of itself: who was served, and what it has learned."""

from generation.executor.client import Executor
from generation.executor.records import MOST_ACCOUNTS, Records
from tests.generation.executor.conftest import Begin
from tests.generation.executor.requests import request


async def test_device_time_is_told_by_guild_and_member(executor: Executor) -> None:
    mine = [executor.submit(request(steps=10, guild=1, member=2)) for _ in range(2)]
    other = await executor.submit(request(steps=10)).result()
    charged = sum([(await ticket.result()).device_ms for ticket in mine])
    stats = executor.stats()
    assert stats.finished == 3
    assert stats.served_ms == {(1, 2): charged, (0, 0): other.device_ms}
    assert stats.served_others_ms == 0


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
