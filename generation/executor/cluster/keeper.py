"""The bot's end of a cluster: the dispatcher's process, and a keeper for each seat."""

import asyncio
import logging
import os
import pickle
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec

from generation.errors import EngineError
from generation.executor.arena import Geometry
from generation.executor.cluster.config import CURE, ClusterConfig
from generation.executor.cluster.letters import (
    Beat,
    Begin,
    Event,
    FromDispatcher,
    Letter,
    Lost,
    Opening,
    Post,
    Said,
    ToDispatcher,
    Up,
    Vanished,
    event_of,
    frame,
    letter_of,
    next_frame,
    pack,
)
from generation.executor.control import Phase, Sight
from generation.executor.keeper import Listener, Patience, within
from generation.executor.messages import Hello, Message
from generation.executor.process import engine_environment
from generation.executor.watchdog import Verdict

GLANCE_S = 0.1
STOP_S = 2.0
BEATLESS_S = 20.0
SHORTEST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 15.0
UNSEEN = Sight(beat=0, turn=0, phase=Phase.BETWEEN, deadline_ns=0, overdue=0, serials=())
"""What is known of an engine whose whole node is gone."""

HEADLESS_S = 10
"""Ray ends the dispatcher when the cluster's head has been gone for so long."""
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

logger = logging.getLogger(__name__)


class RemoteEngine:
    """The engine that a seat has now; what is sent to it when it is gone goes nowhere."""

    def __init__(self, seat: "ClusterKeeper", *, start: int, pid: int) -> None:
        self._seat = seat
        self.start = start
        self.pid = pid

    def send(self, message: Message) -> None:
        """Send a message without ever waiting."""
        if self._seat.engine is self:
            self._seat.post(self.start, message)


class ClusterKeeper:
    """One seat: like a keeper of this machine, it has one engine after another, somewhere.

    Args:
        cluster: whose seat it is.
        number: of the seat.
        listener: who is told what happens.
    """

    def __init__(self, cluster: "Cluster", *, number: int, listener: Listener) -> None:
        self._cluster = cluster
        self._number = number
        self.listener = listener
        self.engine: RemoteEngine | None = None
        self.starts = 0
        self._host = 0
        self._heard = 0

    @property
    def up(self) -> bool:
        """Whether the seat has an engine that is ready."""
        return self.engine is not None

    @property
    def has_template(self) -> bool:
        """False: whether there is one is known on its node alone."""
        return False

    async def run(self) -> None:
        """Have an engine in the cluster until told to stop."""
        await self._cluster.run()

    async def stop(self) -> None:
        """End the engine, and those of all other seats; ``run`` returns."""
        await self._cluster.stop()

    def post(self, start: int, message: Message) -> None:
        """Send a message that is meant for one start of the present host's engine."""
        post = Post(seat=self._number, host=self._host, start=start, message=pack(message))
        self._cluster.send(post)

    def hear(self, letter: Letter) -> None:
        """Take an event in, once, and only of the newest host of this seat."""
        if (letter.host, letter.number) <= (self._host, self._heard):
            logger.info("seat %d: a letter of host %d is too late", self._number, letter.host)
            return
        if letter.host > self._host:
            self._lose()
        self._host, self._heard = letter.host, letter.number
        try:
            event = event_of(letter.event)
        except pickle.UnpicklingError:
            logger.exception("seat %d: a letter of host %d is refused", self._number, letter.host)
        else:
            self._take(event)

    def vanish(self, vanished: Vanished) -> None:
        """Take in that a host was given up; nothing of it counts from now on."""
        if vanished.host >= self._host:
            self._host, self._heard = vanished.host, sys.maxsize
            self._lose()

    def forget(self) -> None:
        """Begin anew with another dispatcher, which numbers its hosts from 1."""
        self._host = self._heard = 0
        self._lose()

    def _take(self, event: Event) -> None:
        match event:
            case Up(start=start, node=node, pid=pid):
                self._lose()
                self.starts += 1
                self.engine = RemoteEngine(self, start=start, pid=pid)
                logger.info("seat %d has an engine on %s", self._number, node)
                self.listener.on_up()
            case _ if self.engine is None or self.engine.start != event.start:
                logger.info("seat %d: an engine that is gone has spoken", self._number)
            case Said(message=message):
                self.listener.on_message(message)
            case Lost(sight=sight, verdict=verdict):
                self._lose(sight, verdict)

    def _lose(self, sight: Sight = UNSEEN, verdict: Verdict | None = None) -> None:
        """Tell the listener that the engine is gone, if there was one."""
        engine, self.engine = self.engine, None
        if engine is not None:
            self.listener.on_lost(sight, verdict)


class Cluster:
    """The dispatcher's process, one after another, and the seats that it serves.

    Args:
        config: where the cluster is.
        hello: for the engines.
        patience: for their keepers; a start that takes longer counts as hopeless here, too.
        arena: what each engine's pictures travel through on its node.

    Raises:
        EngineError: Ray is not installed.
    """

    def __init__(
        self, config: ClusterConfig, *, hello: Hello, patience: Patience, arena: Geometry
    ) -> None:
        if find_spec("ray") is None:
            raise EngineError(f"a cluster needs Ray; {CURE}")
        self._patience = patience
        self._begin = Begin(
            address=config.address,
            seats=0,
            opening=pack(
                Opening(
                    hello=elsewhere(hello),
                    patience=patience,
                    arena=arena,
                )
            ),
            start_timeout_s=patience.start_timeout_s,
            silence_s=config.silence_s,
            log_level=hello.log_level,
        )
        self._seats: list[ClusterKeeper] = []
        self._stopping = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._silent_s = self._idle_s = 0.0
        self._greeted = False

    def seat(self, listener: Listener) -> ClusterKeeper:
        """Return a keeper for one more seat, before the first of them runs."""
        seat = ClusterKeeper(self, number=len(self._seats), listener=listener)
        self._seats.append(seat)
        return seat

    async def run(self) -> None:
        """Have a dispatcher until told to stop; all seats share one."""
        if self._running is None:
            self._running = asyncio.create_task(self._keep(), name="cluster")
        await asyncio.shield(self._running)

    async def stop(self) -> None:
        """Tell the dispatcher that no more comes, give it a moment to end, then kill it."""
        if self._writer is not None:
            self._writer.write_eof()
        self._stopping.set()
        if self._running is not None:
            await self._running

    def send(self, letter: ToDispatcher) -> None:
        """Send the dispatcher a letter without ever waiting; nowhere when there is none."""
        if self._writer is not None and not self._stopping.is_set():
            self._writer.write(frame(letter))

    async def _keep(self) -> None:
        pause_s = SHORTEST_PAUSE_S
        while not self._stopping.is_set():
            self._greeted = False
            await self._one_dispatcher()
            pause_s = SHORTEST_PAUSE_S if self._greeted else min(2 * pause_s, LONGEST_PAUSE_S)
            if not self._stopping.is_set():
                logger.warning("the dispatcher has ended; another one starts in %.1f s", pause_s)
                await self._rest(pause_s)

    async def _rest(self, seconds: float) -> None:
        """Wait, and go on counting how long there has been no engine."""
        for _ in range(round(seconds / GLANCE_S)):
            await within(GLANCE_S, self._stopping)
            self._count(GLANCE_S)

    async def _one_dispatcher(self) -> None:
        """Start a dispatcher and stay with it until it has ended."""
        ours, theirs = socket.socketpair()
        try:
            process = self._process = self._spawn(theirs.fileno())
        except OSError:
            ours.close()
            logger.exception("no dispatcher process can be started")
            return
        finally:
            theirs.close()
        reader, self._writer = await asyncio.open_connection(sock=ours)
        self.send(replace(self._begin, seats=len(self._seats)))
        reading = asyncio.create_task(self._read(reader), name="letters of the dispatcher")
        try:
            await self._watch(process, reading)
        finally:
            await self._bury(process, reading)

    def _spawn(self, fd: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", f"{__package__}.dispatcher", str(fd)]
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [*command, str(os.getpid())],
            env=dispatcher_environment(self._begin.address),
            pass_fds=(fd,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # Ray copies the logs of nodes that have died there.
        )

    async def _watch(self, process: subprocess.Popen[bytes], reading: asyncio.Task[None]) -> None:
        """Return once the dispatcher has ended or has to be killed."""
        clock = asyncio.get_running_loop().time
        self._silent_s, looked_at = 0.0, clock()
        while not self._stopping.is_set():
            await within(GLANCE_S, self._stopping)
            now = clock()
            # A pause of this very process must not be taken for the dispatcher's.
            passed_s, looked_at = min(now - looked_at, 2 * GLANCE_S), now
            self._silent_s += passed_s
            self._count(passed_s)
            if process.poll() is not None or reading.done():
                return
            if self._silent_s > (BEATLESS_S if self._greeted else self._patience.start_timeout_s):
                logger.error("the dispatcher has fallen silent")
                return
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await reading

    async def _bury(self, process: subprocess.Popen[bytes], reading: asyncio.Task[None]) -> None:
        """End what is left of a dispatcher, and tell the seats."""
        process.kill()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        writer, self._writer, self._process = self._writer, None, None
        if writer is not None:
            writer.close()
        await asyncio.to_thread(process.wait)
        if not self._stopping.is_set():
            for seat in self._seats:
                seat.forget()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Take letters until the dispatcher has ended."""
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                self._hear(letter_of(await next_frame(reader)))

    def _hear(self, letter: FromDispatcher) -> None:
        self._silent_s = 0.0
        match letter:
            case Beat():
                self._greeted = True
            case Letter(seat=number):
                if number < len(self._seats):
                    self._seats[number].hear(letter)
            case Vanished(seat=number):
                if number < len(self._seats):
                    self._seats[number].vanish(letter)

    def _count(self, passed_s: float) -> None:
        """Tell the listeners when there has been no engine for too long."""
        self._idle_s = 0.0 if any(seat.up for seat in self._seats) else self._idle_s + passed_s
        if self._idle_s > self._patience.start_timeout_s:
            self._idle_s = 0.0
            logger.error("no engine has come up in the cluster at %s", self._begin.address)
            for seat in self._seats:
                seat.listener.on_hopeless()


def elsewhere(hello: Hello) -> Hello:
    """Return a greeting that means the same on another machine.

    Ray shows an engine only the GPU that is its own; checkpoints lie at the same place. In exact
    mode calls are not measured: two nodes could settle on two shapes, and bytes depend on them.
    How models find room is not kept either: every equal device comes to the same by itself. That
    one has none for a model is no word on the others; the bot knows when all have said so.
    """
    config = hello.config
    config = replace(
        config,
        device="cuda" if config.device.startswith("cuda") else config.device,
        models_dir=config.models_dir.resolve(),
        profile=False if config.exact else config.profile,
        profiles=None,
        plans=None,
        stations=sys.maxsize,
    )
    return replace(hello, config=config)


def dispatcher_environment(address: str) -> dict[str, str]:
    """Return the dispatcher's environment: no secret but Ray's own token, and a quiet Ray."""
    rays = {name: value for name, value in os.environ.items() if name.startswith("RAY_")}
    defaults = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_gcs_rpc_server_reconnect_timeout_s": str(HEADLESS_S),
    }
    if address.rpartition(":")[0] in LOOPBACK:
        defaults["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    return engine_environment(threads=1) | defaults | rays
