"""Which limits hold for a member, told from the policies that were set.

What a member may spend alone says the most exact policy: this member's in this guild, else this
member's anywhere, else the most generous of their roles', else everybody's in this guild, else
everybody's anywhere, else what the installation sets. What was bought raises all but a member's
own. What members share is capped where a policy says so: a channel and its threads, a guild, the
installation. The installation's own caps hold beside those of a guild's admins, never in their
place, so that no admin can give away more than the guild has.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from storage.ledger import Cap, Scope
from storage.windows import UTC_CLOCKS, Period, window_of

ANYBODY = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A limit as it was set.

    Args:
        guild_id: 0 stands for any guild.
        subject_id: the member, role or channel that it is about; 0 stands for any member.
    """

    scope: Scope
    guild_id: int
    subject_id: int
    period: Period
    limit_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a member brings along when they ask, beside who they are.

    Args:
        channel_ids: where they ask: the channel, and the one that a thread hangs below.
        role_ids: their roles.
        raised_ms: what they or the guild have bought: their day's limit is at least that.
        weight: how many times a usual share of the engines they or the guild have bought.
    """

    channel_ids: tuple[int, ...] = ()
    role_ids: tuple[int, ...] = ()
    raised_ms: int = 0
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceilings:
    """What the installation itself sets, in device milliseconds; None is no limit.

    Its windows are UTC's, since a guild's admins choose the guild's time zone.

    Args:
        member_ms: of every member for a day, where no policy says otherwise.
        guild_ms: of all members of a guild together for a day, whatever its admins set.
        total_ms: of everybody for a day.
        further: the same of a guild (``Scope.SHARE``) and of everybody for an hour or a month.
    """

    member_ms: int
    guild_ms: int | None = None
    total_ms: int | None = None
    further: Mapping[tuple[Scope, Period], int] = field(default_factory=dict)

    def limits(self) -> Iterator[tuple[Scope, Period, int]]:
        """Yield what guilds and everybody are limited to."""
        for scope, limit_ms in ((Scope.SHARE, self.guild_ms), (Scope.GLOBAL, self.total_ms)):
            if limit_ms is not None:
                yield scope, Period.DAY, limit_ms
        yield from ((*key, limit_ms) for key, limit_ms in self.further.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose job it is, when and where: all that decides which limits hold.

    Args:
        guild_id: 0 in direct messages.
        zone: the guild's clocks.
    """

    guild_id: int
    member_id: int
    standing: Standing
    zone: ZoneInfo
    now: datetime


def caps_of(account: Account, policies: Iterable[Policy], *, ceilings: Ceilings) -> list[Cap]:
    """Return what a job falls under; every account is named once, with the tightest limit."""
    fitting = list(policies)
    caps = [*_own(account, fitting, ceilings=ceilings), *_shared(account, fitting)]
    caps += _set_by_installation(account, ceilings)
    tightest = dict[tuple[object, ...], Cap]()
    for cap in sorted(caps, key=lambda cap: cap.limit_ms, reverse=True):
        tightest[cap.rank] = cap
    return [tightest[rank] for rank in sorted(tightest)]


def _own(account: Account, policies: Iterable[Policy], *, ceilings: Ceilings) -> Iterable[Cap]:
    exact = _exact_limits(account, policies, ceilings=ceilings)
    for period, (degree, limit_ms) in exact.items():
        if period is Period.DAY and degree < _OWN:
            limit_ms = max(limit_ms, account.standing.raised_ms)
        yield Cap(
            scope=Scope.MEMBER,
            guild_id=account.guild_id,
            subject_id=account.member_id,
            limit_ms=limit_ms,
            window=window_of(period, account.now, zone=account.zone),
        )


_OWN = 3
"""From this degree on a policy is about one member."""


def _exact_limits(
    account: Account, policies: Iterable[Policy], *, ceilings: Ceilings
) -> Mapping[Period, tuple[int, int]]:
    """Return for each period how exact its limit is, and the limit; equals are the generous."""
    found = {Period.DAY: (-1, ceilings.member_ms)}
    for policy in policies:
        degree = _degree(policy, account)
        if degree is not None:
            known = found.get(policy.period, (degree, policy.limit_ms))
            found[policy.period] = max(known, (degree, policy.limit_ms))
    return found


def _degree(policy: Policy, account: Account) -> int | None:
    """Return how exactly a policy is about a member, None when it is not about them alone."""
    here = policy.guild_id != ANYBODY
    if policy.scope is Scope.ROLE and here and policy.subject_id in account.standing.role_ids:
        return 2
    if policy.scope is Scope.MEMBER and policy.subject_id == account.member_id:
        return 4 if here else _OWN
    if policy.scope is Scope.MEMBER and policy.subject_id == ANYBODY:
        return 1 if here else 0
    return None


def _shared(account: Account, policies: Iterable[Policy]) -> Iterable[Cap]:
    """Yield the caps of channels, of the guild (its own before any guild's) and of everybody."""
    chosen = dict[tuple[Scope, int, Period], Policy]()
    for policy in sorted(policies, key=lambda each: each.guild_id != ANYBODY):
        here = policy.scope is Scope.GUILD and account.guild_id != 0
        channel = policy.scope is Scope.CHANNEL and policy.subject_id in (
            account.standing.channel_ids
        )
        if here or channel or policy.scope is Scope.GLOBAL:
            chosen[policy.scope, policy.subject_id, policy.period] = policy
    for policy in chosen.values():
        everybody = policy.scope is Scope.GLOBAL
        zone = UTC_CLOCKS if everybody else account.zone
        yield Cap(
            scope=policy.scope,
            guild_id=ANYBODY if everybody else account.guild_id,
            subject_id=policy.subject_id,
            limit_ms=policy.limit_ms,
            window=window_of(policy.period, account.now, zone=zone),
        )


def _set_by_installation(account: Account, ceilings: Ceilings) -> Iterable[Cap]:
    for scope, period, limit_ms in ceilings.limits():
        if scope is Scope.GLOBAL or account.guild_id:
            yield Cap(
                scope=scope,
                guild_id=ANYBODY if scope is Scope.GLOBAL else account.guild_id,
                subject_id=ANYBODY,
                limit_ms=limit_ms,
                window=window_of(period, account.now),
            )
