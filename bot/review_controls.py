"""The buttons by which moderators decide on a held picture; they outlive the process, too."""

import discord

from bot import decisions
from bot.answers import guarded
from bot.controls import JOB, JobButton, Pressed


class ApproveButton(JobButton, template=f"atelier:approve:{JOB}"):
    """Has a held picture shown; for those who moderate."""

    action = "approve"
    look = discord.ButtonStyle.success

    async def callback(self, interaction: Pressed) -> None:
        """Have it shown."""
        await guarded(interaction, decisions.approve(interaction, self.job_id))


class RefuseButton(JobButton, template=f"atelier:refuse:{JOB}"):
    """Asks why a held picture is not to be shown; for those who moderate."""

    action = "refuse"
    look = discord.ButtonStyle.danger

    async def callback(self, interaction: Pressed) -> None:
        """Ask for the reason."""
        await guarded(interaction, decisions.refuse(interaction, self.job_id))


REVIEW_BUTTONS = (ApproveButton, RefuseButton)
