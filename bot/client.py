"""The discord.py client: what it may know, and the commands and buttons it finds."""

import asyncio
import pkgutil
from collections import deque
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

import aiohttp
import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot import cogs
from bot.answers import answer_error
from bot.controls import BUTTONS
from bot.notices import refusal
from bot.review_controls import REVIEW_BUTTONS
from bot.roles import Shards
from bot.services import Services, attend, voice_of
from bot.texts import TableTranslator, load_texts

FORMS = "atelier:"
MAX_FORMS = 1000
GUILD_READY_S = 0.3
"""How long the start waits for one more guild; with few of them the default is felt."""

log = structlog.get_logger()


class Tree(app_commands.CommandTree["Atelier"]):
    """The command tree, with the one error handler."""

    async def interaction_check(self, interaction: discord.Interaction["Atelier"], /) -> bool:
        """Let every command go on, once it is known what is spoken where it came from."""
        await attend(interaction)
        return True

    async def on_error(
        self, interaction: discord.Interaction["Atelier"], error: app_commands.AppCommandError, /
    ) -> None:
        """Answer an error of any command."""
        await answer_error(interaction, error)


class Atelier(commands.AutoShardedBot):
    """The bot: guild events only, no mention ever, commands found by walking ``bot.cogs``.

    Args:
        begin: called once the client has logged in, before it hears of any interaction.
        shards: which part of the guilds this process hears of; None for all of them, in as many
            shards as Discord proposes.
    """

    services: Services

    def __init__(
        self,
        connector: aiohttp.BaseConnector,
        *,
        begin: Callable[[], Awaitable[None]],
        shards: Shards | None = None,
    ) -> None:
        part: dict[str, Any] = {}
        if shards is not None:
            part = {"shard_ids": list(shards.numbers), "shard_count": shards.count}
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            tree_cls=Tree,
            intents=discord.Intents(guilds=True),
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            guild_ready_timeout=GUILD_READY_S,
            connector=connector,
            **part,
        )
        self.opened_forms: deque[str] = deque(maxlen=MAX_FORMS)
        self.began = asyncio.Event()
        self._begin = begin

    async def equip(self, services: Services) -> None:
        """Take the services and add every command and button that works with them."""
        self.services = services
        self.add_dynamic_items(*BUTTONS, *REVIEW_BUTTONS)
        await self.find_cogs()

    async def find_cogs(self) -> None:
        """Add the commands of every module in ``bot.cogs``."""
        await self.tree.set_translator(TableTranslator(load_texts()))
        for module in pkgutil.iter_modules(cogs.__path__):
            await import_module(f"{cogs.__name__}.{module.name}").setup(self)

    async def open_form(self, interaction: discord.Interaction, form: discord.ui.Modal) -> None:
        """Open a form, and remember that this process did."""
        self.opened_forms.append(form.custom_id)
        await interaction.response.send_modal(form)

    def names(self, account: tuple[int, int]) -> tuple[str, str]:
        """Return what a guild and a member are called, as far as Discord has told."""
        guild_id, member_id = account
        guild, user = self.get_guild(guild_id), self.get_user(member_id)
        outside = str(guild_id) if guild_id else "direct messages"
        return (
            guild.name if guild is not None else outside,
            user.display_name if user is not None else str(member_id),
        )

    async def setup_hook(self) -> None:
        """Begin work."""
        await self._begin()
        self.began.set()

    async def on_ready(self) -> None:
        """Write down that Discord knows us."""
        log.info("ready", user=str(self.user), guilds=len(self.guilds))
        await self.look_around()

    async def on_app_command_completion(
        self, interaction: discord.Interaction, _: app_commands.Command[Any, ..., Any]
    ) -> None:
        """Take note that a command's member has been answered."""
        await self.services.acknowledger.answered(interaction.id)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """Erase what a guild's members asked for: the bot was removed, or the guild is gone.

        A guild that is out of order for a while is not told of here.
        """
        erased = await self.services.retention.leave(guild.id)
        log.info("left a guild", guild=guild.id, jobs=erased.jobs, files=erased.files)

    async def look_around(self) -> None:
        """Write down where the bot is, and forget the guilds that it has left long ago."""
        if not self.is_ready():
            return
        retention = self.services.retention
        await retention.present([guild.id for guild in self.guilds])
        gone = await retention.forget_absent(ours=self.would_know)
        if gone:
            log.info("forgot guilds that the bot is not in any more", guilds=gone)

    def would_know(self, guild_id: int) -> bool:
        """Tell whether a guild is one of the shards' that this client hears of (None: all)."""
        shard = (guild_id >> 22) % (self.shard_count or 1)
        return self.shard_ids is None or shard in self.shard_ids

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Answer forms that were opened by an earlier process; forms do not outlive it."""
        if interaction.type is not discord.InteractionType.modal_submit:
            return
        custom_id = interaction.custom_id or ""
        if custom_id.startswith(FORMS) and custom_id not in self.opened_forms:
            voice = voice_of(interaction)
            page = refusal(voice.say("form.lost"))
            await interaction.response.send_message(view=page, ephemeral=True)
