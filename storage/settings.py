"""Small facts that the bot keeps between runs, such as the hash of its synced commands."""

from datetime import timedelta

from sqlalchemy import delete, select
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

    @reads
    def beginning(self, session: Session, prefix: str) -> dict[str, str]:
        """Return the values of all keys that begin with a prefix."""
        found = select(KeyValueRow.key, KeyValueRow.value)
        begins = KeyValueRow.key.startswith(prefix, autoescape=True)
        return {row.key: row.value for row in session.execute(found.where(begins))}

    @writes
    def forget(self, session: Session, prefix: str, *, older_than: timedelta) -> None:
        """Remove the keys that begin with a prefix and were given no value for so long."""
        old = KeyValueRow.updated_at < self._clock() - older_than
        begins = KeyValueRow.key.startswith(prefix, autoescape=True)
        session.execute(delete(KeyValueRow).where(begins, old))

    @writes
    def set(self, session: Session, key: str, value: str) -> None:
        """Give a key a value, in place of the one it had."""
        upsert(
            session,
            KeyValueRow,
            key={"key": key},
            values={"value": value, "updated_at": self._clock()},
        )
