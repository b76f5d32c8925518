"""The usage report's chart, drawn in a process of its own.

matplotlib holds the interpreter for hundreds of milliseconds, which a thread would take from the
event loop. Its ``Figure`` is used directly: ``pyplot`` keeps figures in a global.
"""

import asyncio
import io
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

MAX_BARS = 10
INK, PAPER, GRID = "#e3e5e8", "#2b2d31", "#4e5058"
COLOURS = ("#7c5cfc", "#d97757")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """One half of the chart.

    Args:
        rows: names and values, the largest first.
    """

    title: str
    rows: tuple[tuple[str, float], ...]


class ChartPool:
    """One child that draws, started when the first chart is asked for."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    async def draw(self, charts: Sequence[Bars]) -> bytes:
        """Return a PNG with one half beside the other."""
        if self._pool is None:
            context = multiprocessing.get_context("forkserver")
            self._pool = ProcessPoolExecutor(max_workers=1, mp_context=context)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, draw, tuple(charts))

    async def close(self) -> None:
        """End the child."""
        if self._pool is not None:
            await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)
            self._pool = None


def draw(charts: tuple[Bars, ...]) -> bytes:
    """Draw horizontal bars, the largest on top."""
    from matplotlib.figure import Figure  # Costs 0.3 s, in the child alone.

    longest = max((len(chart.rows) for chart in charts), default=1)
    figure = Figure(figsize=(9.0, 1.4 + 0.42 * max(3, longest)), dpi=110, facecolor=PAPER)
    axes = figure.subplots(1, len(charts), squeeze=False)[0]
    for axis, chart, colour in zip(axes, charts, COLOURS, strict=False):
        names = [_plain(name) for name, _ in chart.rows]
        values = [value for _, value in chart.rows]
        places = range(len(values))
        axis.barh(list(places), values, color=colour, height=0.62)
        axis.set_yticks(list(places), names)
        axis.set_ylim(max(3, longest) - 0.4, -0.6)
        axis.set_xlim(0, max(values, default=1.0) * 1.22 or 1.0)
        for place, value in zip(places, values, strict=True):
            axis.text(value, place, f" {value:,.1f}", va="center", color=INK, fontsize=9)
        axis.set_title(chart.title, color=INK, fontsize=11, loc="left")
        axis.set_facecolor(PAPER)
        axis.tick_params(colors=INK, labelsize=9, length=0)
        axis.xaxis.grid(visible=True, color=GRID, linewidth=0.5)
        axis.set_axisbelow(True)
        for spine in axis.spines.values():
            spine.set_visible(False)
    figure.tight_layout()
    picture = io.BytesIO()
    figure.savefig(picture, format="png", facecolor=PAPER)
    return picture.getvalue()


def _plain(name: str) -> str:
    """Return a label without markup of matplotlib's, short enough for its place."""
    short = name if len(name) <= 18 else f"{name[:17]}…"
    return short.replace("$", r"\$")
