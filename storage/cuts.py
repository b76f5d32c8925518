"""By what usage is added up beforehand, and which of these sums make up a period.

A cut is a set of dimensions; its sums are kept by guild, by those dimensions, and by UTC hours,
days or months. What a question asks is read from the smallest cut that knows all it is about. A
period is made up of whole months, days and hours whose sums are up to date, and of the jobs
themselves for all the rest: its edges, what has changed since it was added up, and times with few
jobs. The whole installation is added up like a guild of its own, ``EVERYWHERE``.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
EVERYWHERE = -1
"""What stands for the whole installation where a guild's id does."""


class Dimension(StrEnum):
    """By what usage can be told apart."""

    GUILD = "guild"
    MEMBER = "member"
    CHANNEL = "channel"
    ROLE = "role"
    PIPELINE = "pipeline"
    MODEL = "model"

    @property
    def column(self) -> str:
        """The column of jobs and of sums that holds it: an id, or a name."""
        return self.value if self in (Dimension.PIPELINE, Dimension.MODEL) else f"{self.value}_id"


class Grain(StrEnum):
    """How long a time is added up; ``LIVE`` is none: the jobs themselves are read."""

    MONTH = "month"
    DAY = "day"
    HOUR = "hour"
    LIVE = "live"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A set of dimensions that is added up, beside the guild that each has.

    Args:
        least: by which grains, and how many jobs the guild's day or month has to have for it; of
            fewer, the jobs themselves are read as fast. An hour is kept by the jobs of its day.
        guilds: whether it is added up for each guild.
        everywhere: whether it is for the whole installation.
    """

    name: str
    dimensions: frozenset[Dimension]
    least: Mapping[Grain, int]
    guilds: bool = True
    everywhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of a period and the sums that it is read from; ``since`` belongs to it."""

    grain: Grain
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Which sums there are.

    Args:
        stale_days: the UTC days whose sums are not up to date, by their beginnings.
        stale_months: likewise.
        days: how many jobs those have that were added up.
        months: likewise.
    """

    stale_days: frozenset[datetime] = frozenset()
    stale_months: frozenset[datetime] = frozenset()
    days: Mapping[datetime, int] = field(default_factory=dict)
    months: Mapping[datetime, int] = field(default_factory=dict)

    def of(self, cuts: Iterable[Cut]) -> "There":
        """Return what tells whether all of some cuts are kept and right for a time."""
        used = tuple(cuts)

        def there(grain: Grain, start: datetime) -> bool:
            stale = self.stale_months if grain is Grain.MONTH else self.stale_days
            if start in stale or not all(grain in cut.least for cut in used):
                return False
            if grain is Grain.MONTH and self._stale_within(start):
                return False
            jobs = (self.months if grain is Grain.MONTH else self.days).get(start, 0)
            return all(jobs >= cut.least[grain] for cut in used)

        return there

    def _stale_within(self, month: datetime) -> bool:
        end = month_after(month)
        return any(month <= each < end for each in self.stale_days)


There = Callable[[Grain, datetime], bool]
"""Whether there are sums of a month, a day or a day's hours, by the beginning of it."""

_MADE = (Dimension.PIPELINE, Dimension.MODEL)
_USUAL = {Grain.DAY: 300, Grain.MONTH: 2000}
_CROSSED = {Grain.MONTH: 10_000}


def _cut(
    name: str,
    *dimensions: Dimension,
    least: Mapping[Grain, int],
    guilds: bool = True,
    everywhere: bool = False,
) -> Cut:
    return Cut(
        name=name,
        dimensions=frozenset(dimensions),
        least=least,
        guilds=guilds,
        everywhere=everywhere,
    )


CUTS = (
    _cut("guild", least={Grain.HOUR: 300, Grain.DAY: 0, Grain.MONTH: 0}, everywhere=True),
    _cut("model", *_MADE, least={Grain.DAY: 300, Grain.MONTH: 0}, everywhere=True),
    _cut("channel", Dimension.CHANNEL, least=_USUAL),
    _cut("role", Dimension.ROLE, least=_USUAL),
    _cut("member", Dimension.MEMBER, least=_USUAL, everywhere=True),
    _cut("role-channel", Dimension.ROLE, Dimension.CHANNEL, least=_CROSSED),
    _cut("channel-model", Dimension.CHANNEL, *_MADE, least=_CROSSED),
    _cut("role-model", Dimension.ROLE, *_MADE, least=_CROSSED),
    _cut("role-member", Dimension.ROLE, Dimension.MEMBER, least=_CROSSED),
    _cut("member-model", Dimension.MEMBER, *_MADE, least=_CROSSED, guilds=False, everywhere=True),
    _cut("all", Dimension.MEMBER, Dimension.CHANNEL, *_MADE, least=_CROSSED),
)
"""The smallest first; whoever changes them has all sums made anew (by a migration).

Those of several dimensions are by day nearly as many as the jobs, so they are kept by month alone;
channels and roles of the whole installation are nothing that anybody asks for.
"""


def cuts_of(guild_id: int) -> tuple[Cut, ...]:
    """Return the cuts of a guild, or of the whole installation."""
    return tuple(cut for cut in CUTS if (cut.everywhere if guild_id == EVERYWHERE else cut.guilds))


def cut_for(dimensions: Iterable[Dimension], *, guild_id: int) -> Cut | None:
    """Return the smallest cut that knows some dimensions; None when only the jobs do.

    What is told apart by guild is read from the guilds' own cuts, as far as all guilds have them.
    """
    named = set(dimensions)
    if Dimension.GUILD not in named:
        return next((cut for cut in cuts_of(guild_id) if named <= cut.dimensions), None)
    needed = named - {Dimension.GUILD}
    cut = next((cut for cut in CUTS if cut.guilds and needed <= cut.dimensions), None)
    if cut is None:
        return None
    return replace(cut, least={grain: jobs for grain, jobs in cut.least.items() if not jobs})


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


def covered(since: datetime, until: datetime, *, there: There) -> list[Segment]:
    """Return what a period in UTC is made up of, in order; neighbours of one grain are one."""
    segments = list[Segment]()
    while since < until:
        grain, end = _piece(since, until, there=there)
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


def _piece(since: datetime, until: datetime, *, there: There) -> tuple[Grain, datetime]:
    """Return the longest piece that a period can begin with, and its end."""
    day, month_end = day_of(since), month_after(since)
    if since == month_of(since) and month_end <= until and there(Grain.MONTH, since):
        return Grain.MONTH, month_end
    if since == day and day + DAY <= until and there(Grain.DAY, day):
        return Grain.DAY, day + DAY
    if there(Grain.HOUR, day):
        end = hour_of(since) + HOUR
        if since == end - HOUR and end <= until:
            return Grain.HOUR, end
        return Grain.LIVE, min(until, end)
    return Grain.LIVE, min(until, day + DAY)
