"""Child processes with little memory and time, for work on data that nobody vouches for.

A child serves one call at a time over a pipe. When it dies (killed by a limit, or by a crash in
a decoder) or takes too long, the call fails and the next one finds a fresh child.
"""

import asyncio
import ctypes
import multiprocessing
import queue
import resource
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any, Self, TypeVar

from generation.errors import GenerationError, IntakeLimitError
from generation.priority import step_back

T = TypeVar("T")
_LIMIT_SENTENCE = "this picture took more time or memory than is allowed"
# The parameters of mallopt(3), and values that keep pictures of 8 megapixels in the heap.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES, _LARGEST_KEPT_BYTES = 2**28, 2**25
_START_S = 120.0
"""So long may a child take to be up, on a machine that has too much to do."""
_PRELOADED = "generation.preloaded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a child may use.

    Args:
        address_space: bytes of RLIMIT_AS.
        cpu_s: seconds of processor time for each call.
        wall_s: seconds after which a call is given up and its child killed.
        files: open descriptors.
        max_calls: calls after which a child is replaced, so that leaks stay small.
        nice: how far a child steps back, as engines do, so that the bot's loop stays quick.
    """

    address_space: int = 2**30
    cpu_s: int = 10
    wall_s: float = 30.0
    files: int = 32
    max_calls: int = 100
    nice: int = 5

    def apply(self) -> None:
        """Limit the calling process for the rest of its life."""
        step_back(self.nice)
        resource.setrlimit(resource.RLIMIT_AS, (self.address_space, self.address_space))
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.files, self.files))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def renew(self) -> None:
        """Grant the processor time of one more call; the limit counts from the process's start."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        used_s = int(usage.ru_utime + usage.ru_stime) + 1
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (used_s + self.cpu_s, hard))


class ChildPool:
    """Run functions in limited children; as many at once as there are workers."""

    def __init__(self, *, workers: int = 1, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._workers = workers
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="children")
        self._children: queue.SimpleQueue[_Child] = queue.SimpleQueue()
        self._all: list[_Child] = []

    async def start(self) -> None:
        """Start the children, so that the first upload does not wait for them."""
        loop = asyncio.get_running_loop()
        for _ in range(self._workers):
            child = _Child(self._limits)
            self._all.append(child)
            await loop.run_in_executor(self._threads, child.start)
            self._children.put(child)

    async def close(self) -> None:
        """End the children at once; calls under way fail."""
        await asyncio.to_thread(self._close)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def call(self, function: Callable[..., T], *arguments: object) -> T:
        """Run an importable function in a child.

        Raises:
            GenerationError: what the function raised.
            IntakeLimitError: the child died or took too long.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._call, function, arguments)

    def _close(self) -> None:
        for child in self._all:
            child.stop()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for child in self._all:
            child.close()

    def _call(self, function: Callable[..., T], arguments: tuple[object, ...]) -> T:
        # There are as many threads as children, so that one is always free; a cancelled caller
        # leaves its thread running, which still hands the child back.
        child = self._children.get()
        try:
            return child.call(function, arguments)
        finally:
            self._children.put(child)


class _Child:
    """One process and the pipe to it; started anew when it is gone."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection[Any, Any] | None = None
        self._calls = 0
        self._stopped = False

    def start(self) -> None:
        """Start the process, and wait until it is up, so that this is no call's time."""
        self._kill()
        # A fork server has no threads and no torch, unlike the process that asks it to fork.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([_PRELOADED])
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._limits), daemon=True)
        self._process.start()
        theirs.close()
        self._calls = 0
        self._answer(within_s=_START_S)

    def stop(self) -> None:
        """End the process; a call that waits for it fails."""
        self._stopped = True
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """Reap the process and close the pipe, once no call waits for it."""
        self._kill()

    def call(self, function: Callable[..., T], arguments: tuple[object, ...]) -> T:
        if self._stopped:
            raise IntakeLimitError("pictures are no longer taken; the bot is stopping")
        try:
            if self._process is None or self._pipe is None or not self._process.is_alive():
                self.start()
            succeeded, value = self._exchange((function, arguments))
        except (EOFError, OSError) as err:
            self._kill(grace_s=0.0 if isinstance(err, TimeoutError) else 0.5)
            raise IntakeLimitError(_LIMIT_SENTENCE) from err
        self._calls += 1
        if self._calls >= self._limits.max_calls:
            self._kill()
        if not succeeded:
            raise value
        result: T = value
        return result

    def _exchange(self, message: object) -> tuple[bool, Any]:
        assert self._pipe is not None
        self._pipe.send(message)
        reply: tuple[bool, Any] = self._answer(within_s=self._limits.wall_s)
        return reply

    def _answer(self, *, within_s: float) -> Any:  # noqa: ANN401 (what functions return)
        assert self._pipe is not None
        if not self._pipe.poll(within_s):
            raise TimeoutError("the child gave no answer in time")
        return self._pipe.recv()

    def _kill(self, *, grace_s: float = 0.0) -> None:
        """End the process; a dying one may use its grace to print why."""
        process, self._process = self._process, None
        if process is not None:
            process.join(grace_s)
            process.kill()
            process.join()
        if self._pipe is not None:
            self._pipe.close()


def _keep_freed_memory() -> None:
    """Have malloc keep for the next call what one has freed.

    Given back, every 4 KiB of it would cost a page fault: a tenth of the time of a photograph.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def _serve(pipe: "Connection[Any, Any]", limits: Limits) -> None:
    """Answer calls until the parent goes away; any other error ends the child."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A fork server that another user of it has started has not done so.
    import_module(_PRELOADED)
    limits.apply()
    _keep_freed_memory()
    pipe.send(None)
    while True:
        try:
            function, arguments = pipe.recv()
        except EOFError:
            return
        limits.renew()
        try:
            reply = (True, function(*arguments))
        except GenerationError as error:
            reply = (False, error)
        except MemoryError:
            reply = (False, IntakeLimitError(_LIMIT_SENTENCE))
        pipe.send(reply)
