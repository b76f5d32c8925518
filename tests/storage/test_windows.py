"""Windows: by a guild's clocks, without a gap or an overlap, whatever is done to the clocks."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.windows import Period, window_of, zone_of

HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}Z")


@pytest.mark.parametrize(
    ("zone", "now", "start", "hours"),
    [
        ("Europe/Berlin", "2026-03-29T12:00", "2026-03-28T23:00", 23),
        ("Europe/Berlin", "2026-10-25T00:30", "2026-10-24T22:00", 25),
        ("Asia/Kolkata", "2026-06-01T18:29", "2026-05-31T18:30", 24),
        ("America/New_York", "2026-11-01T04:00", "2026-11-01T04:00", 25),
        # Midnight is skipped: the day begins when the clocks are put forward.
        ("Africa/Cairo", "2026-04-24T00:00", "2026-04-23T22:00", 23),
        # Midnight comes twice: the day begins at the first.
        ("Atlantic/Azores", "2026-10-25T00:30", "2026-10-25T00:00", 25),
        # The clocks went from 0:01 back to yesterday; a day that has begun does not end.
        ("America/St_Johns", "2010-11-07T03:00", "2010-11-07T02:30", 25),
        # A date that was left out when the islands changed sides.
        ("Pacific/Apia", "2011-12-30T10:00", "2011-12-30T10:00", 24),
    ],
)
def test_a_day_is_as_long_as_the_clocks_make_it(
    zone: str, now: str, start: str, hours: int
) -> None:
    window = window_of(Period.DAY, moment(now), zone=ZoneInfo(zone))
    assert (window.start, window.end - window.start) == (moment(start), hours * HOUR)


@pytest.mark.parametrize(
    ("zone", "now", "start", "end"),
    [
        ("Pacific/Auckland", "2026-01-31T11:00", "2026-01-31T11:00", "2026-02-28T11:00"),
        ("Pacific/Auckland", "2026-01-31T10:59", "2025-12-31T11:00", "2026-01-31T11:00"),
        ("Europe/Berlin", "2026-03-31T21:59", "2026-02-28T23:00", "2026-03-31T22:00"),
        ("America/New_York", "2028-02-29T12:00", "2028-02-01T05:00", "2028-03-01T05:00"),
        ("America/Los_Angeles", "2027-01-01T07:59", "2026-12-01T08:00", "2027-01-01T08:00"),
    ],
)
def test_a_month_begins_and_ends_at_the_guilds_midnight(
    zone: str, now: str, start: str, end: str
) -> None:
    window = window_of(Period.MONTH, moment(now), zone=ZoneInfo(zone))
    assert (window.start, window.end) == (moment(start), moment(end))


def test_an_hour_that_comes_twice_is_two_hours() -> None:
    zone, night = ZoneInfo("Europe/Berlin"), moment("2026-10-24T23:00")
    hours = [window_of(Period.HOUR, night + number * HOUR, zone=zone) for number in range(4)]
    assert all(early.end == late.start for early, late in pairwise(hours))
    assert window_of(Period.HOUR, moment("2026-06-01T10:45"), zone=ZoneInfo("Asia/Kolkata")).start \
        == moment("2026-06-01T10:30")  # fmt: skip


ZONES = ("Europe/Berlin", "Africa/Cairo", "Atlantic/Azores", "America/St_Johns", "Asia/Beirut",
         "Australia/Lord_Howe", "America/Santiago", "Pacific/Apia", "Asia/Gaza", "Pacific/Chatham",
         "Antarctica/Troll", "UTC")  # fmt: skip


@given(
    zone=st.sampled_from(ZONES),
    period=st.sampled_from((Period.DAY, Period.MONTH)),
    now=st.datetimes(datetime(2005, 1, 1), datetime(2045, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_every_moment_is_in_one_window_and_the_next_begins_at_its_end(
    zone: str, period: Period, now: datetime
) -> None:
    window = window_of(period, now, zone=ZoneInfo(zone))
    assert window.start <= now < window.end
    for edge, other in ((window.start, "end"), (window.end - TICK, "end")):
        assert getattr(window_of(period, edge, zone=ZoneInfo(zone)), other) == window.end
    assert window_of(period, window.end, zone=ZoneInfo(zone)).start == window.end
    assert window_of(period, window.start - TICK, zone=ZoneInfo(zone)).end == window.start


def test_a_zone_that_this_machine_does_not_know_is_utc() -> None:
    assert zone_of(None) == zone_of("Mars/Olympus") == ZoneInfo("UTC")
    assert zone_of("Asia/Tokyo").key == "Asia/Tokyo"
