"""The usage report's chart, drawn in a process of its own.

matplotlib holds the interpreter for hundreds of milliseconds, which a thread would take from the
event loop. Its ``Figure`` is used directly: ``pyplot`` keeps figures in a global.
"""

import asyncio
import io
import multiprocessing
from collections.abc import Collection, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

MAX_BARS = 10
COLOURS = ("#7c5cfc", "#d97757", "#3fa58f")
FONTS = ("DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Zen Hei")
"""Those that are there are tried in this order for every letter."""
MAX_LABELS = 12
LABEL_WIDTH = 23
"""In Latin letters; a Chinese one is as wide as two."""
NOTHING = "–"  # noqa: RUF001
VARIATIONS = "\ufe0e\ufe0f"
"""They say how the letter before them looks, which may be one that no font has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The colours of a chart besides those of its bars."""

    ink: str
    paper: str
    grid: str


DARK = Look(ink="#e3e5e8", paper="#2b2d31", grid="#4e5058")
LIGHT = Look(ink="#2b2d31", paper="#ffffff", grid="#d4d7dc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """One half of the chart.

    Args:
        plain: the title where no font has the letters of the other.
        rows: names and values, the largest first.
    """

    title: str
    plain: str
    rows: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What happened over time, above the halves.

    Args:
        plain: the title where no font has the letters of the other.
        columns: labels and values, the oldest first.
    """

    title: str
    plain: str
    columns: tuple[tuple[str, float], ...]


class ChartPool:
    """One child that draws, started when the first chart is asked for."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    async def draw(
        self, charts: Sequence[Bars], *, over_time: Columns | None = None, light: bool = False
    ) -> bytes:
        """Return a PNG with one half beside the other, below what happened over time."""
        if self._pool is None:
            context = multiprocessing.get_context("forkserver")
            self._pool = ProcessPoolExecutor(max_workers=1, mp_context=context)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, draw, tuple(charts), over_time, light)

    async def close(self) -> None:
        """End the child."""
        if self._pool is not None:
            await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)
            self._pool = None


def draw(charts: tuple[Bars, ...], over_time: Columns | None = None, light: bool = False) -> bytes:
    """Draw horizontal bars, the largest on top, below columns over time."""
    from matplotlib import font_manager, rc_context  # Costs 0.3 s, in the child alone.
    from matplotlib.figure import Figure

    known = {font.name for font in font_manager.fontManager.ttflist}
    fonts = [name for name in FONTS if name in known]
    letters = _letters(fonts)
    charts = tuple(replace(chart, title=_written(chart, letters)) for chart in charts)
    over_time = over_time and replace(over_time, title=_written(over_time, letters))
    look = LIGHT if light else DARK
    with rc_context({"font.family": fonts}):
        rows = max(3, max((len(chart.rows) for chart in charts), default=1))
        heights = [*([2.0] if over_time else []), 0.9 + 0.36 * rows]
        figure = Figure(figsize=(9.6, sum(heights) + 0.5), dpi=110, facecolor=look.paper)
        figure.set_layout_engine("constrained", h_pad=0.12, w_pad=0.12)
        bands = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
        for band in bands:
            band.set_facecolor(look.paper)
        if over_time is not None:
            _draw_columns(bands[0].subplots(), over_time, look, letters=letters)
        axes = bands[-1].subplots(1, len(charts), squeeze=False)[0]
        for axis, chart, colour in zip(axes, charts, COLOURS, strict=False):
            _draw_bars(axis, chart, rows=rows, colour=colour, look=look, letters=letters)
        picture = io.BytesIO()
        figure.savefig(picture, format="png", facecolor=look.paper)
    return picture.getvalue()


def _letters(fonts: Sequence[str]) -> set[int]:
    """Return the code points that one of some fonts has a glyph for."""
    from matplotlib.font_manager import findfont
    from matplotlib.ft2font import FT2Font

    return {code for name in fonts for code in FT2Font(findfont(name)).get_charmap()}


def _written(chart: Bars | Columns, letters: Collection[int]) -> str:
    """Return a chart's title, in plain letters where no font has its own."""
    return chart.title if all(ord(letter) in letters for letter in chart.title) else chart.plain


def _draw_bars(
    axis: "Axes", chart: Bars, *, rows: int, colour: str, look: Look, letters: Collection[int]
) -> None:
    names = [_label(name, letters) for name, _ in chart.rows]
    values = [value for _, value in chart.rows]
    places = list(range(len(values)))
    axis.barh(places, values, color=colour, height=0.62)
    axis.set_yticks(places, names)
    axis.set_ylim(rows - 0.4, -0.6)
    axis.set_xlim(0, max(values, default=1.0) * 1.25 or 1.0)
    for place, value in zip(places, values, strict=True):
        axis.text(value, place, f" {_said(value)}", va="center", color=look.ink, fontsize=9)
    _measure(axis, axis.xaxis, values, look)
    _dress(axis, chart.title, look)


def _draw_columns(axis: "Axes", chart: Columns, look: Look, *, letters: Collection[int]) -> None:
    values = [value for _, value in chart.columns]
    places = list(range(len(values)))
    axis.bar(places, values, color=COLOURS[2], width=0.72)
    every = -(-len(places) // MAX_LABELS)
    names = [_label(name, letters) for name, _ in chart.columns[::every]]
    axis.set_xticks(places[::every], names)
    axis.set_xlim(-0.6, len(places) - 0.4)
    axis.set_ylim(0, max(values, default=1.0) * 1.1 or 1.0)
    _measure(axis, axis.yaxis, values, look)
    _dress(axis, chart.title, look)


def _measure(axis: "Axes", scale: "Axis", values: Sequence[float], look: Look) -> None:
    """Give a scale a few lines and numbers; where there is nothing to be measured, say so."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    if not any(values):
        scale.set_ticks([])
        axis.text(0.5, 0.5, NOTHING, transform=axis.transAxes, ha="center", color=look.ink)
        return
    scale.grid(visible=True, color=look.grid, linewidth=0.5)
    scale.set_major_locator(MaxNLocator(nbins=4))
    scale.set_major_formatter(FuncFormatter(lambda value, _: _said(value)))


def _dress(axis: "Axes", title: str, look: Look) -> None:
    axis.set_title(title, color=look.ink, fontsize=11, loc="left")
    axis.set_facecolor(look.paper)
    axis.tick_params(colors=look.ink, labelsize=9, length=0)
    axis.set_axisbelow(True)
    for spine in axis.spines.values():
        spine.set_visible(False)


def _said(value: float) -> str:
    """Return a number with as many places as its size leaves of interest."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}".removesuffix(".0") if value >= 1 else f"{value:.2g}"


def _label(name: str, letters: Collection[int]) -> str:
    """Return a label of letters that a font has, without markup of matplotlib's, that fits."""
    known = "".join(it for it in name if ord(it) in letters and it not in VARIATIONS)
    short = " ".join(known.split())
    while _width(short) > LABEL_WIDTH:
        short = f"{short.removesuffix('…')[:-1]}…"
    return short.replace("$", r"\$")


def _width(text: str) -> int:
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)
