"""S7: the token is in no log, representation, traceback or row."""

import io
import json
import logging
import os
from collections.abc import Iterator
from typing import Literal

import discord
import pytest
import structlog
from pydantic import SecretStr

from bot.logs import MASK, configure_logging
from tests.bot.stage import Stage, StageSettings

TOKEN = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GhIjKl.secret-part-of-the-token_0123456789"


@pytest.fixture
def restored() -> Iterator[None]:
    """Give the logging of the tests back."""
    root = logging.getLogger()
    handlers, level, before = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("log_format", ["console", "json"])
def test_s7_the_token_is_masked_wherever_it_gets_into_a_line(
    log_format: Literal["console", "json"],
) -> None:
    stream = io.StringIO()
    configure_logging(log_format=log_format, level="DEBUG", secrets=(TOKEN,), stream=stream)
    log = structlog.get_logger("bot.test")
    log.info("a token", token=TOKEN, nested={"headers": {"Authorization": f"Bot {TOKEN}"}})
    logging.getLogger("aiohttp.client").warning("request with %s failed", TOKEN)
    logging.getLogger("discord").warning(
        "PATCH https://discord.com/api/v10/webhooks/12/%s/messages/@original", "a" * 80
    )
    try:
        raise ValueError(f"bad token {TOKEN}")
    except ValueError:
        log.exception("it failed", where=TOKEN)
    said = stream.getvalue()
    assert TOKEN not in said
    assert "a" * 80 not in said
    assert said.count(MASK) >= 5
    assert "ValueError" in said


@pytest.mark.usefixtures("restored")
def test_r16_a_full_disk_under_the_log_costs_lines_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with open("/dev/full", "w", buffering=1) as full:  # noqa: PTH123
        configure_logging(log_format="json", level="INFO", stream=full)
        structlog.get_logger("bot.test").info("accepted", job="1")
        assert "No space left" in capsys.readouterr().err
        monkeypatch.setattr("sys.stderr", full)
        structlog.get_logger("bot.test").info("accepted", job="2")
        # What it could not write is still in its buffer, and would be tried again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())


@pytest.mark.usefixtures("restored")
def test_json_lines_are_json() -> None:
    stream = io.StringIO()
    configure_logging(log_format="json", level="INFO", stream=stream)
    structlog.get_logger("bot.test").info("accepted", job="1")
    logging.getLogger("discord.client").warning("PyNaCl, voice will NOT be supported")
    [line] = stream.getvalue().splitlines()
    assert json.loads(line) | {"timestamp": ""} == {
        "event": "accepted",
        "job": "1",
        "level": "info",
        "logger": "bot.test",
        "timestamp": "",
    }


def test_s7_settings_do_not_show_the_token() -> None:
    settings = StageSettings(discord_token=SecretStr(TOKEN))
    assert TOKEN not in repr(settings) + str(settings) + settings.model_dump_json()


@pytest.mark.usefixtures("restored")
async def test_s7_a_whole_run_leaves_the_token_in_no_log_and_no_file(stage: Stage) -> None:
    stream = io.StringIO()
    token = stage.sandbox.details["token"]
    configure_logging(log_format="json", level="DEBUG", secrets=(token,), stream=stream)
    async with stage.running():
        await stage.ada.remix("night")
        await stage.ada.result()
        await stage.ada.remix("refuse")
        await stage.ada.text("Nothing was charged")
    assert token not in stream.getvalue()
    for path in stage.folder.rglob("*"):
        if path.is_file():
            assert token.encode() not in path.read_bytes(), path


def test_a_blank_token_is_none() -> None:
    assert StageSettings(discord_token=SecretStr("  ")).discord_token is None


async def test_s7_a_client_that_is_not_let_in_says_so_without_the_token(stage: Stage) -> None:
    with pytest.raises(discord.LoginFailure) as refused:
        await stage.start(discord_token=SecretStr(TOKEN))
    assert TOKEN not in str(refused.value)
