"""The usage report as text and as a chart's rows."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from bot.charts import MAX_BARS, Bars, Columns
from bot.reasons import causes_of
from bot.replies import span
from bot.texts import Phrase, Voice
from bot.usage_files import Price
from storage.cuts import Dimension
from storage.reports import Line, Report, Usage

SHOWN_ROWS, SHOWN_OTHERS, SHOWN_CAUSES = 10, 4, 4
SHOWN_NAME = 40
A_DAY = timedelta(days=1)
NOTHING = "–"  # noqa: RUF001
MARKS = {
    Dimension.MEMBER: "<@{}>",
    Dimension.CHANNEL: "<#{}>",
    Dimension.ROLE: "<@&{}>",
    Dimension.PIPELINE: "`{}`",
    Dimension.MODEL: "`{}`",
}
"""How Discord shows what a line is about, without alerting anybody."""


def device_time(device_ms: float) -> Phrase:
    """Return device time as people say it."""
    return exact_span(device_ms / 1000)


def exact_span(seconds: float) -> Phrase:
    """Return a duration as people say it, a short one with tenths of a second."""
    if seconds < 90:
        return Phrase("unit.seconds", {"value": f"{seconds:.1f}"})
    return span(seconds)


def report_total(voice: Voice, report: Report) -> str:
    """Return the line about everything."""
    total = report.total
    if not total.jobs:
        return voice.say("usage.report.empty")
    return voice.say(
        "usage.report.total", members=len(report.lines(Dimension.MEMBER)), **_numbers(total)
    )


def report_numbers(voice: Voice, report: Report, *, price: Price) -> str:
    """Return the lines below the first one: what came out, how long it took, what it cost."""
    total, waits, runs = report.total, report.waits, report.runs
    lines = [
        voice.say(
            "usage.report.more_numbers",
            pictures=total.pictures,
            refunds=total.refunds,
            refunded=device_time(total.refunded_ms),
            stored=size(total.stored_bytes),
            kept=size(total.kept_bytes),
        ),
        voice.say(
            "usage.report.times",
            wait_half=said_time(waits.p50_s),
            wait_most=said_time(waits.p95_s),
            run_half=said_time(runs.p50_s),
            run_most=said_time(runs.p95_s),
        ),
    ]
    cost = price.of(total.device_ms)
    if cost is not None and price.hour is not None:
        said = {"cost": price.said(cost), "price": price.said(price.hour)}
        lines.append(voice.say("usage.report.cost", **said))
    if report.causes:
        causes = causes_of(report.causes)[:SHOWN_CAUSES]
        told = (voice.say("usage.report.cause", cause=each, count=count) for each, count in causes)
        lines.append(voice.say("usage.report.causes", causes=tuple(told)))
    if report.before is not None:
        lines.append(_against(voice, report.total, report.before))
    return "\n".join(lines)


def report_lines(voice: Voice, rows: Sequence[tuple[str, Line]], *, shown: int = SHOWN_ROWS) -> str:
    """Return the lines of one table, the first of it."""
    lines = [
        voice.say(
            "usage.report.row",
            name=name,
            **_numbers(line.usage),
            wait_half=said_time(line.waits.p50_s),
            wait_most=said_time(line.waits.p95_s),
            run_half=said_time(line.runs.p50_s),
            run_most=said_time(line.runs.p95_s),
        )
        for name, line in rows[:shown]
    ]
    if len(rows) > shown:
        lines.append(voice.say("usage.report.more", count=len(rows) - shown))
    return "\n".join(lines)


def report_tables(voice: Voice, report: Report) -> list[str]:
    """Return a table for each dimension that tells something apart."""
    tables = list[str]()
    for dimension, lines in report.groups.items():
        always = dimension in (Dimension.MEMBER, Dimension.PIPELINE)
        if not lines or not (always or dimension is Dimension.ROLE or len(lines) > 1):
            continue
        shown = SHOWN_ROWS if dimension is Dimension.MEMBER else SHOWN_OTHERS
        rows = [(marked(voice, dimension, line.key), line) for line in lines]
        heading = voice.say(f"usage.report.{dimension}s")
        tables.append(f"{heading}\n{report_lines(voice, rows, shown=shown)}")
    return [f"{voice.say('usage.report.key')}\n{tables[0]}", *tables[1:]] if tables else []


def marked(voice: Voice, dimension: Dimension, key: int | str) -> str:
    """Return what a line is about as Discord shows it."""
    if key == "":
        return voice.say("usage.report.model.none")
    return MARKS[dimension].format(str(key)[:SHOWN_NAME].replace("`", "'"))


def size(amount_bytes: int) -> str:
    """Return an amount of bytes as people say it."""
    return f"{amount_bytes / 1e9:.1f} GB" if amount_bytes >= 1e9 else f"{amount_bytes / 1e6:.1f} MB"


def change(now: float, then: float) -> str | None:
    """Return how much more or less something became, in percent; None where there was none."""
    if not then:
        return None if now else "±0 %"
    percent = round(100 * (now - then) / then)
    return f"{percent:+,d} %" if percent else "±0 %"


def _against(voice: Voice, now: Usage, then: Usage) -> str:
    new = voice.say("usage.report.before.new")
    return voice.say(
        "usage.report.before",
        jobs=change(now.jobs, then.jobs) or new,
        pictures=change(now.pictures, then.pictures) or new,
        device=change(now.device_ms, then.device_ms) or new,
        failures=change(now.failures, then.failures) or new,
    )


def said_time(seconds: float | None) -> Phrase | str:
    """Return a duration as people say it, a dash where there is none."""
    return NOTHING if seconds is None else exact_span(seconds)


def charts_of(voice: Voice, report: Report, names: Mapping[int, str]) -> tuple[Bars, Bars]:
    """Return the two halves of the chart."""
    members = [
        (names.get(int(row.key), str(row.key)), row.usage) for row in report.lines(Dimension.MEMBER)
    ]
    pipelines = [(str(row.key), row.usage) for row in report.lines(Dimension.PIPELINE)]
    return (
        _bars(voice, "usage.chart.members", members),
        _bars(voice, "usage.chart.pipelines", pipelines),
    )


def time_chart(voice: Voice, report: Report, *, zone: ZoneInfo) -> Columns:
    """Return the chart over time: device seconds of each part."""
    columns = [
        (name, part.usage.device_ms / 1000)
        for name, part in zip(part_names(voice, report, zone=zone), report.parts, strict=True)
    ]
    key = "usage.chart.parts"
    return Columns(title=voice.say(key), plain=str(Phrase(key)), columns=tuple(columns))


def part_names(voice: Voice, report: Report, *, zone: ZoneInfo) -> list[str]:
    """Return what the parts of a report's period are called: by the hour, day or month of it."""
    starts = [part.start.astimezone(zone) for part in report.parts]
    step = starts[-1] - starts[-2] if len(starts) > 1 else A_DAY
    form = "hour" if step < A_DAY * 0.9 else "day" if step < A_DAY * 20 else "month"
    return [start.strftime(voice.say(f"usage.chart.{form}")) for start in starts]


def _bars(voice: Voice, key: str, rows: Iterable[tuple[str, Usage]]) -> Bars:
    values = [(name, usage.device_ms / 1000) for name, usage in rows]
    if len(values) > MAX_BARS:
        rest = sum(value for _, value in values[MAX_BARS - 1 :])
        values = [*values[: MAX_BARS - 1], (voice.say("usage.chart.others"), rest)]
    return Bars(title=voice.say(key), plain=str(Phrase(key)), rows=tuple(values))


def _numbers(usage: Usage) -> dict[str, object]:
    return {
        "jobs": usage.jobs,
        "failures": usage.failures,
        "device": device_time(usage.device_ms),
        "wait": said_time(usage.mean_wait_s),
    }
