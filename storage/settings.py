"""Small facts that the bot keeps between runs, such as the hash of its synced commands."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.clock import Clock, utc_now
from storage.database import Database, reads, writes
from storage.portable import upsert
from storage.tables import KeyValueRow


class KeyValues:
    """Texts by key."""

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    @reads
    def get(self, session: Session, key: str) -> str | None:
        """Return the value of a key, None when it has none."""
        return session.scalar(select(KeyValueRow.value).where(KeyValueRow.key == key))

    @writes
    def set(self, session: Session, key: str, value: str) -> None:
        """Give a key a value, in place of the one it had."""
        upsert(
            session,
            KeyValueRow,
            key={"key": key},
            values={"value": value, "updated_at": self._clock()},
        )
