"""Commands that were acknowledged and are neither jobs nor answered yet, so that none is forgotten.

A row is written before the acknowledgement is sent, and is gone in the transaction that accepts the
job, or once the member has been answered. What a process that dies leaves here another one finds,
when the lease on it is over, and tells the member.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from storage.clock import Clock, utc_now
from storage.database import Database, writes
from storage.errors import CutOffError
from storage.portable import changed, insert
from storage.tables import AcknowledgementRow, JobRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """A command that was acknowledged, and how its member can be answered.

    Args:
        token: what edits the original reply until ``token_expires_at``.
    """

    interaction_id: int
    token: str = field(repr=False)
    token_expires_at: datetime
    locale: str


TELLER = "left:"
"""What the owners begin with who tell members of commands that were left."""


class Acknowledgements:
    """The commands that wait for their answer; ``owner`` is the process that is at work on them."""

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    @writes
    def open(
        self, session: Session, new: Sequence[Acknowledgement], *, owner: str, lease_s: float
    ) -> set[int]:
        """Write commands down; return those that are this owner's to acknowledge.

        The others came before, to this process or another, and may be jobs by now. All write them
        in the same order, so that no two wait for each other.
        """
        now, row = self._clock(), AcknowledgementRow
        ids = [each.interaction_id for each in new]
        jobs = set(
            session.scalars(select(JobRow.interaction_id).where(JobRow.interaction_id.in_(ids)))
        )
        rows = [
            {
                "interaction_id": each.interaction_id,
                "token": each.token,
                "token_expires_at": each.token_expires_at,
                "locale": each.locale,
                "owner": owner,
                "lease_expires_at": now + timedelta(seconds=lease_s),
            }
            for each in sorted(new, key=lambda each: each.interaction_id)
            if each.interaction_id not in jobs
        ]
        if not rows:
            return set()
        inserted = insert(session, row).on_conflict_do_nothing().returning(row.interaction_id)
        return set(session.scalars(inserted, rows))

    @writes
    def close(self, session: Session, interaction_ids: Collection[int], *, owner: str) -> None:
        """Forget commands of this owner that have been answered."""
        theirs = AcknowledgementRow.owner == owner
        answered = AcknowledgementRow.interaction_id.in_(interaction_ids)
        session.execute(delete(AcknowledgementRow).where(theirs, answered))

    @writes
    def keep(
        self, session: Session, interaction_ids: Collection[int], *, owner: str, lease_s: float
    ) -> None:
        """Prolong this owner's leases on commands that it is still at work on."""
        lease, row = self._clock() + timedelta(seconds=lease_s), AcknowledgementRow
        theirs = update(row).where(row.owner == owner, row.interaction_id.in_(interaction_ids))
        session.execute(theirs.values(lease_expires_at=lease))

    @writes
    def release(self, session: Session, *, owner: str | None = None) -> None:
        """End the leases of an owner that is gone; of all, if none is named."""
        theirs = update(AcknowledgementRow)
        if owner is not None:
            theirs = theirs.where(AcknowledgementRow.owner == owner)
        session.execute(theirs.values(owner="", lease_expires_at=self._clock()))

    @writes
    def claim_left(
        self, session: Session, *, owner: str, lease_s: float, most: int = 50
    ) -> list[Acknowledgement]:
        """Take on those whose leases are over, to tell their members; drop what nobody can."""
        now, row = self._clock(), AcknowledgementRow
        session.execute(delete(row).where(row.token_expires_at < now))
        found = select(row.interaction_id).where(row.lease_expires_at <= now).limit(most)
        ids = session.scalars(found.with_for_update(skip_locked=True)).all()
        lease = now + timedelta(seconds=lease_s)
        taken = update(row).where(row.interaction_id.in_(ids))
        session.execute(taken.values(owner=owner, lease_expires_at=lease))
        rows = session.scalars(select(row).where(row.interaction_id.in_(ids)))
        return [
            Acknowledgement(
                interaction_id=each.interaction_id,
                token=each.token,
                token_expires_at=each.token_expires_at,
                locale=each.locale,
            )
            for each in rows
            if each.token is not None
        ]


def answer_with_job(session: Session, interaction_id: int, *, owner: str | None) -> None:
    """Let a job take the place of an acknowledgement, which this owner holds if one is named.

    Raises:
        CutOffError: it does not any more: the member has been told to ask again, or is just being.
    """
    row = AcknowledgementRow
    held = delete(row).where(row.interaction_id == interaction_id)
    if owner is not None:
        is_ours = changed(session.execute(held.where(row.owner == owner))) > 0
    else:
        session.execute(held.where(~row.owner.startswith(TELLER)))
        left = select(row.owner).where(row.interaction_id == interaction_id)
        is_ours = session.scalar(left) is None
    if not is_ours:
        raise CutOffError("another process has told the member to ask again")
