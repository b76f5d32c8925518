"""Costs: guessed by the registry, then learned by size and model."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from generation.errors import InvalidRequestError
from generation.executor.costs import Costs
from generation.executor.kept_costs import KeptCosts
from generation.request import Control, Like
from tests.generation.executor.pipelines import spec
from tests.generation.executor.requests import picture, request

SMALL = picture(width=512, height=512)
LARGE = picture(width=1024, height=512)
DEPTH = Control(kind="depth", picture=SMALL)


PIPELINES = {"noise": spec("NoisePipeline", typical_device_ms=1000)}


@pytest.fixture
def costs() -> Costs:
    return Costs(PIPELINES)


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


def test_requests_with_few_steps_are_expected_to_cost_less(costs: Costs) -> None:
    costs.learn(request(image=SMALL, steps=20), device_ms=400)
    assert costs.expected_ms(request(image=SMALL, steps=2)) == 40
    costs.learn(request(image=SMALL, steps=2), device_ms=60)
    assert costs.expected_ms(request(image=SMALL, steps=2)) == 60
    assert costs.expected_ms(request(image=SMALL, steps=20)) == 400
    assert costs.expected_ms(request(image=LARGE, steps=3)) == 180
    assert costs.expected_ms(request(image=SMALL)) == 60


def test_what_runs_beside_the_model_costs_more_until_it_is_known_how_much(costs: Costs) -> None:
    plain = request(image=SMALL)
    led = replace(plain, control=Control(kind="depth", picture=SMALL))
    drawn = replace(plain, control=Control(kind="depth"))
    both = replace(led, like=Like(picture=SMALL))
    expected = pytest.approx([1400, 1540, 1540])
    assert [costs.expected_ms(it) for it in (led, drawn, both)] == expected
    assert costs.expected_ms(replace(led, control=Control(kind="edges"))) == pytest.approx(1400)
    assert costs.expected_ms(replace(led, control=replace(DEPTH, weight=0.0))) == 1000
    costs.learn(plain, device_ms=500)
    assert costs.expected_ms(led) == pytest.approx(700)
    costs.learn(led, device_ms=650)
    assert [costs.expected_ms(it) for it in (plain, led)] == [500, 650]
    assert costs.expected_ms(replace(led, image=LARGE)) == 1300
    assert costs.expected_ms(both) == pytest.approx(770)
    again = Costs(PIPELINES)
    again.recall(json.loads(json.dumps(costs.learned())))
    assert [again.expected_ms(it) for it in (plain, led)] == [500, 650]
    earlier = {"pipeline": "noise", "model": "tiny", "pixels": 262144, "steps": 0, "ms": 90}
    again.recall({"costs": [earlier], "loads": []})
    assert again.expected_ms(plain) == 90


def test_models_are_told_apart_and_the_default_is_known_by_its_name(costs: Costs) -> None:
    costs.learn(request(image=SMALL, model="other"), device_ms=10)
    assert costs.expected_ms(request(image=SMALL)) == 1000
    costs.learn(request(image=SMALL, model="tiny"), device_ms=20)
    assert costs.expected_ms(request(image=SMALL)) == 20


def test_loading_is_guessed_by_the_registry_then_learned(costs: Costs) -> None:
    assert costs.load_ms(("noise", "tiny")) == 0
    costs.learn_load(("noise", "tiny"), took_ms=800.0)
    assert costs.load_ms(("noise", "tiny")) == 800
    costs.learn_load(("noise", "tiny"), took_ms=400.0)
    assert costs.load_ms(("noise", "tiny")) == 680


def kept(costs: Costs, folder: Path, *devices: str) -> KeptCosts:
    return KeptCosts(costs, data_dir=folder, devices=devices or ("cpu",))


async def learned(folder: Path) -> None:
    """Leave the file of somebody who has learned something."""
    costs = Costs(PIPELINES)
    file = kept(costs, folder)
    await file.open()
    costs.learn(request(image=SMALL), device_ms=321)
    costs.learn_load(("noise", "tiny"), took_ms=77.0)
    await file.close()


async def test_what_was_learned_is_there_after_a_restart(costs: Costs, tmp_path: Path) -> None:
    await learned(tmp_path)
    await kept(costs, tmp_path).open()
    assert costs.expected_ms(request(image=SMALL)) == 321
    assert costs.load_ms(("noise", "tiny")) == 77


async def test_other_devices_begin_anew(costs: Costs, tmp_path: Path) -> None:
    await learned(tmp_path)
    await kept(costs, tmp_path, "cuda:0").open()
    assert costs.expected_ms(request(image=SMALL)) == 1000


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\xff\x00",
        b"[1, 2]",
        b'{"devices": ["cpu"]}',
        b'{"devices": ["cpu"], "costs": 3, "loads": []}',
        b'{"devices": ["cpu"], "costs": [{"pipeline": "noise"}], "loads": []}',
        b"[" * 100_000,
        b" " * (2**20 + 1),
    ],
)
async def test_a_damaged_file_is_as_good_as_none_and_is_replaced(
    costs: Costs, tmp_path: Path, damaged: bytes
) -> None:
    (tmp_path / "costs.json").write_bytes(damaged)
    file = kept(costs, tmp_path)
    await file.open()
    assert costs.expected_ms(request(image=SMALL)) == 1000
    costs.learn(request(image=SMALL), device_ms=5)
    await file.close()
    assert json.loads((tmp_path / "costs.json").read_text())["costs"][0]["ms"] == 5


@pytest.mark.parametrize("ms", ["NaN", "-1", "1e999", '"much"', "null"])
async def test_an_implausible_cost_is_not_believed(costs: Costs, tmp_path: Path, ms: str) -> None:
    await learned(tmp_path)
    path = tmp_path / "costs.json"
    path.write_text(path.read_text().replace("321", ms))
    await kept(costs, tmp_path).open()
    assert costs.expected_ms(request(image=SMALL)) == 1000


async def test_a_folder_that_cannot_be_written_is_no_error(costs: Costs, tmp_path: Path) -> None:
    file = kept(costs, tmp_path / "missing")
    await file.open()
    costs.learn(request(image=SMALL), device_ms=5)
    await file.close()


def test_a_price_is_whole_and_an_unknown_pipeline_has_none(costs: Costs) -> None:
    costs.learn(request(image=SMALL), device_ms=0)
    assert costs.price_ms(request(image=SMALL)) == 1
    for ask in (costs.price_ms, costs.expected_ms, costs.model_of):
        with pytest.raises(InvalidRequestError, match="known: noise"):
            ask(request(pipeline="nothing"))
