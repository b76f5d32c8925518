"""Who waits for whom, with a real engine."""

import asyncio
import time

import pytest

from generation.errors import DeadlineExceededError, EngineBusyError
from generation.executor.client import Executor, Ticket
from generation.request import Stage
from tests.generation.executor.conftest import Begin
from tests.generation.executor.requests import picture, progress_of, request


async def finished_in_order(tickets: list[Ticket]) -> list[str]:
    order: list[str] = []

    async def follow(ticket: Ticket) -> None:
        order.append((await ticket.result()).job_id)

    await asyncio.gather(*(follow(ticket) for ticket in tickets))
    return order


async def test_r4_one_member_with_a_hundred_does_not_hold_up_ten_with_one(
    executor: Executor,
) -> None:
    crowd = [executor.submit(request("noise", member=1)) for _ in range(100)]
    single = [executor.submit(request("noise", member=member)) for member in range(2, 12)]
    order = await finished_in_order([*crowd, *single])
    places = [order.index(ticket.job_id) for ticket in single]
    assert max(places) < 20, places


async def test_two_guilds_take_turns_however_many_members_ask(executor: Executor) -> None:
    crowd = [executor.submit(request("noise", guild=1, member=member)) for member in range(40)]
    other = [executor.submit(request("noise", guild=2, member=99)) for _ in range(10)]
    order = await finished_in_order([*crowd, *other])
    assert max(order.index(ticket.job_id) for ticket in other) < 30


async def test_the_place_that_is_told_is_that_of_the_real_order(executor: Executor) -> None:
    crowd = [executor.submit(request("slow", steps=2, member=1)) for _ in range(20)]
    soon, light = [executor.submit(request("slow", steps=2, member=2)) for _ in range(2)]
    told = [await anext(ticket.events()) for ticket in (light, crowd[-1])]
    assert [progress.position for progress in told] == [3, 21]
    assert told[0].eta_s is not None
    assert told[1].eta_s is not None
    assert told[0].eta_s < told[1].eta_s / 3
    for ticket in (*crowd, soon, light):
        await ticket.result()


async def test_who_has_none_under_way_starts_though_another_has_taken_all_places(
    executor: Executor,
) -> None:
    crowd = [executor.submit(request("slow", steps=50, member=1)) for _ in range(10)]
    others = [executor.submit(request("slow", steps=2, member=number)) for number in (2, 3)]
    (station,) = executor.stats().stations
    assert (station.capacity, station.running) == (2, 3)
    order = await finished_in_order([*others, crowd[0]])
    assert order[0] == others[0].job_id
    for ticket in crowd:
        ticket.cancel()


@pytest.mark.slow
async def test_who_waits_is_told_of_getting_ahead(executor: Executor) -> None:
    tickets = [executor.submit(request("slow", steps=15, member=1)) for _ in range(10)]
    seen = await progress_of(tickets[-1])
    queued = [each.position for each in seen if each.stage is Stage.QUEUED]
    assert queued[0] == 9
    assert len(set(queued)) >= 3
    assert queued == sorted(queued, reverse=True)


async def test_a_heavy_member_is_refused_where_another_is_not(begin: Begin) -> None:
    executor = await begin(max_wait_s=2.0)
    size = picture(width=512, height=512)
    tickets = [executor.submit(request("slow", steps=2, member=1, image=size)) for _ in range(6)]
    with pytest.raises(EngineBusyError, match=r"in about 2\.\d s; 2 s are worth"):
        executor.submit(request("slow", member=1, image=size))
    tickets.append(executor.submit(request("slow", steps=2, member=2, image=size)))
    for ticket in tickets:
        await ticket.result()


async def test_what_cannot_start_before_its_deadline_is_refused_with_the_estimate(
    executor: Executor,
) -> None:
    size = picture(width=512, height=512)
    busy = [executor.submit(request("slow", steps=5, image=size)) for _ in range(3)]
    with pytest.raises(EngineBusyError, match=r"in about 1\.2 s; 0\.5 s are worth"):
        executor.submit(request("slow", deadline_s=0.5, image=size))
    assert executor.stats().queued == 1
    patient = executor.submit(request("slow", steps=1, deadline_s=60.0))
    for ticket in (*busy, patient):
        await ticket.result()


async def test_a_deadline_that_passes_while_waiting_fails_the_request(executor: Executor) -> None:
    busy = [executor.submit(request("slow", steps=100)) for _ in range(2)]
    began = time.perf_counter()
    late = executor.submit(request("slow", steps=1, deadline_s=0.4))
    with pytest.raises(DeadlineExceededError, match=r"within 0\.4 s"):
        await late.result()
    assert 0.3 < time.perf_counter() - began < 1.5
    assert executor.stats().queued == 0
    for ticket in busy:
        ticket.cancel()


async def test_a_deadline_does_not_stop_what_has_started(executor: Executor) -> None:
    result = await executor.submit(request("slow", steps=20, deadline_s=0.1)).result()
    assert result.attempts == 1
