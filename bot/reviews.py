"""Held pictures brought to those who decide on them, and what came of it told there, too.

Which process does so is claimed in SQL, as deliveries are. The message carries the job's id in its
buttons, so that presses are understood after any restart, and the channel is searched for it before
it is sent a second time. What it says in the end is the same however often it is said.
"""

from datetime import timedelta
from functools import partial

import discord
import structlog

from bot.admin_messages import write_to
from bot.delivery import LEASE_S, SEARCHED_MESSAGES, Delivery, fitting
from bot.guilds import Guilds
from bot.live import Page
from bot.public_voice import public_voice
from bot.review_controls import ApproveButton
from bot.review_pages import review_page
from bot.texts import Texts, Voice
from bot.verdicts import decided_page
from storage.records import FINISHED, Job
from storage.reviews import UNSENT, Review, ReviewStore

NONCE_LENGTH = 25
DEFAULT_MAX_BYTES = 10 * 2**20
"""What Discord takes where it has not said anything else."""

log = structlog.get_logger()


class Reviews:
    """The messages by which moderators decide; all methods belong to the bot's event loop.

    Args:
        owner: this process, as claims name it.
    """

    def __init__(
        self,
        client: discord.AutoShardedClient,
        *,
        owner: str,
        store: ReviewStore,
        delivery: Delivery,
        guilds: Guilds,
        texts: Texts,
    ) -> None:
        self._client = client
        self._owner = owner
        self._store = store
        self._delivery = delivery
        self._guilds = guilds
        self._texts = texts

    async def pending(self) -> list[Job]:
        """Return the jobs whose message has not been sent, or says not what became of it."""
        return [review.job for review in await self._store.pending()]

    async def post(self, job_id: str) -> None:
        """Tell a held job's member that it is, and ask those who decide; once, whoever calls it.

        Raises:
            discord.HTTPException: Discord cannot be reached now; it stays to be done.
        """
        review = await self._store.claim(job_id, owner=self._owner, lease_s=LEASE_S)
        if review is None:
            return
        reply_id = await self._delivery.held(review.job)
        try:
            message_id = await self._find_sent(review) or await self._send(review)
        except (discord.Forbidden, discord.NotFound) as err:
            log.warning("a picture cannot be brought to approval", job=job_id, code=err.code)
            message_id = UNSENT
            await self._say_trouble(review)
        await self._store.sent(job_id, message_id=message_id, reply_id=reply_id)

    async def update(self, job_id: str) -> None:
        """Have the message of a job that is held no more say what became of it.

        Raises:
            discord.HTTPException: Discord cannot be reached now; it stays to be done.
        """
        review = await self._store.find(job_id)
        if review is None or review.job.state not in FINISHED:
            return
        view = decided_page(await self.voice(review.job.guild_id), review)
        channel = self._client.get_partial_messageable(review.channel_id)
        try:
            # One that was sent and not remembered is looked for; there is none as a rule.
            message_id = review.message_id or await self._find_sent(review)
            if message_id:
                await channel.get_partial_message(message_id).edit(view=view, attachments=[])
        except (discord.Forbidden, discord.NotFound) as err:
            log.info("a message about approval is out of reach", job=job_id, code=err.code)
        await self._store.close(job_id)

    async def page(self, review: Review, *, max_bytes: int) -> Page:
        """Draw the question whether a picture may be shown."""
        job, everything = review.job, frozenset(review.job.outputs)
        files, lost = await self._delivery.files(job, max_bytes=max_bytes, covered=everything)
        view = review_page(
            await self.voice(job.guild_id),
            job,
            pictures={number: file.filename for number, file in files.items()},
            lost=list(dict.fromkeys(lost)),
        )
        return Page(view=view, files=tuple(files.values()))

    async def voice(self, guild_id: int | None) -> Voice:
        """Return the texts in the language of a guild."""
        return await public_voice(
            guild_id, client=self._client, guilds=self._guilds, texts=self._texts
        )

    async def _send(self, review: Review) -> int:
        guild = self._client.get_guild(review.job.guild_id or 0)
        most = guild.filesize_limit if guild is not None else DEFAULT_MAX_BYTES
        return await fitting(partial(self._send_within, review), max_bytes=most)

    async def _send_within(self, review: Review, max_bytes: int) -> int:
        page = await self.page(review, max_bytes=max_bytes)
        channel = self._client.get_partial_messageable(review.channel_id)
        # The result's own message has the job's nonce.
        nonce = f"r{review.job.nonce}"[:NONCE_LENGTH]
        message = await channel.send(view=page.view, files=page.files, nonce=nonce)
        return message.id

    async def _find_sent(self, review: Review) -> int | None:
        """Look in the channel for a message with the buttons that decide on a job."""
        channel = self._client.get_partial_messageable(review.channel_id)
        since = (review.job.held_at or review.job.created_at) - timedelta(minutes=1)
        wanted = ApproveButton(review.job.id, label=None).custom_id
        try:
            async for message in channel.history(limit=SEARCHED_MESSAGES, after=since):
                if wanted in _custom_ids(message):
                    return message.id
        except discord.Forbidden:
            log.info("the channel's history may not be read", channel=review.channel_id)
        return None

    async def _say_trouble(self, review: Review) -> None:
        """Tell who chose that channel, once, that nothing can be written there."""
        guild_id, channel_id = review.job.guild_id or 0, review.channel_id
        told = self._guilds.places.approval_troubled(guild_id, channel_id, trouble="unreachable")
        voice = await self.voice(guild_id)
        guild = self._client.get_guild(guild_id)
        name = guild.name if guild is not None else str(guild_id)
        for actor_id in await self._guilds.acted(guild_id, told):
            text = voice.say("review.unreachable", channel=channel_id, guild=name)
            await write_to(self._client, actor_id, text)


def _custom_ids(message: discord.Message) -> set[str | None]:
    rows = (getattr(component, "children", ()) for component in message.components)
    return {getattr(child, "custom_id", None) for children in rows for child in children}
