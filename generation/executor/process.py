"""One engine process as the event loop sees it: started, spoken to, killed, reaped."""

import asyncio
import logging
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

from generation.executor.arena import Arena
from generation.executor.messages import Hello, Message, Release
from generation.executor.wire import Codec

READ_BYTES = 256 * 1024
REAP_S = 3.0
SECRET_MARKS = ("TOKEN", "SECRET", "PASSWORD", "DATABASE", "_KEY")

logger = logging.getLogger(__name__)


def engine_environment(*, threads: int, device: str = "cpu") -> dict[str, str]:
    """Return the engine's environment: ours without secrets, with the number of threads.

    It sees no other GPU than its own, so that it touches no other's memory; see ``seen_inside``.

    Libraries read the number when they are first imported. The engine finds the same modules
    as this process, whatever this process was started as. It keeps freed memory for the next
    step: giving it back costs a page fault every 4 KiB, several times the copy of a picture.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not any(mark in name.upper() for mark in SECRET_MARKS)
    }
    kind, _, number = device.partition(":")
    if kind == "cuda" and number:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        names = visible.split(",") if visible else []
        inherited["CUDA_VISIBLE_DEVICES"] = (
            names[int(number)] if int(number) < len(names) else number
        )
    counts = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads)
    places = [str(Path(place or ".").resolve()) for place in sys.path]
    return (
        {"MALLOC_MMAP_THRESHOLD_": str(64 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(256 * 2**20)}
        | inherited
        | {name: str(count) for name, count in counts.items()}
        | {"PYTHONPATH": os.pathsep.join(places)}
    )


def seen_inside(hello: Hello) -> Hello:
    """Return a greeting in which a GPU has the number that its engine sees: none, it is alone."""
    if not hello.config.device.startswith("cuda:"):
        return hello
    return replace(hello, config=replace(hello.config, device="cuda"))


class Body(Protocol):
    """A process of ours, however it was started."""

    @property
    def pid(self) -> int:
        """Its id."""

    @property
    def dead(self) -> bool:
        """Whether it has ended."""

    def kill(self) -> None:
        """End it at once."""


class Spawned:
    """An interpreter of its own.

    It must be started from a thread that lives as long as it should: the kernel kills it with that
    thread's process.

    Args:
        module: what it runs.
        arguments: of that.
        fds: what it inherits.
        environment: what it finds.

    Raises:
        OSError: the system has no room for another process.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[object],
        *,
        fds: Sequence[int],
        environment: dict[str, str],
    ) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-P", "-m", module, *map(str, arguments)],
            env=environment,
            pass_fds=fds,
            stdin=subprocess.DEVNULL,
            stdout=2,
        )

    @property
    def pid(self) -> int:
        """Its id."""
        return self._process.pid

    @property
    def dead(self) -> bool:
        """Whether it has ended; its parent is asked for it once that is so."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()


def spawned_engine(theirs: socket.socket, *, arena: Arena, hello: Hello) -> Spawned:
    """Start an engine as an interpreter of its own: a fork of the bot would have its threads.

    Raises:
        OSError: the system has no room for another process.
    """
    geometry = arena.geometry
    fds = theirs.fileno(), arena.fd
    return Spawned(
        "generation.executor.engine",
        [*fds, geometry.slots, geometry.slot_bytes, os.getpid()],
        fds=fds,
        environment=engine_environment(threads=hello.config.threads, device=hello.config.device),
    )


async def buried(body: Body) -> None:
    """Wait until a process that was killed is gone, with the memory of its device."""
    for _ in range(int(REAP_S / 0.005)):
        if body.dead:
            return
        await asyncio.sleep(0.005)
    logger.error("process %d does not end", body.pid)


class EngineProcess:
    """A running engine and this process's end of the socket pair.

    Args:
        body: its process.
        end: of the socket pair, whose other end the process has.
        on_message: called with every message in a turn of the loop of its own; pixels are already
            copied out.
    """

    def __init__(
        self,
        body: Body,
        end: socket.socket,
        *,
        arena: Arena,
        hello: Hello,
        on_message: Callable[[Message], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_message = on_message
        self._codec = Codec(outgoing=arena.requests, incoming=arena.results)
        self._unsent = bytearray()
        self._acts: deque[Callable[[], None]] = deque()
        self.lost = asyncio.Event()
        self._body, self._socket = body, end
        self._socket.setblocking(False)
        self._loop.add_reader(self._socket, self._receive)
        self.send(seen_inside(hello))

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._body.pid

    @property
    def dead(self) -> bool:
        """Whether the process has ended."""
        return self._body.dead

    def send(self, message: Message) -> None:
        """Send a message without ever waiting; to an engine that is lost it goes nowhere.

        Raises:
            BufferError: there is no room for its pixels now.
        """
        if self.lost.is_set():
            return
        self._unsent += self._codec.encode(message)
        self._flush()

    def kill(self) -> None:
        """End the process at once."""
        self._body.kill()
        self._lose()

    async def reap(self) -> None:
        """Wait until the process is gone, so that its device memory is free again."""
        await buried(self._body)

    def _flush(self) -> None:
        try:
            while self._unsent:
                sent = self._socket.send(self._unsent)
                del self._unsent[:sent]
        except BlockingIOError:
            self._loop.add_writer(self._socket, self._flush)
            return
        except OSError:
            # What the engine said before it died is still to be read; reading finds the end.
            self._unsent.clear()
        self._loop.remove_writer(self._socket)

    def _receive(self) -> None:
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            # What was said before it is heard first.
            self._loop.remove_reader(self._socket)
            self._later(self._lose)
            return
        for message, slots in self._codec.decode(data):
            self._later(self._hear, message)
            if slots:
                self._later(self.send, Release(slots=slots))

    def _later(self, act: Callable[..., None], *arguments: object) -> None:
        """Do something in a turn of the loop of its own: nothing else has to wait for all."""
        self._acts.append(partial(act, *arguments))
        if len(self._acts) == 1:
            self._loop.call_soon(self._act)

    def _act(self) -> None:
        if self.lost.is_set():
            return
        act = self._acts.popleft()
        if self._acts:
            self._loop.call_soon(self._act)
        act()

    def _hear(self, message: Message) -> None:
        if isinstance(message, Release):
            self._codec.outgoing.release(message.slots)
        self._on_message(message)

    def _lose(self) -> None:
        if not self.lost.is_set():
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket.close()
            self.lost.set()
