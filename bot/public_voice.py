"""The language of a message that nobody in particular asked for."""

import discord

from bot.guilds import Guilds
from bot.texts import DEFAULT_LOCALE, Texts, Voice


async def public_voice(
    guild_id: int | None, *, client: discord.Client, guilds: Guilds, texts: Texts
) -> Voice:
    """Return the texts for a message to whoever reads a guild's channel.

    They are in the language that the guild's admins chose for the bot, else in the one that they
    chose for the guild in Discord; English where that has no file, or the guild is not known.

    Raises:
        StorageError: what the admins chose cannot be read.
    """
    chosen = (await guilds.holding(guild_id)).choices.language
    guild = client.get_guild(guild_id or 0)
    own = guild.preferred_locale.value if guild is not None else DEFAULT_LOCALE
    return Voice(texts, chosen or own)
