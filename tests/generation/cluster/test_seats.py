"""A seat counts every letter once, and only those of the engine that it has now."""

import asyncio
import logging
import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generation.errors import EngineError
from generation.executor.arena import Geometry
from generation.executor.cluster import keeper
from generation.executor.cluster.config import ClusterConfig
from generation.executor.cluster.keeper import Cluster, ClusterKeeper, dispatcher_environment
from generation.executor.cluster.letters import Event, Letter, Lost, Said, Up, Vanished, pack
from generation.executor.control import Phase, Sight
from generation.executor.keeper import Listener, Patience
from generation.executor.messages import Done, Hello, Message
from generation.executor.watchdog import Verdict
from generation.pipelines.base import EngineConfig
from generation.request import Result
from tests.generation.executor.pipelines import PIPELINES
from tests.generation.executor.requests import picture, until

SIGHT = Sight(beat=1, turn=2, phase=Phase.CALL, deadline_ns=0, overdue=0, serials=(1,))
PATIENCE = Patience(hang_timeout_s=1, load_timeout_s=1, start_timeout_s=1, grace_s=1)
HELLO = Hello(
    config=EngineConfig(device="cuda:1", models_dir=Path("models")),
    pipelines=PIPELINES,
    preview_interval_s=1,
    nice=0,
    log_level=logging.INFO,
)


class Ears:
    """Writes down what a seat's listener is told."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def listener(self) -> Listener:
        return Listener(
            on_message=self.heard.append,
            on_up=lambda: self.heard.append("up"),
            on_lost=lambda sight, verdict: self.heard.append((sight.serials, verdict)),
            on_hopeless=lambda: self.heard.append("hopeless"),
        )


def cluster_of(*, ray: object | None = True) -> Cluster:
    """Return a cluster that nobody starts, on a machine with or without Ray."""
    config = ClusterConfig(address="127.0.0.1:6379")
    with pytest.MonkeyPatch.context() as machine:
        machine.setattr(keeper, "find_spec", lambda _: ray)
        return Cluster(config, hello=HELLO, patience=PATIENCE, arena=Geometry())


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
def seat(ears: Ears) -> ClusterKeeper:
    return cluster_of().seat(ears.listener())


def done(serial: int = 1, *, seed: int = 0) -> Done:
    image = picture(width=1, height=1)
    result = Result(job_id="job", image=image, seed=seed, model="tiny", device_ms=1)
    return Done(serial=serial, result=result)


def letter(event: Event, *, host: int, number: int) -> Letter:
    return Letter(seat=0, host=host, number=number, event=pack(event))


def up(start: int) -> Up:
    return Up(start=start, node="node", pid=1)


def test_a_doubled_result_is_taken_once(seat: ClusterKeeper, ears: Ears) -> None:
    seat.hear(letter(up(1), host=1, number=1))
    for _ in range(3):
        seat.hear(letter(Said(start=1, message=done()), host=1, number=2))
    assert ears.heard == ["up", done()]


def test_a_result_of_a_host_that_was_given_up_is_too_late(seat: ClusterKeeper, ears: Ears) -> None:
    seat.hear(letter(up(1), host=1, number=1))
    seat.vanish(Vanished(seat=0, host=1))
    seat.hear(letter(Said(start=1, message=done()), host=1, number=2))
    assert ears.heard == ["up", ((), None)]
    seat.hear(letter(up(1), host=2, number=1))
    seat.hear(letter(Said(start=1, message=done()), host=1, number=3))
    seat.vanish(Vanished(seat=0, host=1))
    assert ears.heard == ["up", ((), None), "up"]
    assert seat.up


def test_a_result_of_an_engine_that_was_lost_on_its_node_is_too_late(
    seat: ClusterKeeper, ears: Ears
) -> None:
    verdict = Verdict(reason="no progress")
    seat.hear(letter(up(1), host=1, number=1))
    seat.hear(letter(Lost(start=1, sight=SIGHT, verdict=verdict), host=1, number=2))
    seat.hear(letter(up(2), host=1, number=3))
    seat.hear(letter(Said(start=1, message=done()), host=1, number=4))
    seat.hear(letter(Lost(start=1, sight=SIGHT, verdict=None), host=1, number=5))
    assert ears.heard == ["up", ((1,), verdict), "up"]
    assert seat.up


def test_a_newer_host_ends_the_older_even_unannounced(seat: ClusterKeeper, ears: Ears) -> None:
    seat.hear(letter(up(1), host=1, number=1))
    seat.hear(letter(up(1), host=2, number=1))
    assert ears.heard == ["up", ((), None), "up"]


def test_another_dispatcher_numbers_its_hosts_anew(seat: ClusterKeeper, ears: Ears) -> None:
    seat.hear(letter(up(1), host=5, number=1))
    seat.forget()
    seat.hear(letter(up(1), host=1, number=1))
    assert ears.heard == ["up", ((), None), "up"]


def test_a_broken_letter_is_no_event_and_no_end(seat: ClusterKeeper, ears: Ears) -> None:
    seat.hear(letter(up(1), host=1, number=1))
    seat.hear(Letter(seat=0, host=1, number=2, event=b"garbage"))
    seat.hear(letter(Said(start=1, message=done()), host=1, number=3))
    assert ears.heard == ["up", done()]


def a_life(host: int, *, starts: int) -> list[Letter | Vanished]:
    """What a host says that is lost in the end; each result names its host and start."""
    events: list[Event] = []
    for start in range(1, starts + 1):
        made = Said(start=start, message=done(serial=start, seed=100 * host + start))
        events += [up(start), made, Lost(start=start, sight=SIGHT, verdict=None)]
    letters = [letter(event, host=host, number=number) for number, event in enumerate(events, 1)]
    return [*letters, Vanished(seat=0, host=host)]


@given(seed=st.integers(min_value=0, max_value=10**6))
def test_however_often_and_late_letters_come_each_result_counts_once_and_while_it_is_up(
    seed: int,
) -> None:
    rng = random.Random(seed)
    ears = Ears()
    seat = ClusterKeeper(cluster_of(), number=0, listener=ears.listener())
    sent: list[Letter | Vanished] = []
    for host in range(1, 4):
        for one in a_life(host, starts=2):
            sent.append(one)
            for again in (one, *rng.choices(sent, k=3)):
                seat.vanish(again) if isinstance(again, Vanished) else seat.hear(again)
    results = [heard for heard in ears.heard if isinstance(heard, Done)]
    assert [made.result.seed for made in results] == [101, 102, 201, 202, 301, 302]
    turns = [heard for heard in ears.heard if not isinstance(heard, Message)]
    assert turns == ["up", ((1,), None)] * 6


async def test_without_any_engine_for_too_long_every_seat_is_hopeless(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    cluster, ears = cluster_of(), [Ears(), Ears()]
    seats = [cluster.seat(each.listener()) for each in ears]
    running = [asyncio.create_task(seat.run()) for seat in seats]
    await until(lambda: all("hopeless" in each.heard for each in ears))
    await asyncio.gather(*(seat.stop() for seat in seats), *running)
    assert ears[0].heard == ears[1].heard


def test_without_ray_there_is_a_sentence_with_the_cure() -> None:
    with pytest.raises(EngineError, match=r"pip install .*cluster"):
        cluster_of(ray=None)


def test_an_engine_elsewhere_has_its_gpu_as_the_only_one_and_whole_paths() -> None:
    config = keeper.elsewhere(HELLO).config
    assert config.device == "cuda"
    assert config.models_dir.is_absolute()


@pytest.mark.parametrize(("exact", "profile"), [(True, False), (False, None)])
def test_in_exact_mode_no_node_settles_on_shapes_of_its_own(
    exact: bool, profile: bool | None
) -> None:
    config = replace(HELLO.config, exact=exact, profiles=Path("profiles.json"))
    there = keeper.elsewhere(replace(HELLO, config=config)).config
    assert (there.profile, there.profiles) == (profile, None)


def test_the_dispatcher_gets_no_secret_but_rays_token(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {"DISCORD_TOKEN": "x", "ATELIER_DATABASE_URL": "x", "SOME_API_KEY": "x"}
    for name, value in {**secrets, "RAY_AUTH_TOKEN": "ours"}.items():
        monkeypatch.setenv(name, value)
    environment = dispatcher_environment("192.0.2.7:6379")
    assert not set(secrets) & set(environment)
    assert environment["RAY_AUTH_TOKEN"] == "ours"
    assert environment["RAY_AUTH_MODE"] == "token"
    assert "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER" not in environment


def test_on_the_loopback_address_ray_stays_there() -> None:
    environment = dispatcher_environment("127.0.0.1:6379")
    assert environment["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0"
