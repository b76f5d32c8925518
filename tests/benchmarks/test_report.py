"""What the suite says: goals, tables, files, the README and the plot."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import report
from benchmarks.figures import Figure, at_least, at_most
from benchmarks.gpu.goals import AIMS
from benchmarks.plot import BEST, WORST, draw, times_better

RATE = Figure(
    id="B2",
    title="pictures a second",
    goal=at_least(1.4, "x as many"),
    turns=(1.5, 1.9, 1.3),
    peers={"a thread and a lock": "10.0/s"},
    runs={"ours": (15.0, 19.0, 13.0)},
)
LAG = Figure(id="B5", title="lag", goal=at_most(2, "x idle"), turns=(2.5,))


def test_a_goal_is_met_from_its_own_side() -> None:
    assert at_least(5, "x").met(5)
    assert not at_least(5, "x").met(4.9)
    assert at_most(5, "x").met(5)
    assert not at_most(5, "x").met(5.1)


def test_figures_of_one_number_are_lettered_and_keep_every_turn() -> None:
    rows = report.rows_of([RATE, replace(RATE, turns=(1.5, 1.0, 0.9)), LAG], device="a machine")
    assert {name: row["met"] for name, row in rows.items()} == {
        "B2a": True,
        "B2b": False,
        "B5a": False,
    }
    assert rows["B2a"]["runs"] == {"value": [1.5, 1.9, 1.3], "ours": [15.0, 19.0, 13.0]}
    assert set(rows["B2a"]) >= {"goal", "value", "met", "peers", "date", "machine", "runs"}


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    rows = report.rows_of([RATE, LAG], device="a machine")
    report.save(rows, tmp_path / "cpu.json")
    assert report.load(tmp_path / "cpu.json") == rows


def test_a_missed_goal_stands_out_in_the_table() -> None:
    table = report.markdown(report.rows_of([RATE, LAG], device="two cores"))
    assert "two cores" in table
    assert "| B2a | pictures a second | >= 1.4 x as many | 1.5 | yes |" in table
    assert "| B5a | lag | <= 2 x idle | 2.5 | **no** |" in table


def test_a_readme_without_marks_is_left_alone() -> None:
    with pytest.raises(ValueError, match="lacks"):
        report.with_figures("# Atelier\n", report.rows_of([RATE], device="a machine"), {})


def test_the_readme_shows_what_was_measured_last() -> None:
    readme = report.README.read_text("utf-8")
    rows, on_gpu = (report.load(report.RESULTS / f"{name}.json") for name in ("cpu", "gpu"))
    assert report.with_figures(readme, rows, on_gpu) == readme


def test_what_was_not_measured_on_a_gpu_is_said_with_its_goal() -> None:
    rows = report.rows_of([RATE], device="a machine")
    readme = report.with_figures(f"{report.BEGIN}\n{report.END}", rows, {})
    assert readme.count("not measured") == len(AIMS)
    assert "not measured" not in report.with_figures(readme, rows, rows)


def test_every_row_that_was_kept_says_what_it_must() -> None:
    for row in report.load(report.RESULTS / "cpu.json").values():
        assert len(row["runs"]["value"]) >= 5
        assert row["date"]
        assert row["machine"]
        better = times_better(row, row["value"])
        assert row["met"] == (better >= 1)


@pytest.mark.parametrize(
    ("goal", "value", "expected"),
    [
        (">= 5 x faster", 10.0, 2.0),
        (">= 5 x faster", 2.5, 0.5),
        ("<= 1e-05", 1e-6, 10.0),
        ("<= 0 jobs", 0.0, 1.0),
        ("<= 1 level", 0.0, BEST),
        ("<= 0 jobs", 3.0, WORST),
    ],
)
def test_right_is_better_whichever_way_a_goal_points(
    goal: str, value: float, expected: float
) -> None:
    assert times_better({"goal": goal}, value) == pytest.approx(expected)


def test_the_plot_is_a_picture(tmp_path: Path) -> None:
    draw(report.rows_of([RATE, LAG], device="a machine"), tmp_path / "cpu.png")
    with Image.open(tmp_path / "cpu.png") as plot:
        assert plot.width > plot.height > 200
