"""Movements on quota accounts, inside a transaction of the caller.

Every amount that an account's row holds is the sum of its ledger rows; the row is what a
conditional UPDATE can test and change at once, so that no two jobs spend the same milliseconds.
Accounts are always changed in the same order (global, guild, member), so that two transactions
never wait for each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, case, func, select, update
from sqlalchemy.orm import Session

from storage.errors import InvalidAmountError, QuotaExceededError
from storage.portable import insert, insert_new
from storage.tables import MAX_AMOUNT_MS, AccountRow, LedgerRow
from storage.windows import Window


class Scope(StrEnum):
    """Whose spending a limit bounds."""

    GLOBAL = "global"
    GUILD = "guild"
    MEMBER = "member"


class Kind(StrEnum):
    """What a ledger row moves; ``storage.tables`` holds the table."""

    GRANT = "grant"
    RESERVE = "reserve"
    SETTLE = "settle"
    OVERRUN = "overrun"
    REFUND = "refund"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """One limit that a job falls under, for the window it is accepted in."""

    scope: Scope
    guild_id: int
    member_id: int
    limit_ms: int
    window: Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """An account whose balance is not the sum of its ledger rows; there should be none."""

    account_id: int
    pocket: str
    balance_ms: int
    ledger_ms: int


def checked_amount(amount_ms: int, *, least: int = 0) -> int:
    """Return an amount that a ledger row may hold.

    Raises:
        InvalidAmountError: it is below ``least`` or above what anybody could mean.
    """
    if not least <= amount_ms <= MAX_AMOUNT_MS:
        raise InvalidAmountError(f"{amount_ms} ms is not between {least} and {MAX_AMOUNT_MS}")
    return amount_ms


def reserve(
    session: Session, caps: Sequence[Cap], *, job_id: str, amount_ms: int, now: datetime
) -> None:
    """Set an amount aside on every account that the job falls under.

    Raises:
        QuotaExceededError: one of them has less left; the caller's transaction undoes the rest.
        InvalidAmountError: the amount is not positive, or absurd.
    """
    checked_amount(amount_ms, least=1)
    for cap in caps:
        account_id = _take(session, cap, amount_ms=amount_ms)
        if account_id is None:
            raise _exceeded(session, cap)
        _add(session, Kind.RESERVE, account_id=account_id, job_id=job_id, ms=amount_ms, now=now)


def settle(session: Session, *, job_id: str, device_ms: int, now: datetime) -> None:
    """Charge what a job used and give back the rest of its reservation.

    The caller has made sure, by its fence, that this happens once for a job; the ledger's
    unique key stands behind it. With 0 milliseconds the whole reservation is refunded.

    Raises:
        InvalidAmountError: the amount is negative or absurd.
    """
    checked_amount(device_ms)
    order = case({scope.value: rank for rank, scope in enumerate(Scope)}, value=AccountRow.scope)
    reserved = session.execute(
        select(LedgerRow.account_id, LedgerRow.amount_ms)
        .join(AccountRow, AccountRow.id == LedgerRow.account_id)
        .where(LedgerRow.job_id == job_id, LedgerRow.kind == Kind.RESERVE)
        .order_by(order, AccountRow.period, AccountRow.id)
    )
    for account_id, amount_ms in reserved.all():
        session.execute(
            update(AccountRow)
            .where(AccountRow.id == account_id)
            .values(
                reserved_ms=AccountRow.reserved_ms - amount_ms,
                used_ms=AccountRow.used_ms + device_ms,
            )
        )
        for kind, ms in (
            (Kind.SETTLE, min(device_ms, amount_ms)),
            (Kind.OVERRUN, max(0, device_ms - amount_ms)),
            (Kind.REFUND, max(0, amount_ms - device_ms)),
        ):
            if ms:
                _add(session, kind, account_id=account_id, job_id=job_id, ms=ms, now=now)


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


def open_account(session: Session, cap: Cap) -> int:
    """Return the id of the account of a cap in its window, made when it is the first time."""
    key = account_key(cap)
    insert_new(
        session, AccountRow, key=key, values={"granted_ms": 0, "reserved_ms": 0, "used_ms": 0}
    )
    return (session.scalars(select(AccountRow.id).filter_by(**key))).one()


def account_key(cap: Cap) -> dict[str, object]:
    """Return what identifies the account of a cap."""
    return {
        "scope": cap.scope.value,
        "guild_id": cap.guild_id,
        "member_id": cap.member_id,
        "period": cap.window.period.value,
        "window_start": cap.window.start,
    }


def discrepancies(session: Session) -> list[Discrepancy]:
    """Return every account whose balance is not the sum of its ledger rows."""

    def total(*kinds: Kind, sign: int = 1) -> ColumnElement[int]:
        return case((LedgerRow.kind.in_(kinds), LedgerRow.amount_ms * sign), else_=0)

    reserved = total(Kind.RESERVE) + total(Kind.SETTLE, Kind.REFUND, sign=-1)
    sums = {
        "granted_ms": func.coalesce(func.sum(total(Kind.GRANT)), 0),
        "reserved_ms": func.coalesce(func.sum(reserved), 0),
        "used_ms": func.coalesce(func.sum(total(Kind.SETTLE, Kind.OVERRUN)), 0),
    }
    found = []
    for pocket, ledger_ms in sums.items():
        balance = getattr(AccountRow, pocket)
        rows = session.execute(
            select(AccountRow.id, balance, ledger_ms)
            .outerjoin(LedgerRow, LedgerRow.account_id == AccountRow.id)
            .group_by(AccountRow.id, balance)
            .having(balance != ledger_ms)
        )
        found += [
            Discrepancy(
                account_id=row[0], pocket=pocket, balance_ms=int(row[1]), ledger_ms=int(row[2])
            )
            for row in rows
        ]
    return found


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
        .values(**key, granted_ms=0, reserved_ms=amount_ms, used_ms=0)
        .on_conflict_do_update(
            index_elements=list(key),
            set_={"reserved_ms": AccountRow.reserved_ms + amount_ms},
            where=spent <= cap.limit_ms + AccountRow.granted_ms,
        )
        .returning(AccountRow.id)
    )
    return session.scalar(statement)


def _exceeded(session: Session, cap: Cap) -> QuotaExceededError:
    account = (session.scalars(select(AccountRow).filter_by(**account_key(cap)))).one()
    limit_ms = cap.limit_ms + account.granted_ms
    return QuotaExceededError(
        scope=cap.scope.value,
        limit_ms=limit_ms,
        remaining_ms=max(0, limit_ms - account.used_ms - account.reserved_ms),
        resets_at=cap.window.end,
    )
