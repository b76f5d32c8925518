"""Held jobs: nothing is charged before somebody decides, and whichever end comes first holds."""

from datetime import timedelta

import pytest

from storage.errors import DecidedError, PictureRefusedError, ReviewExpiredError
from storage.guilds import GuildStore
from storage.places import EVERYWHERE, Approval, PlaceStore, approval_in
from storage.records import Job, JobState
from storage.retention import HELD_AT_MOST
from storage.reviews import REASON, UNSENT, ReviewStore
from tests.storage.stores import CHANNEL, GUILD, MEMBER, Stores

ADMIN, MODS = MEMBER + 1, CHANNEL - 1
MONTH = timedelta(days=30)


@pytest.fixture
def reviews(stores: Stores) -> ReviewStore:
    return ReviewStore(stores.database, files=stores.files, clock=stores.clock)


async def held(stores: Stores, **changes: object) -> Job:
    """Accept, claim and hold a job, with an output of its own on the disk."""
    job = await stores.claimed(**changes)
    output = await stores.files.put(f"output of {job.id}".encode(), media_type="image/png")
    stores.clock.advance(seconds=20)
    assert await stores.jobs.settle(
        job.id,
        owner="bot",
        attempt=job.attempt,
        outputs={0: output},
        device_ms=70,
        notes={"model": "m"},
        review_channel_id=MODS,
    )
    return await stores.jobs.get(job.id)


async def moved(stores: Stores) -> tuple[int, int]:
    """Return what the member has used, and what is set aside."""
    [balance] = await stores.quotas.balances(guild_id=GUILD, member_id=MEMBER)
    return balance.used_ms, balance.reserved_ms


async def test_a_held_job_is_neither_charged_nor_told_nor_made_again(
    stores: Stores, reviews: ReviewStore
) -> None:
    job = await held(stores)
    assert (job.state, job.device_ms, job.owner, len(job.outputs)) == (JobState.HELD, None, None, 1)
    assert (job.held_at, job.finished_at) == (stores.clock.now, None)
    assert await moved(stores) == (0, 100)
    assert await stores.jobs.undelivered() == await stores.jobs.unfinished() == []
    stores.clock.advance(days=1)
    assert await stores.jobs.claim(owner="other", lease_s=60) is None
    [review] = await reviews.waiting(GUILD)
    assert (review.job, review.channel_id, review.message_id) == (job, MODS, None)
    assert await reviews.waiting(GUILD + 1) == []


async def test_an_approved_job_is_charged_once_and_is_to_be_told(
    stores: Stores, reviews: ReviewStore
) -> None:
    job = await held(stores)
    stores.clock.advance(hours=3)
    done = await reviews.approve(job.id, guild_id=GUILD, actor_id=ADMIN)
    assert (done.state, done.device_ms, done.pictures) == (JobState.DONE, 70, 1)
    assert done.finished_at == stores.clock.now
    assert await moved(stores) == (70, 0)
    assert await stores.jobs.undelivered() == [done]
    with pytest.raises(DecidedError):
        await reviews.refuse(job.id, guild_id=GUILD, actor_id=ADMIN)
    assert not await reviews.withdraw(job.id)
    assert await moved(stores) == (70, 0)
    [act] = await GuildStore(stores.database).log(GUILD)
    assert (act.act, act.actor_id, act.before, act.after) == ("decision", ADMIN, "held", "approved")


async def test_a_refused_job_is_refunded_and_its_picture_gone(
    stores: Stores, reviews: ReviewStore
) -> None:
    job = await held(stores)
    done = await reviews.refuse(job.id, guild_id=GUILD, actor_id=ADMIN, reason="too dark")
    assert (done.state, done.error) == (JobState.FAILED, PictureRefusedError.__name__)
    assert done.notes == {"model": "m", REASON: "too dark"}
    assert (done.device_ms, done.pictures, done.outputs) == (0, 0, {})
    assert await stores.files.older_than(-60) == []
    assert await moved(stores) == (0, 0)
    assert await stores.jobs.undelivered() == [done]
    with pytest.raises(DecidedError):
        await reviews.approve(job.id, guild_id=GUILD, actor_id=ADMIN)
    [act] = await GuildStore(stores.database).log(GUILD)
    assert (act.after, act.subject) == ("refused", job.id[:8])


async def test_nobody_decides_in_another_guild_or_on_what_is_not_held(
    stores: Stores, reviews: ReviewStore
) -> None:
    job, other = await held(stores), await stores.done()
    for job_id, guild_id in ((job.id, GUILD + 1), (other.id, GUILD), ("0" * 32, GUILD)):
        with pytest.raises(DecidedError):
            await reviews.approve(job_id, guild_id=guild_id, actor_id=ADMIN)
        with pytest.raises(DecidedError):
            await reviews.refuse(job_id, guild_id=guild_id, actor_id=ADMIN)
    assert (await stores.jobs.get(job.id)).state is JobState.HELD
    assert await GuildStore(stores.database).log(GUILD + 1) == []


async def test_a_member_stops_a_held_job(stores: Stores, reviews: ReviewStore) -> None:
    job = await held(stores)
    assert await reviews.withdraw(job.id)
    assert (await stores.jobs.get(job.id)).state is JobState.CANCELLED
    assert await moved(stores) == (0, 0)
    assert await GuildStore(stores.database).log(GUILD) == []


async def test_one_process_at_a_time_asks_those_who_decide(
    stores: Stores, reviews: ReviewStore
) -> None:
    job = await held(stores)
    assert await reviews.claim(job.id, owner="one", lease_s=60) is not None
    assert await reviews.claim(job.id, owner="two", lease_s=60) is None
    stores.clock.advance(seconds=61)
    assert await reviews.claim(job.id, owner="two", lease_s=60) is not None
    await stores.jobs.release("two")
    assert await reviews.claim(job.id, owner="one", lease_s=60) is not None
    await reviews.sent(job.id, message_id=5, reply_id=6)
    assert await reviews.claim(job.id, owner="one", lease_s=60) is None
    assert (await stores.jobs.get(job.id)).message_id == 6
    assert await reviews.pending() == []
    await reviews.close(job.id)
    assert await reviews.find(job.id) is not None, "it still waits"
    await reviews.approve(job.id, guild_id=GUILD, actor_id=ADMIN)
    [review] = await reviews.pending()
    assert (review.message_id, review.decided_by) == (5, ADMIN)
    await reviews.close(job.id)
    assert await reviews.find(job.id) is None


async def test_what_waits_too_long_is_given_up_and_refunded(
    stores: Stores, reviews: ReviewStore
) -> None:
    old = await held(stores)
    await GuildStore(stores.database).set_retention(GUILD + 1, 2, actor_id=ADMIN)
    stores.clock.advance(days=HELD_AT_MOST.days - 3)
    strict = await held(stores, guild_id=GUILD + 1)
    await held(stores)
    stores.clock.advance(days=3)
    report = await stores.retention.purge(older_than=MONTH)
    assert report.expired == 2
    for job_id in (old.id, strict.id):
        job = await stores.jobs.get(job_id)
        assert (job.state, job.error) == (JobState.FAILED, ReviewExpiredError.__name__)
    assert len(await reviews.waiting(GUILD)) == 1
    assert await moved(stores) == (0, 0), "of today; the one that waits has its window's"
    assert len(await stores.jobs.undelivered()) == 2


@pytest.mark.slow
async def test_what_could_not_be_asked_is_asked_where_it_is_decided_from_now_on(
    stores: Stores, reviews: ReviewStore
) -> None:
    places = PlaceStore(stores.database, clock=stores.clock)
    chosen = Approval(channel_id=EVERYWHERE, review_channel_id=MODS, actor_id=ADMIN)
    await places.set_approval(GUILD, chosen)
    job = await held(stores)
    await reviews.sent(job.id, message_id=UNSENT)
    for actors in ([ADMIN], []):
        assert await places.approval_troubled(GUILD, MODS, trouble="unreachable") == actors
    assert await reviews.pending() == []
    choices = await GuildStore(stores.database).choices(GUILD)
    assert choices.approvals[EVERYWHERE].trouble == "unreachable"
    other = Approval(channel_id=EVERYWHERE, review_channel_id=MODS - 1, actor_id=ADMIN)
    await places.set_approval(GUILD, other)
    [review] = await reviews.pending()
    assert (review.channel_id, review.message_id) == (MODS - 1, None)
    assert (await GuildStore(stores.database).choices(GUILD)).approvals == {EVERYWHERE: other}
    for done in (True, False):
        ended = await places.end_approval(GUILD, EVERYWHERE, actor_id=ADMIN)
        assert ended is done
    log = await GuildStore(stores.database).log(GUILD)
    assert [(act.act, act.subject, act.before, act.after) for act in reversed(log)] == [
        ("approval", "everywhere", None, f"#{MODS}"),
        ("approval", "everywhere", f"#{MODS}", f"#{MODS - 1}"),
        ("approval", "everywhere", f"#{MODS - 1}", None),
    ]


def test_what_is_chosen_for_a_channel_goes_before_the_guild() -> None:
    here, above, everywhere = (
        Approval(channel_id=each, review_channel_id=MODS, actor_id=ADMIN)
        for each in (CHANNEL, CHANNEL - 5, EVERYWHERE)
    )
    both = {EVERYWHERE: everywhere, CHANNEL - 5: above}
    assert approval_in(both, (CHANNEL, CHANNEL - 5)) is above
    assert approval_in({**both, CHANNEL: here}, (CHANNEL, CHANNEL - 5)) is here
    assert approval_in(both, (CHANNEL,)) is everywhere
    assert approval_in({CHANNEL: here}, (CHANNEL - 1,)) is None


async def test_the_time_until_approval_does_not_count_as_run(
    stores: Stores, reviews: ReviewStore
) -> None:
    from storage.cuts import Dimension
    from storage.questions import Question

    job = await held(stores)
    begun = stores.clock.now - timedelta(hours=1)
    stores.clock.advance(hours=5)
    await reviews.approve(job.id, guild_id=GUILD, actor_id=ADMIN)
    question = Question(since=begun, until=stores.clock.now, guild_id=GUILD, by=(Dimension.MEMBER,))
    report = await stores.reports.report(question)
    assert (report.total.done, report.total.pictures) == (1, 1)
    assert report.total.mean_run_s == 20.0
