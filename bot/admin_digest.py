"""``/admin digest``: the server's usage, told in a channel every week."""

from datetime import date

import discord
from discord import app_commands

from bot.admin_places import Place
from bot.digests import WEEK, newest_week, told_at
from bot.errors import DigestPlaceError, NoDigestError
from bot.notices import ACCENT, notice
from bot.texts import describe, label
from bot.visits import Visit, let_in
from storage.clock import utc_now
from storage.windows import zone_of


class DigestGroup(app_commands.Group):
    """The subcommands of ``/admin digest``."""

    @app_commands.command(name="on", description=label("command.admin.digest.on"))
    @describe(channel=label("command.admin.digest.on.channel"))
    async def on(self, interaction: discord.Interaction, channel: Place) -> None:
        """Have every week told in a channel, from the present one on."""
        visit = await let_in(interaction)
        week, when = await _next(visit)
        said = {"channel": channel.id, "when": when}
        place = interaction.client.get_partial_messageable(channel.id)
        try:
            text = visit.voice.say("digest.begins", actor=visit.actor_id, **said)
            await place.send(view=notice(text, colour=ACCENT))
        except (discord.Forbidden, discord.NotFound) as err:
            raise DigestPlaceError("no way to write there", channel=channel.id) from err
        await visit.services.digests.choose(
            visit.guild_id, channel.id, week=week, actor_id=visit.actor_id
        )
        await visit.say("admin.digest.on", **said)

    @app_commands.command(name="off", description=label("command.admin.digest.off"))
    async def off(self, interaction: discord.Interaction) -> None:
        """Have no more weeks told."""
        visit = await let_in(interaction)
        if not await visit.services.digests.end(visit.guild_id, actor_id=visit.actor_id):
            raise NoDigestError("nothing to end")
        await visit.say("admin.digest.off")

    @app_commands.command(name="show", description=label("command.admin.digest.show"))
    async def show(self, interaction: discord.Interaction) -> None:
        """Say where the weeks are told, and when the next one is."""
        visit = await let_in(interaction)
        digest = await visit.services.digests.find(visit.guild_id)
        if digest is None:
            await visit.say("admin.digest.none")
            return
        _, when = await _next(visit, told=digest.week)
        key = "admin.digest.shown" if digest.trouble is None else "admin.digest.troubled"
        await visit.say(key, channel=digest.channel_id, when=when)


async def _next(visit: Visit, *, told: date | None = None) -> tuple[date, int]:
    """Return the week that counts as told, and when the one after it is, in seconds since 1970."""
    zone = zone_of((await visit.holding()).choices.time_zone)
    week = told or newest_week(utc_now(), zone=zone)
    return week, int(told_at(week + WEEK, zone=zone).timestamp())
