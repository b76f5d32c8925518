"""How far limits are used: one account where members share it, whoever used most where not."""

from datetime import timedelta

from storage.guilds import GuildStore
from storage.ledger import Scope
from storage.policies import ANYBODY, Policy, Standing
from storage.spending import Spending
from storage.windows import Period
from tests.storage.stores import GUILD, NOON, Stores

ADA, BEN, CLEO, ROLE, CHANNEL = 31, 32, 33, 8, 77


async def limit(stores: Stores, scope: Scope, subject_id: int, limit_ms: int, **of: Period) -> None:
    period = of.get("period", Period.DAY)
    policy = Policy(
        scope=scope, guild_id=GUILD, subject_id=subject_id, period=period, limit_ms=limit_ms
    )
    await stores.quotas.set_policy(policy)


async def told(stores: Stores) -> dict[tuple[Scope, int, Period, bool], Spending]:
    found = await stores.quotas.spendings(GUILD, having={ROLE: [ADA, CLEO]})
    keys = [(it.policy.scope, it.policy.subject_id, it.policy.period, it.policy.guild_id == GUILD)
            for it in found]  # fmt: skip
    assert len(set(keys)) == len(keys)
    return dict(zip(keys, found, strict=True))


def amounts(spending: Spending) -> tuple[int, int, int, int | None]:
    return spending.used_ms, spending.reserved_ms, spending.remaining_ms, spending.members


async def test_each_limit_says_what_is_used_reserved_and_left(stores: Stores) -> None:
    stores.default_ms, stores.guild_ms = 1000, 6000
    await limit(stores, Scope.GUILD, ANYBODY, 5000)
    await limit(stores, Scope.CHANNEL, CHANNEL, 4000)
    await limit(stores, Scope.ROLE, ROLE, 2000)
    await limit(stores, Scope.MEMBER, ANYBODY, 3000, period=Period.MONTH)
    await limit(stores, Scope.MEMBER, BEN, 900)
    having = Standing(role_ids=(ROLE,))
    there = Standing(channel_ids=(CHANNEL,))
    await stores.done(guild_id=GUILD, member_id=ADA, standing=having, device_ms=90)
    await stores.done(guild_id=GUILD, member_id=BEN, standing=there, device_ms=70)
    await stores.accept(guild_id=GUILD, member_id=BEN, standing=there)
    await stores.done(guild_id=GUILD, member_id=CLEO, standing=having, device_ms=20)
    await stores.done(guild_id=GUILD + 1, member_id=ADA, device_ms=99)
    found = await told(stores)
    assert {key: amounts(it) for key, it in found.items()} == {
        (Scope.GUILD, 0, Period.DAY, True): (180, 100, 4720, None),
        (Scope.CHANNEL, CHANNEL, Period.DAY, True): (70, 100, 3830, None),
        (Scope.ROLE, ROLE, Period.DAY, True): (90, 0, 1910, 2),
        (Scope.MEMBER, 0, Period.MONTH, True): (70, 100, 2830, 3),
        (Scope.MEMBER, BEN, Period.DAY, True): (70, 100, 730, None),
        (Scope.MEMBER, 0, Period.DAY, False): (90, 0, 910, 2),
        (Scope.SHARE, 0, Period.DAY, False): (180, 100, 5720, None),
    }
    member = found[Scope.MEMBER, BEN, Period.DAY, True]
    balances = await stores.quotas.balances(guild_id=GUILD, member_id=BEN, standing=there)
    [day] = [it for it in balances if (it.scope, it.period) == (Scope.MEMBER, Period.DAY)]
    assert (member.remaining_ms, member.resets_at) == (day.remaining_ms, day.resets_at)
    await stores.quotas.grant(guild_id=GUILD, member_id=BEN, amount_ms=50)
    assert amounts((await told(stores))[Scope.MEMBER, BEN, Period.DAY, True])[2] == 780
    stores.clock.advance(days=1)
    later = await told(stores)
    assert amounts(later[Scope.GUILD, 0, Period.DAY, True]) == (0, 0, 5000, None)
    assert amounts(later[Scope.ROLE, ROLE, Period.DAY, True]) == (0, 0, 2000, 0)
    assert amounts(later[Scope.MEMBER, 0, Period.MONTH, True])[0] == 70


async def test_a_day_is_the_guilds_own_and_the_installations_utcs(stores: Stores) -> None:
    stores.guild_ms = 6000
    await limit(stores, Scope.GUILD, ANYBODY, 5000)
    await GuildStore(stores.database).set_time_zone(GUILD, "Asia/Shanghai", actor_id=1)
    resets = {scope: it.resets_at for (scope, *_), it in (await told(stores)).items()}
    assert resets == {
        Scope.GUILD: NOON + timedelta(hours=4),
        Scope.MEMBER: NOON + timedelta(hours=4),
        Scope.SHARE: NOON + timedelta(hours=12),
    }
