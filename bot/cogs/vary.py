"""``/vary``: another picture like the one that is there."""

import discord
from discord import app_commands
from discord.ext import commands

from bot.acknowledging import think
from bot.client import Atelier
from bot.services import services_of, voice_of
from bot.texts import describe, label
from bot.usual import usual_model
from bot.variations import AMOUNTS, variation

AMOUNT_CHOICES = [
    app_commands.Choice(name=label(f"amount.{amount}"), value=amount) for amount in AMOUNTS
]
DEFAULT_AMOUNT = "subtle"


class Vary(commands.Cog):
    """The family of ``/vary``."""

    @app_commands.command(name="vary", description=label("command.vary"))
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @describe(image=label("command.vary.image"), amount=label("command.vary.amount"))
    @app_commands.choices(amount=AMOUNT_CHOICES)
    async def vary(
        self,
        interaction: discord.Interaction,
        image: discord.Attachment,
        amount: str = DEFAULT_AMOUNT,
    ) -> None:
        """Make another picture like an upload."""
        await think(interaction)
        services = services_of(interaction)
        model = await usual_model(interaction)
        services.models.require("remix", model)
        picture = await services.pictures.upload(image)
        order = variation(services, voice_of(interaction), picture, amount=amount, model=model)
        await services.dispatcher.place(interaction, order)


async def setup(client: Atelier) -> None:
    """Add the family to the client."""
    await client.add_cog(Vary())
