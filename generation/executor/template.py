"""The client's end of a template: an engine that has died is replaced by a fork, in a moment.

Importing torch, diffusers and transformers is nearly all of an engine's start. The first engine is
started by itself, so that nobody waits for a template; once it has loaded a model, a template
imports the same modules in the background. Whatever goes wrong with that, engines are started by
themselves again. A template takes half a gigabyte beside the first engine; forks share it.
"""

import asyncio
import json
import logging
import os
import select
import signal
import socket
import sys
from collections.abc import Collection, Sequence
from contextlib import suppress

from generation.executor.arena import Arena
from generation.executor.messages import Hello
from generation.executor.process import Spawned, buried, engine_environment, seen_inside

ANSWER_BYTES = 64
FORK_S = 5.0
IMPORT_S = 300.0
ATTEMPTS = 2
"""So many templates in a row that come to nothing are enough for one set of modules."""
POSSIBLE = sys.platform == "linux" and hasattr(os, "pidfd_open")

logger = logging.getLogger(__name__)


class Forked:
    """A child of the template, by a descriptor that means no other process, ever."""

    def __init__(self, pid: int, handle: int) -> None:
        self.pid = pid
        self._handle: int | None = handle

    @property
    def dead(self) -> bool:
        """Whether it has ended; its descriptor is closed once that is so."""
        if self._handle is not None and _readable_now(self._handle):
            os.close(self._handle)
            self._handle = None
        return self._handle is None

    def kill(self) -> None:
        """End it at once."""
        if self._handle is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)


class Template:
    """A process that has imported what engines import; see ``forking``.

    Args:
        arena: of its engines.
        hello: what they will be told: their device, threads and priority are the template's.
        after_s: so much later than an engine's word of its imports they are repeated.
    """

    def __init__(self, *, arena: Arena, hello: Hello, after_s: float) -> None:
        self._arena = arena
        self._hello = hello
        self._after_s = after_s
        self._modules: set[str] = set()
        self._standing = False
        self._process: Spawned | None = None
        self._end: socket.socket | None = None
        self._learning: asyncio.Task[None] | None = None
        self._failures = 0

    @property
    def ready(self) -> bool:
        """Whether an engine can be forked."""
        return self._standing and self._alive

    @property
    def _alive(self) -> bool:
        return self._process is not None and not self._process.dead

    def learn(self, modules: Collection[str]) -> None:
        """Have a template, in a while, that has imported these and all that were named before.

        One that there is already is left as it is: engines of it may be at work.
        """
        if not self._modules.issuperset(modules):
            self._failures = 0
        self._modules.update(modules)
        idle = self._learning is None or self._learning.done()
        if POSSIBLE and idle and not self._alive and self._failures < ATTEMPTS:
            self._learning = asyncio.create_task(self._learn(), name="template")

    async def fork(self, theirs: socket.socket) -> Forked | None:
        """Fork an engine that has one end of a socket pair; None if no template answers."""
        if not self.ready:
            return None
        answer, descriptors = await self._answer(b"[]", [theirs.fileno()], within_s=FORK_S)
        if not descriptors:
            logger.warning("the template does not answer; an engine is started by itself")
            await self._end_process()
            return None
        return Forked(json.loads(answer), descriptors[0])

    async def drop(self) -> None:
        """End the process, and with it all engines that were forked from it."""
        if self._learning is not None:
            self._learning.cancel()
            await asyncio.gather(self._learning, return_exceptions=True)
        await self._end_process()

    async def _learn(self) -> None:
        await asyncio.sleep(self._after_s)
        await self._end_process()
        self._failures += 1
        try:
            self._begin()
        except OSError:
            logger.exception("no template can be started")
            return
        order = json.dumps(sorted(self._modules)).encode()
        answer, _ = await self._answer(order, [], within_s=IMPORT_S)
        if not answer:
            logger.warning("there is no template; engines are started by themselves")
            await self._end_process()
            return
        self._standing, self._failures = True, 0
        logger.info("a template stands by: the next engine is forked from it")

    async def _end_process(self) -> None:
        self._standing = False
        if self._end is not None:
            self._end.close()
            self._end = None
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            await buried(process)

    def _begin(self) -> None:
        self._end, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._end.setblocking(False)
        hello, arena = self._hello, self._arena
        geometry, config = arena.geometry, hello.config
        fds = theirs.fileno(), arena.fd
        numbers = (*fds, geometry.slots, geometry.slot_bytes, config.threads, hello.nice)
        with theirs:
            self._process = Spawned(
                "generation.executor.forking",
                [*numbers, os.getpid(), seen_inside(hello).config.device],
                fds=fds,
                environment=engine_environment(threads=config.threads, device=config.device),
            )

    async def _answer(
        self, order: bytes, fds: Sequence[int], *, within_s: float
    ) -> tuple[bytes, list[int]]:
        """Give an order; return the answer and the descriptors that came with it, if any."""
        end = self._end
        assert end is not None
        try:
            socket.send_fds(end, [order], fds)
            async with asyncio.timeout(within_s):
                await _readable(end)
            answer, descriptors, _, _ = socket.recv_fds(end, ANSWER_BYTES, 1)
        except OSError:
            return b"", []
        return answer, descriptors


def _readable_now(handle: int) -> bool:
    """Tell whether a descriptor, of any number, has something to read."""
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(0))


async def _readable(end: socket.socket) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(end, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(end)
