"""What becomes of figures: a table on the screen, a file, and the README's table."""

import json
import os
import platform
import string
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.figures import Figure
from benchmarks.gpu.goals import AIMS

RESULTS = Path(__file__).parent / "results"
README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- figures: make bench -->", "<!-- end of figures -->"

NOTES = (
    "All contenders take turns in one run, in alternating order. A value is the median of the"
    " turns, of which there are at least five (the worst of them in B1 and B8); every turn is in"
    " the file. B1 to B8 are measured in a process each.",
    "Peers run the same checkpoint with the same dtype, one thread of torch and our PNG codec."
    " Ray Serve runs one replica, called by its handle; for each number of clients it is swept over"
    " max_batch_size 4/8/16 and waits of 0/5/20 ms, and its best counts. Ray's helper processes"
    " share the cores with the replica, as they would in use.",
    "Ours is in throughput mode, eight rows a call and four pictures a call of the codec; in B1 and"
    " B8, where bytes are compared, also in exact mode at one padded shape.",
    "The nano UNet mimics a launch-bound GPU: its calls cost dispatch, not arithmetic. Where a"
    " call fills the device by itself, as SDXL's at 1024 px do, sharing calls gains almost"
    " nothing.",
)

Row = Mapping[str, Any]
Rows = Mapping[str, Row]


def machine() -> str:
    """Return in words what the figures were measured on."""
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, {platform.machine()}, Python {platform.python_version()}"


def gpu() -> str | None:
    """Return in words which GPU there is, None without one."""
    import torch

    if not torch.cuda.is_available():
        return None
    return f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {machine()}"


def rows_of(figures: Sequence[Figure], *, device: str) -> dict[str, Row]:
    """Return figures by their number in the suite: "B4a" is the first of B4."""
    today = datetime.now(UTC).date().isoformat()
    rows: dict[str, Row] = {}
    for figure in figures:
        letters = (f"{figure.id}{letter}" for letter in string.ascii_lowercase)
        rows[next(name for name in letters if name not in rows)] = {
            "title": figure.title,
            "goal": str(figure.goal),
            "value": figure.value,
            "met": figure.met,
            "peers": dict(figure.peers),
            "date": today,
            "machine": device,
            "runs": {"value": list(figure.turns)}
            | {name: list(values) for name, values in figure.runs.items()},
        }
    return rows


def show(rows: Rows) -> None:
    """Print the figures as a table, and what to know of them."""
    if not rows:
        return
    table = Table(title=f"Measured on {next(iter(rows.values()))['machine']}")
    for column in ("id", "what", "goal", "value", "met", "compared with"):
        table.add_column(column, overflow="fold")
    for name, row in rows.items():
        met = "[green]yes[/]" if row["met"] else "[red]no[/]"
        cells = (row["title"], row["goal"], in_words(row["value"]))
        table.add_row(name, *map(escape, cells), met, escape(peers_of(row)))
    console = Console(width=150)
    console.print(table)
    for note in NOTES:
        console.print(f"- {note}")


def in_words(value: float) -> str:
    """Return a value with three digits, and hundreds in full."""
    return f"{value:.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}"


def peers_of(row: Row) -> str:
    """Return what a figure was compared with."""
    return "; ".join(f"{name}: {value}" for name, value in row["peers"].items())


def save(rows: Rows, path: Path) -> None:
    """Write the figures."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> Rows:
    """Return what was written, nothing if it never was."""
    if not path.exists():
        return {}
    rows: Rows = json.loads(path.read_text("utf-8"))
    return rows


def markdown(rows: Rows) -> str:
    """Return a table of the README, with the date and the machine."""
    one = next(iter(rows.values()))
    lines = [
        f"On {one['machine']}, {one['date']}:",
        "",
        "| | what | goal | measured | met | compared with |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        met = "yes" if row["met"] else "**no**"
        cells = (name, row["title"], row["goal"], in_words(row["value"]), met, peers_of(row))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def not_measured() -> str:
    """Return what stands for the GPU's figures as long as there are none."""
    lines = [
        "Not measured: there was no GPU.",
        "",
        "| | what | goal | measured |",
        "|---|---|---|---|",
    ]
    lines += [f"| {aim.id} | {aim.title} | {aim.goal} | not measured |" for aim in AIMS]
    return "\n".join(lines)


def with_figures(readme: str, rows: Rows, on_gpu: Rows) -> str:
    """Return the README with its tables of figures written anew.

    Raises:
        ValueError: the README lacks the marks between which the table stands.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md lacks {BEGIN} or {END}")
    notes = "\n".join(f"- {note}" for note in NOTES)
    on_gpu_table = markdown(on_gpu) if on_gpu else not_measured()
    parts = (BEGIN, markdown(rows), "", notes, "", on_gpu_table, END)
    return before + "\n".join(parts) + after


def write_readme() -> None:
    """Write the README's tables from what was measured last."""
    readme = with_figures(
        README.read_text("utf-8"), load(RESULTS / "cpu.json"), load(RESULTS / "gpu.json")
    )
    README.write_text(readme, encoding="utf-8")
