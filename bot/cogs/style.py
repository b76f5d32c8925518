"""``/style``: a picture painted in the manner of an artwork."""

import discord
from discord import app_commands
from discord.ext import commands

from bot.acknowledging import think
from bot.choices import NAME_LENGTH, matching
from bot.client import Atelier
from bot.conduct import switched_on
from bot.errors import (
    ArtworkMissingError,
    MethodUnfitError,
    SecondArtworkMissingError,
    UnknownMethodError,
)
from bot.orders import Order, Origin, Picture, any_seed
from bot.pictures import artwork_named
from bot.services import services_of, voice_of
from bot.texts import describe, label
from bot.usual import usual_strength
from generation.artworks import artworks
from generation.registry import AUTO, methods
from generation.request import MAX_SEED, Manner

DEFAULT_STRENGTH = 0.7
EVENLY = 0.5
MAX_STYLE_WEIGHT = 10.0


class Style(commands.Cog):
    """The family of ``/style``."""

    @app_commands.command(name="style", description=label("command.style"))
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @describe(
        image=label("command.style.image"),
        artwork=label("command.style.artwork"),
        preset=label("command.style.preset"),
        method=label("command.style.method"),
        strength=label("command.style.strength"),
        artwork2=label("command.style.artwork2"),
        mix=label("command.style.mix"),
        style_weight=label("command.style.style_weight"),
        keep_colours=label("command.style.keep_colours"),
        seed=label("command.style.seed"),
    )
    async def style(
        self,
        interaction: discord.Interaction,
        image: discord.Attachment,
        artwork: discord.Attachment | None = None,
        preset: app_commands.Range[str, 1, 40] | None = None,
        method: app_commands.Range[str, 1, NAME_LENGTH] = AUTO,
        strength: app_commands.Range[float, 0.0, 1.0] | None = None,
        artwork2: discord.Attachment | None = None,
        mix: app_commands.Range[float, 0.05, 0.95] | None = None,
        style_weight: app_commands.Range[float, 0.1, MAX_STYLE_WEIGHT] = 1.0,
        keep_colours: bool = False,
        seed: app_commands.Range[int, 0, MAX_SEED] | None = None,
    ) -> None:
        """Paint a picture in the manner of an upload, or of an artwork that ships."""
        await think(interaction)
        if artwork2 is None and mix is not None:
            raise SecondArtworkMissingError("a share of an artwork that is not there")
        first = EVENLY if mix is None else 1 - mix
        manner = Manner(
            style_weight=style_weight,
            keep_colours=keep_colours,
            weight=1.0 if artwork2 is None else first,
        )
        able = _able(interaction, method, manner=manner, several=artwork2 is not None)
        pictures, guilds = services_of(interaction).pictures, services_of(interaction).guilds
        style: Picture
        if preset is not None and artwork is None:
            subject = voice_of(interaction).say(f"artwork.{artwork_named(preset).name}")
            style = await pictures.artwork(preset)
        elif artwork is not None and preset is None:
            subject = voice_of(interaction).say("subject.own_artwork")
            style = await pictures.upload(artwork)
        else:
            raise ArtworkMissingError("one artwork, not none and not two")
        if strength is None:
            strength = await usual_strength(interaction, otherwise=DEFAULT_STRENGTH)
        content = await pictures.upload(image)
        reason = ""
        # What decided is kept with the job, and so is the method: asked for again, it is the same.
        if method == AUTO:
            on = await switched_on(guilds, able, Origin.of(interaction))
            choice = await pictures.style_choice(content, style, able=on or able)
            method, reason = choice.method, choice.reason
        order = Order(
            command="style",
            pipeline=method,
            image=content,
            beside={"style_image": style.file, **await pictures.beside(style_image2=artwork2)},
            manner=None if manner == Manner() else manner,
            chosen=reason,
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
        voice = voice_of(interaction)
        return matching(current, {name: voice.say(f"artwork.{name}") for name in artworks()})

    @style.autocomplete("method")
    async def methods(
        self, interaction: discord.Interaction, current: str
    ) -> list[app_commands.Choice[str]]:
        """Offer the methods whose weights are there, and that the pictures decide."""
        voice, there = voice_of(interaction), services_of(interaction).models.pipelines
        names = (AUTO, *methods(there))
        return matching(current, {name: voice.say(f"method.{name}") for name in names})


def _able(
    interaction: discord.Interaction, method: str, *, manner: Manner, several: bool
) -> tuple[str, ...]:
    """Return the methods that may be chosen from, before anything is fetched.

    Raises:
        UnknownMethodError: there is no such method here.
        MethodUnfitError: it cannot do what is asked, or none can.
    """
    there = services_of(interaction).models.pipelines
    able = methods(there, manner=manner, several=several)
    if method not in (AUTO, *methods(there)):
        known = (AUTO, *methods(there))
        raise UnknownMethodError(f"no method {method[:40]!r}", known=known)
    if not able:
        raise MethodUnfitError("none is able")
    if method not in (AUTO, *able):
        raise MethodUnfitError(f"{method} is not able", known=able)
    return able


async def setup(client: Atelier) -> None:
    """Add the family to the client."""
    await client.add_cog(Style())
