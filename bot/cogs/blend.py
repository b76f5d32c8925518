"""``/blend``: two pictures in one, or an animation from one to the other."""

import discord
from discord import app_commands
from discord.ext import commands

from bot.acknowledging import think
from bot.choices import NAME_LENGTH, matching, vae_line
from bot.client import Atelier
from bot.orders import Order, any_seed
from bot.services import services_of, voice_of
from bot.texts import describe, label
from generation.registry import VAE
from generation.request import MAX_FRAMES


class Blend(commands.Cog):
    """The family of ``/blend``."""

    @app_commands.command(name="blend", description=label("command.blend"))
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @describe(
        image=label("command.blend.image"),
        other=label("command.blend.other"),
        ratio=label("command.blend.ratio"),
        frames=label("command.blend.frames"),
        model=label("command.blend.model"),
    )
    async def blend(
        self,
        interaction: discord.Interaction,
        image: discord.Attachment,
        other: discord.Attachment,
        ratio: app_commands.Range[float, 0.0, 1.0] | None = None,
        frames: app_commands.Range[int, 2, MAX_FRAMES] | None = None,
        model: app_commands.Range[str, 1, NAME_LENGTH] | None = None,
    ) -> None:
        """Blend the latents of two pictures."""
        await think(interaction)
        services = services_of(interaction)
        # A refusal may say this back, to everybody.
        await services.guilds.require_fit(interaction.guild_id, model or "")
        services.models.require(VAE, model)
        first = await services.pictures.upload(image)
        second = await services.pictures.upload(other)
        whole = 0.5 if frames is None else 1.0
        order = Order(
            command="blend",
            pipeline=VAE,
            image=first,
            beside={"style_image": second.file},
            strength=whole if ratio is None else ratio,
            frames=frames or 1,
            seed=any_seed(),
            model=model,
        )
        await services.dispatcher.place(interaction, order)

    @blend.autocomplete("model")
    async def models(
        self, interaction: discord.Interaction, current: str
    ) -> list[app_commands.Choice[str]]:
        """Offer the VAEs that hold what was typed."""
        voice, vaes = voice_of(interaction), services_of(interaction).models.vaes
        return matching(current, {vae.name: vae_line(voice, vae) for vae in vaes})


async def setup(client: Atelier) -> None:
    """Add the family to the client."""
    await client.add_cog(Blend())
