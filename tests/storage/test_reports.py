"""Reports count what happened in their period and guild, and nothing else."""

import asyncio
import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from storage.cuts import CUTS, Dimension
from storage.policies import Standing
from storage.questions import BY_ALL, Question
from storage.records import JobState
from storage.reports import Report, Usage
from tests.storage.stores import CHANNEL, GUILD, MEMBER, NOON, PICTURE, RESULT, Stores

OTHER = MEMBER + 1
LATER = NOON + timedelta(days=1)
ALL = Question(since=NOON, until=LATER, guild_id=GUILD, by=BY_ALL)


@pytest.fixture(autouse=True)
def _sums_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep sums of days and months however few jobs they have."""
    for cut in CUTS:
        for grain in cut.least:
            monkeypatch.setitem(cut.least, grain, 0)


async def report(stores: Stores, **changes: object) -> Report:
    """Return a report on the first day, and make sure that it is what a count says."""
    question = replace(ALL, **changes)  # type: ignore[arg-type]
    found = await stores.reports.report(question)
    assert found == await stores.reports.recount(question)
    return found


def jobs_by(found: Report, dimension: Dimension) -> dict[int | str, int]:
    return {line.key: line.usage.jobs for line in found.lines(dimension)}


async def fail(stores: Stores, error: str, **changes: object) -> None:
    job = await stores.claimed(**changes)
    assert await stores.jobs.fail(job.id, owner="bot", attempt=1, error=error)


async def a_day(stores: Stores) -> None:
    """Let two members ask in two channels, with two pipelines and models, by hour."""
    stores.default_ms = 10**6
    regular = Standing(role_ids=(5, 6))
    await stores.done(device_ms=150, model="night", standing=regular)
    stores.clock.advance(hours=3, minutes=10)
    await stores.done(device_ms=50, pipeline="collage", channel_id=7, standing=regular)
    await fail(stores, "EngineLostError", member_id=OTHER, standing=Standing(role_ids=(6,)))
    stores.clock.advance(hours=20)
    job = await stores.accept(member_id=OTHER, channel_id=7, reserve_ms=70)
    stores.clock.advance(minutes=3)
    await stores.jobs.fail(job.id, owner=None, attempt=0, error="x", state=JobState.CANCELLED)


async def added_up(stores: Stores) -> None:
    """Let all days be over, and add them up."""
    stores.clock.advance(days=40)
    assert await stores.sums.add_up() > 0
    assert await stores.sums.add_up() == 0


@pytest.mark.parametrize("sums", [False, True], ids=["jobs", "sums"])
async def test_a_report_tells_everything_apart(stores: Stores, sums: bool) -> None:
    await a_day(stores)
    if sums:
        await added_up(stores)
    found = await report(stores)
    size, made = PICTURE.size_bytes, len("output of ") + 32
    kept = 4 * size + 2 * made
    assert found.total == Usage(
        jobs=4,
        done=2,
        failures=1,
        cancelled=1,
        pictures=2,
        device_ms=200,
        refunded_ms=50 + 100 + 70,
        stored_bytes=kept,
        kept_bytes=kept,
        mean_wait_s=0.0,
        mean_run_s=0.0,
    )
    assert found.total.refunds == 2
    assert found.causes == {"EngineLostError": 1}
    assert jobs_by(found, Dimension.MEMBER) == {MEMBER: 2, OTHER: 2}
    assert jobs_by(found, Dimension.CHANNEL) == {CHANNEL: 2, 7: 2}
    assert jobs_by(found, Dimension.ROLE) == {5: 2, 6: 3}
    assert jobs_by(found, Dimension.PIPELINE) == {"img2img": 3, "collage": 1}
    assert jobs_by(found, Dimension.MODEL) == {"night": 1, "": 3}
    assert [line.key for line in found.lines(Dimension.MEMBER)] == [MEMBER, OTHER]


@pytest.mark.parametrize("sums", [False, True], ids=["jobs", "sums"])
@pytest.mark.parametrize(
    ("filters", "jobs"),
    [
        ({"member_id": OTHER}, 2),
        ({"channel_id": 7}, 2),
        ({"role_id": 5}, 2),
        ({"pipeline": "collage"}, 1),
        ({"model": "night"}, 1),
        ({"model": ""}, 3),
        ({"channel_id": 7, "pipeline": "collage", "model": ""}, 1),
        ({"role_id": 6, "pipeline": "img2img"}, 2),
        ({"member_id": MEMBER, "channel_id": 7}, 1),
        ({"guild_id": None}, 4),
        ({"guild_id": GUILD + 1}, 0),
    ],
)
async def test_a_report_is_about_what_was_asked_for(
    stores: Stores, sums: bool, filters: dict[str, object], jobs: int
) -> None:
    await a_day(stores)
    if sums:
        await added_up(stores)
    found = await report(stores, **filters)
    assert found.total.jobs == jobs
    for dimension in set(BY_ALL) - {Dimension.ROLE}:
        assert sum(line.usage.jobs for line in found.lines(dimension)) == jobs


async def test_what_a_members_pictures_have_cost_each_is_what_a_report_on_them_says(
    stores: Stores,
) -> None:
    await stores.done(device_ms=999)
    stores.clock.advance(hours=1)
    since = stores.clock.now
    await a_day(stores)
    await fail(stores, "EngineLostError")
    own = (await report(stores, since=since, member_id=MEMBER)).total
    each = [
        await stores.reports.each_ms(guild_id=GUILD, member_id=member, since=since)
        for member in (MEMBER, OTHER, MEMBER + 2)
    ]
    assert each == [own.device_ms / own.done, None, None]


async def test_parts_of_a_period_make_up_the_whole(stores: Stores) -> None:
    await a_day(stores)
    await added_up(stores)
    starts = tuple(NOON + timedelta(hours=hour) for hour in range(0, 24, 6))
    found = await report(stores, parts=starts)
    assert [part.start for part in found.parts] == list(starts)
    assert [part.usage.jobs for part in found.parts] == [3, 0, 0, 1]
    odd = (NOON, NOON + timedelta(hours=3, minutes=5), NOON + timedelta(hours=3, minutes=20))
    found = await report(stores, parts=odd)
    assert [part.usage.device_ms for part in found.parts] == [150, 50, 0]


async def test_a_period_is_compared_with_another(stores: Stores) -> None:
    await stores.done(device_ms=40)
    stores.clock.now = LATER
    await stores.done(device_ms=70)
    found = await report(stores, since=LATER, until=LATER + timedelta(days=1), before=(NOON, LATER))
    assert found.before is not None
    assert (found.before.device_ms, found.total.device_ms) == (40, 70)


async def test_waits_are_averaged_over_the_jobs_that_started(stores: Stores) -> None:
    await stores.accept()
    stores.clock.advance(seconds=2)
    await stores.accept()
    stores.clock.advance(seconds=1)
    await stores.jobs.claim(owner="bot", lease_s=60)
    await stores.jobs.claim(owner="bot", lease_s=60)
    await stores.accept()
    found = await report(stores)
    assert found.total.mean_wait_s == 2.0
    assert found.waits.p50_s == pytest.approx(1, rel=0.06)
    assert found.waits.p99_s == pytest.approx(3, rel=0.06)


async def test_a_run_lasts_from_the_first_start_to_the_end(stores: Stores) -> None:
    job = await stores.claimed()
    stores.clock.advance(seconds=90)
    again = await stores.jobs.claim_job(job.id, owner="bot", lease_s=60)
    assert again is not None
    stores.clock.advance(seconds=30)
    assert await stores.jobs.settle(
        job.id, owner="bot", attempt=2, outputs={0: RESULT, 2: PICTURE}, device_ms=9
    )
    found = await report(stores)
    assert found.total.mean_run_s == 120
    assert found.runs.p50_s == pytest.approx(120, rel=0.06)
    assert found.total.pictures == 2


async def test_a_period_holds_its_first_moment_and_not_its_last(stores: Stores) -> None:
    await stores.accept()
    stores.clock.now = LATER - timedelta(microseconds=1)
    await stores.accept()
    stores.clock.now = LATER
    await stores.accept()
    stores.clock.now = NOON - timedelta(microseconds=1)
    await stores.accept()
    assert (await report(stores)).total.jobs == 2
    stores.clock.now = LATER
    await added_up(stores)
    assert (await report(stores)).total.jobs == 2


async def test_s3_a_report_shows_its_own_guild_alone(stores: Stores) -> None:
    await stores.accept()
    await stores.accept(guild_id=GUILD + 1, member_id=OTHER)
    await stores.accept(guild_id=None)
    assert jobs_by(await report(stores), Dimension.MEMBER) == {MEMBER: 1}
    assert (await report(stores, guild_id=0)).total.jobs == 1
    everything = await report(stores, guild_id=None, by=(Dimension.GUILD,))
    assert jobs_by(everything, Dimension.GUILD) == {GUILD: 1, GUILD + 1: 1, 0: 1}


async def test_a_report_on_nothing_is_empty(stores: Stores) -> None:
    assert await report(stores) == Report(question=ALL, groups=dict.fromkeys(BY_ALL, ()))


async def test_purged_and_deleted_jobs_still_count(stores: Stores) -> None:
    jobs = [await stores.done(device_ms=30) for _ in range(3)]
    before = await report(stores)
    await stores.jobs.delete_output(jobs[0].id, guild_id=GUILD, member_id=MEMBER)
    after = await report(stores)
    made = len("output of ") + 32
    assert after.total == replace(before.total, kept_bytes=before.total.kept_bytes - made)
    await added_up(stores)
    await stores.retention.purge(older_than=timedelta(days=30))
    purged = replace(before.total, kept_bytes=0)
    assert (await report(stores)).total == purged
    assert await stores.sums.add_up() > 0
    assert (await report(stores)).total == purged


async def test_a_report_is_written_as_json_whose_ids_are_texts(stores: Stores) -> None:
    await a_day(stores)
    found = json.loads(json.dumps((await report(stores, parts=(NOON,))).to_json()))
    assert found["guild"] == str(GUILD)
    assert {line["key"] for line in found["groups"]["member"]} == {str(MEMBER), str(OTHER)}
    assert found["total"]["jobs"] == found["parts"][0]["jobs"] == 4
    assert datetime.fromisoformat(found["since"]) == NOON


async def test_reports_can_be_read_while_jobs_are_accepted(stores: Stores) -> None:
    stores.default_ms = 10**6
    _, reports = await asyncio.gather(
        asyncio.gather(*(stores.accept() for _ in range(30))),
        asyncio.gather(*(stores.reports.report(ALL) for _ in range(30))),
    )
    for each in reports:
        assert each.total.jobs == sum(line.usage.jobs for line in each.lines(Dimension.MEMBER))
