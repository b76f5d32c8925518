"""Digests: one of several processes tells a week, and none tells it twice."""

from datetime import date, timedelta

import pytest

from storage.digests import Digest, DigestStore
from storage.guilds import GuildStore
from tests.storage.stores import CHANNEL, GUILD, MEMBER, Stores

MONDAY = date(2026, 3, 9)
NEXT = MONDAY + timedelta(days=7)


@pytest.fixture
def digests(stores: Stores) -> DigestStore:
    return DigestStore(stores.database, clock=stores.clock)


async def chosen(digests: DigestStore) -> Digest:
    await digests.choose(GUILD, CHANNEL, week=MONDAY, actor_id=MEMBER)
    [digest] = await digests.all()
    return digest


async def test_one_process_tells_a_week_and_another_does_when_that_one_died(
    stores: Stores, digests: DigestStore
) -> None:
    digest = await chosen(digests)
    assert (digest.week, digest.channel_id, digest.time_zone) == (MONDAY, CHANNEL, None)
    assert await digests.claim(digest, owner="one", lease_s=60)
    assert not await digests.claim(digest, owner="two", lease_s=60)
    stores.clock.advance(seconds=61)
    assert await digests.claim(digest, owner="two", lease_s=60)
    assert await digests.told(digest, week=NEXT)
    assert not await digests.told(digest, week=NEXT)
    assert not await digests.claim(digest, owner="one", lease_s=60), "it was told"
    [after] = await digests.all()
    assert after.week == NEXT
    assert await digests.claim(after, owner="one", lease_s=60)


async def test_what_was_told_is_not_told_again_when_the_channel_changes(
    stores: Stores, digests: DigestStore
) -> None:
    digest = await chosen(digests)
    assert await digests.claim(digest, owner="one", lease_s=60)
    await digests.choose(GUILD, CHANNEL - 1, week=MONDAY, actor_id=MEMBER)
    assert not await digests.told(digest, week=NEXT)
    [moved] = await digests.all()
    assert await digests.told(moved, week=NEXT)
    await digests.choose(GUILD, CHANNEL, week=MONDAY, actor_id=MEMBER)
    await GuildStore(stores.database).set_time_zone(GUILD, "Asia/Shanghai", actor_id=MEMBER)
    [back] = await digests.all()
    assert (back.week, back.channel_id, back.time_zone) == (NEXT, CHANNEL, "Asia/Shanghai")


async def test_what_cannot_be_posted_ends_once_with_a_line_in_the_log(
    stores: Stores, digests: DigestStore
) -> None:
    digest = await chosen(digests)
    for first in (True, False):
        assert await digests.troubled(digest, trouble="unreachable", bot_id=9) is first
    assert await digests.all() == []
    kept = await digests.find(GUILD)
    assert kept is not None
    assert kept.trouble == "unreachable"
    await chosen(digests)
    assert await digests.end(GUILD, actor_id=MEMBER)
    assert not await digests.end(GUILD, actor_id=MEMBER)
    assert await digests.find(GUILD) is None
    log = await GuildStore(stores.database).log(GUILD)
    assert [(act.actor_id, act.before, act.after) for act in reversed(log)] == [
        (MEMBER, None, f"#{CHANNEL}"),
        (9, f"#{CHANNEL}", None),
        (MEMBER, None, f"#{CHANNEL}"),
        (MEMBER, f"#{CHANNEL}", None),
    ]
