"""The durable queue: rests between attempts, deadlines, dead letters and priorities, in SQL."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from storage.dead_letters import count_dead
from storage.errors import InvalidAmountError, NotFoundError, QuotaExceededError
from storage.guilds import GuildStore
from storage.policies import Standing
from storage.previews import MOST_BYTES, Previews
from storage.priorities import Priorities, Priority
from storage.privacy import Privacy
from storage.records import Job, JobState
from storage.sealing import KeyRing, Seals, new_key
from tests.storage.stores import GUILD, MEMBER, NOON, PICTURE, RESULT, Stores, open_stores

ADMIN, ROLE, OTHER_ROLE = MEMBER + 1, 2**53 + 5, 2**53 + 6


async def reserved_ms(stores: Stores) -> int:
    balance = await stores.quotas.balance(guild_id=GUILD, member_id=MEMBER)
    return balance.reserved_ms


async def dead(stores: Stores, **changes: object) -> Job:
    """Return a job that failed for no fault of whoever asked."""
    job = await stores.claimed(**changes)
    assert await stores.jobs.fail(
        job.id, owner="bot", attempt=job.attempt, error="EngineLostError", dead=True
    )
    return await stores.jobs.get(job.id)


async def rest(stores: Stores, job: Job, *, after_s: float = 30) -> bool:
    """Let an attempt fail and its job rest."""
    return await stores.jobs.retry(
        job.id, owner="bot", attempt=job.attempt, error="EngineBusyError", after_s=after_s
    )


async def test_a_job_that_rests_is_claimed_when_it_has_rested_and_not_before(
    stores: Stores,
) -> None:
    job = await stores.claimed()
    assert await rest(stores, job)
    resting = await stores.jobs.get(job.id)
    assert (resting.state, resting.owner, resting.error) == (
        JobState.QUEUED, None, "EngineBusyError"
    )  # fmt: skip
    assert resting.not_before == NOON + timedelta(seconds=30)
    assert await reserved_ms(stores) == 100
    stores.clock.advance(seconds=29)
    assert await stores.jobs.claim(owner="bot", lease_s=60) is None
    assert await stores.jobs.claim_job(job.id, owner="bot", lease_s=60) is None
    assert await stores.jobs.under_way() == {job.id: 1.0}
    stores.clock.advance(seconds=1)
    assert await stores.jobs.under_way() == {job.id: 0.0}
    again = await stores.jobs.claim(owner="other", lease_s=60)
    assert again is not None
    assert (again.attempt, again.not_before, again.wait_ms) == (2, None, 0)
    assert await stores.jobs.settle(
        job.id, owner="other", attempt=2, outputs={0: RESULT}, device_ms=40
    )
    assert (await stores.jobs.get(job.id)).error is None


async def test_a_rest_outlives_the_process_that_ordered_it(
    stores: Stores, database_url: str, tmp_path: Path
) -> None:
    job = await stores.claimed()
    assert await rest(stores, job)
    assert await stores.jobs.release("bot") == 0
    later = open_stores(database_url, tmp_path)
    later.clock.advance(seconds=29)
    assert await later.jobs.claim(owner="next", lease_s=60) is None
    later.clock.advance(seconds=1)
    assert (await later.jobs.claim(owner="next", lease_s=60)) is not None
    await later.database.close()


async def test_only_the_attempt_that_holds_a_job_lets_it_rest(stores: Stores) -> None:
    job = await stores.claimed()
    stores.clock.advance(seconds=61)
    taken = await stores.jobs.claim(owner="other", lease_s=60)
    assert taken is not None
    assert not await rest(stores, job)
    assert (await stores.jobs.get(job.id)).state is JobState.RUNNING


async def test_a_job_that_rests_can_be_stopped(stores: Stores) -> None:
    job = await stores.claimed()
    await rest(stores, job)
    assert await stores.jobs.fail(
        job.id, owner=None, attempt=1, error="JobCancelledError", state=JobState.CANCELLED
    )
    assert await reserved_ms(stores) == 0


async def test_a_deadline_ends_whatever_is_unfinished_once_and_refunds_it(stores: Stores) -> None:
    soon, later = NOON + timedelta(minutes=5), NOON + timedelta(hours=1)
    waiting = await stores.accept(deadline_at=soon)
    running, resting = (
        await stores.claimed(deadline_at=soon),
        await stores.claimed(deadline_at=soon),
    )
    await rest(stores, resting, after_s=3600)
    others = [await stores.accept(deadline_at=later), await stores.accept()]
    assert await stores.jobs.expire(error="DeadlineExceededError") == []
    stores.clock.advance(minutes=5, seconds=1)
    ended = await asyncio.gather(
        *(stores.jobs.expire(error="DeadlineExceededError") for _ in range(4))
    )
    late = [job for some in ended for job in some]
    assert sorted(job.id for job in late) == sorted(it.id for it in (waiting, running, resting))
    assert {(job.state, job.error, job.device_ms) for job in late} == {
        (JobState.FAILED, "DeadlineExceededError", 0)
    }
    assert await reserved_ms(stores) == 200
    fenced = {"owner": "bot", "attempt": 1}
    assert not await stores.jobs.heartbeat(running.id, **fenced, lease_s=60)  # type: ignore[arg-type]
    assert not await stores.jobs.settle(running.id, **fenced, outputs={0: RESULT}, device_ms=5)  # type: ignore[arg-type]
    assert {job.id for job in await stores.jobs.unfinished()} == {job.id for job in others}
    assert {job.id for job in await stores.jobs.undelivered()} == {job.id for job in late}


async def test_a_dead_letter_is_seen_with_its_reason_and_attempts(stores: Stores) -> None:
    first = await dead(stores)
    stores.clock.advance(seconds=1)
    second = await dead(stores, member_id=ADMIN)
    failed = await stores.claimed()
    await stores.jobs.fail(failed.id, owner="bot", attempt=1, error="InvalidRequestError")
    found = await stores.jobs.dead(GUILD)
    assert [(job.id, job.error, job.attempt) for job in found] == [
        (second.id, "EngineLostError", 1), (first.id, "EngineLostError", 1),
    ]  # fmt: skip
    assert await stores.jobs.dead(GUILD + 1) == []
    assert await count_dead(stores.database) == {"EngineLostError": 2}
    assert [job.id for job in await stores.jobs.listed(GUILD, dead=True)] == [second.id, first.id]
    assert await reserved_ms(stores) == 0


async def test_a_dead_letter_is_made_anew_once_from_its_members_quota(stores: Stores) -> None:
    job = await dead(
        stores, prompt="night", seed=7, inputs={"image": PICTURE}, deadline_at=NOON
        + timedelta(hours=1), standing=Standing(role_ids=(ROLE,), weight=3.0),
    )  # fmt: skip
    stores.clock.advance(hours=2)
    asked = [stores.jobs.requeue(job.id, guild_id=GUILD, actor_id=ADMIN) for _ in range(5)]
    ends = await asyncio.gather(*asked, return_exceptions=True)
    [anew] = [end for end in ends if isinstance(end, Job)]
    assert sum(isinstance(end, NotFoundError) for end in ends) == 4
    for name in ("member_id", "channel_id", "prompt", "parameters", "seed", "inputs", "locale",
                 "model", "pipeline", "interaction_token", "guild_weight"):  # fmt: skip
        assert getattr(anew, name) == getattr(job, name), name
    assert (anew.state, anew.attempt, anew.parent_id) == (JobState.QUEUED, 0, job.id)
    assert anew.interaction_id < 0
    assert anew.deadline_at == stores.clock.now + timedelta(hours=1)
    assert await reserved_ms(stores) == 100
    assert await stores.jobs.dead(GUILD) == []
    [act] = await GuildStore(stores.database).log(GUILD)
    assert (act.act, act.subject, act.before, act.after) == ("job", job.id, "dead", "queued")
    assert (act.actor_id, (await stores.jobs.get(job.id)).state) == (ADMIN, JobState.FAILED)


async def test_a_dead_letter_whose_member_has_no_quota_left_stays(stores: Stores) -> None:
    job = await dead(stores, reserve_ms=600)
    await stores.accept(reserve_ms=500)
    with pytest.raises(QuotaExceededError):
        await stores.jobs.requeue(job.id, guild_id=GUILD, actor_id=ADMIN)
    assert [each.id for each in await stores.jobs.dead(GUILD)] == [job.id]
    assert await GuildStore(stores.database).log(GUILD) == []


async def test_s3_a_dead_letter_is_an_admins_of_its_own_guild_alone_to_drop(
    stores: Stores,
) -> None:
    job, alive = await dead(stores), await stores.accept()
    for job_id, guild_id in ((job.id, GUILD + 1), (alive.id, GUILD), ("0" * 32, GUILD)):
        for end in (stores.jobs.drop, stores.jobs.requeue):
            with pytest.raises(NotFoundError):
                await end(job_id, guild_id=guild_id, actor_id=ADMIN)
    await stores.jobs.drop(job.id, guild_id=GUILD, actor_id=ADMIN)
    assert await stores.jobs.dead(GUILD) == []
    [act] = await GuildStore(stores.database).log(GUILD)
    assert (act.subject, act.after) == (job.id, "dropped")


async def test_a_purge_takes_dead_letters_along(stores: Stores) -> None:
    await dead(stores)
    stores.clock.advance(days=31)
    await stores.retention.purge(older_than=timedelta(days=30))
    assert await stores.jobs.dead(GUILD) == []


async def test_a_priority_is_the_members_own_else_that_of_their_highest_role(
    stores: Stores,
) -> None:
    priorities = Priorities(stores.database)

    async def choose(scope: str, subject_id: int, weight: float) -> None:
        priority = Priority(scope=scope, subject_id=subject_id, weight=weight)  # type: ignore[arg-type]
        await priorities.set(GUILD, priority, actor_id=ADMIN)

    async def weights(**changes: object) -> tuple[float, float]:
        job = await stores.accept(reserve_ms=1, **changes)
        return job.guild_weight, job.member_weight

    roles = Standing(role_ids=(ROLE, OTHER_ROLE), weight=2.0)
    assert await weights(standing=roles) == (2.0, 1.0)
    await choose("role", ROLE, 3)
    await choose("role", OTHER_ROLE, 0.5)
    assert await weights(standing=roles) == (2.0, 3.0)
    assert await weights() == (1.0, 1.0)
    await choose("member", MEMBER, 0.25)
    assert await weights(standing=roles) == (2.0, 0.25)
    assert await weights(standing=roles, guild_id=GUILD + 1) == (2.0, 1.0)
    await choose("member", MEMBER, 1)
    assert [each.weight for each in await priorities.all(GUILD)] == [3, 0.5]
    acts = [(it.act, it.before, it.after) for it in await GuildStore(stores.database).log(GUILD)]
    assert acts[:2] == [("priority", 0.25, 1), ("priority", 1, 0.25)]
    for weight in (0.0, 0.05, 11, float("nan")):
        with pytest.raises(InvalidAmountError):
            await choose("member", MEMBER, weight)


async def test_the_newest_preview_is_kept_until_the_answer_and_is_its_attempts_alone(
    stores: Stores,
) -> None:
    job, previews = await stores.claimed(), Previews(stores.database)
    ours = {"owner": "bot", "attempt": 1}
    assert await previews.get(job.id) is None
    for data in (b"first", b"second"):
        assert await previews.put(job.id, data, **ours)  # type: ignore[arg-type]
    await previews.put(job.id, bytes(MOST_BYTES + 1), **ours)  # type: ignore[arg-type]
    assert not await previews.put(job.id, b"late", owner="other", attempt=1)
    assert await previews.get(job.id) == b"second"
    await stores.jobs.settle(job.id, **ours, outputs={0: RESULT}, device_ms=5)  # type: ignore[arg-type]
    assert not await previews.put(job.id, b"late", **ours)  # type: ignore[arg-type]
    await stores.jobs.delivered(job.id)
    assert await previews.get(job.id) is None


async def test_a_preview_goes_with_what_a_member_has_erased(stores: Stores) -> None:
    job, previews = await stores.claimed(), Previews(stores.database)
    await previews.put(job.id, b"preview", owner="bot", attempt=1)
    privacy = Privacy(stores.database, files=stores.files, clock=stores.clock)
    await privacy.erase(MEMBER)
    assert await previews.get(job.id) is None


async def test_a_preview_lies_encrypted_and_without_its_key_there_is_none(
    database_url: str, tmp_path: Path
) -> None:
    ring = KeyRing([new_key()])
    sealed = open_stores(database_url, tmp_path, seals=Seals(contents=ring, tokens=ring))
    job = await sealed.claimed()
    previews = Previews(sealed.database)
    await previews.put(job.id, b"a small picture", owner="bot", attempt=1)
    assert await previews.get(job.id) == b"a small picture"
    await sealed.database.close()
    others = KeyRing([new_key()])
    plain = open_stores(database_url, tmp_path, seals=Seals(contents=others, tokens=others))
    assert await Previews(plain.database).get(job.id) is None

    def stored(session: Session) -> bytes:
        return bytes(session.scalar(text("SELECT data FROM previews")))

    assert b"small" not in await plain.database.read(stored)
    await plain.database.close()
