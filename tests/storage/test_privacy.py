"""What is kept about a member is counted, given out, and erased at once and everywhere."""

from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.acts import Act
from storage.blocks import BlockStore
from storage.errors import FileMissingError
from storage.forgetting import ERASED, Erased
from storage.guilds import GuildStore, WordRule
from storage.privacy import Holdings, Privacy
from storage.records import JobState
from storage.tables import (
    DIRECT_MESSAGES,
    AuditRow,
    FileRow,
    InputRow,
    JobRow,
    OutputRow,
)
from tests.storage.stores import GUILD, MEMBER, Stores, open_stores

OTHER, ELSEWHERE = MEMBER + 1, GUILD + 1


def privacy_of(stores: Stores) -> Privacy:
    return Privacy(stores.database, files=stores.files, clock=stores.clock)


async def everything(stores: Stores) -> str:
    """Return every row of the tables that may hold words."""
    tables = [JobRow, InputRow, OutputRow, FileRow, AuditRow]

    def read(session: Session) -> list[object]:
        return [session.execute(select(table.__table__)).all() for table in tables]

    return repr(await stores.database.read(read))


async def test_holdings_are_told_for_here_and_for_everywhere(stores: Stores) -> None:
    photo = await stores.files.put(b"photo", media_type="image/png")
    await stores.done(inputs={"image": photo})
    await stores.done(inputs={"image": photo}, guild_id=ELSEWHERE)
    await stores.accept(inputs={"image": photo}, guild_id=None)
    await stores.done(member_id=OTHER)
    privacy = privacy_of(stores)
    here = await privacy.here(MEMBER, guild_id=GUILD)
    assert (here.jobs, here.contents, here.unfinished, here.pictures) == (1, 1, 0, 2)
    assert (await privacy.here(MEMBER, guild_id=None)).unfinished == 1
    both = await privacy.everywhere(MEMBER)
    assert (both.jobs, both.contents, both.unfinished, both.pictures) == (3, 3, 1, 3)
    assert both.size_bytes == 5 + 2 * len(f"output of {'0' * 32}")
    assert (both.since, both.movements) == (stores.clock.now, 3 + 2)
    nobody = Holdings(
        jobs=0, contents=0, unfinished=0, pictures=0, size_bytes=0, movements=0, since=None
    )
    assert await privacy.everywhere(99) == nobody


async def test_all_that_is_kept_is_given_to_its_member_alone(stores: Stores) -> None:
    own, other = await stores.done(), await stores.done(member_id=OTHER)
    stores.clock.advance(seconds=1)
    await stores.done(guild_id=ELSEWHERE, prompt="elsewhere")
    rule = WordRule(word="gore", plain="gore", action="block")
    await GuildStore(stores.database).set_word(GUILD, rule, actor_id=MEMBER)
    blocks = BlockStore(stores.database, clock=stores.clock)
    for member_id in (MEMBER, OTHER):
        await blocks.block(GUILD, member_id, reason="spam", lasts=None, actor_id=OTHER)
    kept = await privacy_of(stores).kept(MEMBER)
    blocked = [(block["guild_id"], block["reason"]) for block in kept.rows["blocks"]]
    assert blocked == [(GUILD, "spam")]
    assert [job.prompt for job in kept.jobs] == ["night", "elsewhere"]
    assert kept.jobs[0].id == own.id
    assert {line.guild_id for line in kept.movements} == {GUILD, ELSEWHERE}
    assert other.id not in {line.job_id for line in kept.movements}
    assert [(act.act, act.actor_id) for act in kept.acts] == [("word", MEMBER)]


async def test_who_is_left_out_of_the_gallery_stays_so_until_they_want_to_be_shown(
    stores: Stores,
) -> None:
    privacy = privacy_of(stores)
    for _ in range(2):
        await privacy.leave_out(MEMBER, left_out=True)
    assert await privacy.left_out({MEMBER, OTHER}) == {MEMBER}
    await stores.done()
    await privacy.erase(MEMBER)
    assert await privacy.left_out([MEMBER]) == {MEMBER}
    for _ in range(2):
        await privacy.leave_out(MEMBER, left_out=False)
    assert await privacy.left_out({MEMBER, OTHER}) == set()


async def test_erasing_takes_every_word_and_picture_in_every_guild(
    stores: Stores, tmp_path: Path
) -> None:
    photo = await stores.files.put(b"photo", media_type="image/png")
    done = await stores.done(inputs={"image": photo}, prompt="secret")
    await stores.done(guild_id=ELSEWHERE, prompt="secret", parameters={"negative": "secret"})
    await stores.done(guild_id=None, prompt="secret")
    erased = await privacy_of(stores).erase(MEMBER)
    assert (erased.jobs, erased.files) == (3, 4)
    assert bytes_in(tmp_path / "files") == b""
    left = await everything(stores)
    assert "secret" not in left
    assert "token-" not in left
    kept = await stores.jobs.get(done.id)
    assert (kept.state, kept.device_ms, kept.seed) == (JobState.DONE, 100, 0)
    assert await stores.jobs.undelivered() == []
    held = await privacy_of(stores).everywhere(MEMBER)
    assert (held.jobs, held.contents, held.pictures) == (3, 0, 0)
    assert held.movements == 6
    assert await privacy_of(stores).erase(MEMBER) == Erased()


async def test_erasing_stops_and_refunds_what_waits_or_runs_whoever_has_it(
    stores: Stores,
) -> None:
    waiting, running = await stores.accept(), await stores.claimed()
    await privacy_of(stores).erase(MEMBER)
    for job in (waiting, running):
        ended = await stores.jobs.get(job.id)
        assert (ended.state, ended.device_ms, ended.prompt) == (JobState.CANCELLED, 0, None)
    late = await stores.files.put(b"too late", media_type="image/png")
    assert not await stores.jobs.settle(
        running.id, owner="bot", attempt=1, outputs={0: late}, device_ms=9
    )
    assert not await stores.jobs.heartbeat(running.id, owner="bot", attempt=1, lease_s=60)
    (balance,) = await stores.quotas.balances(guild_id=GUILD, member_id=MEMBER)
    assert (balance.reserved_ms, balance.used_ms) == (0, 0)


async def test_what_another_members_job_needs_stays(stores: Stores) -> None:
    mine = await stores.done()
    assert mine.output is not None
    theirs = await stores.done(member_id=OTHER, inputs={"image": mine.output})
    await privacy_of(stores).erase(MEMBER)
    assert await stores.files.read(mine.output.sha256)
    assert (await stores.jobs.get(theirs.id)).prompt == "night"
    await privacy_of(stores).erase(OTHER)
    with pytest.raises(FileMissingError):
        await stores.files.read(mine.output.sha256)


async def test_each_guilds_log_has_a_line_that_names_no_content(stores: Stores) -> None:
    await stores.done(prompt="secret")
    await stores.done(guild_id=None, prompt="secret")
    await privacy_of(stores).erase(MEMBER)
    for guild_id in (GUILD, DIRECT_MESSAGES):
        (act,) = await GuildStore(stores.database).log(guild_id)
        assert act == Act(
            id=act.id, guild_id=guild_id, actor_id=MEMBER, act=ERASED, subject="", before=None,
            after={"jobs": 1, "pictures": 2 if guild_id else 1}, created_at=stores.clock.now,
        )  # fmt: skip


def bytes_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_nothing_is_left_in_the_file_of_an_sqlite_database(
    sqlite_url: str, tmp_path: Path
) -> None:
    stores = open_stores(sqlite_url, tmp_path)
    words = "the old lighthouse at dusk"
    await stores.done(prompt=words, parameters={"negative": words}, interaction_token="tok-en")
    await privacy_of(stores).erase(MEMBER)
    await stores.database.close()
    rest = bytes_in(tmp_path)
    assert b"lighthouse" not in rest
    assert b"tok-en" not in rest
    assert b"img2img" in rest
