"""R20: a machine's clock is put an hour forward or back, and months end, under jobs under way."""

from datetime import UTC, datetime, timedelta

import pytest

from storage.guilds import GuildStore
from storage.ledger import Scope
from storage.policies import Policy
from storage.quotas import Balance
from storage.records import JobState
from storage.windows import Period
from tests.storage.stores import GUILD, MEMBER, RESULT, Stores

HOUR = timedelta(hours=1)


async def settle(stores: Stores, job_id: str, *, owner: str, attempt: int) -> bool:
    return await stores.jobs.settle(
        job_id, owner=owner, attempt=attempt, outputs={0: RESULT}, device_ms=70
    )


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
async def test_r20_a_clock_that_jumps_neither_loses_nor_doubles_a_job(
    stores: Stores, jump: timedelta
) -> None:
    waiting, running = await stores.accept(), await stores.claimed()
    stores.clock.now += jump
    claimed = await stores.jobs.claim_job(waiting.id, owner="bot", lease_s=60)
    assert claimed is not None
    assert claimed.wait_ms == max(0, round(jump / timedelta(milliseconds=1)))
    assert await settle(stores, waiting.id, owner="bot", attempt=1)
    again = await stores.jobs.claim_job(running.id, owner="another", lease_s=60)
    assert (again is not None) == (jump > timedelta()), "a lease that is over may be taken over"
    if again is not None:
        assert not await settle(stores, running.id, owner="bot", attempt=1)
        assert await settle(stores, running.id, owner="another", attempt=2)
    else:
        assert await stores.jobs.heartbeat(running.id, owner="bot", attempt=1, lease_s=60)
        assert await settle(stores, running.id, owner="bot", attempt=1)
    assert not await settle(stores, running.id, owner="bot", attempt=1)
    told = await stores.jobs.undelivered()
    assert {job.id: job.state for job in told} == dict.fromkeys(
        (waiting.id, running.id), JobState.DONE
    )
    balance = await stores.quotas.balance(guild_id=GUILD, member_id=MEMBER)
    assert (balance.reserved_ms, balance.used_ms) == (0, 140)
    assert (await stores.retention.purge(older_than=timedelta(days=1))).jobs == 0


@pytest.mark.parametrize(
    ("period", "before", "after", "renewed"),
    [
        # The day on which the clocks go back has 25 hours, and the one before summer 23.
        (Period.DAY, "2026-10-24T22:30", "2026-10-25T22:59:59", False),
        (Period.DAY, "2026-10-24T22:30", "2026-10-25T23:00", True),
        (Period.DAY, "2026-03-28T23:30", "2026-03-29T22:00", True),
        # February ends by the guild's clocks and not by UTC's.
        (Period.MONTH, "2026-02-28T22:30", "2026-02-28T22:59:59", False),
        (Period.MONTH, "2026-02-28T22:30", "2026-02-28T23:00", True),
    ],
)
async def test_r20_what_is_reserved_before_a_windows_end_is_settled_in_it(
    stores: Stores, period: Period, before: str, after: str, renewed: bool
) -> None:
    await GuildStore(stores.database).set_time_zone(GUILD, "Europe/Berlin", actor_id=1)
    policy = Policy(
        scope=Scope.MEMBER, guild_id=GUILD, subject_id=MEMBER, period=period, limit_ms=150
    )
    await stores.quotas.set_policy(policy)
    stores.clock.now = moment(before)
    job = await stores.claimed(reserve_ms=150)
    stores.clock.now = moment(after)
    assert (await balance_of(stores, period)).remaining_ms == (150 if renewed else 0)
    assert await settle(stores, job.id, owner="bot", attempt=1)
    assert (await balance_of(stores, period)).used_ms == (0 if renewed else 70)
    stores.clock.now = moment(before)
    assert (await balance_of(stores, period)).used_ms == 70


async def balance_of(stores: Stores, period: Period) -> Balance:
    found = await stores.quotas.balances(guild_id=GUILD, member_id=MEMBER)
    return next(each for each in found if each.period is period)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
