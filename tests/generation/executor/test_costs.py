"""Costs: guessed by the registry, then learned by size and model."""

import pytest

from generation.executor.costs import Costs
from tests.generation.executor.pipelines import spec
from tests.generation.executor.requests import picture, request

SMALL = picture(width=512, height=512)
LARGE = picture(width=1024, height=512)


@pytest.fixture
def costs() -> Costs:
    return Costs({"noise": spec("NoisePipeline", typical_device_ms=1000)})


def test_the_first_guess_is_scaled_by_pixels(costs: Costs) -> None:
    assert costs.expected_ms(request(image=SMALL)) == 1000
    assert costs.expected_ms(request(image=LARGE)) == 2000


def test_the_first_measurement_replaces_the_guess_and_later_ones_move_it(costs: Costs) -> None:
    costs.learn(request(image=SMALL), device_ms=500)
    assert costs.expected_ms(request(image=SMALL)) == 500
    for _ in range(40):
        costs.learn(request(image=SMALL), device_ms=100)
    assert costs.expected_ms(request(image=SMALL)) == pytest.approx(100, rel=0.01)


def test_a_size_never_seen_is_scaled_from_the_nearest_that_was(costs: Costs) -> None:
    costs.learn(request(image=SMALL), device_ms=300)
    assert costs.expected_ms(request(image=LARGE)) == 600


def test_models_are_told_apart_and_the_default_is_known_by_its_name(costs: Costs) -> None:
    costs.learn(request(image=SMALL, model="other"), device_ms=10)
    assert costs.expected_ms(request(image=SMALL)) == 1000
    costs.learn(request(image=SMALL, model="tiny"), device_ms=20)
    assert costs.expected_ms(request(image=SMALL)) == 20
