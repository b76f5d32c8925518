"""Weekly digests: which guilds have their usage told, in which channel, and up to which week.

Weeks are named by the date of the Monday at which they end. One row of a guild says what was told
last; whoever moves it on by a lease tells the next week, so that of several processes one does,
and one that dies in between leaves it to another when the lease is over.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import Session

from storage.acts import meet, write_down
from storage.clock import Clock, utc_now
from storage.database import Database, reads, writes
from storage.portable import changed, upsert
from storage.tables import DigestRow, GuildSettingsRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """That a guild's usage is told every week.

    Args:
        actor_id: who chose it last.
        week: the Monday at which the newest week ended that was told, or passed over.
        time_zone: the clocks by which weeks begin there; None is UTC.
        trouble: what ended it, until it is chosen anew; None where nothing did.
    """

    guild_id: int
    channel_id: int
    actor_id: int
    week: date
    time_zone: str | None
    trouble: str | None


class DigestStore:
    """The digests of one database."""

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    @reads
    def all(self, session: Session) -> list[Digest]:
        """Return those that go on, by guild."""
        return _digests(session)

    @reads
    def find(self, session: Session, guild_id: int) -> Digest | None:
        """Return a guild's, also one that trouble has ended."""
        return next(iter(_digests(session, guild_id)), None)

    @writes
    def choose(
        self, session: Session, guild_id: int, channel_id: int, *, week: date, actor_id: int
    ) -> None:
        """Have the weeks after one told in a channel."""
        now = self._clock()
        meet(session, guild_id, now=now)
        row = session.get(DigestRow, guild_id)
        going = row is not None and row.trouble is None
        before = f"#{row.channel_id}" if row is not None and going else None
        passed = max(row.week, week.isoformat()) if row is not None else week.isoformat()
        values = {
            "channel_id": channel_id,
            "actor_id": actor_id,
            "week": passed,
            "owner": None,
            "lease_expires_at": None,
            "trouble": None,
        }
        upsert(session, DigestRow, key={"guild_id": guild_id}, values=values)
        after = f"#{channel_id}"
        write_down(session, guild_id, actor_id, "digest", before=before, after=after, now=now)

    @writes
    def end(self, session: Session, guild_id: int, *, actor_id: int) -> bool:
        """Have no more weeks told; False if none would have been."""
        row = session.get(DigestRow, guild_id)
        if row is None:
            return False
        before = f"#{row.channel_id}" if row.trouble is None else None
        session.execute(delete(DigestRow).filter_by(guild_id=guild_id))
        write_down(session, guild_id, actor_id, "digest", before=before, now=self._clock())
        return before is not None

    @writes
    def claim(self, session: Session, digest: Digest, *, owner: str, lease_s: float) -> bool:
        """Take it on to tell the week after the last one; False if somebody else does, or did."""
        now = self._clock()
        free = or_(
            DigestRow.owner.is_(None), DigestRow.owner == owner, DigestRow.lease_expires_at < now
        )
        lease = {"owner": owner, "lease_expires_at": now + timedelta(seconds=lease_s)}
        taken = update(DigestRow).where(*_unchanged(digest), free).values(**lease)
        return changed(session.execute(taken)) == 1

    @writes
    def told(self, session: Session, digest: Digest, *, week: date) -> bool:
        """Remember that a week was told; False if that was known, or it was chosen anew."""
        done = {"week": week.isoformat(), "owner": None, "lease_expires_at": None}
        result = session.execute(update(DigestRow).where(*_unchanged(digest)).values(**done))
        return changed(result) == 1

    @writes
    def troubled(self, session: Session, digest: Digest, *, trouble: str, bot_id: int) -> bool:
        """End a digest that cannot be posted, with a line in the log; False if that was done."""
        ended = {"trouble": trouble, "owner": None, "lease_expires_at": None}
        result = session.execute(update(DigestRow).where(*_unchanged(digest)).values(**ended))
        if not changed(result):
            return False
        before, now = f"#{digest.channel_id}", self._clock()
        write_down(session, digest.guild_id, bot_id, "digest", before=before, now=now)
        return True


def _unchanged(digest: Digest) -> tuple[ColumnElement[bool], ...]:
    """Return what holds as long as nobody told that week, ended it or chose it anew."""
    return (
        DigestRow.guild_id == digest.guild_id,
        DigestRow.channel_id == digest.channel_id,
        DigestRow.week == digest.week.isoformat(),
        DigestRow.trouble.is_(None),
    )


def _digests(session: Session, guild_id: int | None = None) -> list[Digest]:
    found = select(DigestRow, GuildSettingsRow.time_zone).outerjoin(
        GuildSettingsRow, GuildSettingsRow.guild_id == DigestRow.guild_id
    )
    one = DigestRow.trouble.is_(None) if guild_id is None else DigestRow.guild_id == guild_id
    return [
        Digest(
            guild_id=row.guild_id,
            channel_id=row.channel_id,
            actor_id=row.actor_id,
            week=date.fromisoformat(row.week),
            time_zone=zone,
            trouble=row.trouble,
        )
        for row, zone in session.execute(found.where(one).order_by(DigestRow.guild_id))
    ]
