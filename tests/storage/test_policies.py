"""Which limit holds for whom: roles, channels, purchases, top-ups, and what admins can change."""

import asyncio
from datetime import UTC, datetime

import pytest

from storage.acts import Act
from storage.errors import (
    ChannelQuotaError,
    GuildQuotaError,
    InstallationQuotaError,
    QuotaExceededError,
    TooManyError,
    UnknownTimeZoneError,
)
from storage.guilds import GuildStore
from storage.ledger import Scope
from storage.policies import Policy, Standing
from storage.quotas import Balance
from storage.windows import Period
from tests.storage.stores import GUILD, MEMBER, NOON, RESULT, Stores
from tests.storage.test_quotas import granted, set_policy

ADMIN, OTHER_GUILD = MEMBER + 5, GUILD + 1
ARTIST, FRIEND, CHANNEL, THREAD = 501, 502, 601, 602


def roles(*role_ids: int) -> Standing:
    return Standing(role_ids=role_ids)


async def limit(stores: Stores, standing: Standing, *, guild_id: int | None = GUILD) -> int:
    balance = await stores.quotas.balance(guild_id=guild_id, member_id=MEMBER, standing=standing)
    return balance.limit_ms


async def balances(stores: Stores, **standing: object) -> dict[tuple[Scope, Period], Balance]:
    found = await stores.quotas.balances(
        guild_id=GUILD,
        member_id=MEMBER,
        standing=Standing(**standing),  # type: ignore[arg-type]
    )
    return {(each.scope, each.period): each for each in found}


async def settle(stores: Stores, *, used_ms: int, **changes: object) -> None:
    job = await stores.claimed(**changes)
    assert await stores.jobs.settle(
        job.id, owner="bot", attempt=1, outputs={0: RESULT}, device_ms=used_ms
    )


async def test_of_several_roles_the_most_generous_holds(stores: Stores) -> None:
    await set_policy(stores, Scope.MEMBER, 700, guild_id=GUILD)
    await set_policy(stores, Scope.ROLE, 3000, guild_id=GUILD, subject_id=ARTIST)
    await set_policy(stores, Scope.ROLE, 5000, guild_id=GUILD, subject_id=FRIEND)
    assert await limit(stores, roles()) == 700
    assert await limit(stores, roles(ARTIST)) == 3000
    assert await limit(stores, roles(FRIEND, ARTIST)) == 5000
    assert await limit(stores, roles(FRIEND), guild_id=OTHER_GUILD) == 1000
    assert await limit(stores, roles(FRIEND), guild_id=None) == 1000
    await set_policy(stores, Scope.MEMBER, 40, guild_id=GUILD, subject_id=MEMBER)
    assert await limit(stores, roles(FRIEND, ARTIST)) == 40


async def test_a_role_that_is_taken_away_takes_its_limit_along(stores: Stores) -> None:
    await set_policy(stores, Scope.ROLE, 3000, guild_id=GUILD, subject_id=ARTIST)
    await stores.accept(reserve_ms=2000, standing=roles(ARTIST))
    with pytest.raises(QuotaExceededError):
        await stores.accept(reserve_ms=1)
    await stores.accept(reserve_ms=1000, standing=roles(ARTIST))


async def test_a_channel_and_its_threads_share_what_the_channel_has(stores: Stores) -> None:
    await set_policy(stores, Scope.CHANNEL, 300, guild_id=GUILD, subject_id=CHANNEL)
    there, below = Standing(channel_ids=(CHANNEL,)), Standing(channel_ids=(THREAD, CHANNEL))
    await stores.accept(standing=there)
    assert await granted(stores, jobs=5, standing=below, member_id=MEMBER + 1) == 2
    with pytest.raises(ChannelQuotaError):
        await stores.accept(standing=there)
    assert await granted(stores, jobs=5, standing=Standing(channel_ids=(THREAD,))) == 5


async def test_a_purchase_raises_the_day_and_never_lowers_it_or_what_an_admin_set(
    stores: Stores,
) -> None:
    assert await limit(stores, Standing(raised_ms=4000)) == 4000
    assert await limit(stores, Standing(raised_ms=4000), guild_id=None) == 4000
    assert await limit(stores, Standing(raised_ms=10)) == 1000
    await set_policy(stores, Scope.ROLE, 5000, guild_id=GUILD, subject_id=ARTIST)
    assert await limit(stores, Standing(raised_ms=4000, role_ids=(ARTIST,))) == 5000
    await set_policy(stores, Scope.MEMBER, 0, guild_id=GUILD, subject_id=MEMBER)
    assert await limit(stores, Standing(raised_ms=4000)) == 0


async def test_no_admin_gives_away_more_than_the_installation_allows_the_guild(
    stores: Stores,
) -> None:
    stores.guild_ms, stores.total_ms = 1500, 2200
    await set_policy(stores, Scope.MEMBER, 10**9, guild_id=GUILD)
    await set_policy(stores, Scope.GUILD, 10**9, guild_id=GUILD)
    assert await granted(stores, jobs=30) == 15
    with pytest.raises(GuildQuotaError) as refused:
        await stores.accept()
    assert refused.value.scope == "share"
    await stores.quotas.reset(scope=Scope.GUILD, guild_id=GUILD, actor_id=ADMIN)
    assert await granted(stores, jobs=30) == 0
    assert await granted(stores, jobs=30, guild_id=OTHER_GUILD) == 7
    with pytest.raises(InstallationQuotaError):
        await stores.accept(guild_id=None)


@pytest.mark.parametrize(("set_ms", "total_ms"), [(500, 300), (300, 500)])
async def test_of_two_limits_of_one_account_the_tighter_holds(
    stores: Stores, set_ms: int, total_ms: int
) -> None:
    stores.total_ms = total_ms
    await set_policy(stores, Scope.GLOBAL, set_ms)
    assert await granted(stores, jobs=10) == 3


async def test_the_installation_limits_guilds_and_everybody_by_the_hour_and_month_of_utc(
    stores: Stores,
) -> None:
    stores.default_ms = 10**9
    stores.further = {(Scope.SHARE, Period.MONTH): 1500, (Scope.GLOBAL, Period.HOUR): 1000}
    await GuildStore(stores.database).set_time_zone(GUILD, "Asia/Tokyo", actor_id=ADMIN)
    assert await granted(stores, jobs=20) == 10
    with pytest.raises(InstallationQuotaError):
        await stores.accept(guild_id=OTHER_GUILD)
    stores.clock.advance(hours=1)
    assert await granted(stores, jobs=20) == 5
    with pytest.raises(GuildQuotaError):
        await stores.accept()
    assert await granted(stores, jobs=20, guild_id=OTHER_GUILD) == 5
    # In Tokyo the next month has begun already.
    stores.clock.now = datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)
    assert await granted(stores, jobs=1) == 0
    stores.clock.advance(seconds=1)
    assert await granted(stores, jobs=1) == 1


async def test_a_top_up_is_used_after_the_window_and_stays_until_it_is(stores: Stores) -> None:
    await stores.quotas.grant(guild_id=GUILD, member_id=MEMBER, amount_ms=500, lasting=True)
    await settle(stores, reserve_ms=900, used_ms=900)
    assert (await balances(stores))[Scope.MEMBER, Period.EVER].remaining_ms == 500
    await settle(stores, reserve_ms=300, used_ms=300)
    found = await balances(stores)
    assert found[Scope.MEMBER, Period.DAY].used_ms == 1000
    assert found[Scope.MEMBER, Period.DAY].remaining_ms == 300
    assert found[Scope.MEMBER, Period.EVER].remaining_ms == 300
    with pytest.raises(QuotaExceededError) as refused:
        await stores.accept(reserve_ms=301)
    assert refused.value.remaining_ms == 300
    stores.clock.advance(days=40)
    assert await granted(stores, jobs=20) == 13


@pytest.mark.parametrize(
    ("used_ms", "of_window", "of_top_up"),
    [(0, 0, 0), (50, 50, 0), (100, 100, 0), (130, 100, 30), (400, 100, 300), (450, 150, 300)],
)
async def test_what_a_job_used_is_charged_to_the_window_first(
    stores: Stores, used_ms: int, of_window: int, of_top_up: int
) -> None:
    await stores.quotas.grant(guild_id=GUILD, member_id=MEMBER, amount_ms=900, lasting=True)
    await set_policy(stores, Scope.GUILD, 10_000)
    await settle(stores, reserve_ms=900, used_ms=900)
    await settle(stores, reserve_ms=400, used_ms=used_ms)
    found = await balances(stores)
    assert found[Scope.MEMBER, Period.DAY].used_ms == 900 + of_window
    assert found[Scope.MEMBER, Period.EVER].used_ms == of_top_up
    assert found[Scope.GUILD, Period.DAY].used_ms == 900 + used_ms
    assert {each.reserved_ms for each in found.values()} == {0}


async def test_what_was_used_beyond_a_window_is_not_paid_out_of_a_later_top_up(
    stores: Stores,
) -> None:
    await settle(stores, reserve_ms=100, used_ms=5000)
    await stores.quotas.grant(guild_id=GUILD, member_id=MEMBER, amount_ms=500, lasting=True)
    await settle(stores, reserve_ms=400, used_ms=450)
    found = await balances(stores)
    assert found[Scope.MEMBER, Period.DAY].used_ms == 5000
    assert found[Scope.MEMBER, Period.EVER].remaining_ms == 50


async def test_a_top_up_holds_whoever_asks_at_once(stores: Stores) -> None:
    await set_policy(stores, Scope.MEMBER, 700, period=Period.HOUR)
    await set_policy(stores, Scope.MEMBER, 5000, period=Period.MONTH)
    await stores.quotas.grant(guild_id=GUILD, member_id=MEMBER, amount_ms=350, lasting=True)
    assert await granted(stores, jobs=60) == 10
    assert (await balances(stores))[Scope.MEMBER, Period.EVER].remaining_ms == 50


async def test_a_reset_takes_what_was_used_for_not_used_and_leaves_reservations(
    stores: Stores,
) -> None:
    await set_policy(stores, Scope.CHANNEL, 900, guild_id=GUILD, subject_id=CHANNEL)
    there = Standing(channel_ids=(CHANNEL,))
    await settle(stores, reserve_ms=600, used_ms=600, standing=there)
    running = await stores.claimed(reserve_ms=200, standing=there)
    given_ms = await stores.quotas.reset(
        scope=Scope.MEMBER, guild_id=GUILD, subject_id=MEMBER, actor_id=ADMIN
    )
    assert given_ms == 600
    found = await balances(stores, channel_ids=(CHANNEL,))
    own, shared = found[Scope.MEMBER, Period.DAY], found[Scope.CHANNEL, Period.DAY]
    assert (own.used_ms, own.reserved_ms, shared.used_ms) == (0, 200, 600)
    await stores.quotas.reset(scope=Scope.CHANNEL, guild_id=GUILD, subject_id=CHANNEL)
    await stores.jobs.settle(running.id, owner="bot", attempt=1, outputs={}, device_ms=150)
    found = await balances(stores, channel_ids=(CHANNEL,))
    assert {each.used_ms for each in found.values()} == {150}


async def test_days_begin_by_the_guilds_clocks_and_direct_messages_by_utcs(
    stores: Stores,
) -> None:
    guilds = GuildStore(stores.database, clock=stores.clock)
    with pytest.raises(UnknownTimeZoneError):
        await guilds.set_time_zone(GUILD, "Mars/Olympus", actor_id=ADMIN)
    await guilds.set_time_zone(GUILD, "Europe/Berlin", actor_id=ADMIN)
    stores.clock.now = datetime(2026, 3, 28, 22, 59, tzinfo=UTC)
    await stores.accept(reserve_ms=1000)
    with pytest.raises(QuotaExceededError) as refused:
        await stores.accept()
    assert refused.value.resets_at == datetime(2026, 3, 28, 23, tzinfo=UTC)
    stores.clock.now = refused.value.resets_at
    assert await granted(stores, jobs=12) == 10
    # That night the clocks are put forward: the day has 23 hours.
    stores.clock.advance(hours=22, minutes=59)
    assert await granted(stores, jobs=1) == 0
    stores.clock.advance(minutes=1)
    assert await granted(stores, jobs=1) == 1
    direct = await stores.quotas.balance(guild_id=None, member_id=MEMBER)
    assert direct.resets_at == datetime(2026, 3, 30, tzinfo=UTC)


async def test_every_act_on_quotas_is_in_the_guilds_log(stores: Stores) -> None:
    policy = Policy(
        scope=Scope.ROLE, guild_id=GUILD, subject_id=ARTIST, period=Period.MONTH, limit_ms=90_000
    )
    quotas, guilds = stores.quotas, GuildStore(stores.database, clock=stores.clock)
    await quotas.set_policy(policy, actor_id=ADMIN)
    await quotas.set_policy(policy, actor_id=ADMIN)
    assert await quotas.remove_policy(policy, actor_id=ADMIN)
    assert not await quotas.remove_policy(policy, actor_id=ADMIN)
    for lasting in (True, False):
        await quotas.grant(
            guild_id=GUILD, member_id=MEMBER, amount_ms=1500, lasting=lasting, actor_id=ADMIN
        )
    await settle(stores, reserve_ms=100, used_ms=100)
    await quotas.reset(scope=Scope.MEMBER, guild_id=GUILD, subject_id=MEMBER, actor_id=ADMIN)
    await guilds.set_time_zone(GUILD, "Asia/Tokyo", actor_id=ADMIN)
    log: list[Act] = await guilds.log(GUILD)
    assert [(act.act, act.subject, act.before, act.after) for act in reversed(log)] == [
        ("quota", f"role {ARTIST} month", None, "90 s"),
        ("quota", f"role {ARTIST} month", "90 s", None),
        ("top_up", f"member {MEMBER} ever", None, "1.5 s"),
        ("grant", f"member {MEMBER} day", None, "1.5 s"),
        ("reset", f"member {MEMBER} day", "0.1 s", "0 s"),
        ("time_zone", "", None, "Asia/Tokyo"),
    ]
    assert {(act.actor_id, act.created_at) for act in log} == {(ADMIN, NOON)}
    assert await guilds.log(OTHER_GUILD) == []


async def test_a_guild_keeps_so_many_limits_and_no_more(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.quotas.MAX_POLICIES", 2)
    for subject_id in (1, 2):
        await set_policy(stores, Scope.ROLE, 1, guild_id=GUILD, subject_id=subject_id)
    with pytest.raises(TooManyError):
        await set_policy(stores, Scope.ROLE, 1, guild_id=GUILD, subject_id=3)
    await set_policy(stores, Scope.ROLE, 2, guild_id=GUILD, subject_id=2)
    await set_policy(stores, Scope.ROLE, 1, guild_id=OTHER_GUILD, subject_id=3)


async def test_resets_and_grants_that_race_with_jobs_leave_the_books_right(
    stores: Stores,
) -> None:
    async def spend(member_id: int) -> None:
        for used_ms in (90, 110, 100):
            await settle(stores, used_ms=used_ms, member_id=member_id)

    async def give() -> None:
        for lasting in (True, False, True):
            await stores.quotas.grant(
                guild_id=GUILD, member_id=MEMBER, amount_ms=50, lasting=lasting
            )
            await stores.quotas.reset(scope=Scope.MEMBER, guild_id=GUILD, subject_id=MEMBER)

    await set_policy(stores, Scope.GUILD, 10_000)
    await set_policy(stores, Scope.MEMBER, 900, period=Period.HOUR)
    await asyncio.gather(*(spend(member) for member in (MEMBER, MEMBER, MEMBER + 1)), give())
    assert await stores.quotas.audit() == []
