"""The engine's end of the socket pair; it may wait, unlike the client's."""

import select
import socket
from collections import deque
from collections.abc import Iterator

from generation.executor.arena import Arena
from generation.executor.messages import Message, Release
from generation.executor.wire import Codec

READ_BYTES = 256 * 1024


class ClientGoneError(Exception):
    """The client's process has ended; nobody is left to work for."""


class Link:
    """Messages to and from the client."""

    def __init__(self, end: socket.socket, arena: Arena) -> None:
        self._socket = end
        self._codec = Codec(outgoing=arena.results, incoming=arena.requests)
        self._received: deque[Message] = deque()
        self._capacity = arena.geometry.region_bytes

    def messages(self, *, wait: bool, timeout_s: float | None = None) -> Iterator[Message]:
        """Yield what has arrived; with ``wait``, first wait until something has, or the time is up.

        Raises:
            ClientGoneError: the client has ended.
        """
        self._receive(wait=wait and not self._received, timeout_s=timeout_s)
        while self._received:
            yield self._received.popleft()

    def send(self, message: Message) -> None:
        """Send a message; wait until the client has given back enough slots for its pixels.

        Raises:
            ClientGoneError: the client has ended.
        """
        while not self.try_send(message):
            self._receive(wait=True)

    def try_send(self, message: Message) -> bool:
        """Send a message unless its pixels find no room now; return whether it was sent."""
        try:
            frame = self._codec.encode(message)
        except BufferError:
            return False
        try:
            self._socket.sendall(frame)
        except OSError as err:
            raise ClientGoneError from err
        return True

    def holds(self, data: bytes) -> bool:
        """Return whether pixels could ever be sent."""
        return len(data) <= self._capacity

    def _receive(self, *, wait: bool, timeout_s: float | None = None) -> None:
        while select.select([self._socket], [], [], timeout_s if wait else 0)[0]:
            wait = False
            data = self._socket.recv(READ_BYTES)
            if not data:
                raise ClientGoneError
            for message, slots in self._codec.decode(data):
                if slots:
                    self.send(Release(slots=slots))
                if isinstance(message, Release):
                    self._codec.outgoing.release(message.slots)
                else:
                    self._received.append(message)
