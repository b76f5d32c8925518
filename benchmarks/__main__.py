"""The suite: `python -m benchmarks [--smoke] [ID ...]`.

A full run writes benchmarks/results/cpu.json, a plot beside it and the README's table, and
gpu.json with its plot where there is a GPU; a smoke run only shows that everything works.
"""

import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated

import typer

from benchmarks import report
from benchmarks.figures import FULL, SMOKE, Effort, Figure
from benchmarks.plot import draw

MEASUREMENTS: dict[str, str] = {
    "B1": "benchmarks.exactness:measure",
    "B2": "benchmarks.crowd:measure",
    "B3": "benchmarks.burst:measure",
    "B4": "benchmarks.transport:measure",
    "B5": "benchmarks.loop_lag:measure",
    "B6": "benchmarks.pictures:measure",
    "B7": "benchmarks.fairness:measure",
    "B8": "benchmarks.faults:measure",
}

Measure = Callable[[Effort], Sequence[Figure]]


def measured(ids: Sequence[str], *, effort: Effort) -> list[Figure]:
    """Measure one after the other, and say how long each took."""
    figures: list[Figure] = []
    for name in ids:
        started = time.monotonic()
        module, _, function = MEASUREMENTS[name].partition(":")
        measure: Measure = getattr(import_module(module), function)
        figures += measure(effort)
        print(f"{name} measured in {time.monotonic() - started:.0f} s", file=sys.stderr)
    return figures


def main(
    ids: Annotated[list[str] | None, typer.Argument(help="Only these; all by default.")] = None,
    *,
    smoke: Annotated[bool, typer.Option(help="Few rounds, nothing written.")] = False,
) -> None:
    """Measure, and hold every figure against its goal."""
    if unknown := sorted(set(ids or ()) - set(MEASUREMENTS)):
        raise typer.BadParameter(f"{', '.join(unknown)}: known are {', '.join(MEASUREMENTS)}")
    figures = measured(ids or list(MEASUREMENTS), effort=SMOKE if smoke else FULL)
    rows = report.rows_of(figures, device=report.machine())
    report.show(rows)
    if not smoke and not ids:
        keep(rows, name="cpu")
        report.README.write_text(
            report.with_figures(report.README.read_text("utf-8"), rows), encoding="utf-8"
        )


def keep(rows: report.Rows, *, name: str) -> None:
    """Write a run's figures and their plot."""
    path = report.RESULTS / f"{name}.json"
    report.save(rows, path)
    draw(rows, path.with_suffix(".png"))


if __name__ == "__main__":
    typer.run(main)
