"""What the command line starts: the bot, the demo, and the registration of commands."""

import asyncio
import gc
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import discord
import structlog
from pydantic import SecretStr

from bot.child import sandbox
from bot.client import Atelier
from bot.composition import Bot, assembled
from bot.logs import configure_logging
from bot.redirect import connector
from bot.roles import Role, Shards, require_room
from bot.settings import Settings
from bot.syncing import invite_link, sync_commands
from bot.worker import working
from storage.database import Database
from storage.errors import DatabaseGoneError
from storage.lock import hold
from storage.migrating import upgrade
from storage.settings import KeyValues

TOKEN_REFUSED = 4004
"""The gateway's close code for a token that is not, or no longer, one of a bot."""
NO_TOKEN = 2
"""The exit status that says so; whoever starts the bot again need not then."""

START_PATIENCE_S = 60.0
"""So long a start waits for the database's server; then whoever starts the bot again waits."""
START_PAUSE_S = 3.0

log = structlog.get_logger()


def run(settings: Settings, *, role: Role = Role.ALL, shards: Shards | None = None) -> int:
    """Run one process of the bot until SIGTERM or SIGINT; return the exit status.

    Raises:
        DatabaseHeldError: another process holds the database, or that role needs PostgreSQL.
        DatabaseGoneError: the database's server has not answered for a while.
    """
    require_room(role, database=settings.database, shards=shards)
    if role is Role.WORKER:
        with opened(settings):
            return asyncio.run(_work(settings))
    if settings.discord_token is None:
        say("There is no DISCORD_TOKEN; see .env.example. `python -m bot demo` needs none.")
        return NO_TOKEN
    with opened(settings):
        return asyncio.run(serve(settings, announce=_announce_invite, role=role, shards=shards))


def demo(settings: Settings, *, port: int | None = None, language: str | None = None) -> int:
    """Serve the demo's page until SIGTERM or SIGINT; return the exit status.

    Its members speak the language from now on, or what each has chosen if there is none.
    """
    settings = settings.model_copy(
        update={
            "data_dir": settings.data_dir / "demo",
            "models_dir": settings.models_folder,
            "presets_file": settings.own_presets,
        }
    )
    with opened(settings):
        return asyncio.run(_demo(settings, port=port, language=language))


def sync(settings: Settings, *, always: bool = False) -> int:
    """Register the commands with Discord if they changed, and print the invite link."""
    if settings.discord_token is None:
        say("There is no DISCORD_TOKEN; see .env.example.")
        return NO_TOKEN
    with opened(settings):
        return asyncio.run(_sync(settings, always=always))


@contextmanager
def opened(settings: Settings) -> Iterator[None]:
    """Set the log up, hold the database, and migrate it after a copy.

    Raises:
        DatabaseHeldError: another process holds it.
        DatabaseGoneError: its server has not answered for a while.
        SchemaTooNewError: a newer program has migrated it.
    """
    configure_logging(
        log_format=settings.log_format, level=settings.log_level, secrets=secrets_of(settings)
    )
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with hold(settings.database):
        copy = _migrated(settings.database)
        if copy is not None:
            log.info("the database was copied before its migration", copy=str(copy))
        gc.freeze()  # What was imported stays; the collector need not look at it again and again.
        yield


def _migrated(url: str) -> Path | None:
    """Migrate the database as soon as its server is there; return the copy made before."""
    end = time.monotonic() + START_PATIENCE_S
    while True:
        try:
            return upgrade(url, backup=True)
        except DatabaseGoneError as err:
            if time.monotonic() + START_PAUSE_S > end:
                raise
            log.warning("waiting for the database", reason=str(err))
        time.sleep(START_PAUSE_S)


async def serve(
    settings: Settings,
    *,
    announce: Callable[[Bot], None],
    role: Role = Role.ALL,
    shards: Shards | None = None,
) -> int:
    """Run the bot in this loop until SIGTERM or SIGINT.

    Args:
        settings: with a token.
        announce: called when the bot can answer members.
        role: whether it has engines of its own.
        shards: which part of the guilds it hears of; None for all.
    """
    assert settings.discord_token is not None, "the callers have looked"
    stop = _told_to_stop()
    async with assembled(settings, role=role, shards=shards) as bot:
        telling = asyncio.create_task(_tell_when_ready(bot, announce))
        try:
            await bot.run(settings.discord_token.get_secret_value(), stop=stop)
        except discord.DiscordException as err:
            say(_reason(err))
            return NO_TOKEN if _token_refused(err) else 1
        finally:
            telling.cancel()
    return 0


async def _work(settings: Settings) -> int:
    """Make pictures for bots elsewhere until SIGTERM or SIGINT."""
    stop = _told_to_stop()
    async with working(settings) as worker:
        say("Atelier's worker takes jobs.")
        await worker.run(stop=stop)
    return 0


def _told_to_stop() -> asyncio.Event:
    """Return what is set by SIGTERM and SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """Return what must never be logged."""
    secrets = (settings.discord_token, settings.files_secret, settings.web_client_secret)
    alone = tuple(secret.get_secret_value() for secret in secrets if secret)
    return (*alone, *settings.listed_keys)


def say(line: str) -> None:
    """Say something to whoever started the program."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def _tell_when_ready(bot: Bot, announce: Callable[[Bot], None]) -> None:
    await bot.client.began.wait()
    await bot.client.wait_until_ready()
    announce(bot)


def _announce_invite(bot: Bot) -> None:
    assert bot.client.application_id is not None, "the client has logged in"
    say(f"Atelier runs. Invite it: {invite_link(bot.client.application_id)}")
    _announce_admin_page(bot)


def _announce_admin_page(bot: Bot) -> None:
    if bot.admin_page.address is not None:
        say(f"The admin page, for this machine: {bot.admin_page.address}")


async def _demo(settings: Settings, *, port: int | None, language: str | None) -> int:
    state = settings.data_dir / "discord"
    async with sandbox(port=port, state=state, language=language) as details:
        redirected = settings.model_copy(
            update={
                "discord_token": SecretStr(details["token"]),
                "sandbox_address": f"127.0.0.1:{details['tls_port']}",
                "sandbox_certificate": Path(details["certificate"]),
            }
        )

        def announce(bot: Bot) -> None:
            say(f"Atelier's demo is ready: {details['page']}  (Ctrl+C stops it)")
            _announce_admin_page(bot)

        return await serve(redirected, announce=announce)


async def _sync(settings: Settings, *, always: bool) -> int:
    assert settings.discord_token is not None, "the caller has looked"
    database = Database.open(settings.database)
    client = Atelier(connector(settings), begin=_nothing)
    try:
        await client.find_cogs()
        await client.login(settings.discord_token.get_secret_value())
        changed = await sync_commands(client, KeyValues(database), always=always)
        assert client.application_id is not None, "the client has logged in"
        say("The commands are registered." if changed else "The commands have not changed.")
        say(f"Invite link: {invite_link(client.application_id)}")
    except discord.DiscordException as err:
        say(_reason(err))
        return 1
    finally:
        await client.close()
        await database.close()
    return 0


async def _nothing() -> None:
    """Begin nothing: only the commands are wanted."""


def _token_refused(error: discord.DiscordException) -> bool:
    closed = isinstance(error, discord.ConnectionClosed) and error.code == TOKEN_REFUSED
    return closed or isinstance(error, discord.LoginFailure)


def _reason(error: discord.DiscordException) -> str:
    """Return why Discord does not let us in, in a sentence."""
    if _token_refused(error):
        return "Discord does not accept the DISCORD_TOKEN. Reset it in the developer portal."
    return f"Discord ended the connection: {error}"
