"""``/admin approval``: pictures that somebody has to look at before they are shown to others."""

import discord
from discord import app_commands

from bot.admin_pages import fitting
from bot.admin_places import Place
from bot.errors import NotApprovedError, ReviewPlaceError
from bot.notices import ACCENT, notice
from bot.texts import describe, label
from bot.visits import Visit, let_in
from storage.places import EVERYWHERE, Approval


class ApprovalGroup(app_commands.Group):
    """The subcommands of ``/admin approval``."""

    @app_commands.command(name="on", description=label("command.admin.approval.on"))
    @describe(
        review=label("command.admin.approval.on.review"),
        channel=label("command.admin.approval.on.channel"),
    )
    async def on(
        self, interaction: discord.Interaction, review: Place, channel: Place | None = None
    ) -> None:
        """Have pictures approved in a channel before they are shown."""
        visit = await let_in(interaction)
        where = channel.id if channel is not None else EVERYWHERE
        await _announce(visit, review, channel=where)
        approval = Approval(channel_id=where, review_channel_id=review.id, actor_id=visit.actor_id)
        guilds = visit.services.guilds
        await guilds.acted(visit.guild_id, guilds.places.set_approval(visit.guild_id, approval))
        key = f"admin.approval.on.{_place(where)}"
        await visit.say(key, channel=where, review=review.id)

    @app_commands.command(name="off", description=label("command.admin.approval.off"))
    @describe(channel=label("command.admin.approval.off.channel"))
    async def off(self, interaction: discord.Interaction, channel: Place | None = None) -> None:
        """Show pictures at once again; what waits is decided all the same."""
        visit = await let_in(interaction)
        where, guilds = channel.id if channel is not None else EVERYWHERE, visit.services.guilds
        act = guilds.places.end_approval(visit.guild_id, where, actor_id=visit.actor_id)
        if not await guilds.acted(visit.guild_id, act):
            raise NotApprovedError("nothing to end")
        await visit.say(f"admin.approval.off.{_place(where)}", channel=where)

    @app_commands.command(name="list", description=label("command.admin.approval.list"))
    async def list_all(self, interaction: discord.Interaction) -> None:
        """List where pictures are approved first, and say how many wait."""
        visit = await let_in(interaction)
        waiting = await visit.services.reviews.waiting(visit.guild_id)
        approvals = (await visit.holding()).choices.approvals
        lines = [
            visit.voice.say(
                f"admin.approval.{_place(each.channel_id)}{'.troubled' if each.trouble else ''}",
                channel=each.channel_id,
                review=each.review_channel_id,
            )
            for each in sorted(approvals.values(), key=lambda it: it.channel_id)
        ]
        title = visit.voice.say("admin.approval.title", count=len(waiting))
        await visit.answer(fitting(visit.voice, title, lines))

    @app_commands.command(name="next", description=label("command.admin.approval.next"))
    async def show_next(self, interaction: discord.Interaction) -> None:
        """Show what has waited longest, to be decided here."""
        visit = await let_in(interaction)
        waiting = await visit.services.reviews.waiting(visit.guild_id, most=1)
        if not waiting:
            await visit.say("admin.approval.nothing")
            return
        most = interaction.filesize_limit
        page = await visit.services.review_pages.page(waiting[0], max_bytes=most)
        await interaction.edit_original_response(view=page.view, attachments=page.files)


def _place(channel_id: int) -> str:
    return "everywhere" if channel_id == EVERYWHERE else "channel"


async def _announce(visit: Visit, review: Place, *, channel: int) -> None:
    """Say in the channel of those who decide what is decided there from now on.

    Raises:
        ReviewPlaceError: the bot cannot write there, or it is where the pictures are to be shown.
    """
    if review.id == channel:
        raise ReviewPlaceError("the same channel", channel=review.id)
    voice = await visit.services.review_pages.voice(visit.guild_id)
    said = voice.say(f"review.begins.{_place(channel)}", channel=channel, actor=visit.actor_id)
    place = visit.interaction.client.get_partial_messageable(review.id)
    try:
        await place.send(view=notice(said, colour=ACCENT))
    except (discord.Forbidden, discord.NotFound) as err:
        raise ReviewPlaceError("no way to write there", channel=review.id) from err
