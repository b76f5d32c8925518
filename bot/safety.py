"""Whether finished pictures may be shown: what a classifier says of them, and who has to approve.

It looks at a picture as it will be delivered, in the engine, before it is stored. A guild that has
its pictures looked at gets none that were not: what cannot be looked at fails, and is refunded.
What people have to approve besides is held, and not even shown as it forms.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Literal
from uuid import uuid4

import structlog

from bot.guilds import Guilds
from bot.orders import Parameters
from generation.classifiers import Classifier, SafetyConfig, find
from generation.errors import (
    EngineBusyError,
    GenerationError,
    JobCancelledError,
    ModelUnavailableError,
    SafetyUnavailableError,
    UnsafePictureError,
)
from generation.executor.client import Executor, Ticket
from generation.registry import SAFETY
from generation.request import ImageRequest, Pixels
from storage.guilds import SafetyPolicy
from storage.places import approval_in
from storage.records import Job

FRESH_S = 10.0
GREY = Pixels(width=64, height=64, data=bytes([128]) * (64 * 64 * 3))

log = structlog.get_logger()


Trouble = Literal["absent", "unread", "failed"]
"""No classifier is installed, its files are not understood, or it failed when last asked."""


class Guard:
    """Looks at finished pictures where a guild's policy wants it.

    Args:
        guilds: who know the policies.
        executor: whose engines have the classifier; None where only policies are asked for.
        clock: seconds that only ever grow.
    """

    def __init__(
        self,
        config: SafetyConfig,
        *,
        guilds: Guilds,
        executor: Executor | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config
        self._guilds = guilds
        self._executor = executor
        self._clock = clock
        self._found: tuple[float, Classifier | ModelUnavailableError] | None = None
        self._failed = ""
        self._tried_at = -FRESH_S
        self._trying = asyncio.Lock()

    async def policy(self, guild_id: int | None) -> SafetyPolicy:
        """Return what becomes of unsafe pictures in a guild."""
        return (await self._guilds.holding(guild_id)).safety

    async def review_channel(self, job: Job) -> int | None:
        """Return where a job's pictures are approved before they are shown, None where nowhere."""
        approvals = (await self._guilds.holding(job.guild_id)).choices.approvals
        above_id = Parameters.of_job(job).above_id
        here = (job.channel_id,) if above_id is None else (job.channel_id, above_id)
        found = approval_in(approvals, here)
        return None if found is None else found.review_channel_id

    async def covers(self, job: Job) -> bool:
        """Return whether a job's pictures are not to be seen before somebody has looked at them."""
        if await self.policy(job.guild_id) != "off":
            return True
        return await self.review_channel(job) is not None

    async def trouble(self) -> Trouble | None:
        """Return in short why no picture can be looked at; None if they can."""
        if isinstance(await self._classifier(), ModelUnavailableError):
            return "absent" if self.config.folder is None else "unread"
        return "failed" if self._failed else None

    async def require_ready(self, guild_id: int | None) -> None:
        """Refuse what could not be shown in a guild for want of a classifier.

        Raises:
            SafetyUnavailableError: the guild's policy wants one; nothing was reserved.
        """
        if await self.policy(guild_id) == "off":
            return
        found = await self._classifier()
        if isinstance(found, ModelUnavailableError):
            raise SafetyUnavailableError(str(found)) from found
        if self._failed:
            await self._try_again()

    async def hides(
        self,
        image: Pixels,
        request: ImageRequest,
        *,
        guild_id: int | None,
        submitted: Callable[[Ticket], None],
    ) -> bool:
        """Return whether a finished picture is to be covered until somebody wants to see it.

        Args:
            image: as it will be delivered.
            request: what it was made from.
            guild_id: where it will be delivered.
            submitted: told of what is asked of the engine, so that it can be cancelled.

        Raises:
            UnsafePictureError: it is not to be shown.
            SafetyUnavailableError: nobody could look at it.
            JobCancelledError: it is not wanted any more.
        """
        policy = await self.policy(guild_id)
        if policy == "off":
            return False
        unsafe = await self._unsafe(image, request, submitted=submitted)
        if unsafe:
            log.info("a picture was found unsafe", job=request.job_id, policy=policy)
        if unsafe and policy == "block":
            raise UnsafePictureError("the classifier finds the picture unsafe")
        return unsafe

    async def _try_again(self) -> None:
        """Look at a grey picture, now and then, to learn whether members' can be looked at.

        Raises:
            SafetyUnavailableError: they cannot.
        """
        async with self._trying:
            if self._failed and self._clock() - self._tried_at < FRESH_S:
                raise SafetyUnavailableError(self._failed)
            if self._failed:
                self._tried_at = self._clock()
                grey = ImageRequest(job_id=f"trial-{uuid4().hex}", pipeline=SAFETY, image=GREY)
                await self._unsafe(GREY, grey, submitted=lambda _: None)

    async def _unsafe(
        self, image: Pixels, request: ImageRequest, *, submitted: Callable[[Ticket], None]
    ) -> bool:
        found = await self._classifier()
        if isinstance(found, ModelUnavailableError):
            raise SafetyUnavailableError(str(found)) from found
        assert self._executor is not None, "who has no engines makes nothing to look at"
        looking = ImageRequest(
            job_id=f"{request.job_id}-{SAFETY}",
            pipeline=SAFETY,
            image=image,
            previews=False,
            guild=request.guild,
            member=request.member,
        )
        try:
            ticket = self._executor.submit(looking)
            submitted(ticket)
            result = await ticket.result()
        except JobCancelledError:
            raise
        except GenerationError as err:
            if not isinstance(err, EngineBusyError):
                self._failed = str(err)
            log.error("pictures cannot be looked at, so none is shown", reason=str(err))
            raise SafetyUnavailableError(str(err)) from err
        self._failed = ""
        scores = {label: float(score) for label, score in result.parameters}
        return found.unsafe_score(scores, self.config.labels) >= self.config.threshold

    async def _classifier(self) -> Classifier | ModelUnavailableError:
        """Return the classifier that is there, or why there is none; at most ``FRESH_S`` old."""
        now = self._clock()
        if self._found is None or now - self._found[0] >= FRESH_S:
            self._found = now, await asyncio.to_thread(_found, self.config)
        return self._found[1]


def _found(config: SafetyConfig) -> Classifier | ModelUnavailableError:
    try:
        return find(config)
    except ModelUnavailableError as err:
        return err
