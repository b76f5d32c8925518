"""``/imagine``: a picture from words alone."""

import discord
from discord import app_commands
from discord.ext import commands

from bot.acknowledging import think
from bot.choices import NAME_LENGTH, matching, model_line, shape_choices
from bot.client import Atelier
from bot.errors import WordsMissingError
from bot.following import control_choices, followed
from bot.limits import (
    MOST_GUIDANCE,
    MOST_PICTURES,
    MOST_STEPS,
    SCHEDULER_CHOICES,
    SIZE_LETTERS,
    require_steps,
)
from bot.orders import LIKE_STRENGTH, Order, any_seed
from bot.prompts import MAX_PROMPT, clean_prompt
from bot.services import services_of, voice_of
from bot.texts import describe, label
from bot.usual import usual_model
from generation.canvases import SHAPES
from generation.request import MAX_SEED


class Imagine(commands.Cog):
    """The family of ``/imagine``."""

    @app_commands.command(name="imagine", description=label("command.imagine"))
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.autocomplete(control=control_choices)
    @describe(
        prompt=label("command.imagine.prompt"),
        negative=label("command.negative"),
        model=label("command.imagine.model"),
        size=label("command.imagine.size"),
        seed=label("command.seed"),
        steps=label("command.steps"),
        guidance=label("command.guidance"),
        scheduler=label("command.scheduler"),
        count=label("command.count"),
        like=label("command.remix.like"),
        like_strength=label("command.remix.like_strength"),
        control=label("command.imagine.control"),
        control_picture=label("command.remix.control_picture"),
        control_from=label("command.remix.control_from"),
    )
    @app_commands.choices(scheduler=SCHEDULER_CHOICES)
    async def imagine(
        self,
        interaction: discord.Interaction,
        prompt: app_commands.Range[str, 1, MAX_PROMPT],
        negative: app_commands.Range[str, 0, MAX_PROMPT] = "",
        model: app_commands.Range[str, 1, NAME_LENGTH] | None = None,
        size: app_commands.Range[str, 1, SIZE_LETTERS] = SHAPES[0],
        seed: app_commands.Range[int, 0, MAX_SEED] | None = None,
        steps: app_commands.Range[int, 1, MOST_STEPS] | None = None,
        guidance: app_commands.Range[float, 0.0, MOST_GUIDANCE] | None = None,
        count: app_commands.Range[int, 1, MOST_PICTURES] = 1,
        like: discord.Attachment | None = None,
        like_strength: app_commands.Range[float, 0.0, 1.0] = LIKE_STRENGTH,
        control: app_commands.Range[str, 1, NAME_LENGTH] | None = None,
        control_picture: discord.Attachment | None = None,
        control_from: discord.Attachment | None = None,
        scheduler: str | None = None,
    ) -> None:
        """Paint a picture from words, with a model that can."""
        await think(interaction)
        services = services_of(interaction)
        # A refusal may say these back, to everybody.
        await services.guilds.require_fit(interaction.guild_id, model or "", size, control or "")
        if model is not None:
            services.models.require("remix", model)
        entry = services.models.painter(model or await usual_model(interaction, paints=True))
        services.limits.require_count(count)
        require_steps(steps, entry=entry)
        words = clean_prompt(prompt)
        if not words:
            raise WordsMissingError("no words that can be read")
        canvas, notes = await services.limits.canvas(size, entry=entry)
        beside = await followed(
            services.pictures,
            like=like,
            control=control,
            control_picture=control_picture,
            control_from=control_from,
        )
        order = Order(
            command="imagine",
            pipeline="remix",
            image=canvas,
            notes=notes,
            prompt=words,
            negative_prompt=clean_prompt(negative),
            subject=words,
            strength=1.0,
            guidance_scale=guidance,
            num_inference_steps=steps,
            scheduler=scheduler,
            seed=any_seed(seed),
            count=count,
            model=entry.name,
            like_strength=like_strength,
            **beside,
        )
        await services.dispatcher.place(interaction, order)

    @imagine.autocomplete("model")
    async def models(
        self, interaction: discord.Interaction, current: str
    ) -> list[app_commands.Choice[str]]:
        """Offer the models that paint from words and hold what was typed."""
        voice, painters = voice_of(interaction), services_of(interaction).models.painters
        return matching(current, {entry.name: model_line(voice, entry) for entry in painters})

    @imagine.autocomplete("size")
    async def sizes(
        self, interaction: discord.Interaction, current: str
    ) -> list[app_commands.Choice[str]]:
        """Offer the usual shapes that hold what was typed."""
        return shape_choices(voice_of(interaction), current)


async def setup(client: Atelier) -> None:
    """Add the family to the client."""
    await client.add_cog(Imagine())
