"""What a member is told of what is kept about them, given of it, and what erases it."""

import asyncio
import io

import discord
from discord import ui

from bot.controls import EraseButton
from bot.exports import Part, Plan, packed, planned
from bot.notices import ACCENT, WARNING, notice
from bot.services import Services, services_of, voice_of
from bot.texts import Voice
from storage.privacy import Holdings

PARTS_AT_ONCE = 5
"""Where the bot came with a member and not with a guild, Discord takes no more answers."""
EXPORTS_AT_ONCE = 2


class Exports:
    """Sends members what is kept about them, a few at a time."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(EXPORTS_AT_ONCE)

    async def send(self, interaction: discord.Interaction, *, first: int) -> None:
        """Send a member's export, in an answer that was deferred and that only they see."""
        async with self._room:
            services, voice = services_of(interaction), voice_of(interaction)
            kept = await services.privacy.kept(interaction.user.id)
            plan = await asyncio.to_thread(
                planned,
                kept,
                about=voice.say("privacy.export.about"),
                max_bytes=interaction.filesize_limit,
            )
            sent = plan.parts[first - 1 : first - 1 + PARTS_AT_ONCE]
            if not sent:
                text = voice.say("privacy.export.beyond", parts=len(plan.parts))
                await interaction.edit_original_response(view=notice(text))
                return
            for part in sent:
                page, file = await _page(services, voice, plan, part, more=part is sent[-1])
                if part is sent[0]:
                    await interaction.edit_original_response(view=page, attachments=[file])
                else:
                    await interaction.followup.send(view=page, file=file, ephemeral=True)


def holdings_text(voice: Voice, here: Holdings, everywhere: Holdings, *, days: int) -> str:
    """Return what is kept about a member, how long, and who sees it."""
    lines = [
        voice.say("privacy.show.title"),
        _line(voice, "privacy.show.here", here),
        _line(voice, "privacy.show.everywhere", everywhere),
        voice.say("privacy.show.kept", days=days),
        voice.say("privacy.show.stays", movements=everywhere.movements),
        voice.say("privacy.show.seen"),
        voice.say("privacy.show.act"),
    ]
    return "\n".join(lines)


def consent_page(voice: Voice, everywhere: Holdings, member_id: int) -> ui.LayoutView:
    """Return the question whether all is to be erased, with the button that does it."""
    text = _line(voice, "privacy.delete.ask", everywhere)
    view = notice(text, colour=WARNING)
    view.add_item(ui.ActionRow(EraseButton(member_id, label=voice.say("privacy.delete.button"))))
    return view


def _line(voice: Voice, key: str, held: Holdings) -> str:
    since = voice.say("privacy.never")
    if held.since is not None:
        since = f"<t:{int(held.since.timestamp())}:D>"
    return voice.say(
        key,
        jobs=held.jobs,
        contents=held.contents,
        unfinished=held.unfinished,
        pictures=held.pictures,
        size=size(held.size_bytes),
        since=since,
    )


def size(size_bytes: int) -> str:
    """Return a length as people say it."""
    if size_bytes < 10**6:
        return f"{size_bytes / 1000:.0f} KB"
    return f"{size_bytes / 10**6:.1f} MB"


async def _page(
    services: Services, voice: Voice, plan: Plan, part: Part, *, more: bool
) -> tuple[ui.LayoutView, discord.File]:
    """Return the message of one part, and its file; the last that is sent says what is left."""
    lines = [voice.say("privacy.export.part", number=part.number, parts=len(plan.parts))]
    if part.number == 1:
        lines.append(voice.say("privacy.export.holds", pictures=plan.pictures))
    if part.number == 1 and plan.left_out:
        lines.append(voice.say("privacy.export.left_out", count=plan.left_out))
    if more and part is not plan.parts[-1]:
        lines.append(voice.say("privacy.export.more", next=part.number + 1))
    name = f"atelier-{part.number}-of-{len(plan.parts)}.zip"
    view = notice("\n".join(lines), colour=ACCENT)
    view.add_item(ui.File(f"attachment://{name}"))
    data = await packed(part, services.files)
    return view, discord.File(io.BytesIO(data), filename=name)
