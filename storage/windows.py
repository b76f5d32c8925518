"""The hours, days and months that quotas count in, all of them UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum


class Period(StrEnum):
    """How long a quota's window is."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One hour, day or month: ``start`` belongs to it, ``end`` to the next one."""

    period: Period
    start: datetime
    end: datetime


def window_of(period: Period, now: datetime) -> Window:
    """Return the window that a moment falls into.

    Raises:
        ValueError: the moment has no time zone.
    """
    if now.utcoffset() is None:
        raise ValueError("a naive datetime does not say which day it is")
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    month = day.replace(day=1)
    start, end = {
        Period.HOUR: (hour, hour + timedelta(hours=1)),
        Period.DAY: (day, day + timedelta(days=1)),
        Period.MONTH: (month, (month + timedelta(days=31)).replace(day=1)),
    }[period]
    return Window(period=period, start=start, end=end)
