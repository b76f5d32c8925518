"""``/privacy``: a member is told what is kept, given it, and has it erased; nobody else can."""

import asyncio
import csv
import io
import json
import zipfile
from pathlib import Path

import aiohttp
import discord
import pytest
from pydantic import SecretStr

from bot.actions import erase
from bot.client import Atelier
from bot.composition import Bot
from bot.errors import NotYoursError
from bot.exports import Plan, packed, planned
from bot.roles import Shards
from storage.errors import KeyMissingError
from storage.migrating import upgrade
from storage.privacy import Privacy
from storage.sealing import new_key
from tests.bot.members import labels, text_of
from tests.bot.stage import Stage, rows
from tests.bot.test_admin_page import SECRET, base, log_in, status, visitor
from tests.bot.test_usage import interaction_of
from tests.storage.stores import Stores, open_stores

PICTURE_BYTES = 20_000


async def test_a_member_is_told_given_and_rid_of_what_is_kept(stage: Stage) -> None:
    bot = await stage.start(retention_days=12)
    await stage.ada.remix("the old lighthouse")
    await stage.ada.result()
    await stage.settled(bot)
    await stage.ada.command("privacy", "show")
    told = await stage.ada.text("What I keep about you")
    assert "**Here**: 2 pictures" in text_of(told)
    assert "the words and settings of 1 jobs" in text_of(told)
    assert "removed here 12 days after" in text_of(told)
    assert told["ephemeral_for"] == stage.ada.id

    await stage.ada.command("privacy", "export")
    sent = await stage.ada.text("Your data, part 1 of 1")
    assert sent["ephemeral_for"] == stage.ada.id
    with zipfile.ZipFile(io.BytesIO(await stage.ada.picture(sent))) as archive:
        assert archive.testzip() is None
        (job,) = json.loads(archive.read("jobs.json"))
        assert (job["prompt"], job["member_id"]) == ("the old lighthouse", stage.ada.id)
        assert "interaction_token" not in job
        for name in (job["given"]["image"], *job["made"]):
            assert archive.read(name).startswith(b"\x89PNG")

    await stage.ada.command("privacy", "delete")
    asked = await stage.ada.text("Erase everything?")
    await stage.ada.press(asked, "Erase everything")
    done = await stage.ada.text("### Erased")
    assert "of 1 jobs and 2 pictures are gone" in text_of(done)
    assert labels(done) == []
    assert rows(bot, "SELECT prompt, parameters, interaction_token FROM jobs") == [
        (None, None, None)
    ]
    assert rows(bot, "SELECT count(*) FROM files") == [(0,)]
    assert rows(bot, "SELECT act, actor_id FROM audit") == [("erased", int(stage.ada.id))]


async def test_a_member_has_their_results_left_out_of_the_admins_gallery(stage: Stage) -> None:
    bot = await stage.start(web_client_secret=stage.sandbox.details[SECRET])
    await stage.ada.remix("the old lighthouse")
    await stage.ben.remix("a harbour")
    await stage.ada.results(2)
    await stage.settled(bot)
    jobs = f"{base(bot)}/admin/{stage.guild_id}/jobs"
    kept = rows(bot, f"SELECT id, member_id = {stage.ada.id} FROM jobs")
    hers, his = (
        next(f"{jobs}/{job_id}/thumbnail" for job_id, is_adas in kept if is_adas == whose)
        for whose in (1, 0)
    )
    async with visitor() as cleo:
        await log_in(cleo, bot, stage.cleo.id)

        async def seen() -> tuple[int, int, int]:
            async with cleo.get(jobs) as reply:
                pictures = (await reply.text()).count("/thumbnail")
            return pictures, await status(cleo, hers), await status(cleo, his)

        assert await seen() == (2, 200, 200)
        await stage.ada.command("privacy", "gallery", shown=False)
        told = await stage.ada.text("### Left out")
        assert told["ephemeral_for"] == stage.ada.id
        assert await seen() == (1, 404, 200)
        await stage.ada.command("privacy", "gallery", shown=True)
        await stage.ada.text("### Shown")
        assert await seen() == (2, 200, 200)


async def test_erasing_stops_what_runs_and_what_waits(stage: Stage) -> None:
    bot = await stage.start(parallel_jobs=1)
    for _ in range(2):
        await stage.ada.remix("endless night")
    await stage.ada.until(lambda message: "Stop" in labels(message), count=2)
    await stage.ada.command("privacy", "delete")
    asked = await stage.ada.text("2 that wait or run are stopped")
    await stage.ada.press(asked, "Erase everything")
    await stage.ada.text("### Erased")
    await stage.ada.until(lambda message: "Stopped." in text_of(message), count=2)
    assert rows(bot, "SELECT DISTINCT state, device_ms, prompt FROM jobs") == [
        ("cancelled", 0, None)
    ]
    assert rows(bot, "SELECT sum(reserved_ms), sum(used_ms) FROM accounts") == [(0, 0)]
    assert rows(bot, "SELECT count(*) FROM jobs WHERE delivered_at IS NULL") == [(0,)]


def stored(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


async def no_files(bot: Bot) -> None:
    """Wait until no file is remembered."""
    async with asyncio.timeout(20):
        while True:
            if rows(bot, "SELECT count(*) FROM files") == [(0,)]:
                return
            await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_a_server_that_the_bot_is_removed_from_is_emptied_and_one_that_is_out_is_not(
    stage: Stage,
) -> None:
    bot = await stage.start(retention_days=12)
    await stage.ada.remix("night")
    await stage.ada.result()
    await stage.settled(bot)
    await stage.cleo.interact(
        kind="command", name="admin", subcommand=["retention"], options={"days": 13}
    )
    await stage.cleo.text("I keep prompts and pictures for 12 days at most here")
    await stage.cleo.interact(
        kind="command", name="admin", subcommand=["retention"], options={"days": 3}
    )
    await stage.cleo.text("removed 3 days after a job has ended; the longest")
    await stage.ada.command("privacy", "show")
    await stage.ada.text("removed here 3 days after")
    assert rows(bot, "SELECT count(*) FROM guilds WHERE present_at IS NOT NULL") == [(0,)]
    await bot.client.look_around()
    assert rows(bot, "SELECT count(*) FROM guilds WHERE present_at IS NOT NULL") == [(1,)]
    left = asyncio.Event()

    async def on_guild_unavailable(_: discord.Guild) -> None:
        left.set()

    bot.client.add_listener(on_guild_unavailable)
    stage.order(kind="guild_gone", guild_id=stage.guild_id, unavailable=True)
    await asyncio.wait_for(left.wait(), 20)
    assert rows(bot, "SELECT prompt FROM jobs") == [("night",)]
    stage.order(kind="guild_gone", guild_id=stage.guild_id)
    await no_files(bot)
    assert rows(bot, "SELECT prompt, interaction_token FROM jobs") == [(None, None)]


@pytest.mark.slow
async def test_with_keys_nothing_is_kept_in_the_clear_and_nobody_starts_without_them(
    stage: Stage,
) -> None:
    old, new = new_key(), new_key()
    async with stage.running(keys=SecretStr(old)) as bot:
        await stage.ada.remix("the old lighthouse")
        message = await stage.ada.result()
        await stage.settled(bot)
        kept = repr(rows(bot, "SELECT prompt, parameters, notes, interaction_token FROM jobs"))
        assert "lighthouse" not in kept
        data = await asyncio.to_thread(stored, bot.settings.files_folder)
        assert len(data) == 2
        assert not any(b"PNG" in each for each in data)
    with pytest.raises(KeyMissingError, match="ATELIER_KEYS"):
        async with stage.running():
            pytest.fail("it started without its key")
    async with stage.running(keys=SecretStr(f"{new},{old}")) as bot:
        await stage.ada.press(message, "Again")
        assert "the old lighthouse" in text_of((await stage.ada.results(2))[1])
        await stage.ada.command("privacy", "export")
        sent = await stage.ada.text("Your data, part 1 of 1")
        with zipfile.ZipFile(io.BytesIO(await stage.ada.picture(sent))) as archive:
            pictures = [name for name in archive.namelist() if name.startswith("pictures/")]
            assert [archive.read(name)[:4] for name in pictures] == [b"\x89PNG"] * 3


@pytest.mark.parametrize(
    ("shards", "known"), [(None, [0, 1, 2, 3]), (Shards(numbers=(0, 1), count=4), [0, 1])]
)
async def test_a_process_forgets_no_guild_of_shards_that_it_does_not_hear_of(
    shards: Shards | None, known: list[int]
) -> None:
    async def nothing() -> None:
        return None

    async with Atelier(aiohttp.TCPConnector(), begin=nothing, shards=shards) as client:
        client.shard_count = 4
        assert [shard for shard in range(4) if client.would_know((8 + shard) << 22)] == known


async def test_s2_a_consent_that_another_member_was_asked_for_is_refused() -> None:
    ben = interaction_of(discord.Permissions.none(), 5)
    with pytest.raises(NotYoursError):
        await erase(ben, ben.user.id + 1)


async def exported(stores: Stores, *, max_bytes: int) -> tuple[Plan, list[dict[str, bytes]]]:
    """Return the plan of a member's export, and what is in each of its parts."""
    kept = await Privacy(stores.database, files=stores.files).kept(7)
    plan = planned(kept, about="about", max_bytes=max_bytes)
    parts = []
    for part in plan.parts:
        data = await packed(part, stores.files)
        assert len(data) <= max_bytes
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts.append({name: archive.read(name) for name in archive.namelist()})
    return plan, parts


async def test_an_export_larger_than_discord_takes_is_laid_into_whole_parts(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'atelier.sqlite3'}"
    await asyncio.to_thread(upgrade, url)
    stores = open_stores(url, tmp_path)
    pictures = [bytes([number]) * PICTURE_BYTES for number in range(5)] + [bytes(10**6)]
    files = [await stores.files.put(data, media_type="image/png") for data in pictures]
    for number, file in enumerate([*files, files[0]]):
        stores.clock.advance(minutes=1)
        prompt = "=1+1" if number == 3 else f"夜晚 {number}"
        await stores.accept(member_id=7, inputs={"image": file}, prompt=prompt)
    plan, parts = await exported(stores, max_bytes=3 * PICTURE_BYTES)
    assert (len(plan.parts), plan.pictures, plan.left_out) == (3, 5, 1)
    assert "jobs.json" not in parts[1]
    found = {name: data for part in parts for name, data in part.items() if "/" in name}
    assert list(found.values()) == pictures[:5]
    jobs = json.loads(parts[0]["jobs.json"])
    assert [found.get(job["given"]["image"]) for job in jobs] == [*pictures[:5], None, pictures[0]]
    table = io.StringIO(parts[0]["prompts.csv"].decode("utf-8-sig"), newline="")
    assert [row["prompt"] for row in csv.DictReader(table)][2:4] == ["夜晚 2", "'=1+1"]
    ledger = csv.DictReader(io.StringIO(parts[0]["ledger.csv"].decode("utf-8-sig"), newline=""))
    assert [(row["kind"], row["amount_ms"]) for row in ledger] == [("reserve", "100")] * 7
    whole, _ = await exported(stores, max_bytes=10**8)
    assert (len(whole.parts), whole.left_out) == (1, 0)
    await stores.database.close()
