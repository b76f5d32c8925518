"""The command line, run as the real program or called within this one."""

import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from pathlib import Path
from typing import ParamSpec, TypeVar
from zoneinfo import ZoneInfo

import pytest
from PIL import Image, ImageChops, ImageOps, ImageStat
from PIL.PngImagePlugin import PngImageFile
from sqlalchemy import update
from typer.testing import CliRunner

from bot.__main__ import app
from bot.admin_site.dashboard import question_of
from bot.commandline_orders import PictureOrder
from bot.commandline_pictures import make
from bot.periods import before, parts_of
from bot.settings import Settings
from bot.usage_files import Price, csv_of, json_of
from generation.errors import InvalidRequestError
from generation.registry import PipelineSpec
from storage.cuts import Dimension
from storage.lock import hold
from storage.migrating import downgrade, head_of, upgrade
from storage.policies import Standing
from storage.questions import BY_ALL, Question
from storage.sealing import new_key
from storage.tables import UsageRow
from tests.bot.pipelines import PIPELINES
from tests.generation import pictures
from tests.generation.checkpoints import save_img2img
from tests.photographs import photograph_path
from tests.storage.stores import GUILD, open_stores

ROOT = Path(__file__).parents[2]
P = ParamSpec("P")
T = TypeVar("T")
COMMANDS = (
    "run", "demo", "doctor", "migrate", "encrypt", "backup", "restore", "move", "sync", "report",
    "remix", "imagine", "style", "train",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests away from this machine's own settings and data."""
    for name in [*os.environ]:
        if name.startswith(("ATELIER_", "DISCORD_")) and name != "ATELIER_REQUIRE":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATELIER_THREADS", "1")


def program(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the program as a person would."""
    return subprocess.run(
        [sys.executable, "-m", "bot", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=220,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


def called(*words: str | Path) -> tuple[int, str, str]:
    """Call a command within this process; return its code, output and complaints."""
    done = CliRunner().invoke(app, [*map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def in_thread(action: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """Run what has an event loop of its own beside the test's."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(action, *arguments, **options).result()


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'data' / 'atelier.sqlite3'}"


def upload(folder: Path) -> Path:
    """Write a small photograph with secrets in its metadata."""
    place = folder / "in.jpg"
    with Image.open(photograph_path("coffee")) as opened:
        small = opened.convert("RGB").resize((240, 160))
    exif = pictures.exif_with_orientation(6)
    small.transpose(Image.Transpose.ROTATE_90).save(place, exif=exif)
    return place


def words_to_picture(folder: Path) -> None:
    """Write what shows that a checkpoint starts from words, without weights that would load."""
    folder.mkdir(parents=True)
    told = {
        "model_index.json": {"_class_name": "StableDiffusionPipeline"},
        "unet/config.json": {"in_channels": 4, "out_channels": 4, "cross_attention_dim": 768},
        "scheduler/scheduler_config.json": {"_class_name": "PNDMScheduler"},
    }
    for name, said in told.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(said))
    (folder / "model.safetensors").write_bytes(b"")


@pytest.mark.timed
def test_help_names_every_command_in_less_than_a_second() -> None:
    took = []
    for _ in range(3):
        started = time.monotonic()
        done = program("--help")
        took.append(time.monotonic() - started)
    assert done.returncode == 0
    assert all(re.search(rf"^  {name} ", done.stdout, re.MULTILINE) for name in COMMANDS)
    assert min(took) < 1


def test_the_version_is_that_of_the_project_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert program("--version").stdout == f"atelier {project['version']}\n"


def test_no_command_at_all_shows_help() -> None:
    code, out, err = called()
    assert code == 2
    assert "remix" in out + err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["remix", "absent.jpg", "out.png", "--prompt", "night"], "absent.jpg: there is no such"),
        (["remix", "in.jpg", "out.gif", "--prompt", "night"], "ends in one of .png, .jpg"),
        (["remix", "in.jpg", "no/out.png", "--prompt", "night"], "no: there is no such folder"),
        (["remix", "in.jpg", "in.jpg", "--prompt", "night"], "would overwrite"),
        (["remix", "text.png", "out.png", "--prompt", "night"], "text.png: this file is not a"),
        (["remix", "cut.jpg", "out.png", "--prompt", "night"], "cut.jpg: this picture is damaged"),
        (["remix", "in.jpg", "out.png", "--prompt", "n" * 5_000], "prompt is too long"),
        (["remix", "in.jpg", "out.png", "--prompt", "\0\u200b"], "a prompt needs words"),
        (
            ["remix", "in.jpg", "out.png", "--prompt", "night", "--model", "absent"],
            "there is no checkpoint 'absent'; known: ",
        ),
        (
            ["remix", "in.jpg", "out.png", "--prompt", "x", "--mask", "no.png"],
            "no.png: there is no",
        ),
        (["remix", "in.jpg", "out.png", "--prompt", "x", "--extend", "wide"], "'wide' is no shape"),
        (["remix", "in.jpg", "out.png", "--prompt", "x", "--extend", "9:1"], "4 times the other"),
        (
            ["remix", "in.jpg", "out.png", "--prompt", "x", "--extend", "2:1", "--mask", "in.jpg"],
            "give either --mask FILE or --extend W:H",
        ),
        (
            ["remix", "in.jpg", "out.png", "--prompt", "x", "--extend", "2:1"],
            "remix makes no picture from words alone; these do: tiny",
        ),
        (
            ["remix", "in.jpg", "o.png", "--prompt", "x", "--extend", "3:2", "--model", "tiny"],
            "the picture has this shape already",
        ),
        (["imagine", "out.png", "--prompt", "night", "--size", "512"], "'512' is no size"),
        (["imagine", "out.png", "--prompt", "fog", "--size", "9" * 5000 + "x64"], "is no size"),
        (["imagine", "out.png", "--prompt", "night", "--size", "9x512"], "64 to 4096 pixels"),
        (
            ["imagine", "out.png", "--prompt", "night"],
            "remix makes no picture from words alone; these do: tiny",
        ),
        (
            ["remix", "in.jpg", "out.png", "--prompt", "night <ink:1>", "--model", "tiny"],
            "there is no LoRA 'ink'; there are: none",
        ),
        (
            ["imagine", "out.png", "--prompt", "x", "--model", "tiny", "--control", "edges"],
            "there is no ControlNet for edges here; no checkpoint here does",
        ),
        (
            ["remix", "in.jpg", "out.png", "--prompt", "x", "--scheduler", "best"],
            "there is no scheduler 'best'; known: ddim, euler",
        ),
        (
            ["remix", "in.jpg", "out.png", "--prompt", "x", "--control", "depth:0.5"],
            "a control by depth needs a control picture",
        ),
        (
            ["remix", "in.jpg", "out.png", "--prompt", "x", "--control", "edges:7"],
            "the weight of a control is 0 to 2",
        ),
        (
            ["remix", "in.jpg", "out.png", "--prompt", "x", "--control-picture", "in.jpg"],
            "--control-picture goes with --control KIND",
        ),
        (["remix", "in.jpg", "out.png", "--prompt", "x", "--like", "no.png:1"], "no.png: there is"),
        (
            ["remix", "in.jpg", "out.png", "--prompt", "x", "--like", "in.jpg"],
            "there is no IP-Adapter here",
        ),
        (["style", "in.jpg", "out.png"], "give either --artwork FILE or --preset NAME"),
        (["style", "in.jpg", "out.png", "--preset", "x"], "there are: "),
        (["style", "in.jpg", "out.png", "--preset", "wave", "--artwork", "in.jpg"], "either"),
        (["style", "in.jpg", "out.png", "--artwork", "absent.jpg"], "absent.jpg: there is no"),
        (["style", "in.jpg", "out.png", "--preset", "wave", "--method", "x"], "no method 'x'"),
        (
            ["style", "in.jpg", "out.png", "--preset", "wave", "--method", "adain"],
            "adain needs style/adain",
        ),
        (
            ["style", "in.jpg", "out.png", "--preset", "wave", "--mix", "0.5"],
            "--mix goes with --artwork2 FILE",
        ),
        (
            [
                *("style", "in.jpg", "out.png", "--preset", "wave"),
                *("--method", "collage", "--style-weight", "2"),
            ],
            "collage cannot do all of this; these can: gatys",
        ),
        (["report", "--period", "7 fortnights"], "is not a period"),
        (["report"], "there is no database yet"),
        (["sync"], "sync needs a DISCORD_TOKEN"),
    ],
)
def test_bad_input_ends_with_one_clear_sentence(
    tmp_path: Path, words: list[str], sentence: str
) -> None:
    jpeg = upload(tmp_path).read_bytes()
    Path("cut.jpg").write_bytes(jpeg[:2_000])
    Path("text.png").write_text("<html></html>")
    words_to_picture(tmp_path / "data/models/tiny")
    code, out, err = called(*words)
    assert code == 1
    assert out == ""
    assert err.startswith("atelier: ")
    assert sentence in err
    assert err.count("\n") == 1
    assert not Path("out.png").exists()


@pytest.mark.parametrize(
    "option", [("--strength", "1.5"), ("--count", "65"), ("--seed", "-1"), ("--seed", "x")]
)
def test_an_option_outside_its_range_is_refused_by_name(option: tuple[str, str]) -> None:
    code, _, err = called("remix", "in.jpg", "out.png", "--prompt", "night", *option)
    assert code == 2
    assert option[0] in err


def test_a_wrong_setting_is_named_and_its_value_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ATELIER_MAX_SIDE", "7")
    code, _, err = called("report")
    assert code == 1
    assert "ATELIER_MAX_SIDE: Input should be greater than or equal to 64" in err


def test_an_error_of_the_real_program_has_no_traceback() -> None:
    done = program("remix", "absent.jpg", "out.png", "--prompt", "night")
    assert done.returncode == 1
    assert done.stderr == "atelier: absent.jpg: there is no such file\n"


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_style_repaints_a_photograph_and_keeps_nothing_of_its_metadata(tmp_path: Path) -> None:
    source, target = upload(tmp_path), tmp_path / "out.webp"
    done = program("style", source, target, "--preset", "woodcut", "--seed", "7", "--keep-colours")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(
        rf"{re.escape(str(target))}: 240 x 160, hybrid, seed 7, \d+\.\d s\n", done.stdout
    )
    assert b"Secret" in source.read_bytes()
    assert b"Secret" not in target.read_bytes()
    with Image.open(target) as image:
        assert (image.format, image.size) == ("WEBP", (240, 160))
        assert image.getexif()[0x0131] == "Atelier"
    assert not (tmp_path / "data").exists()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_remix_does_what_the_prompt_says_and_writes_it_into_the_file(tmp_path: Path) -> None:
    source, target, mask = upload(tmp_path), tmp_path / "out.png", tmp_path / "mask.png"
    laid = Image.new("L", (240, 160))
    laid.paste(255, (120, 0, 240, 160))
    laid.save(mask)
    done = program("remix", source, target, "--prompt", "night", "--seed", "7", "--mask", mask)
    assert done.returncode == 0, done.stderr
    assert "240 x 160, remix, seed 7" in done.stdout
    with PngImageFile(target) as after, Image.open(source) as stored:
        assert after.size == (240, 160)
        assert (after.text["Prompt"], after.text["Software"]) == ("night", "Atelier")
        before = ImageOps.exif_transpose(stored)
        halves = (0, 0, 120, 160), (120, 0, 240, 160)
        left, right = ((after.crop(half), before.crop(half)) for half in halves)
        assert ImageChops.difference(*left).getbbox() is None
        assert brightness(right[0]) < 0.7 * brightness(right[1])


class LongWaits(Settings):
    """Tiny pipelines, of which two are expected to take longer than a member would wait."""

    @property
    def pipelines(self) -> dict[str, PipelineSpec]:
        return {name: replace(it, typical_device_ms=10**6) for name, it in PIPELINES.items()}


def test_of_many_pictures_none_is_refused_for_the_wait_and_what_is_made_is_kept(
    tmp_path: Path,
) -> None:
    source = upload(tmp_path)
    order = PictureOrder(
        pipeline="collage", source=source, artwork=source, target=tmp_path / "out.png",
        prompt="odd", seed=2, count=3,
    )  # fmt: skip
    with pytest.raises(InvalidRequestError, match="this prompt is refused"):
        make(order, LongWaits())
    assert [target.exists() for target in order.targets] == [True, False, True]
    made = make(replace(order, prompt="", count=2), LongWaits())
    assert [(it.target, it.seed) for it in made] == list(zip(order.targets, (2, 3), strict=False))


@pytest.mark.slow
def test_a_picture_is_extended_and_keeps_its_pixels(tmp_path: Path) -> None:
    save_img2img(tmp_path / "data/models/tiny")
    source = upload(tmp_path)
    done = program(
        "remix", source, "out.png", "--prompt", "fog", "--extend", "2:1", "--model", "tiny"
    )
    assert done.returncode == 0, done.stderr
    assert "320 x 160, tiny" in done.stdout
    with Image.open("out.png") as after, Image.open(source) as stored:
        inside = after.crop((40, 0, 280, 160))
        assert ImageChops.difference(inside, ImageOps.exif_transpose(stored)).getbbox() is None


@pytest.mark.slow
def test_imagine_makes_pictures_from_words_alone(tmp_path: Path) -> None:
    save_img2img(tmp_path / "data/models/tiny")
    done = program(
        "imagine", "out.png", "--prompt", "fog", "--size", "96x64", "--model", "tiny",
        "--seed", "7", "--count", "2",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "out-1.png: 96 x 64, tiny, seed 7" in done.stdout
    assert "out-2.png: 96 x 64, tiny, seed 8" in done.stdout
    with Image.open("out-1.png") as first, Image.open("out-2.png") as second:
        assert first.size == second.size == (96, 64)
        assert ImageChops.difference(first, second).getbbox() is not None


def brightness(image: Image.Image) -> float:
    return float(ImageStat.Stat(image.convert("L")).mean[0])


@pytest.mark.slow
def test_run_without_a_token_is_the_demo_and_stops_when_told(tmp_path: Path) -> None:
    with (
        (tmp_path / "log").open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "bot", "run"],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "ATELIER_WEB_PORT": "0"},
        ) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "http://127.0.0.1:" in line
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    log = (tmp_path / "log").read_text()
    assert log.startswith("There is no DISCORD_TOKEN, so this is the demo.\n")
    assert "Traceback" not in log


def test_migrate_makes_the_database_and_then_has_nothing_to_do(tmp_path: Path) -> None:
    code, out, _ = called("migrate")
    assert code == 0
    assert out.startswith("The database went from nothing to ")
    current, expected = head_of(url_of(tmp_path))
    assert current == expected
    assert called("migrate")[1] == f"The database is at {expected} already.\n"


def test_migrate_fills_a_database_whose_tables_were_taken_away(tmp_path: Path) -> None:
    upgrade(url_of(tmp_path))
    downgrade(url_of(tmp_path), revision="base")
    code, out, _ = called("migrate")
    assert code == 0
    assert "The database went from nothing to" in out


def test_migrate_is_refused_while_the_bot_holds_the_database(tmp_path: Path) -> None:
    upgrade(url_of(tmp_path))
    with hold(url_of(tmp_path)):
        code, _, err = called("migrate")
        assert code == 1
        assert "stop the bot first" in err
        assert called("report")[0] == 0


def bytes_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_what_is_kept_is_encrypted_with_a_key_that_the_program_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_thread(upgrade, url_of(tmp_path))
    stores = open_stores(url_of(tmp_path), tmp_path / "data")
    image = await stores.files.put(b"photo", media_type="image/png")
    await stores.done(inputs={"image": image}, prompt="the old lighthouse")
    await stores.database.close()
    assert "set ATELIER_KEYS first" in in_thread(called, "encrypt")[2]
    code, key, _ = in_thread(called, "encrypt", "--new-key")
    monkeypatch.setenv("ATELIER_KEYS", key.strip())
    assert code == 0
    code, out, err = in_thread(called, "encrypt")
    assert (code, err) == (0, "")
    assert out.startswith("Encrypted anew: jobs: 1, pictures: 2.\n")
    kept = bytes_in(tmp_path / "data")
    assert b"lighthouse" not in kept
    assert b"photo" not in kept
    monkeypatch.setenv("ATELIER_KEYS", new_key())
    assert "is not among ATELIER_KEYS" in in_thread(called, "encrypt")[2]


async def test_a_backup_is_restored_into_another_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_thread(upgrade, url_of(tmp_path))
    stores = open_stores(url_of(tmp_path), tmp_path / "data")
    image = await stores.files.put(b"photo", media_type="image/png")
    job = await stores.done(inputs={"image": image})
    await stores.database.close()
    (tmp_path / "data" / "presets.json").write_text("{}")

    def back_up_and_restore() -> None:
        with hold(url_of(tmp_path)):
            code, out, err = called("backup", "b.tar")
        assert (code, err) == (0, "")
        assert out.startswith("b.tar: the database at ")
        assert called("backup", "b.tar")[2].startswith("atelier: b.tar is there already")
        assert "is there already" in called("restore", "b.tar")[2]
        monkeypatch.setenv("ATELIER_DATA_DIR", "other")
        assert (
            called("restore", "absent.tar")[2] == "atelier: absent.tar: No such file or directory\n"
        )
        code, out, err = called("restore", "b.tar")
        assert (code, err) == (0, "")
        assert "The database of " in out

    in_thread(back_up_and_restore)
    again = open_stores(f"sqlite:///{tmp_path / 'other' / 'atelier.sqlite3'}", tmp_path / "other")
    found = await again.jobs.get(job.id)
    assert found.output is not None
    assert await again.files.read(found.output.sha256) == f"output of {job.id}".encode()
    assert (tmp_path / "other" / "presets.json").read_text() == "{}"
    await again.database.close()


async def test_what_an_sqlite_file_remembers_is_moved_to_postgresql(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_postgres_url: str
) -> None:
    in_thread(upgrade, url_of(tmp_path))
    stores = open_stores(url_of(tmp_path), tmp_path / "data")
    job = await stores.done(prompt="the old lighthouse")
    await stores.database.close()
    place = "data/atelier.sqlite3"
    assert "both databases are of one kind" in in_thread(called, "move", "--from", place)[2]
    monkeypatch.setenv("ATELIER_DATABASE_URL", empty_postgres_url)
    code, out, err = in_thread(called, "move", "--from", place)
    assert (code, err) == (0, "")
    assert "jobs: 1, " in out
    assert "already; nothing was changed" in in_thread(called, "move", "--from", place)[2]
    there = open_stores(empty_postgres_url, tmp_path / "data")
    found = await there.jobs.get(job.id)
    assert found.prompt == "the old lighthouse"
    assert found.output is not None
    assert await there.files.read(found.output.sha256) == f"output of {job.id}".encode()
    await there.database.close()


async def test_recount_makes_the_sums_anew_and_is_refused_while_a_bot_holds_the_database(
    tmp_path: Path,
) -> None:
    in_thread(upgrade, url_of(tmp_path))
    stores = open_stores(url_of(tmp_path), tmp_path)
    stores.clock.now = datetime.now(UTC) - timedelta(days=70)
    await stores.done()
    stores.clock.now = datetime.now(UTC)
    await stores.sums.add_up()
    wrong = update(UsageRow).values(device_ms=1)
    await stores.database.write(lambda session: session.execute(wrong).close())
    assert await stores.sums.audit() != []
    with hold(url_of(tmp_path)):
        code, _, err = await asyncio.to_thread(called, "recount")
    assert (code, "stop the bot first" in err) == (1, True), err
    assert await stores.sums.audit() != []
    code, out, err = await asyncio.to_thread(called, "recount")
    assert (code, out) == (0, "Usage is added up anew: 4 days and months.\n"), err
    assert await stores.sums.audit() == []
    await stores.database.close()


@pytest.mark.slow
async def test_the_command_line_the_server_and_the_admin_page_tell_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATELIER_HOUR_PRICE", "7.2")
    in_thread(upgrade, url_of(tmp_path))
    stores, rng = open_stores(url_of(tmp_path), tmp_path), random.Random(9)
    stores.default_ms, now = 10**6, datetime.now(UTC)
    for _ in range(40):
        stores.clock.now = now - timedelta(hours=rng.randrange(1, 400))
        job = await stores.claimed(
            guild_id=rng.choice((GUILD, GUILD, GUILD + 1)),
            pipeline=rng.choice(("remix", "collage")),
            member_id=rng.choice((42, 43)),
            standing=Standing(role_ids=tuple(rng.sample((8, 9), rng.randrange(3)))),
        )
        if rng.random() < 0.7:
            await stores.jobs.settle(
                job.id, owner="bot", attempt=1, outputs={}, device_ms=rng.randrange(9000)
            )
        else:
            await stores.jobs.fail(job.id, owner="bot", attempt=1, error="EngineLostError")
    price, first = Price(hour=7.2), (now - timedelta(days=6)).date()
    since = datetime.combine(first, clock.min, tzinfo=UTC)
    until = datetime.combine(now.date() + timedelta(days=1), clock.min, tzinfo=UTC)
    usual = Question(
        since=since,
        until=until,
        guild_id=GUILD,
        by=BY_ALL,
        parts=parts_of(since, until, zone=ZoneInfo("UTC")),
        before=before(since, until),
    )
    for words, question in (
        ((), usual),
        (("--pipeline", "remix"), replace(usual, pipeline="remix")),
        (("--role", "8", "--by", "member"), replace(usual, role_id=8, by=(Dimension.MEMBER,))),
    ):
        told = await stores.reports.recount(question)
        assert told.total.jobs > 2
        asked = ("report", "--server", str(GUILD), "--first", str(first), *words)
        results = {
            each: await asyncio.to_thread(called, *asked, "--format", each)
            for each in ("text", "csv", "json")
        }
        assert [code for code, *_ in results.values()] == [0, 0, 0], results
        assert json.loads(results["json"][1]) == json.loads(json_of(told, {}, price=price))
        table = csv_of(told, {}, price=price).decode("utf-8-sig")
        assert results["csv"][1].splitlines() == table.splitlines()
        # Percentiles are those of histograms, so the recount has them, too.
        total = next(each for each in results["text"][1].splitlines() if "total" in each)
        cost = price.of(told.total.device_ms)
        assert f" {told.total.jobs} " in total
        assert f"{told.total.device_ms / 1000:.1f}" in total
        assert f"{cost:.2f}" in total
        if question is usual:
            address = {"first": str(first)}
            page = question_of(address, guild_id=GUILD, zone=ZoneInfo("UTC"), now=now)
            assert page == usual
    code, out, _ = await asyncio.to_thread(called, "report", "--period", "4w", "--format", "json")
    assert code == 0
    assert json.loads(out)["total"]["jobs"] == 40
    assert {line["key"] for line in json.loads(out)["groups"]["guild"]} == {
        str(GUILD), str(GUILD + 1)
    }  # fmt: skip
    await stores.database.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["portrait", "out.png", "--model", "x"], "no model 'x' for portraits; known: avatars"),
        (["blend", "in.jpg", "in.jpg", "out.png", "--model", "x"], "there is no VAE 'x'; known: "),
        (["blend", "in.jpg", "in.jpg", "out.png", "--frames", "4"], "an animation ends in .gif"),
        (["blend", "in.jpg", "gone.jpg", "out.png"], "gone.jpg: there is no such file"),
        (["design", "out.png", "--room", "xyzzy"], "rooms knows none of these words; it knows: "),
        (["design", "out.png", "--direction", "xyzzy"], "rooms knows no direction 'xyzzy'"),
        (["design", "out.gif"], "the name of a result ends in one of .png, .jpg"),
        (["design", "out.png", "--model", "x"], "there is no model 'x' that designs; known: "),
    ],
)
def test_what_latents_cannot_do_is_refused_before_an_engine_starts(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    upload(tmp_path).rename("in.jpg")
    code, _, err = called(*words)
    assert code == 1
    assert said in err


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_portraits_designs_and_blends_are_made_on_the_command_line(tmp_path: Path) -> None:
    source, target = upload(tmp_path), tmp_path / "a.png"
    for words in (("--mix", "9"), ("--mix", "9"), ()):
        done = program("portrait", target, "--seed", "7", *words)
        assert done.returncode == 0, done.stderr
        target = target.with_stem(f"{target.stem}b")
    first, again, plain = (Image.open(tmp_path / name) for name in ("a.png", "ab.png", "abb.png"))
    assert first.size == (512, 512)
    assert first.tobytes() == again.tobytes() != plain.tobytes()
    done = program("design", tmp_path / "room.png", "--room", "kitchen", "--count", "2")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.glob("room*")} == {"room-1.png", "room-2.png"}
    done = program("blend", source, tmp_path / "a.png", tmp_path / "way.gif", "--frames", "3")
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "way.gif") as way:
        assert (way.format, way.n_frames) == ("GIF", 4)  # type: ignore[attr-defined]
