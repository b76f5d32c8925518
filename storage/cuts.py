"""By what usage is added up beforehand, and which of these sums make up a period.

A cut is a set of dimensions; its sums are kept by guild, by those dimensions, and by UTC hours,
days or months. What a question asks is read from the smallest cut that knows all it is about. A
period is made up of whole months, days and hours whose sums are up to date, and of the jobs
themselves for all the rest: its edges, and what has changed since it was added up.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Row

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Dimension(StrEnum):
    """By what usage can be told apart."""

    GUILD = "guild"
    MEMBER = "member"
    CHANNEL = "channel"
    ROLE = "role"
    PIPELINE = "pipeline"
    MODEL = "model"


class Grain(StrEnum):
    """How long a time is added up; ``LIVE`` is none: the jobs themselves are read."""

    MONTH = "month"
    DAY = "day"
    HOUR = "hour"
    LIVE = "live"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A set of dimensions that is added up, beside the guild that each has."""

    name: str
    dimensions: frozenset[Dimension]
    grains: tuple[Grain, ...] = (Grain.DAY, Grain.MONTH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of a period and the sums that it is read from; ``since`` belongs to it."""

    grain: Grain
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """The UTC days and months whose sums are not up to date, by their beginnings."""

    days: frozenset[datetime] = frozenset()
    months: frozenset[datetime] = frozenset()


_BY_HOUR = (Grain.HOUR, Grain.DAY, Grain.MONTH)
_MADE = frozenset({Dimension.PIPELINE, Dimension.MODEL})
CUTS = (
    Cut(name="guild", dimensions=frozenset(), grains=_BY_HOUR),
    Cut(name="model", dimensions=_MADE, grains=_BY_HOUR),
    Cut(name="channel", dimensions=frozenset({Dimension.CHANNEL}), grains=_BY_HOUR),
    Cut(name="role", dimensions=frozenset({Dimension.ROLE})),
    Cut(name="member", dimensions=frozenset({Dimension.MEMBER})),
    Cut(name="all", dimensions=frozenset({Dimension.MEMBER, Dimension.CHANNEL, *_MADE})),
)
"""The smallest first."""


def cut_for(dimensions: Iterable[Dimension]) -> Cut | None:
    """Return the smallest cut that knows some dimensions; None when only the jobs do."""
    needed = set(dimensions) - {Dimension.GUILD}
    return next((cut for cut in CUTS if needed <= cut.dimensions), None)


def keys_of(row: Row[Any]) -> Iterator[tuple[Cut, tuple[int, int, int, str, str]]]:
    """Yield under which member, channel, role, pipeline and model a job counts in every cut.

    Under a role counts what its members asked for when they had it, so a job counts under several.
    """
    member, channel, pipeline, model = row.member_id, row.channel_id, row.pipeline, row.model or ""
    guild_cut, model_cut, channel_cut, role_cut, member_cut, all_cut = CUTS
    yield guild_cut, (0, 0, 0, "", "")
    yield model_cut, (0, 0, 0, pipeline, model)
    yield channel_cut, (0, channel, 0, "", "")
    yield member_cut, (member, 0, 0, "", "")
    yield all_cut, (member, channel, 0, pipeline, model)
    for role in set(row.role_ids or ()):
        yield role_cut, (0, 0, role, "", "")


def hour_of(moment: datetime) -> datetime:
    """Return the beginning of a moment's UTC hour."""
    return moment.replace(minute=0, second=0, microsecond=0)


def day_of(moment: datetime) -> datetime:
    """Return the beginning of a moment's UTC day."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def month_of(moment: datetime) -> datetime:
    """Return the beginning of a moment's UTC month."""
    return day_of(moment).replace(day=1)


def month_after(month: datetime) -> datetime:
    """Return the beginning of the next month."""
    return month_of(month + 31 * DAY)


def covered(
    since: datetime, until: datetime, *, grains: Sequence[Grain], stale: Stale
) -> list[Segment]:
    """Return what a period in UTC is made up of, in order; neighbours of one grain are one."""
    segments = list[Segment]()
    while since < until:
        grain, end = _piece(since, until, grains=grains, stale=stale)
        segments.append(Segment(grain=grain, since=since, until=end))
        since = end
    return merged(segments)


def merged(segments: Iterable[Segment]) -> list[Segment]:
    """Make one segment of neighbours of one grain."""
    found = list[Segment]()
    for each in segments:
        if found and (found[-1].grain, found[-1].until) == (each.grain, each.since):
            each = Segment(grain=each.grain, since=found.pop().since, until=each.until)
        found.append(each)
    return found


def _piece(
    since: datetime, until: datetime, *, grains: Sequence[Grain], stale: Stale
) -> tuple[Grain, datetime]:
    """Return the longest piece that a period can begin with, and its end."""
    day, month_end = day_of(since), month_after(since)
    fresh = day not in stale.days
    if (
        Grain.MONTH in grains
        and since == month_of(since)
        and month_end <= until
        and since not in stale.months
        and not any(since <= each < month_end for each in stale.days)
    ):
        return Grain.MONTH, month_end
    if Grain.DAY in grains and since == day and day + DAY <= until and fresh:
        return Grain.DAY, day + DAY
    if Grain.HOUR in grains and fresh:
        end = hour_of(since) + HOUR
        if since == end - HOUR and end <= until:
            return Grain.HOUR, end
        return Grain.LIVE, min(until, end)
    return Grain.LIVE, min(until, day + DAY)
