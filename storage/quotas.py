"""Who may spend how much device time in which window, and what is left of it.

``storage.policies`` says which limits hold, ``storage.ledger`` how they are booked. Windows are
those of the guild's time zone; in direct messages there is no guild: the member has an account
of their own under guild 0, whose days are UTC's.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from storage import books, ledger
from storage.acts import meet, write_down
from storage.books import Discrepancy
from storage.clock import Clock, utc_now
from storage.database import Database, reads, writes
from storage.errors import QuotaExceededError, TooManyError, refusal_of
from storage.ledger import Cap, Scope, checked_amount
from storage.policies import ANYBODY, Account, Ceilings, Policy, Standing, caps_of
from storage.portable import upsert
from storage.spending import Spending, spendings
from storage.tables import DIRECT_MESSAGES, AccountRow, GuildSettingsRow, PolicyRow
from storage.windows import Period, zone_of

MAX_POLICIES = 200
"""Of one guild."""
NOBODY = Standing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What one account has, all of it in device milliseconds.

    Args:
        limit_ms: for the window, grants included.
        remaining_ms: what a new job may reserve, never below 0; on a member's own accounts with
            what they were topped up with.
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
        ceilings: what the installation sets for everybody.
    """

    def __init__(self, database: Database, *, ceilings: Ceilings, clock: Clock = utc_now) -> None:
        self._database = database
        self.ceilings = ceilings
        self._clock = clock

    @writes
    def set_policy(self, session: Session, policy: Policy, *, actor_id: int | None = None) -> None:
        """Set a limit in place of the one that its scope, subject and period had.

        It is an act of the admin ``actor_id``; None is the installation itself.

        Raises:
            InvalidAmountError: the limit is negative or absurd.
            TooManyError: the guild has ``MAX_POLICIES``.
        """
        checked_amount(policy.limit_ms)
        before = session.scalar(select(PolicyRow.limit_ms).filter_by(**_key(policy)))
        if before is None:
            _require_room(session, policy.guild_id)
        values = {"limit_ms": policy.limit_ms, "updated_at": self._clock()}
        upsert(session, PolicyRow, key=_key(policy), values=values)
        self._log(session, policy, actor_id, "quota", before=before, after=policy.limit_ms)

    @writes
    def remove_policy(self, session: Session, policy: Policy, *, actor_id: int | None) -> bool:
        """Take a limit away, whatever it is; False if there is none."""
        before = session.scalar(select(PolicyRow.limit_ms).filter_by(**_key(policy)))
        session.execute(delete(PolicyRow).filter_by(**_key(policy)))
        self._log(session, policy, actor_id, "quota", before=before, after=None)
        return before is not None

    @reads
    def policies(self, session: Session, *, guild_id: int | None = None) -> list[Policy]:
        """Return the limits that were set, all of them or those of a guild."""
        found = select(PolicyRow).order_by(PolicyRow.id)
        if guild_id is not None:
            found = found.filter_by(guild_id=guild_id)
        return [_policy(row) for row in session.scalars(found)]

    @reads
    def spendings(
        self, session: Session, guild_id: int, *, having: Mapping[int, Collection[int]]
    ) -> list[Spending]:
        """Return how far a guild's limits are used now, its own and the installation's.

        Args:
            session: given by the decorator.
            guild_id: the guild.
            having: the members who have a role, by the role.
        """
        rows = select(PolicyRow).filter_by(guild_id=guild_id).order_by(PolicyRow.id)
        return list(
            spendings(
                session,
                guild_id,
                [_policy(row) for row in session.scalars(rows)],
                ceilings=self.ceilings,
                having=having,
                zone=_zone(session, guild_id),
                now=self._clock(),
            )
        )

    @reads
    def balances(
        self,
        session: Session,
        *,
        guild_id: int | None,
        member_id: int,
        standing: Standing = NOBODY,
    ) -> list[Balance]:
        """Return what is left on every account that a job of this member would fall under."""
        caps = self.caps(session, guild_id=guild_id, member_id=member_id, standing=standing)
        wallet = ledger.top_up_of(guild_id=guild_id or DIRECT_MESSAGES, member_id=member_id)
        kept = ledger.account_of(session, wallet)
        topped_ms = max(0, ledger.left_ms(wallet, kept))
        found = [
            _balance(
                cap,
                ledger.account_of(session, cap),
                topped_ms=topped_ms if cap.scope is Scope.MEMBER else 0,
            )
            for cap in caps
        ]
        return found if kept is None else [*found, _balance(wallet, kept, topped_ms=0)]

    async def balance(
        self, *, guild_id: int | None, member_id: int, standing: Standing = NOBODY
    ) -> Balance:
        """Return the account that decides: the one with the least left."""
        balances = await self.balances(guild_id=guild_id, member_id=member_id, standing=standing)
        return deciding(balances)

    async def require(
        self,
        *,
        guild_id: int | None,
        member_id: int,
        amount_ms: int,
        standing: Standing = NOBODY,
    ) -> None:
        """Check, without booking anything, that an amount would be granted now.

        Raises:
            QuotaExceededError: it would not.
        """
        balance = await self.balance(guild_id=guild_id, member_id=member_id, standing=standing)
        if amount_ms > balance.remaining_ms:
            raise _refusal(balance)

    @writes
    def grant(
        self,
        session: Session,
        *,
        guild_id: int | None,
        member_id: int,
        amount_ms: int,
        lasting: bool = False,
        actor_id: int | None = None,
    ) -> None:
        """Give a member more for the present window of each of their accounts.

        What is ``lasting`` stays instead until it is used, and is used when the windows are.

        Raises:
            InvalidAmountError: the amount is not positive, or absurd.
        """
        guild = guild_id or DIRECT_MESSAGES
        caps = [ledger.top_up_of(guild_id=guild, member_id=member_id)]
        if not lasting:
            caps = _of_scope(
                Scope.MEMBER, self.caps(session, guild_id=guild_id, member_id=member_id)
            )
        for cap in caps:
            ledger.grant(session, cap, amount_ms=amount_ms, now=self._clock())
        policy = _about(Scope.MEMBER, guild, member_id, caps[0].window.period)
        act = "top_up" if lasting else "grant"
        self._log(session, policy, actor_id, act, before=None, after=amount_ms)

    @writes
    def reset(
        self,
        session: Session,
        *,
        scope: Scope,
        guild_id: int,
        subject_id: int = ANYBODY,
        actor_id: int | None = None,
    ) -> int:
        """Take what was used in the present windows for not used; return the most of it.

        What jobs under way have reserved stays reserved, and a share of the installation's own
        is no admin's to reset. The scope is one member, one channel, or the whole guild.
        """
        standing = Standing(channel_ids=(subject_id,) if scope is Scope.CHANNEL else ())
        member_id = subject_id if scope is Scope.MEMBER else ANYBODY
        caps = self.caps(session, guild_id=guild_id, member_id=member_id, standing=standing)
        given = [ledger.reset(session, cap, now=self._clock()) for cap in _of_scope(scope, caps)]
        most_ms = max(given, default=0)
        policy = _about(scope, guild_id, subject_id, Period.DAY)
        self._log(session, policy, actor_id, "reset", before=most_ms, after=0)
        return most_ms

    @reads
    def audit(self, session: Session) -> list[Discrepancy]:
        """Return everything in the books that contradicts them; there should be nothing."""
        return books.discrepancies(session)

    def caps(
        self,
        session: Session,
        *,
        guild_id: int | None,
        member_id: int,
        standing: Standing = NOBODY,
    ) -> list[Cap]:
        """Return what a job of this member falls under, in the order in which it is booked."""
        guild = guild_id or DIRECT_MESSAGES
        subjects = {ANYBODY, member_id, *standing.channel_ids, *standing.role_ids}
        rows = session.scalars(
            select(PolicyRow).where(
                PolicyRow.guild_id.in_((guild, ANYBODY)), PolicyRow.subject_id.in_(subjects)
            )
        )
        account = Account(
            guild_id=guild,
            member_id=member_id,
            standing=standing,
            zone=_zone(session, guild),
            now=self._clock(),
        )
        return caps_of(account, map(_policy, rows), ceilings=self.ceilings)

    def _log(
        self,
        session: Session,
        policy: Policy,
        actor_id: int | None,
        act: str,
        *,
        before: int | None,
        after: int | None,
    ) -> None:
        """Write an admin's act into the guild's log, amounts in seconds."""
        if actor_id is None:
            return
        now = self._clock()
        meet(session, policy.guild_id, now=now)
        said = " ".join(filter(None, (policy.scope, str(policy.subject_id or ""), policy.period)))
        write_down(
            session,
            policy.guild_id,
            actor_id,
            act,
            said,
            before=_seconds(before),
            after=_seconds(after),
            now=now,
        )


def _zone(session: Session, guild_id: int) -> ZoneInfo:
    """Return a guild's clocks."""
    kept = select(GuildSettingsRow.time_zone).where(GuildSettingsRow.guild_id == guild_id)
    return zone_of(session.scalar(kept))


def deciding(balances: Iterable[Balance]) -> Balance:
    """Return the account that decides: the one with the least left; a top-up never does."""
    windows = (each for each in balances if each.period is not Period.EVER)
    return min(windows, key=lambda balance: balance.remaining_ms)


def _require_room(session: Session, guild_id: int) -> None:
    there = select(func.count()).select_from(PolicyRow).filter_by(guild_id=guild_id)
    if (session.scalar(there) or 0) >= MAX_POLICIES:
        raise TooManyError(f"a guild keeps {MAX_POLICIES} of these")


def _key(policy: Policy) -> dict[str, object]:
    return {
        "scope": policy.scope.value,
        "guild_id": policy.guild_id,
        "subject_id": policy.subject_id,
        "period": policy.period.value,
    }


def _about(scope: Scope, guild_id: int, subject_id: int, period: Period) -> Policy:
    return Policy(scope=scope, guild_id=guild_id, subject_id=subject_id, period=period, limit_ms=0)


def _of_scope(scope: Scope, caps: Iterable[Cap]) -> list[Cap]:
    return [cap for cap in caps if cap.scope is scope]


def _policy(row: PolicyRow) -> Policy:
    return Policy(
        scope=Scope(row.scope),
        guild_id=row.guild_id,
        subject_id=row.subject_id,
        period=Period(row.period),
        limit_ms=row.limit_ms,
    )


def _balance(cap: Cap, account: AccountRow | None, *, topped_ms: int) -> Balance:
    return Balance(
        scope=cap.scope,
        period=cap.window.period,
        limit_ms=cap.limit_ms + (account.granted_ms if account else 0),
        used_ms=account.used_ms if account else 0,
        reserved_ms=account.reserved_ms if account else 0,
        remaining_ms=max(0, ledger.left_ms(cap, account)) + topped_ms,
        resets_at=cap.window.end,
    )


def _refusal(balance: Balance) -> QuotaExceededError:
    return refusal_of(
        balance.scope.value,
        limit_ms=balance.limit_ms,
        remaining_ms=balance.remaining_ms,
        resets_at=balance.resets_at,
    )


def _seconds(amount_ms: int | None) -> str | None:
    return None if amount_ms is None else f"{amount_ms / 1000:g} s"
