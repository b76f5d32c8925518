"""What is measured on a GPU, run at tiny shapes on the CPU: everything but the figures is real."""

import pytest

from benchmarks.figures import Effort
from benchmarks.gpu.goals import AIMS
from benchmarks.gpu.shapes import TINY
from benchmarks.measuring import ON_A_GPU, measure_of

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

BRIEF = Effort(rounds=1, seconds=0.3, share=0.1)


def test_every_aim_has_a_measurement() -> None:
    assert {aim.id for aim in AIMS} == set(ON_A_GPU)


@pytest.mark.parametrize(
    "name",
    [
        "G1",
        pytest.param("G2", marks=pytest.mark.slow),
        pytest.param("G3", marks=pytest.mark.slow),
        "G4",
        pytest.param("G5", marks=pytest.mark.slow),
    ],
)
def test_every_measurement_runs_at_tiny_shapes_too(name: str) -> None:
    figures = measure_of(ON_A_GPU[name])(BRIEF, setup=TINY)
    wanted = [(aim.title, aim.goal) for aim in AIMS if aim.id == name]
    assert [(figure.title, figure.goal) for figure in figures] == wanted
    for figure in figures:
        assert figure.value > 0
        assert all(value > 0 for values in figure.runs.values() for value in values)
