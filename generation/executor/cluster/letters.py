"""What travels between the bot, the dispatcher and the hosts, and how it is read.

The bot unpickles what came from other machines; it takes nothing but the values listed here, so
that a node that was taken over cannot run anything in the process that holds the database.
"""

import asyncio
import io
import pickle
import struct
from dataclasses import dataclass
from typing import Any, cast, get_args

from generation.executor.arena import Geometry
from generation.executor.control import Phase, Sight
from generation.executor.figures import Counters
from generation.executor.keeper import Patience
from generation.executor.messages import Hello, Message, ToClient
from generation.executor.watchdog import Verdict
from generation.request import Note, NoteCode, Pixels, Result, Stage

_LENGTH = struct.Struct("!I")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a host has to know: for the engine, and for the one who keeps it."""

    hello: Hello
    patience: Patience
    arena: Geometry


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """The first letter to a dispatcher.

    Args:
        address: of the cluster's head.
        seats: at most so many engines are kept.
        opening: an ``Opening``, for the hosts.
        start_timeout_s: for Ray to start an actor, and that actor to open.
        silence_s: a host that says nothing for so long is given up.
        log_level: of the dispatcher.
    """

    address: str
    seats: int
    opening: bytes
    start_timeout_s: float
    silence_s: float
    log_level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A message for the engine of a seat, if it still is the one of this host and start."""

    seat: int
    host: int
    start: int
    message: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """The dispatcher is alive and has joined the cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """An event of a seat's host, under its number."""

    seat: int
    host: int
    number: int
    event: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Vanished:
    """A seat's host is given up."""

    seat: int
    host: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Up:
    """A host's engine is ready; it is its ``start``-th."""

    start: int
    node: str
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A host's engine says something."""

    start: int
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A host's engine has ended; ``sight`` and ``verdict`` are its keeper's."""

    start: int
    sight: Sight
    verdict: Verdict | None


Event = Up | Said | Lost
FromDispatcher = Beat | Letter | Vanished
ToDispatcher = Begin | Post

_VALUES = (Counters, Sight, Phase, Verdict, Result, Note, NoteCode, Pixels, Stage)
_ALLOWED = {
    (kind.__module__, kind.__qualname__): kind
    for kind in (*get_args(Event), *get_args(FromDispatcher), *get_args(ToClient), *_VALUES)
}


class _Reader(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:  # noqa: ANN401 - pickle's interface
        try:
            return _ALLOWED[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module_name}.{global_name} is refused") from None


def pack(letter: object) -> bytes:
    """Return a letter, or an event, as bytes."""
    return pickle.dumps(letter, protocol=5)


def letter_of(data: bytes) -> FromDispatcher:
    """Return a dispatcher's letter.

    Raises:
        pickle.UnpicklingError: it is not one.
    """
    return cast("FromDispatcher", _unpack(data, get_args(FromDispatcher)))


def event_of(data: bytes) -> Event:
    """Return a host's event.

    Raises:
        pickle.UnpicklingError: it is not one.
    """
    return cast("Event", _unpack(data, get_args(Event)))


def _unpack(data: bytes, kinds: tuple[type, ...]) -> object:
    """Return what was packed, if it is of one of some kinds."""
    try:
        found = _Reader(io.BytesIO(data)).load()
    except (EOFError, ValueError, TypeError, AttributeError, LookupError) as err:
        raise pickle.UnpicklingError(f"broken: {err}") from err
    if not isinstance(found, kinds):
        raise pickle.UnpicklingError(f"{type(found).__name__} is out of place here")
    return found


def frame(letter: object) -> bytes:
    """Return a letter as it goes over the socket."""
    data = pack(letter)
    return _LENGTH.pack(len(data)) + data


async def next_frame(reader: asyncio.StreamReader) -> bytes:
    """Return the next letter's bytes.

    Raises:
        asyncio.IncompleteReadError: the other side has ended.
        OSError: likewise.
    """
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    return await reader.readexactly(length)
