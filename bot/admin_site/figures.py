"""The overview's figures, and its charts as the points of an SVG picture: bars over time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from bot.texts import Phrase, Voice
from bot.usage import change, device_time, part_names, said_time, size
from bot.usage_files import Price
from storage.reports import Report

WIDTH, HEIGHT, GAP = 720.0, 160.0, 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A bar, in the picture's own units.

    Args:
        about: what it says to those who point at it, or hear it.
    """

    x: float
    y: float
    width: float
    height: float
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Bars, and what stands around them; the title names the highest value."""

    title: str
    first: str
    last: str
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number, what it is of, and what to know about it."""

    name: str
    value: str
    about: str


def tiles_of(voice: Voice, report: Report, *, price: Price) -> Iterator[Figure]:
    """Yield the numbers that matter most, each compared with the time before."""
    now, then = report.total, report.before

    def figure(key: str, value: Phrase | str, was: float, became: float) -> Figure:
        share = change(became, was)
        said = "page.change.new" if share is None else "page.change"
        about = voice.say(said, share=share)
        return Figure(name=voice.say(key), value=voice.tell(value), about=about)

    assert then is not None, "the overview always asks for the time before"
    yield figure("page.jobs", f"{now.jobs:,}", then.jobs, now.jobs)
    yield figure("page.pictures", f"{now.pictures:,}", then.pictures, now.pictures)
    yield figure("page.device_time", device_time(now.device_ms), then.device_ms, now.device_ms)
    yield figure("page.failed", f"{now.failures:,}", then.failures, now.failures)
    cost = price.of(now.device_ms)
    if cost is not None and price.hour is not None:
        about = voice.say("page.cost.about", price=price.said(price.hour))
        yield Figure(name=voice.say("page.cost"), value=price.said(cost), about=about)


def facts_of(voice: Voice, report: Report, *, waiting: int) -> Iterator[Figure]:
    """Yield the numbers beside those: what waits now, how long all took, what went back."""
    total, say = report.total, voice.say
    for name, spread in (("wait", report.waits), ("run", report.runs)):
        half, most = (said_time(each) for each in (spread.p50_s, spread.p95_s))
        yield Figure(
            name=say(f"page.{name}"), value=voice.tell(half), about=say("page.most", most=most)
        )
    refunded = say("page.refunded.about", refunded=device_time(total.refunded_ms))
    yield Figure(name=say("page.refunded"), value=f"{total.refunds:,}", about=refunded)
    kept = say("page.stored.about", kept=size(total.kept_bytes))
    yield Figure(name=say("page.stored"), value=size(total.stored_bytes), about=kept)
    yield Figure(name=say("page.waiting"), value=f"{waiting:,}", about=say("page.waiting.about"))


def charts_of(voice: Voice, report: Report, *, zone: ZoneInfo) -> list[Chart]:
    """Return the overview's charts, with the parts of the period by the server's clocks."""
    say, names = voice.say, part_names(voice, report, zone=zone)
    usages = [part.usage for part in report.parts]
    most_jobs = max((it.jobs for it in usages), default=0)
    most_ms = max((it.device_ms for it in usages), default=0)
    about_jobs = [say("page.chart.jobs.part", part=name, count=f"{it.jobs:,}")
                  for name, it in zip(names, usages, strict=True)]  # fmt: skip
    about_time = [say("page.chart.time.part", part=name, used=device_time(it.device_ms))
                  for name, it in zip(names, usages, strict=True)]  # fmt: skip
    titles = (
        say("page.chart.jobs", most=f"{most_jobs:,}"),
        say("page.chart.time", most=device_time(most_ms)),
    )
    values = ([it.jobs for it in usages], [it.device_ms for it in usages])
    return [
        Chart(
            title=title,
            first=names[0],
            last=names[-1],
            bars=bars(list(zip(about, heights, strict=True))),
        )
        for title, about, heights in zip(titles, (about_jobs, about_time), values, strict=True)
    ]


def bars(values: Sequence[tuple[str, float]]) -> list[Bar]:
    """Return a bar for each of some named values, the highest as high as the picture."""
    highest = max((value for _, value in values), default=0.0) or 1.0
    step = WIDTH / max(1, len(values))
    return [
        Bar(
            x=round(number * step, 2),
            y=round(HEIGHT * (1 - value / highest), 2),
            width=round(max(1.0, step - GAP), 2),
            height=round(HEIGHT * value / highest, 2),
            about=name,
        )
        for number, (name, value) in enumerate(values)
    ]
