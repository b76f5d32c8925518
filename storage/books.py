"""Whether the books are right: balances and ledger, and what each job's end should have moved."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session

from storage.ledger import MOVES, Kind
from storage.records import FINISHED, JobState
from storage.tables import AccountRow, JobRow, LedgerRow

_POCKETS = {"granted_ms": "given", "reserved_ms": "reserved", "used_ms": "used"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """Something in the books that contradicts them; there should be none.

    Args:
        what: the pocket whose balance is not the sum of its ledger rows, or the job.
        stated_ms: what the account says, or what the job had reserved.
        ledger_ms: what the ledger's rows say, or what became of the reservation.
    """

    account_id: int
    what: str
    stated_ms: int
    ledger_ms: int


def discrepancies(session: Session) -> list[Discrepancy]:
    """Look through the books: pockets of accounts, and jobs that are charged wrongly or twice."""
    return [*_of_accounts(session), *_of_jobs(session)]


def _of_accounts(session: Session) -> Iterator[Discrepancy]:
    for column, pocket in _POCKETS.items():
        stated, ledger = getattr(AccountRow, column), _content(pocket)
        rows = session.execute(
            select(AccountRow.id, stated, ledger)
            .outerjoin(LedgerRow, LedgerRow.account_id == AccountRow.id)
            .group_by(AccountRow.id, stated)
            .having(stated != ledger)
            .order_by(AccountRow.id)
        )
        for account_id, stated_ms, ledger_ms in rows:
            yield Discrepancy(
                account_id=account_id,
                what=column,
                stated_ms=int(stated_ms),
                ledger_ms=int(ledger_ms),
            )


def _of_jobs(session: Session) -> Iterator[Discrepancy]:
    """Yield jobs that hold a reservation after their end, or were charged before or without one."""
    reserved, ended = _sum(Kind.RESERVE), _sum(Kind.SETTLE, Kind.REFUND)
    charged = _sum(Kind.SETTLE, Kind.OVERRUN)
    rows = session.execute(
        select(LedgerRow.account_id, JobRow.id, reserved, ended)
        .join(JobRow, JobRow.id == LedgerRow.job_id)
        .group_by(LedgerRow.account_id, JobRow.id, JobRow.state)
        .having(
            or_(
                and_(JobRow.state.in_(FINISHED), reserved != ended),
                and_(JobRow.state.not_in(FINISHED), ended + charged != 0),
                and_(JobRow.state.in_((JobState.FAILED, JobState.CANCELLED)), charged != 0),
            )
        )
        .order_by(JobRow.id)
    )
    for account_id, job_id, reserved_ms, ended_ms in rows:
        yield Discrepancy(
            account_id=account_id,
            what=f"job {job_id}",
            stated_ms=int(reserved_ms),
            ledger_ms=int(ended_ms),
        )


def _content(pocket: str) -> ColumnElement[int]:
    """Return what the rows have put into a pocket, less what they took out; of given, the debt."""
    into = [kind for kind, move in MOVES.items() if move.target == pocket]
    out_of = [kind for kind, move in MOVES.items() if move.source == pocket]
    content = _sum(*into) - _sum(*out_of)
    return -content if pocket == "given" else content


def _sum(*kinds: Kind) -> ColumnElement[int]:
    amounts = case((LedgerRow.kind.in_(kinds), LedgerRow.amount_ms), else_=0)
    return func.coalesce(func.sum(amounts), 0)
