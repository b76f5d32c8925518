"""The figures as a picture: how far each is beyond its goal, every turn as a dot."""

import re
from pathlib import Path

from benchmarks.report import Row, Rows, in_words

MET, MISSED, INK, GRID = "#2f7d5b", "#b8433a", "#222222", "#dddddd"
WORST, BEST = 0.2, 100.0


def draw(rows: Rows, path: Path) -> None:
    """Draw every figure as a multiple of its goal; right of the line it is met.

    The axis is logarithmic, and right is better whichever way a goal points.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(11, 0.3 * len(rows) + 1.4), layout="constrained")
    for place, row in enumerate(rows.values()):
        colour = MET if row["met"] else MISSED
        middle = times_better(row, row["value"])
        turns = [times_better(row, value) for value in row["runs"]["value"]]
        axes.barh(place, middle - 1, left=1, color=colour, alpha=0.35, height=0.62)
        axes.plot(turns, [place] * len(turns), ".", color=colour, markersize=5)
        axes.plot([middle] * 2, [place - 0.31, place + 0.31], color=colour, linewidth=2.2)
        words = f"{in_words(row['value'])}   (goal {row['goal']})"
        axes.text(BEST * 1.15, place, words, va="center", fontsize=8, color=colour)
    labels = [f"{row['title']}   {name}" for name, row in rows.items()]
    axes.set_yticks(range(len(rows)), labels, fontsize=8, color=INK)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xscale("log")
    axes.set_xlim(WORST, BEST)
    ticks = (0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
    axes.set_xticks(ticks, [f"{tick:g} x" for tick in ticks], fontsize=8)
    axes.minorticks_off()
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.axvline(1, color=INK, linewidth=1.2)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("times better than the goal (a bar: what counts; a dot: a turn)", fontsize=8)
    first = next(iter(rows.values()))
    title = f"Atelier's suite on {first['machine']}, {first['date']}"
    axes.set_title(title, fontsize=10, color=INK, loc="left")
    figure.savefig(path, dpi=130)
    plt.close(figure)


def times_better(row: Row, value: float) -> float:
    """Return how many times better than its goal a value is, within what the axis shows.

    Raises:
        ValueError: the goal is not in the words of ``Goal``.
    """
    match = re.match(r"(<=|>=) ([0-9.e+-]+)", row["goal"])
    if match is None:
        raise ValueError(f"not a goal: {row['goal']}")
    above, below = float(match[2]), value
    if match[1] == ">=":
        above, below = below, above
    if above == below:
        return 1.0
    return min(BEST, max(WORST, above / below if below else BEST))
