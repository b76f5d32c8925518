"""The usage report as text, as a chart's rows and as a CSV file."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from bot.charts import MAX_BARS, Bars
from bot.replies import span
from bot.texts import Voice
from storage.cuts import Dimension
from storage.reports import Report, Usage

SHOWN_ROWS = 10
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = (
    "kind", "id", "name", "jobs", "done", "failures", "cancelled", "device_s", "mean_wait_s",
)  # fmt: skip


def device_time(device_ms: int) -> str:
    """Return device time as people say it."""
    seconds = device_ms / 1000
    return f"{seconds:.1f} s" if seconds < 90 else span(seconds)


def report_total(voice: Voice, report: Report) -> str:
    """Return the line about everything."""
    total = report.total
    if not total.jobs:
        return voice.say("usage.report.empty")
    return voice.say(
        "usage.report.total", members=len(report.lines(Dimension.MEMBER)), **_numbers(total)
    )


def report_lines(voice: Voice, rows: Sequence[tuple[str, Usage]]) -> str:
    """Return the lines of one table, the first ten of it."""
    lines = [
        voice.say("usage.report.row", name=name, **_numbers(usage))
        for name, usage in rows[:SHOWN_ROWS]
    ]
    if len(rows) > SHOWN_ROWS:
        lines.append(voice.say("usage.report.more", count=len(rows) - SHOWN_ROWS))
    return "\n".join(lines)


def member_rows(report: Report) -> list[tuple[str, Usage]]:
    """Return the members as mentions, which Discord shows by name and which alert nobody."""
    return [(f"<@{row.key}>", row.usage) for row in report.lines(Dimension.MEMBER)]


def pipeline_rows(report: Report) -> list[tuple[str, Usage]]:
    """Return the pipelines by name."""
    return [(f"`{row.key}`", row.usage) for row in report.lines(Dimension.PIPELINE)]


def charts_of(voice: Voice, report: Report, names: Mapping[int, str]) -> tuple[Bars, Bars]:
    """Return the two halves of the chart."""
    members = [
        (names.get(int(row.key), str(row.key)), row.usage) for row in report.lines(Dimension.MEMBER)
    ]
    pipelines = [(str(row.key), row.usage) for row in report.lines(Dimension.PIPELINE)]
    return (
        _bars(voice, voice.say("usage.chart.members"), members),
        _bars(voice, voice.say("usage.chart.pipelines"), pipelines),
    )


def csv_of(report: Report, names: Mapping[int, str]) -> bytes:
    """Return all rows as CSV, in which no cell is a formula to a spreadsheet."""
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(COLUMNS)
    for member in report.lines(Dimension.MEMBER):
        name = names.get(int(member.key), "")
        writer.writerow(_cells("member", str(member.key), name, member.usage))
    for pipeline in report.lines(Dimension.PIPELINE):
        name = str(pipeline.key)
        writer.writerow(_cells("pipeline", name, name, pipeline.usage))
    writer.writerow(_cells("total", "", "", report.total))
    return table.getvalue().encode("utf-8-sig")


def harmless(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula (OWASP, "CSV Injection")."""
    return f"'{cell}" if cell.lstrip().startswith(FORMULA_STARTS) else cell


def _cells(kind: str, key: str, name: str, usage: Usage) -> list[str | int]:
    wait = "" if usage.mean_wait_s is None else f"{usage.mean_wait_s:.3f}"
    return [
        kind,
        harmless(key),
        harmless(name),
        usage.jobs,
        usage.done,
        usage.failures,
        usage.cancelled,
        f"{usage.device_ms / 1000:.3f}",
        wait,
    ]


def _bars(voice: Voice, title: str, rows: Iterable[tuple[str, Usage]]) -> Bars:
    values = [(name, usage.device_ms / 1000) for name, usage in rows]
    if len(values) > MAX_BARS:
        rest = sum(value for _, value in values[MAX_BARS - 1 :])
        values = [*values[: MAX_BARS - 1], (voice.say("usage.chart.others"), rest)]
    return Bars(title=title, rows=tuple(values))


def _numbers(usage: Usage) -> dict[str, object]:
    wait = "–" if usage.mean_wait_s is None else f"{usage.mean_wait_s:.1f} s"  # noqa: RUF001
    return {
        "jobs": usage.jobs,
        "failures": usage.failures,
        "device": device_time(usage.device_ms),
        "wait": wait,
    }
