"""Commands that were acknowledged are kept until they are jobs or answered, by one process."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from storage.acknowledgements import TELLER, Acknowledgement, Acknowledgements
from storage.database import Database
from storage.errors import CutOffError, QuotaExceededError
from storage.sealing import KeyRing, Seals, new_key
from tests.storage.stores import GUILD, MEMBER, NOON, Stores, new_job

LEASE_S = 20.0


def kept(stores: Stores) -> Acknowledgements:
    return Acknowledgements(stores.database, clock=stores.clock)


def command(interaction_id: int = 7) -> Acknowledgement:
    return Acknowledgement(
        interaction_id=interaction_id,
        token=f"secret-{interaction_id}",
        token_expires_at=NOON + timedelta(minutes=15),
        locale="zh-CN",
    )


async def opened(stores: Stores, *ids: int, owner: str = "bot") -> set[int]:
    return await kept(stores).open([*map(command, ids)], owner=owner, lease_s=LEASE_S)


async def left(stores: Stores, owner: str = "other") -> list[Acknowledgement]:
    return await kept(stores).claim_left(owner=owner, lease_s=LEASE_S)


async def test_of_several_processes_one_acknowledges(stores: Stores) -> None:
    found = await asyncio.gather(*(opened(stores, 7, 8, owner=f"bot {n}") for n in range(6)))
    assert sorted(each for some in found for each in some) == [7, 8]
    assert await opened(stores, 8, 9) == {9}


async def test_what_is_a_job_already_is_not_acknowledged_again(stores: Stores) -> None:
    job = await stores.accept()
    assert await opened(stores, job.interaction_id, 7) == {7}


async def test_a_job_takes_the_place_of_its_acknowledgement_in_one_transaction(
    stores: Stores,
) -> None:
    await opened(stores, 7, 8)
    with pytest.raises(QuotaExceededError):
        await stores.accept(interaction_id=7, acknowledged_by="bot", reserve_ms=1001)
    await stores.accept(interaction_id=7, acknowledged_by="bot")
    stores.clock.advance(seconds=LEASE_S)
    assert [each.interaction_id for each in await left(stores)] == [8]


async def test_who_lost_its_acknowledgement_makes_no_job_of_it(stores: Stores) -> None:
    await opened(stores, 7)
    stores.clock.advance(seconds=LEASE_S)
    assert await left(stores) == [command()]
    with pytest.raises(CutOffError):
        await stores.accept(interaction_id=7, acknowledged_by="bot")
    assert await stores.jobs.unfinished() == []
    balance = await stores.quotas.balance(guild_id=GUILD, member_id=MEMBER)
    assert balance.reserved_ms == 0


async def test_a_command_that_could_not_be_written_down_is_a_job_all_the_same(
    stores: Stores,
) -> None:
    assert (await stores.jobs.accept(new_job(interaction_id=7))).created
    await opened(stores, 8)
    await stores.accept(interaction_id=8)
    stores.clock.advance(seconds=LEASE_S)
    assert await left(stores) == []


async def test_one_takes_on_what_was_left_and_nobody_what_is_kept(stores: Stores) -> None:
    await opened(stores, 7, 8, 9)
    stores.clock.advance(seconds=LEASE_S - 1)
    await kept(stores).keep([7, 8], owner="bot", lease_s=LEASE_S)
    await kept(stores).keep([9], owner="somebody else", lease_s=LEASE_S)
    await kept(stores).close([8], owner="bot")
    stores.clock.advance(seconds=2)
    found = await asyncio.gather(*(left(stores, f"bot {n}") for n in range(4)))
    assert [each.interaction_id for some in found for each in some] == [9]
    await kept(stores).release(owner="bot")
    assert await left(stores) == [command(7)]


async def test_what_nobody_can_answer_any_more_is_forgotten(stores: Stores) -> None:
    await opened(stores, 7)
    stores.clock.advance(minutes=16)
    assert await left(stores) == []

    def count(session: Session) -> int:
        return int(session.scalar(text("SELECT count(*) FROM acknowledgements")) or 0)

    assert await stores.database.read(count) == 0


async def test_what_opens_a_reply_lies_encrypted_and_is_not_shown(database_url: str) -> None:
    ring = KeyRing([new_key()])
    database = Database.open(database_url, seals=Seals(contents=ring, tokens=ring))
    acknowledgements = Acknowledgements(database)
    await acknowledgements.open([command()], owner="bot", lease_s=-1)

    def stored(session: Session) -> str:
        return str(session.scalar(text("SELECT token FROM acknowledgements")))

    assert "secret" not in await database.read(stored)
    assert "secret" not in repr(command())
    await database.close()


async def test_whoever_could_not_write_it_down_makes_no_job_of_what_is_just_being_told(
    stores: Stores,
) -> None:
    await opened(stores, 7, 8)
    await stores.accept(interaction_id=8, acknowledged_by=None)
    stores.clock.advance(seconds=LEASE_S)
    teller = f"{TELLER}other"
    assert [each.interaction_id for each in await left(stores, teller)] == [7]
    with pytest.raises(CutOffError):
        await stores.accept(interaction_id=7, acknowledged_by=None)
    await kept(stores).close([7], owner=teller)
    assert (await stores.accept(interaction_id=7, acknowledged_by=None)).interaction_id == 7
