"""What has been kept long enough goes, with its files; numbers and ledger stay."""

import os
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from storage.blocks import BlockStore
from storage.errors import FileMissingError
from storage.files import StoredFile
from storage.guilds import GuildStore
from storage.references import remember_files
from storage.retention import PurgeReport
from storage.tables import Base, BlockRow, LedgerRow, WarningRow
from tests.storage.stores import GUILD, MEMBER, Stores

MONTH = timedelta(days=30)


async def put(stores: Stores, data: bytes) -> StoredFile:
    return await stores.files.put(data, media_type="image/png")


def files_in(folder: Path) -> int:
    return sum(1 for path in folder.rglob("*") if path.is_file())


async def test_a_purge_empties_old_jobs_and_removes_their_files(
    stores: Stores, tmp_path: Path
) -> None:
    job = await stores.done(inputs={"image": await put(stores, b"photo")}, prompt="private words")
    assert files_in(tmp_path / "files") == 2
    stores.clock.advance(days=31)
    report = await stores.retention.purge(older_than=MONTH)
    assert report == PurgeReport(
        jobs=1, tokens=0, files=2, size_bytes=len(b"photo") + len(f"output of {job.id}")
    )
    kept = await stores.jobs.get(job.id)
    assert (kept.prompt, kept.parameters, kept.interaction_token) == (None, None, None)
    assert (kept.image, kept.output, kept.device_ms) == (None, None, 100)
    assert kept.purged_at == stores.clock.now
    assert files_in(tmp_path / "files") == 0


async def test_no_word_of_a_purged_job_is_left_in_any_table(stores: Stores) -> None:
    await stores.done(prompt="private words", parameters={"negative_prompt": "private words"})
    stores.clock.advance(days=31)
    await stores.retention.purge(older_than=MONTH)
    row = await stores.database.read(
        lambda session: session.execute(text("SELECT * FROM jobs")).one()
    )
    assert "private" not in repr(row)
    assert "token-" not in repr(row)


async def test_young_and_unfinished_jobs_are_left_alone(stores: Stores) -> None:
    waiting = await stores.accept()
    stores.clock.advance(days=31)
    young = await stores.done()
    assert (await stores.retention.purge(older_than=MONTH)).jobs == 0
    for job in (waiting, young):
        assert (await stores.jobs.get(job.id)).prompt == "night"


async def test_the_ledger_outlives_the_purge(stores: Stores) -> None:
    async def rows() -> int:
        count = select(func.count()).select_from(LedgerRow)
        return await stores.database.read(lambda session: session.scalar(count)) or 0

    await stores.done(device_ms=30)
    before = await rows()
    stores.clock.advance(days=31)
    await stores.retention.purge(older_than=MONTH)
    assert await rows() == before == 3


async def test_a_file_that_another_job_refers_to_stays(stores: Stores) -> None:
    photo = await put(stores, b"photo")
    old = await stores.done(inputs={"image": photo})
    stores.clock.advance(days=31)
    young = await stores.done(inputs={"image": photo}, parent_id=old.id)
    report = await stores.retention.purge(older_than=MONTH)
    assert (report.jobs, report.files) == (1, 1)
    assert young.image is not None
    assert await stores.files.read(young.image.sha256) == b"photo"


async def test_purging_again_finds_nothing(stores: Stores) -> None:
    await stores.done()
    stores.clock.advance(days=31)
    await stores.retention.purge(older_than=MONTH)
    assert await stores.retention.purge(older_than=MONTH) == PurgeReport()


async def test_a_purge_of_many_jobs_goes_batch_by_batch(stores: Stores) -> None:
    stores.default_ms = 10**9
    for _ in range(3):
        await stores.done()
    copies = text(
        "INSERT INTO jobs (id, interaction_id, guild_id, channel_id, member_id, command, "
        "pipeline, seed, locale, nonce, token_expires_at, state, attempt, reserve_ms, "
        "created_at, finished_at) "
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) "
        "SELECT 'copy-' || i, i, guild_id, channel_id, member_id, command, pipeline, "
        "seed, locale, 'copy-' || i, token_expires_at, state, attempt, reserve_ms, "
        "created_at, finished_at FROM n, (SELECT * FROM jobs LIMIT 1) AS model"
    )
    await stores.database.write(lambda session: session.execute(copies))
    stores.clock.advance(days=31)
    assert (await stores.retention.purge(older_than=MONTH)).jobs == 503


async def test_tokens_go_when_discord_takes_them_no_more(stores: Stores) -> None:
    job = await stores.accept()
    stores.clock.advance(minutes=15)
    assert await stores.retention.forget_tokens() == 0
    stores.clock.advance(seconds=1)
    assert await stores.retention.forget_tokens() == 1
    assert (await stores.jobs.get(job.id)).interaction_token is None


async def test_files_that_no_row_knows_go_after_an_hour(stores: Stores, tmp_path: Path) -> None:
    orphan = await stores.files.put(b"orphan", media_type="image/png")
    await stores.files.put(b"young orphan", media_type="image/png")
    photo = await put(stores, b"photo")
    await stores.accept(inputs={"image": photo})
    for path in (tmp_path / "files").rglob(orphan.sha256):
        os.utime(path, (1, 1))
    report = await stores.retention.purge(older_than=MONTH)
    assert (report.files, report.size_bytes) == (1, len(b"orphan"))
    assert files_in(tmp_path / "files") == 2


async def test_files_whose_rows_nothing_refers_to_go_likewise(
    stores: Stores, tmp_path: Path
) -> None:
    left, kept = await put(stores, b"left"), await put(stores, b"kept")
    await stores.database.write(partial(remember_files, files=[left], now=stores.clock()))
    await stores.accept(inputs={"image": kept})
    for file in (left, kept):
        os.utime(tmp_path / "files" / file.place, (1, 1))
    assert (await stores.retention.purge(older_than=MONTH)).files == 1
    assert await stores.files.read(kept.sha256) == b"kept"
    with pytest.raises(FileMissingError):
        await stores.files.read(left.sha256)
    await stores.accept(inputs={"image": await put(stores, b"left")})
    assert await stores.files.read(left.sha256) == b"left"


async def test_a_deleted_output_is_gone_and_remembered_as_deleted(
    stores: Stores, tmp_path: Path
) -> None:
    job = await stores.done(inputs={"image": await put(stores, b"photo")})
    assert job.output is not None
    left = await stores.jobs.delete_output(job.id, guild_id=GUILD, member_id=MEMBER)
    assert (left.output, left.deleted_at, left.state) == (None, stores.clock.now, job.state)
    with pytest.raises(FileMissingError):
        await stores.files.read(job.output.sha256)
    stores.clock.advance(hours=1)
    again = await stores.jobs.delete_output(job.id, guild_id=GUILD, member_id=None)
    assert again.deleted_at == left.deleted_at
    assert files_in(tmp_path / "files") == 1


async def test_an_output_that_two_jobs_share_outlives_the_first_deletion(
    stores: Stores,
) -> None:
    first, second = await stores.claimed(), await stores.claimed()
    output = await stores.files.put(b"same seed, same bytes", media_type="image/png")
    for job in (first, second):
        await stores.jobs.settle(job.id, owner="bot", attempt=1, outputs={0: output}, device_ms=1)
    await stores.jobs.delete_output(first.id, guild_id=GUILD, member_id=MEMBER)
    assert await stores.files.read(output.sha256)
    await stores.jobs.delete_output(second.id, guild_id=GUILD, member_id=MEMBER)
    with pytest.raises(FileMissingError):
        await stores.files.read(output.sha256)


async def test_a_guild_that_chose_fewer_days_keeps_its_own_for_as_many(stores: Stores) -> None:
    guilds = GuildStore(stores.database, clock=stores.clock)
    await guilds.set_retention(GUILD, 3, actor_id=1)
    short = await stores.done()
    long = await stores.done(guild_id=GUILD + 1)
    stores.clock.advance(days=3)
    assert (await stores.retention.purge(older_than=MONTH)).jobs == 0
    stores.clock.advance(seconds=1)
    assert (await stores.retention.purge(older_than=MONTH)).jobs == 1
    assert (await stores.jobs.get(short.id)).prompt is None
    assert (await stores.jobs.get(long.id)).prompt == "night"
    await guilds.set_retention(GUILD, 9, actor_id=1)
    assert (await guilds.choices(GUILD)).retention_days == 9
    assert [(act.before, act.after) for act in await guilds.log(GUILD)] == [(3, 9), (None, 3)]


async def test_a_guild_that_chose_more_days_keeps_nothing_longer_than_the_installation(
    stores: Stores,
) -> None:
    await GuildStore(stores.database, clock=stores.clock).set_retention(GUILD, 99, actor_id=1)
    await stores.done()
    stores.clock.advance(days=30, seconds=1)
    assert (await stores.retention.purge(older_than=MONTH)).jobs == 1


async def test_leaving_a_guild_erases_its_words_and_pictures_and_nobody_elses(
    stores: Stores, tmp_path: Path
) -> None:
    guilds = GuildStore(stores.database, clock=stores.clock)
    await guilds.set_retention(GUILD, 3, actor_id=1)
    done, running = await stores.done(), await stores.claimed()
    other = await stores.done(guild_id=GUILD + 1, inputs={"image": await put(stores, b"photo")})
    erased = await stores.retention.leave(GUILD)
    assert (erased.jobs, erased.files) == (2, 1)
    for job in (done, running):
        left = await stores.jobs.get(job.id)
        assert (left.prompt, left.delivered_at) == (None, stores.clock.now)
    assert (await stores.jobs.get(other.id)).prompt == "night"
    assert files_in(tmp_path / "files") == 2
    assert (await guilds.choices(GUILD)).retention_days == 3


async def test_only_guilds_that_the_bot_has_been_out_of_for_a_week_are_forgotten(
    stores: Stores,
) -> None:
    left, present, brought, foreign = GUILD, GUILD + 1, GUILD + 2, GUILD + 3
    guilds = GuildStore(stores.database, clock=stores.clock)
    jobs = {guild: await stores.done(guild_id=guild) for guild in (left, present, brought, foreign)}
    for guild in jobs:
        await guilds.set_retention(guild, 30, actor_id=1)
    await stores.retention.present([left, present, foreign])

    async def forgotten() -> int:
        return await stores.retention.forget_absent(ours=lambda guild: guild != foreign)

    stores.clock.advance(days=7)
    await stores.retention.present([present])
    assert await forgotten() == 0
    stores.clock.advance(seconds=1)
    assert await forgotten() == 1
    for guild, job in jobs.items():
        gone = guild == left
        assert ((await stores.jobs.get(job.id)).prompt is None) == gone
        assert ((await guilds.choices(guild)).retention_days is None) == gone
    assert await forgotten() == 0
    assert len(await guilds.log(left)) == 1


async def test_blocks_and_warnings_go_when_their_time_is_over(stores: Stores) -> None:
    blocks = BlockStore(stores.database, clock=stores.clock)
    for member_id, lasts in ((MEMBER, timedelta(hours=30)), (MEMBER + 1, None)):
        await blocks.block(GUILD, member_id, reason="spam", lasts=lasts, actor_id=1)
    await blocks.warn(GUILD, MEMBER, interaction_id=5)
    left = []
    for _ in range(3):
        stores.clock.advance(hours=12)
        await stores.retention.purge(older_than=MONTH)
        left.append((await count(stores, BlockRow), await count(stores, WarningRow)))
    assert left == [(2, 1), (2, 0), (1, 0)]


async def count(stores: Stores, table: type[Base]) -> int:
    found = select(func.count()).select_from(table)
    return await stores.database.read(lambda session: session.scalar(found)) or 0
