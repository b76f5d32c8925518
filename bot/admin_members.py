"""``/admin members``: who may ask for no pictures here, why, and until when."""

from datetime import timedelta

import discord
from discord import app_commands

from bot.admin_pages import blocks_page
from bot.errors import NotBlockedError
from bot.forms import MAX_REASON
from bot.prompts import clean_prompt, shown
from bot.texts import describe, label
from bot.visits import Visit, let_in
from storage.records import JobState

MOST_HOURS = 24.0 * 366
Someone = discord.User | discord.Member


class MembersGroup(app_commands.Group):
    """The subcommands of ``/admin members``."""

    @app_commands.command(name="block", description=label("command.admin.members.block"))
    @describe(
        member=label("command.admin.members.block.member"),
        reason=label("command.admin.members.block.reason"),
        hours=label("command.admin.members.block.hours"),
    )
    async def block(
        self,
        interaction: discord.Interaction,
        member: Someone,
        reason: app_commands.Range[str, 1, MAX_REASON],
        hours: app_commands.Range[float, 0.01, MOST_HOURS] | None = None,
    ) -> None:
        """Block a member for some hours or for good; what they wait for is stopped."""
        visit = await let_in(interaction)
        block = await visit.services.guilds.blocks.block(
            visit.guild_id,
            member.id,
            reason=clean_prompt(reason),
            lasts=None if hours is None else timedelta(hours=hours),
            actor_id=visit.actor_id,
        )
        stopped = await _stop_waiting(visit, member.id)
        until = int(block.until.timestamp()) if block.until is not None else 0
        key = "admin.members.blocked.until" if until else "admin.members.blocked"
        said = {"member": member.id, "reason": shown(block.reason), "stopped": stopped}
        await visit.say(key, **said, until=until)

    @app_commands.command(name="unblock", description=label("command.admin.members.unblock"))
    @describe(member=label("command.admin.members.unblock.member"))
    async def unblock(self, interaction: discord.Interaction, member: Someone) -> None:
        """Let a member ask for pictures again."""
        visit = await let_in(interaction)
        blocks = visit.services.guilds.blocks
        if not await blocks.unblock(visit.guild_id, member.id, actor_id=visit.actor_id):
            raise NotBlockedError("nothing to end")
        await visit.say("admin.members.unblocked", member=member.id)

    @app_commands.command(name="blocked", description=label("command.admin.members.blocked"))
    async def blocked(self, interaction: discord.Interaction) -> None:
        """List who is blocked here."""
        visit = await let_in(interaction)
        blocks = await visit.services.guilds.blocks.all(visit.guild_id)
        await visit.answer(blocks_page(visit.voice, blocks))


async def _stop_waiting(visit: Visit, member_id: int) -> int:
    """Stop what a member waits for in the guild, whole refunds included; return how many."""
    waiting = [
        job.id
        for job in await visit.services.jobs.unfinished()
        if job.state is JobState.QUEUED
        and (job.guild_id, job.member_id) == (visit.guild_id, member_id)
    ]
    await visit.services.dispatcher.stop_all(waiting)
    return len(waiting)
