"""/usage: the numbers are right, and only those who manage the server see everybody's."""

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import discord
import pytest
from PIL import Image, ImageStat

from bot.charts import Bars, Columns, _label, _said, draw
from bot.errors import AdminsOnlyError, BadDateError
from bot.periods import before, parts_of, period_between
from bot.quotas import pictures
from bot.replies import span
from bot.report_messages import report_page
from bot.rights import administered_guild
from bot.texts import Voice, load_texts
from bot.usage import change, report_lines
from bot.usage_files import Price, csv_of, harmless
from storage.clock import utc_now
from storage.cuts import Dimension
from storage.histogram import Spread
from storage.questions import BY_ALL, Question
from storage.reports import Line, Report, Usage
from tests.bot.members import parts, text_of
from tests.bot.stage import Stage, rows

VOICE = Voice(load_texts())


def report_of(*, members: int) -> Report:
    now = utc_now()
    usage = Usage(jobs=2, done=1, failures=1, device_ms=1500, mean_wait_s=0.25)
    return Report(
        question=Question(since=now - timedelta(days=1), until=now),
        groups={
            Dimension.MEMBER: tuple(Line(key=number, usage=usage) for number in range(members)),
            Dimension.PIPELINE: (Line(key="remix", usage=usage),),
        },
        total=usage,
    )


async def test_the_report_counts_jobs_failures_and_seconds_by_member_and_pipeline(
    stage: Stage,
) -> None:
    bot = await stage.start(hour_price=2.5, currency="EUR")
    await stage.ada.remix("night")
    await stage.ada.remix("refuse")
    image = await stage.ben.upload()
    await stage.ben.command("style", None, image=image, preset="wave")
    await stage.ada.results(2)
    await stage.settled(bot)
    await stage.cleo.command("usage", "report", period="day")
    message = await stage.cleo.text("Usage: the last 24 hours")
    text = text_of(message)
    assert "Jobs **3** · members **2** · failed **1**" in text
    assert f"<@{stage.ada.id}> · jobs 2 · failed 1" in text
    assert f"<@{stage.ben.id}> · jobs 1 · failed 0" in text
    assert "`remix` · jobs 2 · failed 1" in text
    assert "`collage` · jobs 1 · failed 0" in text
    assert re.search(r"`remix` .* · wait [\d.]+ s / [\d.]+ s · run [\d.]+ s / [\d.]+ s", text)
    assert message["ephemeral_for"] == stage.cleo.id
    assert {part["type"] for part in parts(message)} >= {12, 13}
    assert "Pictures **2** · refunded jobs 1 · set aside and given back " in text
    assert "Failures: a setting was out of range (1)" in text
    assert "Cost **0.00 EUR** at 2.50 EUR an hour" in text
    assert "Against as long before: jobs new" in text
    files = [await stage.cleo.fetch(file["url"]) for file in message["attachments"]]
    chart, table, figures = files
    told = json.loads(figures)
    assert (told["total"]["jobs"], told["currency"]) == (3, "EUR")
    assert sum(part["jobs"] for part in told["parts"]) == 3
    assert told["groups"]["channel"][0]["jobs"] == 3
    with Image.open(io.BytesIO(chart)) as picture:
        assert picture.format == "PNG"
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(table.decode("utf-8-sig")))}
    assert rows[stage.ada.id]["name"] == "Ada"
    assert (rows[stage.ada.id]["jobs"], rows[stage.ada.id]["failures"]) == ("2", "1")
    assert rows["collage"]["done"] == "1"
    today = f"{utc_now():%Y-%m-%d}"
    options = {"first": today, "pipeline": "collage", "member": stage.ben.id, "light": True}
    await stage.cleo.command("usage", "report", **options)
    filtered = text_of(await stage.cleo.text(f"Usage: {today} to {today}"))
    assert "Jobs **1** · members **1** · failed **0**" in filtered
    await stage.cleo.command("usage", "report", first="soon-ish")
    await stage.cleo.text("Write dates as 2026-03-01")


async def test_an_empty_period_is_said_to_be_empty(stage: Stage) -> None:
    await stage.start()
    await stage.cleo.command("usage", "report")
    await stage.cleo.text("Nobody has asked for a picture in this time")


async def test_s1_plain_members_and_direct_messages_get_no_report(stage: Stage) -> None:
    await stage.start()
    await stage.ada.command("usage", "report")
    refusal = await stage.ada.text("That is for those who may manage this server")
    assert refusal["ephemeral_for"] == stage.ada.id
    await stage.cleo.go_direct()
    await stage.cleo.command("usage", "report")
    await stage.cleo.text("That is for those who may manage this server")


@pytest.mark.parametrize(
    ("rights", "guild"),
    [
        (discord.Permissions.none(), 5),
        (discord.Permissions(manage_messages=True), 5),
        (discord.Permissions(manage_channels=True, manage_roles=True), 5),
        (discord.Permissions(moderate_members=True, kick_members=True, ban_members=True), 5),
        (discord.Permissions(view_audit_log=True, view_guild_insights=True), 5),
        (discord.Permissions(use_application_commands=True, manage_expressions=True), 5),
        (discord.Permissions(manage_guild=True), None),
    ],
)
def test_s1_seven_wrong_actors_are_refused_on_our_side(
    rights: discord.Permissions, guild: int | None
) -> None:
    with pytest.raises(AdminsOnlyError):
        administered_guild(interaction_of(rights, guild))


@pytest.mark.parametrize("right", ["manage_guild", "administrator"])
def test_whoever_may_manage_the_server_is_let_in(right: str) -> None:
    rights = discord.Permissions(**{right: True})
    assert administered_guild(interaction_of(rights, 5)) == 5


async def test_me_says_what_was_used_what_is_left_and_when_it_renews(stage: Stage) -> None:
    await stage.start(quota_device_s=100)
    await stage.ada.command("usage", "me")
    message = await stage.ada.text("Your device time")
    assert "Left: **2 min**" in text_of(message)
    assert "about 500 pictures" in text_of(message)
    assert "<t:" in text_of(message)
    assert message["ephemeral_for"] == stage.ada.id


@pytest.mark.parametrize(
    ("remaining_ms", "words"),
    [(0, "not enough"), (1000, "about 1 picture"), (10_000, "about 10 pictures")],
)
def test_what_is_left_is_said_in_pictures(remaining_ms: int, words: str) -> None:
    assert words in pictures(VOICE, remaining_ms, each_ms=1000)


async def test_me_counts_in_pictures_at_what_they_have_cost(stage: Stage) -> None:
    bot = await stage.start(quota_device_s=100)
    await stage.ada.remix()
    await stage.ada.result()
    await stage.settled(bot)
    spent_ms = int(str(rows(bot, "SELECT max(1, device_ms) FROM jobs")[0][0]))
    await stage.ada.command("usage", "me")
    left = re.search(r"about ([\d,]+) pictures", text_of(await stage.ada.text("Your device time")))
    assert left is not None
    assert int(left[1].replace(",", "")) == (100_000 - spent_ms) // spent_ms


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =cmd|' /C calc'!A0"]
)
def test_b10_no_cell_of_the_csv_is_a_formula(name: str) -> None:
    table = csv_of(report_of(members=1), {0: name}).decode("utf-8-sig")
    cell = next(csv.DictReader(io.StringIO(table, newline="")))["name"]
    assert cell == harmless(name)
    assert cell.startswith("'")


def test_more_members_than_are_shown_are_in_the_file() -> None:
    report = report_of(members=30)
    rows = [(str(row.key), row) for row in report.lines(Dimension.MEMBER)]
    assert report_lines(VOICE, rows).endswith("... and 20 more in the file.")
    assert csv_of(report, {}).count(b"member,") == 30


def test_the_chart_draws_names_that_look_like_mathematics() -> None:
    bars = Bars(
        title="seconds", plain="", rows=(("$\\frac{1}{0}$ and more than fits here", 1.5), ("", 0.0))
    )
    over_time = Columns(title="seconds", plain="", columns=(("$1", 2.0), ("猫 🎨", 0.0)))
    for light in (False, True):
        with Image.open(io.BytesIO(draw((bars, bars), over_time, light))) as picture:
            assert picture.width > picture.height
            assert (ImageStat.Stat(picture.convert("L")).mean[0] > 200) == light


def test_a_chart_is_called_in_letters_that_a_font_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.charts.FONTS", ("DejaVu Sans",))
    rows = (("Ada", 1.5),)
    chinese = Bars(title="设备用时", plain="seconds", rows=rows)
    english = Bars(title="seconds", plain="", rows=rows)
    assert draw((chinese,)) == draw((english,))


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("a-name-of-twenty-three!", "a-name-of-twenty-three!"),
        ("a name of a good deal more", "a name of a good deal …"),
        ("李小龙的朋友们在这里画画", "李小龙的朋友们在这里画…"),
        ("ink 🎨 and 🖌️ water", "ink and water"),
        ("$1", r"\$1"),
        ("🎨", ""),
    ],
)
def test_a_label_fits_its_place_in_letters_that_a_font_has(name: str, label: str) -> None:
    letters = {*range(0x20, 0x7F), ord("…"), 0xFE0F, *map(ord, "李小龙的朋友们在这里画画")}
    assert _label(name, letters) == label


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0"), (0.25, "0.25"), (7.5, "7.5"), (1234.5, "1,234"), (12_345_678, "12,345,678")],
)
def test_numbers_of_a_chart_are_written_out(value: float, words: str) -> None:
    assert _said(value) == words


def test_dates_are_those_of_the_servers_clocks() -> None:
    zone = ZoneInfo("Europe/Berlin")
    now = datetime(2026, 3, 30, 22, 30, tzinfo=UTC)
    since, until = period_between("2026-03-29", "", now=now, zone=zone)
    assert (since, until) == (
        datetime(2026, 3, 28, 23, tzinfo=UTC),
        datetime(2026, 3, 31, 22, tzinfo=UTC),
    )
    assert len(parts_of(since, until, zone=zone)) == 3
    assert parts_of(since, until, zone=zone)[1] == datetime(2026, 3, 29, 22, tzinfo=UTC)
    assert before(since, until)[1] == since
    for first, last in (("2026-03-02", "2026-03-01"), ("x", ""), ("0001-01-01", "")):
        with pytest.raises(BadDateError):
            period_between(first, last, now=now, zone=zone)


@pytest.mark.parametrize(("days", "parts"), [(1, 25), (7, 8), (30, 31), (90, 14), (365, 13)])
def test_a_period_is_told_by_hours_days_weeks_or_months(days: int, parts: int) -> None:
    until = datetime(2026, 3, 30, 22, 30, tzinfo=UTC)
    starts = parts_of(until - timedelta(days=days), until, zone=ZoneInfo("UTC"))
    assert len(starts) == parts
    assert list(starts) == sorted(set(starts))
    assert starts[-1] < until


@pytest.mark.parametrize(
    ("now", "then", "words"),
    [
        (3, 2, "+50 %"),
        (1, 3, "-67 %"),
        (0, 5, "-100 %"),
        (5, 5, "±0 %"),
        (0, 0, "±0 %"),
        (1, 0, None),
    ],
)
def test_a_change_is_said_in_percent(now: int, then: int, words: str | None) -> None:
    assert change(now, then) == words


def test_the_longest_report_fits_a_message() -> None:
    usage = Usage(jobs=10**6, done=10**6, failures=10**5, device_ms=10**12, mean_wait_s=99999.0)
    slow = Spread(p50_s=59.9, p95_s=59.9)
    keys: tuple[int | str, ...]
    keys = (*(2**63 - number for number in range(1, 60)), *("n" * 90 + str(n) for n in range(60)))
    every = [Line(key=key, usage=usage, waits=slow, runs=slow) for key in keys]
    lines, named = tuple(every[:59]), tuple(every[59:])
    now = utc_now()
    report = Report(
        question=Question(since=now, until=now),
        total=usage,
        before=usage,
        causes={"E" * 60 + str(number): 10**6 for number in range(20)},
        groups={by: named if by in ("pipeline", "model") else lines for by in BY_ALL},
    )
    view = report_page(VOICE, report, title="t" * 40, price=Price(hour=1))
    assert view.content_length() <= 4000


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s"),
        (89, "89 s"),
        (120, "2 min"),
        (5400, "1.5 h"),
        (7200, "2 h"),
        (360_100, "100 h"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert str(span(seconds)) == words


def interaction_of(rights: discord.Permissions, guild: int | None) -> discord.Interaction:
    """Return the object that discord.py makes of what Discord sends."""
    client = discord.Client(intents=discord.Intents(guilds=True))
    user: Any = {"id": "7", "username": "mallory", "discriminator": "0", "avatar": None}
    state = client._connection
    own: Any = {**user, "id": "8"}
    state.user = discord.ClientUser(state=state, data=own)
    data: dict[str, Any] = {
        "id": "1",
        "application_id": "2",
        "type": 2,
        "token": "t",
        "version": 1,
        "attachment_size_limit": 1,
        "entitlements": [],
        "authorizing_integration_owners": {},
        "data": {"id": "3", "name": "usage", "type": 1},
    }
    if guild is None:
        data["user"] = user
    else:
        member = {"user": user, "roles": [], "flags": 0, "permissions": str(rights.value)}
        data |= {"guild_id": str(guild), "member": {**member, "joined_at": None}}
    return discord.Interaction(data=data, state=state)  # type: ignore[arg-type]
