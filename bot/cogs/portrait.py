"""``/portrait``: a picture of a seed alone, to be used as an avatar."""

import discord
from discord import app_commands
from discord.ext import commands

from bot.acknowledging import think
from bot.choices import NAME_LENGTH, matching, portrait_line
from bot.client import Atelier
from bot.limits import MOST_PICTURES
from bot.orders import Order, any_seed
from bot.services import services_of, voice_of
from bot.texts import describe, label
from generation.portraits import PAINTED
from generation.registry import PORTRAIT
from generation.request import MAX_SEED, Canvas

SIDE = 512
DEFAULT_TRUNCATION = 1.0


class Portrait(commands.Cog):
    """The family of ``/portrait``."""

    @app_commands.command(name="portrait", description=label("command.portrait"))
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @describe(
        seed=label("command.seed"),
        truncation=label("command.portrait.truncation"),
        mix=label("command.portrait.mix"),
        model=label("command.portrait.model"),
        count=label("command.count"),
    )
    async def portrait(
        self,
        interaction: discord.Interaction,
        seed: app_commands.Range[int, 0, MAX_SEED] | None = None,
        truncation: app_commands.Range[float, 0.0, 1.0] = DEFAULT_TRUNCATION,
        mix: app_commands.Range[int, 0, MAX_SEED] | None = None,
        model: app_commands.Range[str, 1, NAME_LENGTH] | None = None,
        count: app_commands.Range[int, 1, MOST_PICTURES] = 1,
    ) -> None:
        """Make a picture of a seed, with something of a second seed's if that is wished."""
        await think(interaction)
        services, voice = services_of(interaction), voice_of(interaction)
        # A refusal may say this back, to everybody.
        await services.guilds.require_fit(interaction.guild_id, model or "")
        services.models.require(PORTRAIT, model)
        services.limits.require_count(count)
        mixed = "" if mix is None else voice.say("subject.mix", mix=mix)
        order = Order(
            command="portrait",
            pipeline=PORTRAIT,
            image=Canvas(width=SIDE, height=SIDE),
            subject=" · ".join(filter(None, (model or PAINTED, mixed))),
            strength=truncation,
            seed=any_seed(seed),
            mix=mix,
            model=model,
            count=count,
        )
        await services.dispatcher.place(interaction, order)

    @portrait.autocomplete("model")
    async def models(
        self, interaction: discord.Interaction, current: str
    ) -> list[app_commands.Choice[str]]:
        """Offer the models that make pictures of a seed and hold what was typed."""
        voice, found = voice_of(interaction), services_of(interaction).models.portraitists
        return matching(current, {each.name: portrait_line(voice, each) for each in found})


async def setup(client: Atelier) -> None:
    """Add the family to the client."""
    await client.add_cog(Portrait())
