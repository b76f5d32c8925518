"""One engine process as the loop sees it: how what it says is heard, and what it gives way to."""

import asyncio
import logging
import os
import socket
from collections.abc import Callable

import pytest

from generation.executor.arena import Arena
from generation.executor.messages import Done, Gone, Hello, Message
from generation.executor.process import EngineProcess
from generation.executor.wire import Codec
from generation.pipelines.base import EngineConfig
from generation.request import Result
from tests.generation.executor.conftest import Begin
from tests.generation.executor.requests import picture, request, until

CORES = sorted(os.sched_getaffinity(0))


class Body:
    """Where a process would be: what it says, the test itself writes into the socket."""

    pid, dead = 0, False

    def kill(self) -> None:
        """There is nothing to end."""


class Listener:
    """Counts the turns of the loop and notes in which one a message was heard."""

    def __init__(self, arena: Arena) -> None:
        ours, self.end = socket.socketpair()
        self.heard: list[Message] = []
        self.turns: list[int] = []
        self.then: Callable[[], None] = lambda: None
        self._turn = 0
        self.codec = Codec(outgoing=arena.results, incoming=arena.requests)
        hello = Hello(
            config=EngineConfig(device="cpu"),
            pipelines={},
            preview_interval_s=1,
            nice=0,
            log_level=logging.INFO,
        )
        self.process = EngineProcess(
            Body(), ours, arena=arena, hello=hello, on_message=self._on_message
        )
        self._count()

    def _count(self) -> None:
        self._turn += 1
        asyncio.get_running_loop().call_soon(self._count)

    def _on_message(self, message: Message) -> None:
        self.heard.append(message)
        self.then()
        self.turns.append(self._turn)


MESSAGES: list[Message] = [
    Gone(serial=1),
    Done(serial=2, result=Result(job_id="a", image=picture(), seed=1, model="tiny", device_ms=3)),
    Gone(serial=3),
]


async def test_messages_that_arrive_together_are_heard_in_turns_of_their_own(arena: Arena) -> None:
    listener = Listener(arena)
    listener.end.sendall(b"".join(map(listener.codec.encode, MESSAGES)))
    await until(lambda: len(listener.heard) == len(MESSAGES))
    assert listener.heard == MESSAGES
    assert len(set(listener.turns)) == len(MESSAGES)
    listener.process.kill()
    listener.end.close()


async def test_what_a_process_said_before_its_end_is_heard_before_it_is_lost(arena: Arena) -> None:
    listener = Listener(arena)
    listener.end.sendall(b"".join(map(listener.codec.encode, MESSAGES)))
    listener.end.close()
    async with asyncio.timeout(5):
        await listener.process.lost.wait()
    assert listener.heard == MESSAGES


async def test_nothing_is_heard_of_a_process_that_was_killed(arena: Arena) -> None:
    listener = Listener(arena)
    listener.end.sendall(b"".join(map(listener.codec.encode, MESSAGES)))
    listener.then = listener.process.kill
    await until(lambda: bool(listener.heard))
    await asyncio.sleep(0.05)
    assert listener.heard == MESSAGES[:1]
    listener.end.close()


@pytest.mark.parametrize("threads", [1, len(CORES)])
async def test_an_engine_leaves_a_core_to_the_loop_where_there_is_one_more_than_threads(
    begin: Begin, threads: int
) -> None:
    executor = await begin(nice=1, engine=EngineConfig(device="cpu", threads=threads))
    await executor.submit(request("noise")).result()
    pid = executor.engine_pid
    assert pid is not None
    left = CORES[1:] if len(CORES) > threads else CORES
    assert sorted(os.sched_getaffinity(pid)) == left
