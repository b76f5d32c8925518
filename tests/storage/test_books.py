"""Whoever changes the books by hand, or charges a job wrongly, is found out."""

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from storage import books
from storage.ledger import MOVES, Kind
from storage.records import JobState
from tests.storage.stores import GUILD, Stores


async def found(stores: Stores, statement: str) -> set[tuple[str, int]]:
    """Change the books by hand, look through them, and undo it."""
    answers: list[set[tuple[str, int]]] = []

    def tamper(session: Session) -> None:
        session.execute(text(statement))
        wrong = books.discrepancies(session)
        answers.append({(each.what.partition(" ")[0], each.ledger_ms) for each in wrong})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await stores.database.write(tamper)
    return answers[0]


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE accounts SET used_ms = used_ms + 1", ("used_ms", 60)),
        ("UPDATE accounts SET reserved_ms = reserved_ms + 1", ("reserved_ms", 100)),
        ("UPDATE accounts SET granted_ms = granted_ms + 1", ("granted_ms", 500)),
        ("DELETE FROM ledger WHERE kind = 'grant'", ("granted_ms", 0)),
        ("DELETE FROM ledger WHERE kind = 'settle'", ("job", 40)),
        ("DELETE FROM ledger WHERE kind = 'refund'", ("job", 60)),
        ("UPDATE jobs SET state = 'failed' WHERE state = 'done'", ("job", 100)),
        ("UPDATE jobs SET state = 'queued' WHERE state = 'done'", ("job", 100)),
        ("UPDATE jobs SET state = 'done'", ("job", 0)),
    ],
)
async def test_tampering_with_the_books_is_found(
    stores: Stores, statement: str, what: tuple[str, int]
) -> None:
    await stores.done(device_ms=60)
    await stores.accept()
    await stores.quotas.grant(guild_id=None, member_id=7, amount_ms=500, lasting=True)
    assert await stores.quotas.audit() == []
    assert what in await found(stores, statement)


def test_every_kind_moves_from_one_pocket_into_another() -> None:
    assert set(MOVES) == set(Kind)
    pockets = {"given", "available", "reserved", "used"}
    assert all({move.source, move.target} < pockets for move in MOVES.values())
    assert all(move.source != move.target for move in MOVES.values())


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
async def test_what_gave_no_picture_has_cost_nothing_in_any_account(
    stores: Stores, state: JobState
) -> None:
    stores.guild_ms, stores.total_ms = 10_000, 10_000
    await stores.quotas.grant(guild_id=GUILD, member_id=7, amount_ms=500, lasting=True)
    job = await stores.claimed(member_id=7, reserve_ms=1300)
    await stores.jobs.release("bot")
    assert await stores.jobs.fail(job.id, owner=None, attempt=1, error="x", state=state)
    balances = await stores.quotas.balances(guild_id=GUILD, member_id=7)
    assert {(each.used_ms, each.reserved_ms) for each in balances} == {(0, 0)}
    assert len(balances) == 4
