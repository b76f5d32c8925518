"""``/admin dead``: jobs that failed for no fault of whoever asked; made anew, or dropped."""

import discord
from discord import app_commands

from bot.admin_pages import reason_of
from bot.choices import Choices, matching
from bot.errors import UnknownJobError
from bot.rights import administered_guild, may_manage
from bot.services import services_of, voice_of
from bot.texts import Voice, describe, label
from bot.visits import let_in
from storage.errors import NotFoundError
from storage.records import Job

MAX_ID = 32
JobId = app_commands.Range[str, 1, MAX_ID]


class DeadGroup(app_commands.Group):
    """The subcommands of ``/admin dead``."""

    @app_commands.command(name="requeue", description=label("command.admin.dead.requeue"))
    @describe(job=label("command.admin.dead.job"))
    async def requeue(self, interaction: discord.Interaction, job: JobId) -> None:
        """Have a dead letter made anew, from its member's quota."""
        visit = await let_in(interaction)
        try:
            anew = await visit.services.dispatcher.requeue(
                job, guild_id=visit.guild_id, actor_id=visit.actor_id
            )
        except NotFoundError as err:
            raise UnknownJobError("no dead letter") from err
        await visit.say("admin.dead.requeued", id=anew.id, member=anew.member_id)

    @app_commands.command(name="drop", description=label("command.admin.dead.drop"))
    @describe(job=label("command.admin.dead.job"))
    async def drop(self, interaction: discord.Interaction, job: JobId) -> None:
        """Take a dead letter away."""
        visit = await let_in(interaction)
        try:
            await visit.services.jobs.drop(job, guild_id=visit.guild_id, actor_id=visit.actor_id)
        except NotFoundError as err:
            raise UnknownJobError("no dead letter") from err
        await visit.say("admin.dead.dropped", id=job)

    @requeue.autocomplete("job")
    @drop.autocomplete("job")
    async def jobs(self, interaction: discord.Interaction, current: str) -> Choices:
        """Offer the dead letters of the server, to admins alone."""
        if not may_manage(interaction):
            return []
        voice, guild_id = voice_of(interaction), administered_guild(interaction)
        found = await services_of(interaction).jobs.dead(guild_id)
        return matching(current, {job.id: _line(voice, job) for job in found})


def _line(voice: Voice, job: Job) -> str:
    """Return what tells a dead letter from others, and nothing of what was asked for."""
    return f"{job.id[:8]} · {job.pipeline} · {reason_of(voice, job)}"
