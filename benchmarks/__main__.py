"""The suite: `python -m benchmarks [--smoke] [ID ...]`.

A full run writes benchmarks/results/cpu.json, a plot beside it and the README's table, and
gpu.json with its plot where there is a GPU; a smoke run only shows that everything works.
"""

from typing import Annotated

import typer

from benchmarks import report
from benchmarks.figures import FULL, SMOKE
from benchmarks.measuring import KNOWN, MEASUREMENTS, ON_A_GPU, measured
from benchmarks.plot import draw


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
