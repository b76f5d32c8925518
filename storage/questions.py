"""What can be asked about usage."""

from dataclasses import dataclass
from datetime import datetime

from storage.cuts import Dimension

BY_ALL = (
    Dimension.MEMBER,
    Dimension.CHANNEL,
    Dimension.ROLE,
    Dimension.PIPELINE,
    Dimension.MODEL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be reported.

    Args:
        since: belongs to the period.
        until: does not.
        guild_id: None for the whole installation, 0 for direct messages.
        by: what it is told apart by.
        parts: where the parts of the period begin that it is told by, the first at ``since``.
        before: another period to compare with.
        member_id: of this member alone; likewise the others. A role's jobs are those that its
            members asked for when they had it; told apart by role, they are of this one alone.
            An empty model is that of jobs that name none.
    """

    since: datetime
    until: datetime
    guild_id: int | None = None
    by: tuple[Dimension, ...] = ()
    parts: tuple[datetime, ...] = ()
    before: tuple[datetime, datetime] | None = None
    member_id: int | None = None
    channel_id: int | None = None
    role_id: int | None = None
    pipeline: str | None = None
    model: str | None = None

    @property
    def filters(self) -> dict[Dimension, int | str]:
        """What the jobs are restricted to, besides the guild."""
        given = {
            Dimension.MEMBER: self.member_id,
            Dimension.CHANNEL: self.channel_id,
            Dimension.ROLE: self.role_id,
            Dimension.PIPELINE: self.pipeline,
            Dimension.MODEL: self.model,
        }
        return {name: value for name, value in given.items() if value is not None}
