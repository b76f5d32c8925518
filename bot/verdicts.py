"""What is left of the question whether a picture may be shown: what became of it."""

from discord import ui

from bot.delivery import failure_sentence
from bot.notices import ACCENT, WARNING, notice
from bot.texts import Voice
from storage.records import JobState
from storage.reviews import Review


def decided_page(voice: Voice, review: Review) -> ui.LayoutView:
    """Return what became of a picture, without the picture."""
    job = review.job
    values = {"member": job.member_id, "channel": job.channel_id, "actor": review.decided_by}
    if job.state is JobState.DONE:
        return notice(voice.say("review.approved", **values), colour=ACCENT)
    if review.decided_by is not None:
        # The sentence is the member's own, with the reason that they were given.
        line = voice.say("review.refused", **values)
        return notice(f"{line}\n-# {failure_sentence(voice, job)}", colour=WARNING)
    key = "review.expired" if job.state is JobState.FAILED else "review.withdrawn"
    return notice(voice.say(key, **values))
