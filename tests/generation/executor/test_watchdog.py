"""The watchdog: who is silent for too long is given up, and nobody else."""

from time import monotonic_ns

import pytest

from generation.executor.control import ControlPage, Phase, Sight
from generation.executor.watchdog import Verdict, Watchdog


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Watched:
    """A control page and a watchdog that looks at it every tenth of a second."""

    def __init__(self) -> None:
        self.page = ControlPage(memoryview(bytearray(4096)))
        self.clock = Clock()
        self.watchdog = Watchdog(
            hang_timeout_s=2, load_timeout_s=10, grace_s=1, glance_s=0.2, clock=self.clock
        )

    def look_for(self, seconds: float, *, beating: bool = True) -> Verdict | None:
        for _ in range(round(seconds * 10)):
            self.clock.now += 0.1
            if beating:
                self.page.beat()
            verdict = self.watchdog.look(self.page.read())
            if verdict is not None:
                return verdict
        return None


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_an_idle_engine_that_beats_may_be_idle_for_ever(watched: Watched) -> None:
    assert watched.look_for(100) is None


def test_a_call_that_does_not_end_is_a_hang(watched: Watched) -> None:
    watched.page.enter(Phase.CALL, [5])
    assert watched.look_for(1.9) is None
    verdict = watched.look_for(0.5)
    assert verdict is not None
    assert "no progress" in verdict.reason


def test_calls_that_follow_each_other_are_progress(watched: Watched) -> None:
    for _ in range(10):
        watched.page.enter(Phase.CALL, [5])
        assert watched.look_for(1) is None
        watched.page.leave()


def test_loading_may_take_longer(watched: Watched) -> None:
    watched.page.enter(Phase.LOAD, [5])
    assert watched.look_for(9) is None
    assert watched.look_for(2) is not None


def test_a_process_without_a_heartbeat_is_frozen(watched: Watched) -> None:
    verdict = watched.look_for(3, beating=False)
    assert verdict is not None
    assert "heartbeat" in verdict.reason


def test_a_pause_of_the_watcher_is_not_held_against_the_engine(watched: Watched) -> None:
    watched.page.enter(Phase.CALL, [5])
    assert watched.look_for(1) is None
    watched.clock.now += 3600
    assert watched.look_for(0.5) is None


def test_a_step_beyond_its_deadline_names_the_row_that_is_overdue(watched: Watched) -> None:
    past_ns = monotonic_ns() - 2_000_000_000
    watched.page.enter(Phase.CALL, [5, 6], overdue=6, deadline_ns=past_ns)
    verdict = watched.look_for(0.1)
    assert verdict is not None
    assert verdict.overdue == 6


def test_a_step_within_its_grace_may_end(watched: Watched) -> None:
    watched.page.enter(Phase.CALL, [5], overdue=5, deadline_ns=monotonic_ns() - 10_000)
    assert watched.look_for(0.5) is None


def test_the_page_says_who_is_in_the_call(watched: Watched) -> None:
    watched.page.beat()
    watched.page.enter(Phase.CALL, [3, 4], overdue=4, deadline_ns=99)
    assert watched.page.read() == Sight(
        beat=1, turn=1, phase=Phase.CALL, deadline_ns=99, overdue=4, serials=(3, 4)
    )
    watched.page.leave()
    assert watched.page.read().serials == ()
    watched.page.clear()
    assert watched.page.read().turn == 0
