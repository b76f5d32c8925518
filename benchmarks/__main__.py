"""The suite: `python -m benchmarks [--smoke] [ID ...]`.

A full run writes benchmarks/results/cpu.json, a plot beside it and the README's table, and
gpu.json with its plot where there is a GPU; a smoke run only shows that everything works.
"""

import faulthandler
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
ON_A_GPU: dict[str, str] = {
    "G1": "benchmarks.gpu.limits:measure",
    "G2": "benchmarks.gpu.members:measure",
    "G3": "benchmarks.gpu.stream:measure",
    "G4": "benchmarks.gpu.latency:measure",
    "G5": "benchmarks.gpu.same_steps:measure",
}
KNOWN = MEASUREMENTS | ON_A_GPU
PATIENCE_S = 900
"""What measures longer than this hangs: the run ends, and says where."""

Measure = Callable[..., Sequence[Figure]]


def measure_of(target: str) -> Measure:
    """Import a measurement by its ``module:function``."""
    module, _, function = target.partition(":")
    measure: Measure = getattr(import_module(module), function)
    return measure


def measured(ids: Sequence[str], *, effort: Effort) -> list[Figure]:
    """Measure one after the other, and say how long each took."""
    figures: list[Figure] = []
    for name in ids:
        started = time.monotonic()
        faulthandler.dump_traceback_later(PATIENCE_S, exit=True)
        figures += measure_of(KNOWN[name])(effort)
        print(f"{name} measured in {time.monotonic() - started:.0f} s", file=sys.stderr)
    faulthandler.cancel_dump_traceback_later()
    return figures


def main(
    ids: Annotated[list[str] | None, typer.Argument(help="Only these; all by default.")] = None,
    *,
    smoke: Annotated[bool, typer.Option(help="Few rounds, nothing written.")] = False,
) -> None:
    """Measure, and hold every figure against its goal."""
    if unknown := sorted(set(ids or ()) - set(KNOWN)):
        raise typer.BadParameter(f"{', '.join(unknown)}: known are {', '.join(KNOWN)}")
    effort = SMOKE if smoke else FULL
    for name, targets in (("cpu", MEASUREMENTS), ("gpu", ON_A_GPU)):
        wanted = [target for target in targets if not ids or target in ids]
        device = report.machine() if name == "cpu" else report.gpu()
        if device is None:
            print("G1-G5: not measured, this machine has no GPU that torch can use")
        elif wanted:
            rows = report.rows_of(measured(wanted, effort=effort), device=device)
            report.show(rows)
            if not smoke and not ids:
                keep(rows, name=name)
    if not smoke and not ids:
        report.write_readme()


def keep(rows: report.Rows, *, name: str) -> None:
    """Write a run's figures and their plot."""
    path = report.RESULTS / f"{name}.json"
    report.save(rows, path)
    draw(rows, path.with_suffix(".png"))


if __name__ == "__main__":
    typer.run(main)
