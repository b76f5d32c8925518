"""``/style``: a picture painted in the manner of an artwork."""

import discord
from discord import app_commands
from discord.ext import commands

from bot.choices import matching
from bot.client import Atelier
from bot.errors import ArtworkMissingError
from bot.orders import Order, Picture, any_seed
from bot.pictures import artwork_named
from bot.services import services_of, voice_of
from bot.texts import label
from generation.artworks import artworks
from generation.request import MAX_SEED

DEFAULT_STRENGTH = 0.7


class Style(commands.Cog):
    """The family of ``/style``."""

    @app_commands.command(name="style", description=label("command.style"))
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.describe(
        image=label("command.style.image"),
        artwork=label("command.style.artwork"),
        preset=label("command.style.preset"),
        strength=label("command.style.strength"),
        seed=label("command.style.seed"),
    )
    async def style(
        self,
        interaction: discord.Interaction,
        image: discord.Attachment,
        artwork: discord.Attachment | None = None,
        preset: app_commands.Range[str, 1, 40] | None = None,
        strength: app_commands.Range[float, 0.0, 1.0] = DEFAULT_STRENGTH,
        seed: app_commands.Range[int, 0, MAX_SEED] | None = None,
    ) -> None:
        """Paint a picture in the manner of an upload, or of an artwork that ships."""
        await interaction.response.defer(thinking=True)
        pictures = services_of(interaction).pictures
        style: Picture
        if preset is not None and artwork is None:
            subject = artwork_named(preset).title
            style = await pictures.artwork(preset)
        elif artwork is not None and preset is None:
            subject = voice_of(interaction).say("subject.own_artwork")
            style = await pictures.upload(artwork)
        else:
            raise ArtworkMissingError("one artwork, not none and not two")
        order = Order(
            command="style",
            pipeline="collage",
            image=await pictures.upload(image),
            beside={"style_image": style.file},
            subject=subject,
            strength=strength,
            seed=any_seed(seed),
            preset=preset,
        )
        await services_of(interaction).dispatcher.place(interaction, order)

    @style.autocomplete("preset")
    async def presets(
        self, interaction: discord.Interaction, current: str
    ) -> list[app_commands.Choice[str]]:
        """Offer the artworks whose name or title holds what was typed."""
        return matching(current, {name: artwork.title for name, artwork in artworks().items()})


async def setup(client: Atelier) -> None:
    """Add the family to the client."""
    await client.add_cog(Style())
