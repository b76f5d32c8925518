"""What the buttons do, each checked against the job before anything else happens.

Checks read one row and come before the acknowledgement, so that a refusal is seen by whoever
pressed and by nobody else. The quota is checked again where every order is: when it is accepted.
"""

import asyncio
import dataclasses

import discord

from bot.acknowledging import think
from bot.details import details_page
from bot.errors import NotYoursError, PictureDeletedError, PromptMissingError
from bot.forms import Filled, PictureForm
from bot.notices import ACCENT, notice
from bot.orders import Order, Parameters, Picture, any_seed
from bot.prompts import clean_prompt
from bot.services import client_of, services_of, voice_of
from bot.variations import variation
from generation.registry import pipeline_spec
from generation.request import Canvas, NoteCode
from storage.errors import NotOwnerError
from storage.records import Job

CHECK_S = 2.0
"""How long a check may take: the acknowledgement is due after three seconds."""


async def again(interaction: discord.Interaction, job_id: str) -> None:
    """Order a job's picture once more, with a new seed.

    Raises:
        NotYoursError: somebody else's; nothing was reserved.
        NotFoundError: there is no such job in this guild.
        PictureDeletedError: what it was made from is no longer kept.
        TooManyPicturesError: the installation makes fewer at once by now.
    """
    _, order = await _ordered(interaction, job_id)
    await think(interaction)
    await services_of(interaction).dispatcher.place(interaction, order)


async def vary(interaction: discord.Interaction, job_id: str, number: int = 0) -> None:
    """Order another picture like one of a job's results, a little different.

    Raises:
        NotYoursError: somebody else's; nothing was reserved.
        NotFoundError: there is no such job in this guild.
        PictureDeletedError: the result is no longer kept.
        UnknownModelError, UnusableModelError: what made it cannot be used any more.
    """
    job = await _own(interaction, job_id)
    before = order_of(job)
    if number not in job.outputs:
        raise PictureDeletedError(job.id)
    width, height = before.size
    picture = Picture(file=job.outputs[number], width=width, height=height)
    takes_words = pipeline_spec(job.pipeline).takes_words
    order = variation(
        services_of(interaction),
        voice_of(interaction),
        picture,
        amount="subtle",
        prompt=before.prompt,
        negative_prompt=before.negative_prompt,
        model=job.model if takes_words else None,
        parent_id=job.id,
    )
    await think(interaction)
    await services_of(interaction).dispatcher.place(interaction, order)


async def edit(interaction: discord.Interaction, job_id: str) -> None:
    """Open the form with a job's words and strength.

    Raises:
        NotYoursError: somebody else's.
        NotFoundError: there is no such job in this guild.
        PictureDeletedError: what it was made from is no longer kept.
        TooManyPicturesError: the installation makes fewer at once by now.
    """
    job, order = await _ordered(interaction, job_id)
    voice = voice_of(interaction)

    async def submit(sent: discord.Interaction, filled: Filled) -> None:
        await edited(sent, job_id, filled)

    takes_words = pipeline_spec(job.pipeline).takes_words
    form = PictureForm(
        voice,
        title=voice.say("form.edit.title"),
        custom_id=f"atelier:edit:{job_id}",
        submit=submit,
        prompt=order.prompt if takes_words else None,
        strength=order.strength if isinstance(order.image, Picture) or not takes_words else None,
    )
    await client_of(interaction).open_form(interaction, form)


async def edited(interaction: discord.Interaction, job_id: str, filled: Filled) -> None:
    """Order a job's picture with other words or another strength, and its seed.

    Raises:
        PromptMissingError: the words were taken away.
        NotYoursError: somebody else's; nothing was reserved.
        TooManyPicturesError: the installation makes fewer at once by now.
    """
    job, order = await _ordered(interaction, job_id)
    strength = order.strength if filled.strength is None else filled.strength
    order = dataclasses.replace(order, strength=strength, seed=job.seed)
    prompt = clean_prompt(filled.prompt)
    if order.prompt and not prompt:
        raise PromptMissingError("the form's prompt is empty")
    if prompt and prompt != order.prompt:
        order = dataclasses.replace(order, prompt=prompt, subject=prompt, preset=None, layers=())
    await think(interaction)
    await services_of(interaction).dispatcher.place(interaction, order)


async def tell(interaction: discord.Interaction, job_id: str) -> None:
    """Tell whoever pressed, and nobody else, how a job's pictures were made.

    Raises:
        NotYoursError: somebody else's.
        NotFoundError: there is no such job in this guild.
        PictureDeletedError: the pictures are no longer kept.
    """
    job = await _own(interaction, job_id)
    if not job.outputs:
        raise PictureDeletedError(job.id)
    page = details_page(voice_of(interaction), job)
    await interaction.response.send_message(view=page, ephemeral=True)


async def delete(interaction: discord.Interaction, job_id: str) -> None:
    """Delete a picture and the message it stands in.

    Raises:
        NotYoursError: somebody else's, and the member may not manage messages.
        NotFoundError: there is no such job in this guild.
    """
    await interaction.response.defer()
    moderates = interaction.permissions.manage_messages
    try:
        await services_of(interaction).jobs.delete_output(
            job_id,
            guild_id=interaction.guild_id,
            member_id=None if moderates else interaction.user.id,
        )
    except NotOwnerError as err:
        raise NotYoursError("delete") from err
    await interaction.delete_original_response()


async def stop(interaction: discord.Interaction, job_id: str) -> None:
    """Stop a job that waits or runs; its quota comes back whole.

    Raises:
        NotYoursError: somebody else's, and the member may not manage messages.
        NotFoundError: there is no such job in this guild.
    """
    await interaction.response.defer()
    if interaction.permissions.manage_messages:
        await services_of(interaction).jobs.owned(job_id, guild_id=interaction.guild_id)
    else:
        await _own(interaction, job_id)
    await services_of(interaction).dispatcher.stop(job_id)


async def erase(interaction: discord.Interaction, member_id: int) -> None:
    """Erase all that is kept about whoever pressed, once their jobs have been stopped.

    Raises:
        NotYoursError: the button is another member's.
    """
    if interaction.user.id != member_id:
        raise NotYoursError("another member's consent")
    await interaction.response.defer()
    services, voice = services_of(interaction), voice_of(interaction)
    await services.dispatcher.stop_all(await services.privacy.unfinished(member_id))
    done = await services.privacy.erase(member_id)
    text = voice.say("privacy.delete.done", jobs=done.jobs, pictures=done.files)
    await interaction.edit_original_response(view=notice(text, colour=ACCENT))


def order_of(job: Job) -> Order:
    """Return the order that a job came from, with a new seed.

    Raises:
        PictureDeletedError: what it was made from is no longer kept.
    """
    if job.parameters is None or job.deleted_at is not None:
        raise PictureDeletedError(job.id)
    kept = Parameters.of_job(job)
    # Whether a word rule is broken is found anew when the order is placed.
    notes = tuple(note for note in kept.notes if note.code is not NoteCode.WORD_RULE)
    kept = dataclasses.replace(kept, notes=notes)
    return Order(
        command=job.command,
        pipeline=job.pipeline,
        image=_start_of(job, kept),
        beside={name: file for name, file in job.inputs.items() if name != "image"},
        strength=kept.strength,
        seed=any_seed(),
        prompt=job.prompt or "",
        negative_prompt=kept.negative_prompt,
        guidance_scale=kept.guidance_scale,
        num_inference_steps=kept.num_inference_steps,
        scheduler=kept.scheduler,
        manner=kept.manner,
        chosen=kept.chosen,
        control=kept.control,
        like_strength=kept.like_strength,
        direction=kept.direction,
        frames=kept.frames,
        ratio=kept.ratio,
        mix=kept.mix,
        count=kept.count,
        subject=kept.subject,
        preset=kept.preset,
        layers=kept.layers,
        model=job.model,
        parent_id=job.id,
        notes=kept.notes if job.image is None else (),
    )


def _start_of(job: Job, kept: Parameters) -> Picture | Canvas:
    """Return the picture that a job started from, or the empty canvas of one from words alone."""
    if job.image is None:
        return Canvas(width=kept.width, height=kept.height)
    return Picture(file=job.image, width=kept.width, height=kept.height, notes=kept.notes)


async def _ordered(interaction: discord.Interaction, job_id: str) -> tuple[Job, Order]:
    """Return a job of whoever pressed, and the order that it came from."""
    job = await _own(interaction, job_id)
    order = order_of(job)
    services_of(interaction).limits.require_count(order.count)
    return job, order


async def _own(interaction: discord.Interaction, job_id: str) -> Job:
    """Return a job of this guild and of whoever pressed."""
    try:
        async with asyncio.timeout(CHECK_S):
            return await services_of(interaction).jobs.owned(
                job_id, guild_id=interaction.guild_id, member_id=interaction.user.id
            )
    except NotOwnerError as err:
        raise NotYoursError("another member's button") from err
