"""``/admin defaults``: what is taken on a server where members name nothing."""

import discord
from discord import app_commands

from bot.admin_pages import defaults_page
from bot.choices import NAME_LENGTH, Choices, matching, model_line
from bot.presets import preset_named, titled
from bot.rights import may_manage
from bot.services import services_of, voice_of
from bot.texts import describe, label
from bot.visits import let_in, managed

Name = app_commands.Range[str, 1, NAME_LENGTH]


class DefaultsGroup(app_commands.Group):
    """The subcommands of ``/admin defaults``."""

    @app_commands.command(name="set", description=label("command.admin.defaults.set"))
    @describe(
        model=label("command.admin.defaults.set.model"),
        preset=label("command.admin.defaults.set.preset"),
        strength=label("command.admin.defaults.set.strength"),
    )
    async def choose(
        self,
        interaction: discord.Interaction,
        model: Name | None = None,
        preset: Name | None = None,
        strength: app_commands.Range[float, 0.01, 1.0] | None = None,
    ) -> None:
        """Choose the model, the preset or the strength; what is left out stays as it is."""
        visit = await let_in(interaction)
        values: dict[str, str | float | None] = {}
        if model is not None:
            visit.services.models.require("remix", model)
            values["model"] = model
        if preset is not None:
            values["preset"] = preset_named(preset, (await visit.holding()).presets).name
        if strength is not None:
            values["strength"] = strength
        await visit.services.guilds.choose(visit.guild_id, actor_id=visit.actor_id, **values)
        await visit.answer(defaults_page(visit.voice, await visit.holding()))

    @app_commands.command(name="clear", description=label("command.admin.defaults.clear"))
    async def clear(self, interaction: discord.Interaction) -> None:
        """Take what the installation has again."""
        visit = await let_in(interaction)
        await visit.services.guilds.choose(
            visit.guild_id, actor_id=visit.actor_id, model=None, preset=None, strength=None
        )
        await visit.answer(defaults_page(visit.voice, await visit.holding()))

    @choose.autocomplete("model")
    async def models(self, interaction: discord.Interaction, current: str) -> Choices:
        """Offer the models that can be used, to admins alone."""
        usable = services_of(interaction).models.usable if may_manage(interaction) else ()
        voice = voice_of(interaction)
        return matching(current, {entry.name: model_line(voice, entry) for entry in usable})

    @choose.autocomplete("preset")
    async def presets(self, interaction: discord.Interaction, current: str) -> Choices:
        """Offer the presets that there are here, to admins alone."""
        guild = await managed(interaction)
        presets = guild.presets if guild is not None else {}
        voice = voice_of(interaction)
        return matching(current, {name: voice.tell(titled(it)) for name, it in presets.items()})
