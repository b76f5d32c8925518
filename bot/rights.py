"""Who may do what a guild's admins do, told from what came with the interaction."""

import discord

from bot.errors import AdminsOnlyError, ModeratorsOnlyError


def may_manage(interaction: discord.Interaction) -> bool:
    """Return whether a member may manage the guild that an interaction came from."""
    rights = interaction.permissions
    return interaction.guild_id is not None and (rights.manage_guild or rights.administrator)


def may_moderate(interaction: discord.Interaction) -> bool:
    """Return whether a member may decide on others' pictures where an interaction came from."""
    return may_manage(interaction) or (
        interaction.guild_id is not None and interaction.permissions.manage_messages
    )


def moderated_guild(interaction: discord.Interaction) -> int:
    """Return the guild where a member decides on others' pictures.

    Raises:
        ModeratorsOnlyError: not in a guild, or without the right to manage messages there.
    """
    if interaction.guild_id is None or not may_moderate(interaction):
        raise ModeratorsOnlyError("for moderators only")
    return interaction.guild_id


def administered_guild(interaction: discord.Interaction) -> int:
    """Return the guild that a member asks about and may manage.

    Discord hides no subcommand from anybody, and admins may open a command to whom they like,
    so the right is looked at here, as it came with the interaction.

    Raises:
        AdminsOnlyError: not in a guild, or without the right to manage it.
    """
    if interaction.guild_id is None or not may_manage(interaction):
        raise AdminsOnlyError("for admins only")
    return interaction.guild_id
