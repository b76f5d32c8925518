"""What goes wrong between the bot and Discord, and what the member gets nevertheless."""

import asyncio
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark import ParameterSet

from bot.composition import Bot
from generation.codecs import EncodedImage
from storage.files import StoredFile, place_of
from tests.bot.members import is_result, job_of, text_of
from tests.bot.stage import Stage, rows, settled

CALLBACK = "/callback"
ORIGINAL = "@original"


def slow(*values: object) -> ParameterSet:
    """Return a case that only the long run takes; its like is among the quick ones."""
    return pytest.param(*values, marks=pytest.mark.slow)


async def books(bot: Bot, *, jobs: int) -> None:
    """Check that so many jobs are delivered in the end, and that the ledger agrees."""
    await settled(bot)
    assert await bot.stores.quotas.audit() == []
    assert rows(bot, "SELECT count(*) FROM jobs WHERE delivered_at IS NOT NULL") == [(jobs,)]


async def test_r13_an_interaction_that_comes_twice_is_one_job(stage: Stage) -> None:
    bot = await stage.start()
    stage.sandbox.order("duplicate")
    await stage.ada.remix("night")
    await stage.ada.result()
    await books(bot, jobs=1)
    assert len(await stage.ada.messages()) == 1


@pytest.mark.parametrize("kind", ["reconnect", slow("invalid_session"), slow("disconnect")])
async def test_r13_the_gateway_goes_while_a_job_runs(stage: Stage, kind: str) -> None:
    bot = await stage.start()
    await stage.ada.remix("slow night")
    await stage.ada.text("step")
    stage.sandbox.order(kind)
    await stage.ada.result()
    await asyncio.sleep(0.1)
    await bot.client.wait_until_ready()
    await books(bot, jobs=1)


@pytest.mark.slow
async def test_r13_a_half_open_line_is_noticed_while_a_job_runs(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage.sandbox.inner.services.gateway, "heartbeat_ms", 200)
    bot = await stage.start()
    # Every connection from the next on takes its patience from here; Discord's own takes a minute.
    monkeypatch.setattr(bot.client._connection, "heartbeat_timeout", 0.5)
    stage.order(kind="disconnect")
    await bot.client.wait_for("resumed", timeout=10)
    await stage.ada.remix("slow night")
    await stage.ada.text("step")
    stage.order(kind="half_open")
    await bot.client.wait_for("resumed", timeout=10)
    await stage.ada.result()
    await books(bot, jobs=1)
    await stage.ada.remix("night")
    await stage.ada.results(2)


async def test_r13_events_that_are_replayed_on_resume_change_nothing(stage: Stage) -> None:
    bot = await stage.start()
    await stage.ada.remix("night")
    await stage.ada.result()
    again = asyncio.create_task(bot.client.wait_for("interaction", timeout=20))
    stage.sandbox.order("replay", events=10)
    stage.sandbox.order("reconnect")
    await again
    await books(bot, jobs=1)
    assert len(stage.requests("POST", CALLBACK)) == 1
    assert len(await stage.ada.messages()) == 1


@pytest.mark.parametrize(
    ("method", "route", "fault"),
    [
        ("POST", CALLBACK, {"kind": "rate_limit"}),
        slow("POST", CALLBACK, {"kind": "status", "status": 502}),
        slow("PATCH", ORIGINAL, {"kind": "rate_limit"}),
        slow("PATCH", ORIGINAL, {"kind": "rate_limit", "scope": "global"}),
        ("PATCH", ORIGINAL, {"kind": "status", "status": 500}),
        slow("PATCH", ORIGINAL, {"kind": "status", "status": 503}),
        slow("PATCH", ORIGINAL, {"kind": "status", "status": 504}),
        slow("PATCH", ORIGINAL, {"kind": "drop", "times": 2}),
        ("PATCH", ORIGINAL, {"kind": "lost_reply", "times": 2}),
        ("PATCH", ORIGINAL, {"kind": "rate_limit", "scope": "html", "times": 2}),
    ],
)
async def test_r14_a_failure_of_discord_delays_the_picture_and_no_more(
    stage: Stage, method: str, route: str, fault: dict[str, Any]
) -> None:
    bot = await stage.start()
    stage.order(method=method, route=route, **fault)
    await stage.ada.remix("night")
    await stage.ada.result()
    await stage.settled(bot)
    await books(bot, jobs=1)
    assert len([seen for seen in await stage.ada.messages() if is_result(seen)]) == 1
    assert stage.sandbox.invalid_requests < 100


@pytest.mark.parametrize("code", [10062, 40060])
async def test_r14_an_interaction_that_is_not_ours_is_left_alone(stage: Stage, code: int) -> None:
    bot = await stage.start()
    status = 404 if code == 10062 else 400
    stage.order(method="POST", route=CALLBACK, kind="status", status=status, code=code)
    await stage.ada.remix("night")
    await stage.until_requests("POST", CALLBACK, count=1)
    await asyncio.sleep(0.3)
    await books(bot, jobs=0)
    assert len(stage.requests("POST", CALLBACK)) == 1
    assert stage.sandbox.invalid_requests < 100


@pytest.mark.slow
async def test_r14_a_picture_that_discord_finds_too_large_is_sent_again(stage: Stage) -> None:
    bot = await stage.start()
    stage.order(method="PATCH", route=ORIGINAL, kind="status", status=413, code=40005, times=2)
    await stage.ada.remix("night")
    await stage.ada.result()
    await stage.settled(bot)
    await books(bot, jobs=1)


@pytest.mark.slow
async def test_a_picture_after_fifteen_minutes_comes_as_a_message_of_its_own(stage: Stage) -> None:
    bot = await stage.start()
    await stage.ada.remix("slow night")
    await stage.ada.text("step")
    stage.sandbox.clock.advance(901)
    message = await stage.ada.result()
    assert f"<@{stage.ada.id}>, this took longer" in text_of(message)
    await stage.settled(bot)
    await books(bot, jobs=1)
    [sent] = stage.requests("POST", "/messages")
    assert isinstance(sent.request, dict)
    assert len(sent.request["nonce"]) <= 25
    assert rows(bot, "SELECT message_id FROM jobs") == [(int(message["id"]),)]


@pytest.mark.slow
async def test_a_late_message_that_was_sent_but_not_written_down_is_found_again(
    stage: Stage,
) -> None:
    bot = await stage.start()
    await stage.ada.remix("slow night")
    await stage.ada.text("step")
    stage.sandbox.clock.advance(901)
    message = await stage.ada.result()
    await stage.settled(bot)
    rows(bot, "UPDATE jobs SET delivered_at = NULL, message_id = NULL")
    [job] = await bot.stores.jobs.undelivered()
    await bot.delivery.deliver(job.id)
    assert rows(bot, "SELECT message_id FROM jobs") == [(int(message["id"]),)]
    assert len(stage.requests("POST", "/messages")) == 1


@pytest.mark.slow
async def test_a_late_failure_is_told_too(stage: Stage) -> None:
    bot = await stage.start()
    await stage.ada.remix("endless night")
    message = await stage.ada.text("step")
    stage.sandbox.clock.advance(901)
    await bot.dispatcher.stop(job_of(message))
    await stage.ada.text(f"<@{stage.ada.id}>, about your picture:")


async def test_r14_where_the_bot_may_not_speak_it_gives_up_without_a_storm(stage: Stage) -> None:
    bot = await stage.start()
    await stage.ada.remix("slow night")
    await stage.ada.text("step")
    stage.sandbox.clock.advance(901)
    stage.order(method="POST", route="/messages", kind="status", status=403, code=50013, times=None)
    await stage.settled(bot)
    assert rows(bot, "SELECT state, message_id FROM jobs") == [("done", None)]
    assert stage.sandbox.invalid_requests < 100


@pytest.mark.slow
async def test_a_reply_that_was_deleted_meanwhile_is_not_sent_again(stage: Stage) -> None:
    bot = await stage.start()
    await stage.ada.remix("slow night")
    message = await stage.ada.text("step")
    await stage.cleo.delete(message)
    await stage.settled(bot)
    assert stage.requests("POST", "/messages") == []
    await books(bot, jobs=1)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        slow({"mode": "status", "status": 403}, "Discord no longer has that picture"),
        ({"mode": "status", "status": 404}, "Discord no longer has that picture"),
        slow({"mode": "status", "status": 503}, "did not arrive completely"),
        ({"mode": "truncated"}, "did not arrive completely"),
        slow({"mode": "stall"}, "did not arrive completely"),
        slow({"mode": "drip", "interval_s": 0.5}, "did not arrive completely"),
        ({"mode": "endless"}, "That file is too large. I read up to 1 MB."),
        slow({"mode": "gzip", "bytes": 50_000_000}, "did not arrive completely"),
        ({"mode": "redirect"}, "I only take pictures that were uploaded to Discord"),
    ],
)
async def test_r15_a_file_that_cannot_be_fetched_gets_a_sentence(
    stage: Stage, fault: dict[str, Any], sentence: str
) -> None:
    bot = await stage.start(max_upload_bytes=2**20, download_stall_s=0.3, download_total_s=1.0)
    stage.order(kind="cdn", times=None, **fault)
    await stage.ada.remix("night")
    await stage.ada.text(sentence)
    await books(bot, jobs=0)


@pytest.mark.slow
async def test_r15_a_file_that_stalls_once_is_fetched_again(stage: Stage) -> None:
    await stage.start(download_stall_s=0.3)
    stage.order(kind="cdn", mode="stall")
    await stage.ada.remix("night")
    await stage.ada.result()


async def test_an_engine_that_dies_with_a_job_is_replaced_and_the_job_refunded(
    stage: Stage,
) -> None:
    bot = await stage.start()
    await stage.ada.remix("die")
    await stage.ada.text("The engine stopped while it made the picture, more than once")
    await stage.ben.remix("night")
    await stage.ben.result()
    await stage.settled(bot)
    await books(bot, jobs=2)


async def test_the_pictures_of_a_job_are_stored_when_all_are_made(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = await stage.start()
    encode, put = bot.workers.codecs.encode, bot.stores.files.put
    begun, seen = count(), list[str]()

    async def one_after_the_other(*args: Any, **options: Any) -> EncodedImage:  # noqa: ANN401
        await asyncio.sleep(0.3 * next(begun))
        seen.append("made")
        return await encode(*args, **options)

    async def noted(data: bytes, *, media_type: str) -> StoredFile:
        seen.append("stored")
        return await put(data, media_type=media_type)

    image = await stage.ada.upload()
    monkeypatch.setattr(bot.workers.codecs, "encode", one_after_the_other)
    monkeypatch.setattr(bot.stores.files, "put", noted)
    await stage.ada.remix("night", image=image, count=2)
    await stage.ada.result()
    assert seen == ["stored", "made", "made", "stored", "stored"]


@pytest.mark.slow
async def test_a_member_is_told_of_a_picture_that_is_lost_and_gets_the_others(
    stage: Stage,
) -> None:
    bot = await stage.start()
    await stage.ada.remix("night", count=2)
    await stage.ada.result()
    for number, left in ((1, 1), (0, 0)):
        [(sha256,)] = rows(bot, f"SELECT sha256 FROM outputs WHERE number = {number}")
        (bot.settings.files_folder / place_of(str(sha256))).unlink()
        rows(bot, "UPDATE jobs SET delivered_at = NULL")
        await stage.settled(bot)
        told = await stage.ada.text("That picture is no longer kept")
        assert len(told["attachments"]) == left


def leave_no_room_for_new_names(folders: Sequence[Path]) -> None:
    """Put a file where a folder for new pictures would be made; what is there can be read."""
    for place in (folder / f"{number:02x}" for folder in folders for number in range(256)):
        if not place.exists():
            place.write_text("in the way")


async def test_r16_a_picture_that_cannot_be_stored_is_refunded_and_its_member_told(
    stage: Stage,
) -> None:
    bot = await stage.start(retry_s=0.05)
    await stage.ada.remix("slow night")
    await stage.ada.text("step")
    files = bot.settings.files_folder
    leave_no_room_for_new_names([files, *(it for it in files.iterdir() if it.is_dir())])
    await stage.ada.text("I cannot keep pictures right now")
    await books(bot, jobs=1)
    assert rows(bot, "SELECT state, error, device_ms FROM jobs") == [
        ("failed", "FileRefusedError", 0)
    ]
    assert rows(bot, "SELECT sum(reserved_ms), sum(used_ms) FROM accounts") == [(0, 0)]


async def test_r16_nothing_is_accepted_while_the_disk_is_nearly_full(stage: Stage) -> None:
    bot = await stage.start(least_free_bytes=2**62)
    await stage.ada.remix("night")
    await stage.ada.text("There is no room left for pictures here")
    assert rows(bot, "SELECT count(*) FROM jobs") == [(0,)]
