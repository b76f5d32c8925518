"""An admin's command that has been let in; every answer is theirs alone."""

from dataclasses import dataclass

import discord

from bot.acknowledging import think
from bot.guilds import Guild
from bot.notices import ACCENT, notice
from bot.rights import administered_guild, may_manage
from bot.services import Services, guild_of, services_of, voice_of
from bot.texts import Voice


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """An admin's command that has been let in.

    Args:
        guild_id: the guild that they manage.
    """

    interaction: discord.Interaction
    services: Services
    voice: Voice
    guild_id: int

    @property
    def actor_id(self) -> int:
        """Who it is."""
        return self.interaction.user.id

    async def holding(self) -> Guild:
        """Return what holds in the guild now."""
        return await self.services.guilds.holding(self.guild_id)

    async def answer(self, text: str) -> None:
        """Answer whoever asked, and nobody else."""
        await self.interaction.edit_original_response(view=notice(text, colour=ACCENT))

    async def say(self, key: str, **values: object) -> None:
        """Answer with a sentence."""
        await self.answer(self.voice.say(key, **values))


async def let_in(interaction: discord.Interaction) -> Visit:
    """Let an admin in, in a reply that only they see.

    Raises:
        AdminsOnlyError: not in a guild, or without the right to manage it.
    """
    await think(interaction, ephemeral=True)
    guild_id = administered_guild(interaction)
    services, voice = services_of(interaction), voice_of(interaction)
    return Visit(interaction=interaction, services=services, voice=voice, guild_id=guild_id)


async def managed(interaction: discord.Interaction) -> Guild | None:
    """Return what holds in a guild to those who manage it, None to all others."""
    return await guild_of(interaction) if may_manage(interaction) else None
