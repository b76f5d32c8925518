"""Reports count what happened in their period and guild, and nothing else."""

import asyncio
from datetime import timedelta

from storage.records import JobState
from storage.reports import Usage, UsageReport
from tests.storage.stores import GUILD, MEMBER, NOON, Stores

OTHER = MEMBER + 1
LATER = NOON + timedelta(days=1)


async def report(stores: Stores, guild_id: int | None = GUILD) -> UsageReport:
    return await stores.reports.usage(guild_id, since=NOON, until=LATER)


async def test_a_report_counts_by_member_and_by_pipeline(stores: Stores) -> None:
    await stores.done(device_ms=150)
    await stores.done(device_ms=50, pipeline="collage")
    failed = await stores.claimed(member_id=OTHER)
    await stores.jobs.fail(failed.id, owner="bot", attempt=1, error="EngineLostError")
    cancelled = await stores.accept(member_id=OTHER)
    await stores.jobs.fail(cancelled.id, owner=None, attempt=0, error="x", state=JobState.CANCELLED)
    found = await report(stores)
    assert {row.member_id: row.usage for row in found.members} == {
        MEMBER: Usage(jobs=2, done=2, device_ms=200, mean_wait_s=0.0),
        OTHER: Usage(jobs=2, failures=1, cancelled=1, mean_wait_s=0.0),
    }
    assert {row.pipeline: row.usage.jobs for row in found.pipelines} == {
        "img2img": 3,
        "collage": 1,
    }
    assert (found.total.jobs, found.total.failures, found.total.device_ms) == (4, 1, 200)
    assert [row.member_id for row in found.members] == [MEMBER, OTHER]


async def test_waits_are_averaged_over_the_jobs_that_started(stores: Stores) -> None:
    await stores.accept()
    stores.clock.advance(seconds=2)
    await stores.accept()
    stores.clock.advance(seconds=1)
    await stores.jobs.claim(owner="bot", lease_s=60)
    await stores.jobs.claim(owner="bot", lease_s=60)
    await stores.accept()
    assert (await report(stores)).total.mean_wait_s == 2.0


async def test_a_period_holds_its_first_moment_and_not_its_last(stores: Stores) -> None:
    await stores.accept()
    stores.clock.now = LATER - timedelta(microseconds=1)
    await stores.accept()
    stores.clock.now = LATER
    await stores.accept()
    stores.clock.now = NOON - timedelta(microseconds=1)
    await stores.accept()
    assert (await report(stores)).total.jobs == 2


async def test_s3_a_report_shows_its_own_guild_alone(stores: Stores) -> None:
    await stores.accept()
    await stores.accept(guild_id=GUILD + 1, member_id=OTHER)
    await stores.accept(guild_id=None)
    assert [row.member_id for row in (await report(stores)).members] == [MEMBER]
    assert (await report(stores, None)).total.jobs == 1
    everything = await stores.reports.installation(since=NOON, until=LATER)
    assert everything.total.jobs == 3


async def test_a_member_reads_their_own_usage(stores: Stores) -> None:
    await stores.done(device_ms=70)
    await stores.accept(member_id=OTHER)
    mine = await stores.reports.member_usage(GUILD, MEMBER, since=NOON, until=LATER)
    assert mine.total == Usage(jobs=1, done=1, device_ms=70, mean_wait_s=0.0)
    assert [row.member_id for row in mine.members] == [MEMBER]


async def test_a_report_on_nothing_is_empty(stores: Stores) -> None:
    found = await report(stores)
    assert (found.members, found.pipelines, found.total) == ((), (), Usage())


async def test_purged_and_deleted_jobs_still_count(stores: Stores) -> None:
    jobs = [await stores.done(device_ms=30) for _ in range(3)]
    before = await report(stores)
    await stores.jobs.delete_output(jobs[0].id, guild_id=GUILD, member_id=MEMBER)
    stores.clock.advance(days=40)
    await stores.retention.purge(older_than=timedelta(days=30))
    assert await report(stores) == before


async def test_reports_can_be_read_while_jobs_are_accepted(stores: Stores) -> None:
    stores.default_ms = 10**6
    _, reports = await asyncio.gather(
        asyncio.gather(*(stores.accept() for _ in range(30))),
        asyncio.gather(*(report(stores) for _ in range(30))),
    )
    assert all(each.total.jobs == sum(row.usage.jobs for row in each.members) for each in reports)
