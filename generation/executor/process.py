"""One engine process as the event loop sees it: started, spoken to, killed, reaped."""

import asyncio
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

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


class EngineProcess:
    """A running engine and this process's end of the socket pair.

    The engine is an interpreter of its own (never a fork: the bot has threads and a loop), and
    must be started from a thread that lives as long as it should: the kernel kills it with that
    thread's process.

    Args:
        on_message: called in the loop with every message; pixels are already copied out.

    Raises:
        OSError: the system has no room for another process.
    """

    def __init__(
        self, *, arena: Arena, hello: Hello, on_message: Callable[[Message], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_message = on_message
        self._codec = Codec(outgoing=arena.requests, incoming=arena.results)
        self._unsent = bytearray()
        self.lost = asyncio.Event()
        self._socket, theirs = socket.socketpair()
        self._socket.setblocking(False)
        try:
            self._process = self._spawn(theirs.fileno(), arena=arena, hello=hello)
        except OSError:
            self._socket.close()
            raise
        finally:
            theirs.close()
        self._loop.add_reader(self._socket, self._receive)
        self.send(seen_inside(hello))

    def _spawn(self, fd: int, *, arena: Arena, hello: Hello) -> subprocess.Popen[bytes]:
        geometry = arena.geometry
        numbers = (fd, arena.fd, geometry.slots, geometry.slot_bytes, os.getpid())
        command = [sys.executable, "-P", "-m", "generation.executor.engine", *map(str, numbers)]
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command,
            env=engine_environment(threads=hello.config.threads, device=hello.config.device),
            pass_fds=(fd, arena.fd),
            stdin=subprocess.DEVNULL,
            stdout=2,
        )

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def dead(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

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
        self._process.kill()
        self._lose()

    async def reap(self) -> None:
        """Wait until the process is gone, so that its device memory is free again."""
        for _ in range(int(REAP_S / 0.005)):
            if self.dead:
                return
            await asyncio.sleep(0.005)
        logger.error("engine process %d does not end", self.pid)

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
            self._lose()
            return
        for message, slots in self._codec.decode(data):
            if slots:
                self.send(Release(slots=slots))
            if isinstance(message, Release):
                self._codec.outgoing.release(message.slots)
            self._on_message(message)

    def _lose(self) -> None:
        if not self.lost.is_set():
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket.close()
            self.lost.set()
