"""The buttons by which moderators decide on a held picture; they outlive the process, too."""

import discord

from bot import decisions
from bot.controls import JOB, JobButton


class ApproveButton(JobButton, template=f"atelier:approve:{JOB}"):
    """Has a held picture shown; for those who moderate."""

    action = "approve"
    look = discord.ButtonStyle.success
    act = staticmethod(decisions.approve)


class RefuseButton(JobButton, template=f"atelier:refuse:{JOB}"):
    """Asks why a held picture is not to be shown; for those who moderate."""

    action = "refuse"
    look = discord.ButtonStyle.danger
    act = staticmethod(decisions.refuse)


REVIEW_BUTTONS = (ApproveButton, RefuseButton)
