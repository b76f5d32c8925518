"""``/inpaint``: a part of a picture painted anew, the rest left as it is."""

import discord
from discord import app_commands
from discord.ext import commands

from bot.acknowledging import think
from bot.choices import NAME_LENGTH, matching, model_line
from bot.client import Atelier
from bot.errors import WordsMissingError
from bot.limits import (
    MOST_GUIDANCE,
    MOST_PICTURES,
    MOST_STEPS,
    SCHEDULER_CHOICES,
    require_steps,
)
from bot.orders import Order, any_seed
from bot.prompts import MAX_PROMPT, clean_prompt
from bot.services import services_of, voice_of
from bot.texts import describe, label
from bot.usual import usual_model
from generation.request import MAX_SEED

DEFAULT_STRENGTH = 1.0
"""Nothing of what was there is to show."""


class Inpaint(commands.Cog):
    """The family of ``/inpaint``."""

    @app_commands.command(name="inpaint", description=label("command.inpaint"))
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @describe(
        image=label("command.inpaint.image"),
        prompt=label("command.inpaint.prompt"),
        mask=label("command.inpaint.mask"),
        negative=label("command.negative"),
        model=label("command.remix.model"),
        strength=label("command.inpaint.strength"),
        seed=label("command.seed"),
        steps=label("command.steps"),
        guidance=label("command.guidance"),
        scheduler=label("command.scheduler"),
        count=label("command.count"),
    )
    @app_commands.choices(scheduler=SCHEDULER_CHOICES)
    async def inpaint(
        self,
        interaction: discord.Interaction,
        image: discord.Attachment,
        prompt: app_commands.Range[str, 1, MAX_PROMPT],
        mask: discord.Attachment | None = None,
        negative: app_commands.Range[str, 0, MAX_PROMPT] = "",
        model: app_commands.Range[str, 1, NAME_LENGTH] | None = None,
        strength: app_commands.Range[float, 0.0, 1.0] = DEFAULT_STRENGTH,
        seed: app_commands.Range[int, 0, MAX_SEED] | None = None,
        steps: app_commands.Range[int, 1, MOST_STEPS] | None = None,
        guidance: app_commands.Range[float, 0.0, MOST_GUIDANCE] | None = None,
        count: app_commands.Range[int, 1, MOST_PICTURES] = 1,
        scheduler: str | None = None,
    ) -> None:
        """Paint what a mask marks white, or what of the picture is transparent."""
        await think(interaction)
        services = services_of(interaction)
        # A refusal may say these back, to everybody.
        await services.guilds.require_fit(interaction.guild_id, model or "")
        model = model or await usual_model(interaction)
        services.models.require("remix", model)
        services.limits.require_count(count)
        require_steps(steps, entry=services.models.chosen("remix", model))
        words = clean_prompt(prompt)
        if not words:
            raise WordsMissingError("no words that can be read")
        picture, hole = await services.pictures.masked(image, mask)
        order = Order(
            command="inpaint",
            pipeline="remix",
            image=picture,
            beside={"mask": hole},
            prompt=words,
            negative_prompt=clean_prompt(negative),
            subject=words,
            strength=strength,
            guidance_scale=guidance,
            num_inference_steps=steps,
            scheduler=scheduler,
            seed=any_seed(seed),
            count=count,
            model=model,
        )
        await services.dispatcher.place(interaction, order)

    @inpaint.autocomplete("model")
    async def models(
        self, interaction: discord.Interaction, current: str
    ) -> list[app_commands.Choice[str]]:
        """Offer the models that can be used and hold what was typed, with a line about each."""
        voice = voice_of(interaction)
        usable = services_of(interaction).models.usable
        return matching(current, {entry.name: model_line(voice, entry) for entry in usable})


async def setup(client: Atelier) -> None:
    """Add the family to the client."""
    await client.add_cog(Inpaint())
