"""Usage that was added up is what a count of the jobs says, whatever happens to them."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from storage import packing
from storage.columns import JobColumns, columns_of, job_columns, tallied
from storage.cuts import CUTS, DAY, Cut, Dimension, Grain, Known, covered, day_of, month_of
from storage.histogram import EDGES, MAX_ERROR, bin_of, percentile, spread_of, value_of
from storage.migrating import downgrade, upgrade
from storage.packing import packed, unpacked
from storage.policies import Standing
from storage.questions import BY_ALL, Question
from storage.records import Job, JobState
from storage.tables import JobRow, UsageDayRow, UsageMarkRow, UsageRow
from storage.usage import Made, UsageSums
from tests.storage.stores import GUILD, MEMBER, NOON, Stores, open_stores

START = NOON.replace(tzinfo=None)
MOMENTS = st.datetimes(START, START + timedelta(days=90)).map(
    lambda each: each.replace(tzinfo=NOON.tzinfo)
)


@given(moments=st.lists(st.integers(0, 10**8), min_size=1, max_size=50), share=st.floats(0, 1))
def test_a_percentile_is_off_by_no_more_than_is_said(moments: list[int], share: float) -> None:
    found = percentile(Counter(map(bin_of, moments)), share)
    exact = sorted(moments)[max(0, -int(-share * len(moments) // 1) - 1)]
    assert found is not None
    assert abs(found - exact) <= MAX_ERROR * exact + 1e-6
    assert MAX_ERROR < 0.055


def test_bins_hold_what_they_stand_for_and_nothing_has_no_percentile() -> None:
    for low, high in pairwise(EDGES):
        assert bin_of(low) == bin_of(high - 1) != bin_of(high)
        assert low <= value_of(bin_of(low)) <= high - 1
    assert bin_of(10**12) == bin_of(EDGES[-1])
    assert spread_of({}).p95_s is None


@given(
    since=MOMENTS,
    length=st.timedeltas(timedelta(0), timedelta(days=80)),
    days=st.lists(MOMENTS.map(day_of), max_size=5),
    months=st.lists(MOMENTS.map(month_of), max_size=1),
    small=st.lists(MOMENTS.map(day_of), max_size=5),
    cut=st.sampled_from(CUTS),
)
def test_a_period_is_made_up_of_what_is_up_to_date_and_of_jobs(
    since: datetime,
    length: timedelta,
    days: list[datetime],
    months: list[datetime],
    small: list[datetime],
    cut: Cut,
) -> None:
    many = 10**6
    every = [day_of(NOON) + n * DAY for n in range(200)]
    known = Known(
        stale_days=frozenset(days),
        stale_months=frozenset(months),
        days={day: 1 if day in small else many for day in every},
        months={month_of(day): many for day in every},
    )
    found = covered(since, since + length, there=known.of([cut]))
    edges = [since, *(each.until for each in found)]
    assert edges[-1] == since + length
    assert [each.since for each in found] == edges[:-1]
    for each in found:
        assert each.grain in (*cut.least, Grain.LIVE)
        if each.grain is not Grain.LIVE:
            assert not any(each.since <= day < each.until for day in days)
        if each.grain in (Grain.DAY, Grain.HOUR) and cut.least[each.grain]:
            assert not any(each.since <= day < each.until for day in small)
        if each.grain is Grain.MONTH:
            assert each.since == month_of(each.since)
            assert each.until == month_of(each.until)
            assert each.since not in months
        if each.grain is Grain.DAY:
            assert each.since == day_of(each.since)
            assert each.until == day_of(each.until)


@pytest.fixture(autouse=True)
def _sums_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep sums of days and months that have few jobs, but not of those that have hardly any."""
    for cut in CUTS:
        for grain, least in cut.least.items():
            monkeypatch.setitem(cut.least, grain, min(least, 2 if grain is Grain.HOUR else 3))
    monkeypatch.setattr(packing, "LEAST", 2)


async def act(stores: Stores, rng: random.Random, jobs: list[Job]) -> None:
    """Do one thing that a job can go through, or let time pass."""
    stores.clock.advance(hours=rng.choice((0, 0, 1, 7, 30)), seconds=rng.random() * 50)
    job = rng.choice(jobs) if jobs else None
    match rng.randrange(8):
        case 0 | 1:
            changes = {
                "guild_id": rng.choice((GUILD, GUILD + 1, None)),
                "member_id": MEMBER + rng.randrange(3),
                "channel_id": rng.randrange(1, 4),
                "pipeline": rng.choice(("remix", "collage")),
                "model": rng.choice((None, "night")),
                "standing": Standing(role_ids=tuple(rng.sample((8, 9, 10), rng.randrange(3)))),
            }
            jobs.append(await stores.accept(**changes))
        case 2 if job:
            await stores.jobs.claim_job(job.id, owner="bot", lease_s=60)
        case 3 if job:
            output = await stores.files.put(rng.randbytes(9), media_type="image/png")
            await stores.jobs.settle(
                job.id,
                owner="bot",
                attempt=(await stores.jobs.get(job.id)).attempt,
                outputs=dict.fromkeys(range(rng.randrange(1, 4)), output),
                device_ms=rng.randrange(200),
            )
        case 4 if job:
            now = await stores.jobs.get(job.id)
            state = rng.choice((JobState.FAILED, JobState.CANCELLED))
            error = rng.choice(("EngineLostError", "UnsafePictureError"))
            await stores.jobs.fail(
                job.id, owner=now.owner, attempt=now.attempt, error=error, state=state
            )
        case 5 if job:
            await stores.jobs.delete_output(job.id, guild_id=job.guild_id, member_id=None)
        case 6:
            await stores.retention.purge(older_than=timedelta(days=20))
        case 7:
            await stores.sums.add_up()


def questions(stores: Stores, rng: random.Random) -> Iterator[Question]:
    """Yield questions about all, and about a part of it with filters."""
    now = stores.clock.now
    span = (NOON - timedelta(days=1), now + timedelta(seconds=1))
    starts = tuple(span[0] + n * timedelta(hours=31) for n in range(8))
    by = (*BY_ALL, Dimension.GUILD)
    yield Question(since=span[0], until=max(span[1], starts[-1]), by=by, parts=starts)
    since = NOON + (now - NOON) * rng.random()
    asked = Question(since=since, until=since + (now - since) * rng.random(), by=BY_ALL)
    yield replace(asked, guild_id=rng.choice((GUILD, 0)), before=(NOON, since))
    yield replace(asked, by=(Dimension.MEMBER,), pipeline="remix", channel_id=2)
    yield replace(asked, by=(), role_id=8)


async def walk(stores: Stores, *, seed: int, steps: int) -> None:
    """Let many things happen, and compare what was added up with a count now and again."""
    rng, jobs = random.Random(seed), list[Job]()
    stores.default_ms = 10**9
    for step in range(steps):
        await act(stores, rng, jobs)
        if step % 15 == 14:
            for question in questions(stores, rng):
                told = await stores.reports.report(question)
                assert told == await stores.reports.recount(question)
            assert await stores.sums.audit() == []
    stores.clock.advance(days=40)
    await stores.sums.add_up()
    assert await stores.sums.audit() == []
    marks = select(func.count()).select_from(UsageMarkRow)
    assert await stores.database.read(lambda session: session.scalar(marks)) == 0


@pytest.mark.parametrize(
    ("seed", "steps"), [(1, 75), pytest.param(2, 1500, marks=pytest.mark.slow)]
)
async def test_what_was_added_up_is_what_a_count_says(
    stores: Stores, seed: int, steps: int
) -> None:
    await walk(stores, seed=seed, steps=steps)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32))
@pytest.mark.slow
def test_what_was_added_up_is_what_a_count_says_of_any_history(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("histories")
    path = folder / "atelier.sqlite3"
    path.write_bytes(sqlite_template.read_bytes())

    async def run() -> None:
        stores = open_stores(f"sqlite:///{path}", folder)
        await walk(stores, seed=seed, steps=120)
        await stores.database.close()

    asyncio.run(run())


async def test_refunds_are_what_the_ledger_gave_back(stores: Stores) -> None:
    stores.guild_ms = stores.default_ms = 10**6
    rng, jobs = random.Random(5), list[Job]()
    for _ in range(60):
        await act(stores, rng, jobs)
    given = text(
        "SELECT coalesce(sum(amount_ms), 0) FROM ledger JOIN accounts ON accounts.id = account_id"
        " WHERE kind = 'refund' AND scope = 'member'"
    )
    told = await stores.reports.report(Question(since=NOON, until=NOON + timedelta(days=999)))
    assert told.total.refunded_ms == await stores.database.read(
        lambda session: session.scalar(given)
    )


async def test_a_day_that_changes_while_it_is_added_up_stays_marked(stores: Stores) -> None:
    job = await stores.claimed()
    stores.clock.advance(days=3)
    found = await stores.sums._next(Grain.DAY)
    assert found is not None
    await stores.jobs.settle(job.id, owner="bot", attempt=1, outputs={}, device_ms=77)
    assert await stores.sums._replace(found, Made())
    assert await stores.sums.add_up() == 2  # of the guild, and of all together
    asked = Question(since=NOON, until=NOON + timedelta(days=1), guild_id=GUILD)
    assert (await stores.reports.report(asked)).total.device_ms == 77


async def test_two_bots_that_add_the_same_day_up_write_it_once(stores: Stores) -> None:
    await stores.done()
    stores.clock.advance(days=3)
    found = await stores.sums._next(Grain.DAY)
    assert found is not None
    assert await UsageSums(stores.database, clock=stores.clock).add_up() == 2
    assert not await stores.sums._replace(found, Made())
    rows = (
        select(func.count())
        .select_from(UsageRow)
        .filter_by(cut="guild", grain="day", guild_id=GUILD)
    )
    assert await stores.database.read(lambda session: session.scalar(rows)) == 1


async def test_today_is_read_from_the_jobs_and_its_many_marks_become_one(stores: Stores) -> None:
    stores.default_ms = 10**6
    for _ in range(34):
        await stores.done()
    assert await stores.sums.add_up() == 0
    marks = select(func.count()).select_from(UsageMarkRow)
    assert await stores.database.read(lambda session: session.scalar(marks)) == 1
    asked = Question(since=day_of(NOON), until=day_of(NOON) + DAY, guild_id=GUILD)
    assert (await stores.reports.report(asked)).total.jobs == 34


async def test_a_change_by_hand_is_told_by_the_audit(stores: Stores) -> None:
    await stores.done()
    stores.clock.advance(days=40)
    await stores.sums.add_up()
    assert await stores.sums.audit() == []
    more = update(UsageRow).filter_by(cut="guild", grain="day").values(device_ms=1)
    await stores.database.write(lambda session: session.execute(more).close())
    told = " ".join(await stores.sums.audit())
    assert "added up (1, 1), the jobs (1, 100)" in told
    assert "its days (1, 1)" in told
    assert await stores.sums.add_up_anew() == 4  # the guild's day and month, and those of all
    assert await stores.sums.audit() == []
    gone = delete(UsageRow).filter_by(cut="model", grain="month")
    await stores.database.write(lambda session: session.execute(gone).close())
    assert "the cuts differ" in " ".join(await stores.sums.audit())


async def test_a_packed_day_holds_all_that_is_counted_and_a_wrong_one_is_told(
    stores: Stores,
) -> None:
    stores.default_ms = 10**9
    for role_ids in ((8, 9), (), (10,)):
        job = await stores.claimed(standing=Standing(role_ids=role_ids), model="night")
        await stores.jobs.settle(job.id, owner="bot", attempt=1, outputs={}, device_ms=10**7)
    failed = await stores.claimed()
    await stores.jobs.fail(failed.id, owner="bot", attempt=1, error="EngineLostError")
    stores.clock.advance(days=3)
    await stores.sums.add_up()

    def look(session: Session) -> None:
        told = unpacked(session.scalars(select(UsageDayRow.packed)).all()[0])
        jobs = columns_of(session.execute(job_columns().order_by(JobRow.created_at)).all())
        for by in ((), (Dimension.ROLE,), (Dimension.MODEL,), (Dimension.MEMBER,)):
            there, here = tallied(told, by), tallied(jobs, by)
            assert {key: (it.sums, it.details) for key, it in there.items()} == {
                key: (it.sums, it.details) for key, it in here.items()
            }
        assert len(told.matching({Dimension.ROLE: 9, Dimension.MODEL: "night"})) == 1
        assert len(told.matching({Dimension.MODEL: "day"})) == 0

    await stores.database.read(look)
    assert await stores.sums.audit() == []

    def spoil(session: Session) -> None:
        told = unpacked(session.scalars(select(UsageDayRow.packed)).all()[0])
        session.execute(update(UsageDayRow).values(packed=packed(told.some(np.arange(2)))))

    await stores.database.write(spoil)
    assert "packed (2," in " ".join(await stores.sums.audit())


def test_what_is_packed_comes_out_as_it_was() -> None:
    rng = np.random.default_rng(0)
    for most in (0, 1, 255, 256, 2**16, 2**32, 2**62):
        columns = [rng.integers(-1, most, size=50, endpoint=True) for _ in range(22)]
        columns[1] = rng.integers(0, 2, size=50)
        jobs = JobColumns.of(columns, words=["a"], role_texts=["[1]", ""])
        told = unpacked(packed(jobs))
        found = [each.tolist() for each in told.columns]
        roles = [told.role_texts[each] for each in told.columns[1]]
        assert roles == [["[1]", ""][each] for each in columns[1]]
        assert found[:1] + found[2:] == [each.tolist() for each in columns[:1] + columns[2:]]


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_usage_of_before_is_added_up_after_an_upgrade(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    name = {"sqlite": "sqlite_url", "postgres": "fresh_postgres_url"}[kind]
    url = request.getfixturevalue(name)
    asked = Question(since=NOON - DAY, until=NOON + 9 * DAY, guild_id=GUILD, by=BY_ALL)

    async def fill() -> None:
        stores = open_stores(url, tmp_path)
        await stores.done(device_ms=60, standing=Standing(role_ids=(5,)))
        stores.clock.advance(days=2)
        kept = await stores.done(device_ms=70)
        await stores.jobs.delete_output(kept.id, guild_id=GUILD, member_id=MEMBER)
        await stores.database.close()

    async def look() -> None:
        stores = open_stores(url, tmp_path)
        stores.clock.advance(days=40)
        for _ in range(2):
            told = await stores.reports.report(asked)
            assert told == await stores.reports.recount(asked)
            assert (told.total.jobs, told.total.pictures, told.total.device_ms) == (2, 2, 130)
            assert told.total.stored_bytes > 0
            await stores.sums.add_up()
        assert await stores.sums.audit() == []
        changed = update(JobRow).values(device_ms=1)
        await stores.database.write(lambda session: session.execute(changed).close())
        assert (await stores.reports.report(asked)).total.device_ms == 2
        await stores.database.close()

    asyncio.run(fill())
    downgrade(url, revision="5d20b7e4a911")
    upgrade(url, backup=False)
    asyncio.run(look())
