"""Messages as frames: pixels go through slots, everything else through the socket."""

import random

import pytest

from generation.executor.arena import Arena
from generation.executor.messages import Cancel, Done, Message, Moved, Submit
from generation.executor.wire import Codec
from generation.request import Result, Stage
from tests.generation.executor.requests import picture, request


def ends(arena: Arena) -> tuple[Codec, Codec]:
    return (
        Codec(outgoing=arena.requests, incoming=arena.results),
        Codec(outgoing=arena.results, incoming=arena.requests),
    )


def result() -> Result:
    return Result(job_id="a", image=picture(), seed=1, model="tiny", device_ms=3)


@pytest.mark.parametrize(
    "message",
    [
        Cancel(serial=7),
        Submit(serial=2**40, request=request(prompt="snow \N{SNOWMAN}", style_image=picture())),
        Moved(serial=1, stage=Stage.RUNNING, step=1, total_steps=2, preview=picture()),
        Done(serial=3, result=result()),
    ],
)
def test_a_message_arrives_as_it_was_sent(arena: Arena, message: Message) -> None:
    sender, receiver = ends(arena)
    frame = sender.encode(message)
    taken = 4 - sender.outgoing.free
    (arrived,) = receiver.decode(frame)
    assert arrived[0] == message
    assert len(arrived[1]) == taken
    sender.outgoing.release(arrived[1])
    assert sender.outgoing.free == 4


def test_pixels_do_not_travel_through_the_socket(arena: Arena) -> None:
    sender, _ = ends(arena)
    image = picture(width=30, height=30)
    frame = sender.encode(Submit(serial=1, request=request(image=image)))
    assert len(frame) < 600
    assert image.data[:16] not in frame


def test_frames_may_arrive_in_any_pieces(arena: Arena) -> None:
    sender, receiver = ends(arena)
    messages = [Cancel(serial=serial) for serial in range(50)]
    stream = b"".join(sender.encode(message) for message in messages)
    rng = random.Random(1)
    arrived: list[Message] = []
    while stream:
        length = rng.randrange(1, 40)
        arrived += [message for message, _ in receiver.decode(stream[:length])]
        stream = stream[length:]
    assert arrived == messages


def test_a_message_that_finds_no_room_takes_no_slot(arena: Arena) -> None:
    sender, _ = ends(arena)
    half = picture(width=26, height=26)
    with pytest.raises(BufferError):
        sender.encode(
            Submit(serial=1, request=request(image=half, style_image=picture(width=50, height=20)))
        )
    assert sender.outgoing.free == 4
