"""What the bot's messages look like: Components V2, built anew for every edit."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import discord
from discord import ui

from bot.controls import (
    AgainButton,
    DeleteButton,
    DetailsButton,
    EditButton,
    StopButton,
    VaryButton,
)
from bot.notices import ACCENT, QUIET, refusal
from bot.prompts import shown
from bot.texts import Phrase, Voice
from generation.request import Note, NoteCode, Progress, Stage

BAR_CELLS = 16
ROW_BUTTONS = 5
"""As many as Discord puts into one row."""
MAX_NOTE_WORDS = 24
SPOILER = "SPOILER_"
"""What Discord has the names of files begin with that are covered at first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """What a job is, in the words of its command.

    Args:
        title: the command's own name for what it does.
        subject: the prompt, or the artwork's title; text of a stranger.
    """

    job_id: str
    title: str
    subject: str


def progress_page(
    voice: Voice, caption: Caption, line: str, *, preview: str | None = None
) -> ui.LayoutView:
    """Return the message while a job waits or runs; ``preview`` names the attached picture."""
    view = ui.LayoutView(timeout=None)
    lines = f"{heading(caption)}\n{line}"
    box = ui.Container[ui.LayoutView](ui.TextDisplay(lines), accent_colour=QUIET)
    if preview is not None:
        box.add_item(gallery(preview, description=voice.say("progress.preview.alt")))
    view.add_item(box)
    view.add_item(ui.ActionRow(StopButton(caption.job_id, label=voice.say("button.stop"))))
    return view


def held_page(voice: Voice, caption: Caption) -> ui.LayoutView:
    """Return the message while somebody has to approve what was made."""
    view = ui.LayoutView(timeout=None)
    lines = f"{heading(caption)}\n{voice.say('progress.held')}"
    view.add_item(ui.Container[ui.LayoutView](ui.TextDisplay(lines), accent_colour=QUIET))
    view.add_item(ui.ActionRow(StopButton(caption.job_id, label=voice.say("button.stop"))))
    return view


def progress_line(voice: Voice, progress: Progress) -> str:
    """Return the line that says how far a job is."""
    eta = "" if progress.eta_s is None else voice.say("progress.eta", time=span(progress.eta_s))
    if progress.stage is Stage.QUEUED:
        if progress.position:
            return voice.say("progress.queued", place=progress.position, eta=eta)
        return voice.say("progress.next", eta=eta)
    if progress.stage is Stage.LOADING:
        return voice.say("progress.loading", eta=eta)
    if progress.stage is Stage.FINISHING or not progress.total_steps:
        return f"`{bar(1.0)}` {voice.say('progress.finishing')}"
    share = progress.step / progress.total_steps
    return voice.say(
        "progress.running",
        bar=f"`{bar(share)}`",
        step=progress.step,
        steps=progress.total_steps,
        eta=eta,
    )


def bar(share: float) -> str:
    """Return a bar of which a share from 0 to 1 is full."""
    full = round(min(max(share, 0.0), 1.0) * BAR_CELLS)
    return "█" * full + "░" * (BAR_CELLS - full)


def span(seconds: float) -> Phrase:
    """Return a duration as people say it: 8 s, 3 min, 1.5 h."""
    if seconds < 90:
        return Phrase("unit.seconds", {"value": max(1, round(seconds))})
    if seconds < 5400:
        return Phrase("unit.minutes", {"value": round(seconds / 60)})
    return Phrase("unit.hours", {"value": f"{round(seconds / 3600, 1):g}"})


def result_page(
    voice: Voice,
    caption: Caption,
    *,
    pictures: Mapping[int, str],
    details: str,
    notes: Iterable[str] = (),
    opening: str | None = None,
) -> ui.LayoutView:
    """Return the message with the finished pictures and their buttons.

    Args:
        voice: the member's language.
        caption: what the job is.
        pictures: the attached files' names, by the pictures' numbers.
        details: the parameters that it was made with.
        notes: sentences that the pipeline owes the member.
        opening: a line before all others, such as whom a late picture is for.
    """
    view = ui.LayoutView(timeout=None)
    head = "\n".join(filter(None, (opening, heading(caption))))
    box = ui.Container[ui.LayoutView](ui.TextDisplay(head), accent_colour=ACCENT)
    alt = voice.say("result.alt", subject=caption.subject[:200])
    box.add_item(gallery(*pictures.values(), description=alt))
    box.add_item(ui.TextDisplay("\n".join(f"-# {line}" for line in (details, *notes))))
    view.add_item(box)
    vary = _vary_buttons(voice, caption.job_id, pictures)
    alone, several = (vary, []) if len(vary) == 1 else ([], vary)
    for row in range(0, len(several), ROW_BUTTONS):
        view.add_item(ui.ActionRow(*several[row : row + ROW_BUTTONS]))
    view.add_item(
        ui.ActionRow(
            AgainButton(caption.job_id, label=voice.say("button.again")),
            *alone,
            EditButton(caption.job_id, label=voice.say("button.edit")),
            DetailsButton(caption.job_id, label=voice.say("button.details")),
            DeleteButton(caption.job_id, label=voice.say("button.delete")),
        )
    )
    return view


def _vary_buttons(voice: Voice, job_id: str, numbers: Iterable[int]) -> list[VaryButton]:
    """Return a button for each picture; several have their numbers on them."""
    label, found = voice.say("button.vary"), list(numbers)
    if found == [0]:
        return [VaryButton(job_id, label=label)]
    return [VaryButton(job_id, number=each, label=f"{label} {each + 1}") for each in found]


def failure_page(
    voice: Voice, job_id: str, *, text: str, opening: str | None = None
) -> ui.LayoutView:
    """Return the message of a job without a picture, and a button to try again."""
    lines = "\n".join(filter(None, (opening, voice.say("result.uncharged", sentence=text))))
    view = refusal(lines)
    view.add_item(ui.ActionRow(AgainButton(job_id, label=voice.say("button.retry"))))
    return view


def note_sentence(voice: Voice, note: Note) -> str:
    """Return the sentence for a pipeline's remark."""
    named = tuple(shown(word, limit=40) for word in note.words[:MAX_NOTE_WORDS])
    key = f"note.{note.code.value}"
    if note.code in (NoteCode.FITTED, NoteCode.PROMPT_CUT) and not note.words:
        key += ".plain"
    return voice.say(key, words=named)


def heading(caption: Caption) -> str:
    """Return the line that says what a job is."""
    subject = shown(caption.subject)
    return f"**{caption.title}** · {subject}" if subject else f"**{caption.title}**"


def gallery(*names: str, description: str) -> ui.MediaGallery[ui.LayoutView]:
    """Return attached pictures side by side; those whose names say so are covered at first."""
    about = description[:256]
    items = (
        discord.MediaGalleryItem(
            f"attachment://{it}", description=about, spoiler=it.startswith(SPOILER)
        )
        for it in names
    )
    return ui.MediaGallery(*items)
