"""What is taken where a member names nothing: what the server's admins chose, as far as it can."""

from contextlib import suppress

import discord

from bot.errors import NotAPainterError, UnknownModelError, UnusableModelError
from bot.services import guild_of, services_of


async def usual_model(interaction: discord.Interaction, *, paints: bool = False) -> str | None:
    """Return the server's usual model, None where it has none, or one that cannot be used for this.

    Args:
        interaction: where it is asked for.
        paints: whether it has to paint new things.
    """
    usual, models = (await guild_of(interaction)).choices.model, services_of(interaction).models
    if usual is None:
        return None
    with suppress(UnknownModelError, UnusableModelError, NotAPainterError):
        models.require("remix", usual)
        if paints:
            models.painter(usual)
        return usual
    return None


async def usual_strength(interaction: discord.Interaction, *, otherwise: float) -> float:
    """Return the server's usual strength, or another where its admins chose none."""
    chosen = (await guild_of(interaction)).choices.strength
    return otherwise if chosen is None else chosen
