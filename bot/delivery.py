"""Progress, result or failure to the member: in place, or in the channel once that is over.

An interaction's token edits the original reply for fifteen minutes. The edit says the same thing
however often it is made. After that only a new message is possible; it carries the job's nonce and
the job's id in its buttons, and the channel is searched for it before it is sent a second time.
"""

import io
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime, timedelta
from functools import partial
from typing import cast

import discord
import structlog

from bot.details import details
from bot.errors import stored_sentence
from bot.live import LiveMessage, Page
from bot.notices import notice, refusal
from bot.orders import Parameters, notes_from_json, seed_of
from bot.prompts import shown
from bot.reasons import error_named
from bot.replies import (
    Caption,
    failure_page,
    held_page,
    note_sentence,
    progress_line,
    progress_page,
    result_page,
)
from bot.texts import Texts, Voice
from generation.codecs import CodecPool
from generation.request import Progress
from storage.acknowledgements import Acknowledgement
from storage.clock import Clock, utc_now
from storage.errors import CutOffError, FileDamagedError, FileMissingError
from storage.files import FileStore
from storage.jobs import JobStore
from storage.records import Job, JobState
from storage.reviews import REASON

ORIGINAL = cast("int", "@original")
"""The route takes this word in the place of a message's id."""
TOKEN_MARGIN = timedelta(seconds=10)
TOKEN_CODES = frozenset({50027, 10015, 10062})
"""The interaction's token is over, or Discord no longer knows it."""
UNKNOWN_MESSAGE = 10008
TOO_LARGE_CODE = 40005
SHRINKS = 3
LEASE_S = 120.0
"""So long may a result take to get to Discord before another process tries, too."""
SEARCHED_MESSAGES = 100

log = structlog.get_logger()


class Delivery:
    """Brings what became of a job to its member.

    Args:
        owner: this process, as claims name it.
    """

    def __init__(
        self,
        client: discord.AutoShardedClient,
        *,
        owner: str,
        jobs: JobStore,
        files: FileStore,
        codecs: CodecPool,
        texts: Texts,
        interval_s: float,
        clock: Clock = utc_now,
    ) -> None:
        self._client = client
        self._owner = owner
        self._jobs = jobs
        self._files = files
        self._codecs = codecs
        self._texts = texts
        self._interval_s = interval_s
        self._clock = clock

    def open(self, job: Job) -> LiveMessage:
        """Return the job's reply as a message that lives; silent once the token is over.

        Every edit with a token that is over counts towards Discord's limit of invalid requests.
        """
        over = False

        async def edit(page: Page) -> None:
            nonlocal over
            if over or not self._token_lives(job):
                return
            try:
                await self._edit_original(job, page)
            except discord.HTTPException as err:
                over = err.code in (*TOKEN_CODES, UNKNOWN_MESSAGE)
                raise

        return LiveMessage(edit, interval_s=self._interval_s)

    def hears(self, job: Job) -> bool:
        """Tell whether this process is the one that Discord tells of the job's guild."""
        shard = ((job.guild_id or 0) >> 22) % (self._client.shard_count or 1)
        return shard in self._client.shards

    async def progress(self, job: Job, progress: Progress, *, preview: bytes | None = None) -> Page:
        """Draw how far a job is, with a small JPEG of another process or the progress' own."""
        files: tuple[discord.File, ...] = ()
        if progress.preview is not None:
            preview = (await self._codecs.thumbnail(progress.preview)).data
        if preview is not None:
            name = f"preview-{progress.step}.jpg"
            files = (discord.File(io.BytesIO(preview), filename=name),)
        voice = self._voice(job)
        view = progress_page(
            voice,
            caption_of(voice, job),
            progress_line(voice, progress),
            preview=files[0].filename if files else None,
        )
        return Page(view=view, files=files)

    async def resting(self, job: Job) -> Page:
        """Say that a job has failed and is tried again."""
        voice = self._voice(job)
        return Page(view=progress_page(voice, caption_of(voice, job), voice.say("progress.again")))

    async def restarting(self, job: Job) -> None:
        """Say that the bot goes away for a moment, and that the job stays."""
        if self._token_lives(job):
            page = Page(view=notice(self._voice(job).say("progress.restarting")))
            await self._edit_original(job, page)

    async def held(self, job: Job) -> int | None:
        """Say that somebody has to approve a picture; return the reply's id, if there still is one.

        Raises:
            discord.HTTPException: Discord cannot be reached now.
        """
        if not self._token_lives(job):
            return None
        page = Page(view=held_page(self._voice(job), caption_of(self._voice(job), job)))
        try:
            return await self._edit_original(job, page)
        except discord.HTTPException as err:
            if err.code not in (*TOKEN_CODES, UNKNOWN_MESSAGE):
                raise
            return None

    async def deliver(self, job_id: str) -> None:
        """Tell the member what became of a finished job; once, whoever calls it how often.

        Raises:
            discord.HTTPException: Discord cannot be reached now; the job stays undelivered.
        """
        job = await self._jobs.claim_delivery(job_id, owner=self._owner, lease_s=LEASE_S)
        if job is None:
            return
        message_id = await self._tell(job)
        await self._jobs.delivered(job_id, message_id=message_id)

    async def _tell(self, job: Job) -> int | None:
        """Edit the original, or send anew; return the message's id, None when there is nobody."""
        if self._token_lives(job):
            try:
                return await self._fitting(job, late=False)
            except discord.HTTPException as err:
                if err.code == UNKNOWN_MESSAGE:
                    log.info("a reply had been deleted before its picture came", job=job.id)
                    return None
                if err.code not in TOKEN_CODES:
                    raise
        try:
            sent_id = await self._find_sent(job) or await self._fitting(job, late=True)
            if job.held_at is not None and job.message_id not in (None, sent_id):
                await self._remove(job)
            return sent_id
        except (discord.Forbidden, discord.NotFound) as err:
            log.warning("a member cannot be reached any more", job=job.id, code=err.code)
            return None

    async def _fitting(self, job: Job, *, late: bool) -> int:
        """Send a job's answer in files that Discord takes."""
        return await fitting(
            partial(self._send, job, late=late), max_bytes=self._max_bytes(job, late=late)
        )

    async def _send(self, job: Job, max_bytes: int, *, late: bool) -> int:
        page = await self._answer(job, max_bytes=max_bytes, late=late)
        if not late:
            return await self._edit_original(job, page)
        channel = self._client.get_partial_messageable(job.channel_id)
        message = await channel.send(view=page.view, files=page.files, nonce=job.nonce)
        return message.id

    async def cut_off(self, left: Acknowledgement) -> None:
        """Tell whoever still sees "thinking ..." that the command has to be sent again.

        Raises:
            discord.HTTPException: Discord cannot be reached now.
        """
        webhook = self._webhook(left.token)
        text = stored_sentence(CutOffError, self._texts, left.locale)
        try:
            seen = await webhook.fetch_message(ORIGINAL)
            if seen.flags.loading:
                await webhook.edit_message(ORIGINAL, view=refusal(text))
        except discord.HTTPException as err:
            if err.code not in (*TOKEN_CODES, UNKNOWN_MESSAGE):
                raise
            log.info("a command had never been acknowledged", interaction=left.interaction_id)

    async def _edit_original(self, job: Job, page: Page) -> int:
        assert job.interaction_token is not None, "tokens are kept while they are of use"
        webhook = self._webhook(job.interaction_token)
        message = await webhook.edit_message(ORIGINAL, view=page.view, attachments=page.files)
        return message.id

    async def _remove(self, job: Job) -> None:
        """Remove the reply that said that a job is held; the answer stands elsewhere now."""
        assert job.message_id is not None, "the caller has looked"
        channel = self._client.get_partial_messageable(job.channel_id)
        try:
            await channel.get_partial_message(job.message_id).delete()
        except (discord.Forbidden, discord.NotFound) as err:
            log.info("a reply is gone already, or out of reach", job=job.id, code=err.code)

    def _webhook(self, token: str) -> discord.Webhook:
        """Return what an interaction's token opens."""
        application_id = self._client.application_id
        assert application_id is not None, "the client has logged in"
        return discord.Webhook.partial(application_id, token, client=self._client)

    async def _find_sent(self, job: Job) -> int | None:
        """Look in the channel for a message with this job's buttons."""
        channel = self._client.get_partial_messageable(job.channel_id)
        since = (job.finished_at or job.created_at) - timedelta(minutes=1)
        try:
            async for message in channel.history(limit=SEARCHED_MESSAGES, after=since):
                if _carries(message, job.id):
                    return message.id
        except discord.Forbidden:
            log.info("the channel's history may not be read", channel=job.channel_id)
        return None

    async def _answer(self, job: Job, *, max_bytes: int, late: bool) -> Page:
        """Draw the result or the failure."""
        voice = self._voice(job)
        opening = voice.say("result.late_failure", member=job.member_id) if late else None
        if job.state is not JobState.DONE or job.output is None:
            text = failure_sentence(voice, job)
            return Page(view=failure_page(voice, job.id, text=text, opening=opening))
        files, lost = await self.files(job, max_bytes=max_bytes, covered=_hidden(job))
        if not files:
            return Page(view=failure_page(voice, job.id, text=lost[0], opening=opening))
        view = result_page(
            voice,
            caption_of(voice, job),
            pictures={number: it.filename for number, it in files.items()},
            details=details(voice, job),
            notes=[*self._remarks(job), *dict.fromkeys(lost)],
            opening=_late_opening(voice, job) if late else None,
        )
        return Page(view=view, files=tuple(files.values()))

    def _remarks(self, job: Job) -> list[str]:
        """Return the sentences that are owed to the member besides."""
        voice = self._voice(job)
        outcome = job.notes if isinstance(job.notes, dict) else {}
        notes = (*Parameters.of_job(job).notes, *notes_from_json(outcome.get("notes")))
        said = [note_sentence(voice, note) for note in notes]
        failed = outcome.get("failed", ())
        if failed:
            why = stored_sentence(error_named(failed[0]), self._texts, job.locale)
            said.append(voice.say("result.partly", failed=len(failed), sentence=why))
        return said

    async def files(
        self, job: Job, *, max_bytes: int, covered: Collection[int]
    ) -> tuple[dict[int, discord.File], list[str]]:
        """Return the outputs as files by their numbers, and sentences on those that are lost.

        Args:
            job: whose they are.
            max_bytes: the most that each may have.
            covered: the numbers of those that are covered until somebody wants to see them.
        """
        files: dict[int, discord.File] = {}
        lost: list[str] = []
        for number in sorted(job.outputs):
            try:
                files[number] = await self._file(
                    job, number, max_bytes=max_bytes, covered=number in covered
                )
            except (FileMissingError, FileDamagedError) as err:
                log.error("a picture cannot be delivered", job=job.id, reason=str(err))
                lost.append(stored_sentence(type(err), self._texts, job.locale))
        return files, lost

    async def _file(self, job: Job, number: int, *, max_bytes: int, covered: bool) -> discord.File:
        """Return one of the outputs as a file of at most so many bytes."""
        seed = seed_of(job.seed, number=number)
        file = job.outputs[number]
        moves = file.media_type == "image/gif"
        data, extension = await self._files.read(file.sha256), "gif" if moves else "png"
        if len(data) > max_bytes and moves:
            smaller = await self._codecs.smaller_animation(data, max_bytes=max_bytes)
            data = smaller.data
        elif len(data) > max_bytes:
            pixels = await self._codecs.decode(data)
            smaller = await self._codecs.encode(
                pixels, max_bytes=max_bytes, metadata={"Seed": str(seed)}
            )
            data, extension = smaller.data, smaller.extension
        named = f"{job.id[:8]}-{number + 1}" if len(job.outputs) > 1 else job.id[:8]
        filename = f"atelier-{named}.{extension}"
        return discord.File(io.BytesIO(data), filename=filename, spoiler=covered)

    def _max_bytes(self, job: Job, *, late: bool) -> int:
        guild = self._client.get_guild(job.guild_id) if late and job.guild_id else None
        return guild.filesize_limit if guild is not None else Parameters.of_job(job).max_bytes

    def _token_lives(self, job: Job) -> bool:
        return job.interaction_token is not None and self._now_before(job.token_expires_at)

    def _now_before(self, moment: datetime) -> bool:
        return self._clock() < moment - TOKEN_MARGIN

    def _voice(self, job: Job) -> Voice:
        return Voice(self._texts, job.locale)


def caption_of(voice: Voice, job: Job) -> Caption:
    """Return what a job is, in the words of its command."""
    subject = Parameters.of_job(job).subject
    return Caption(job_id=job.id, title=voice.say(f"title.{job.command}"), subject=subject)


async def fitting(send: Callable[[int], Awaitable[int]], *, max_bytes: int) -> int:
    """Send files of at most so many bytes, with fewer each time that Discord finds them too many.

    Raises:
        discord.HTTPException: Discord does not take them for another reason.
    """
    for _ in range(SHRINKS):
        try:
            return await send(max_bytes)
        except discord.HTTPException as err:
            if err.status != 413 and err.code != TOO_LARGE_CODE:
                raise
            log.info("a picture is sent smaller", max_bytes=max_bytes)
            max_bytes //= 3
    return await send(max_bytes)


def failure_sentence(voice: Voice, job: Job) -> str:
    """Return why a job gave no picture, with the reason of whoever refused it, if they gave one."""
    outcome = job.notes if isinstance(job.notes, dict) else {}
    reason = {"reason": shown(outcome[REASON])} if REASON in outcome else {}
    return stored_sentence(error_named(job.error), voice.texts, voice.locale, **reason)


def _hidden(job: Job) -> Collection[int]:
    """Return the numbers of the pictures that are covered until somebody wants to see them."""
    outcome = job.notes if isinstance(job.notes, dict) else {}
    return frozenset(outcome.get("hidden", ()))


def _late_opening(voice: Voice, job: Job) -> str:
    """Return whom a picture is for that comes in a message of its own, and why it does."""
    key = "result.late" if job.held_at is None else "result.approved"
    return voice.say(key, member=job.member_id)


def _carries(message: discord.Message, job_id: str) -> bool:
    """Tell whether a message has a job's final buttons; progress has others."""
    rows = (getattr(component, "children", ()) for component in message.components)
    found = {getattr(child, "custom_id", None) for children in rows for child in children}
    return f"atelier:again:{job_id}" in found
