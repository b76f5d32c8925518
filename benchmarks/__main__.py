"""The suite: `python -m benchmarks [--smoke] [ID ...]`.

A full run writes benchmarks/results/cpu.json; a smoke run only shows that every measurement works.
"""

import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure

RESULTS = Path(__file__).parent / "results" / "cpu.json"

MEASUREMENTS: dict[str, str] = {
    "B4": "benchmarks.transport:measure",
    "B5": "benchmarks.loop_lag:measure",
    "B6": "benchmarks.pictures:measure",
}

Measure = Callable[..., Sequence[Figure]]


def machine() -> str:
    """Return in words what the figures were measured on."""
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, {platform.machine()}, Python {platform.python_version()}"


def load(target: str) -> Measure:
    """Import a measurement by its ``module:function``."""
    module, _, name = target.partition(":")
    measure: Measure = getattr(import_module(module), name)
    return measure


def show(figures: Sequence[Figure]) -> None:
    """Print the figures as a table."""
    table = Table(title=f"Measured on {machine()}")
    for column in ("id", "what", "goal", "value", "met", "compared with"):
        table.add_column(column, overflow="fold")
    for figure in figures:
        peers = "; ".join(f"{name}: {value}" for name, value in figure.peers.items())
        met = "[green]yes[/]" if figure.met else "[red]no[/]"
        table.add_row(figure.id, figure.title, figure.goal, f"{figure.value:.3g}", met, peers)
    Console(width=140).print(table)


def save(figures: Sequence[Figure]) -> None:
    """Write the figures with the date and the machine."""
    today = datetime.now(UTC).date().isoformat()
    rows = {
        f"{figure.id} {figure.title}": {**asdict(figure), "date": today, "machine": machine()}
        for figure in figures
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def main(
    ids: Annotated[list[str] | None, typer.Argument(help="Only these; all by default.")] = None,
    *,
    smoke: Annotated[bool, typer.Option(help="Few rounds, nothing written.")] = False,
) -> None:
    """Measure, and hold every figure against its goal."""
    figures: list[Figure] = []
    for name in ids or MEASUREMENTS:
        if name not in MEASUREMENTS:
            raise typer.BadParameter(f"{name}: known are {', '.join(MEASUREMENTS)}")
        figures += load(MEASUREMENTS[name])(rounds=1 if smoke else 5)
    show(figures)
    if not smoke and not ids:
        save(figures)


if __name__ == "__main__":
    typer.run(main)
