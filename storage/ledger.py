"""Movements on quota accounts, inside a transaction of the caller.

The books are double-entry: every ledger row takes an amount out of one pocket and puts it into
another, as ``MOVES`` says, so that the pockets of all accounts and what was given into them add
up to nothing. Every amount that an account's row holds is the sum of its ledger rows; the row is
what a conditional UPDATE can test and change at once, so that no two jobs spend the same
milliseconds. Accounts are always changed in the order of ``Cap.rank``, so that two transactions
never wait for each other.

What a member's own windows do not hold is taken out of what they were topped up with, as far as
that reaches. A job so has its amount on every account that it shares with others, and on the
member's own in two parts: the windows' and the top-up's. What it used is charged to the windows
first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import case, select, update
from sqlalchemy.orm import Session

from storage.errors import InvalidAmountError, QuotaExceededError, refusal_of
from storage.portable import insert, insert_new
from storage.tables import MAX_AMOUNT_MS, AccountRow, LedgerRow
from storage.windows import EVER, Period, Window


class Scope(StrEnum):
    """Whose spending a limit bounds, in the order in which accounts are booked.

    A role's limits are those of its members' own accounts. A share is what the installation
    allows a guild; the guild's own limit is what its admins allow it.
    """

    MEMBER = "member"
    CHANNEL = "channel"
    GUILD = "guild"
    SHARE = "share"
    GLOBAL = "global"
    ROLE = "role"


class Kind(StrEnum):
    """What a ledger row moves; ``storage.tables`` holds the table."""

    GRANT = "grant"
    RESERVE = "reserve"
    SETTLE = "settle"
    OVERRUN = "overrun"
    REFUND = "refund"
    RESET = "reset"


class Move(NamedTuple):
    """From which pocket to which; ``given`` is outside, and what is available is the rest."""

    source: str
    target: str


MOVES = {
    Kind.GRANT: Move("given", "available"),
    Kind.RESERVE: Move("available", "reserved"),
    Kind.SETTLE: Move("reserved", "used"),
    Kind.OVERRUN: Move("available", "used"),
    Kind.REFUND: Move("reserved", "available"),
    Kind.RESET: Move("used", "available"),
}
OPENED = {"granted_ms": 0, "reserved_ms": 0, "used_ms": 0}
_RANKS = {scope.value: rank for rank, scope in enumerate(Scope)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """One limit that a job falls under, for the window it is accepted in."""

    scope: Scope
    guild_id: int
    subject_id: int
    limit_ms: int
    window: Window

    @property
    def rank(self) -> tuple[object, ...]:
        """What tells its account from all others, and when it has its turn."""
        period, start = self.window.period.value, self.window.start
        return _RANKS[self.scope.value], period, self.guild_id, self.subject_id, start


def checked_amount(amount_ms: int, *, least: int = 0) -> int:
    """Return an amount that a ledger row may hold.

    Raises:
        InvalidAmountError: it is below ``least`` or above what anybody could mean.
    """
    if not least <= amount_ms <= MAX_AMOUNT_MS:
        raise InvalidAmountError(f"{amount_ms} ms is not between {least} and {MAX_AMOUNT_MS}")
    return amount_ms


def top_up_of(*, guild_id: int, member_id: int) -> Cap:
    """Return the account of what a member was given until it is used."""
    return Cap(scope=Scope.MEMBER, guild_id=guild_id, subject_id=member_id, limit_ms=0, window=EVER)


def reserve(
    session: Session, caps: Sequence[Cap], *, job_id: str, amount_ms: int, now: datetime
) -> None:
    """Set an amount aside on every account that the job falls under.

    Raises:
        QuotaExceededError: one of them has less left; the caller's transaction undoes the rest.
        InvalidAmountError: the amount is not positive, or absurd.
    """
    checked_amount(amount_ms, least=1)
    own = [cap for cap in caps if cap.scope is Scope.MEMBER]
    topped_ms = _from_top_up(session, own, amount_ms=amount_ms)
    shares = [(cap, amount_ms - topped_ms if cap in own else amount_ms) for cap in caps]
    if topped_ms:
        wallet = top_up_of(guild_id=own[0].guild_id, member_id=own[0].subject_id)
        shares = sorted([*shares, (wallet, topped_ms)], key=lambda share: share[0].rank)
    for cap, share_ms in shares:
        if not share_ms:
            continue
        account_id = _take(session, cap, amount_ms=share_ms)
        if account_id is None:
            raise _exceeded(session, cap)
        _add(session, Kind.RESERVE, account_id=account_id, job_id=job_id, ms=share_ms, now=now)


def settle(session: Session, *, job_id: str, device_ms: int, now: datetime) -> None:
    """Charge what a job used and give back the rest of its reservation.

    The caller has made sure, by its fence, that this happens once for a job; the ledger's
    unique key stands behind it. With 0 milliseconds the whole reservation is refunded.

    Raises:
        InvalidAmountError: the amount is negative or absurd.
    """
    checked_amount(device_ms)
    rows = session.execute(
        select(AccountRow.id, AccountRow.scope, AccountRow.period, LedgerRow.amount_ms)
        .join(AccountRow, AccountRow.id == LedgerRow.account_id)
        .where(LedgerRow.job_id == job_id, LedgerRow.kind == Kind.RESERVE)
        .order_by(
            case(_RANKS, value=AccountRow.scope),
            AccountRow.period,
            AccountRow.guild_id,
            AccountRow.subject_id,
        )
    ).all()
    own = {row.period: row.amount_ms for row in rows if row.scope == Scope.MEMBER}
    topped_ms = own.pop(Period.EVER.value, 0)
    used_of_top_up = _beyond_windows(device_ms, own=max(own.values(), default=0), topped=topped_ms)
    for row in rows:
        used_ms = device_ms
        if row.scope == Scope.MEMBER:
            is_top_up = row.period == Period.EVER
            used_ms = used_of_top_up if is_top_up else device_ms - used_of_top_up
        _charge(session, row.id, job_id=job_id, reserved_ms=row.amount_ms, used_ms=used_ms, now=now)


def grant(session: Session, cap: Cap, *, amount_ms: int, now: datetime) -> None:
    """Give an account more for its window.

    Raises:
        InvalidAmountError: the amount is not positive, or absurd.
    """
    checked_amount(amount_ms, least=1)
    account_id = open_account(session, cap)
    session.execute(
        update(AccountRow)
        .where(AccountRow.id == account_id)
        .values(granted_ms=AccountRow.granted_ms + amount_ms)
    )
    _add(session, Kind.GRANT, account_id=account_id, job_id=None, ms=amount_ms, now=now)


def reset(session: Session, cap: Cap, *, now: datetime) -> int:
    """Take what an account used in its window for not used, and return how much that was."""
    account = account_of(session, cap, locked=True)
    used_ms = 0 if account is None else min(account.used_ms, MAX_AMOUNT_MS)
    if account is not None and used_ms:
        account.used_ms -= used_ms
        _add(session, Kind.RESET, account_id=account.id, job_id=None, ms=used_ms, now=now)
    return used_ms


def open_account(session: Session, cap: Cap) -> int:
    """Return the id of the account of a cap in its window, made when it is the first time."""
    key = account_key(cap)
    insert_new(session, AccountRow, key=key, values=OPENED)
    return (session.scalars(select(AccountRow.id).filter_by(**key))).one()


def account_of(session: Session, cap: Cap, *, locked: bool = False) -> AccountRow | None:
    """Return the account of a cap as it is now, None if there is none yet.

    A locked one is changed by nobody else before the transaction ends.
    """
    found = select(AccountRow).filter_by(**account_key(cap))
    found = found.execution_options(populate_existing=True)
    return session.scalar(found.with_for_update() if locked else found)


def account_key(cap: Cap) -> dict[str, object]:
    """Return what identifies the account of a cap."""
    return {
        "scope": cap.scope.value,
        "guild_id": cap.guild_id,
        "subject_id": cap.subject_id,
        "period": cap.window.period.value,
        "window_start": cap.window.start,
    }


def left_ms(cap: Cap, account: AccountRow | None) -> int:
    """Return what an account has left; below 0 when jobs used more than they had reserved."""
    if account is None:
        return cap.limit_ms
    return cap.limit_ms + account.granted_ms - account.used_ms - account.reserved_ms


def _from_top_up(session: Session, own: Sequence[Cap], *, amount_ms: int) -> int:
    """Return how much of an amount the member's windows do not hold, and their top-up does.

    The accounts stay locked, so that what is told here holds when it is booked.
    """
    if not own:
        return 0
    wallet = top_up_of(guild_id=own[0].guild_id, member_id=own[0].subject_id)
    if left_ms(wallet, account_of(session, wallet)) <= 0:
        return 0
    left = dict[tuple[object, ...], int]()
    for cap in sorted([*own, wallet], key=lambda cap: cap.rank):
        open_account(session, cap)
        left[cap.rank] = left_ms(cap, account_of(session, cap, locked=True))
    lacking_ms = amount_ms - max(0, min(left[cap.rank] for cap in own))
    return lacking_ms if 0 < lacking_ms <= left[wallet.rank] else 0


def _beyond_windows(device_ms: int, *, own: int, topped: int) -> int:
    """Return how much of what a job used its member's top-up pays.

    It pays no more than was set aside of it; what exceeds the reservation is the windows', if
    they hold any of it.
    """
    beyond_ms = max(0, device_ms - own)
    return min(beyond_ms, topped) if own else device_ms


def _charge(
    session: Session,
    account_id: int,
    *,
    job_id: str,
    reserved_ms: int,
    used_ms: int,
    now: datetime,
) -> None:
    session.execute(
        update(AccountRow)
        .where(AccountRow.id == account_id)
        .values(
            reserved_ms=AccountRow.reserved_ms - reserved_ms,
            used_ms=AccountRow.used_ms + used_ms,
        )
    )
    for kind, ms in (
        (Kind.SETTLE, min(used_ms, reserved_ms)),
        (Kind.OVERRUN, max(0, used_ms - reserved_ms)),
        (Kind.REFUND, max(0, reserved_ms - used_ms)),
    ):
        if ms:
            _add(session, kind, account_id=account_id, job_id=job_id, ms=ms, now=now)


def _add(
    session: Session,
    kind: Kind,
    *,
    account_id: int,
    job_id: str | None,
    ms: int,
    now: datetime,
) -> None:
    row = LedgerRow(
        account_id=account_id, job_id=job_id, kind=kind.value, amount_ms=ms, created_at=now
    )
    session.add(row)


def _take(session: Session, cap: Cap, *, amount_ms: int) -> int | None:
    """Test and change a balance in one statement; None when too little is left.

    An account that does not exist yet is made by the same statement. Only a grant can make an
    amount above the limit fit, so then the account has to be there for the test to see it.
    """
    if amount_ms > cap.limit_ms:
        open_account(session, cap)
    key = account_key(cap)
    spent = AccountRow.used_ms + AccountRow.reserved_ms + amount_ms
    statement = (
        insert(session, AccountRow)
        .values(**key, **{**OPENED, "reserved_ms": amount_ms})
        .on_conflict_do_update(
            index_elements=[AccountRow.__table__.c[name] for name in key],
            set_={"reserved_ms": AccountRow.reserved_ms + amount_ms},
            where=spent <= cap.limit_ms + AccountRow.granted_ms,
        )
        .returning(AccountRow.id)
    )
    return session.scalar(statement)


def _exceeded(session: Session, cap: Cap) -> QuotaExceededError:
    account = account_of(session, cap)
    remaining_ms = max(0, left_ms(cap, account))
    if cap.scope is Scope.MEMBER:
        wallet = top_up_of(guild_id=cap.guild_id, member_id=cap.subject_id)
        remaining_ms += max(0, left_ms(wallet, account_of(session, wallet)))
    return refusal_of(
        cap.scope.value,
        limit_ms=cap.limit_ms + (account.granted_ms if account else 0),
        remaining_ms=remaining_ms,
        resets_at=cap.window.end,
    )
