"""The engine process: ``python -m generation.executor.engine``, started by the client."""

import ctypes
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence

from generation.executor.arena import Arena, Geometry
from generation.executor.control import ControlPage
from generation.executor.link import ClientGoneError, Link
from generation.executor.loop import Engine
from generation.executor.messages import Hello
from generation.priority import step_back

BEAT_S = 0.2
PR_SET_PDEATHSIG = 1

logger = logging.getLogger(__name__)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent dies, however that happens."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the parent is gone already")


def keep_beating(page: ControlPage, *, parent: int) -> None:
    """Show signs of life until the parent is gone."""
    pause = threading.Event()
    while os.getppid() == parent:
        page.beat()
        pause.wait(BEAT_S)
    os._exit(1)


def main(arguments: Sequence[str]) -> None:
    """Run an engine on inherited descriptors: socket, arena, slots, bytes of a slot, parent."""
    socket_fd, arena_fd, slots, slot_bytes, parent = map(int, arguments)
    # The bot decides when its engine ends; Ctrl-C and a service manager's signal are meant for it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if sys.platform == "linux":
        die_with_parent(parent)
    for fd in (socket_fd, arena_fd):
        os.set_inheritable(fd, False)
    arena = Arena(arena_fd, Geometry(slots=slots, slot_bytes=slot_bytes))
    page = ControlPage(arena.control)
    link = Link(socket.socket(fileno=socket_fd), arena)
    beating = {"page": page, "parent": parent}
    threading.Thread(target=keep_beating, kwargs=beating, name="heartbeat", daemon=True).start()
    hello = next(link.messages(wait=True))
    assert isinstance(hello, Hello)
    logging.basicConfig(
        level=hello.log_level, format="%(asctime)s %(levelname)s engine %(name)s: %(message)s"
    )
    step_back(hello.nice, threads=hello.config.threads)
    try:
        Engine(link=link, page=page, hello=hello).run()
    except ClientGoneError:
        logger.info("the client has ended")
    # Destructors of a device's context may hang; there is nothing left to save.
    logging.shutdown()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
