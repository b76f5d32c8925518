"""Keeps one engine running: starts it, watches it, and replaces it when it dies or hangs."""

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from generation.executor.arena import Arena
from generation.executor.control import ControlPage, Sight
from generation.executor.messages import Hello, Imported, Message, Ready, Stop
from generation.executor.process import EngineProcess, spawned_engine
from generation.executor.template import Forked, Template
from generation.executor.watchdog import Verdict, Watchdog

GLANCE_S = 0.1
STOP_S = 1.0
FRUITLESS_STARTS = 4
FRUITLESS_FORKS = 2
SHORTEST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 30.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long is waited for what; see ``ExecutorConfig``."""

    hang_timeout_s: float
    load_timeout_s: float
    start_timeout_s: float
    grace_s: float
    template_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Who is told what happens.

    Args:
        on_message: everything that the engine says.
        on_up: an engine is ready.
        on_lost: an engine has ended, with what the control page said and why it was killed.
        on_hopeless: several engines in a row did not come up; it is tried on.
    """

    on_message: Callable[[Message], None]
    on_up: Callable[[], None]
    on_lost: Callable[[Sight, Verdict | None], None]
    on_hopeless: Callable[[], None]


class Keeper:
    """Has one engine after another."""

    def __init__(
        self, *, arena: Arena, hello: Hello, patience: Patience, listener: Listener
    ) -> None:
        self._arena = arena
        self._hello = hello
        self._patience = patience
        self._listener = listener
        self.engine: EngineProcess | None = None
        self.up = False
        self.starts = 0
        self._stopping = asyncio.Event()
        self._fruitless_forks = 0
        after_s = patience.template_after_s
        self._template = (
            None if after_s is None else Template(arena=arena, hello=hello, after_s=after_s)
        )

    @property
    def has_template(self) -> bool:
        """Whether the next engine would be forked instead of started by itself."""
        return self._template is not None and self._template.ready

    async def run(self) -> None:
        """Have an engine running until told to stop."""
        page = ControlPage(self._arena.control)
        fruitless = 0
        try:
            while not self._stopping.is_set():
                fruitless = 0 if await self._one_engine(page) else fruitless + 1
                if fruitless >= FRUITLESS_STARTS:
                    self._listener.on_hopeless()
                if fruitless:
                    pause_s = SHORTEST_PAUSE_S * 2**fruitless
                    await within(min(pause_s, LONGEST_PAUSE_S), self._stopping)
        finally:
            page.close()
            if self._template is not None:
                await self._template.drop()

    async def stop(self) -> None:
        """Ask the engine to end, give it a moment, then kill it; ``run`` returns."""
        self._stopping.set()
        engine = self.engine
        if engine is not None:
            engine.send(Stop())
            await within(STOP_S, engine.lost)
            engine.kill()

    async def _one_engine(self, page: ControlPage) -> bool:
        """Start an engine and stay with it until it has ended; return whether it came up."""
        page.clear()
        self._arena.requests.reset()
        self.starts += 1
        try:
            engine = await self._begun()
        except OSError:
            logger.exception("no engine process can be started")
            return False
        self.engine = engine
        verdict = None
        try:
            if not self._stopping.is_set():
                verdict = await self._watch(engine, page)
        finally:
            came_up, self.up = self.up, False
            self.engine = None
            engine.kill()
            await engine.reap()
        if self._stopping.is_set():
            return came_up
        reason = "it ended by itself" if verdict is None else verdict.reason
        logger.warning("engine process %d is replaced: %s", engine.pid, reason)
        self._listener.on_lost(page.read(), verdict)
        return came_up

    async def _begun(self) -> EngineProcess:
        """Start an engine: forked from the template if there is one, else by itself.

        Raises:
            OSError: the system has no room for another process.
        """
        hello = self._hello
        ours, theirs = socket.socketpair()
        with theirs:
            forked = await self._fork(theirs)
            try:
                body = forked or spawned_engine(theirs, arena=self._arena, hello=hello)
            except OSError:
                ours.close()
                raise
        if forked:
            # It has the template's priority already.
            hello = replace(hello, nice=0)
        return EngineProcess(body, ours, arena=self._arena, hello=hello, on_message=self._hear)

    async def _fork(self, theirs: socket.socket) -> Forked | None:
        """Fork an engine, unless there is no template, or its forks come to nothing."""
        if self._template is None:
            return None
        if self._fruitless_forks == FRUITLESS_FORKS:
            logger.warning("engines that were forked have loaded no model; the next is not")
            self._fruitless_forks = 0
            await self._template.drop()
        forked = await self._template.fork(theirs)
        # Taken back as soon as the engine has loaded a model.
        self._fruitless_forks += forked is not None
        return forked

    async def _watch(self, engine: EngineProcess, page: ControlPage) -> Verdict | None:
        """Return once the engine has ended by itself (None) or has to be killed."""
        patience = self._patience
        watchdog = Watchdog(
            hang_timeout_s=patience.hang_timeout_s,
            load_timeout_s=patience.load_timeout_s,
            grace_s=patience.grace_s,
            glance_s=2 * GLANCE_S,
        )
        started_at = asyncio.get_running_loop().time()
        while True:
            await within(GLANCE_S, engine.lost)
            # A process that it has started itself may hold its socket open beyond its death.
            if engine.lost.is_set() or engine.dead:
                return None
            if self.up:
                verdict = watchdog.look(page.read())
            elif asyncio.get_running_loop().time() - started_at > patience.start_timeout_s:
                verdict = Verdict(reason="it did not get ready")
            else:
                verdict = None
            if verdict is not None:
                return verdict

    def _hear(self, message: Message) -> None:
        if isinstance(message, Ready):
            self.up = True
            self._listener.on_up()
        elif isinstance(message, Imported):
            self._fruitless_forks = 0
            if self._template is not None:
                self._template.learn(message.modules)
        else:
            self._listener.on_message(message)


async def within(seconds: float, event: asyncio.Event) -> None:
    """Wait for an event, but not longer."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
