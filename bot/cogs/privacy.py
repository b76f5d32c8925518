"""``/privacy``: what is kept about whoever asks, all of it as files, who sees it, and its end."""

import discord
from discord import app_commands
from discord.ext import commands

from bot.acknowledging import think
from bot.client import Atelier
from bot.notices import ACCENT, notice
from bot.privacy import consent_page, holdings_text
from bot.services import services_of, voice_of
from bot.texts import describe, label

MAX_PART = 10_000


@app_commands.allowed_installs(guilds=True, users=True)
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
class PrivacyFamily(
    commands.GroupCog, group_name="privacy", group_description=label("command.privacy")
):
    """The family of ``/privacy``; every answer is the asker's alone."""

    @app_commands.command(name="show", description=label("command.privacy.show"))
    async def show(self, interaction: discord.Interaction) -> None:
        """Say what is kept about the member, how long, and who sees it."""
        await think(interaction, ephemeral=True)
        services, guild_id, member = (
            services_of(interaction),
            interaction.guild_id,
            interaction.user,
        )
        text = holdings_text(
            voice_of(interaction),
            await services.privacy.here(member.id, guild_id=guild_id),
            await services.privacy.everywhere(member.id),
            days=(await services.guilds.holding(guild_id)).retention_days,
        )
        await interaction.edit_original_response(view=notice(text, colour=ACCENT))

    @app_commands.command(name="export", description=label("command.privacy.export"))
    @describe(part=label("command.privacy.export.part"))
    async def export(
        self, interaction: discord.Interaction, part: app_commands.Range[int, 1, MAX_PART] = 1
    ) -> None:
        """Send all that is kept about the member."""
        await think(interaction, ephemeral=True)
        await services_of(interaction).exports.send(interaction, first=part)

    @app_commands.command(name="gallery", description=label("command.privacy.gallery"))
    @describe(shown=label("command.privacy.gallery.shown"))
    async def gallery(self, interaction: discord.Interaction, shown: bool) -> None:
        """Show the member's results to admins in small, or leave them out."""
        await think(interaction, ephemeral=True)
        member_id, voice = interaction.user.id, voice_of(interaction)
        await services_of(interaction).privacy.leave_out(member_id, left_out=not shown)
        text = voice.say("privacy.gallery.shown" if shown else "privacy.gallery.left_out")
        await interaction.edit_original_response(view=notice(text, colour=ACCENT))

    @app_commands.command(name="delete", description=label("command.privacy.delete"))
    async def delete(self, interaction: discord.Interaction) -> None:
        """Ask whether all that is kept about the member is to be erased."""
        await think(interaction, ephemeral=True)
        held = await services_of(interaction).privacy.everywhere(interaction.user.id)
        page = consent_page(voice_of(interaction), held, interaction.user.id)
        await interaction.edit_original_response(view=page)


async def setup(client: Atelier) -> None:
    """Add the family to the client."""
    await client.add_cog(PrivacyFamily())
