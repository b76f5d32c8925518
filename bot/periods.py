"""The time that a report covers, as admins say it: so many days back, or from one date to another.

Dates are those of the server's own clocks. A report that ends now is told by the hours, days,
weeks or months of these clocks; what it is compared with is as long, and directly before.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from bot.errors import BadDateError
from storage.questions import Question

PERIODS = {"day": 1, "week": 7, "month": 30, "quarter": 90, "year": 365}
DEFAULT_PERIOD = "week"
LONGEST = timedelta(days=3660)
MOST_DAYS, MOST_WEEKS = 62, 30
_DAY = timedelta(days=1)


def period_until(now: datetime, period: str) -> tuple[datetime, datetime]:
    """Return the beginning and the end of a period that ends now."""
    return now - timedelta(days=PERIODS.get(period, PERIODS[DEFAULT_PERIOD])), now


def period_between(first: str, last: str, *, now: datetime, zone: ZoneInfo) -> tuple[
    datetime, datetime
]:  # fmt: skip
    """Return the period from the beginning of one date to the end of another, both included.

    Without a first date it is the last one alone; without a last one it goes on until today.

    Raises:
        BadDateError: one is no date, they are in the wrong order, or far apart.
    """
    today = now.astimezone(zone).date()
    ending = _date(last) if last else today
    beginning = _date(first) if first else ending
    if not beginning <= ending or ending - beginning > LONGEST:
        raise BadDateError("the dates are in no order, or far apart")
    return _midnight(beginning, zone), _midnight(ending + _DAY, zone)


def compared(question: Question, *, zone: ZoneInfo) -> Question:
    """Return a question that is told over time, too, and with the time before it."""
    since, until = question.since, question.until
    return replace(question, parts=parts_of(since, until, zone=zone), before=before(since, until))


def before(since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """Return the period that is as long and ends where another begins."""
    return since - (until - since), since


def parts_of(since: datetime, until: datetime, *, zone: ZoneInfo) -> tuple[datetime, ...]:
    """Return where a period's hours, days, weeks or months begin, the first with the period."""
    if until - since <= 2 * _DAY:
        step = timedelta(hours=1)
        hour = since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        starts = [hour + number * step for number in range(1, 50)]
    else:
        day = since.astimezone(zone).date()
        days = [day + number * _DAY for number in range(1, (until - since).days + 2)]
        if len(days) > MOST_WEEKS * 7:
            days = [each for each in days if each.day == 1]
        elif len(days) > MOST_DAYS:
            days = [each for each in days if each.weekday() == 0]
        starts = [_midnight(each, zone) for each in days]
    inside = takewhile(lambda each: each < until, (each for each in starts if each > since))
    return (since, *inside)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError as err:
        raise BadDateError("that is no date") from err


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
