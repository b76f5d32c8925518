"""``/admin presets``: presets of a server's own, and those that are not offered there."""

import discord
from discord import app_commands

from bot.admin_pages import key_of, presets_page
from bot.admin_places import Place, switched_off, switched_on
from bot.choices import NAME_LENGTH, Choices, choice, matching
from bot.errors import PresetUnableError
from bot.presets import DEFAULT_STRENGTH, preset_named, sample_names, titled
from bot.prompts import MAX_PROMPT, clean_prompt, shown
from bot.services import voice_of
from bot.texts import describe, label
from bot.visits import let_in, managed
from generation.postprocess.names import LAYER_NAMES

SAMPLES = [choice(f"sample.{name}", name) for name in sorted(sample_names())]


def _listed(text: str) -> list[str]:
    """Return names that are written with commas between."""
    return [name.strip() for name in text.split(",") if name.strip()]


class PresetsGroup(app_commands.Group):
    """The subcommands of ``/admin presets``."""

    @app_commands.command(name="add", description=label("command.admin.presets.add"))
    @describe(
        name=label("command.admin.presets.add.name"),
        prompt=label("command.admin.presets.add.prompt"),
        title=label("command.admin.presets.add.title"),
        strength=label("command.admin.presets.add.strength"),
        model=label("command.admin.presets.add.model"),
        layers=label("command.admin.presets.add.layers"),
        edits=label("command.admin.presets.add.edits"),
        sample=label("command.admin.presets.add.sample"),
    )
    @app_commands.choices(sample=SAMPLES)
    async def add_preset(
        self,
        interaction: discord.Interaction,
        name: app_commands.Range[str, 1, NAME_LENGTH],
        prompt: app_commands.Range[str, 1, MAX_PROMPT],
        title: app_commands.Range[str, 1, 100] | None = None,
        strength: app_commands.Range[float, 0.01, 1.0] = DEFAULT_STRENGTH,
        model: app_commands.Range[str, 1, NAME_LENGTH] | None = None,
        layers: app_commands.Range[str, 0, 100] = "",
        edits: bool = False,
        sample: str | None = None,
    ) -> None:
        """Add a preset of the server's own, or replace one of that name."""
        visit = await let_in(interaction)
        fields = {
            "prompt": clean_prompt(prompt),
            "title": clean_prompt(title or name),
            "strength": strength,
            "model": model,
            "layers": _listed(layers),
            "edits": edits,
            "sample": sample,
        }
        preset = await visit.services.guilds.add_preset(
            visit.guild_id, clean_prompt(name), fields, actor_id=visit.actor_id
        )
        try:
            visit.services.models.able(preset)
            await visit.say("admin.presets.added", title=shown(preset.title))
        except PresetUnableError:
            await visit.say("admin.presets.added.unable", title=shown(preset.title))

    @add_preset.autocomplete("layers")
    async def known_layers(self, interaction: discord.Interaction, current: str) -> Choices:
        """Offer the layers, after those that were named already."""
        del interaction
        before, newest = _listed(current)[:-1], (_listed(current) or [""])[-1]
        fitting = sorted(name for name in LAYER_NAMES if newest in name and name not in before)
        lines = [", ".join([*before, name]) for name in fitting]
        return [app_commands.Choice(name=line, value=line) for line in lines]

    @app_commands.command(name="remove", description=label("command.admin.presets.remove"))
    @describe(name=label("command.admin.presets.remove.name"))
    async def remove_preset(
        self, interaction: discord.Interaction, name: app_commands.Range[str, 1, NAME_LENGTH]
    ) -> None:
        """Remove a preset of the server's own, or show a hidden one again."""
        visit = await let_in(interaction)
        await visit.services.guilds.remove_preset(visit.guild_id, name, actor_id=visit.actor_id)
        await visit.say("admin.presets.removed", name=key_of(name))

    @app_commands.command(name="hide", description=label("command.admin.presets.hide"))
    @describe(
        name=label("command.admin.presets.hide.name"),
        channel=label("command.admin.presets.hide.channel"),
    )
    async def hide_preset(
        self,
        interaction: discord.Interaction,
        name: app_commands.Range[str, 1, NAME_LENGTH],
        channel: Place | None = None,
    ) -> None:
        """Offer a preset of the installation's here no more, or none of that name in a channel."""
        visit = await let_in(interaction)
        if channel is not None:
            found = preset_named(name, (await visit.holding()).presets)
            await switched_off(visit, "preset", found.name, channel=channel)
            return
        await visit.services.guilds.hide_preset(visit.guild_id, name, actor_id=visit.actor_id)
        await visit.say("admin.presets.hid", name=key_of(name))

    @app_commands.command(name="show", description=label("command.admin.presets.show"))
    @describe(
        name=label("command.admin.presets.show.name"),
        channel=label("command.admin.presets.show.channel"),
    )
    async def show_preset(
        self,
        interaction: discord.Interaction,
        name: app_commands.Range[str, 1, NAME_LENGTH],
        channel: Place,
    ) -> None:
        """Offer a preset in a channel again."""
        visit = await let_in(interaction)
        await switched_on(visit, "preset", name, channel=channel)

    @app_commands.command(name="list", description=label("command.admin.presets.list"))
    async def list_presets(self, interaction: discord.Interaction) -> None:
        """List the presets that are offered here, and those that are hidden."""
        visit = await let_in(interaction)
        await visit.answer(presets_page(visit.voice, await visit.holding(), visit.services.models))

    @show_preset.autocomplete("name")
    async def hidden_presets(self, interaction: discord.Interaction, current: str) -> Choices:
        """Offer the presets that are hidden in some channel, to admins alone."""
        guild = await managed(interaction)
        off = guild.choices.off if guild is not None else ()
        names = sorted({each.name for each in off if each.kind == "preset"})
        return matching(current, {name: name for name in names})

    @remove_preset.autocomplete("name")
    async def own_presets(self, interaction: discord.Interaction, current: str) -> Choices:
        """Offer the server's own presets and those it hides, to admins alone."""
        guild = await managed(interaction)
        names = guild.choices.presets if guild is not None else ()
        return matching(current, {name: name for name in names})

    @hide_preset.autocomplete("name")
    async def shown_presets(self, interaction: discord.Interaction, current: str) -> Choices:
        """Offer the installation's presets that are shown, to admins alone."""
        guild = await managed(interaction)
        presets = guild.presets if guild is not None else {}
        return matching(
            current,
            {
                name: voice_of(interaction).tell(titled(it))
                for name, it in presets.items()
                if guild and name not in guild.own
            },
        )
