"""The life of a job: accepted once, claimed under a lease, finished behind a fence."""

import asyncio
from datetime import timedelta

import pytest

from storage.errors import NotFoundError, NotOwnerError, QuotaExceededError, TextTooLongError
from storage.records import JobState, Likeness
from tests.storage.stores import CHANNEL, GUILD, MEMBER, PICTURE, RESULT, Stores, new_job


async def test_an_accepted_job_comes_back_as_it_was_given(stores: Stores) -> None:
    new = new_job(inputs={"image": PICTURE, "style_image": RESULT}, model="starter", locale="zh-CN")
    accepted = await stores.jobs.accept(new)
    job = await stores.jobs.get(new.id)
    assert accepted.created
    assert accepted.job == job
    assert (job.guild_id, job.member_id, job.channel_id) == (GUILD, MEMBER, CHANNEL)
    assert (job.inputs, job.outputs) == ({"image": PICTURE, "style_image": RESULT}, {})
    assert (job.state, job.attempt, job.seed) == (JobState.QUEUED, 0, 2**32 - 1)
    assert job.parameters == {"strength": 0.7}
    assert job.created_at == stores.clock.now
    assert job.created_at.utcoffset() == timedelta(0)


async def test_q2_the_same_interaction_fifty_times_is_one_job_and_one_debit(
    stores: Stores,
) -> None:
    first = new_job()
    replayed = [new_job(interaction_id=first.interaction_id) for _ in range(50)]
    accepted = await asyncio.gather(*(stores.jobs.accept(new) for new in replayed))
    assert sum(each.created for each in accepted) == 1
    assert len({each.job.id for each in accepted}) == 1
    balance = await stores.quotas.balance(guild_id=GUILD, member_id=MEMBER)
    assert balance.reserved_ms == 100


async def test_a_refused_job_leaves_nothing_behind(stores: Stores) -> None:
    with pytest.raises(QuotaExceededError):
        await stores.accept(reserve_ms=1001)
    assert await stores.jobs.unfinished() == []
    balance = await stores.quotas.balance(guild_id=GUILD, member_id=MEMBER)
    assert balance.remaining_ms == 1000


async def test_a_prompt_beyond_the_limit_is_refused_not_cut(stores: Stores) -> None:
    with pytest.raises(TextTooLongError):
        await stores.accept(prompt="x" * 6001)
    with pytest.raises(TextTooLongError):
        await stores.accept(prompt="x" * 5_000_000)
    assert await stores.jobs.unfinished() == []


@pytest.mark.parametrize(
    "prompt",
    [
        "night\x00; rm",
        "half \ud83d a pair",
        "z\u0351\u0352\u0353\u0354\u0355\u0356\u0357\u0358\u0359a",
        "\u202eesrever",
        "a\u200bb",
        "x" * 6000,
        "'; DROP TABLE jobs; --",
        "{{7*7}} %s ${x} =cmd|' /C calc'!A0",
        "@everyone <@1> <@&2>",
        "",
    ],
)
async def test_b10_any_prompt_is_kept_so_that_it_can_be_read_again(
    stores: Stores, prompt: str
) -> None:
    job = await stores.accept(prompt=prompt, parameters={"word\x00": [prompt, 1, None]})
    kept = (await stores.jobs.get(job.id)).prompt
    assert kept is not None
    assert not set("\x00\ud83d\u202e\u200b") & set(kept)
    assert kept.encode().decode() == kept


async def test_figures_are_kept_with_the_outputs_that_they_are_about(stores: Stores) -> None:
    job = await stores.claimed()
    likeness = {
        1: Likeness(mse=1 / 3, psnr=4.77, ssim=-0.25, compared="mask"),
        2: Likeness(mse=0.0, psnr=None, ssim=None, compared="place"),
    }
    outputs = dict.fromkeys(range(3), RESULT)
    await stores.jobs.settle(
        job.id, owner="bot", attempt=1, outputs=outputs, likeness=likeness, device_ms=1
    )
    assert (await stores.jobs.get(job.id)).likeness == likeness
    stores.clock.advance(days=40)
    await stores.retention.purge(older_than=timedelta(days=30))
    assert (await stores.jobs.get(job.id)).likeness == {}


async def test_jobs_are_claimed_oldest_first_and_once(stores: Stores) -> None:
    jobs = []
    for _ in range(5):
        jobs.append(await stores.accept())
        stores.clock.advance(seconds=1)
    claimed = await asyncio.gather(
        *(stores.jobs.claim(owner=f"worker-{n}", lease_s=60) for n in range(8))
    )
    got = [job for job in claimed if job is not None]
    assert sorted(job.id for job in got) == sorted(job.id for job in jobs)
    assert all(job.attempt == 1 for job in got)


async def test_a_claim_takes_the_oldest_and_notes_how_long_it_waited(stores: Stores) -> None:
    first = await stores.accept()
    stores.clock.advance(seconds=3)
    await stores.accept()
    claimed = await stores.jobs.claim(owner="bot", lease_s=60)
    assert claimed is not None
    assert (claimed.id, claimed.wait_ms, claimed.owner) == (first.id, 3000, "bot")
    assert claimed.lease_expires_at == stores.clock.now + timedelta(seconds=60)


async def test_claimable_is_what_waits_and_what_was_lost(stores: Stores) -> None:
    lost = await stores.claimed()
    stores.clock.advance(seconds=61)
    held = await stores.claimed()
    stores.clock.advance(seconds=1)
    waiting = await stores.accept()
    under_way = await stores.jobs.under_way()
    assert under_way == {lost.id: 0, held.id: None, waiting.id: 0}
    assert list(under_way) == [lost.id, held.id, waiting.id]
    found = await stores.jobs.several([waiting.id, held.id, "nobody"])
    assert [job.id for job in found] == [held.id, waiting.id]
    assert await stores.jobs.several([]) == []


async def test_a_running_job_is_not_claimed_while_its_lease_runs(stores: Stores) -> None:
    job = await stores.claimed()
    assert await stores.jobs.claim(owner="other", lease_s=60) is None
    assert await stores.jobs.claim_job(job.id, owner="other", lease_s=60) is None


async def test_a_job_whose_lease_is_over_goes_to_the_next_owner_and_the_first_is_fenced_off(
    stores: Stores,
) -> None:
    job = await stores.claimed()
    stores.clock.advance(seconds=61)
    taken = await stores.jobs.claim(owner="other", lease_s=60)
    assert taken is not None
    assert (taken.id, taken.attempt, taken.wait_ms) == (job.id, 2, 0)
    late = {"owner": "bot", "attempt": 1}
    assert not await stores.jobs.heartbeat(job.id, **late, lease_s=60)  # type: ignore[arg-type]
    assert not await stores.jobs.settle(job.id, **late, outputs={0: RESULT}, device_ms=5)  # type: ignore[arg-type]
    assert not await stores.jobs.fail(job.id, **late, error="lost")  # type: ignore[arg-type]
    assert await stores.jobs.settle(
        job.id, owner="other", attempt=2, outputs={0: RESULT}, device_ms=40
    )


async def test_a_heartbeat_prolongs_the_lease(stores: Stores) -> None:
    job = await stores.claimed()
    stores.clock.advance(seconds=50)
    assert await stores.jobs.heartbeat(job.id, owner="bot", attempt=1, lease_s=60)
    stores.clock.advance(seconds=50)
    assert await stores.jobs.claim(owner="other", lease_s=60) is None


async def test_settling_keeps_the_output_and_what_the_pipeline_remarked(stores: Stores) -> None:
    job = await stores.claimed()
    settled = await stores.jobs.settle(
        job.id,
        owner="bot",
        attempt=1,
        outputs={0: RESULT},
        device_ms=40,
        notes=[{"code": "fitted", "words": ["512"]}],
        message_id=CHANNEL,
    )
    kept = await stores.jobs.get(job.id)
    assert settled
    assert (kept.state, kept.output, kept.device_ms) == (JobState.DONE, RESULT, 40)
    assert kept.notes == [{"code": "fitted", "words": ["512"]}]
    assert kept.message_id == CHANNEL
    assert kept.finished_at == stores.clock.now


async def test_a_job_settles_once(stores: Stores) -> None:
    job = await stores.claimed()
    outcomes = await asyncio.gather(
        *(
            stores.jobs.settle(job.id, owner="bot", attempt=1, outputs={0: RESULT}, device_ms=40)
            for _ in range(10)
        )
    )
    assert sum(outcomes) == 1
    balance = await stores.quotas.balance(guild_id=GUILD, member_id=MEMBER)
    assert (balance.used_ms, balance.reserved_ms) == (40, 0)


async def test_released_jobs_wait_again_and_keep_their_attempt(stores: Stores) -> None:
    job = await stores.claimed()
    assert await stores.jobs.release("somebody else") == 0
    assert await stores.jobs.release("bot") == 1
    waiting = await stores.jobs.get(job.id)
    assert (waiting.state, waiting.owner, waiting.attempt) == (JobState.QUEUED, None, 1)
    again = await stores.jobs.claim(owner="bot", lease_s=60)
    assert again is not None
    assert again.attempt == 2


async def test_what_was_not_finished_or_not_told_is_found_after_a_restart(
    stores: Stores,
) -> None:
    done = await stores.done(reserve_ms=100)
    failed = await stores.claimed()
    await stores.jobs.fail(failed.id, owner="bot", attempt=1, error="EngineLostError")
    running, waiting = await stores.claimed(), await stores.accept()
    unfinished = {job.id for job in await stores.jobs.unfinished()}
    undelivered = {job.id for job in await stores.jobs.undelivered()}
    assert unfinished == {running.id, waiting.id}
    assert undelivered == {done.id, failed.id}


async def test_a_delivery_is_noted_once_and_keeps_its_message(stores: Stores) -> None:
    job = await stores.done()
    await stores.jobs.delivering(job.id, message_id=41)
    assert (await stores.jobs.get(job.id)).delivered_at is None
    assert await stores.jobs.delivered(job.id, message_id=42)
    assert not await stores.jobs.delivered(job.id, message_id=43)
    kept = await stores.jobs.get(job.id)
    assert (kept.message_id, kept.delivered_at) == (42, stores.clock.now)
    assert await stores.jobs.undelivered() == []


async def test_s3_a_job_of_another_guild_is_not_found(stores: Stores) -> None:
    job = await stores.done()
    for elsewhere in (GUILD + 1, None):
        with pytest.raises(NotFoundError):
            await stores.jobs.owned(job.id, guild_id=elsewhere)
        with pytest.raises(NotFoundError):
            await stores.jobs.delete_output(job.id, guild_id=elsewhere, member_id=MEMBER)
    assert (await stores.jobs.owned(job.id, guild_id=GUILD, member_id=MEMBER)).id == job.id


async def test_s3_a_made_up_id_is_not_found(stores: Stores) -> None:
    for job_id in ("", "0" * 32, "' OR 1=1 --"):
        with pytest.raises(NotFoundError):
            await stores.jobs.owned(job_id, guild_id=GUILD)
        with pytest.raises(NotFoundError):
            await stores.jobs.get(job_id)


async def test_another_member_neither_owns_nor_deletes_a_job(stores: Stores) -> None:
    job = await stores.done()
    with pytest.raises(NotOwnerError):
        await stores.jobs.owned(job.id, guild_id=GUILD, member_id=MEMBER + 1)
    with pytest.raises(NotOwnerError):
        await stores.jobs.delete_output(job.id, guild_id=GUILD, member_id=MEMBER + 1)
    assert (await stores.jobs.get(job.id)).output is not None


async def test_in_direct_messages_a_job_has_no_guild(stores: Stores) -> None:
    job = await stores.accept(guild_id=None)
    assert job.guild_id is None
    assert (await stores.jobs.owned(job.id, guild_id=None)).id == job.id


async def test_a_repeated_job_remembers_its_parent(stores: Stores) -> None:
    parent = await stores.done()
    child = await stores.accept(parent_id=parent.id, inputs=parent.inputs)
    assert child.parent_id == parent.id
    assert child.image == PICTURE


async def test_neither_a_job_nor_a_request_shows_its_token(stores: Stores) -> None:
    new = new_job(interaction_token="very-secret")
    job = (await stores.jobs.accept(new)).job
    assert job.interaction_token == "very-secret"
    assert "very-secret" not in repr(new) + repr(job)


async def test_a_job_without_pictures_is_kept_and_has_several_results_by_their_numbers(
    stores: Stores,
) -> None:
    job = await stores.claimed(inputs={})
    assert (job.inputs, job.image, job.outputs, job.output) == ({}, None, {}, None)
    outputs = {2: PICTURE, 0: RESULT, 3: RESULT}
    assert await stores.jobs.settle(job.id, owner="bot", attempt=1, outputs=outputs, device_ms=40)
    kept = await stores.jobs.get(job.id)
    assert list(kept.outputs.items()) == [(0, RESULT), (2, PICTURE), (3, RESULT)]
    assert kept.output == RESULT


async def test_many_jobs_are_read_with_their_own_files(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.recall._BATCH", 2)
    given = [{}, {"image": PICTURE}, {"image": RESULT, "mask": PICTURE}]
    for inputs in given:
        await stores.accept(inputs=inputs)
        stores.clock.advance(seconds=1)
    assert [job.inputs for job in await stores.jobs.unfinished()] == given
