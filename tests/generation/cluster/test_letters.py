"""The bot reads what other machines send, and nothing that could do something."""

import os
import pickle
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

import generation.errors
from generation.executor.arena import Geometry
from generation.executor.cluster.letters import (
    Beat,
    Event,
    Letter,
    Lost,
    Opening,
    Said,
    Up,
    Vanished,
    event_of,
    letter_of,
    pack,
)
from generation.executor.control import Phase, Sight
from generation.executor.messages import Capacity, Done, Failed, Gone, Moved, Ready
from generation.executor.watchdog import Verdict
from generation.request import Note, NoteCode, Result, Stage
from tests.generation.executor.requests import picture

RESULT = Result(
    job_id="job",
    image=picture(),
    seed=7,
    model="tiny",
    device_ms=12,
    notes=(Note(code=NoteCode.KNOWN_WORDS, words=("snow",)),),
    parameters=(("steps", "4"),),
)
SIGHT = Sight(beat=1, turn=2, phase=Phase.CALL, deadline_ns=3, overdue=4, serials=(5, 6))


class Trap:
    """Is anything but a value when it is unpickled."""

    def __init__(self, call: Callable[..., object], *arguments: object) -> None:
        self.call = call
        self.arguments = arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call, self.arguments


@pytest.mark.parametrize(
    "event",
    [
        Up(start=1, node="node", pid=2),
        Lost(start=1, sight=SIGHT, verdict=Verdict(reason="slow", overdue=4)),
        Lost(start=1, sight=SIGHT, verdict=None),
        *(
            Said(start=3, message=message)
            for message in (
                Ready(),
                Moved(serial=1, stage=Stage.RUNNING, step=2, total_steps=3, preview=picture()),
                Done(serial=1, result=RESULT),
                Failed(serial=1, error="EngineError", message="no"),
                Gone(serial=1),
                Capacity(requests=4),
            )
        ),
    ],
)
def test_what_a_host_says_arrives_as_it_was(event: Event) -> None:
    assert event_of(pack(event)) == event


@pytest.mark.parametrize(
    "letter",
    [
        Beat(),
        Letter(seat=0, host=1, number=2, event=b"event"),
        Vanished(seat=0, host=1),
    ],
)
def test_what_a_dispatcher_says_arrives_as_it_was(letter: Beat | Letter | Vanished) -> None:
    assert letter_of(pack(letter)) == letter


@pytest.mark.parametrize(
    "trap",
    [
        Trap(os.system, "exit 1"),
        Trap(subprocess.Popen, ["false"]),
        Trap(getattr, Up, "__init__"),
        Trap(generation.errors.EngineError, "no value"),
        Trap(eval, "1"),
    ],
    ids=["system", "popen", "getattr", "error", "eval"],
)
def test_what_could_do_something_is_refused(trap: Trap) -> None:
    with pytest.raises(pickle.UnpicklingError, match="refused"):
        event_of(pack(Said(start=1, message=trap)))  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"", b"\x80\x05", b"garbage", pack(Beat()), pack(None)])
def test_what_is_no_event_is_refused(data: bytes) -> None:
    with pytest.raises(pickle.UnpicklingError):
        event_of(data)


def test_an_event_is_no_letter_and_an_opening_is_nothing_that_a_node_may_send() -> None:
    with pytest.raises(pickle.UnpicklingError):
        letter_of(pack(Up(start=1, node="node", pid=2)))
    opening = Opening(hello=None, patience=None, arena=Geometry())  # type: ignore[arg-type]
    with pytest.raises(pickle.UnpicklingError, match="refused"):
        letter_of(pack(opening))
