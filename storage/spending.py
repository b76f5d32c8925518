"""How far limits are used in their present windows, inside a transaction of the caller.

What members share is one account. A limit of every member, or of everybody with a role, is one of
as many accounts; of these the one is told that has used most, and how many have used any.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from storage.ledger import Cap, Scope, account_of, left_ms
from storage.policies import ANYBODY, Ceilings, Policy
from storage.tables import AccountRow
from storage.windows import UTC_CLOCKS, Period, window_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """How far a limit is used in its present window, in device milliseconds.

    Args:
        policy: the limit; one of the installation's own has the scope of a share, or no guild.
        limit_ms: grants included.
        remaining_ms: what is neither used nor reserved, never below 0.
        resets_at: when the next window starts.
        members: how many have used any of theirs, where each has their own; the amounts are those
            of whoever used most. None where all is one account.
    """

    policy: Policy
    limit_ms: int
    used_ms: int
    reserved_ms: int
    remaining_ms: int
    resets_at: datetime
    members: int | None = None


def spendings(
    session: Session,
    guild_id: int,
    policies: Collection[Policy],
    *,
    ceilings: Ceilings,
    having: Mapping[int, Collection[int]],
    zone: ZoneInfo,
    now: datetime,
) -> Iterator[Spending]:
    """Yield how far the limits of a guild are used, its own and the installation's.

    Args:
        session: that of the caller's transaction.
        guild_id: the guild.
        policies: those that its admins set.
        ceilings: what the installation sets.
        having: the members who have a role, by the role.
        zone: the guild's clocks.
        now: the moment.
    """
    own = {(each.period, each.subject_id) for each in policies if each.scope is Scope.MEMBER}
    for policy in [*policies, *_installed(guild_id, own, ceilings)]:
        shares = policy.scope is Scope.SHARE
        clocks = UTC_CLOCKS if shares else zone
        cap = Cap(
            scope=Scope.MEMBER if policy.scope is Scope.ROLE else policy.scope,
            guild_id=guild_id,
            subject_id=policy.subject_id,
            limit_ms=policy.limit_ms,
            window=window_of(policy.period, now, zone=clocks),
        )
        if cap.scope is not Scope.MEMBER or (policy.scope is Scope.MEMBER and policy.subject_id):
            yield _spending(policy, cap, account_of(session, cap))
            continue
        exact = [subject for period, subject in own if period is policy.period and subject]
        among = having.get(policy.subject_id, ()) if policy.scope is Scope.ROLE else None
        yield _of_each(session, policy, cap, among=among, exact=exact)


def _installed(
    guild_id: int, own: Collection[tuple[Period, int]], ceilings: Ceilings
) -> Iterator[Policy]:
    """Yield what the installation sets for members, where admins do not, and for the guild."""
    limits = [(Scope.SHARE, period, limit_ms) for scope, period, limit_ms in ceilings.limits()
              if scope is Scope.SHARE]  # fmt: skip
    if (Period.DAY, ANYBODY) not in own:
        limits.insert(0, (Scope.MEMBER, Period.DAY, ceilings.member_ms))
    for scope, period, limit_ms in limits:
        yield Policy(
            scope=scope, guild_id=ANYBODY, subject_id=ANYBODY, period=period, limit_ms=limit_ms
        )


def _of_each(
    session: Session, policy: Policy, cap: Cap, *, among: Iterable[int] | None, exact: Iterable[int]
) -> Spending:
    """Return how far a limit that each has is used by whoever has used most of theirs.

    Members with limits of their own for that window are left out.
    """
    spent = AccountRow.used_ms + AccountRow.reserved_ms
    conditions = [
        AccountRow.scope == Scope.MEMBER,
        AccountRow.guild_id == cap.guild_id,
        AccountRow.period == cap.window.period,
        AccountRow.window_start == cap.window.start,
        AccountRow.subject_id.not_in(list(exact)),
        spent > 0,
    ]
    if among is not None:
        conditions.append(AccountRow.subject_id.in_(list(among)))
    members = session.scalar(select(func.count()).select_from(AccountRow).where(*conditions)) or 0
    most = select(AccountRow).where(*conditions)
    most = most.order_by((spent - AccountRow.granted_ms).desc(), AccountRow.subject_id)
    return _spending(policy, cap, session.scalar(most.limit(1)), members=members)


def _spending(
    policy: Policy, cap: Cap, account: AccountRow | None, *, members: int | None = None
) -> Spending:
    return Spending(
        policy=policy,
        limit_ms=cap.limit_ms + (account.granted_ms if account else 0),
        used_ms=account.used_ms if account else 0,
        reserved_ms=account.reserved_ms if account else 0,
        remaining_ms=max(0, left_ms(cap, account)),
        resets_at=cap.window.end,
        members=members,
    )
