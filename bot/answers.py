"""The one error handler: a sentence for the member, a line in the log.

Precedence: an interaction that somebody else has answered, or that came too late, is left alone;
then a refusal is said as it is; then anything known is said with its sentence; the rest is a fault
of ours, which is said in general words and logged with its traceback.
"""

from collections.abc import Awaitable

import aiohttp
import discord
import structlog
from discord import app_commands, ui

from bot.errors import BotError, RefusedError, sentence
from bot.notices import refusal
from bot.services import attend, services_of, voice_of
from generation.errors import GenerationError
from storage.errors import CutOffError, QuotaExceededError, StorageError

ALREADY_ANSWERED = 40060
UNKNOWN_INTERACTION = 10062
EXPECTED = (BotError, GenerationError, StorageError, app_commands.AppCommandError)

log = structlog.get_logger()


async def answer_error(interaction: discord.Interaction, error: Exception) -> None:
    """Tell the member what went wrong, and the log."""
    cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
    if _is_not_ours(cause):
        log.info("an interaction was not ours to answer", interaction=interaction.id)
        if isinstance(cause, discord.HTTPException):
            await _over(interaction)
        return
    _write_down(interaction, cause)
    if interaction.client.is_closed():
        return
    voice = voice_of(interaction)
    page = refusal(sentence(cause, voice.texts, voice.locale))
    private = isinstance(cause, BotError) and cause.private
    try:
        await _answer(interaction, page, private=private)
    except (discord.HTTPException, aiohttp.ClientError, TimeoutError) as err:
        log.warning("a refusal could not be said", interaction=interaction.id, reason=str(err))
        return
    await _over(interaction)


async def guarded(interaction: discord.Interaction, work: Awaitable[None]) -> None:
    """Answer a button or a form under the handler that commands have."""
    try:
        await attend(interaction)
        await work
        await _over(interaction)
    except Exception as error:
        await answer_error(interaction, error)


async def _over(interaction: discord.Interaction) -> None:
    """Take note that whoever interacted has been answered."""
    await services_of(interaction).acknowledger.answered(interaction.id)


async def _answer(interaction: discord.Interaction, page: ui.LayoutView, *, private: bool) -> None:
    """Say something where it is seen: in place of the thinking, or to the member alone."""
    thinks = discord.InteractionResponseType.deferred_channel_message
    if not interaction.response.is_done():
        await interaction.response.send_message(view=page, ephemeral=True)
    elif interaction.response.type is thinks and not private:
        await interaction.edit_original_response(view=page, attachments=[])
    elif interaction.response.type is thinks:
        # A message takes the place of the thinking and is seen by whom that was seen by.
        await interaction.delete_original_response()
        await interaction.followup.send(view=page, ephemeral=True)
    else:
        await interaction.followup.send(view=page, ephemeral=True)


def _is_not_ours(error: Exception) -> bool:
    """Tell whether the interaction has an answer already, or cannot have one any more."""
    if isinstance(error, discord.InteractionResponded | CutOffError):
        return True
    codes = (ALREADY_ANSWERED, UNKNOWN_INTERACTION)
    return isinstance(error, discord.HTTPException) and error.code in codes


def _write_down(interaction: discord.Interaction, error: Exception) -> None:
    """Write one line: short for what is expected, with the traceback for what is not."""
    facts = {"interaction": interaction.id, "error": type(error).__name__, "detail": str(error)}
    if isinstance(error, RefusedError | QuotaExceededError):
        log.info("refused", **facts)
    elif isinstance(error, EXPECTED):
        log.warning("failed", **facts)
    else:
        log.error("an unexpected error", **facts, exc_info=error)
