"""A template: a process that has imported what engines import, and forks them in a moment.

``python -m generation.executor.forking``, started beside an engine that has loaded its first model.
A fork has to be as good as an interpreter that has imported the same: the template has one thread
and touches no device. Before it serves, it makes sure of both, and has a fork compute something.
The kernel kills it with the client, and its engines with it.
"""

import gc
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from generation.executor import engine
from generation.executor.device import settle_threads
from generation.priority import step_back

MOST_BYTES = 64 * 1024
REHEARSAL_S = 60.0
DEVICE_FILES = ("/dev/nvidia", "/dev/kfd", "/dev/dri")
SIDE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What a fork computes, where and with how many threads, before engines are forked."""

    device: str
    threads: int

    def hold(self) -> None:
        """Have a fork compute; end this process if it cannot, or if its parent was not clean.

        Libraries of linear algebra put their idle threads away when a process forks.
        """
        itself, child = os.getpid(), os.fork()
        if not child:
            # Whatever may hang here ends with the template, and in time.
            engine.die_with_parent(itself)
            signal.alarm(round(REHEARSAL_S))
            self._play_out()
        if not _ended(child, within_s=REHEARSAL_S):
            os.kill(child, signal.SIGKILL)
        if os.waitpid(child, 0)[1]:
            sys.exit("no engines are forked: a fork could not compute")
        if reason := unclean():
            sys.exit(f"no engines are forked: {reason}")

    def _play_out(self) -> NoReturn:
        """Play, and end this process with what came of it."""
        failed = 1
        try:
            self.play()
            failed = 0
        finally:
            os._exit(failed)

    def play(self) -> None:
        """Multiply two matrices on the device, if torch is here."""
        if "torch" not in sys.modules:
            return
        import torch

        from generation.devices import torch_device

        settle_threads(self.threads)
        ones = torch.ones(SIDE, SIDE, device=torch_device(self.device))
        if float((ones @ ones).sum()) != SIDE**3:
            raise ArithmeticError("a product of matrices is wrong in a fork")


def unclean() -> str | None:
    """Return why a fork of this process would not be as good as a new interpreter, or None."""
    if threads() > 1:
        return "importing has left threads"
    touched = [path for path in _open_files() if path.startswith(DEVICE_FILES)]
    return f"importing has opened {', '.join(touched)}" if touched else None


def threads() -> int:
    """Return how many this process has, those of libraries included."""
    return len(list(Path("/proc/self/task").iterdir()))


def _open_files() -> list[str]:
    found = []
    for link in Path("/proc/self/fd").iterdir():
        # The descriptor that lists the folder is closed by now.
        with suppress(FileNotFoundError):
            found.append(str(link.readlink()))
    return found


def _ended(child: int, *, within_s: float) -> bool:
    handle = os.pidfd_open(child)
    try:
        return bool(select.select([handle], [], [], within_s)[0])
    finally:
        os.close(handle)


class Template:
    """Imports and forks to order, one order after another.

    The first order is a JSON list of modules to import, answered by an empty one. Any other brings
    the descriptor of an engine's socket, and is answered by the fork's process id and a descriptor
    of that process.
    """

    def __init__(self, end: socket.socket, rehearsal: Rehearsal) -> None:
        self._end = end
        self._rehearsal = rehearsal
        self._engines: dict[int, int] = {}
        self._poll = select.poll()
        self._poll.register(end, select.POLLIN)

    def serve(self) -> int:
        """Follow orders; return only in a fork, with the descriptor of its engine's socket."""
        while True:
            for ready, _ in self._poll.poll():
                if ready in self._engines:
                    self._bury(ready)
                elif (theirs := self._obey()) is not None:
                    return theirs

    def _obey(self) -> int | None:
        order, descriptors, _, _ = socket.recv_fds(self._end, MOST_BYTES, 1)
        if descriptors:
            return self._fork(descriptors[0])
        if not order:
            sys.exit()
        self._learn(json.loads(order))
        return None

    def _learn(self, modules: Iterable[str]) -> None:
        for name in modules:
            import_module(name)
        # What is never looked at again by the collector stays shared with every fork.
        gc.collect()
        gc.freeze()
        self._rehearsal.hold()
        self._end.send(b"[]")

    def _fork(self, theirs: int) -> int | None:
        pid = os.fork()
        if not pid:
            self._end.close()
            for handle in self._engines:
                os.close(handle)
            return theirs
        os.close(theirs)
        handle = os.pidfd_open(pid)
        self._engines[handle] = pid
        self._poll.register(handle, select.POLLIN)
        socket.send_fds(self._end, [str(pid).encode()], [handle])
        return None

    def _bury(self, handle: int) -> None:
        os.waitpid(self._engines.pop(handle), 0)
        self._poll.unregister(handle)
        os.close(handle)


def main(arguments: Sequence[str]) -> None:
    """Serve on inherited descriptors: socket, arena; slots, bytes of a slot, threads, nice, parent.

    The last argument is the device that engines are for.
    """
    end, arena, slots, slot_bytes, threads, nice, parent = map(int, arguments[:-1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    engine.die_with_parent(parent)
    os.set_inheritable(end, False)
    step_back(nice, threads=threads)
    itself = os.getpid()
    rehearsal = Rehearsal(device=arguments[-1], threads=threads)
    theirs = Template(socket.socket(fileno=end), rehearsal).serve()
    engine.main([str(number) for number in (theirs, arena, slots, slot_bytes, itself)])


if __name__ == "__main__":
    main(sys.argv[1:])
