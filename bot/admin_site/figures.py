"""The dashboard's figures, and its charts as the points of an SVG picture: bars of a day each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.texts import Voice
from bot.usage import device_time
from storage.clock import utc_now
from storage.cuts import Dimension
from storage.questions import Question
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


def question_of(guild_id: int, *, days: int) -> Question:
    """Return what the overview asks: some days that end with today, and as much before that."""
    now = utc_now()
    since = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days - 1)
    return Question(
        since=since,
        until=now,
        guild_id=guild_id,
        by=(Dimension.MEMBER, Dimension.PIPELINE),
        parts=tuple(since + timedelta(days=number) for number in range(days)),
        before=(since - (now - since), since),
    )


def day_charts(voice: Voice, report: Report) -> dict[str, list[Bar]]:
    """Return the overview's charts by their titles, which name the highest value."""
    say, form = voice.say, voice.say("usage.chart.day")
    days = [(part.start.strftime(form), part.usage) for part in report.parts]
    most_jobs = max((it.jobs for _, it in days), default=0)
    most_ms = max((it.device_ms for _, it in days), default=0)
    return {
        say("page.chart.jobs", most=most_jobs): bars(
            [(say("page.chart.jobs.day", day=day, count=it.jobs), it.jobs) for day, it in days]
        ),
        say("page.chart.time", most=device_time(most_ms)): bars(
            [
                (say("page.chart.time.day", day=day, used=device_time(it.device_ms)), it.device_ms)
                for day, it in days
            ]
        ),
    }


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
