"""Quotas hold: whoever asks at once, whenever a day ends, whatever becomes of the job."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from storage.errors import InvalidAmountError, QuotaExceededError
from storage.ledger import Scope
from storage.policies import Policy
from storage.records import Job, JobState
from storage.windows import Period, window_of
from tests.storage.stores import GUILD, MEMBER, NOON, RESULT, Stores, new_job

MIDNIGHT = datetime(2026, 3, 15, tzinfo=UTC)


async def granted(stores: Stores, *, jobs: int, **changes: object) -> int:
    """Ask for many jobs at once and return how many were accepted."""
    asked = (stores.jobs.accept(new_job(**changes)) for _ in range(jobs))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert all(isinstance(each, QuotaExceededError) for each in refused), refused
    return jobs - len(refused)


async def set_policy(
    stores: Stores,
    scope: Scope,
    limit_ms: int,
    *,
    guild_id: int = 0,
    subject_id: int = 0,
    period: Period = Period.DAY,
) -> None:
    await stores.quotas.set_policy(
        Policy(
            scope=scope, guild_id=guild_id, subject_id=subject_id, period=period, limit_ms=limit_ms
        )
    )


@pytest.mark.slow
async def test_q1_of_two_hundred_at_once_exactly_ten_fit(stores: Stores) -> None:
    assert await granted(stores, jobs=200) == 10
    balance = await stores.quotas.balance(guild_id=GUILD, member_id=MEMBER)
    assert (balance.reserved_ms, balance.remaining_ms) == (1000, 0)


async def fails(stores: Stores, job: Job) -> bool:
    return await stores.jobs.fail(job.id, owner="bot", attempt=1, error="EngineLostError")


async def is_cancelled(stores: Stores, job: Job) -> bool:
    return await stores.jobs.fail(
        job.id, owner="bot", attempt=1, error="JobCancelledError", state=JobState.CANCELLED
    )


@pytest.mark.parametrize("end", [fails, is_cancelled])
async def test_q3_a_job_without_a_picture_is_refunded_exactly_once(
    stores: Stores, end: Callable[[Stores, Job], Awaitable[bool]]
) -> None:
    job = await stores.claimed()
    outcomes = await asyncio.gather(*(end(stores, job) for _ in range(10)))
    assert sum(outcomes) == 1
    assert not await stores.jobs.settle(
        job.id, owner="bot", attempt=1, outputs={0: RESULT}, device_ms=50
    )
    balance = await stores.quotas.balance(guild_id=GUILD, member_id=MEMBER)
    assert (balance.used_ms, balance.reserved_ms, balance.remaining_ms) == (0, 0, 1000)


async def test_q3_a_job_that_still_waits_is_cancelled_and_refunded(stores: Stores) -> None:
    job = await stores.accept()
    assert await stores.jobs.fail(
        job.id, owner=None, attempt=0, error="JobCancelledError", state=JobState.CANCELLED
    )
    assert await stores.jobs.claim(owner="bot", lease_s=60) is None
    balance = await stores.quotas.balance(guild_id=GUILD, member_id=MEMBER)
    assert balance.remaining_ms == 1000


@pytest.mark.parametrize(("device_ms", "used_ms"), [(0, 0), (40, 40), (100, 100), (250, 250)])
async def test_a_job_is_charged_what_it_used(stores: Stores, device_ms: int, used_ms: int) -> None:
    await stores.done(device_ms=device_ms)
    balance = await stores.quotas.balance(guild_id=GUILD, member_id=MEMBER)
    assert (balance.used_ms, balance.reserved_ms) == (used_ms, 0)
    assert balance.remaining_ms == 1000 - used_ms


async def test_what_a_job_used_beyond_the_limit_leaves_nothing_but_no_debt(
    stores: Stores,
) -> None:
    await stores.done(device_ms=5000)
    balance = await stores.quotas.balance(guild_id=GUILD, member_id=MEMBER)
    assert (balance.used_ms, balance.remaining_ms) == (5000, 0)
    with pytest.raises(QuotaExceededError):
        await stores.accept(reserve_ms=1)
    stores.clock.advance(days=1)
    await stores.accept(reserve_ms=1000)


async def test_q5_the_last_millisecond_of_a_day_is_of_that_day(stores: Stores) -> None:
    stores.clock.now = MIDNIGHT - timedelta(milliseconds=1)
    await stores.accept(reserve_ms=1000)
    with pytest.raises(QuotaExceededError) as refused:
        await stores.accept(reserve_ms=1)
    assert refused.value.resets_at == MIDNIGHT
    stores.clock.now = MIDNIGHT
    assert await granted(stores, jobs=20) == 10
    stores.clock.now = MIDNIGHT + timedelta(milliseconds=1)
    with pytest.raises(QuotaExceededError):
        await stores.accept(reserve_ms=1)


async def test_q5_a_job_over_midnight_settles_in_the_day_it_was_reserved_in(
    stores: Stores,
) -> None:
    stores.clock.now = MIDNIGHT - timedelta(milliseconds=1)
    job = await stores.claimed(reserve_ms=600)
    stores.clock.now = MIDNIGHT + timedelta(milliseconds=1)
    await stores.jobs.settle(job.id, owner="bot", attempt=1, outputs={0: RESULT}, device_ms=500)
    today = await stores.quotas.balance(guild_id=GUILD, member_id=MEMBER)
    assert (today.used_ms, today.reserved_ms, today.remaining_ms) == (0, 0, 1000)
    stores.clock.now = MIDNIGHT - timedelta(milliseconds=1)
    yesterday = await stores.quotas.balance(guild_id=GUILD, member_id=MEMBER)
    assert (yesterday.used_ms, yesterday.reserved_ms) == (500, 0)


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        (Period.HOUR, datetime(2026, 12, 31, 23, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        (Period.DAY, datetime(2026, 12, 31, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        (Period.MONTH, datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        (Period.MONTH, datetime(2028, 2, 1, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)),
    ],
)
def test_q5_a_window_holds_its_first_moment_and_not_its_end(
    period: Period, start: datetime, end: datetime
) -> None:
    tick = timedelta(microseconds=1)
    assert window_of(period, start) == window_of(period, end - tick)
    assert (window_of(period, start).start, window_of(period, start).end) == (start, end)
    assert window_of(period, end).start == end
    assert window_of(period, start - tick).end == start


def test_a_window_needs_to_know_the_time_zone() -> None:
    with pytest.raises(ValueError, match="naive"):
        window_of(Period.DAY, datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("member_ms", "guild_ms", "global_ms", "scope", "fit"),
    [
        (300, 500, 700, Scope.MEMBER, 3),
        (700, 300, 500, Scope.GUILD, 3),
        (700, 500, 300, Scope.GLOBAL, 3),
        (700, 0, 500, Scope.GUILD, 0),
    ],
)
async def test_q6_the_tightest_of_all_caps_holds(
    stores: Stores, member_ms: int, guild_ms: int, global_ms: int, scope: Scope, fit: int
) -> None:
    await set_policy(stores, Scope.MEMBER, member_ms)
    await set_policy(stores, Scope.GUILD, guild_ms, guild_id=GUILD)
    await set_policy(stores, Scope.GLOBAL, global_ms)
    assert await granted(stores, jobs=10) == fit
    with pytest.raises(QuotaExceededError) as refused:
        await stores.accept()
    assert refused.value.scope == scope.value
    balances = await stores.quotas.balances(guild_id=GUILD, member_id=MEMBER)
    assert [balance.reserved_ms for balance in balances] == [fit * 100] * 3


async def test_q6_many_members_share_the_cap_of_their_guild(stores: Stores) -> None:
    await set_policy(stores, Scope.GUILD, 1200)
    answers = await asyncio.gather(
        *(granted(stores, jobs=5, member_id=member) for member in range(1, 7))
    )
    assert sum(answers) == 12
    assert await granted(stores, jobs=5, guild_id=GUILD + 1) == 5


async def test_two_windows_hold_together(stores: Stores) -> None:
    await set_policy(stores, Scope.MEMBER, 300, period=Period.HOUR)
    assert await granted(stores, jobs=10) == 3
    stores.clock.advance(hours=1)
    assert await granted(stores, jobs=10) == 3
    stores.clock.advance(hours=1)
    assert await granted(stores, jobs=10) == 3
    stores.clock.advance(hours=1)
    assert await granted(stores, jobs=10) == 1


async def test_the_most_exact_policy_holds_for_a_member(stores: Stores) -> None:
    async def limit(*, guild_id: int | None = GUILD, member_id: int = MEMBER) -> int:
        balance = await stores.quotas.balance(guild_id=guild_id, member_id=member_id)
        return balance.limit_ms

    assert await limit() == 1000
    await set_policy(stores, Scope.MEMBER, 1)
    await set_policy(stores, Scope.MEMBER, 2, guild_id=GUILD)
    assert await limit() == 2
    await set_policy(stores, Scope.MEMBER, 3, subject_id=MEMBER)
    await set_policy(stores, Scope.MEMBER, 4, guild_id=GUILD, subject_id=MEMBER)
    assert await limit() == 4
    assert await limit(guild_id=GUILD + 1) == 3
    assert await limit(guild_id=None) == 3
    assert await limit(member_id=MEMBER + 1) == 2
    assert await limit(guild_id=None, member_id=MEMBER + 1) == 1
    await set_policy(stores, Scope.MEMBER, 5, guild_id=GUILD, subject_id=MEMBER)
    assert await limit() == 5
    assert len(await stores.quotas.policies()) == 4


async def test_members_guilds_and_direct_messages_have_accounts_of_their_own(
    stores: Stores,
) -> None:
    await set_policy(stores, Scope.GUILD, 1000)
    assert await granted(stores, jobs=12) == 10
    assert await granted(stores, jobs=12, guild_id=GUILD + 1, member_id=MEMBER + 1) == 10
    assert await granted(stores, jobs=12, guild_id=None) == 10
    assert await granted(stores, jobs=12, guild_id=None, member_id=MEMBER + 1) == 10


async def test_asking_first_books_nothing(stores: Stores) -> None:
    await stores.quotas.require(guild_id=GUILD, member_id=MEMBER, amount_ms=1000)
    await stores.accept(reserve_ms=400)
    with pytest.raises(QuotaExceededError) as refused:
        await stores.quotas.require(guild_id=GUILD, member_id=MEMBER, amount_ms=601)
    assert (refused.value.remaining_ms, refused.value.limit_ms) == (600, 1000)


async def test_q7_grants_that_race_with_spending_are_spent_exactly(stores: Stores) -> None:
    grants = [
        stores.quotas.grant(guild_id=GUILD, member_id=MEMBER, amount_ms=100) for _ in range(10)
    ]
    fitted, *_ = await asyncio.gather(granted(stores, jobs=40), *grants)
    fitted += await granted(stores, jobs=40)
    assert fitted == 20
    balance = await stores.quotas.balance(guild_id=GUILD, member_id=MEMBER)
    assert (balance.limit_ms, balance.reserved_ms, balance.remaining_ms) == (2000, 2000, 0)


async def test_a_grant_ends_with_its_window(stores: Stores) -> None:
    await stores.quotas.grant(guild_id=GUILD, member_id=MEMBER, amount_ms=500)
    stores.clock.now = NOON + timedelta(days=1)
    balance = await stores.quotas.balance(guild_id=GUILD, member_id=MEMBER)
    assert balance.limit_ms == 1000


@pytest.mark.parametrize("amount_ms", [-1, 0, 10**12 + 1, 2**63, 2**80])
async def test_q8_absurd_amounts_are_refused_before_they_reach_the_database(
    stores: Stores, amount_ms: int
) -> None:
    with pytest.raises(InvalidAmountError):
        await stores.accept(reserve_ms=amount_ms)
    with pytest.raises(InvalidAmountError):
        await stores.quotas.grant(guild_id=GUILD, member_id=MEMBER, amount_ms=amount_ms)
    if amount_ms:
        job = await stores.claimed()
        with pytest.raises(InvalidAmountError):
            await stores.jobs.settle(
                job.id, owner="bot", attempt=1, outputs={0: RESULT}, device_ms=amount_ms
            )
        assert (await stores.jobs.get(job.id)).state is JobState.RUNNING
        with pytest.raises(InvalidAmountError):
            await set_policy(stores, Scope.MEMBER, amount_ms)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE accounts SET reserved_ms = reserved_ms - 101",
        "UPDATE accounts SET used_ms = -1",
        "UPDATE accounts SET used_ms = 1000000000000001",
        "UPDATE accounts SET granted_ms = 9223372036854775807",
        "UPDATE ledger SET amount_ms = 0",
        "UPDATE ledger SET amount_ms = -5",
        "UPDATE ledger SET amount_ms = 1000000000001",
        "UPDATE ledger SET kind = 'gift'",
        "UPDATE jobs SET reserve_ms = 0",
        "UPDATE jobs SET device_ms = -1",
        "UPDATE jobs SET seed = 4294967296",
        "UPDATE jobs SET state = 'lost'",
        "UPDATE jobs SET member_id = member_id + 1",
        "INSERT INTO ledger (account_id, job_id, kind, amount_ms, created_at) "
        "SELECT account_id, job_id, kind, amount_ms, created_at FROM ledger",
    ],
)
async def test_q8_the_database_itself_refuses_what_cannot_be(
    stores: Stores, statement: str
) -> None:
    await stores.accept()
    with pytest.raises(DBAPIError):
        await stores.database.write(lambda session: session.execute(text(statement)))
