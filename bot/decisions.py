"""What moderators decide by buttons: whether a held picture is shown.

Whoever presses is looked at anew each time, wherever the message stands.
"""

from functools import partial

import discord

from bot.forms import ReasonForm
from bot.prompts import clean_prompt
from bot.rights import moderated_guild
from bot.services import client_of, services_of, voice_of
from bot.verdicts import decided_page
from storage.errors import DecidedError
from storage.records import JobState
from storage.reviews import Review


async def approve(interaction: discord.Interaction, job_id: str) -> None:
    """Have a held picture shown.

    Raises:
        ModeratorsOnlyError: whoever pressed may not decide.
        DecidedError: it is not held here, or not any more.
    """
    moderated_guild(interaction)
    await interaction.response.defer()
    await _decide(interaction, job_id, approved=True)


async def refuse(interaction: discord.Interaction, job_id: str) -> None:
    """Open the form that asks for the reason of a refusal.

    Raises:
        ModeratorsOnlyError: whoever pressed may not decide.
        DecidedError: it is not held here, or not any more.
    """
    guild_id = moderated_guild(interaction)
    review = await services_of(interaction).reviews.find(job_id)
    held = review is not None and review.job.state is JobState.HELD
    if review is None or not held or review.job.guild_id != guild_id:
        raise DecidedError("not held here")
    voice = voice_of(interaction)
    form = ReasonForm(
        voice,
        title=voice.say("form.refuse.title"),
        custom_id=f"atelier:refuse:{job_id}",
        submit=partial(refused, job_id=job_id),
    )
    await client_of(interaction).open_form(interaction, form)


async def refused(interaction: discord.Interaction, reason: str, *, job_id: str) -> None:
    """Refuse a held picture; its member reads the reason.

    Raises:
        ModeratorsOnlyError: whoever filled in the form may not decide any more.
        DecidedError: somebody else has decided meanwhile.
    """
    moderated_guild(interaction)
    await interaction.response.defer()
    await _decide(interaction, job_id, approved=False, reason=clean_prompt(reason))


async def _decide(
    interaction: discord.Interaction, job_id: str, *, approved: bool, reason: str = ""
) -> None:
    """Decide, and have the message that was pressed in say so."""
    services, actor_id = services_of(interaction), interaction.user.id
    job = await services.dispatcher.decide(
        job_id,
        guild_id=moderated_guild(interaction),
        actor_id=actor_id,
        approved=approved,
        reason=reason,
    )
    done = Review(job=job, channel_id=0, message_id=None, decided_by=actor_id)
    page = decided_page(voice_of(interaction), done)
    await interaction.edit_original_response(view=page, attachments=[])
