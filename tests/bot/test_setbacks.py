"""What fails is tried again, ends at its deadline or waits for an admin; its member is told."""

from pathlib import Path

import pytest

from bot.composition import Bot
from bot.setbacks import LONGEST_REST_S, MAX_ATTEMPTS, is_ours, is_passing, rest_s
from generation.errors import (
    EngineAbsentError,
    EngineBusyError,
    EngineLostError,
    InvalidRequestError,
    JobCancelledError,
    OutOfMemoryError,
    UnsafePictureError,
)
from storage.errors import FileMissingError, StoreFullError
from tests.bot.members import is_result, job_of, text_of
from tests.bot.stage import Stage, rows, settled
from tests.bot.test_admin import admin


def refusing(folder: Path) -> Path:
    """Let nothing be written into the store of files; return where its files are meanwhile."""
    kept = folder / "kept"
    for each in list((folder / "files").iterdir()):
        kept.mkdir(exist_ok=True)
        each.rename(kept / each.name)
    (folder / "files").rmdir()
    (folder / "files").write_text("no folder")
    return kept


@pytest.mark.slow
async def test_what_may_pass_is_tried_again_and_costs_once(stage: Stage) -> None:
    bot = await stage.start(retry_s=600)
    await stage.ada.remix("slow night", seed=1)
    await stage.ada.text("step")
    kept = refusing(stage.folder / "data")
    await stage.ada.text("I try again in a moment")
    [(state, error, rests)] = rows(bot, "SELECT state, error, not_before IS NOT NULL FROM jobs")
    assert (state, error, rests) == ("queued", "FileRefusedError", 1)
    (stage.folder / "data" / "files").unlink()
    kept.rename(stage.folder / "data" / "files")
    rows(bot, "UPDATE jobs SET not_before = '2026-01-01 00:00:00'")
    result = await stage.ada.result()
    await settled(bot)
    job = await bot.stores.jobs.get(job_of(result))
    assert (job.attempt, job.error, job.dead_at) == (2, None, None)
    assert await bot.stores.quotas.audit() == []
    assert len(await stage.ada.messages()) == 1


@pytest.mark.slow
async def test_what_does_not_pass_is_a_dead_letter_after_three_attempts(stage: Stage) -> None:
    bot = await stage.start(retry_s=0.05)
    await stage.ada.remix("slow night", seed=1)
    await stage.ada.text("step")
    refusing(stage.folder / "data")
    await settled(bot)
    [job] = await bot.stores.jobs.dead(int(stage.guild_id))
    # The pictures that went in are not there either, which nothing cures.
    assert job.error in {"FileRefusedError", "FileMissingError"}
    assert 1 < job.attempt <= MAX_ATTEMPTS
    assert await bot.stores.quotas.audit() == []


@pytest.mark.slow
async def test_a_deadline_ends_what_runs_and_what_waits_and_says_so(stage: Stage) -> None:
    bot = await stage.start(deadline_s=2.0, parallel_jobs=1)
    await stage.ada.remix("endless night")
    await stage.ada.text("step")
    await stage.ben.remix("endless day")
    for member in (stage.ada, stage.ben):
        told = await member.text("took too long")
        assert not is_result(told)
    await settled(bot)
    assert rows(bot, "SELECT DISTINCT state, error, device_ms, dead_at FROM jobs") == [
        ("failed", "DeadlineExceededError", 0, None)
    ]
    assert await bot.stores.quotas.audit() == []
    await stage.ada.remix("night")
    await stage.ada.result()


async def dead_letter(stage: Stage) -> tuple[Bot, str]:
    """Have a job kill its engines, and cure what it died of."""
    bot = await stage.start()
    await stage.ada.remix("die now", seed=3)
    await stage.ada.text("more than once")
    await settled(bot)
    rows(bot, "UPDATE jobs SET prompt = 'night'")
    [job] = await bot.stores.jobs.dead(int(stage.guild_id))
    return bot, job.id


async def test_an_admin_sees_dead_letters_and_has_one_made_anew(stage: Stage) -> None:
    bot, job_id = await dead_letter(stage)
    await admin(stage.cleo, "jobs", state="dead")
    seen = text_of(await stage.cleo.text("dead letters"))
    assert job_id in seen
    assert "attempt 1 · The engine stopped" in seen
    for act in ("requeue", "drop"):
        await admin(stage.cleo, f"dead {act}", job="0" * 32)
    await stage.cleo.until(lambda it: "don't know that picture" in text_of(it), count=2)
    await admin(stage.cleo, "dead requeue", job=job_id)
    await stage.cleo.text("It is made anew for")
    result = await stage.ada.result()
    await settled(bot)
    job = await bot.stores.jobs.get(job_of(result))
    assert (job.parent_id, job.seed, job.member_id) == (job_id, 3, int(stage.ada.id))
    assert len(await stage.ada.messages()) == 1
    assert await bot.stores.quotas.audit() == []


def test_only_what_may_pass_is_tried_again_and_only_so_often() -> None:
    for error in (EngineBusyError("x"), EngineAbsentError("x"), StoreFullError("x"), OSError()):
        attempts = [is_passing(error, attempt=each) for each in range(1, MAX_ATTEMPTS + 1)]
        assert attempts == [True] * (MAX_ATTEMPTS - 1) + [False]
        assert is_ours(error)
    for lasting in (EngineLostError("x"), OutOfMemoryError("x"), FileMissingError("x"), KeyError()):
        assert not is_passing(lasting, attempt=1)
        assert is_ours(lasting)
    for asked in (InvalidRequestError("x"), UnsafePictureError("x"), JobCancelledError("x")):
        assert not is_passing(asked, attempt=1)
        assert not is_ours(asked)


def test_rests_grow_are_never_alike_and_have_an_end() -> None:
    for attempt, expected_s in ((1, 10.0), (2, 40.0), (3, 160.0), (9, LONGEST_REST_S)):
        rests = [rest_s(attempt, first_s=10.0) for _ in range(200)]
        assert 0.5 * expected_s <= min(rests) < 0.7 * expected_s
        assert 1.3 * expected_s < max(rests) <= 1.5 * expected_s
