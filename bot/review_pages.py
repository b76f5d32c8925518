"""What moderators see of a picture that they are to approve."""

from collections.abc import Mapping

from discord import ui

from bot.delivery import caption_of
from bot.notices import WARNING
from bot.prompts import shown
from bot.replies import gallery, heading
from bot.review_controls import ApproveButton, RefuseButton
from bot.texts import Voice
from storage.records import Job

LISTED_WORDS, HEADED = 600, 200
"""Characters of a prompt, below the heading and in it."""


def review_page(
    voice: Voice, job: Job, *, pictures: Mapping[int, str], lost: list[str]
) -> ui.LayoutView:
    """Return the pictures, covered, with the buttons that decide on them.

    Args:
        voice: the guild's language.
        job: what is held.
        pictures: the attached files' names, by the pictures' numbers.
        lost: sentences on those that cannot be shown.
    """
    caption = caption_of(voice, job)
    told = voice.say(
        "review.waits",
        member=job.member_id,
        channel=job.channel_id,
        when=int((job.held_at or job.created_at).timestamp()),
    )
    # The heading has the words already, where they are all that was asked for, and not many.
    new = job.prompt if job.prompt != caption.subject or len(caption.subject) > HEADED else ""
    words = f"> {shown(new, limit=LISTED_WORDS)}" if new else ""
    head = "\n".join(filter(None, (heading(caption), told, words, *lost)))
    box = ui.Container[ui.LayoutView](ui.TextDisplay(head), accent_colour=WARNING)
    if pictures:
        alt = voice.say("result.alt", subject=caption.subject[:200])
        box.add_item(gallery(*pictures.values(), description=alt))
    view = ui.LayoutView(timeout=None)
    view.add_item(box)
    view.add_item(
        ui.ActionRow(
            ApproveButton(job.id, label=voice.say("button.approve")),
            RefuseButton(job.id, label=voice.say("button.refuse")),
        )
    )
    return view
