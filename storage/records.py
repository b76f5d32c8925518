"""What crosses the border of this package about jobs: frozen values, no table rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from storage.files import StoredFile
from storage.policies import Standing


class JobState(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    HELD = "held"
    """Its pictures are made, and somebody has to approve them before they are shown."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINISHED = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)
UNFINISHED = (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job that asks to be accepted.

    Args:
        id: 32 hexadecimal digits (``uuid4().hex``).
        interaction_id: Discord's; at most one job is ever accepted for it.
        guild_id: None in direct messages.
        prompt: the member's words, at most 6,000 characters; stored cleaned.
        parameters: JSON of what else was asked for; texts in it are stored cleaned.
        seed: 0 to 2**32 - 1.
        inputs: the pictures that go into it, already in the file store, by what each is for
            (``image``, ``style_image``, ``mask`` ...); none for one from words alone.
        reserve_ms: device milliseconds to set aside from the quota, at least 1.
        interaction_token: what edits the original reply until ``token_expires_at``; None where
            that is over.
        parent_id: the job that this one repeats or edits.
        nonce: what a message in the channel carries so that it is sent once; unique.
        standing: what the member brings along that decides which quotas hold.
        deadline_at: when nobody wants it any more; None is never.
        acknowledged_by: whose acknowledgement it takes the place of, if that was written down.
    """

    id: str
    interaction_id: int
    guild_id: int | None
    channel_id: int
    member_id: int
    command: str
    pipeline: str
    seed: int
    inputs: Mapping[str, StoredFile]
    reserve_ms: int
    interaction_token: str | None = field(repr=False)
    token_expires_at: datetime
    nonce: str
    model: str | None = None
    prompt: str = ""
    parameters: Mapping[str, Any] | None = None
    parent_id: str | None = None
    locale: str = "en-US"
    standing: Standing = field(default_factory=Standing)
    deadline_at: datetime | None = None
    acknowledged_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How much an output differs from the picture that it was made from.

    Args:
        mse: mean squared difference of the values in [0, 1].
        psnr: in decibels; None where nothing differs.
        ssim: structural similarity, at most 1; None where what was compared is too small for it.
        compared: which part, and how: ``whole``, ``mask``, ``place`` or ``reduced``.
    """

    mse: float
    psnr: float | None
    ssim: float | None
    compared: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as it is remembered now.

    Args:
        prompt: None once the job has been purged, like ``parameters`` and the files.
        interaction_token: None once it has expired and been thrown away.
        attempt: how often it has been claimed; with ``owner`` it fences off older attempts.
        device_ms: what the quota was charged, None until it is done.
        wait_ms: from acceptance to the first claim.
        notes: JSON of what the pipeline remarked, for delivering it again.
        held_at: when its pictures were made that somebody has to approve; None of all others.
        delivered_at: when the member got the result or the refusal.
        deleted_at: when the outputs were deleted at somebody's wish.
        inputs: by what each is for, see ``NewJob``; none once it has been purged.
        outputs: by their numbers, which count from 0; those that could not be made are left out.
        likeness: of those outputs that were compared with what they were made from.
        not_before: when the next attempt may begin, after one that failed; None is at once.
        deadline_at: when it ends unfinished; None is never.
        dead_at: since when it lies with the dead letters; None if it does not.
        guild_weight: how many times a usual share of the engines its guild has for it.
        member_weight: how many times a usual share of that the member has.
        role_ids: of the member when they asked; None in jobs of before that was kept.
        pictures: how many came out; that and the bytes stay when the files go. None likewise.
    """

    id: str
    interaction_id: int
    guild_id: int | None
    channel_id: int
    member_id: int
    command: str
    pipeline: str
    model: str | None
    prompt: str | None
    parameters: Mapping[str, Any] | None
    seed: int
    locale: str
    parent_id: str | None
    nonce: str
    interaction_token: str | None = field(repr=False)
    token_expires_at: datetime
    state: JobState
    attempt: int
    owner: str | None
    lease_expires_at: datetime | None
    reserve_ms: int
    device_ms: int | None
    wait_ms: int | None
    error: str | None
    notes: Any
    created_at: datetime
    started_at: datetime | None
    held_at: datetime | None
    finished_at: datetime | None
    message_id: int | None
    delivered_at: datetime | None
    deleted_at: datetime | None
    purged_at: datetime | None
    inputs: Mapping[str, StoredFile]
    outputs: Mapping[int, StoredFile]
    likeness: Mapping[int, Likeness]
    not_before: datetime | None
    deadline_at: datetime | None
    dead_at: datetime | None
    guild_weight: float
    member_weight: float
    role_ids: Sequence[int] | None = None
    pictures: int | None = None
    input_bytes: int | None = None
    output_bytes: int | None = None

    @property
    def image(self) -> StoredFile | None:
        """The picture to change."""
        return self.inputs.get("image")

    @property
    def output(self) -> StoredFile | None:
        """The first picture that came out of it."""
        return next(iter(self.outputs.values()), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The job of an interaction, and whether this call created it."""

    job: Job
    created: bool
