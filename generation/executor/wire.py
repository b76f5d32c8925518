"""Messages as frames on a socket; the pixels inside them travel through the arena.

A frame is four bytes of length and a pickle, in which every ``Pixels``, wherever it is, has been
replaced by the slots that hold its data. Both ends are processes of ours on a private socket
pair, so that nothing foreign is ever unpickled.
"""

import io
import pickle
import struct
from collections.abc import Iterator
from typing import Any, cast

from generation.executor.arena import Region
from generation.executor.messages import Message
from generation.request import Pixels

_LENGTH = struct.Struct("!I")


class _Writer(pickle.Pickler):
    def __init__(self, file: io.BytesIO, region: Region) -> None:
        super().__init__(file, protocol=5)
        self._region = region
        self.taken: list[int] = []

    def persistent_id(self, obj: Any) -> tuple[int, int, tuple[int, ...]] | None:  # noqa: ANN401 - pickle's interface
        if type(obj) is not Pixels:
            return None
        slots = self._region.put(obj.data)
        self.taken.extend(slots)
        return obj.width, obj.height, slots


class _Reader(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, region: Region) -> None:
        super().__init__(file)
        self._region = region
        self.taken: list[int] = []

    def persistent_load(self, pid: tuple[int, int, tuple[int, ...]]) -> Pixels:
        width, height, slots = pid
        self.taken.extend(slots)
        data = self._region.get(slots, length=width * height * 3)
        return Pixels(width=width, height=height, data=data)


class Codec:
    """One end's way of writing and reading frames."""

    def __init__(self, *, outgoing: Region, incoming: Region) -> None:
        self.outgoing = outgoing
        self._incoming = incoming
        self._buffer = bytearray()

    def encode(self, message: Message) -> bytes:
        """Return the frame of a message, its pixels put into slots.

        Raises:
            BufferError: there are not enough free slots now; none was taken.
        """
        file = io.BytesIO(bytes(_LENGTH.size))
        file.seek(_LENGTH.size)
        writer = _Writer(file, self.outgoing)
        try:
            writer.dump(message)
        except BufferError:
            self.outgoing.release(writer.taken)
            raise
        frame = file.getbuffer()
        _LENGTH.pack_into(frame, 0, len(frame) - _LENGTH.size)
        return bytes(frame)

    def decode(self, data: bytes) -> Iterator[tuple[Message, tuple[int, ...]]]:
        """Take bytes from the socket; yield whole messages, each with the slots to give back."""
        self._buffer += data
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                return
            reader = _Reader(io.BytesIO(self._buffer[_LENGTH.size : end]), self._incoming)
            del self._buffer[:end]
            message = cast("Message", reader.load())
            yield message, tuple(reader.taken)
