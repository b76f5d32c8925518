"""A host has an engine on its node, takes posts once and says everything until it is heard."""

import asyncio
import logging
import os
import signal
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

import generation
from generation.errors import EngineError, EngineLostError
from generation.executor.arena import Geometry
from generation.executor.cluster.host import Host, edition
from generation.executor.cluster.letters import Event, Lost, Opening, Said, Up, event_of, pack
from generation.executor.keeper import Patience
from generation.executor.messages import Cancel, Done, Failed, Gone, Hello, Submit
from generation.pipelines.base import EngineConfig
from tests.generation.executor.pipelines import PIPELINES
from tests.generation.executor.requests import is_gone, picture, request

OPENING = pack(
    Opening(
        hello=Hello(
            config=EngineConfig(device="cpu"),
            pipelines=PIPELINES,
            preview_interval_s=0.1,
            nice=0,
            log_level=logging.WARNING,
        ),
        patience=Patience(hang_timeout_s=5, load_timeout_s=5, start_timeout_s=5, grace_s=1),
        arena=Geometry(slots=4, slot_bytes=2**16),
    )
)


class Caller:
    """Speaks to a host as a dispatcher does, and remembers what it has heard."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.last = 0
        self.told = 1
        self.heard: deque[Event] = deque()

    async def tell(self, *messages: Submit | Cancel, start: int = 1) -> None:
        posts = [(start, pack(message)) for message in messages]
        await self.host.tell(self.told, posts)
        self.told += len(posts)

    async def events(self) -> AsyncGenerator[Event, None]:
        """Yield what the host says, for at most ten seconds."""
        async with asyncio.timeout(10):
            while True:
                if not self.heard:
                    for number, data in await self.host.hear(self.last):
                        assert number == self.last + 1
                        self.last = number
                        self.heard.append(event_of(data))
                else:
                    yield self.heard.popleft()

    async def until(self, kind: type[Event]) -> list[Event]:
        """Hear until an event of a kind has come; return them all."""
        events: list[Event] = []
        async with aclosing(self.events()) as coming:
            async for event in coming:
                events.append(event)
                if isinstance(event, kind):
                    break
        return events

    async def outcome(self) -> object:
        """Hear until a request has ended; return how."""
        async with aclosing(self.events()) as coming:
            async for event in coming:
                if isinstance(event, Said) and isinstance(event.message, Done | Failed | Gone):
                    return event.message
        return None


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    host = Host()
    await host.open(OPENING, edition())
    yield Caller(host)
    await host.close()


async def test_a_request_told_twice_is_made_once(caller: Caller) -> None:
    (first,) = await caller.until(Up)
    assert isinstance(first, Up)
    assert first.start == 1
    posts = [(1, pack(Submit(serial=1, request=request("noise", seed=3))))]
    await caller.host.tell(1, posts)
    await caller.host.tell(1, posts)
    caller.told = 2
    done = await caller.outcome()
    assert isinstance(done, Done)
    await caller.tell(Submit(serial=2, request=request("noise", seed=3)))
    again = await caller.outcome()
    assert isinstance(again, Done)
    assert (again.serial, again.result.image) == (2, done.result.image)


async def test_what_was_not_taken_note_of_is_said_again(caller: Caller) -> None:
    first = await caller.host.hear(0)
    assert await caller.host.hear(0) == first
    assert await caller.host.hear(first[-1][0]) == []


async def test_a_killed_engine_is_replaced_on_the_node_and_old_posts_go_nowhere(
    caller: Caller,
) -> None:
    (first,) = await caller.until(Up)
    assert isinstance(first, Up)
    os.kill(first.pid, signal.SIGKILL)
    assert [type(event) for event in await caller.until(Up)] == [Lost, Up]
    await caller.tell(Submit(serial=1, request=request("noise")), start=1)
    await caller.tell(Submit(serial=2, request=request("noise")), start=2)
    done = await caller.outcome()
    assert isinstance(done, Done)
    assert done.serial == 2


async def test_pictures_wait_for_room_in_the_arena(caller: Caller) -> None:
    await caller.until(Up)
    image = picture(width=256, height=128)
    wanted = [Submit(serial=it, request=request("noise", image=image)) for it in range(1, 9)]
    await caller.tell(*wanted)
    outcomes = [await caller.outcome() for _ in wanted]
    assert sorted(it.serial for it in outcomes if isinstance(it, Done)) == list(range(1, 9))


async def test_a_cancelled_request_leaves(caller: Caller) -> None:
    await caller.until(Up)
    await caller.tell(Submit(serial=1, request=request("slow", steps=500)), Cancel(serial=1))
    assert await caller.outcome() == Gone(serial=1)


async def test_other_versions_are_refused() -> None:
    with pytest.raises(EngineError, match="this node has"):
        await Host().open(OPENING, "other sources")


def test_the_edition_follows_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = edition()
    assert edition() == before
    (tmp_path / "__init__.py").write_text("changed = True\n")
    monkeypatch.setattr(generation, "__file__", str(tmp_path / "__init__.py"))
    assert edition() != before


async def test_a_node_on_which_no_engine_comes_up_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = Host()
    monkeypatch.setattr("sys.executable", "/bin/false")
    await host.open(OPENING, edition())
    with pytest.raises(EngineLostError, match="no engine comes up"):
        await Caller(host).until(Up)
    await host.close()


async def test_closing_ends_the_engine() -> None:
    host = Host()
    await host.open(OPENING, edition())
    (first,) = await Caller(host).until(Up)
    assert isinstance(first, Up)
    await host.close()
    assert is_gone(first.pid)
