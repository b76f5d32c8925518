"""The hours, days and months that quotas count in, by the clocks of a time zone.

Where clocks are changed a day has 23 or 25 hours. It begins when its date is first shown, also
where its midnight is skipped; one whose midnight comes twice begins at the first.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

UTC_CLOCKS = ZoneInfo("UTC")
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
NEVER = datetime(9999, 12, 31, tzinfo=UTC)
_DAY, _A_MONTH = timedelta(days=1), timedelta(days=31)


class Period(StrEnum):
    """How long a quota's window is; what lasts for ever is topped up, and renews by nothing."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    EVER = "ever"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One hour, day or month: ``start`` belongs to it, ``end`` to the next one."""

    period: Period
    start: datetime
    end: datetime


EVER = Window(period=Period.EVER, start=LONG_AGO, end=NEVER)


@cache
def zone_names() -> frozenset[str]:
    """Return the names of the time zones that this machine knows."""
    return frozenset(available_timezones())


def zone_of(name: str | None) -> ZoneInfo:
    """Return a time zone; UTC where none was chosen, or one that this machine does not know."""
    return ZoneInfo(name if name in zone_names() else "UTC")


def window_of(period: Period, now: datetime, *, zone: ZoneInfo = UTC_CLOCKS) -> Window:
    """Return the window that a moment falls into.

    Raises:
        ValueError: the moment has no time zone.
    """
    if now.utcoffset() is None:
        raise ValueError("a naive datetime does not say which day it is")
    local = now.astimezone(zone)
    if period is Period.EVER:
        return EVER
    if period is Period.HOUR:
        begun = timedelta(
            minutes=local.minute, seconds=local.second, microseconds=local.microsecond
        )
        start = now.astimezone(UTC) - begun
        return Window(period=period, start=start, end=start + timedelta(hours=1))
    today = local.date()
    for day in (today, today - _DAY, today + _DAY):
        first = day if period is Period.DAY else day.replace(day=1)
        after = day + _DAY if period is Period.DAY else (first + _A_MONTH).replace(day=1)
        start, end = _midnight(first, zone), _midnight(after, zone)
        if start <= now < end:
            return Window(period=period, start=start, end=end)
    raise AssertionError(f"{now} is in no {period} of {zone}")


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return when a date begins: the earlier time if twice, the clocks' change if they skip it."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
