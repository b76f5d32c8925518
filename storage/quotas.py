"""Who may spend how much device time in which window.

Limits come from policies. For a member the most exact policy holds: this member in this guild,
else this member anywhere, else anybody in this guild, else anybody, else the default that the
installation sets. A guild and the whole installation are capped only where a policy says so,
and then the tightest of all caps decides. In direct messages there is no guild: the member has
an account of their own under guild 0, and no guild's cap applies.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage import ledger
from storage.clock import Clock, utc_now
from storage.database import Database, reads, writes
from storage.errors import QuotaExceededError
from storage.ledger import Cap, Discrepancy, Scope, checked_amount
from storage.portable import upsert
from storage.tables import DIRECT_MESSAGES, AccountRow, PolicyRow
from storage.windows import Period, window_of

ANYBODY = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A limit as it was set; ids of 0 stand for any guild or any member."""

    scope: Scope
    guild_id: int
    member_id: int
    period: Period
    limit_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What one account has, all of it in device milliseconds.

    Args:
        limit_ms: for the window, grants included.
        remaining_ms: what a new job may reserve; never below 0.
        resets_at: when the next window starts.
    """

    scope: Scope
    period: Period
    limit_ms: int
    used_ms: int
    reserved_ms: int
    remaining_ms: int
    resets_at: datetime


class Quotas:
    """Policies and balances; jobs themselves reserve and settle through ``JobStore``.

    Args:
        default_ms: what every member may spend in a day where no policy says otherwise.
    """

    def __init__(self, database: Database, *, default_ms: int, clock: Clock = utc_now) -> None:
        self._database = database
        self._default_ms = checked_amount(default_ms)
        self._clock = clock

    @writes
    def set_policy(self, session: Session, policy: Policy) -> None:
        """Set a limit in place of the one that its scope and period had.

        Raises:
            InvalidAmountError: the limit is negative or absurd.
        """
        upsert(
            session,
            PolicyRow,
            key={
                "scope": policy.scope.value,
                "guild_id": policy.guild_id,
                "member_id": policy.member_id,
                "period": policy.period.value,
            },
            values={
                "limit_ms": checked_amount(policy.limit_ms),
                "updated_at": self._clock(),
            },
        )

    @reads
    def policies(self, session: Session) -> list[Policy]:
        """Return all limits that were set."""
        rows = session.scalars(select(PolicyRow).order_by(PolicyRow.id))
        return [_policy(row) for row in rows]

    @reads
    def balances(self, session: Session, *, guild_id: int | None, member_id: int) -> list[Balance]:
        """Return what is left on every account that a job of this member would fall under."""
        caps = self.caps(session, guild_id=guild_id, member_id=member_id)
        return [_balance(cap, _account(session, cap)) for cap in caps]

    async def balance(self, *, guild_id: int | None, member_id: int) -> Balance:
        """Return the account that decides: the one with the least left."""
        balances = await self.balances(guild_id=guild_id, member_id=member_id)
        return min(reversed(balances), key=lambda balance: balance.remaining_ms)

    async def require(self, *, guild_id: int | None, member_id: int, amount_ms: int) -> None:
        """Check, without booking anything, that an amount would be granted now.

        Raises:
            QuotaExceededError: it would not.
        """
        balance = await self.balance(guild_id=guild_id, member_id=member_id)
        if amount_ms > balance.remaining_ms:
            raise QuotaExceededError(
                scope=balance.scope.value,
                limit_ms=balance.limit_ms,
                remaining_ms=balance.remaining_ms,
                resets_at=balance.resets_at,
            )

    @writes
    def grant(
        self, session: Session, *, guild_id: int | None, member_id: int, amount_ms: int
    ) -> None:
        """Give a member more for the present window of each of their own accounts.

        Raises:
            InvalidAmountError: the amount is not positive, or absurd.
        """
        for cap in self.caps(session, guild_id=guild_id, member_id=member_id):
            if cap.scope is Scope.MEMBER:
                ledger.grant(session, cap, amount_ms=amount_ms, now=self._clock())

    @reads
    def audit(self, session: Session) -> list[Discrepancy]:
        """Return every account whose balance is not the sum of its ledger rows."""
        return ledger.discrepancies(session)

    def caps(self, session: Session, *, guild_id: int | None, member_id: int) -> list[Cap]:
        """Return what a job of this member falls under, in the order in which it is booked."""
        guild = DIRECT_MESSAGES if guild_id is None else guild_id
        rows = session.scalars(
            select(PolicyRow).where(
                PolicyRow.guild_id.in_((guild, ANYBODY)),
                PolicyRow.member_id.in_((member_id, ANYBODY)),
            )
        )
        chosen = _most_exact(map(_policy, rows), default_ms=self._default_ms)
        now = self._clock()
        return [
            Cap(
                scope=policy.scope,
                guild_id=ANYBODY if policy.scope is Scope.GLOBAL else guild,
                member_id=member_id if policy.scope is Scope.MEMBER else ANYBODY,
                limit_ms=policy.limit_ms,
                window=window_of(policy.period, now),
            )
            for policy in chosen
            if policy.scope is not Scope.GUILD or guild != DIRECT_MESSAGES
        ]


def _most_exact(policies: Iterable[Policy], *, default_ms: int) -> list[Policy]:
    default = Policy(
        scope=Scope.MEMBER,
        guild_id=ANYBODY,
        member_id=ANYBODY,
        period=Period.DAY,
        limit_ms=default_ms,
    )
    chosen = {(default.scope, default.period): default}
    for policy in sorted(policies, key=lambda each: (each.member_id != 0, each.guild_id != 0)):
        chosen[policy.scope, policy.period] = policy
    ranks = list(Scope)
    return sorted(chosen.values(), key=lambda each: (ranks.index(each.scope), each.period))


def _policy(row: PolicyRow) -> Policy:
    return Policy(
        scope=Scope(row.scope),
        guild_id=row.guild_id,
        member_id=row.member_id,
        period=Period(row.period),
        limit_ms=row.limit_ms,
    )


def _account(session: Session, cap: Cap) -> AccountRow | None:
    return session.scalar(select(AccountRow).filter_by(**ledger.account_key(cap)))


def _balance(cap: Cap, account: AccountRow | None) -> Balance:
    granted_ms = account.granted_ms if account else 0
    used_ms = account.used_ms if account else 0
    reserved_ms = account.reserved_ms if account else 0
    limit_ms = cap.limit_ms + granted_ms
    return Balance(
        scope=cap.scope,
        period=cap.window.period,
        limit_ms=limit_ms,
        used_ms=used_ms,
        reserved_ms=reserved_ms,
        remaining_ms=max(0, limit_ms - used_ms - reserved_ms),
        resets_at=cap.window.end,
    )
