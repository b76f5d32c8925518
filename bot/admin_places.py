"""``/admin pipelines``: ways of making pictures that are off, in a channel or on the server."""

import discord
from discord import app_commands

from bot.admin_pages import key_of, pipelines_page
from bot.choices import NAME_LENGTH, Choices, listed, matching
from bot.errors import NotOffError, UnknownPipelineError
from bot.rights import may_manage
from bot.services import services_of
from bot.texts import describe, label
from bot.visits import Visit, let_in, managed
from storage.places import EVERYWHERE, Switch, Switched

Place = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.Thread
"""What is asked in; of a forum its posts, which are threads."""
Name = app_commands.Range[str, 1, NAME_LENGTH]


class PipelinesGroup(app_commands.Group):
    """The subcommands of ``/admin pipelines``."""

    @app_commands.command(name="off", description=label("command.admin.pipelines.off"))
    @describe(
        name=label("command.admin.pipelines.off.name"),
        channel=label("command.admin.pipelines.off.channel"),
    )
    async def off(
        self, interaction: discord.Interaction, name: Name, channel: Place | None = None
    ) -> None:
        """Switch a pipeline off, in a channel or everywhere here."""
        visit = await let_in(interaction)
        offered = visit.services.models.pipelines
        if name not in offered:
            raise UnknownPipelineError("no such pipeline", known=listed(offered))
        await switched_off(visit, "pipeline", name, channel=channel)

    @app_commands.command(name="on", description=label("command.admin.pipelines.on"))
    @describe(
        name=label("command.admin.pipelines.on.name"),
        channel=label("command.admin.pipelines.on.channel"),
    )
    async def on(
        self, interaction: discord.Interaction, name: Name, channel: Place | None = None
    ) -> None:
        """Switch a pipeline on again, where it was switched off."""
        visit = await let_in(interaction)
        await switched_on(visit, "pipeline", name, channel=channel)

    @app_commands.command(name="list", description=label("command.admin.pipelines.list"))
    async def list_all(self, interaction: discord.Interaction) -> None:
        """List the pipelines, and where they are off."""
        visit = await let_in(interaction)
        offered = visit.services.models.pipelines
        await visit.answer(pipelines_page(visit.voice, await visit.holding(), offered))

    @off.autocomplete("name")
    async def offered(self, interaction: discord.Interaction, current: str) -> Choices:
        """Offer the pipelines that there are, to admins alone."""
        names = services_of(interaction).models.pipelines if may_manage(interaction) else ()
        return matching(current, {name: name for name in names})

    @on.autocomplete("name")
    async def switched(self, interaction: discord.Interaction, current: str) -> Choices:
        """Offer the pipelines that are off somewhere, to admins alone."""
        guild = await managed(interaction)
        off = guild.choices.off if guild is not None else ()
        names = sorted({each.name for each in off if each.kind == "pipeline"})
        return matching(current, {name: name for name in names})


async def switched_off(visit: Visit, kind: Switched, name: str, *, channel: Place | None) -> None:
    """Switch something off, and say so."""
    guilds, switch = visit.services.guilds, _switch(kind, name, channel)
    act = guilds.places.switch_off(visit.guild_id, switch, actor_id=visit.actor_id)
    await guilds.acted(visit.guild_id, act)
    await _say(visit, "off", switch)


async def switched_on(visit: Visit, kind: Switched, name: str, *, channel: Place | None) -> None:
    """Switch something on again, and say so.

    Raises:
        NotOffError: it is not off just there.
    """
    guilds, switch = visit.services.guilds, _switch(kind, name, channel)
    act = guilds.places.switch_on(visit.guild_id, switch, actor_id=visit.actor_id)
    if not await guilds.acted(visit.guild_id, act):
        raise NotOffError("nothing to switch on")
    await _say(visit, "on", switch)


def _switch(kind: Switched, name: str, channel: Place | None) -> Switch:
    return Switch(kind=kind, name=name, channel_id=channel.id if channel else EVERYWHERE)


async def _say(visit: Visit, state: str, switch: Switch) -> None:
    where = "everywhere" if switch.channel_id == EVERYWHERE else "channel"
    key = f"admin.switched.{state}.{where}"
    await visit.say(key, name=key_of(switch.name), channel=switch.channel_id)
