"""Order: by the counters; suspects ahead and alone."""

from dataclasses import dataclass

from generation.executor.policy import Queue, finds_place, may_join, replay


@dataclass(eq=False)
class Waiting:
    serial: int
    suspect: bool = False
    guild: int = 0
    member: int = 0
    cost_ms: float = 100.0
    arrival_ms: float = 0.0
    weights: tuple[float, float] = (1.0, 1.0)
    model: str = "tiny"
    load_ms: float = 500.0


@dataclass(eq=False)
class Device:
    busy_ms: float
    ready: tuple[str, ...] = ("tiny",)


def queue_of(*waiting: Waiting) -> Queue[Waiting]:
    queue: Queue[Waiting] = Queue()
    for each in waiting:
        queue.add(each)
    return queue


def test_alike_requests_of_a_member_start_first_come_first_served() -> None:
    one, two, three = (Waiting(serial, arrival_ms=serial) for serial in (1, 2, 3))
    queue = queue_of(two, three, one)
    assert list(queue) == [one, two, three]
    assert queue.first() is one


def test_what_had_started_comes_again_ahead_of_all_and_is_not_charged_twice() -> None:
    heavy, heavy_too = Waiting(1, member=1), Waiting(2, member=1)
    light = Waiting(3, member=2)
    queue = queue_of(heavy, heavy_too, light)
    queue.start(heavy)
    queue.add_again(heavy)
    assert heavy in queue
    assert list(queue) == [heavy, light, heavy_too]
    queue.start(heavy)
    queue.start(light)
    assert heavy not in queue
    third = Waiting(4, member=2)
    queue.add(third)
    assert list(queue) == [heavy_too, third]


def test_what_is_withdrawn_before_it_is_repeated_costs_nothing() -> None:
    lost, next_one = Waiting(1, member=1), Waiting(2, member=1)
    other = Waiting(3, member=2)
    queue = queue_of(lost, next_one, other)
    queue.start(lost)
    queue.add_again(lost)
    queue.remove(lost)
    assert list(queue) == [next_one, other]


def test_the_estimate_of_a_newcomer_counts_what_starts_before_it_alone() -> None:
    queue = queue_of(*(Waiting(serial, member=1) for serial in range(1, 11)))
    first = queue.first()
    assert first is not None
    queue.start(first)
    before = list(queue)
    assert queue.ahead_of(Waiting(20, member=1)) == before
    assert queue.ahead_of(Waiting(21, member=2)) == []
    assert list(queue) == before
    assert queue.cost_ms == 900


def test_without_anybody_it_is_nobodys_turn() -> None:
    assert queue_of().first() is None


def test_a_suspect_runs_alone() -> None:
    suspect, other = Waiting(2, suspect=True), Waiting(3)
    assert not may_join(suspect, [Waiting(1)])
    assert may_join(suspect, [])
    assert not may_join(other, [suspect])
    assert may_join(other, [Waiting(1)])


def forecast(order: list[Waiting], *places: Device) -> list[tuple[Device, float]]:
    return [(place, start_ms) for _, place, start_ms in replay(order, places=places)]


def test_of_devices_that_hold_the_model_the_least_busy_is_taken() -> None:
    idle, busy = Device(0.0), Device(300.0)
    assert forecast([Waiting(1)], busy, idle) == [(idle, 0.0)]


def test_a_device_that_would_have_to_load_is_taken_only_when_waiting_takes_longer() -> None:
    cold = Device(0.0, ready=())
    for busy_ms, expected in ((499.0, "warm"), (500.0, "warm"), (501.0, "cold")):
        warm = Device(busy_ms)
        ((place, start_ms),) = forecast([Waiting(1)], cold, warm)
        assert (place, start_ms) == ({"warm": warm, "cold": cold}[expected], min(busy_ms, 500.0))


def test_a_model_that_loads_in_no_time_is_still_best_where_it_is() -> None:
    warm = Device(0.0)
    assert forecast([Waiting(1, load_ms=0.0)], Device(0.0, ready=()), warm) == [(warm, 0.0)]


def test_the_forecast_fills_the_device_that_is_free_earliest() -> None:
    order = [Waiting(serial) for serial in range(5)]
    starts = [start_ms for _, start_ms in forecast(order, Device(0.0), Device(150.0))]
    assert starts == [0.0, 100.0, 150.0, 200.0, 250.0]


def test_the_forecast_loads_a_model_once_a_device() -> None:
    order = [Waiting(serial, model=model) for serial, model in enumerate("aabb")]
    starts = [start_ms for _, start_ms in forecast(order, Device(0.0))]
    assert starts == [500.0, 600.0, 1200.0, 1300.0]


def test_the_forecast_spreads_over_a_cold_device_when_that_is_quicker() -> None:
    order = [Waiting(serial) for serial in range(8)]
    warm, cold = Device(0.0), Device(0.0, ready=())
    starts = [start_ms for _, start_ms in forecast(order, warm, cold)]
    assert starts == [0.0, 100.0, 200.0, 300.0, 400.0, 500.0, 500.0, 600.0]
    assert (warm.busy_ms, cold.ready) == (0.0, ())


def test_who_finds_no_open_device_is_left_out() -> None:
    one, two = Waiting(1), Waiting(2)
    device = Device(0.0)
    left = replay([one, two], places=[device], open_to=lambda waiting, _: waiting is two)
    assert list(left) == [(two, device, 0.0)]


def test_removing_takes_out_that_one_only() -> None:
    one, two = Waiting(1), Waiting(2)
    queue = queue_of(one, two)
    queue.remove(one)
    queue.remove(Waiting(2))
    assert list(queue) == [two]


def test_whoever_has_none_under_way_finds_a_place_beside_somebodys_hundred() -> None:
    assert finds_place("heavy", ["heavy"], capacity=2)
    assert not finds_place("heavy", ["heavy"] * 2, capacity=2)
    assert finds_place("light", ["heavy"] * 100, capacity=2)
    assert not finds_place("third", [*["heavy"] * 2, "light"], capacity=2)
